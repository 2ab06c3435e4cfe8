# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run seeded schedules: ``python -m simulation.run --seeds 1000 --first-seed 1``. Prints the seed of a failure and how to replay it."""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable

from simulation.schedule import Schedule  # noqa: E402


def outcome(seed):
    """Return (seed, counts, what failed)."""
    try:
        checks = Schedule(seed).run()
    except Exception:
        return seed, {}, traceback.format_exc(limit=-3)
    counts = {"acknowledged": len(checks.acknowledged), "lost races": checks.lost_races, "refused": checks.refused}
    counts.update({"unknown": checks.unknown, "epochs": len(checks.epochs), "reads": checks.reads, "locks held": checks.believers.held})
    counts["driver starts"] = checks.drivers
    return seed, counts, ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    totals = dict.fromkeys(("acknowledged", "reads", "lost races", "refused", "unknown", "epochs", "locks held", "driver starts"), 0)
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
    shown = ", ".join(f"{count} {name}" for name, count in totals.items())
    print(f"{options.seeds} schedules: {shown}")
    print(f"{options.seeds - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
