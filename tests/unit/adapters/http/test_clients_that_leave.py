# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that hang up in the middle of a wait or a stream, or take nothing any more: nothing of them is kept."""

import asyncio
import json

import aiohttp
import pytest

from baton.adapters.http import events
from baton.core.model.documents import Change
from support.one_node import OneNode, eventually, put, served, set_param


def play(folder, script):
    async def whole():
        node = OneNode()
        async with served(node, folder) as session:
            await node.at_once((put("profiles", "p"),))
            return await asyncio.wait_for(script(node, session), 30)

    return asyncio.run(whole())


WAITS = [
    ("GET", "/api/v3/profiles/p/params/x?wait=exists&timeout=300&settled=1&escape=stop", None),
    ("GET", "/api/v3/machines?wait=count&value=3&timeout=300", None),
    ("POST", "/api/v3/barriers/b/arrive", {"Owner": "me", "Count": 2, "Wait": 300}),
    ("POST", "/api/v3/locks/l/acquire", {"Owner": "late", "Wait": 300}),
]


@pytest.mark.parametrize(("method", "path", "body"), WAITS)
def test_a_wait_ends_when_its_client_hangs_up(tmp_path, method, path, body):
    async def script(node, session):
        async with session.post("/api/v3/locks/l/acquire", data=json.dumps({"Owner": "first"})):
            pass
        data = None if body is None else json.dumps(body)
        async with aiohttp.ClientSession(session._base_url, headers=session.headers) as leaving:
            leaving.connector._limit = 0
            waits = [asyncio.ensure_future(leaving.request(method, path, data=data)) for _number in range(100)]
            await eventually(lambda: node.listening == 100, "all wait")
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        await eventually(lambda: node.listening == 0 and node.waiting == 0, "nobody is waited for")
        async with session.get("/api/v3/profiles/p") as answer:
            assert answer.status == 200

    play(tmp_path, script)


@pytest.mark.parametrize("socket", [False, True])
def test_a_stream_ends_when_its_client_hangs_up(tmp_path, socket, monkeypatch):
    monkeypatch.setattr(events, "ALIVE", 1000.0)

    async def script(node, session):
        path = "/api/v3/events?key=never"
        async with aiohttp.ClientSession(session._base_url, headers=session.headers) as leaving:
            if socket:
                await leaving.ws_connect(path)
            else:
                await leaving.get(path)
            await eventually(lambda: node.listening == 1, "it streams")
        await eventually(lambda: node.listening == 0, "it has ended")

    play(tmp_path, script)


@pytest.mark.parametrize("socket", [False, True])
def test_a_stream_ends_with_its_token(tmp_path, socket):
    async def script(node, session):
        async with session.post("/api/v3/tokens", json={"Scope": {"kind": "admin"}}) as answer:
            made = await answer.json()
        headers = {"Authorization": f"Bearer {made['Token']}"}

        async def said():
            path = "/api/v3/events?kinds=profiles"
            if socket:
                async with session.ws_connect(path, headers=headers) as stream:
                    return [json.loads(message.data) async for message in stream]
            async with session.get(path, headers=headers) as answer:
                lines = (await answer.text()).splitlines()
                return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]

        async def waited():
            async with session.get("/api/v3/profiles/p/params/x?wait=exists", headers=headers) as answer:
                return answer.status

        stream, wait = asyncio.ensure_future(said()), asyncio.ensure_future(waited())
        await eventually(lambda: node.listening == 2, "both listen")
        await node.at_once((Change("tokens", made["Id"], "delete"),), (set_param("p", "x", "secret"),))
        begin, end = await stream
        assert set(begin) == {"Cursor"} and (end["status"], end["type"]) == (401, "urn:baton:bad_token")
        assert await wait == 401

    play(tmp_path, script)


@pytest.mark.parametrize("socket", [False, True])
def test_a_client_that_takes_nothing_any_more_is_left(tmp_path, socket, monkeypatch):
    monkeypatch.setattr(events, "STALLED", 0.3)

    async def script(node, session):
        url = session._base_url
        reader, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
        more = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        more += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        head = f"GET /api/v3/events HTTP/1.1\r\nHost: x\r\n{more if socket else ''}Authorization: Bearer the-admin\r\n\r\n"
        writer.write(head.encode())
        await eventually(lambda: node.listening == 1, "it streams")
        for number in range(40):
            await node.at_once((set_param("p", "x", f"{number}" + "x" * 1_000_000),))
        await eventually(lambda: node.listening == 0, "it is left alone")
        writer.transport.abort()

    play(tmp_path, script)
