# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record on disk, ``local`` and ``manual``: others who use the file, damage, and a full disk.

Whatever happens, nothing is answered that is not stored, and what can't be read is not "no record".
"""

import asyncio
import json
import sqlite3
import threading
import time

import pytest

from baton.adapters.dcs import on_disk as dcs
from baton.adapters.dcs.on_disk import LocalStore, ManualStore
from baton.adapters.dcs.store import Health, WontTake
from baton.core.model.log import Epoch
from baton.core.model.record import Member, Record
from support.cluster import Cluster, eventually, until
from support.disk import full_at

TABLE = "CREATE TABLE record (id INTEGER PRIMARY KEY, version INTEGER, body TEXT)"
SHORT = 2.0  # seconds, on a machine that is busy; a call is to take 0.3 at most


def record(nonce, node="n1", number=1):
    return Record("c", Epoch(number, f"e{number}"), node, (Member(node, "i"),), nonce=nonce)


@pytest.fixture
def run():
    loop = asyncio.new_event_loop()
    yield loop.run_until_complete
    loop.close()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "dcs.db"


@pytest.fixture
def store(file, run):
    store = LocalStore(file)
    assert run(store.swap(-1, 0, record("first"))) == (True, 1)
    yield store
    run(store.stop())


@pytest.fixture
def other(file):
    """Another program that has the file open."""
    connections = []

    def connect(*statements):
        connection = sqlite3.connect(file, isolation_level=None)
        connections.append(connection)
        for statement in statements:
            connection.execute(statement).fetchall()
        return connection

    yield connect
    for connection in connections:
        connection.close()


def refused(run, call, text):
    """The call fails soon, says why, and the store says that it is not reachable."""
    began = time.monotonic()
    with pytest.raises(OSError) as caught:
        run(call)
    assert text in str(caught.value) and "\n" not in str(caught.value)
    assert time.monotonic() - began < SHORT


def nonce_of(run, store):
    return run(store.read())[1].nonce


def test_of_two_one_wins(run, file, store):
    rival = LocalStore(file)
    assert run(rival.swap(1, 1, record("rival"))) == (True, 2)
    assert run(store.swap(1, 1, record("late"))) == (False, 2)
    assert nonce_of(run, store) == nonce_of(run, rival) == "rival"
    run(rival.stop())


READING = ("BEGIN", "SELECT * FROM record")


def test_a_reader_is_in_nobodys_way(run, store, other):
    reader = other(*READING)
    began = time.monotonic()
    assert run(store.swap(1, 1, record("second"))) == (True, 2)
    assert time.monotonic() - began < SHORT
    assert nonce_of(run, store) == "second"
    assert "first" in reader.execute("SELECT body FROM record").fetchone()[0], "undisturbed"


def test_a_writer_is_waited_for_but_not_long(run, store, other, file):
    writer = other("BEGIN IMMEDIATE")
    who = f"the record file {file} is locked by another program"
    refused(run, store.swap(1, 1, record("second")), who)
    assert not store.reachable
    assert nonce_of(run, store) == "first" and store.reachable
    writer.execute("ROLLBACK")
    assert run(store.swap(1, 1, record("third"))) == (True, 2)


def old_file(other):
    """A file as an older version made it: readers and writers exclude each other."""
    row = json.dumps(record("first").to_json()).replace("'", "''")
    return other(TABLE, f"INSERT INTO record VALUES (1, 1, '{row}')")


def test_a_commit_that_is_refused_is_not_seen_by_the_next_read(run, file, other):
    old_file(other)
    reader = other(*READING)
    store, rival = LocalStore(file), LocalStore(file)
    for _time in range(3):
        refused(run, store.swap(1, 1, record("mine", "n2", 2)), "is locked by another program")
        assert nonce_of(run, store) == nonce_of(run, rival) == "first"
    reader.execute("ROLLBACK")
    assert nonce_of(run, store) == "first"
    assert run(rival.swap(1, 1, record("theirs"))) == (True, 2)
    assert run(store.swap(1, 1, record("mine", "n2", 2))) == (False, 2)
    mode = other("SELECT * FROM record").execute("PRAGMA journal_mode").fetchone()
    assert mode == ("wal",), "switched as soon as it could be"
    for each in (store, rival):
        run(each.stop())


def test_a_file_that_is_locked_at_the_start_is_used_later(run, file, other):
    locker = old_file(other)
    locker.execute("BEGIN EXCLUSIVE")
    store = LocalStore(file)
    refused(run, store.read(), "is locked by another program")
    refused(run, store.swap(1, 1, record("second")), "is locked by another program")
    locker.execute("ROLLBACK")
    assert run(store.swap(1, 1, record("second"))) == (True, 2)
    run(store.stop())


def test_a_full_disk_stores_nothing_and_shows_nothing(run, file, store):
    for number in range(2, 60):  # until the log beside the file is at its end
        assert run(store.swap(number - 1, 0, record(f"n{number}")))[0]
    with full_at(file.with_name("dcs.db-wal").stat().st_size + 100):
        refused(run, store.swap(59, 0, record("mine")), f"the record file {file} can't be used: ")
        assert nonce_of(run, store) == "n59"
    assert nonce_of(run, store) == "n59"
    assert run(store.swap(59, 0, record("mine"))) == (True, 60)


def test_the_file_that_has_the_name_counts(run, file, store, tmp_path):
    for name in ("dcs.db-wal", "dcs.db-shm"):
        file.with_name(name).unlink()
    file.rename(tmp_path / "away")
    refused(run, store.read(), f"the record file {file} is gone: restore it")
    refused(run, store.swap(-1, 0, record("anew")), "is gone")
    assert not file.exists()
    restored = LocalStore(file)
    run(restored.swap(-1, 0, record("restored")))
    assert nonce_of(run, store) == "restored"
    run(restored.stop())


def test_nobody_else_may_read_it(run, file, store):
    assert {path.stat().st_mode & 0o777 for path in file.parent.glob("dcs.db*")} == {0o600}


def test_a_file_that_is_no_database_is_refused_at_once(file):
    file.write_bytes(b"rubbish" * 1000)
    with pytest.raises(OSError, match=f"the record file {file} is damaged .*: restore it"):
        LocalStore(file)


RECORD = record("first").to_json()
WHOLE = {"version": 1, "record": RECORD}
DAMAGED = {
    "empty": "",
    "cut": json.dumps(WHOLE)[:50],
    "no text": b"\xff\xfe\x00",
    "no object": "[]",
    "nothing in it": "{}",
    "no record": json.dumps({"version": 1}),
    "null": json.dumps({**WHOLE, "record": None}),
    "a list": json.dumps({**WHOLE, "record": [1, 2]}),
    "a version that is text": json.dumps({**WHOLE, "version": "1"}),
    "no version": json.dumps({**WHOLE, "version": None}),
    "endless": json.dumps({**WHOLE, "record": {**RECORD, "floor": float("inf")}}),
    "a name that is none": json.dumps({**WHOLE, "record": {**RECORD, "active": None}}),
    "an epoch that is none": json.dumps({**WHOLE, "record": {**RECORD, "epoch": 1}}),
    "members that are none": json.dumps({**WHOLE, "record": {**RECORD, "in_sync": ["n1"]}}),
    "nested without end": "[" * 100_000,
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_copy_is_never_taken_for_none(run, tmp_path, text):
    path = tmp_path / "record.json"
    store = ManualStore(path)
    assert run(store.swap(-1, 1, record("first"))) == (True, 1) and nonce_of(run, store) == "first"
    damaged = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(damaged)
    what = f"{path} is damaged, it holds no cluster record: restore it, or copy that of another"
    anew = record("anew")
    for call in (store.read, lambda: store.swap(-1, 1, anew), lambda: store.adopt(9, anew)):
        refused(run, call(), what)
        assert not store.reachable and path.read_bytes() == damaged
    with pytest.raises(OSError, match="is damaged"):
        ManualStore(path)


@pytest.mark.parametrize("body", ["{", "[]", json.dumps({**RECORD, "floor": "1"})])
def test_a_damaged_row_is_never_taken_for_none(run, file, store, other, body):
    other().execute("UPDATE record SET body = ?", (body,))
    what = f"the record file {file} is damaged, it holds no cluster record: restore it"
    refused(run, store.read(), what)
    refused(run, store.swap(-1, 0, record("anew")), "is damaged")
    assert other().execute("SELECT body FROM record").fetchall() == [(body,)]


def test_members_that_a_newer_version_knows_are_no_damage(run, tmp_path):
    newer = {"version": 1, "record": {**RECORD, "colour": {"red": 1}}}
    (tmp_path / "record.json").write_text(json.dumps(newer))
    store = ManualStore(tmp_path / "record.json")
    assert run(store.read()) == (1, Record.from_json(newer["record"]))


def test_a_node_with_a_damaged_copy_says_so_once_and_does_not_start_with_it(tmp_path):
    with Cluster(tmp_path, 1, "manual") as cluster:
        node, path = cluster.n1, cluster.n1.data / "record.json"
        whole = path.read_text()
        path.write_text(whole[:30])
        order = threading.Thread(target=cluster.call, args=(node, "POST", "/system/pause"))
        order.start()
        until(lambda: node.said("the cluster record can't be written"), "it is noticed")
        assert node.status()["dcs_reachable"] is False
        path.write_text(whole)
        until(lambda: node.said("the cluster record can be written again"), "it is over")
        order.join()
        assert node.status()["paused"] and not node.said("Traceback")
        lines = [line for line in node.log.read_text().splitlines() if "is damaged" in line]
        assert len(lines) == 2, "once that it can't be read, and once that it can't be written"

        node.kill()
        path.write_text("{}")
        said = len(node.log.read_text())
        node.start()
        assert node.process.wait(20) == 2
        lines = node.log.read_text()[said:].splitlines()
        assert len(lines) == 1 and lines[0].startswith(f"batond: {path} is damaged"), lines


@pytest.mark.parametrize("kind", [LocalStore, ManualStore])
def test_a_full_disk_is_seen_before_a_change_is_needed_and_so_is_its_end(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(dcs, "FIRST_SECONDS", 0)
    monkeypatch.setattr(dcs, "PROVE_SECONDS", 0.02)

    async def work():
        store, told = kind(tmp_path / "record"), []
        await store.start(lambda version, record: None, told.append)
        await eventually(lambda: told == [Health(True)], "it is proven to take changes")
        before = sorted(tmp_path.iterdir())
        with full_at(10):
            await eventually(lambda: len(told) == 2, "the full disk is seen")
            with pytest.raises(WontTake, match="can't be changed"):
                await store.read(proven=True)
            assert await store.read() == (-1, None)
        assert told[1].writable is False
        assert told[1].trouble.startswith(f"the cluster record {tmp_path / 'record'} can't be changed (File too large): nobody can")
        await eventually(lambda: told[2:] == [Health(True)], "its end is seen")
        assert await store.read(proven=True) == (-1, None)
        assert sorted(tmp_path.iterdir()) == before, "a proof leaves nothing"
        await store.stop()

    asyncio.run(work())
