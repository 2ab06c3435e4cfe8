# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that stay: waits and streams. There are only so many of a token and in all, and they end with their token."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Set

from ...core.model.document import Document
from ...ground.problem import Problem
from ..aio import TOKEN
from .backend import Backend

EXPIRED = 0.05  # seconds between two looks at a token whose end is due, by a log whose time may be slow


class Most(NamedTuple):
    """How many there may be: of one token, in all, and without a token; ``what`` they are, for people."""

    what: str
    of_token: int
    in_all: int
    of_strangers: int = 0


WAITS = Most("requests that wait", 2048, 4096, 64)
STREAMS = Most("streams of events", 256, 1024)


class _Stay:
    """One request. ``end``: what ends it; ``problem`` says why, as soon as its token has ended."""

    def __init__(self, request: Any, end: Callable[[], Any]) -> None:
        self.request, self.end = request, end
        self.problem: Optional[Problem] = None
        self.timer: Optional[asyncio.TimerHandle] = None


class Stays:
    """All requests that stay. ``check`` raises Problem 401 for a request whose token has ended."""

    def __init__(self, backend: Backend, check: Callable[[Any], Any]) -> None:
        self._backend, self._check = backend, check
        self._by_token: Dict[str, Set[_Stay]] = {}  # "" is for those without a token
        self._counts: Dict[Most, Dict[str, int]] = {WAITS: {}, STREAMS: {}}
        self._unsubscribe: Optional[Callable[[], None]] = None

    def room(self, request: Any, most: Most) -> None:
        """Raise Problem 429 or 503 when no more may stay."""
        token, counts = request.get(TOKEN, ""), self._counts[most]
        limit = most.of_token if token else most.of_strangers
        if counts.get(token, 0) >= limit:
            whose = "with this token" if token else "without a token"
            detail = f"there are {limit} {most.what} {whose} already, which is the most: end some, or ask later"
            raise Problem(429, "too_many_of_token", detail)
        if sum(counts.values()) >= most.in_all:
            detail = f"there are {most.in_all} {most.what} already, which is the most: ask later"
            raise Problem(503, "too_many", detail, outcome="not_applied")

    @contextlib.contextmanager
    def wait(self, request: Any) -> Iterator[None]:
        """Wait within; Problem 401 as soon as the token ends."""
        task: Any = asyncio.current_task()
        with self.stay(request, WAITS, task.cancel) as stay:
            try:
                yield
            except asyncio.CancelledError:
                if stay.problem is None:
                    raise
                if hasattr(task, "uncancel"):  # Python 3.11
                    task.uncancel()
            if stay.problem is not None:
                raise stay.problem
            if request.get(TOKEN):
                self._check(request)

    @contextlib.contextmanager
    def stay(self, request: Any, most: Most, end: Callable[[], Any]) -> Iterator[_Stay]:
        """Stay within; ``end`` is called when the token ends. Problem 429 or 503 when no more may stay."""
        self.room(request, most)
        token, counts, stay = request.get(TOKEN, ""), self._counts[most], _Stay(request, end)
        counts[token] = counts.get(token, 0) + 1
        self._by_token.setdefault(token, set()).add(stay)
        if token and self._unsubscribe is None:
            self._unsubscribe = self._backend.subscribe("tokens", "", self._saw)
        if token:
            self._set_timer(token, stay)
        try:
            yield stay
        finally:
            if stay.timer is not None:
                stay.timer.cancel()
            counts[token] -= 1
            if not counts[token]:
                del counts[token]
            self._by_token[token].discard(stay)
            if not self._by_token[token]:
                del self._by_token[token]
            if self._unsubscribe is not None and not any(self._by_token):
                self._unsubscribe()
                self._unsubscribe = None

    def _set_timer(self, token: str, stay: _Stay) -> None:
        document = self._backend.heads().committed("tokens", token)
        expires = document.value.get("Expires") if document is not None else None
        if expires is not None:
            left = max(EXPIRED, min(expires - self._backend.log_time(), 86400.0))
            stay.timer = asyncio.get_running_loop().call_later(left, self._due, token, stay)

    def _due(self, token: str, stay: _Stay) -> None:
        self._look(stay)
        if stay.problem is None:
            self._set_timer(token, stay)

    def _saw(self, key: str, _document: Optional[Document]) -> None:
        for token in [key] if key else list(self._by_token):
            for stay in tuple(self._by_token.get(token, ())):
                if token:
                    self._look(stay)

    def _look(self, stay: _Stay) -> None:
        if stay.problem is None:
            try:
                self._check(stay.request)
            except Problem as problem:
                stay.problem = problem
                stay.end()
