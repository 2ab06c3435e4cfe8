# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot goes from one node's documents to another's disk in parts: whole, or it leaves nothing."""

import asyncio
import json
import sqlite3
from contextlib import closing
from functools import partial
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web

from baton.adapters.disk.sqlite import DataDirectory, load
from baton.adapters.peers import snapshots
from baton.adapters.peers.snapshots import PATH, _rows, copy
from baton.core.model.document import Document
from baton.core.state.heads import Heads
from baton.ground.values import dumps, measure
from support.cluster import free_port

INCARNATION = "00000000000000aa"


def document(kind, key, value, revision="2.7"):
    return Document(kind, key, value, revision, measure(value)[0])


DOCUMENTS = [
    *(document("machines", f"m{number}", {"Uuid": f"m{number}", "Params": {"é": [number, 1.0, None, '"\\']}}) for number in range(50)),
    document("profiles", "large", {"Name": "large", "Params": {str(number): "x" * 1_000 for number in range(100)}}),
    document("locks", "l", {"Holders": {}}),
    document("history", "1", {"Epoch": 1, "Id": "e", "First": 1}, "1.1"),
    document("history", "2", {"Epoch": 2, "Id": "f", "First": 5}, "2.5"),
]
REPLIES = [["key", "f", 5, "2.6", [["profiles", "p"]]]]


def header(documents=len(DOCUMENTS), replies=len(REPLIES)):
    return {"cluster_id": "c", "promised": [2, "f"], "position": [[2, "f"], 9], "documents": documents, "replies": replies}


def lines(documents=DOCUMENTS, replies=tuple(REPLIES)):
    return dumps(header()) + "\n" + "".join(_rows(documents)) + "".join(dumps(row) + "\n" for row in replies)


@pytest.fixture
def copied(tmp_path):
    """Return what copies a text as a snapshot, and returns (header, reigns)."""

    def run(text, status=200):
        async def answer(_request):
            return web.Response(body=text.encode(), status=status)

        async def whole():
            app = web.Application()
            app.router.add_get(PATH, answer)
            runner, port = web.AppRunner(app), free_port()
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            loop = asyncio.get_running_loop()
            async with aiohttp.ClientSession() as session:
                links = SimpleNamespace(session=session, headers={}, tls=False)
                try:
                    make = partial(DataDirectory(tmp_path).create, INCARNATION)
                    return await copy(links, f"http://127.0.0.1:{port}/", "n1", make, partial(loop.run_in_executor, None))
                finally:
                    await runner.cleanup()

        return asyncio.run(whole())

    return run


def shown(documents):
    return sorted((d.kind, d.key, d.revision, d.size, dumps(d.value)) for d in documents)


@pytest.mark.parametrize("at_once", [1, 1_000, 1 << 20])
def test_what_arrives_is_what_was_there(copied, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(snapshots, "AT_ONCE", at_once)
    head, reigns = copied(lines())
    saved = load(tmp_path / INCARNATION / "baton.db", INCARNATION)
    assert shown(saved.documents) == shown(DOCUMENTS) and saved.commit == head.position.seq == 9
    assert [list(map(list, row[4])) for row in saved.replies] == [REPLIES[0][4]]
    assert reigns and head.documents == len(DOCUMENTS)
    assert {d.key for d in saved.documents if d.is_packed} == {f"m{number}" for number in range(50)}


def test_a_packed_document_travels_as_one_that_is_parsed(copied, tmp_path):
    copied(lines())
    heads = Heads()
    heads.load(load(tmp_path / INCARNATION / "baton.db", INCARNATION).documents, 9)
    assert sorted("".join(_rows(heads.all())).splitlines()) == sorted("".join(_rows(DOCUMENTS)).splitlines())
    for line, item in zip("".join(_rows(DOCUMENTS)).splitlines(), DOCUMENTS):
        assert line == dumps([item.kind, item.key, item.revision, item.size, item.value])


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "cut short"),
        (lines()[:-30], "cut short"),
        (lines(DOCUMENTS[:-2], []), "cut short"),
        (lines(DOCUMENTS[:-1]), "was expected"),
        (lines(replies=[]), "cut short"),
        (lines(replies=REPLIES * 2), "more lines"),
        (lines().replace('"2.7"', '"2"', 1), "revision"),
        (lines().replace("[5,1.0", "[5,NaN", 1), "NaN is not a JSON number"),
        (lines().replace('{"Holders":{}}', "[]", 1), "object was expected"),
        ("{}\n", "is missing"),
        ("<html>\n", "not JSON"),
    ],
)
def test_what_is_no_whole_snapshot_leaves_nothing(copied, tmp_path, monkeypatch, text, why):
    monkeypatch.setattr(snapshots, "AT_ONCE", 500)
    with pytest.raises(ValueError, match=why):
        copied(text)
    database = tmp_path / INCARNATION / "baton.db"
    if database.exists():
        with closing(sqlite3.connect(database)) as connection:
            assert [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("documents", "facts")] == [(0,), (0,)]


def test_a_peer_that_has_none_is_asked_no_further(copied, tmp_path):
    with pytest.raises(ValueError, match="n1 answered 409"):
        copied("not active, or not yet\n", 409)
    assert not (tmp_path / INCARNATION).exists()


class TestDisk:
    def written(self, copied, tmp_path, text):
        copied(lines())
        database = tmp_path / INCARNATION / "baton.db"
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("UPDATE documents SET value = ? WHERE key = 'm3'", (text,))
            connection.commit()
        return database

    def test_a_text_that_somebody_else_has_written_is_answered_as_ever(self, copied, tmp_path):
        database = self.written(copied, tmp_path, '{"Uuid": "m3",\n "Params": {"a": 1e0, "a": 2.50}, "x": "é"}')
        (found,) = [document for document in load(database, INCARNATION).documents if document.key == "m3"]
        assert found.is_packed and found.text == dumps(json.loads('{"Uuid": "m3", "Params": {"a": 2.5}, "x": "é"}'))

    @pytest.mark.parametrize("text", ['{"Uuid": "m3"', "", "[]", "5", "{'a': 1}"])
    def test_a_text_that_is_none_is_found_at_the_start(self, copied, tmp_path, text):
        with pytest.raises(ValueError):
            load(self.written(copied, tmp_path, text), INCARNATION)
