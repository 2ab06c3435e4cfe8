# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory documents take, on the active, on a passive, on one that joined by snapshot, and after a restart. ``make bench-memory``.

N machines of 2 KB of JSON are loaded into a real pair in batches; a third node then copies a snapshot, and each node is started
anew. What a node without documents takes is left out of what a document costs. Shown, never asserted. On Linux.
"""

import argparse
import json
import re
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import requests  # noqa: E402

from support.cluster import Cluster, until  # noqa: E402

AT_ONCE = 250  # machines in a batch
KIB, MIB = 1 << 10, 1 << 20


def machine(number):
    """Return a machine of about 2 KB: the params of a host that was discovered, no two alike."""
    key = str(uuid.UUID(int=number * 0x9E3779B97F4A7C15 % (1 << 128)))
    params = {f"network/eth{n}/mac": f"52:54:{number >> 8 & 255:02x}:{number & 255:02x}:00:{n:02x}" for n in range(4)}
    params.update({f"network/eth{n}/speed": 1000 * (n + 1) for n in range(4)})
    params.update({f"disk/{n}": {"size": 480_103_981_056 + number, "model": f"SSD-{number % 97}", "rotates": False} for n in range(4)})
    params.update({f"inventory/slot-{n}": f"serial-{number:08d}-{n}" for n in range(20)})
    params["tags"] = [f"row-{number % 40}", f"rack-{number % 400}", "production"]
    value = {"Uuid": key, "Name": f"host-{number:06d}", "Meta": {"icon": "server", "color": "blue"}, "Params": params, "Profiles": ["base"]}
    value["Description"] = "x" * max(0, 2 * KIB - len(json.dumps(value, separators=(",", ":"))) - 17)
    return value


def sizes(node):
    """Return (RSS, the highest RSS so far) of a node's process in bytes."""
    text = Path(f"/proc/{node.process.pid}/status").read_text()
    return tuple(int(re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE).group(1)) * KIB for name in ("VmRSS", "VmHWM"))


class Load:
    """Writes machines, and shows what the nodes take."""

    def __init__(self, cluster, count, lists):
        self.cluster, self.count, self.lists = cluster, count, lists
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {cluster.token}"
        self.empty = {}

    def ask(self, node, method, path, **more):
        answer = self.session.request(method, f"{node.url}/api/v3{path}", timeout=300, **more)
        if answer.status_code >= 300:
            raise SystemExit(f"{node.name}: {answer.status_code} {answer.text[:300]}")
        return answer

    def write(self, node):
        began = time.perf_counter()
        for first in range(0, self.count, AT_ONCE):
            values = [machine(number) for number in range(first, min(first + AT_ONCE, self.count))]
            changes = [{"Kind": "machines", "Key": value["Uuid"], "Action": "create", "Body": value} for value in values]
            self.ask(node, "POST", "/batch", json={"Changes": changes})
        print(f"{self.count:,} machines of {len(json.dumps(machine(1), separators=(',', ':'))):,} bytes written in "
              f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip

    def show(self, node, what):
        rss, highest = sizes(node)
        each = (rss - self.empty["active"]) / self.count
        print(f"{what:34} {rss / MIB:7.0f} MiB  {each / KIB:6.2f} KiB a document   highest {highest / MIB:7.0f} MiB", flush=True)

    def time_lists(self, node):
        for path in ("/machines", "/machines?limit=100&offset=1000", "/machines?Name=host-000042", "/machines?Name=nobody"):
            began = time.perf_counter()
            size = len(self.ask(node, "GET", path).content)
            print(f"GET {path:30} {1000 * (time.perf_counter() - began):7.0f} ms  {size:,} bytes", flush=True)


def settled(node, others):
    """Wait until all have applied what the active has, and their writers are idle."""
    until(lambda: len({n.status()["commit"] for n in (node, *others)}) == 1, "the passives have applied all", 120)
    time.sleep(3)


def restart(node, load, what):
    node.stop()
    began = time.perf_counter()
    node.start().until("/in-sync")
    print(f"{node.name} is back in sync after {time.perf_counter() - began:.1f} s", flush=True)
    time.sleep(2)
    load.show(node, what)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--machines", type=int, default=100_000)
    parser.add_argument("--no-lists", action="store_true", help="ask for no lists, which leave something behind, too")
    options = parser.parse_args()
    print(f"{options.machines:,} machines, on a pair and a third that joins", flush=True)
    more = ["--limit", "documents=1G"]
    with tempfile.TemporaryDirectory() as folder, Cluster(folder, 2, "local", more) as cluster:
        load = Load(cluster, options.machines, not options.no_lists)
        time.sleep(2)
        load.empty["active"] = sizes(cluster.n1)[0]
        print(f"without documents: {load.empty['active'] / MIB:.0f} MiB", flush=True)
        load.write(cluster.n1)
        settled(cluster.n1, [cluster.n2])
        load.show(cluster.n1, "active")
        load.show(cluster.n2, "passive")
        joiner = cluster.add("n3").start()
        until(lambda: joiner.probe("/in-sync"), "n3 is in sync", 300)
        time.sleep(3)
        load.show(joiner, "passive, joined by snapshot")
        load.show(cluster.n1, "active, after it gave the snapshot")
        restart(cluster.n2, load, "passive, started anew")
        cluster.n1.stop()
        active = until(cluster.active, "another is active", 60)
        load.show(active, f"{active.name}, become active")
        restart(cluster.n1, load, "the old active, started anew")
        if load.lists:
            load.time_lists(active)
            load.show(active, "active, after lists")


if __name__ == "__main__":
    main()
