# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server on loopback that answers reads as an empty etcd does, watches as it is told."""

import asyncio
import json
import time

from aiohttp import web

HEADER = {"cluster_id": "1", "member_id": "1", "revision": "5", "raft_term": "2"}
CREATED = json.dumps({"result": {"header": HEADER, "created": True}}).encode() + b"\n"


def whole(body=b"", status=200, **headers):
    """A watch that is answered at once, and ended."""

    async def play(_request):
        return web.Response(body=body, status=status, headers=headers)

    return play


def stream(*pieces, endless=b"", end=False):
    """A watch that sends these pieces, then ``endless`` again and again, or ends, or stays open."""

    async def play(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        while endless:
            await response.write(endless)
            await asyncio.sleep(0)
        if not end:
            await asyncio.Event().wait()
        await response.write_eof()
        return response

    return play


async def cut(request):
    """A watch whose connection is closed instead of an answer."""
    request.transport.close()
    return web.Response()


class BadEtcd:
    """``watch`` and ``read`` play answers; ``watches``: when each watch came, in seconds."""

    def __init__(self, watch, read=None):
        self.watch = watch
        self.read = read or whole(json.dumps({"header": HEADER}).encode())
        self.watches = []
        self.reads = []
        self.tokens = 0
        self._playing = set()

    async def __aenter__(self):
        app = web.Application()
        app.add_routes([web.post("/v3/kv/range", self._read), web.post("/v3/watch", self._watch)])
        app.add_routes([web.post("/v3/auth/authenticate", self._log_in)])
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_exc):
        for task in self._playing:
            task.cancel()
        await self._runner.cleanup()

    async def _read(self, request):
        self.reads.append(time.monotonic())
        return await self._play(self.read(request))

    async def _watch(self, request):
        self.watches.append(time.monotonic())
        return await self._play(self.watch(request))

    async def _log_in(self, _request):
        """Give another token each time: token-1, token-2…"""
        self.tokens += 1
        return web.json_response({"header": HEADER, "token": f"token-{self.tokens}"})

    async def _play(self, work):
        task = asyncio.current_task()
        self._playing.add(task)  # some never end by themselves
        try:
            return await work
        finally:
            self._playing.discard(task)
