# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run seeded schedules of a pool: ``python tests/simulation/datastores/run.py --seeds 5000 --first-seed 1``."""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable

from simulation.datastores.schedule import Schedule  # noqa: E402

COUNTS = ("transactions", "failovers", "promotions", "deleted", "detached", "restarts", "failed", "rebuilds", "busy")


def outcome(seed):
    """Return (seed, counts, what failed)."""
    try:
        checks = Schedule(seed).run()
    except Exception:
        return seed, {}, traceback.format_exc(limit=-3)
    counts = {name: getattr(checks, name) for name in COUNTS[1:]}
    return seed, {"transactions": sum(map(len, checks.acknowledged.values())), **counts}, ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    totals, failed = dict.fromkeys(COUNTS, 0), 0
    with multiprocessing.Pool(options.jobs) as pool:
        for seed, counts, error in pool.imap(outcome, range(options.first_seed, options.first_seed + options.seeds), 5):
            if error:
                failed += 1
                print(f"{error}FAILED: replay with --first-seed {seed} --seeds 1", flush=True)
            for name, count in counts.items():
                totals[name] += count
    print(", ".join(f"{count} {name}" for name, count in totals.items()))
    print(f"{options.seeds - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
