# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real batond processes on hosts of their own, with TLS and a VIP: what a kill, a freeze and a switch do to the address."""

import json
import os
import signal

import pytest
from netns import boottime, wait_for, wait_until
from nodes import VIP, Node, cluster_of

from support.certificates import Authority

LEASE = 2.0
MARGIN = 0.2


@pytest.fixture
def cluster(network, tmp_path):
    with cluster_of(network, tmp_path) as nodes:
        yield nodes


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_killed_or_frozen_active_loses_the_vip(cluster, number):
    moment = boottime()
    cluster[0].process.send_signal(number)
    wait_until(moment + LEASE + MARGIN)
    assert not cluster[0].holds(), cluster[0].log.read_text()


def test_daemon_and_guard_frozen(cluster):
    """Then the kernel's lifetime ends it: at the latest V + J after the last renewal."""
    moment = boottime()
    os.kill(cluster[0].guard(), signal.SIGSTOP)
    cluster[0].process.send_signal(signal.SIGSTOP)
    wait_until(moment + LEASE + 2.0 + 2.0)
    assert not cluster[0].holds()


def test_a_switch_moves_the_vip_and_clients_find_it(cluster):
    first, second, third = cluster
    assert third.curl("GET", "/active", to=VIP)[0] == 200
    status, text = first.curl("POST", "/api/v3/system/switch", {"to": "n2"})
    assert status == 200, text
    wait_for(second.holds, "n2 holds the VIP")
    assert not first.holds() and not third.holds()
    # third has the old holder in its neighbour cache: the announcement corrects it
    wait_for(lambda: '"node":"n2"' in third.curl("GET", "/active", to=VIP)[1], "the VIP answers from n2")


def test_stopped_by_systemd_the_address_is_gone_at_once(cluster):
    cluster[0].process.terminate()
    cluster[0].process.wait(10)
    assert not cluster[0].holds()


def test_strangers_do_not_replicate(cluster, network, tmp_path):
    """A node with another CA, and one with a certificate in another node's name: both know the secret, neither gets in."""
    other = Authority(tmp_path / "other", "another CA")
    wrong_ca = other.issue("n4", "192.0.2.4")
    wrong_name = cluster[0].authority.issue("n6", "192.0.2.5")
    for name, address, tls in (("n4", "192.0.2.4", wrong_ca), ("n5", "192.0.2.5", wrong_name)):
        node = Node(network.host(name, [f"{address}/24"]), name, address, tmp_path, ["192.0.2.1"], tls)
        try:
            wait_for(lambda node=node: "no link to https://192.0.2.1:8092" in node.log.read_text(), f"{name} is refused", 20)
            known = json.loads(cluster[0].curl("GET", "/api/v3/system/ha")[1])["nodes"]
            assert name not in [item["id"] for item in known]
        finally:
            node.process.kill()
            node.process.wait()
