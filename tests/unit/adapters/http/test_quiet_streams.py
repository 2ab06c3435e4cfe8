# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of events that nothing concerns: a sign of life and a fresh cursor, however much is committed meanwhile."""

import asyncio
import json

import pytest

from baton.adapters.http import events
from baton.client.api import Client
from baton.client.connection import Connection
from baton.client.event_stream import follow
from support.one_node import OneNode, put, served, set_param
from support.scripted_server import Answer, ScriptedServer


@pytest.fixture
def node():
    return OneNode()


async def busy(node, stop):
    """Commit again and again what the stream was not asked for; a commit follows another sooner than a sign of life is due."""
    number = 0
    while not stop.is_set():
        number += 1
        await node.at_once((set_param("busy", "n", number),))
        await asyncio.sleep(0)


def seq(cursor):
    return int(cursor.split(".")[-2])


def quiet(node, folder, read):
    """Return what ``read(session, path)`` gives while another document changes all the time."""

    async def run():
        async with served(node, folder) as session:
            await node.at_once((put("profiles", "busy"),), (put("profiles", "quiet"),))
            stop = asyncio.Event()
            writer = asyncio.ensure_future(busy(node, stop))
            try:
                return await asyncio.wait_for(read(session), 20)
            finally:
                stop.set()
                await writer

    return asyncio.run(run())


PATH = "/api/v3/events?kinds=profiles&key=quiet"


def test_a_quiet_stream_on_a_busy_node_gets_signs_of_life_with_fresh_cursors(node, tmp_path, monkeypatch):
    monkeypatch.setattr(events, "ALIVE", 0.2)
    monkeypatch.setattr(events, "FAR", 10**9)

    async def read(session):
        cursors = []
        async with session.get(PATH) as answer:
            async for line in answer.content:
                if line.startswith(b"id: "):
                    cursors.append(line.decode()[4:].strip())
                if len(cursors) == 3:
                    return cursors
        return cursors

    begin, first, second = quiet(node, tmp_path, read)
    assert seq(begin) < seq(first) < seq(second)


def test_so_does_a_websocket_as_a_message_of_its_own(node, tmp_path, monkeypatch):
    monkeypatch.setattr(events, "ALIVE", 0.2)
    monkeypatch.setattr(events, "FAR", 10**9)

    async def read(session):
        async with session.ws_connect(PATH) as socket:
            return [await socket.receive_json() for _number in range(3)]

    begin, first, second = quiet(node, tmp_path, read)
    assert all(set(message) == {"Cursor"} for message in (begin, first, second))
    assert seq(begin["Cursor"]) < seq(first["Cursor"]) < seq(second["Cursor"])


def test_much_that_was_left_out_is_a_reason_for_one_before_the_log_is_cut(node, tmp_path, monkeypatch):
    monkeypatch.setattr(events, "FAR", 20)

    async def read(session):
        async with session.ws_connect(PATH) as socket:
            return [await socket.receive_json() for _number in range(3)]

    begin, first, second = (seq(message["Cursor"]) for message in quiet(node, tmp_path, read))
    assert begin + 20 <= first and first + 20 <= second


def test_who_comes_back_with_the_cursor_of_a_sign_of_life_misses_nothing(node, tmp_path, monkeypatch):
    monkeypatch.setattr(events, "FAR", 20)

    async def read(session):
        async with session.ws_connect(PATH) as socket:
            cursor = [await socket.receive_json() for _number in range(2)][-1]["Cursor"]
        await node.at_once((set_param("quiet", "n", 1),), (set_param("quiet", "n", 2),))
        async with session.ws_connect(f"{PATH}&since={cursor}") as socket:
            found = []
            while len(found) < 2:
                message = await socket.receive_json()
                found += [step["value"] for step in message.get("Patch", ())]
        return found

    assert quiet(node, tmp_path, read) == [1, 2]


def test_our_client_goes_on_from_the_cursor_of_a_sign_of_life():
    stream = {"Content-Type": "text/event-stream"}
    first = b'id: 1.a.5.1\nevent: begin\ndata: {"Cursor": "1.a.5.1"}\n\nid: 1.a.900.1\n: alive\n\n'
    event = {"Cursor": "1.a.901.1", "Kind": "profiles", "Key": "p", "Action": "delete"}
    second = f"id: 1.a.901.1\ndata: {json.dumps(event)}\n\n".encode()
    with ScriptedServer(Answer(200, first, stream), Answer(200, second, stream)) as server:
        with Client(Connection((server.url,), "t", None, 10.0)) as client:
            assert next(iter(follow(client))) == event
        assert [request.path.partition("since=")[2] for request in server.requests] == ["", "1.a.900.1"]
