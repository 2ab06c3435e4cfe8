# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""aiohttp's connection, made to speak as the rest of the API does.

A request that is no HTTP never reaches a handler of ours; aiohttp would answer it in HTML, or not at all, and log it with its headers,
tokens included.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Callable, Iterator, Optional, Set

from ...core.problem import Problem
from ..aio import web
from . import messages

LOG = logging.getLogger("baton.http")
WORDS = {
    400: "malformed_request",
    413: "body_too_large",
    414: "request_line_too_long",
    431: "headers_too_large",
}
NOT_HTTP = "this is not a well-formed HTTP/1.1 request"


class Silent(logging.Logger):
    """aiohttp's log of a connection: what it says of a request may hold secrets, so only that something happened is kept."""

    def handle(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            LOG.warning("a request could not be read or answered; its connection was closed")


_Base: Any = object if web is None else web.RequestHandler


class Connection(_Base):  # type: ignore[misc]
    """One connection of a client."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._left: Set[Callable[[], Any]] = set()
        self._busy = False

    def on_lost(self, callback: Callable[[], Any]) -> Callable[[], None]:
        """Call back when the client is gone; returns what ends it."""
        self._left.add(callback)
        return lambda: self._left.discard(callback)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """A handler is at work."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    async def start(self) -> None:
        """Serve until the end; what aiohttp can't even make a request of is answered here, and is no fault of ours."""
        try:
            await super().start()
        except Exception:
            self._not_http()

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except Exception:  # a target that is no URL, in aiohttp before 3.10
            self._not_http()

    def _not_http(self) -> None:
        """Refuse what can't be read, and close: nobody knows where the next request begins."""
        if self.transport is not None and not self._busy:
            self.transport.write(messages.as_bytes(Problem(400, "malformed_request", NOT_HTTP)))
        self.force_close()

    def connection_lost(self, exc: Optional[BaseException]) -> None:
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
