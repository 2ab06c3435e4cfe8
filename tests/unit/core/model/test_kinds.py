# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of documents are listed in one place, and what can't import it says the same."""

import importlib.util
import re

import pytest
import yaml

from baton.core.model import kinds
from baton.core.model.documents import Change, evaluate
from support.cluster import ROOT

HERE = ROOT / "plugins" / "module_utils" / "_baton" / "core" / "model" / "kinds.py"
FRAGMENT = ROOT / "plugins" / "doc_fragments" / "kind.py"  # a documentation's YAML can't be made
NAMES = "|".join(kinds.DOCUMENTS)
BETWEEN = r"\s*(?:,|: [^\n]*\n)\s*"  # two names in a list, or in a table with a row for each
LIST = re.compile(rf"[\"']({NAMES})[\"']{BETWEEN}[\"'](?!\1)({NAMES})[\"']|[\[(]({NAMES})[, )C(]+(?!\3)({NAMES})[\]),]")


def sources():
    for folder in ("plugins", "extensions", "roles"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".json", ".yml") and "__pycache__" not in path.parts:
                yield path


def code_of(path):
    """Return the text of a source without what is written for people: docstrings and comments."""
    text = path.read_text()
    return re.sub(r'^\s*"""(?!\n?options).*?"""|#.*?$', "", text, flags=re.DOTALL | re.MULTILINE) if path.suffix == ".py" else text


LISTS = [
    '("profiles", "machines")', "[profiles, machines, params]",
    '"machines": 1,\n  "params": 2', "{'params', 'profiles'}", "C(params), C(machines)",
]  # fmt: skip


@pytest.mark.parametrize("text", LISTS)
def test_a_list_of_kinds_is_known_as_one(text):
    assert LIST.search(text)


def test_no_other_file_of_the_source_lists_the_kinds():
    listed = {path.relative_to(ROOT).as_posix() for path in sources() if LIST.search(code_of(path))}
    assert listed == {FRAGMENT.relative_to(ROOT).as_posix()} | ({HERE.relative_to(ROOT).as_posix()} & listed)


def test_the_documentation_of_modules_offers_all_of_them():
    spec = importlib.util.spec_from_file_location("kind", FRAGMENT)
    fragment = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fragment)
    option = yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"]["kind"]
    assert option["choices"] == list(kinds.OFFERED)


def test_the_page_of_the_api_lists_all_of_them():
    rows = re.findall(r"^\| `/(\w+)` \| `(\w+)`", (ROOT / "docs" / "reference" / "api.md").read_text(), re.MULTILINE)
    assert rows == [(kind.name, kind.identity) for kind in kinds.DOCUMENTS.values()]


def test_what_streams_of_events_show_is_told_as_it_is():
    page = (ROOT / "docs" / "reference" / "api.md").read_text()
    told = re.search(r"streams every committed change .*? of (.*?), of which", page, re.DOTALL)
    assert tuple(re.findall(r"`(\w+)`", told[1])) == kinds.IN_EVENTS
    source = (ROOT / "extensions" / "eda" / "plugins" / "event_source" / "events.py").read_text()
    told = re.search(r"Every committed change of .*?\n  - ", source, re.DOTALL)[0]
    assert [kind.name for kind in kinds.KINDS.values() if re.search(rf"\b{kind.singular}\b", told)] == list(kinds.IN_EVENTS)


@pytest.mark.parametrize("kind", kinds.DOCUMENTS.values(), ids=lambda kind: kind.name)
def test_a_new_document_has_the_members_of_its_kind_for_itself(kind):
    made = [evaluate(Change(kind.name, "x", "put", {}), lambda _kind, _key: None)[1].value for _number in (1, 2)]
    assert made[0] == {kind.identity: "x", **kind.members}
    assert all(made[0][name] is not made[1][name] for name in kind.members if kind.members[name] in ({}, []))
