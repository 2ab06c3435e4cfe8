# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What probes and metrics say of a node on which the VIP would not work: the HTTP API as it is, on a node that is told so."""

import asyncio

import pytest

from baton.adapters.aio import aiohttp
from baton.adapters.disk.files import BlobStore
from baton.adapters.http.app import build_app
from baton.adapters.http.server import Server
from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model.config import NodeConfig
from baton.core.model.saved import Saved
from baton.core.model.timing import PROFILES
from baton.core.node import Node
from baton.daemon.service import Service
from support.cluster import free_port

DEAD = "the VIP's interface eth0 has no carrier"
NOW = 100.0


@pytest.fixture
def node():
    """The active of a cluster of its own."""
    config = NodeConfig("n1", "sim://n1", "ha", "1.0.0", "sim/sim", PROFILES["balanced"], "p1", may_create=True)
    node = Node(config, Saved("n1-disk"))
    node.handle(ev.Started(), NOW)
    swap = next(c for c in node.handle(ev.RecordRead(-1, None), NOW) if isinstance(c, cmd.Swap))
    commands = node.handle(ev.SwapAnswer(swap.record.nonce, True, 1), NOW)
    while any(isinstance(c, cmd.Store) for c in commands):
        stores = [c.id for c in commands if isinstance(c, cmd.Store)]
        commands = node.handle(ev.Stored(stores[-1]), NOW)
    assert node.serving(NOW)
    return node


def asked(node, tmp_path, *paths):
    """Return (status, body) of each path."""

    async def ask():
        service = Service(node, lambda event: None, lambda: NOW)
        nobody = {name: lambda _: False for name in ("is_ha_token", "may_order", "is_node")}
        app = build_app(service, BlobStore(tmp_path, 1.0), version="1", **nobody)
        server, port = Server(app), free_port()
        await server.start("127.0.0.1", port, None)
        try:
            async with aiohttp.ClientSession() as session:
                found = []
                for path in paths:
                    async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                        found.append((answer.status, await (answer.text() if path == "/metrics" else answer.json())))
                return found
        finally:
            server.close()
            await server.stop()

    return asyncio.run(ask())


def test_a_node_whose_vip_works_says_nothing_of_it(node, tmp_path):
    (active, said), (health, _said), (_ok, metrics) = asked(node, tmp_path, "/active", "/health", "/metrics")
    assert (active, health, said["unable"]) == (200, 200, None)
    assert "baton_vip_able 1\n" in metrics


def test_an_active_without_a_vip_serves_and_says_that_it_is_in_trouble(node, tmp_path):
    """A load balancer that asks /active must not lose the one node that serves; whoever watches asks /health."""
    node.handle(ev.VipHealth(DEAD), NOW)
    (active, said), (health, _said), (_ok, metrics) = asked(node, tmp_path, "/active", "/health", "/metrics")
    assert (active, health) == (200, 503)
    assert said["unable"] == DEAD and said["error"].startswith(f"n1 can't hold the VIP: {DEAD}; ")
    assert "baton_vip_able 0\n" in metrics and "baton_trouble 1\n" in metrics
