# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run seeded schedules: ``python -m simulation.run --seeds 1000 --first-seed 1``. Prints the seed of a failure and how to replay it."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable

from simulation.schedule import Schedule  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first-seed", type=int, default=1)
    options = parser.parse_args()
    totals = {"acknowledged": 0, "lost races": 0, "refused": 0, "unknown": 0, "epochs": 0}
    failed = 0
    last = options.first_seed + options.seeds - 1
    for seed in range(options.first_seed, last + 1):
        try:
            checks = Schedule(seed).run()
        except Exception:
            failed += 1
            traceback.print_exc(limit=-3)
            print(f"FAILED: replay with --first-seed {seed} --seeds 1", flush=True)
            continue
        totals["acknowledged"] += len(checks.acknowledged)
        totals["lost races"] += checks.lost_races
        totals["refused"] += checks.refused
        totals["unknown"] += checks.unknown
        totals["epochs"] += len(checks.epochs)
        if (seed - options.first_seed + 1) % 100 == 0:
            print(f"seed {seed} of {last}: {failed} failed", flush=True)
    shown = ", ".join(f"{count} {name}" for name, count in totals.items())
    print(f"{options.seeds} schedules: {shown}")
    print(f"{options.seeds - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
