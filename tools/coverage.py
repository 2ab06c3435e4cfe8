# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of _baton unit tests, real daemons and the simulator run: a line for each floor, and the total. ``make coverage``.

Daemons are started from the source tree instead of the zipapp (tests/support/programs.py), so that all lines have one name.
What is killed with SIGKILL, and what a module runs on a host, is not counted. Tests that fail here are named, not judged: being
traced makes everything slower, and `make unit` is where they have to pass. A report by file: build/coverage/report.txt
"""

import collections
import importlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "plugins/module_utils/_baton"
FOLDER = ROOT / "build/coverage"
SEEDS = 60  # schedules, of which two processes play half each; the aimed ones are played once
TESTS = sys.argv[1:] or ["tests/unit", "tests/daemon", "tests/histories"]


def coverage(*words):
    return [sys.executable, "-m", "coverage", *map(str, words)]


def run(*command, **more):
    return subprocess.run(list(map(str, command)), cwd=ROOT, check=False, **more)


def prepare():
    """Make what stands in for the zipapps: a directory with their start beside the source."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in ("batond", "batonctl"):
        program = FOLDER / f"{name}.pyz"
        program.mkdir(parents=True)
        with zipfile.ZipFile(ROOT / f"build/{name}.pyz") as shipped:
            (program / "__main__.py").write_bytes(shipped.read("__main__.py"))
        (program / "baton").symlink_to(SOURCE)


def measure():
    """Run tests and schedules; every Python process that they start is measured."""
    environ = {**os.environ, "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml")}
    print("coverage: tests", flush=True)
    tests = run(sys.executable, "-m", "pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", *TESTS, env=environ)
    print(f"coverage: {SEEDS} schedules", flush=True)
    players = [subprocess.Popen([sys.executable, __file__, "play", str(half)], cwd=ROOT, env=environ) for half in (0, 1)]
    failed = [player for player in players if player.wait()]
    if tests.returncode or failed:
        print("coverage: some failed while they were traced; `make unit` and `make simulate` judge", flush=True)


def play(half):
    """Play schedules in this process: what a pool of processes has run is not kept. Return how many failed."""
    sys.path[:0] = [str(ROOT / "tests/simulation"), str(ROOT / "tests")]
    simulator = importlib.import_module("run")
    errors = [simulator.outcome(seed)[-1] for seed in range(1 + half, SEEDS + 1, 2)]
    errors += [simulator.aimed_outcome((name, 1))[-1] for name in sorted(simulator.SCHEDULES)[half::2]]
    print("".join(filter(None, errors)), end="", flush=True)
    return sum(map(bool, errors))


def report():
    """Print lines run and lines in all, by floor; return the exit status."""
    if run(*coverage("combine", "--quiet")).returncode or run(*coverage("json", "--quiet", "-o", FOLDER / "all.json")).returncode:
        print("coverage: FAILED: nothing was measured")
        return 1
    with open(FOLDER / "report.txt", "w", encoding="utf-8") as file:
        run(*coverage("report", "--sort=cover", "--show-missing"), stdout=file)
    found = json.loads((FOLDER / "all.json").read_text())
    lines, hit = collections.Counter(), collections.Counter()
    for name, file in found["files"].items():
        floor = Path(name).relative_to(SOURCE.relative_to(ROOT)).parts[0]
        lines[floor] += file["summary"]["num_statements"]
        hit[floor] += file["summary"]["covered_lines"]
    for floor in sorted(lines):
        if lines[floor]:
            print(f"   {floor:12} {100 * hit[floor] / lines[floor]:4.0f} % of {lines[floor]}")
    total = found["totals"]
    print(f"coverage: {total['percent_covered']:.1f} % of {total['num_statements']} statements of _baton")
    return 0


def main():
    if sys.argv[1:2] == ["play"]:
        return play(int(sys.argv[2]))
    prepare()
    measure()
    return report()


if __name__ == "__main__":
    sys.exit(main())
