# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-polls: wait until a condition on a document holds, woken by commits, never by a timer alone.

Each change asks each waiter's condition at once, and wakes only those for whom it holds: of a thousand who wait, one change wakes the right
ones, and a value that was acknowledged is not missed, though the next one came with the same commit.
"""
from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Iterable, List, Mapping, Optional, Protocol, Sequence, Tuple, Union

from ...core.model.conditions import CONDITIONS, WITH_VALUE
from ...core.model.document import Document
from ...core.model.documents import valid_name
from ...ground.patch import MISSING, Path, find, parse_pointer, pointer
from ...ground.problem import Problem
from ...ground.values import equal, parse
from .. import turns
from .backend import Backend
from .messages import real

PARTS = {"escape": "param", "escape_profile": "profile"}
DEFAULT_TIMEOUT = 30.0
MOST_TIMEOUT = 300.0
_COMPARED: List[Tuple[Any, Any, bool]] = []  # in this turn of the loop: sixty who wait for one large value compare it once
Probe = Callable[[], Any]
Key = Tuple[str, str]


async def until(backend: Backend, watched: Sequence[Key], probe: Probe, timeout: float) -> Any:
    """Wait for what an order leads to that has been carried out: a turn, the others. Return what ``probe`` returns as soon as that is
    not None; None when ``timeout`` seconds are over.

    ``probe`` is asked now and at each commit that changes one of ``watched`` (kind and key; key "" is all of the kind).
    Problem 307 or 503 when this node does not serve any more, also at the end of the time: somewhere else it may have come. The order
    stands all the same, so that it is never called not applied.
    """
    wake = asyncio.Event()
    found: Any = None

    def look(_key: str = "", _document: Optional[Document] = None) -> None:
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
            backend.check_serving()
            look()
            if found is not None or loop.time() >= end:
                return found
            try:
                await asyncio.wait_for(wake.wait(), max(0.0, end - loop.time()))
            except asyncio.TimeoutError:
                pass
    except Problem as problem:
        if problem.extra.get("outcome") == "not_applied":
            detail = f"{problem.detail}; what was asked for stands: repeat it with the same Idempotency-Key"
            raise Problem(problem.status, problem.code, detail, outcome="unknown") from None
        raise
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

    def keys(self) -> List[Key]:
        """Return the documents that a View has for the sake of the escape."""
        return [("profiles", self.escape[0])] if self.escape is not None else []

    @classmethod
    def read(cls, query: Mapping[str, str], profile: str = "") -> "Condition":
        """Read a condition from a query; Problem 400 says what is missing. ``profile``: where escape is, unless the query says."""
        name = query["wait"]
        if name not in CONDITIONS:
            raise Problem(400, "bad_wait", f"wait is one of {', '.join(CONDITIONS)}, not {name[:40]!r}")
        value = _value(name, query) if name in WITH_VALUE else None
        if not query.get("revision", "" if name == "changed" else "any"):
            raise Problem(400, "bad_wait", "wait=changed needs revision=<the ETag you have, without quotes>")
        escape = None
        for param in ("escape", "escape_profile"):
            if param in query and not valid_name(query[param], slashes=param == "escape"):
                raise Problem(400, "bad_wait", f"{param} is the name of a {PARTS[param]}, not {query[param][:40]!r}")
        if "escape" in query:
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
    value = default if text is None else real(text)
    if value is None or value > MOST_TIMEOUT:
        raise Problem(400, "bad_wait", f"{name} is a number of seconds from 0 to {MOST_TIMEOUT:g}")
    return value


class Subject(Protocol):
    """What a wait is for, as of the change that it was told of last."""

    def look(self) -> Tuple[Optional[Document], Any, Any]:
        """Return the document, the value to compare (or MISSING), and what differs as soon as the value has changed."""

    def answer(self) -> Tuple[Optional[Document], Any]:
        """Return the document and the value that was asked for (or MISSING)."""

    def watch(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Have ``tell`` called after each change that no View tells of; return what ends that."""


class View:
    """The committed documents that a wait reads, moved by one change after the other.

    A value that stood for one entry is seen so, though its successor came with the same commit.
    """

    def __init__(self, backend: Backend, keys: Iterable[Key]) -> None:
        self._backend = backend
        self._documents = {key: backend.heads().committed(*key) for key in keys}

    def __call__(self, kind: str, key: str) -> Optional[Document]:
        return self._documents[(kind, key)]

    def watch(self, tell: Callable[[], None]) -> Callable[[], None]:
        def saw(kind: str, key: str, document: Optional[Document]) -> None:
            self._documents[(kind, key)] = document
            tell()

        def finish() -> None:
            for end in ends:
                end()

        ends = [self._backend.subscribe(*key, partial(saw, key[0])) for key in self._documents]
        return finish


class Wait:
    """One wait, from its first look to its end, with one subscription for all of it.

    ``view``: the single documents that it looks at, that of the escape among them. ``outcome``: how it ended, as soon as that is
    known. ``since``: when what holds now began to stand (None: it does not hold).
    """

    def __init__(self, backend: Backend, condition: Condition, view: View, subject: Subject) -> None:
        self._backend, self._condition, self._view, self._subject = backend, condition, view, subject
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._end = self._began + condition.timeout
        self._wake = asyncio.Event()
        self._mark: Any = None
        self.since: Optional[float] = None
        self.outcome: Union[None, Problem, Tuple[Optional[Document], Any]] = None

    def consider(self) -> None:
        """Look at what a change has left, and wake who waits only for a reason: a thousand may look."""
        if self.outcome is None:
            self.outcome = self._escaped() or self._step(self._clock())
            if self.outcome is not None:
                self._wake.set()

    def _step(self, now: float) -> Optional[Tuple[Optional[Document], Any]]:
        document, compared, mark = self._subject.look()
        if not self._condition.holds(document, compared):
            self.since = None
        elif not self._condition.settled:
            return self._subject.answer()
        elif self.since is None or not _same(mark, self._mark):
            if self.since is None:
                self._wake.set()  # to set its time; one that moves later is seen when the old one is over
            self.since, self._mark = now, mark
        return None

    def _escaped(self) -> Optional[Problem]:
        """Return Problem 409 when somebody told everybody who waits to stop waiting."""
        if self._condition.escape is None:
            return None
        profile, param = self._condition.escape
        document = self._view("profiles", profile)
        value = document.value["Params"].get(param) if document is not None else None
        if value is None:
            return None
        return Problem(409, "escaped", f"param {param!r} of profile {profile!r} ended the wait", escape=value, found=value)

    async def end(self, stale: bool, what: str) -> Tuple[Optional[Document], Any]:
        """Return document and value as soon as the condition has held as long as it must.

        Problem 408 has what stood there at the end of the time; 409 when the escape was set; 307 or 503
        when this node stops serving, unless ``stale``.
        """
        ends = [self._view.watch(self.consider), self._backend.on_role_change(self._wake.set)]
        try:
            ends.append(await turns.brief(lambda: self._subject.watch(self.consider)))
            self._backend.check_serving(stale)
            self.outcome = self._escaped() or self._step(self._began)
            time_left = True
            while self.outcome is None and time_left:
                time_left = await self._pause()
                self._backend.check_serving(stale)
        finally:
            for end in ends:
                end()
        if isinstance(self.outcome, Problem):
            raise self.outcome
        if self.outcome is not None:
            return self.outcome
        document, value = self._subject.answer()
        if self.since is not None and self.since + self._condition.settled <= self._end:
            return document, value
        raise _timed_out(what, self._condition, value)

    async def _pause(self) -> bool:
        """Wait for something to look at; return whether there is time left."""
        self._wake.clear()
        due = self._end if self.since is None else min(self._end, self.since + self._condition.settled)
        if due <= self._clock():
            return False
        timer = asyncio.get_running_loop().call_at(due, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
        return True


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if one is MISSING or other is MISSING:
        return False
    for known, beside, result in _COMPARED:
        if known is one and beside is other:
            return result
    if not _COMPARED:
        asyncio.get_running_loop().call_soon(_COMPARED.clear)
    result = equal(one, other)
    _COMPARED.append((one, other, result))
    return result


def _timed_out(what: str, condition: Condition, value: Any) -> Problem:
    value = value if value is MISSING else find(value, condition.path)
    found = None if value is MISSING else value
    wanted = f"{condition.name}{' at ' + pointer(condition.path) if condition.path else ''}"
    detail = f"waited {condition.timeout:g} s in vain for {what}: {wanted}"
    return Problem(408, "wait_timeout", detail, found=found, missing=value is MISSING)
