# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the list of what a requirements file with exact versions installs, as CycloneDX 1.5: ``python tools/sbom.py FILE``."""

import json
import re
import sys
from pathlib import Path

VERSION = re.compile(r"^version: (\S+)$", re.MULTILINE)  # of galaxy.yml
LINE = re.compile(r"([A-Za-z0-9_.-]+)==([^ ;\\]+)(?: ; ([^\\]+))?")


def components(text):
    """Return (name, version, marker) of each requirement; marker "" where it holds for every Python."""
    found = (LINE.match(line) for line in text.splitlines())
    return [(item[1], item[2], (item[3] or "").strip()) for item in found if item]


def sbom(text, ours):
    """Return the list as CycloneDX has it; ``ours``: the version of batond."""
    made = []
    for name, version, marker in components(text):
        purl = f"pkg:pypi/{name}@{version}"
        where = {"properties": [{"name": "python", "value": marker}]} if marker else {}
        made.append({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, **where})
    licence = [{"license": {"id": "GPL-3.0-or-later"}}]
    batond = {"type": "application", "bom-ref": "batond", "name": "batond", "version": ours, "licenses": licence}
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": batond}, "components": made,
        "dependencies": [{"ref": "batond", "dependsOn": [item["bom-ref"] for item in made]}],
    }  # fmt: skip


if __name__ == "__main__":
    galaxy = (Path(__file__).resolve().parent.parent / "galaxy.yml").read_text()
    print(json.dumps(sbom(Path(sys.argv[1]).read_text(), VERSION.search(galaxy)[1]), indent=1))
