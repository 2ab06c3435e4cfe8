# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed works alone: nothing in it uses what only a checkout has (tools, tests, demo
and the like).
"""

import re
import subprocess
from fnmatch import fnmatch

import pytest
import yaml

from support.cluster import ROOT

LEFT_OUT = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.splitlines()
FOLDERS = {path.partition("/")[0] for path in TRACKED if "/" in path} | {"build"}
OUTSIDE = sorted(
    folder for folder in FOLDERS if any(fnmatch(folder, pattern) for pattern in LEFT_OUT)
)
INSIDE = [ROOT / folder for folder in ("plugins", "roles", "playbooks", "meta", "extensions")]
NAMES = "|".join(re.escape(name) for name in OUTSIDE)
# A path that begins with such a folder, or comes to it from above, or one put together of names.
USES = re.compile(
    rf"""
    (?<![\w./-]) (?:{NAMES}) / [\w{{]
    | (?: \.\./ | \}}\}}/ | /\./ ) (?:{NAMES}) /
    | / \s* ["'] (?:{NAMES}) ["']
    | ["'] (?:{NAMES}) ["'] \s* [/)]
    """,
    re.VERBOSE,
)


def uses(text):
    """Return the lines that lead out of what is installed."""
    return [line for line in text.splitlines() if USES.search(line)]


def test_it_is_known_what_stays_at_home():
    assert {"tools", "tests", "demo", "molecule", "requirements", "build"} <= set(OUTSIDE)
    assert not {"plugins", "roles", "playbooks", "meta", "extensions", "docs"} & set(OUTSIDE)


def test_nothing_installed_uses_what_is_not():
    found = {}
    for folder in INSIDE:
        for path in folder.rglob("*"):
            if (
                path.is_file()
                and "__pycache__" not in path.parts
                and uses(path.read_text(errors="replace"))
            ):
                found[str(path.relative_to(ROOT))] = uses(path.read_text(errors="replace"))
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        '      - "{{ role_path }}/../../tools/build_zipapps.py"',
        "    src: ../../demo/inventory.yml",
        '    argv: ["{{ playbook_dir }}/../tests/tools/fetch.py"]',
        'package = HERE / "tools" / "sbom.py"',
        'open(os.path.join(HERE, "build"))',
        "run tools/lock",
        "python: requirements/dev.txt",
        "cp build/batond.pyz /usr/bin",
    ],
)
def test_what_is_planted_is_found(line):
    assert uses(line)


@pytest.mark.parametrize(
    "line",
    [
        "see docs/drivers.md",
        "the tests of a patch",
        "GET /tools/x",
        "baton.ha.node#role/tests",
        "https://h/x/tools/y",
    ],
)
def test_what_is_none_is_not(line):
    assert not uses(line)
