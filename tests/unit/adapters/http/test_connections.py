# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that nobody uses, of a real server: they end, and they keep nobody out."""

import asyncio
import contextlib
import logging
import os
import resource
import socket
import ssl

import aiohttp
import pytest

from baton.adapters.certificates import Certificates, Files
from baton.adapters.disk.files import BlobStore
from baton.adapters.folded import Folded
from baton.adapters.http import connection as module
from baton.adapters.http import server as server_module
from baton.adapters.http import stays
from baton.adapters.http.app import build_app
from baton.adapters.http.server import Server
from baton.core.admission import Limits
from support.certificates import Authority
from support.cluster import eventually, free_port
from support.one_node import OneNode, put

LIMITS = Limits(total=40, strangers=10, address_strangers=8, clients=20, address_clients=20, known=25)


class Door:
    """The API of one node, behind a server with few connections."""

    def __init__(self, node, server, port):
        self.node, self.server, self.port = node, server, port
        self.used = lambda: server.admission.used

    async def connect(self, data=b""):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        return reader, writer

    async def ask(self, path="/api/v3/info", token="the-admin"):
        """Return the status of a request on a connection of its own."""
        reader, writer = await self.connect(request(path, token, "Connection: close\r\n"))
        try:
            line = await reader.readline()
            return int(line.split()[1]) if line else 0
        finally:
            writer.close()


def request(path, token="the-admin", more="", method="GET"):
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n".encode()


def play(folder, script, limits=LIMITS, tls=None):
    async def whole():
        node = OneNode()
        await node.service.make_admin("the-admin")
        await node.at_once((put("profiles", "p"),))
        nobody = {"is_ha_token": lambda _text: False, "may_order": lambda _request: False, "is_node": lambda _request: False}
        server = Server(build_app(node.service, BlobStore(folder), version="1", **nobody), limits)
        port = free_port()
        await server.start("127.0.0.1", port, tls)
        try:
            return await asyncio.wait_for(script(Door(node, server, port)), 30)
        finally:
            node.service.stop("the test is over")
            await server.stop()

    return asyncio.run(whole())


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(server_module, "LOOK_SECONDS", 0.02)
    for where in (module, server_module):
        monkeypatch.setattr(where, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.3)
    monkeypatch.setattr(module, "WINDOW_SECONDS", 0.3)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("tls"))
    authority.issue("n1", "127.0.0.1")
    return authority


def server_tls(authority):
    names = (str(authority.folder / name) for name in ("n1.pem", "n1.key", "ca.pem"))
    return Certificates().server(Files(*names))


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01"])
def test_a_handshake_that_does_not_come_to_an_end_is_ended(tmp_path, impatient, authority, data):
    async def script(door):
        reader, writer = await door.connect(data)
        await eventually(lambda: door.used() == 1, "it is counted before its handshake")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        await eventually(lambda: door.used() == 0, "it is not counted any more")
        writer.close()

    play(tmp_path, script, tls=server_tls(authority))


def test_whoever_has_a_token_gets_in_while_handshakes_stand_still(tmp_path, authority, caplog):
    client = ssl.create_default_context(cafile=str(authority.folder / "ca.pem"))

    async def script(door):
        held = [await door.connect() for _number in range(60)]
        await eventually(lambda: door.used() == LIMITS.address_strangers, "as many as may be")
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=client)
        writer.write(request("/api/v3/info"))
        assert b" 200 " in await reader.readline()
        for _reader, other in (*held, (reader, writer)):
            other.close()
        await eventually(lambda: door.used() == 0, "all have left")
        assert not any(record.exc_info for record in caplog.records)

    play(tmp_path, script, tls=server_tls(authority))


@pytest.mark.parametrize("data", [b"", b"GET /active HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_connection_without_a_whole_request_is_ended(tmp_path, impatient, data):
    async def script(door):
        reader, writer = await door.connect(data)
        assert await reader.read() == b""
        await eventually(lambda: door.used() == 0, "it is not counted any more")
        writer.close()

    play(tmp_path, script)


def test_a_header_that_comes_a_byte_at_a_time_is_ended(tmp_path, impatient):
    async def script(door):
        reader, writer = await door.connect(b"GET /active HTTP/1.1\r\nX-A: ")
        ended = asyncio.ensure_future(reader.read())
        while not ended.done():
            writer.write(b"x")
            await asyncio.wait({ended}, timeout=0.02)
        assert ended.exception() is not None or ended.result() == b""
        writer.close()

    play(tmp_path, script)


def test_the_next_request_has_its_time_and_no_more(tmp_path, impatient):
    async def script(door):
        reader, writer = await door.connect(request("/api/v3/info"))
        assert b" 200 " in await reader.readline()
        assert (await reader.read()).endswith(b"}"), "and then it is idle, until it is ended"
        writer.close()

    play(tmp_path, script)


def test_a_body_that_does_not_come_is_ended_and_one_that_gets_on_is_not(tmp_path, impatient, monkeypatch):
    monkeypatch.setattr(module, "WINDOW_BYTES", 2000)

    async def script(door):
        head = request("/api/v3/profiles/p/params/x", more="Content-Length: 100000\r\n", method="PUT")
        reader, writer = await door.connect(head + b'"')
        assert await reader.read() == b""
        writer.close()
        reader, writer = await door.connect(head + b'"')
        answer = asyncio.ensure_future(reader.readline())
        for _number in range(49):
            writer.write(b"x" * 2000)
            await asyncio.wait({answer}, timeout=0.02)
        writer.write(b"x" * 1998 + b'"')
        assert b" 20" in await answer
        writer.close()

    play(tmp_path, script)


def test_a_client_that_takes_no_answer_is_ended(tmp_path, impatient):
    async def script(door):
        await door.node.at_once((put("profiles", "big", {"Params": {"x": "x" * 8_000_000}}),))
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, ("127.0.0.1", door.port))
            await loop.sock_sendall(client, request("/api/v3/profiles/big"))
            await eventually(lambda: door.used() == 1, "it is there")
            await eventually(lambda: door.used() == 0, "it is ended")

    play(tmp_path, script)


def test_a_request_that_waits_is_not_idle(tmp_path, impatient):
    async def script(door):
        reader, writer = await door.connect(request("/api/v3/profiles/p/params/x?wait=exists&timeout=1"))
        assert b" 408 " in await reader.readline()
        writer.close()

    play(tmp_path, script)


KINDS = {
    "nothing": b"",
    "half a header": b"GET /active HTTP/1.1\r\nX-A: ",
    "waits": b"GET /passive?wait=300 HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_has_a_token_gets_in_while_strangers_hold_all_they_can(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(stays, "WAITS", stays.WAITS)

    async def script(door):
        held = [await door.connect(KINDS[kind]) for _number in range(60)]
        await eventually(lambda: door.used() <= LIMITS.strangers, "as many as may be")
        for _number in range(5):
            assert await door.ask() == 200
            assert await door.ask("/active") == 200
        assert door.server.pushed_out >= 50 and door.server.trouble() == ""
        for _reader, writer in held:
            writer.close()

    play(tmp_path, script)


def test_strangers_that_wait_are_few(tmp_path, monkeypatch):
    async def script(door):
        path = "/passive?wait=300"
        waiting = [await door.connect(request(path)) for _number in range(60)]
        await eventually(lambda: door.node.listening == 64 or len(waiting) == 60, "they wait")
        last = [await door.connect(request(path)) for _number in range(10)]
        found = [await asyncio.wait_for(reader.readline(), 10) for reader, _writer in last[5:]]
        assert all(b" 429 " in line for line in found), found
        for _reader, writer in (*waiting, *last):
            writer.close()

    many = Limits(total=400, strangers=200, address_strangers=150, clients=20, address_clients=20, known=100)
    play(tmp_path, script, many)


def test_waits_of_a_token_have_a_limit_that_is_named(tmp_path, monkeypatch):
    few = stays.Most("requests that wait", 3, 100)
    monkeypatch.setattr(stays, "WAITS", few)
    monkeypatch.setattr("baton.adapters.http.locks.WAITS", few)

    async def script(door):
        path = "/api/v3/profiles/p/params/x?wait=exists&timeout=60"
        waiting = [await door.connect(request(path)) for _number in range(3)]
        await eventually(lambda: door.node.listening == 3, "they wait")
        reader, writer = await door.connect(request(path, more="Connection: close\r\n"))
        answer = await reader.read()
        assert b" 429 " in answer and b"there are 3 requests that wait with this token already" in answer
        writer.close()
        for _reader, writer in waiting:
            writer.close()
        await eventually(lambda: door.node.listening == 0, "they have left")
        assert await door.ask() == 200

    play(tmp_path, script)


def test_bodies_in_memory_are_bounded_and_those_of_an_admin_have_room_left(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BODIES", 4 << 20)

    async def script(door):
        async with aiohttp.ClientSession(f"http://127.0.0.1:{door.port}", headers={"Authorization": "Bearer the-admin"}) as admin:
            async with admin.post("/api/v3/profiles/p/token") as answer:
                token = (await answer.json())["Token"]
        path = "/api/v3/profiles/p/params/x"
        held = [await door.connect(request(path, token, "Content-Length: 1000000\r\n", "PUT") + b'"') for _number in range(2)]
        await eventually(lambda: door.server._bodies._taken == 2_000_000, "two come slowly")
        for whose, status in ((token, b" 503 "), ("the-admin", b" 204 ")):
            reader, writer = await door.connect(request(path, whose, "Content-Length: 1000000\r\n", "PUT") + b'"' + b"x" * 999998 + b'"')
            assert status in await reader.readline()
            writer.close()
        for _reader, writer in held:
            writer.close()
        await eventually(lambda: door.server._bodies._taken == 0, "nothing is held any more")

    play(tmp_path, script)


def test_without_descriptors_it_waits_for_some_and_says_so_once(tmp_path, caplog):
    caplog.set_level(logging.INFO)

    async def script(door):
        with contextlib.ExitStack() as clients:
            made = [clients.enter_context(socket.create_connection(("127.0.0.1", door.port))) for _number in range(30)]
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            next_one = os.dup(0)  # the lowest that is free
            os.close(next_one)
            resource.setrlimit(resource.RLIMIT_NOFILE, (next_one + 3, before[1]))
            try:
                await eventually(door.server.trouble, "it has noticed")
                assert "no connection can be taken" in door.server.trouble()
                again = door.server._folded._said
                await eventually(lambda: again["full"][1] >= 2, "it has tried again, and again")
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            await eventually(lambda: door.used() == len(made), "all are in")
        said = [record for record in caplog.records if "no connection can be taken" in record.getMessage()]
        assert len(said) == 1 and not any(record.exc_info for record in caplog.records)

    limits = Limits(total=400, strangers=200, address_strangers=150, clients=20, address_clients=20, known=100)
    play(tmp_path, script, limits)


def test_lines_that_a_stranger_causes_are_folded(caplog):
    now = [100.0]
    log = Folded(logging.getLogger("folded").warning, lambda: now[0])
    for number in range(1000):
        log.say("kind", f"line {number}")
    log.say("other", "another kind")
    now[0] += 61
    log.say("kind", "once more")
    said = [record.getMessage() for record in caplog.records]
    assert said == ["line 0", "another kind", "once more (999 more times before)"]
