# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large pool: real batond and manager, and guests that only pretend to have servers. ``make bench-pool``.

How long it takes to place and make clusters, what batond and manager take of memory, how many lists with members are answered a second,
and how long sets are without a source whose hosts die at once, beside one alone. Guests renew no leases: that is batond's work alone, and
measured by ``make soak``. Shown, never asserted. On Linux.
"""

import argparse
import importlib
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
importlib.import_module("conftest")  # makes the package importable as ``baton``

from baton.client.api import Client, connection_from  # noqa: E402
from baton.client.error import ClientError  # noqa: E402
from baton.client.event_stream import follow  # noqa: E402
from baton.datastores.host.channel import PARTS, Link, Seen  # noqa: E402
from baton.datastores.model.channel import End, Report, Server  # noqa: E402
from baton.datastores.model.documents import host_of  # noqa: E402
from support.cluster import ROOT, Cluster, free_port, until  # noqa: E402
from support.pool_groups import UUID, Groups  # noqa: E402

LEASE = 2.0
FLAVORS = {"1": {"name": "small", "ram": 512, "vcpus": 1, "disk": 10}}
OFFERED = {"mariadb": ["10.11"], "galera": ["10.11"]}
FOUND = {"seal": {"received": "1-1-9", "had": "1-1-9"}}
WORKERS, PATIENCE = 4, 900


def memory(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB$", text, re.MULTILINE).group(1)) >> 10


class Guests:
    """All of them. ``failed_over``: by set, when it had another source than the first."""

    def __init__(self, client):
        self._new_client, self._local = client, threading.local()
        self.seen, self.dead, self.sets, self.failed_over = {}, set(), {}, {}
        self.groups, self._of_group = Groups(), defaultdict(dict)
        self._lock, self._queues = threading.Lock(), [queue.Queue() for _worker in range(WORKERS)]
        begun = threading.Event()
        for work, *args in ((self._listen, begun), *((self._work, each) for each in self._queues)):
            threading.Thread(target=work, args=args, daemon=True).start()
        assert begun.wait(10)

    def _listen(self, begun):
        for event in follow(self._new_client(), query={"kinds": "pool,sets", "documents": "yes"}, begun=begun.set, goes_on=lambda: True):
            value = event.get("Document")
            if event["Kind"] == "sets":
                self._learn(event["Key"], value)
            elif value is not None:
                self.seen[event["Key"]] = Seen(event["Revision"], host_of(value))
                self._wake(event["Key"])

    def _learn(self, key, value):
        if value is None:
            self.sets.pop(key, None)
            return
        self.sets[key] = whole = value["Set"]
        if whole["term"] > 1 and whole["task"] is None:
            self.failed_over.setdefault(key, time.monotonic())

    def _wake(self, host):
        self._queues[hash(host) % WORKERS].put(host)

    def _work(self, hosts):
        client = self._new_client()
        while True:
            host = hosts.get()
            if host not in self.dead:
                try:
                    self._obey(Link(client, host), self.seen[host])
                except ClientError as error:
                    if error.kind not in ("conflict", "not_found"):
                        print(error, flush=True)

    def _obey(self, link, seen):
        channel = seen.host.channel
        link.lease = f"guest:{link.name}"
        for key, grant in channel.grants.items():
            if channel.claims.get(key) != grant.term:
                link.claim(key, grant.term, seen)
            elif channel.opened.get(key) != grant:
                link.opened(key, grant, seen)
        for key, term in channel.claims.items():
            if key not in channel.grants:
                link.end(key, End(term, "1-1-9"), seen)
        servers = dict(channel.servers)
        todo = [(key, order) for key, order in channel.orders.items() if key not in channel.reports]
        for key, order in todo:
            link.report(key, Report(found=self._done(order, link.name, servers)), seen)
        for key in servers:
            group = self.groups.runs.get(key)
            if group is not None:
                view = {"primary": True, "size": len(self._of_group[group[0]]), "state": "Synced", "uuid": UUID}
                servers[key] = Server(True, set=servers[key].set, view=view)
        if servers != channel.servers:
            link.servers(servers, seen)

    def _done(self, order, host, servers):
        with self._lock:
            found = self.groups.found(order)
            if "cluster" not in order.args:
                servers[order.instance] = Server(True, set=order.set)
                return FOUND.get(order.verb, {})
            self.groups.obey(order, host, found or {}, servers)
            servers.setdefault(order.instance, Server(True, set=order.set))
            group = self.groups.runs.get(order.instance)
            if group is not None and order.instance not in self._of_group[group[0]]:
                self._of_group[group[0]][order.instance] = host
                for other in self._of_group[group[0]].values():
                    self._wake(other)
            return found or {}


class Bench:
    def __init__(self, cluster, folder, hosts):
        self.cluster, self.folder, self.hosts = cluster, Path(folder), hosts
        self.token_file = cluster.n1.data / "admin.token"
        self.port = free_port()
        self.session = requests.Session()

    def client(self):
        return Client(connection_from({"url": self.cluster.n1.url, "token_file": str(self.token_file), "timeout": 30.0}, {}), "bench")

    def begin(self):
        client = self.client()
        names = [f"h{number:04d}" for number in range(1, self.hosts + 1)]
        for name in names:
            number = int(name[1:])
            meta = {"address": f"10.0.{number >> 8}.{number & 255}", "region": ("eu", "us")[number % 2], "flavors": FLAVORS}
            value = {"Name": name, "Meta": meta, "Params": {**{part: {} for part in PARTS}, "lease": LEASE}}
            client.request("POST", "/pool", value)
        self.guests = Guests(self.client)
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(self._heard, names))
        self.manager = subprocess.Popen(
            [sys.executable, ROOT / "build" / "baton-datastores.pyz", "--url", self.cluster.n1.url, "--token-file", self.token_file,
             "--listen", "127.0.0.1", "--port", str(self.port)],
            stderr=(self.folder / "manager.log").open("w"),
        )  # fmt: skip
        until(self._serves, "the API serves", 60)

    def _heard(self, name):
        client, lease = self.client(), f"guest:{name}"
        client.request("POST", "/leases", {"Id": lease, "Ttl": 3600, "Owner": name})
        said = {"service_status": "running", "node_id": name, "lease": LEASE, "datastores": OFFERED}
        client.request("PUT", f"/pool/{name}/params/heartbeat", said, False, {"Baton-Lease": lease})

    def _serves(self):
        try:
            return self.ask("GET", "/clusters")
        except requests.ConnectionError:
            return None

    def ask(self, method, path, body=None, session=requests):
        headers = {"X-Auth-Token": self.cluster.token}
        answer = session.request(method, f"http://127.0.0.1:{self.port}/v1.0/demo{path}", json=body, headers=headers, timeout=120)
        assert answer.status_code < 300, answer.text
        return answer

    def make(self, clusters):
        began, took = time.monotonic(), []

        def one(number):
            at = time.monotonic()
            wanted = {"name": f"c{number}", "flavorRef": "1", "size": 3, "datastore": {"type": "galera"}}
            self.ask("POST", "/clusters", {"cluster": wanted})
            took.append(time.monotonic() - at)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, range(clusters)))
        each = sum(took) / len(took)
        print(f"{clusters} clusters of 3 placed in {time.monotonic() - began:.1f} s, each answered after {each:.2f} s", flush=True)
        until(lambda: self._at_rest(clusters), "all are made", PATIENCE)
        print(f"and made after {time.monotonic() - began:.1f} s", flush=True)
        self.tell_memory()

    def _at_rest(self, many):
        sets = [each for each in list(self.guests.sets.values()) if each["task"] is None and each["asked"] is None]
        return len(sets) >= many and all(member["joined"] for each in sets for member in each["members"].values())

    def tell_memory(self):
        print(f"batond {memory(self.cluster.n1.process.pid)} MiB, manager {memory(self.manager.pid)} MiB", flush=True)

    def lists(self, seconds=5.0):
        for path in ("/clusters", "/instances?include_clustered=true", "/clusters/c0"):
            end, many, size = time.monotonic() + seconds, 0, 0
            with requests.Session() as session:
                while time.monotonic() < end:
                    size = len(self.ask("GET", path, session=session).content)
                    many += 1
            print(f"GET {path:34} {many / seconds:6.1f} a second, {size:,} bytes", flush=True)

    def fail(self, sets):
        known = set(self.guests.sets)
        for number in range(sets + 1):
            made = self.ask("POST", "/instances", {"instance": {"name": f"s{number}", "flavorRef": "1", "datastore": {"type": "mariadb"}}})
            key = made.json()["instance"]["id"]
            until(lambda key=key: self.ask("GET", f"/instances/{key}").json()["instance"]["status"] == "ACTIVE", "a source is there", 60)
            self.ask("POST", "/instances", {"instance": {"name": f"s{number}-r", "replica_of": key, "replica_count": 2}})
        mine = until(lambda: [key for key in self.guests.sets if key not in known], "sets are there")
        until(lambda: self._at_rest(len(self.guests.sets)), "replicas are made", 300)
        until(lambda: all(len(self.guests.sets[key]["counted"]) == 2 for key in mine), "they count", 300)
        alone, *others = mine
        for what in ([alone], others):
            began = self.kill(what)
            until(lambda what=what: all(key in self.guests.failed_over for key in what), "they have another source", 300)
            took = sorted(self.guests.failed_over[key] - began for key in what)
            print(f"{len(what):3} sets whose source's host dies: another one after {took[0]:.2f} to {took[-1]:.2f} s", flush=True)

    def kill(self, sets):
        hosts = {self.guests.sets[key]["members"][self.guests.sets[key]["source"]]["host"] for key in sets}
        self.guests.dead |= hosts
        began = time.monotonic()
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda host: self.client().request("DELETE", f"/leases/guest:{host}"), sorted(hosts)))
        return began


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--clusters", type=int, default=300)
    parser.add_argument("--sets", type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Cluster(folder, 1) as cluster:
        bench = Bench(cluster, folder, args.hosts)
        try:
            bench.begin()
            print(f"{args.hosts} hosts are heard", flush=True)
            bench.tell_memory()
            bench.make(args.clusters)
            bench.lists()
            bench.fail(args.sets)
            bench.tell_memory()
        finally:
            if hasattr(bench, "manager"):
                print((bench.folder / "manager.log").read_text()[-1500:] if sys.exc_info()[0] else "", end="")
                bench.manager.terminate()
                bench.manager.wait()


if __name__ == "__main__":
    main()
