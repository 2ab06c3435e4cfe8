# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that read the stream of events, and come back with their cursor wherever somebody is active."""

import asyncio
import json

import aiohttp

from histories.clients.client import Client
from histories.record import Operation

SILENCE = 3.0  # seconds without a byte after which a reader tries elsewhere
PAUSE = 0.1


class Watcher(Client):
    """Reads the changes of one profile: what it saw is kept in History.events, with the answers that refused a cursor."""

    async def run(self):
        self._cursor, self._seen = "", self.world.history.events.setdefault(self.name, [])
        number = 0
        while not self.world.done:
            number += 1
            since = f"&since={self._cursor}" if self._cursor else ""
            try:
                await self._read(f"{self.url}/api/v3/events?key=registers{since}")
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError):
                pass
            self.url = self._after(self.url)
            await asyncio.sleep(PAUSE)

    async def _read(self, url):
        limit = aiohttp.ClientTimeout(total=None, sock_read=SILENCE, sock_connect=0.5)
        headers = {"Authorization": f"Bearer {self.world.token}"}
        sent = self.now()
        async with self.world.session.get(
            url, headers=headers, timeout=limit, allow_redirects=False
        ) as answer:
            if answer.status != 200:
                if answer.status not in (307, 503):
                    self._refused(sent, answer.status, await answer.text())
                return
            async for kind, data in messages(answer):
                self._take(kind, data)
                if self.world.done:
                    return

    def _take(self, kind, data):
        if kind == "begin":
            if not self._cursor:  # from here on nothing may be missing
                self._cursor = data["Cursor"]
                self._seen.append({"begin": self.now()})
            return
        if kind == "":
            self._cursor = data["Cursor"]
            self._seen.append({**data, "at": self.now()})

    def _refused(self, sent, status, text):
        noted = Operation(
            self.name,
            "watch",
            "events",
            {"since": self._cursor},
            sent,
            back=self.now(),
            outcome="refused",
            status=status,
        )
        noted.answer, noted.node = text[:300], self.world.name_of(self.url)
        self.world.history.add(noted)


async def messages(answer):
    """Yield (kind, data) of each message of a stream; the kind of a change is ""."""
    kind = ""
    async for raw in answer.content:
        name, _colon, value = raw.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)
            kind = ""
