# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the query of a request may say. A misspelt parameter would be left out in silence, and a list or a wait be another one than was
asked for; so it is refused.

The names are those of openapi.json; a test holds the two together.
"""

from __future__ import annotations

from typing import Any, List, Optional, Tuple

from ...ground.problem import Problem

STALE = ("stale",)
WAIT = ("value", "revision", "timeout", "settled", "escape", "escape_profile", "path")
WAITS = ("wait", *WAIT)
LISTS = ("limit", "offset", *STALE, "wait", "value", "timeout", "settled", "escape", "escape_profile", "path")
EVENTS = ("since", "kinds", "key", "documents", *STALE)
ONLY = {"stale": "ok", "default": "no", "documents": "yes"}  # parameters with one value, which is left out for the other
DOCUMENTS = ("profiles", "machines", "params")
FOLLOWERS = ("leases", "locks", "barriers", "files")  # what a passive answers, too


def check(request: Any, kind: str, rest: List[str]) -> None:
    """Raise Problem 400 for what the query of a request for ``kind``/``rest`` can't have; lists of documents take any member, too."""
    if not request.query_string:
        return
    known = _known(request.method, kind, rest)
    for name in request.query:
        if known is None and name not in LISTS:
            continue
        if known is not None and name not in known:
            raise _bad(f"there is no parameter {name[:40]!r} here; {_listed(known)}")
        text, *more = request.query.getall(name)
        if more:
            raise _bad(f"{name} is given twice; say it once")
        if text != ONLY.get(name, text):
            raise _bad(f"{name} is {ONLY[name]!r}, or left out, not {text[:40]!r}")
        if name in WAIT and "wait" not in request.query:
            raise Problem(400, "bad_wait", f"{name} goes with wait=<what to wait for>")


def _known(method: str, kind: str, rest: List[str]) -> Optional[Tuple[str, ...]]:
    """Return the parameters of an operation; None: of a list of documents, which is filtered by whatever members they have."""
    if kind == "events":
        return EVENTS
    if kind == "profiles" and rest[1:] == ["token"]:
        return ("ttl",)
    if method not in ("GET", "HEAD"):
        return ()
    if kind in DOCUMENTS:
        if not rest:
            return None
        is_param = kind != "params" and len(rest) > 2
        return (*STALE, *WAITS, *(("default",) if is_param else ()))
    if kind == "files" and not rest:
        return (*STALE, "prefix")
    return STALE if kind in FOLLOWERS else ()


def _listed(known: Tuple[str, ...]) -> str:
    return f"known are {', '.join(known)}" if known else "it takes none"


def _bad(detail: str) -> Problem:
    return Problem(400, "bad_query", detail)
