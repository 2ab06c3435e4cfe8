# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quick lint, and the unit tests that belong to the files that differ from HEAD: ``make check``, under a minute.

A file of the package is tested by what lies in the same place below tests/unit: its own test if there is one, else its folder's.
A tool has its test in tests/unit/release, if it has one.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("plugins/module_utils/_baton")
TESTS = Path("tests/unit")
RELEASE = TESTS / "release"
ALWAYS = [TESTS / "test_pages.py", TESTS / "test_protocol.py", RELEASE / "test_self_contained.py", RELEASE / "test_versions.py"]
BIN = Path(sys.executable).parent


def changed():
    """Return what differs from HEAD, what git does not know yet, too."""
    command = ["git", "status", "--porcelain", "--untracked-files=all", "--no-renames"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [Path(line[3:].strip('"')) for line in lines]


def tests_of(path):
    """Return the tests that belong to a file."""
    if TESTS in path.parents:
        return [path] if path.name.startswith("test_") else [path.parent]
    if path.parent == Path("tools"):
        return [RELEASE / f"test_{path.stem}.py"]
    if PACKAGE not in path.parents:
        return []
    place = path.relative_to(PACKAGE)
    own = TESTS / place.with_name(f"test_{place.stem}.py")
    if (ROOT / own).exists():
        return [own]
    folder = TESTS / place.parent
    return [folder] if place.parent != Path() and (ROOT / folder).exists() else []


def run(what, *command):
    """Run a step; return whether it passed."""
    print(f"check: {what}", flush=True)
    return subprocess.run(list(map(str, command)), cwd=ROOT, check=False).returncode == 0


def main():
    files = changed()
    tests = sorted({test for path in files for test in tests_of(path) if (ROOT / test).exists()} | set(ALWAYS))
    tests = [test for test in tests if not any(other in test.parents for other in tests)]
    passed = run("style, types, floors", "tools/lint", "code")
    passed &= run(f"{len(tests)} places of tests", BIN / "python", "-m", "pytest", "-q", "-n", "2", *tests)
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
