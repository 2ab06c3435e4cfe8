# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run seeded schedules: ``python tests/simulation/run.py --seeds 1000 --first-seed 1``, and the aimed ones beside them.

Prints the seed of a failure and how to replay it.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable


from simulation.aimed import SCHEDULES  # noqa: E402
from simulation.schedule import Schedule  # noqa: E402

AIMED_SEEDS = 200  # of each aimed schedule, for many seeds of the others


def outcome(seed):
    """Return (seed, counts, what failed)."""
    try:
        checks = Schedule(seed).run()
    except Exception:
        return seed, {}, traceback.format_exc(limit=-3)
    counts = {"acknowledged": len(checks.acknowledged), "lost races": checks.lost_races, "refused": checks.refused}
    counts.update({"unknown": checks.unknown, "epochs": len(checks.epochs), "reads": checks.reads})
    counts.update({"locks held": checks.believers.held, "done once": len(checks.works.recorded)})
    counts["driver starts"] = checks.drivers
    return seed, counts, ""


def aimed_outcome(work):
    """Return (name, seed, what failed) of one aimed schedule."""
    name, seed = work
    try:
        SCHEDULES[name](seed)
    except Exception:
        return name, seed, traceback.format_exc(limit=-3)
    return name, seed, ""


def run_aimed(pool, names, seeds):
    """Play aimed schedules; return how many were played and how many failed."""
    failed = 0
    work = [(name, seed) for name in names for seed in seeds]
    for name, seed, error in pool.imap(aimed_outcome, work, 5):
        if error:
            failed += 1
            print(f"{error}FAILED: replay with --only {name} --first-seed {seed} --seeds 1", flush=True)
    print(f"{len(names)} aimed schedules, {len(seeds)} seeds each: {failed} failed", flush=True)
    return len(work), failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--only", choices=sorted(SCHEDULES), help="play this aimed schedule, and nothing else")
    options = parser.parse_args()
    if options.only:
        with multiprocessing.Pool(options.jobs) as pool:
            seeds = range(options.first_seed, options.first_seed + options.seeds)
            played, failed = run_aimed(pool, [options.only], seeds)
        print(f"{played - failed} passed, {failed} failed")
        return 1 if failed else 0
    names = ("acknowledged", "reads", "lost races", "refused", "unknown", "epochs", "locks held", "done once", "driver starts")
    totals = dict.fromkeys(names, 0)
    failed = 0
    last = options.first_seed + options.seeds - 1
    with multiprocessing.Pool(options.jobs) as pool:
        for done, (seed, counts, error) in enumerate(pool.imap(outcome, range(options.first_seed, last + 1), 20), 1):
            if error:
                failed += 1
                print(f"{error}FAILED: replay with --first-seed {seed} --seeds 1", flush=True)
            for name, count in counts.items():
                totals[name] += count
            if done % 500 == 0:
                print(f"{done} of {options.seeds}: {failed} failed", flush=True)
    with multiprocessing.Pool(options.jobs) as pool:
        most = max(1, min(AIMED_SEEDS, options.seeds // 20))
        played, aimed_failed = run_aimed(pool, sorted(SCHEDULES), range(options.first_seed, options.first_seed + most))
    shown = ", ".join(f"{count} {name}" for name, count in totals.items())
    print(f"{options.seeds} schedules: {shown}")
    failed += aimed_failed
    print(f"{options.seeds + played - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
