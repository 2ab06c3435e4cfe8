# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Play histories: ``python tests/histories/run.py --seeds 20 --first-seed 1``.

One seed is one history: real daemons, forty clients, faults.
Prints what was promised and broken, with the operations that tell so and how to replay it. The last line counts.
"""

import argparse
import collections
import multiprocessing
import signal
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from histories.judging import judge  # noqa: E402
from histories.plan import plan  # noqa: E402
from histories.play import play  # noqa: E402

MOST_OF_A_KIND = 2
MOST_LINES = 40  # of an object's operations before the last one that tells of a violation


def outcome(seed):
    """Return (seed, seconds, counts, texts of what was broken)."""
    began = time.monotonic()
    try:
        history = play(plan(seed))
        found = judge(history)
    except Exception:
        return seed, time.monotonic() - began, {}, [traceback.format_exc(limit=-4)]
    counts = collections.Counter(operation.outcome for operation in history.operations)
    counts["faults"] = len(history.faults)
    return seed, time.monotonic() - began, dict(counts), texts(history, found)


def texts(history, found):
    """Return what was broken for people, and of each promise no more than one can read."""
    kinds = collections.Counter(violation.promise for violation in found)
    made, seen = [], collections.Counter()
    for violation in found:
        seen[violation.promise] += 1
        if seen[violation.promise] <= MOST_OF_A_KIND:
            made.append(shown(history, violation))
    return [
        *made,
        *(
            f"{promise}: {count} times in all"
            for promise, count in kinds.items()
            if count > MOST_OF_A_KIND
        ),
    ]


def shown(history, violation):
    """Return a violation for people: the promise, what happened, and the operations on that object in order."""
    told = {operation.line() for operation in violation.told_by}
    lines = [f"{'>>' if line in told else '  '} {line}" for line in history.about(violation.on)]
    marked = [number for number, line in enumerate(lines) if line.startswith(">>")] or [len(lines)]
    first = max(0, marked[-1] - MOST_LINES)
    before = [line for line in lines[:first] if line.startswith(">>")]
    others = [
        f">> {operation.line()}"
        for operation in violation.told_by
        if f">> {operation.line()}" not in lines
    ]
    text = f"{violation.model}: {violation.promise}; but {violation.on}: {violation.what}"
    return "\n".join([text, *others, *before, *lines[first : marked[-1] + 5]])


def end_in_order():
    """Whoever is told to end, ends its daemons first."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    failed, totals = 0, collections.Counter()
    end_in_order()
    fresh = multiprocessing.get_context("spawn")  # a process of its own has ports of its own
    with fresh.Pool(options.jobs, end_in_order, maxtasksperchild=1) as pool:
        for seed, seconds, counts, broken in pool.imap(outcome, seeds):
            totals.update(counts)
            failed += bool(broken)
            said = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
            print(
                f"seed {seed}: {plan(seed)}: {said}; {seconds:.0f} s{'' if not broken else ', FAILED'}",
                flush=True,
            )
            for text in broken:
                print(f"\nBROKEN with seed {seed}: {text}\n", flush=True)
            if broken:
                print(f"FAILED: replay with --first-seed {seed} --seeds 1", flush=True)
        pool.close()
        pool.join()
    said = ", ".join(f"{count} {name}" for name, count in sorted(totals.items()))
    print(f"{options.seeds} histories: {said}")
    print(f"{options.seeds - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
