# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real batond processes on loopback: one cluster of several nodes, each with its data directory and log."""

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import requests

from support.programs import program

ROOT = Path(__file__).resolve().parents[2]
HA_TOKEN = "the-secret-of-the-nodes"
DEADLINE = 30.0


PORTS = range(20_000, 32_000)  # below those that the kernel gives to outgoing connections: a node that is down keeps its port
_numbers = itertools.count(os.getpid() * 97)  # tests that run beside these begin elsewhere
_claims, CLAIMS = deque(), 300  # the oldest is let go: its node is gone by then


def free_port():
    """Return a port that nobody has, and that no other process of tests takes before it is used, or while its node is down."""
    while True:
        port = PORTS[next(_numbers) % len(PORTS)]
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0baton-tests-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        if len(_claims) > CLAIMS:
            _claims.popleft().close()
        return port


def until(condition, what, seconds=DEADLINE):
    """Wait until ``condition`` returns something true, and return that."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"in vain for {seconds:g} s: {what}")
        time.sleep(0.02)


async def eventually(condition, what, seconds=DEADLINE):
    """``until`` for a test that runs in the loop itself."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"in vain for {seconds:g} s: {what}"
        await asyncio.sleep(0.01)


class Node:
    """One batond. ``start`` may be called again after ``kill`` or ``stop``."""

    def __init__(self, folder, name, dcs, port, peers, options=()):
        self.name, self.port = name, port
        self.url = f"http://127.0.0.1:{port}"
        self.data = folder / name
        self.log = folder / f"{name}.log"
        token = folder / "ha.token"
        token.write_text(HA_TOKEN + "\n")
        self.command = [
            sys.executable, str(program("batond")), "--node-id", name, "--data-dir", str(self.data),
            "--listen", f"127.0.0.1:{port}", "--dcs", dcs, "--insecure", "--ha-token-file", str(token),
        ]  # fmt: skip
        for peer in peers:
            self.command += ["--peer", f"http://127.0.0.1:{peer}"]
        self.command += options
        self.process = None

    def start(self, *options):
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_"))}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.command, *options], stdout=log, stderr=log, env=environ)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    # --- asking ---

    def probe(self, path):
        try:
            return requests.get(self.url + path, timeout=10).status_code == 200
        except requests.RequestException:
            return False

    def until(self, path):
        until(lambda: self.probe(path), f"{self.name}{path}\n{self.log.read_text()[-3000:]}")
        return self

    def call(self, method, path, token=HA_TOKEN, **more):
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        return requests.request(method, f"{self.url}/api/v3{path}", headers=headers, timeout=30, **more)

    def status(self):
        """Return the node's own view, as soon as it answers."""
        until(lambda: self.probe("/metrics"), f"{self.name} answers")
        return self.call("GET", "/system/ha").json()

    def metrics(self):
        return requests.get(f"{self.url}/metrics", timeout=10).text

    def said(self, text):
        return text in self.log.read_text()


class Cluster:
    """``size`` nodes n1…; the first one creates the cluster. Use as a context manager."""

    def __init__(self, folder, size=3, dcs="manual", options=(), cluster_id="test"):
        self.folder, self.cluster_id = Path(folder), cluster_id
        self.ports = [free_port() for _number in range(size)]
        self.nodes = {}
        self.dcs = f"local:{folder}/dcs.db" if dcs == "local" else dcs
        self.options = list(options)
        for number in range(1, size + 1):
            self.add(f"n{number}", self.ports[number - 1])

    def add(self, name, port=None, options=()):
        node = Node(self.folder, name, self.dcs, port or free_port(), self.ports, [*self.options, *options])
        self.nodes[name] = node
        return node

    def __getattr__(self, name):
        try:
            return self.__dict__["nodes"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __enter__(self):
        try:
            self._begin()
        except BaseException:
            self.stop()  # what has started must not outlive a start that fails
            raise
        return self

    def _begin(self):
        first, *others = self.nodes.values()
        first.start()
        if self.dcs == "manual":
            until(lambda: first.status()["role"] == "unjoined", f"{first.name} has looked whether it has a cluster")
            made = first.call("POST", "/system/create", json={"cluster_id": self.cluster_id})
            assert made.status_code == 201, f"{made.text}\n{first.log.read_text()}"
        first.until("/active")
        until((first.data / "admin.token").exists, "the admin token")
        self.token = (first.data / "admin.token").read_text().strip()
        until(lambda: self.call(first, "GET", "/profiles").status_code == 200, "the admin token works")
        for node in others:
            node.start()
        for node in others:
            node.until("/in-sync")

    def __exit__(self, *_exc):
        self.stop()

    def stop(self):
        for node in self.nodes.values():
            node.stop()

    def call(self, node, method, path, **more):
        return node.call(method, path, self.token, **more)

    def active(self):
        for node in self.nodes.values():
            if node.process and node.process.poll() is None and node.probe("/active"):
                return node
        return None
