# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault lab for datastores: real MariaDB or PostgreSQL servers under one fault after the other. ``make lab-datastores FAULTS=n``; needs
root.

Clients write all the time and keep what was acknowledged; watchers ask each server whether it takes writes. After each fault the set must
be whole again by itself, with every acknowledged row. Beside it two servers with keepalived, under those faults that concern them.
"""

import argparse
import importlib
import random
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent, HERE.parent.parent):
    sys.path.insert(0, str(folder))
importlib.import_module("conftest")  # makes the package importable as ``baton``

import engine_mariadb  # noqa: E402
import engine_postgresql  # noqa: E402
import told  # noqa: E402
import vrrp_pair  # noqa: E402
from db_clients import DbClients  # noqa: E402
from netns import Network, boottime, require_root, wait_for, wait_until  # noqa: E402
from pool_hosts import ACCOUNT, Lab  # noqa: E402
from rounds import deal, folder_of  # noqa: E402
from set_faults import FAULTS  # noqa: E402

ENGINES = {engine.DATASTORE: engine for engine in (engine_mariadb, engine_postgresql)}
TIMINGS = ("balanced", "fast")
WHOLE = 150.0  # seconds after a fault was mended, by when everything must be as before without anybody's help
AFTER, WHILE = (0.5, 3.0), (2.0, 6.0)  # seconds until a fault is mended: from when another takes writes, or from when it began
STUCK = 20.0  # seconds for which we wait for another server before the fault is mended


class Violation(Exception):
    """A promise was broken."""


class Found(NamedTuple):
    """What a fault cost. ``elsewhere``: seconds until another server took a write; ``gap``: longest time without one."""

    name: str
    side: str
    elsewhere: "float | None"
    gap: float
    rows: int
    lost: int
    overlap: float
    whole: float

    def line(self, number, who):
        there = "     -   " if self.elsewhere is None else f"{self.elsewhere:7.2f} s"
        text = f"{number:4}  {self.side:10} {self.name + ': ' + who:52} elsewhere {there}, no write {self.gap:6.2f} s"
        return f"{text}, {self.rows} rows, {self.lost} lost, overlap {1000 * self.overlap:.0f} ms, whole after {self.whole:5.1f} s"


class Round:
    """One pool and its clients."""

    def __init__(self, stack, folder, timing, engine):
        self.lab = Lab(stack, stack.enter_context(Network()), folder, timing, engine)
        self.clients = DbClients(self.lab.client, engine.Session, ACCOUNT, self.lab.servers())
        stack.callback(self.clients.end)
        self._wait_for_whole()

    def _wait_for_whole(self):
        count = self.clients.count()
        wait_for(lambda: self.clients.count() > count + 50, lambda: f"clients write\n{self.lab.logs()}", WHOLE)
        wait_for(lambda: not self.lab.why_not_whole(), lambda: f"not whole: {self.lab.why_not_whole()}\n{self.lab.logs()}", WHOLE)

    def hurt(self, fault, rng):
        """Do a fault; return who was hurt, and what it cost."""
        lab = self.lab
        before = lab.whole
        old = lab.engine.name_of(before["source"], before["members"][before["source"]]["own"])
        began = boottime()
        who, mend = fault.hurt(lab, rng)

        def there():
            return told.elsewhere(self._since(began), began, old)

        limit = boottime() + STUCK
        while fault.moves and there() is None and boottime() < limit:
            wait_until(boottime() + 0.1)
        wait_until(boottime() + rng.uniform(*(AFTER if fault.moves else WHILE)))
        mend()
        mended = boottime()
        self._wait_for_whole()
        ended = boottime()
        after = lab.whole
        acks = self.clients.acks
        lost = told.lost(acks, lab.rows(after["source"]))
        new = told.since(acks, began)
        # No fault makes the source change twice, so that one who comes back is looked at by a person.
        overlap = told.overlap(new, int(after["source"] != before["source"]), old, began)
        if lost or overlap:
            print(f"lost: {lost[:10]}\nreigns: {told.reigns(new, old, began)}\nhistory: {after['history'][-12:]}", flush=True)
        lab.forget_failovers()
        gap = told.gap(new, began, ended)
        return who, Found(fault.name, lab.timing, there(), gap, len(acks), len(lost), overlap, ended - mended)

    def _since(self, began):
        return told.since(self.clients.acks, began)

    def judge(self):
        """End the clients; return how many rows were acknowledged, and how many are missing on any of the servers."""
        self.clients.end()
        acks, whole = self.clients.acks, self.lab.whole
        rows = {name: self.lab.rows(name) for name in whole["members"]}
        wait_for(lambda: len({frozenset(self.lab.rows(name)) for name in rows}) == 1, lambda: "servers differ", 30)
        rows = self.lab.rows(whole["source"])
        return len(acks), len(told.lost(acks, rows)), self.clients.unknown


def play(number, faults, seed, results, keep, timing, engine):
    """One round: a pool, and some faults."""
    rng = random.Random(f"{seed}/{number}")
    with folder_of(number, seed, keep) as folder, ExitStack() as stack:
        each = Round(stack, folder, timing, engine)
        for fault in faults:
            who, found = each.hurt(fault, rng)
            results.append(found)
            print(found.line(len(results), who), flush=True)
        acknowledged, lost, unknown = each.judge()
        print(f"      {timing:10} all servers have the same rows; {acknowledged} acknowledged, {lost} missing, {unknown} unknown")
        if lost:
            results.append(Found("the end", timing, None, 0.0, acknowledged, lost, 0.0, 0.0))


def beside(trials, seed, results, only):
    """The same faults, where they make sense, on two servers with keepalived."""
    rng = random.Random(f"{seed}/beside")
    with Network() as network, tempfile.TemporaryDirectory(prefix="baton-lab-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        made, client = vrrp_pair.template(folder), network.host("client", ["192.0.2.70/24"])
        pair = vrrp_pair.pair_of(network)
        for fault in [fault for fault in vrrp_pair.FAULTS if not only or any(each in fault for each in only)]:
            for number in range(trials):
                who, began, ended, old, acks, rows = vrrp_pair.trial(pair, client, folder, made, fault, rng)
                new = told.since(acks, began)
                there = told.elsewhere(new, began, old)
                missing = min((told.lost(acks, each) for each in rows), key=len)  # whichever of the two is kept
                gap, both = told.gap(new, began, ended), told.overlap(new, 1, old, began)
                found = Found(fault, "keepalived", there, gap, len(acks), len(missing), both, 0.0)
                results.append(found)
                print(found.line(number + 1, who), flush=True)


def table(results):
    """Print what each fault cost, as Markdown."""
    heads = "times | elsewhere: median | most | no write: median | most | lost | overlap"
    print(f"\n| fault | timing | {heads} |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, side in dict.fromkeys((found.name, found.side) for found in sorted(results, key=lambda found: found[:2])):
        these = [found for found in results if (found.name, found.side) == (name, side)]
        there = [found.elsewhere for found in these if found.elsewhere is not None]
        shown = f"{statistics.median(there):.2f} s | {max(there):.2f} s" if there else "- | -"
        gaps, lost = [found.gap for found in these], sum(found.lost for found in these)
        overlap = 1000 * max(found.overlap for found in these)
        gap = f"{statistics.median(gaps):.2f} s | {max(gaps):.2f} s"
        print(f"| {name} | {side} | {len(these)} | {shown} | {gap} | {lost} | {overlap:.0f} ms |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=sorted(ENGINES), default="mariadb", help="whose servers (mariadb)")
    parser.add_argument("--faults", type=int, help="so many; without it each once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timing", choices=TIMINGS, help="only this one; else by turns")
    parser.add_argument("--only", action="append", help="only faults whose name contains this")
    parser.add_argument("--beside", type=int, default=0, metavar="TRIALS", help="so many of each fault on two servers with keepalived, too")
    parser.add_argument("--keep", action="store_true", help="keep logs")
    options = parser.parse_args()
    require_root()
    engine = ENGINES[options.engine]
    known = (*FAULTS, *engine.FAULTS)  # in a round each once, so that it comes in one timing, and then in the other
    deck, results, number = deal(random.Random(options.seed), known, options.only), [], 0
    many = options.faults or len(known)
    print(f"{many} faults of {options.engine}, seed {options.seed}", flush=True)
    while len(results) < many:
        faults = [next(deck) for _fault in range(min(len(known), many - len(results)))]
        timing = options.timing or TIMINGS[(options.seed + number) % 2]
        play(number, faults, options.seed, results, options.keep, timing, engine)
        number += 1
    bad, count = sum(found.lost > 0 or found.overlap > 0 for found in results), len(results)
    if options.beside:
        beside(options.beside, options.seed, results, options.only)
    table(results)
    print(f"\n{count - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
