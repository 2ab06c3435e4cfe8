# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node, its service and its HTTP API in the test's own process, with a disk that is done when the test says so.

What is asked meanwhile is committed by one and the same commit.
"""

import asyncio
from contextlib import asynccontextmanager

import aiohttp

from baton.adapters.disk.files import BlobStore
from baton.adapters.http.app import build_app
from baton.adapters.http.server import Server
from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model.config import NodeConfig
from baton.core.model.documents import Change
from baton.core.model.log import Epoch
from baton.core.model.record import Member, Record
from baton.core.model.saved import Saved
from baton.core.model.timing import PROFILES
from baton.core.node import Node
from baton.daemon.service import Service
from support.cluster import eventually, free_port


class OneNode:
    """Serves alone. ``held``: nothing reaches the disk until ``write_down``; else it does at once."""

    def __init__(self, **config):
        timing = PROFILES["balanced"]
        options = NodeConfig("n1", "sim://n1", "ha", "1", "sim/sim", timing, "p", shared=True, **config)
        self.node = Node(options, Saved("n1-disk"))
        self.now = 100.0
        self.held = False
        self.swaps = []
        self.service = Service(self.node, self.tell, lambda: self.now)
        self.heads = self.node.state.heads
        self._stores = []
        self.tell(ev.Started())
        self.tell(ev.RecordRead(5, Record("c1", Epoch(1, "e1"), "n1", (Member("n1", "n1-disk"),))))
        self.tell(ev.SwapAnswer(self.swaps[-1].record.nonce, True, 6))
        assert self.node.serving(self.now)

    def tell(self, event):
        for command in self.node.handle(event, self.now):
            if isinstance(command, cmd.Reply):
                self.service.reply(command)
            elif isinstance(command, cmd.Changed):
                self.service.changed(command)
            elif isinstance(command, cmd.Store):
                self._stores.append(command.id)
            elif isinstance(command, cmd.Swap):
                self.swaps.append(command)
        if not self.held:
            self.write_down()

    def write_down(self):
        """All that was asked so far is on the disk, and with that committed."""
        held, self.held = self.held, True
        while self._stores or self.node.to_flush:
            if self._stores:
                self.tell(ev.Stored(self._stores.pop(0)))
            else:
                self.tell(ev.Flush())
        self.held = held

    def ask(self, *changes):
        """Submit changes as one entry; return the future of its outcome."""
        return asyncio.ensure_future(self.service.submit(changes))

    @property
    def waiting(self):
        """Return for how many documents somebody waits, each counted as often as it is waited for; but for tokens, with which one waits."""
        return sum(len(callbacks) for (kind, _key), callbacks in self.service._subscribers.items() if kind != "tokens")

    @property
    def listening(self):
        """Return how many requests stay: each wait and each stream is told when the role changes."""
        return len(self.service._role_callbacks)

    async def at_once(self, *entries):
        """Commit entries, each a tuple of changes, by one and the same commit."""
        self.held = True
        asked = [self.ask(*changes) for changes in entries]
        await asyncio.sleep(0)
        self.held = False
        self.write_down()
        return await asyncio.gather(*asked)


def put(kind, key, value=None):
    return Change(kind, key, "put", value or {})


def set_param(key, param, value, kind="profiles"):
    return Change(kind, key, "patch", [{"op": "add", "path": "", "value": value}], at=("Params", param))


def unset_param(key, param, kind="profiles"):
    return Change(kind, key, "patch", [{"op": "remove", "path": ""}], at=("Params", param))


@asynccontextmanager
async def served(node, folder):
    """Serve the API of ``node`` on loopback; give a session whose paths stand below it."""
    port = free_port()
    await node.service.make_admin("the-admin")
    nobody = {"is_ha_token": lambda _text: False, "may_order": lambda _request: False, "is_node": lambda _request: False}
    server = Server(build_app(node.service, BlobStore(folder), version="1", **nobody))
    node.service.connections = server.status
    await server.start("127.0.0.1", port, None)
    session = aiohttp.ClientSession(f"http://127.0.0.1:{port}/", headers={"Authorization": "Bearer the-admin"})
    try:
        yield session
    finally:
        await session.close()
        node.service.stop("the test is over")
        await server.stop()


__all__ = ["OneNode", "eventually", "put", "served", "set_param", "unset_param"]
