# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run seeded schedules of a pool: ``python tests/simulation/datastores/run.py --seeds 5000 --first-seed 1``.

Aimed ones are played beside them, each with a hundredth as many seeds; ``--only NAME`` plays one of them.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import sys
import traceback
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable

from simulation.datastores.aimed import AIMED  # noqa: E402
from simulation.datastores.schedule import Schedule  # noqa: E402

COUNTS = ("transactions", "failovers", "promotions", "deleted", "detached", "restarts", "failed", "rebuilds", "from_replicas", "busy")


def outcome(aimed, schedule, counts, work):
    """Return (work, counts, what failed)."""
    name, seed = work
    try:
        checks = aimed[name](seed) if name else schedule(seed).run()
    except Exception:
        return work, {}, traceback.format_exc(limit=-3)
    return work, {} if name else {each: getattr(checks, each) for each in counts}, ""


def main(aimed, schedule, counts, about):
    """Play what people ask for on the command line: ``aimed``, by name, and seeds of ``schedule``; print what its checks count."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--only", choices=sorted(aimed), help="an aimed schedule")
    options = parser.parse_args()
    first, few = options.first_seed, options.seeds if options.only else max(1, options.seeds // 100)
    works = [] if options.only else [("", seed) for seed in range(first, first + options.seeds)]
    works += [(name, seed) for name in ([options.only] if options.only else aimed) for seed in range(first, first + few)]
    totals, failed = dict.fromkeys(counts, 0), 0
    with multiprocessing.Pool(options.jobs) as pool:
        for (name, seed), found, error in pool.imap(partial(outcome, aimed, schedule, counts), works, 5):
            if error:
                failed += 1
                only = f" --only {name}" if name else ""
                print(f"{error}FAILED: replay with --first-seed {seed} --seeds 1{only}", flush=True)
            for each, count in found.items():
                totals[each] += count
    print(", ".join(f"{count} {each}" for each, count in totals.items()))
    print(f"{len(works) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(AIMED, Schedule, COUNTS, __doc__))
