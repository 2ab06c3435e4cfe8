# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the version of the collection is said, and one way to read and set it: galaxy.yml leads, a
test compares the others. And which ansible-core is the lowest.

Versions of formats (data directory, links, log entries, driver protocol) are none of these: they
change with the format alone.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Each pattern has one group, the version.
PLACES = {
    "galaxy.yml": r"^version: (\S+)$",
    "plugins/module_utils/_baton/ground/version.py": r'^VERSION = "([^"]+)"$',
    "sbom.cdx.json": r'^   "name": "batond",\n   "version": "([^"]+)",$',
}


def found(text, pattern):
    """Return the match of a place's pattern; ValueError when there is not exactly one."""
    matches = list(re.finditer(pattern, text, re.MULTILINE))
    if len(matches) != 1:
        raise ValueError(f"{len(matches)} places look like {pattern}; there is to be one")
    return matches[0]


def said(root=ROOT):
    """Return path → the version that it says."""
    return {path: found((root / path).read_text(), pattern)[1] for path, pattern in PLACES.items()}


def say(version, root=ROOT):
    """Write ``version`` everywhere."""
    for path, pattern in PLACES.items():
        text = (root / path).read_text()
        match = found(text, pattern)
        (root / path).write_text(text[: match.start(1)] + version + text[match.end(1) :])


def lowest_core(root=ROOT):
    """Return the lowest ansible-core that is supported, as x.y: meta/runtime.yml leads."""
    text = (root / "meta/runtime.yml").read_text()
    return found(text, r'^requires_ansible: ">=(\d+\.\d+)\.\d+"')[1]


def numbers(version):
    """Return x.y.z as numbers that can be compared; ValueError when it is none."""
    if not re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", version):
        raise ValueError(f"{version} is no version: three numbers, such as 1.2.3")
    return tuple(map(int, version.split(".")))
