# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-polls: wait until a condition on a document holds, woken by commits, never by a timer alone.

A commit asks each waiter's condition at once, and wakes only those for whom it holds: of a thousand who wait, one change wakes the right
ones, and a state that lasts for one commit is not missed.
"""
from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Mapping, Optional, Sequence, Tuple

from ...core.documents import Document
from ...core.patch import MISSING, Path, find, parse_pointer, pointer
from ...core.problem import Problem
from ...core.values import equal, parse
from .backend import Backend

CONDITIONS = ("exists", "absent", "changed", "equals", "differs", "in", "count")
WITH_VALUE = ("equals", "differs", "in", "count")
DEFAULT_TIMEOUT = 30.0
MOST_TIMEOUT = 300.0
Probe = Callable[[], Any]
Look = Callable[[Optional[Document]], Any]
Key = Tuple[str, str]


async def until(backend: Backend, watched: Sequence[Key], probe: Probe, timeout: float, stale: bool = False) -> Any:
    """Return what ``probe`` returns as soon as that is not None; None when ``timeout`` seconds are over.

    ``probe`` is asked now and at each commit that changes one of ``watched`` (kind and key; key "" is all of the kind).
    Problem 307 or 503 when this node stops serving, unless ``stale``.
    """
    wake = asyncio.Event()
    found: Any = None

    def look(_document: Optional[Document]) -> None:
        nonlocal found
        if found is None:
            found = probe()
            if found is not None:
                wake.set()

    ends = [backend.subscribe(kind, key, look) for kind, key in watched]
    ends.append(backend.on_role_change(wake.set))
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    try:
        while True:
            wake.clear()
            backend.check_serving(stale)
            look(None)
            if found is not None:
                return found
            try:
                await asyncio.wait_for(wake.wait(), max(0.0, end - loop.time()))
            except asyncio.TimeoutError:
                return None
    finally:
        for finish in ends:
            finish()


@dataclass(frozen=True)
class Condition:
    """What to wait for. ``value`` for those in WITH_VALUE, ``revision`` for changed; ``path`` leads from the value that is read to the
    one that is compared; ``settled``: seconds for which it must have stood unchanged; ``escape``: a profile's param that ends the wait.
    """

    name: str
    value: Any
    revision: str
    timeout: float
    path: Path = ()
    settled: float = 0.0
    escape: Optional[Tuple[str, str]] = None

    @classmethod
    def read(cls, query: Mapping[str, str], profile: str = "") -> "Condition":
        """Read a condition from a query; Problem 400 says what is missing. ``profile``: where escape is, unless the query says."""
        name = query["wait"]
        if name not in CONDITIONS:
            raise Problem(400, "bad_wait", f"wait is one of {', '.join(CONDITIONS)}, not {name[:40]!r}")
        value = _value(name, query) if name in WITH_VALUE else None
        if name == "changed" and not query.get("revision"):
            raise Problem(400, "bad_wait", "wait=changed needs revision=<the ETag you have, without quotes>")
        escape = None
        if query.get("escape"):
            if not (query.get("escape_profile") or profile):
                raise Problem(400, "bad_wait", "escape is a param of a profile: name that with escape_profile")
            escape = (query.get("escape_profile") or profile, query["escape"])
        timeout, settled = _seconds(query, "timeout", DEFAULT_TIMEOUT), _seconds(query, "settled", 0.0)
        return cls(name, value, query.get("revision", "").strip('"'), timeout, _path(query.get("path", "")), settled, escape)

    def holds(self, document: Optional[Document], value: Any) -> bool:
        if self.name == "exists":
            return value is not MISSING
        if self.name == "absent":
            return value is MISSING
        if self.name == "changed":
            return (document.revision if document is not None else "") != self.revision
        if self.name == "count":
            return isinstance(value, (list, dict)) and len(value) >= self.value
        if self.name == "in":
            return value is not MISSING and any(equal(value, item) for item in self.value)
        same = value is not MISSING and equal(value, self.value)
        return same if self.name == "equals" else not same


def _value(name: str, query: Mapping[str, str]) -> Any:
    if "value" not in query:
        raise Problem(400, "bad_wait", f"wait={name} needs value=<JSON>")
    value = parse(query["value"].encode("utf-8", "surrogatepass"), "value")
    if name == "in" and not isinstance(value, list):
        raise Problem(400, "bad_wait", "wait=in needs value=<a JSON list>")
    if name == "count" and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise Problem(400, "bad_wait", "wait=count needs value=<the least number of members>")
    return value


def _path(text: str) -> Path:
    try:
        return parse_pointer(text)
    except (Problem, ValueError):
        raise Problem(400, "bad_wait", f"path is a JSON pointer such as /Meta/icon, not {text[:60]!r}") from None


def _seconds(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST_TIMEOUT:
        raise Problem(400, "bad_wait", f"{name} is a number of seconds from 0 to {MOST_TIMEOUT:g}")
    return value


async def wait_until(
    backend: Backend, kind: str, key: str, condition: Condition, look: Look, stale: bool
) -> Tuple[Optional[Document], Any]:
    """Return document and value once ``condition`` holds; Problem 408 has what stood there at the end of the time.

    ``look`` gives the value that is read of a document (MISSING: none), before ``condition.path`` is followed.
    """
    watched = [(kind, key)] + ([("profiles", condition.escape[0])] if condition.escape else [])
    loop = asyncio.get_running_loop()
    end = loop.time() + condition.timeout

    def now() -> Tuple[Optional[Document], Any, Any]:
        document = backend.heads().committed(kind, key) if key else None
        value = look(document)
        return document, value, value if value is MISSING else find(value, condition.path)

    def holds() -> Any:
        _check_escape(backend, condition)
        document, value, compared = now()
        return (document, value, compared) if condition.holds(document, compared) else None

    def moved(since: Any) -> Any:
        _check_escape(backend, condition)
        compared = now()[2]
        return None if compared is since or (MISSING not in (compared, since) and equal(compared, since)) else True

    while True:
        found = await until(backend, watched, _caught(holds), end - loop.time(), stale)
        if found is None:
            raise _timed_out(kind, key, condition, now()[2])
        document, value, compared = _unwrap(found)
        left = end - loop.time()
        if not condition.settled:
            return document, value
        stirred = await until(backend, watched, _caught(partial(moved, compared)), min(condition.settled, left), stale)
        if stirred is not None:
            _unwrap(stirred)
        elif left < condition.settled:
            raise _timed_out(kind, key, condition, compared)
        else:
            return now()[:2]


def _caught(probe: Probe) -> Probe:
    """A probe is called where a commit is told to all: what it raises goes to the one who waits."""

    def safe() -> Any:
        try:
            return probe()
        except Problem as problem:
            return problem

    return safe


def _unwrap(found: Any) -> Any:
    if isinstance(found, Problem):
        raise found
    return found


def _check_escape(backend: Backend, condition: Condition) -> None:
    """Raise Problem 409 when somebody told everybody who waits to stop waiting."""
    if condition.escape is None:
        return
    profile, param = condition.escape
    document = backend.heads().committed("profiles", profile)
    value = document.value["Params"].get(param) if document is not None else None
    if value is not None:
        raise Problem(409, "escaped", f"param {param!r} of profile {profile!r} ended the wait", escape=value, found=value)


def _timed_out(kind: str, key: str, condition: Condition, value: Any) -> Problem:
    found = None if value is MISSING else value
    what = f"{condition.name}{' at ' + pointer(condition.path) if condition.path else ''}"
    named = f"{kind[:-1]} {key!r}" if key else kind
    detail = f"waited {condition.timeout:g} s in vain for {named}: {what}"
    return Problem(408, "wait_timeout", detail, found=found, missing=value is MISSING)
