# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""aiohttp's connection, made to speak as the rest of the API does, and with the clocks that aiohttp has not.

A request that is no HTTP never reaches a handler of ours; aiohttp would answer it in HTML, or not at all, and log it with its headers,
tokens included. And a client that sends nothing, or next to nothing, or takes nothing, would keep its connection for ever.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Callable, Iterator, Optional, Set

from ...core.admission import ADMIN
from ...ground.problem import Problem
from ..aio import web
from ..folded import Folded
from . import messages

LOG = logging.getLogger("baton.http")
WORDS = {
    400: "malformed_request",
    413: "body_too_large",
    414: "request_line_too_long",
    431: "headers_too_large",
}
NOT_HTTP = "this is not a well-formed HTTP/1.1 request"
HEADER_SECONDS = 10.0  # from the connection, or the first byte of a later request, to the end of the header
IDLE_SECONDS = 60.0  # between two requests
WINDOW_SECONDS = 10.0  # in which a body, or an answer, has to get on by
WINDOW_BYTES = 10 << 10  # so many bytes
MOST_BODIES = 256 << 20  # bytes
_folded = Folded(LOG.warning)


class Silent(logging.Logger):
    """aiohttp's log of a connection: what it says of a request may hold secrets, so only that something happened is kept."""

    def handle(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            _folded.say("unread", "a request could not be read or answered; its connection was closed")


class Bodies:
    """The bytes of bodies in memory, in all; half of them are for admins and nodes."""

    def __init__(self) -> None:
        self._taken = 0

    def take(self, size: int, trusted: bool) -> None:
        """Count a body; Problem 503 when that is too much."""
        most = MOST_BODIES if trusted else MOST_BODIES // 2
        if size and self._taken + size > most:
            detail = f"bodies of {most >> 20} MiB are being worked at already, which is the most: ask later"
            raise Problem(503, "too_many_bodies", detail, outcome="not_applied")
        self._taken += size

    def give_back(self, size: int) -> None:
        self._taken -= size


_Base: Any = object if web is None else web.RequestHandler


class Connection(_Base):  # type: ignore[misc]
    """One connection of a client. ``rank``: called with what it has shown to be, and refuses it by a Problem."""

    def __init__(
        self,
        *args: Any,
        rank: Callable[["Connection", int], None],
        gone: Callable[["Connection"], None],
        bodies: "Bodies",
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._rank, self._gone = rank, gone
        self._left: Set[Callable[[], Any]] = set()
        self._waits_for = "header"  # or "handler", while one is at work, or "request"
        self._since: float = self._loop.time()
        self._content: Any = None  # the body of the request at work
        self._held = 0  # bytes of it that may be in memory until it is answered
        self._bodies = bodies
        self._trusted = False
        self._taken = 0  # bytes from the client
        self._window = (0.0, 0)  # when we looked last, and what was taken by then
        self._stuck: Optional[int] = None  # bytes that wait for a client who takes none, None while it takes

    def on_lost(self, callback: Callable[[], Any]) -> Callable[[], None]:
        """Call back when the client is gone; returns what ends it."""
        self._left.add(callback)
        return lambda: self._left.discard(callback)

    def known(self, rank: int) -> None:
        """The client has shown a token, or that it is a node; Problem 503 when there are too many of its kind."""
        self._rank(self, rank)
        self._trusted = rank >= ADMIN

    def hold(self, size: int) -> None:
        """A body of at most ``size`` bytes will be in memory until its request is answered; Problem 503 when there are too many."""
        if not self._held:
            self._bodies.take(size, self._trusted)
            self._held = size

    @contextlib.contextmanager
    def serving(self, request: Any) -> Iterator[None]:
        """A handler is at work."""
        self._waits_for, self._content = "handler", request.content
        self._window = (self._loop.time(), self._taken)
        try:
            yield
        finally:
            self._waits_for, self._content, self._since = "request", None, self._loop.time()
            self._bodies.give_back(self._held)
            self._held = 0

    def overdue(self, now: float) -> bool:
        """Return whether the client has had its time: to be asked now and then."""
        if self._waits_for == "header":
            return now - self._since > HEADER_SECONDS
        if now - self._window[0] > WINDOW_SECONDS and self._stands(now):
            return True
        return self._waits_for == "request" and self._stuck is None and now - self._since > IDLE_SECONDS

    def _stands(self, now: float) -> bool:
        """Look at what went over the wire since we looked last; return whether it was too little of what is to come or go."""
        transport, taken = self.transport, self._taken - self._window[1]
        self._window = (now, self._taken)
        if transport is None:
            return False
        if self._stuck is not None:
            before, self._stuck = self._stuck, transport.get_write_buffer_size()
            return bool(before - self._stuck < WINDOW_BYTES)
        sending = self._content is not None and not self._content.is_eof() and transport.is_reading()
        return bool(sending and taken < WINDOW_BYTES)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.transport.get_write_buffer_size() if self.transport is not None else 0
        self._window = (self._loop.time(), self._taken)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stuck, self._since = None, self._loop.time()

    async def start(self) -> None:
        """Serve until the end; what aiohttp can't even make a request of is answered here, and is no fault of ours."""
        try:
            await super().start()
        except Exception:
            self._not_http()

    def data_received(self, data: bytes) -> None:
        self._taken += len(data)
        if self._waits_for == "request":
            self._waits_for, self._since = "header", self._loop.time()
        try:
            super().data_received(data)
        except Exception:  # a target that is no URL, in aiohttp before 3.10
            self._not_http()

    def _not_http(self) -> None:
        """Refuse what can't be read, and close: nobody knows where the next request begins."""
        if self.transport is not None and self._waits_for != "handler":
            self.transport.write(messages.as_bytes(Problem(400, "malformed_request", NOT_HTTP)))
        self.force_close()

    def cut_off(self) -> None:
        """End it at once, whatever is on its way."""
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: Optional[BaseException]) -> None:
        self._gone(self)
        super().connection_lost(exc)
        for callback in tuple(self._left):
            callback()

    def handle_error(self, request: Any, status: int = 500, exc: Any = None, message: Optional[str] = None) -> Any:
        """Answer what aiohttp refuses by itself; the connection is closed, since nobody knows where the next request begins."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun: nothing can be added but its end")
        if status >= 500:
            problem = Problem(status, "internal", "this is a bug in Baton; the journal has the details")
        else:
            problem = Problem(status, WORDS.get(status, "malformed_request"), NOT_HTTP)
        response = messages.refuse(problem, request)
        response.force_close()
        return response
