# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One watch of one key on one member of etcd: a response that does not end, a JSON object a line.

Decides nothing, and believes nothing: whatever answers is bounded in bytes and in time.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from typing import Any, Deque, Dict, Optional

from ..aio import aiohttp, within
from ..resolver import reason
from .etcd_gateway import (
    MOST_BYTES,
    MOST_TEXT,
    UNAUTHENTICATED,
    Gateway,
    Refused,
    answer_of,
    bounded,
    refusal,
)

WATCH_SECONDS = 10.0  # a watch is made anew after this: a frozen member can't keep us in the dark
OPEN_SECONDS = 1.0  # until etcd has said that it watches
MOST_RESULTS = 256  # of one watch: a record changes when nodes come and go


class Watch:
    """``created``: etcd has said that it watches. Close it in the end.

    ``certificate_end``: when the certificate that it shows ends, in unix seconds; None without TLS.
    """

    def __init__(self, gateway: Gateway, key: str) -> None:
        self.endpoint = gateway.first
        self.created = False
        self.certificate_end: Optional[float] = None
        self._gateway = gateway
        self._key = key
        self._response: Any = None
        self._lines: Deque[bytes] = deque()
        self._rest = bytearray()
        self._bytes = self._results = 0
        self._ended = False

    async def open(self) -> None:
        """Begin to watch what changes from now on.

        Without a revision to start at: etcd would wait in silence for one that does not exist yet,
        after a backup of it was restored. What changed before is for a read to tell.
        Raises what ``next`` raises.
        """
        token = await self._gateway.token(self.endpoint)
        try:
            await within(OPEN_SECONDS, self._send(token))
        except Refused as error:
            if error.code == UNAUTHENTICATED:
                self._gateway.refused(token)
            raise
        self.created = True

    async def _send(self, token: str) -> None:
        body = {"create_request": {"key": self._key}}
        timeout = aiohttp.ClientTimeout(total=WATCH_SECONDS)
        self._response = await self._gateway.send(self.endpoint, "/v3/watch", body, token, timeout)
        if self._response.status != 200:
            answer_of(self._response.status, await bounded(self._response))
        self.certificate_end = _certificate_end(self._response.connection)
        first = await self.next()
        if first is None or not first.get("created"):
            raise ValueError("it does not say that it watches: is that etcd?")

    async def next(self) -> Optional[Dict[str, Any]]:
        """Return the next result, None when the other side has ended it.

        ValueError for what etcd would not say, Refused when it cancels, asyncio.TimeoutError after
        ``WATCH_SECONDS``, aiohttp.ClientError or OSError when the connection breaks.
        """
        while not self._lines and not self._ended:
            chunk = await self._response.content.readany()
            self._take(chunk)
        if not self._lines:
            return None
        self._results += 1
        if self._results > MOST_RESULTS:
            raise ValueError(f"it tells more than {MOST_RESULTS} things at once: is that etcd?")
        return _result(self._lines.popleft())

    def _take(self, chunk: bytes) -> None:
        self._bytes += len(chunk)
        if self._bytes > MOST_BYTES:
            raise ValueError(f"it tells more than {MOST_BYTES} bytes at once: is that etcd?")
        self._rest += chunk
        self._ended = not chunk
        if b"\n" in chunk or self._ended:
            lines = bytes(self._rest).split(b"\n")
            self._rest = bytearray() if self._ended else bytearray(lines.pop())
            self._lines.extend(line for line in lines if line.strip())

    def why(self, error: Exception) -> str:
        """Return why the watch ended with ``error``, for the journal."""
        if isinstance(error, asyncio.TimeoutError):
            return f"{self.endpoint}: it does not say within {OPEN_SECONDS:g} s that it watches"
        return f"{self.endpoint}: {reason(error)}"

    def close(self) -> None:
        if self._response is not None:
            self._response.close()


def _certificate_end(connection: Any) -> Optional[float]:
    transport = getattr(connection, "transport", None)
    shown = transport.get_extra_info("peercert") if transport is not None else None
    return float(ssl.cert_time_to_seconds(shown["notAfter"])) if shown else None


def _result(line: bytes) -> Dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    result = found.get("result") if isinstance(found, dict) else None
    if not isinstance(result, dict):
        if isinstance(found, dict) and "error" in found:
            raise refusal(200, found)
        text = line[:MOST_TEXT].decode("ascii", "backslashreplace")
        raise ValueError(f"it says {text!r}: is that etcd?")
    if result.get("canceled") or result.get("compact_revision"):
        raise refusal(200, {"error": result.get("cancel_reason") or "the watch was cancelled"})
    return result
