# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real etcd of one or more members on loopback (or wherever the launcher puts them)."""

import base64
import os
import shutil
import signal
import subprocess

import requests

from support.cluster import free_port, until

FAST = ["--heartbeat-interval", "50", "--election-timeout", "300"]


def require_etcd():
    """Raise RuntimeError unless etcd is installed; tests that need it fail, they do not skip."""
    if shutil.which("etcd") is None:
        raise RuntimeError("etcd is missing; `make system` installs it")


def _encoded(text):
    return base64.b64encode(text.encode()).decode()


class Api:
    """What tests ask of an etcd, wherever it is: ``post(path, body, **more)`` returns its answer as requests does."""

    def fill(self):
        """Write until the quota (``--quota-backend-bytes``) is used up: etcd raises NOSPACE and takes no write any more."""
        value = base64.b64encode(bytes(900_000)).decode()
        for number in range(20):
            key = base64.b64encode(b"/other/%d" % number).decode()
            if "exceeded" in self.post("/v3/kv/put", {"key": key, "value": value}).text:
                return
        raise RuntimeError("etcd takes everything: has it a quota?")

    def make_room(self):
        """Do what the words about NOSPACE say: remove, compact, defragment, disarm."""
        gone = self.post("/v3/kv/deleterange", {"key": _encoded("/other/"), "range_end": _encoded("/other0")}).json()
        self.post("/v3/kv/compaction", {"revision": gone["header"]["revision"], "physical": True})
        self.post("/v3/maintenance/defragment", {})
        for alarm in self.post("/v3/maintenance/alarm", {"action": "GET"}).json().get("alarms", []):
            self.post("/v3/maintenance/alarm", {"action": "DEACTIVATE", "memberID": alarm["memberID"], "alarm": alarm["alarm"]})

    def log_in(self, user, password):
        """Make the one user, who may do all; from here on nobody else may do anything."""
        self.post("/v3/auth/role/add", {"name": user})
        self.post("/v3/auth/user/add", {"name": user, "password": password})
        self.post("/v3/auth/user/grant", {"user": user, "role": user})
        enabled = self.post("/v3/auth/enable", {})
        assert "error" not in enabled.json(), enabled.text

    def log_in_user(self, user, password):
        """Make root, and a user who may change the records; from here on nobody else may do anything."""
        self.post("/v3/auth/role/add", {"name": user})
        self.grant(user, "READWRITE")
        self.post("/v3/auth/user/add", {"name": user, "password": password})
        self.post("/v3/auth/user/grant", {"user": user, "role": user})
        self.log_in("root", password)

    def grant(self, role, may, **more):
        """Let ``role`` READ or READWRITE the records of all clusters."""
        permission = {"permType": may, "key": _encoded("/baton/"), "range_end": _encoded("/baton0")}
        self.post("/v3/auth/role/grant", {"name": role, "perm": permission}, **more)

    def token(self, user, password):
        """Return the headers with which that user asks."""
        answer = self.post("/v3/auth/authenticate", {"name": user, "password": password}).json()
        return {"headers": {"Authorization": answer["token"]}}


class Etcd(Api):
    """Use as a context manager. ``members`` are processes; ``urls`` their client URLs."""

    def __init__(self, folder, size=1, tls=None, options=()):
        require_etcd()
        self.scheme = "https" if tls else "http"
        clients = [free_port() for _member in range(size)]
        peers = [free_port() for _member in range(size)]
        self.urls = [f"{self.scheme}://127.0.0.1:{port}" for port in clients]
        everyone = ",".join(f"m{number}=http://127.0.0.1:{port}" for number, port in enumerate(peers))
        self.tls = tls
        self.commands = []
        for number in range(size):
            peer = f"http://127.0.0.1:{peers[number]}"
            command = [
                "etcd", "--name", f"m{number}", "--data-dir", f"{folder}/m{number}", "--listen-client-urls", self.urls[number],
                "--advertise-client-urls", self.urls[number], "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", everyone, "--log-level", "error", *FAST, *options,
            ]  # fmt: skip
            if tls:
                cert, key, ca = tls
                command += ["--cert-file", str(cert), "--key-file", str(key), "--trusted-ca-file", str(ca), "--client-cert-auth"]
            self.commands.append(command)
        self.members = [None] * size

    def start(self, number):
        self.members[number] = subprocess.Popen(self.commands[number], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        for number in range(len(self.members)):
            self.start(number)
        until(lambda: all(self.healthy(number) for number in range(len(self.members))), "etcd is healthy")
        return self

    def __exit__(self, *_exc):
        for member in self.members:
            if member.poll() is None:
                member.send_signal(signal.SIGCONT)
                member.kill()
                member.wait()

    def stop(self, number):
        self.members[number].kill()
        self.members[number].wait()

    def restart(self, number):
        self.stop(number)
        self.start(number)

    def freeze(self, number, frozen=True):
        os.kill(self.members[number].pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def post(self, path, body, number=0, **more):
        if self.tls:
            more.update(cert=tuple(map(str, self.tls[:2])), verify=str(self.tls[2]))
        return requests.post(self.urls[number] + path, json=body, timeout=3, **more)

    def healthy(self, number):
        try:
            return self.post("/v3/kv/range", {"key": "YQ=="}, number).status_code == 200
        except requests.RequestException:
            return False

    def revision(self):
        """Return the number of the last write."""
        return int(self.post("/v3/kv/range", {"key": "YQ=="}).json()["header"]["revision"])

    def proposals(self):
        """Return how many proposals its log has, those that change nothing among them."""
        return int(self.post("/v3/maintenance/status", {}).json()["raftIndex"])

    def leader(self):
        """Return the number of the member that leads."""
        for number in range(len(self.members)):
            status = self.post("/v3/maintenance/status", {}, number).json()
            if status["leader"] == status["header"]["member_id"]:
                return number
        return None
