# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role installs from PyPI: exact versions with hashes, and a list of it that says the same."""

import importlib.util
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "roles/node/files/requirements.txt").read_text()
_spec = importlib.util.spec_from_file_location("sbom", ROOT / "tools/sbom.py")
sbom = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sbom)


def test_each_requirement_has_one_version_and_its_hashes():
    blocks = re.split(r"\n(?=\S)", LOCK.strip())[1:]
    assert len(blocks) == len(sbom.components(LOCK)) > 8
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    assert {"aiohttp", "requests"} <= {name for name, _version, _marker in sbom.components(LOCK)}


def test_the_list_is_of_what_is_installed():
    version = sbom.VERSION.search((ROOT / "galaxy.yml").read_text())[1]
    assert json.loads((ROOT / "sbom.cdx.json").read_text()) == sbom.sbom(LOCK, version), "run `make lock`"


def test_a_requirement_is_read():
    text = "a==1.0 ; python_full_version < '3.10' \\\n    --hash=sha256:00\nb-c==2\n# a comment\n"
    assert sbom.components(text) == [("a", "1.0", "python_full_version < '3.10'"), ("b-c", "2", "")]
