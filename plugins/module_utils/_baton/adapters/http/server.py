# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening socket. Bodies are taken as they are sent: compressed ones are refused in app.py, before a byte is expanded."""
from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any, Dict, Optional

from ..aio import web
from .connection import Connection, Silent

LOG = logging.getLogger("baton.http")
STOP_SECONDS = 2.0


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
        log = Silent("baton.http.connection")

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
