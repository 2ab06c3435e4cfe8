# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool for the lab: pool hosts in namespaces, each with a guest and a small disk, a pair of batond with managers, and one set on it all.

What ends is started again a second later, as its unit says.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import engine_mariadb
import requests
from netns import boottime, run, wait_for, wait_until
from nodes import ROOT, VIP, Driver, cluster_of, etcd_on, stop
from rig import RESTART, SupervisedNode

LEASES = {"balanced": 2.0, "fast": 1.0}
API = f"http://{VIP}:8779"
DISK = "1500m"
FLAVORS = {"1": {"name": "tiny", "ram": 256, "vcpus": 1, "disk": 2}}
ACCOUNT = {"user": "lab", "password": "lab's own", "database": "lab"}


class Kept:
    """Something with ``start`` and ``process``; started again after each end."""

    def __init__(self, what, down=None):
        self._what, self._ended, self._down = what, False, down or threading.Event()
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self):
        while not self._ended:
            process = self._what.process
            process.wait()
            if not self._down.is_set():
                wait_until(boottime() + RESTART)
            if self._ended or self._down.is_set() or self._what.process is not process:
                time.sleep(0.05)
                continue
            self._what.start()

    def end(self):
        self._ended = True
        stop(self._what.process)


class PoolHost:
    """A pool host: the guest, its guard, its server."""

    def __init__(self, lab, network, number):
        self.name, self.address, self._engine = f"h{number}", f"192.0.2.{10 + number}", lab.engine
        self.host = network.host(self.name, [f"{self.address}/24"])
        self.disk, self.log = lab.folder / f"disk-{self.name}", lab.folder / f"{self.name}.log"
        self.disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(self.disk))
        lab.stack.callback(run, "umount", "-l", str(self.disk))
        lab.stack.callback(self.leave)
        self.disk.chmod(0o755)
        lab.post("/pool", {"Name": self.name, "Meta": {"address": self.address, "region": "local", "flavors": FLAVORS}})
        token = lab.folder / f"{self.name}.token"
        token.write_text(lab.made("/tokens", {"Scope": {"kind": "guest", "name": self.name}, "Description": "a guest"})["Token"])
        self._command = [
            sys.executable, str(ROOT / "build/baton-guest.pyz"), "--name", self.name, "--state", str(self.disk / "guest"),
            "--url", lab.url, "--token-file", str(token), "--ca", str(lab.nodes[0].ca), "--lease", str(LEASES[lab.timing]),
        ]  # fmt: skip
        self.down = threading.Event()
        self.start()
        self.kept = Kept(self, self.down)
        lab.stack.callback(self.kept.end)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = self.host.popen(*self._command, stdout=log, stderr=log)

    # --- processes ---

    def pids(self, *kinds):
        """Return the processes of "guest", "guard" and "server", of all without kinds; of a server that has several all, or its "first"."""
        found = []
        for number in run("ip", "netns", "pids", self.host.namespace).split():
            with suppress(OSError):
                words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
                if not kinds or self._is_one_of(words, kinds):
                    found.append(int(number))
        return found

    def _is_one_of(self, words, kinds):
        """Return whether a process of a pool host is of these kinds, by its command line."""
        if b"guard" in words[2:4]:
            return "guard" in kinds
        if self._engine.is_server(words):
            return "server" in kinds or "first" in kinds and self._engine.is_first(words)
        return "guest" in kinds and any(b"baton-guest" in word for word in words[:3])

    def signal(self, number, *kinds):
        """Tell them, and those that any of them has begun meanwhile."""
        told = set()
        while True:
            new = [pid for pid in self.pids(*kinds) if pid not in told]
            if not new:
                return
            told.update(new)
            for pid in new:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def freeze(self, *kinds):
        self.signal(signal.SIGSTOP, *kinds)
        return lambda: self.signal(signal.SIGCONT, *kinds)

    def lose(self):
        """The host loses power."""
        self.down.set()
        self.signal(signal.SIGKILL)
        self.process.wait()

    def boot(self):
        self.start()
        self.down.clear()

    # --- the server ---

    def root(self, instance, own, statement, database="lab"):
        """Ask the server of an instance as who may do all. ``own``: as its set knows it."""
        return self._engine.root(self.disk / "guest" / "instances" / instance, instance, own, database, statement)

    def leave(self):
        """End its servers, keep what they have said, and leave nothing of them behind outside their disk, which goes."""
        self._engine.end(self)
        for folder in (self.disk / "guest" / "instances").glob("*"):
            files = self._engine.files_of(folder)
            with suppress(OSError):
                (self.log.parent / f"{self.name}-{folder.name}.log").write_bytes(files.log.read_bytes())
            files.remove()


class Lab:
    """``timing``: "balanced" or "fast". ``engine``: see engine_mariadb.py. ``many``: pool hosts."""

    many = 3

    def __init__(self, stack: ExitStack, network, folder: Path, timing: str, engine=engine_mariadb):
        self.stack, self.folder, self.timing, self.engine = stack, folder, timing, engine
        _etcd, options = stack.enter_context(etcd_on(network, folder))
        names = ("n1", "n2")
        for name in names:
            (folder / f"disk-{name}").mkdir()
        options = [*options, "--timing", timing, "--drivers-dir", str(folder / "drivers")]
        (folder / "drivers").mkdir()
        (folder / "drivers" / "datastores.json").write_text(json.dumps({"type": "program", "stop_seconds": 3}))

        def data(name):
            return folder / f"disk-{name}" / "data"

        self.nodes = stack.enter_context(cluster_of(network, folder, 2, options, kind=SupervisedNode, data=data))
        self.url = ",".join(f"https://{node.address}:8092" for node in self.nodes)
        self.client = network.host("client", ["192.0.2.70/24"])
        self._admin = self.nodes[0].admin_token()
        (folder / "admin.token").write_text(self._admin)
        self._start_managers()
        self.hosts = [PoolHost(self, network, number) for number in range(1, self.many + 1)]
        wait_for(lambda: all("heartbeat" in self.read("pool", host.name)["Params"] for host in self.hosts), self.logs, 30)
        self.token = self.made("/tokens", {"Scope": {"kind": "project", "name": "lab"}, "Description": "for clients"})["Token"]
        wait_for(lambda: self.api("GET", "/instances")[0] == 200, self.logs, 30)
        self._make()

    def _start_managers(self):
        self.managers = []
        for node in self.nodes:
            program = [
                str(ROOT / "build/baton-datastores.pyz"), "--driver", "datastores", "--url", self.url, "--listen", "0.0.0.0",
                "--token-file", str(self.folder / "admin.token"), "--ca", str(node.ca),
            ]  # fmt: skip
            driver = Driver(node, "datastores", program=program)
            self.stack.callback(Kept(driver).end)
            self.managers.append(driver)

    def _make(self):
        user = {"name": "lab", "password": ACCOUNT["password"], "databases": [{"name": "lab"}]}
        what = {"flavorRef": "1", "volume": {"size": 1}, "datastore": {"type": self.engine.DATASTORE}}
        wanted = {"name": "one", **what, "databases": [{"name": "lab"}], "users": [user]}
        one = self.asked("POST", "/instances", {"instance": wanted})["instance"]
        wait_for(lambda: self._shown(one["id"])["status"] == "ACTIVE", self.logs, 120)
        self.key = self._shown(one["id"])["set"]
        self.asked("POST", "/instances", {"instance": {"name": "more", "replica_of": one["id"], "replica_count": 2}})
        wait_for(lambda: not self.why_not_whole(), lambda: f"{self.why_not_whole()}\n{self.logs()}", 180)
        self.root(self.whole["source"], self.engine.TABLE)

    # --- asking ---

    def made(self, path, body):
        return json.loads(self.post(path, body))

    def post(self, path, body, method="POST"):
        status, text = self.nodes[0].curl(method, f"/api/v3{path}", body, token=self._admin, to=VIP)
        assert 200 <= status < 300, f"{method} {path}: {status} {text}"
        return text

    def read(self, kind, key):
        """Return a document as the active node has it; {} where nobody answers."""
        status, text = self.nodes[0].curl("GET", f"/api/v3/{kind}/{key}", token=self._admin, to=VIP)
        if status == 200:
            return json.loads(text)
        return {"Params": {}, "Set": None}

    def api(self, method, path, body=None):
        """Ask the API of datastores; status 0 where it does not answer."""
        with self.client.entered():
            try:
                answer = requests.request(method, f"{API}/v1.0/lab{path}", json=body, headers={"X-Auth-Token": self.token}, timeout=10)
            except requests.RequestException as error:
                return 0, str(error)
        return answer.status_code, answer.text

    def asked(self, method, path, body):
        status, text = self.api(method, path, body)
        assert 200 <= status < 300, f"{method} {path}: {status} {text}"
        return json.loads(text or "{}")

    def _shown(self, instance):
        status, text = self.api("GET", f"/instances/{instance}")
        return json.loads(text)["instance"] if status == 200 else {"status": text}

    # --- how it is ---

    @property
    def whole(self):
        """Return the set's document, once somebody answers."""
        return wait_for(lambda: self.read("sets", self.key)["Set"], lambda: f"nobody answers\n{self.logs()}", 60)

    @property
    def source(self):
        return self.where(self.whole["source"]) if self.key else None

    def where(self, instance):
        whole = self.whole
        return next(host for host in self.hosts if host.name == whole["members"][instance]["host"])

    def active(self):
        return wait_for(lambda: next((node for node in self.nodes if node.holds() and node.ok("/active")), None), self.logs, 60)

    def why_not_whole(self):
        """Return what is not as it should be; "" if nothing is."""
        whole = self.read("sets", self.key)["Set"]
        if whole is None:
            return "nobody answers"
        if whole["task"] or whole["asked"] or whole["needs"] or whole["paused"]:
            return f"{whole['task'] or whole['asked'] or whole['needs'] or 'it is paused'}"
        replicas = sorted(set(whole["members"]) - {whole["source"]})
        if len(replicas) != 2 or whole["counted"] != replicas or whole["confirmed"] != replicas:
            return f"source {whole['source']}, counted {whole['counted']}, confirmed {whole['confirmed']}"
        for name, member in whole["members"].items():
            params = self.read("pool", member["host"])["Params"]
            if member["follows"] != whole["term"] or member["status"] != "ACTIVE" or not params.get("servers", {}).get(name, {}).get("up"):
                return f"{name} of {member['host']}: {member}, {params.get('servers')}"
        if any(node.process.poll() is not None or not node.ok("/in-sync") for node in self.nodes):
            return "not both nodes are in sync"
        return ""

    def forget_failovers(self):
        """More than three in an hour are not begun unasked, for a good reason that is none here."""
        if self.whole["failovers"]:
            status = 0
            while status != 200:
                patch = [{"op": "replace", "path": "/Set/failovers", "value": []}]
                status, _text = self.nodes[0].curl("PATCH", f"/api/v3/sets/{self.key}", patch, token=self._admin, to=VIP)

    def logs(self):
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-4000:]}" for file in files)

    def servers(self):
        """Return address and port of each member, in the order of the hosts."""
        members = self.whole["members"].values()
        return [(member["own"]["address"], int(member["own"]["port"])) for member in sorted(members, key=lambda each: each["host"])]

    def rows(self, instance):
        """Return all rows that a member has, in the server on its own host."""
        return {int(row[0]) for row in self.root(instance, "SELECT id FROM told")}

    def root(self, instance, statement):
        """Ask the server of a member, on its own host, as who may do all."""
        return self.where(instance).root(instance, self.whole["members"][instance]["own"], statement)
