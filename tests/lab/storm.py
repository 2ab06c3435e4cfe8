# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault lab: real daemons, real etcd and real clients under one fault after the other. ``make lab FAULTS=n``; needs root.

Clients write through the VIP all the time. At the end of each round every acknowledged write must be there, the histories must be
linearizable, all nodes must have the same documents, and by the kernel's address events no two hosts may have held the VIP at
once (where daemon and guard froze together: not for longer than DESIGN's bound). Prints a line for each fault and a table.
"""

import argparse
import importlib
import random
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

for folder in ("", ".."):
    sys.path.insert(0, str((Path(__file__).resolve().parent / folder).resolve()))
importlib.import_module("conftest")  # makes the package importable as ``baton``

from faults import FAULTS  # noqa: E402
from netns import Network, require_root  # noqa: E402
from rig import Lab  # noqa: E402
from verdict import Violation  # noqa: E402

SHAPES = (("balanced", 3), ("fast", 3), ("balanced", 2), ("fast", 2))
FAULTS_A_ROUND = 10


class Deck:
    """Deals each fault once, in random order, before any comes again; one in four comes with another."""

    def __init__(self, rng, names):
        self._rng, self._cards = rng, []
        self._faults = [fault for fault in FAULTS if not names or any(name in fault.name for name in names)]

    def deal(self):
        if not self._cards:
            self._cards = self._rng.sample(self._faults, len(self._faults))
        first = self._cards.pop()
        others = [fault for fault in self._faults if fault is not first and not fault.alone]
        if first.alone or not others or self._rng.random() > 0.25:
            return [first]
        return [first, self._rng.choice(others)]


def play(number, deck, faults, seed, results, keep):
    """One round. A Violation or a cluster that does not recover ends the run; the folder is kept then."""
    timing, size = SHAPES[number % len(SHAPES)]
    rng = random.Random(f"{seed}/{number}")
    folder = Path(tempfile.mkdtemp(prefix="baton-lab-"))
    try:
        with ExitStack() as stack:
            network = stack.enter_context(Network())
            lab = Lab(stack, network, folder, timing, size, f"{seed}-{number}")
            for _fault in range(faults):
                chosen = deck.deal()
                done, gap, together, recovered = lab.hurt(chosen, rng)
                results.append((chosen, gap, together))
                seen = f"no write for {gap:6.2f} s, both {together:5.3f} s, whole after {recovered:5.1f} s"
                print(f"{len(results):4}  {lab.shape:10}  {done:60} {seen}", flush=True)
                bound = lab.bound(chosen)
                if together > bound:
                    raise Violation(f"two hosts held the VIP for {together:.3f} s, the bound is {bound:.3f} s\n{lab.logs()}")
            told = lab.judge()
    except BaseException:
        print(f"failed; everything of this round is in {folder}", flush=True)
        keep = True
        raise
    finally:
        if not keep:
            shutil.rmtree(folder)
    said = f"{told[0]} acknowledged writes are all there, {told[1]} lost races, {told[2]} unknown; linearizable"
    print(f"      {lab.shape:10}  round {number + 1}: {said}", flush=True)
    return told


def table(results):
    """Print what each fault cost, as Markdown."""
    print("\n| fault | times | no write: median | most | both held the VIP: most |\n| --- | ---: | ---: | ---: | ---: |")
    for fault in FAULTS:
        found = [(gap, together) for chosen, gap, together in results if chosen == [fault]]
        if found:
            gaps, both = zip(*found, strict=True)
            print(f"| {fault.name} | {len(found)} | {statistics.median(gaps):.2f} s | {max(gaps):.2f} s | {max(both):.2f} s |")
    pairs = [(gap, together) for chosen, gap, together in results if len(chosen) > 1]
    if pairs:
        gaps, both = zip(*pairs, strict=True)
        print(f"| two of them at once | {len(pairs)} | {statistics.median(gaps):.2f} s | {max(gaps):.2f} s | {max(both):.2f} s |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=len(FAULTS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first-round", type=int, default=0, help="begin with this shape")
    parser.add_argument("--only", action="append", help="only faults whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep logs and histories")
    options = parser.parse_args()
    require_root()
    deck, results, told = Deck(random.Random(options.seed), options.only), [], []
    print(f"{options.faults} faults, seed {options.seed}", flush=True)
    number = options.first_round
    while len(results) < options.faults:
        told.append(play(number, deck, min(FAULTS_A_ROUND, options.faults - len(results)), options.seed, results, options.keep))
        number += 1
    table(results)
    writes, lost, unknown = (sum(column) for column in zip(*told, strict=True))
    print(f"\n{writes} acknowledged writes, none lost; {lost} lost races, {unknown} without an answer; every history is linearizable")
    print(f"{len(results)} passed, 0 failed")


if __name__ == "__main__":
    main()
