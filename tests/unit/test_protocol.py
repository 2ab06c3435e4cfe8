# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/internals/protocol.md: each rule that the code cites is defined there, and each that is defined has a guard that exists."""

import re

import pytest

from histories.mutate import MUTATIONS
from support.cluster import ROOT

RULE = re.compile(r"\b(?:I1[0-2]|[IM][1-9])\b")
ROWS = re.findall(r"^\| ([IM]\d+) \|.*\| ([^|]+) \|$", (ROOT / "docs" / "internals" / "protocol.md").read_text(), re.MULTILINE)
DEFINED = {"I": 12, "M": 6}


def names_of_guards():
    """Return all tests, and all mutations of the simulator and of histories."""
    found = set()
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text()
        found |= set(re.findall(r"^\s*(?:async )?def (test_\w+)", text, re.MULTILINE))
        if path.name == "mutate.py" or path.parent.name == "mutations":
            found |= set(re.findall(r"^def (\w+)\(", text, re.MULTILINE)) | set(re.findall(r'^    "(\w+)": ', text, re.MULTILINE))
    return found


def test_each_rule_is_defined_once():
    assert [name for name, _guards in ROWS] == [f"{kind}{number}" for kind, most in DEFINED.items() for number in range(1, most + 1)]


def test_what_the_code_cites_is_defined():
    cited = {}
    for folder in ("plugins", "tests/simulation", "tests/unit"):
        for path in (ROOT / folder).rglob("*.py"):
            for rule in RULE.findall(path.read_text()):
                cited.setdefault(rule, path)
    assert {"M1", "M2", "M3", "M4", "M5", "M6"} <= set(cited)
    assert not set(cited) - {name for name, _guards in ROWS}, cited


@pytest.mark.parametrize("rule, guards", ROWS)
def test_each_rule_has_guards_that_exist(rule, guards):
    named = re.findall(r"`(\w+)`", guards)
    assert named, rule
    assert not set(named) - names_of_guards(), f"{rule} is said to be guarded by what there is not"
    if rule.startswith("M"):
        assert any(name.startswith(rule.lower() + "_") for name in named), "a rule has a mutation that leaves it out"


def test_what_a_mutation_of_coordination_replaces_is_there():
    for name, (file, text, _instead) in MUTATIONS.items():
        assert text in (ROOT / "plugins" / "module_utils" / "_baton" / file).read_text(), f"{name}: {file} has no {text!r} any more"
