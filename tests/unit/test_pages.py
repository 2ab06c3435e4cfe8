# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of documentation: each link leads somewhere, each page is in the index, and prose has a hundred columns."""

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


def test_each_page_is_in_the_index():
    index = DOCS / "README.md"
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in LINK.findall(index.read_text())}
    assert set(DOCS.rglob("*.md")) - linked <= {index}
