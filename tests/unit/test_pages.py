# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of documentation: each link leads somewhere, as do names of files on the inside, each page is in the index, and prose has a
hundred columns."""

import re

import pytest

from support.cluster import ROOT

DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "roles").glob("*/README.md")]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
WIDTH = 100


def without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(path):
    """Return what headings of a page are called in links."""
    titles = re.findall(r"^#+ (.*)$", without_code(path.read_text()), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


def names(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_each_link_leads_somewhere(page):
    for link in LINK.findall(without_code(page.read_text())):
        if "://" in link:
            continue
        path, _hash, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_no_two_headings_are_called_alike(page):
    """A link would lead to the first of them."""
    assert len(anchors(page)) == len(set(anchors(page)))


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_prose_has_a_hundred_columns(page):
    """But for tables, and for what can't be cut: a line of code within prose."""
    for line in without_code(page.read_text()).splitlines():
        assert len(line) <= WIDTH or line.startswith("|") or "`" in line or not line.strip().count(" "), line


PACKAGE = ROOT / "plugins" / "module_utils" / "_baton"
BELOW = (
    ROOT, ROOT / "tests", ROOT / "tests" / "simulation",
    PACKAGE.parents[1], PACKAGE, PACKAGE / "adapters", PACKAGE / "core", PACKAGE / "drivers",
)  # fmt: skip
NAMED = re.compile(r"`(\w[\w.-]*(?:/[\w.-]+)*/?)`")
SOURCES = [path for folder in ("plugins", "tests", "tools") for path in (ROOT / folder).rglob("*.py")]
PROGRAMS = {path.name for path in SOURCES}


def files_in(text):
    """Return what a page names in backticks that is a file or a folder: by its ending, or since it has a slash."""
    return [name for name in NAMED.findall(without_code(text)) if "/" in name or name.endswith(".py")]


def is_there(name):
    """Return whether there is such a file. A module may be named without its ending, and MODULE stands for any."""
    if "/" not in name:
        return name in PROGRAMS
    path = name.removesuffix("MODULE")
    endings = ("",) if path.endswith("/") else ("", ".py")
    return any((folder / f"{path}{ending}").exists() for folder in BELOW for ending in endings)


INSIDE = sorted((DOCS / "internals").glob("*.md"))


@pytest.mark.parametrize("name", ["aimed_disk.py", "core/model/kind", "core/model/kinds.json", "tests/simulation/aimed.py", "attic/"])
def test_what_is_not_there_is_noticed(name):
    assert files_in(f"See `{name}` and `KINDS`.") == [name]
    assert not is_there(name)


@pytest.mark.parametrize("page", INSIDE, ids=names(INSIDE))
def test_the_files_that_pages_on_the_inside_name_exist(page):
    missing = [name for name in files_in(page.read_text()) if not is_there(name)]
    assert not missing, missing


def test_the_names_in_the_code_that_the_map_names_exist():
    """What looks like a plain word is not looked for."""
    words = NAMED.findall((DOCS / "internals" / "architecture.md").read_text())
    named = {word for word in words if re.fullmatch(r"_?[A-Z_]{3,}|_?[a-z]+(_[a-z]+)+", word)}
    known = {word for path in (*SOURCES, *(ROOT / "roles").rglob("*.yml")) for word in re.findall(r"\w+", path.read_text())}
    assert len(named) > 20 and not named - known, named - known


def test_each_page_is_in_the_index():
    index = DOCS / "README.md"
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in LINK.findall(index.read_text())}
    assert set(DOCS.rglob("*.md")) - linked <= {index}


def test_the_play_of_a_page_is_the_one_that_molecule_plays():
    page = (ROOT / "docs/start/pool.md").read_text()
    play = page.partition("## The play\n")[2].partition("```yaml\n")[2].partition("```")[0]
    assert play and f"---\n{play}" == (ROOT / "molecule/datastores/databases.yml").read_text()
