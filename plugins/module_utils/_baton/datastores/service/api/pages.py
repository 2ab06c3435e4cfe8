# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists in pages: ``limit`` and ``marker``, the id of the last one seen. Pure.

Lists are in the order of ids, so that a marker keeps its place when what it names is gone.
"""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple
from urllib.parse import urlencode

from .errors import bad

MOST_ON_A_PAGE = 1000


class Page(NamedTuple):
    items: List[Dict[str, Any]]
    links: List[Dict[str, str]]


def page(items: List[Dict[str, Any]], query: Mapping[str, str], address: str) -> Page:
    """Return the page that a request asks for; all that there is, if that is not too much, where it asks for none."""
    most = _limit(query.get("limit"))
    marker = query.get("marker") or ""
    after = [item for item in items if str(item["id"]) > marker] if marker else items
    shown = after[:most]
    if len(after) <= most:
        return Page(shown, [])
    parameters = {**query, "limit": str(most), "marker": str(shown[-1]["id"])}
    return Page(shown, [{"rel": "next", "href": f"{address}?{urlencode(parameters)}"}])


def _limit(text: "str | None") -> int:
    if text is None or text == "":
        return MOST_ON_A_PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < 1:
        raise bad(f"limit is a whole number from 1 on, not {text[:40]!r}")
    return min(int(text), MOST_ON_A_PAGE)
