# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses the API is served on."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from baton.adapters.http.server import Server
from support.cluster import free_port


async def answers(port, host):
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(f"http://{host}:{port}/") as answer:
                return answer.status
        except aiohttp.ClientConnectorError:
            return None


@pytest.mark.parametrize(("listens", "v4", "v6"), [("::", 404, 404), ("0.0.0.0", 404, None), ("::1", None, 404)])
def test_all_addresses_of_ipv6_are_all_of_ipv4_too(listens, v4, v6):
    async def ask():
        server, port = Server(web.Application()), free_port()
        await server.start(listens, port, None)
        try:
            return await answers(port, "127.0.0.1"), await answers(port, "[::1]")
        finally:
            await server.stop()

    assert asyncio.run(ask()) == (v4, v6)
