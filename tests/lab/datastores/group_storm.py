# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault lab for clusters: Galera members and an arbiter under one fault after the other. ``make lab-clusters FAULTS=n``; needs root.

Clients write all the time and keep what was acknowledged, and read from each member. After each fault the cluster must be whole again by
itself, all members with the same rows and every acknowledged one among them, and nobody may have been given what was long out of date.
"""

import argparse
import importlib
import random
import shutil
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent, HERE.parent.parent):
    sys.path.insert(0, str(folder))
importlib.import_module("conftest")  # makes the package importable as ``baton``

import told  # noqa: E402
from group_clients import GroupClients  # noqa: E402
from group_faults import FAULTS  # noqa: E402
from group_hosts import GroupLab  # noqa: E402
from netns import Network, boottime, require_root, wait_for, wait_until  # noqa: E402
from pool_hosts import ACCOUNT  # noqa: E402
from rounds import deal, folder_of  # noqa: E402

WHOLE = 240.0  # seconds after a fault was mended, by when everything must be as before without anybody's help
WHILE = (3.0, 9.0)  # seconds until a fault is mended


class Found(NamedTuple):
    """What a fault cost. ``gap``: longest time without a write; ``stale``: reads that were late, and the worst of them in seconds."""

    name: str
    gap: float
    rows: int
    lost: int
    stale: int
    worst: float
    whole: float

    def line(self, number, who):
        text = f"{number:4}  {self.name + ': ' + who:52} no write {self.gap:6.2f} s, {self.rows} rows, {self.lost} lost"
        return f"{text}, {self.stale} stale reads (by {self.worst:.1f} s), whole after {self.whole:5.1f} s"


class Round:
    """One pool, one cluster and its clients."""

    def __init__(self, stack, folder):
        self.lab = GroupLab(stack, stack.enter_context(Network()), folder, "balanced")
        self.clients = GroupClients(self.lab.client, ACCOUNT, self.lab.servers())
        stack.callback(self.clients.end)
        stack.callback(self._keep_logs)
        self._wait_for_whole()

    def _keep_logs(self):
        """What servers said goes with their disks; whoever looks at a round that failed needs it."""
        for host in self.lab.hosts:
            for log in host.disk.glob("guest/instances/*/*.err"):
                shutil.copyfile(log, self.lab.folder / f"{host.name}-{log.parent.name[:8]}-{log.name}.log")

    def _wait_for_whole(self):
        wait_for(lambda: not self.lab.why_not_whole(), lambda: f"not whole: {self.lab.why_not_whole()}\n{self.lab.logs()}", WHOLE)
        self.clients.servers = self.lab.servers()
        count = self.clients.count()
        wait_for(lambda: self.clients.count() > count + 50, lambda: f"clients write\n{self.lab.logs()}", WHOLE)

    def hurt(self, fault, rng):
        """Do a fault; return who was hurt, and what it cost."""
        began = boottime()
        who, mend = fault.hurt(self.lab, rng)
        wait_until(boottime() + rng.uniform(*WHILE))
        mend()
        mended = boottime()
        self._wait_for_whole()
        ended, acks = boottime(), self.clients.acks
        first = self.lab.data()[0]
        lost = told.lost(acks, self.lab.rows(first))
        late = self.clients.stale(began)
        gap = told.gap(told.since(acks, began), began, ended)
        if lost or late:
            print(f"lost: {lost[:10]}\nlate: {late[:10]}\nhistory: {self.lab.whole['history'][-12:]}", flush=True)
        worst = max((by for _read, by in late), default=0.0)
        return who, Found(fault.name, gap, len(acks), len(lost), len(late), worst, ended - mended)

    def judge(self):
        """End the clients; return how many rows were acknowledged, how many are missing, and of how many it is not known."""
        self.clients.end()
        wait_for(lambda: len(set(self.lab.checksums().values())) == 1, lambda: f"members differ: {self.lab.checksums()}", 60)
        acks = self.clients.acks
        return len(acks), len(told.lost(acks, self.lab.rows(self.lab.data()[0]))), self.clients.unknown


def play(number, faults, seed, results, keep):
    """One round: a cluster, and some faults."""
    rng = random.Random(f"{seed}/{number}")
    with folder_of(number, seed, keep) as folder, ExitStack() as stack:
        each = Round(stack, folder)
        for fault in faults:
            who, found = each.hurt(fault, rng)
            results.append(found)
            print(found.line(len(results), who), flush=True)
        acknowledged, lost, unknown = each.judge()
        print(f"      all members have the same rows; {acknowledged} acknowledged, {lost} missing, {unknown} unknown")
        if lost:
            results.append(Found("the end", 0.0, acknowledged, lost, 0, 0.0, 0.0))


def table(results):
    """Print what each fault cost, as Markdown."""
    print("\n| fault | times | no write: median | most | lost | stale reads | late by |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in dict.fromkeys(found.name for found in sorted(results)):
        these = [found for found in results if found.name == name]
        gaps, lost, stale = [found.gap for found in these], sum(found.lost for found in these), sum(found.stale for found in these)
        gap = f"{statistics.median(gaps):.2f} s | {max(gaps):.2f} s"
        print(f"| {name} | {len(these)} | {gap} | {lost} | {stale} | {max(found.worst for found in these):.1f} s |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=len(FAULTS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", help="only faults whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep logs")
    options = parser.parse_args()
    require_root()
    deck, results, number = deal(random.Random(options.seed), FAULTS, options.only), [], 0
    print(f"{options.faults} faults, seed {options.seed}", flush=True)
    while len(results) < options.faults:
        faults = [next(deck) for _fault in range(min(len(FAULTS), options.faults - len(results)))]
        play(number, faults, options.seed, results, options.keep)
        number += 1
    bad, count = sum(found.lost > 0 or found.stale > 0 for found in results), len(results)
    table(results)
    print(f"\n{count - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
