# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on datastores names for each call of the wiki the tests that try it: they are there."""

import re
from pathlib import Path

from support.cluster import ROOT


def test_each_call_of_the_wiki_is_tried_where_the_page_says():
    page = (ROOT / "docs/internals/datastores.md").read_text()
    (table,) = re.findall(r"^## The calls of the draft\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("| ")][2:]
    found = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named and all(f"def {name}(" in found for name in named), row
    assert len(rows) == 16
