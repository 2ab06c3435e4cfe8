# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conditions of waits are listed in one place, and what can't import it says the same."""

import re

import yaml

from baton.core.model.conditions import CONDITIONS, WITH_VALUE
from support.cluster import ROOT

NAMES = "|".join(CONDITIONS)
LIST = re.compile(rf'"({NAMES})", "({NAMES})"')


def test_what_goes_with_one_is_known():
    assert set(CONDITIONS.values()) == {"", "value", "revision"}
    assert set(WITH_VALUE) == {"equals", "differs", "in", "count"}


def test_no_other_file_lists_them():
    """But for the two of which batonctl has no word, and whose value must be of a kind."""
    paths = [path for folder in ("plugins", "tests/fuzz", "tests/support") for path in (ROOT / folder).rglob("*.py")]
    listed = {path for path in paths if set(LIST.findall(path.read_text())) - {("in", "count")}}
    assert not listed


def test_the_documentation_of_wait_for_offers_all_of_them():
    text = (ROOT / "plugins" / "modules" / "wait_for.py").read_text()
    option = yaml.safe_load(re.search(r'DOCUMENTATION = r"""(.*?)"""', text, re.DOTALL)[1])["options"]["condition"]
    assert option["choices"] == list(CONDITIONS)
    assert all(f"V({name})" in " ".join(option["description"]) for name in CONDITIONS)


def test_the_page_of_the_api_lists_all_of_them():
    assert f"`?wait={'|'.join(CONDITIONS)}`" in (ROOT / "docs" / "reference" / "api.md").read_text()
