# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real batond processes on hosts of their own, with TLS and a VIP: what a kill, a freeze and a switch do to the address."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from netns import boottime, wait_for, wait_until

from support.certificates import Authority

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "the-secret-of-the-nodes"
VIP = "192.0.2.100"
LEASE = 2.0
MARGIN = 0.2


class Node:
    """batond on one host of the network."""

    authority = None

    def __init__(self, host, name, address, folder, peers, tls):
        self.host, self.name, self.address, self.folder = host, name, address, folder
        self.data, self.log = folder / name, folder / f"{name}.log"
        self.ca = folder / "pki" / "ca.pem"
        self.command = [
            sys.executable, str(ROOT / "build/batond.pyz"), "--node-id", name, "--data-dir", str(self.data), "--listen", "0.0.0.0:8092",
            "--advertise", f"https://{address}:8092", "--ha-token-file", str(folder / "ha.token"), "--vip", f"{VIP}/24",
            "--interface", "eth0", *map(str, tls),
        ]  # fmt: skip
        for peer in peers:
            self.command += ["--peer", f"https://{peer}:8092"]
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = self.host.popen(*self.command, stdout=log, stderr=log)

    def curl(self, method, path, body=None, token=TOKEN, to=None):
        data = ["-d", json.dumps(body)] if body is not None else []
        address = to or self.address
        done = subprocess.run(
            ["ip", "netns", "exec", self.host.namespace, "curl", "-s", "-m", "5", "--cacert", str(self.ca), "-X", method, *data,
             "-H", f"Authorization: Bearer {token}", "-w", "\n%{http_code}", f"https://{address}:8092{path}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        text, _line, status = done.stdout.rpartition("\n")
        return int(status or 0), text

    def ok(self, path):
        return self.curl("GET", path)[0] == 200

    def holds(self):
        return any(cidr.startswith(f"{VIP}/") for cidr in self.host.addresses())

    def guard(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])


@pytest.fixture
def cluster(network, tmp_path):
    """Three nodes; n1 is active and holds the VIP."""
    authority = Authority(tmp_path / "pki")
    (tmp_path / "ha.token").write_text(TOKEN)
    addresses = {f"n{number}": f"192.0.2.{number}" for number in (1, 2, 3)}
    nodes = []
    Node.authority = authority
    for name, address in addresses.items():
        host = network.host(name, [f"{address}/24"])
        tls = authority.issue(name, address, VIP, "127.0.0.1")
        nodes.append(Node(host, name, address, tmp_path, list(addresses.values()), tls))
    for node in nodes:
        wait_for(lambda node=node: node.ok("/health"), f"{node.name} answers: {node.log.read_text()}", 20)
    assert nodes[0].curl("POST", "/api/v3/system/create", {"cluster_id": "lab"})[0] == 201
    for node in nodes:
        wait_for(lambda node=node: node.ok("/in-sync"), f"{node.name} in sync: {node.log.read_text()}", 20)
    wait_for(nodes[0].holds, "n1 holds the VIP")
    yield nodes
    for node in nodes:
        if node.process.poll() is None:
            node.process.send_signal(signal.SIGCONT)
            node.process.kill()
            node.process.wait()


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
