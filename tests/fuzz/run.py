# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throw seeded nonsense at Baton: ``python tests/fuzz/run.py --n 5000 --seed 1 [--kind frames]``.

A kind is a module beside this one. It has ``play(seed)``, which returns None or what was wrong in a line; or, where a live
daemon is needed (`make build`), a class ``Kind`` with ``start()``, ``play(seed)`` and ``stop()``. The same seed is the same play.
A failure is printed with its seed, and ``--n 1 --seed SEED --kind KIND`` plays it again.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)  # in the place of HERE, whose http.py would hide the standard library's

import argparse  # noqa: E402
import importlib  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402

importlib.import_module("conftest")  # makes the package ``baton`` importable

MOST_SHOWN = 5  # failures of a kind; more of them say nothing new
SECONDS = 600.0  # for which a kind is played at most, so that one that hangs is seen


def kinds():
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem != "run")


def outcome(play, seed):
    """Return what one play found, None if nothing. What escapes from it is a finding, too."""
    try:
        return play(seed)
    except Exception:
        return traceback.format_exc(limit=-4).rstrip()


def run(kind, count, first):
    """Play one kind; return how many plays passed and failed."""
    module = importlib.import_module(f"fuzz.{kind}")
    live = module.Kind() if hasattr(module, "Kind") else None
    count = min(count, getattr(module, "MOST", count))  # of what takes long
    passed = failed = 0
    began = time.monotonic()
    try:
        if live is not None:
            live.start()
        play = live.play if live is not None else module.play
        for seed in range(first, first + count):
            wrong = outcome(play, seed)
            passed += wrong is None
            failed += wrong is not None
            if wrong is not None and failed <= MOST_SHOWN:
                print(f"{kind}: {wrong}\nFAILED: replay with --kind {kind} --seed {seed} --n 1", flush=True)
            if time.monotonic() - began > SECONDS:
                failed += 1
                print(f"{kind}: FAILED: {seed - first + 1} of {count} plays took {SECONDS:.0f} s", flush=True)
                break
    finally:
        if live is not None:
            live.stop()
    print(f"{kind}: {passed} plays, {failed} failed, {time.monotonic() - began:.1f} s", flush=True)
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=5000, help="plays of each kind")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--kind", choices=kinds(), help="this one only")
    options = parser.parse_args()
    results = [run(kind, options.n, options.seed) for kind in ([options.kind] if options.kind else kinds())]
    failed = sum(result[1] for result in results)
    print(f"{sum(result[0] for result in results)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
