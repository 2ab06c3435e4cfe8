# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening socket, and aiohttp's connections made to speak as the rest of the API does.

A request that is no HTTP never reaches a handler of ours; aiohttp would answer it in HTML and log it with its headers, tokens
included. Bodies are taken as they are sent: compressed ones are refused in app.py, before a byte of them is expanded.
"""
from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any, Callable, Dict, Optional, Set

from ...core.problem import Problem
from ..aio import web
from . import messages

LOG = logging.getLogger("baton.http")
STOP_SECONDS = 2.0
WORDS = {400: "malformed_request", 413: "body_too_large", 414: "request_line_too_long", 431: "headers_too_large"}


class _Silent(logging.Logger):
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

    def on_lost(self, callback: Callable[[], Any]) -> Callable[[], None]:
        """Call back when the client is gone; returns what ends it."""
        self._left.add(callback)
        return lambda: self._left.discard(callback)

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
            problem = Problem(status, WORDS.get(status, "malformed_request"), "this is not a well-formed HTTP/1.1 request")
        response = messages.refuse(problem, request)
        response.force_close()
        return response


def _both_families(port: int) -> socket.socket:
    """Return a socket for IPv6 that takes IPv4, too: asyncio's own would not, whatever the host's settings."""
    return socket.create_server(("::", port), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True)


class Server:
    """An application on a port."""

    def __init__(self, app: Any) -> None:
        self._runner: Any = web.AppRunner(app, access_log=None, handle_signals=False)
        self._listening: Optional[asyncio.AbstractServer] = None

    async def start(self, host: str, port: int, tls: Optional[ssl.SSLContext]) -> None:
        """Listen; OSError when the address can't be had."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        log = _Silent("baton.http.connection")

        def connection() -> Connection:
            return Connection(self._runner.server, loop=loop, access_log=None, logger=log, auto_decompress=False)

        where: Dict[str, Any] = {"sock": _both_families(port)} if host == "::" else {"host": host, "port": port, "reuse_address": True}
        self._listening = await loop.create_server(connection, **where, ssl=tls, backlog=1024)

    def close(self) -> None:
        """Take no more connections."""
        if self._listening is not None:
            self._listening.close()

    async def stop(self) -> None:
        """End those that are open; aiohttp would wait a minute for one that a peer has just made."""
        self.close()
        try:
            await asyncio.wait_for(self._runner.cleanup(), STOP_SECONDS)
        except asyncio.TimeoutError:
            LOG.info("left connections that did not end by themselves")
