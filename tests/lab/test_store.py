# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair with a VIP whose etcd is full, or out of the reach of one: that is said, and nothing that works is given up."""

import contextlib
import signal

import pytest
from netns import wait_for
from nodes import cluster_of, far_etcd

SPACE = "etcd is out of space (alarm NOSPACE) and refuses every write"
SOON = 40


@pytest.fixture
def pair(network, tmp_path):
    """n1, which is active, n2, and their etcd, which is full; both have said so."""
    with far_etcd(network, tmp_path, "--quota-backend-bytes", "4000000") as (etcd, options):
        with cluster_of(network, tmp_path, 2, options) as nodes:
            etcd.fill()
            for node in nodes:
                wait_for(lambda node=node: SPACE in (node.status().get("error") or ""), f"{node.name} says it", SOON)
            yield (*nodes, etcd)


def logs(*nodes):
    return lambda: "\n".join(f"--- {node.name}\n{node.log.read_text()}" for node in nodes)


def test_the_vip_stays_where_it_is_whatever_is_ordered(pair):
    n1, n2, _etcd = pair
    for node, order, body in ((n1, "switch", {}), (n1, "passive", {"force": True}), (n2, "active", {"force": True})):
        status, said = node.curl("POST", f"/api/v3/system/{order}", body)
        assert status == 409 and SPACE in said and "nothing was changed" in said, said + logs(n1, n2)()
    assert n1.ok("/active") and n1.holds() and not n2.holds()


def test_a_switch_that_is_ordered_as_the_store_fills_up_costs_nothing(network, tmp_path):
    """Nobody has looked yet: it is found before anything is given up."""
    with far_etcd(network, tmp_path, "--quota-backend-bytes", "4000000") as (etcd, options):
        with cluster_of(network, tmp_path, 2, options) as (n1, n2):
            etcd.fill()
            status, said = n1.curl("POST", "/api/v3/system/switch", {})
            assert status == 409 and SPACE in said and "nothing was changed" in said, said + logs(n1, n2)()
            assert n1.holds() and "left" not in n1.log.read_text(), logs(n1, n2)()


def test_an_active_that_was_frozen_serves_again_since_nobody_began_in_vain(pair):
    n1, n2, _etcd = pair
    n1.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: not n1.holds(), logs(n1, n2), 10)
    wait_for(lambda: n2.status().get("state") == "Connecting", logs(n1, n2), 10)  # after a grace of silence
    n1.process.send_signal(signal.SIGCONT)
    wait_for(lambda: n1.ok("/active") and n1.holds(), logs(n1, n2), 20)
    assert n2.status()["role"] == "passive" and n1.status()["epoch"]["number"] == 1


def test_a_dead_active_is_followed_as_soon_as_there_is_room(pair):
    n1, n2, etcd = pair
    n1.process.kill()
    n1.process.wait()
    wait_for(lambda: "has released the active role" in n2.log.read_text(), logs(n1, n2), 10)
    assert n2.status()["role"] == "passive" and not n2.holds()
    etcd.make_room()
    wait_for(lambda: n2.ok("/active") and n2.holds(), logs(n1, n2), SOON)
    assert n2.status()["error"] is None and "the store of the cluster record takes changes again" in n2.log.read_text()


def test_a_switch_while_the_store_is_silent_is_called_off_and_the_vip_stays(network, tmp_path):
    with contextlib.ExitStack() as stack:
        etcd, options = stack.enter_context(far_etcd(network, tmp_path))
        n1, n2 = stack.enter_context(cluster_of(network, tmp_path, 2, options))
        etcd.process.send_signal(signal.SIGSTOP)
        n1.curl("POST", "/api/v3/system/switch", {})
        called_off = "switch aborted: this node goes on being active"
        lost = []

        def over():
            if not (n1.holds() and n1.ok("/active")):
                lost.append(True)
            return called_off in n1.log.read_text()

        wait_for(over, logs(n1, n2), SOON)
        assert not lost, logs(n1, n2)()
        etcd.process.send_signal(signal.SIGCONT)
        wait_for(lambda: n1.curl("POST", "/api/v3/system/switch", {})[0] == 200, logs(n1, n2), SOON)
        wait_for(lambda: n2.ok("/active") and n2.holds(), logs(n1, n2), SOON)


def test_a_passive_that_alone_is_cut_off_from_the_store_is_said_on_the_active(network, tmp_path):
    with contextlib.ExitStack() as stack:
        _etcd, options = stack.enter_context(far_etcd(network, tmp_path))
        n1, n2 = stack.enter_context(cluster_of(network, tmp_path, 2, options))

        def electable():
            return {node["id"]: node["electable"] for node in n1.status()["nodes"]}["n2"]

        assert electable()
        n2.host.ip("route", "add", "blackhole", "192.0.2.50/32")
        said = "n2 could not take over: the store of the cluster record does not answer there"
        wait_for(lambda: n1.status()["error"] == said, logs(n1, n2), SOON)
        assert not electable() and not n1.ok("/health")
        wait_for(lambda: said in n1.log.read_text(), logs(n1, n2))
        n2.host.ip("route", "delete", "blackhole", "192.0.2.50/32")
        wait_for(lambda: n1.ok("/health") and electable(), logs(n1, n2), SOON)


def test_a_user_who_came_to_be_a_reader_costs_nobody_anything(network, tmp_path):
    (tmp_path / "password").write_text("the-password\n")
    with contextlib.ExitStack() as stack:
        etcd, options = stack.enter_context(far_etcd(network, tmp_path))
        wait_for(lambda: "header" in etcd.post("/v3/kv/range", {"key": "YQ=="}).text, "etcd answers")
        etcd.log_in_user("baton", "the-password")
        root = etcd.token("root", "the-password")
        options += ["--etcd-user", "baton", "--etcd-password-file", str(tmp_path / "password")]
        nodes = stack.enter_context(cluster_of(network, tmp_path, 2, options))
        n1, n2 = nodes
        etcd.grant("baton", "READ", **root)
        said = "the user baton may not write the cluster record in etcd"
        for node in nodes:
            wait_for(lambda node=node: said in (node.status().get("error") or ""), logs(n1, n2), SOON)
        status, answer = n1.curl("POST", "/api/v3/system/switch", {})
        assert status == 409 and said in answer and n1.ok("/active") and n1.holds()
        etcd.grant("baton", "READWRITE", **root)
        for node in nodes:
            wait_for(lambda node=node: node.status().get("error", "") is None, logs(n1, n2), SOON)
        n1.process.kill()
        wait_for(lambda: n2.ok("/active") and n2.holds(), logs(n1, n2), SOON)
