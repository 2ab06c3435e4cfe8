# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave out one rule of datastores at a time and see that the schedules notice: ``python tests/simulation/datastores/mutate.py``."""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable

from simulation.datastores.mutations import MUTATIONS  # noqa: E402
from simulation.datastores.schedule import Schedule  # noqa: E402

MOST = 800


def caught(name):
    """Return (name, seed, what was seen) of the first schedule that fails; seed None where none does."""
    with MUTATIONS[name]():
        for seed in range(1, MOST + 1):
            try:
                Schedule(seed).run()
            except Exception as error:
                what = f"{type(error).__name__}: {error}".partition("\n")[0]
                return name, seed, what
    return name, None, ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(MUTATIONS))
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    names, missed = [options.only] if options.only else sorted(MUTATIONS), 0
    with multiprocessing.Pool(options.jobs) as pool:
        for name, seed, what in pool.imap_unordered(caught, names):
            missed += seed is None
            print(f"{name:55} {f'seed {seed:3}: {what[:110]}' if seed else f'NOT CAUGHT in {MOST} seeds'}", flush=True)
    print(f"{len(names) - missed} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
