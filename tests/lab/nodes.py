# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real batond processes on the lab's hosts: TLS, one VIP, a cluster of them; and drivers beside them."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from netns import wait_for

from support.certificates import Authority
from support.etcd import Api, require_etcd

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "the-secret-of-the-nodes"
VIP = "192.0.2.100"
SERVICE_VIP = "198.51.100.100"
SPARE = "192.0.2.40"  # of a host to which a node may be copied, its certificate included


def batond(ahead=0.0):
    """Return how batond is run on a host whose wall clock is so many seconds ahead."""
    wrong_clock = [str(Path(__file__).with_name("wrong_clock.py")), str(ahead)] if ahead else []
    return [sys.executable, *wrong_clock, str(ROOT / "build/batond.pyz")]


class Node:
    """batond on one host of the network."""

    authority = None
    ahead = {}  # name → seconds by which its wall clock is ahead, where it is

    def __init__(self, host, name, address, folder, peers, tls, options=(), data=None):
        self.host, self.name, self.address, self.folder = host, name, address, folder
        self.data, self.log = data or folder / name, folder / f"{name}.log"
        self.ca = folder / "pki" / "ca.pem"
        self.command = [
            *batond(self.ahead.get(name, 0.0)), "--node-id", name, "--data-dir", str(self.data),
            "--listen", "0.0.0.0:8092",
            "--advertise", f"https://{address}:8092", "--ha-token-file", str(folder / "ha.token"), "--vip", f"{VIP}/24",
            "--interface", "eth0", *map(str, tls), *options,
        ]  # fmt: skip
        for peer in peers:
            self.command += ["--peer", f"https://{peer}:8092"]
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = self.host.popen(*self.command, stdout=log, stderr=log)

    def end(self):
        stop(self.process)

    def curl(self, method, path, body=None, token=TOKEN, to=None, headers=()):
        data = ["-d", json.dumps(body)] if body is not None else []
        data += [item for header in headers for item in ("-H", header)]
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

    def status(self):
        """Return what it says of the cluster; {} when it does not answer."""
        status, text = self.curl("GET", "/api/v3/system/ha")
        return json.loads(text) if status == 200 else {}

    def holds(self):
        return any(cidr.startswith(f"{VIP}/") for cidr in self.host.addresses())

    def admin_token(self):
        path = self.data / "admin.token"
        return path.read_text().strip() if path.exists() else ""

    def guard(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])


class ServiceNode(Node):
    """One whose VIP is on an interface of its own, ``svc``; see cluster_of_two_networks."""

    def holds(self):
        return any(cidr.startswith(f"{SERVICE_VIP}/") for cidr in self.host.addresses("svc"))


class Driver:
    """A driver of one node, as its unit would run it: the built-in one that ``members`` describe, or a ``program`` of its own."""

    def __init__(self, node, name, members=None, program=None):
        self.node, self.name = node, name
        self.log = node.folder / f"{node.name}-{name}.log"
        if program is None:
            file = node.folder / f"drivers-{node.name}" / f"{name}.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(members))
            program = [str(ROOT / "build/batond.pyz"), "driver", str(file)]
        self.command = [sys.executable, *program]
        self.start()

    def start(self):
        environ = {**os.environ, "BATON_RUN_DIR": str(self.node.data / "run")}
        with open(self.log, "ab") as log:
            self.process = self.node.host.popen(*self.command, stdout=log, stderr=log, env=environ)

    def state(self):
        """Return what its batond says of it, None when that does not answer or does not know it."""
        status, text = self.node.curl("GET", "/api/v3/system/drivers")
        found = json.loads(text) if status == 200 else []
        return next((driver["state"] for driver in found if driver["id"] == self.name), None)

    def end(self):
        stop(self.process)


def stop(process):
    """Kill a process, frozen or not."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


class Said:
    """What curl had for an answer."""

    def __init__(self, text):
        self.text = text

    def json(self):
        return json.loads(self.text)


class FarEtcd(Api):
    """The etcd on that host, asked by curl."""

    def __init__(self, host, process, url):
        self.host, self.process, self.url = host, process, url

    def post(self, path, body, headers=None):
        more = [part for name, value in (headers or {}).items() for part in ("-H", f"{name}: {value}")]
        command = ["ip", "netns", "exec", self.host.namespace, "curl", "-s", "-m", "5", *more, "-d", "@-", self.url + path]
        return Said(subprocess.run(command, input=json.dumps(body), capture_output=True, text=True, check=False).stdout)


@contextmanager
def etcd_on(network, folder):
    """One etcd on a host of its own; yields its process and the options that make nodes use it."""
    with far_etcd(network, folder) as (etcd, options):
        yield etcd.process, options


@contextmanager
def far_etcd(network, folder, *more):
    """The same with ``more`` options of etcd's; yields the FarEtcd in place of the process."""
    require_etcd()
    host = network.host("etcd", ["192.0.2.50/24"])
    url, peer = "http://192.0.2.50:2379", "http://127.0.0.1:2380"
    process = host.popen(
        "etcd", "--name", "e", "--data-dir", str(folder / "etcd"), "--listen-client-urls", "http://0.0.0.0:2379",
        "--advertise-client-urls", url, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
        "--initial-cluster", f"e={peer}", "--log-level", "error", *more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield FarEtcd(host, process, url), ["--dcs", f"etcd:{url}", "--etcd-plain"]
    finally:
        stop(process)


@contextmanager
def cluster_of(network, folder, count=3, options=(), kind=Node, hosts=None, data=lambda _name: None):
    """Nodes n1… on hosts of their own (or ``hosts``); n1 is active and holds the VIP, the others are in sync. No --dcs: manual."""
    authority = Authority(folder / "pki")
    (folder / "ha.token").write_text(TOKEN)
    addresses = {f"n{number}": f"192.0.2.{number}" for number in range(1, count + 1)}
    nodes = []
    Node.authority = authority
    for name, address in addresses.items():
        host = hosts[name] if hosts else network.host(name, [f"{address}/24"])
        tls = authority.issue(name, address, VIP, "127.0.0.1", SPARE)
        more = [*options, *(["--passive"] if name != "n1" else [])]
        nodes.append(kind(host, name, address, folder, list(addresses.values()), tls, more, data(name)))
    try:
        for node in nodes:
            wait_for(lambda node=node: node.ok("/health"), lambda node=node: f"{node.name} answers: {node.log.read_text()}", 60)
        if "--dcs" not in options:
            assert nodes[0].curl("POST", "/api/v3/system/create", {"cluster_id": "lab"})[0] == 201
        for node in nodes:
            wait_for(lambda node=node: node.ok("/in-sync"), lambda node=node: f"{node.name} in sync: {node.log.read_text()}", 60)
        wait_for(nodes[0].holds, "n1 holds the VIP", 30)
        yield nodes
    finally:
        for node in nodes:
            node.end()


@contextmanager
def cluster_of_two_networks(network, folder, count, options, vip=f"{SERVICE_VIP}/24@svc"):
    """Nodes that see each other on one network and have their VIP on another; yields them and the cables of the other one."""
    hosts = {f"n{number}": network.host(f"n{number}", [f"192.0.2.{number}/24"]) for number in range(1, count + 1)}
    cables = {name: network.plug(host, "svc", f"198.51.100.{name[1:]}/24") for name, host in hosts.items()}
    with cluster_of(network, folder, count, [*options, "--vip", vip], kind=ServiceNode, hosts=hosts) as nodes:
        yield nodes, cables
