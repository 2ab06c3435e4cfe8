# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Formats of the data directory: an older is brought up, a newer is refused and left alone."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from baton.adapters.disk import data_format
from baton.adapters.disk.data_format import FORMAT, number_in
from baton.adapters.disk.sqlite import DataDirectory, Snapshot, load
from baton.core.model.stored import Header
from baton.ground.problem import Problem
from support.cluster import Cluster, until

INCARNATION, LITTER = "00000000000000aa", "00000000000000bb"
FORMAT_0 = """
CREATE TABLE log (seq INTEGER PRIMARY KEY, number INTEGER, id TEXT, at INTEGER, text TEXT,
  committed INTEGER);
CREATE TABLE documents (kind TEXT, key TEXT, revision TEXT, size INTEGER, value TEXT,
  PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE replies (seq INTEGER PRIMARY KEY, key TEXT, fingerprint TEXT, at INTEGER,
  revision TEXT, keys TEXT);
CREATE INDEX replies_at ON replies (at);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
INSERT INTO documents VALUES ('profiles', 'p', '1.1', 10, '{"value":1}');
INSERT INTO meta VALUES ('cluster_id', '"c"'), ('commit', '1');
"""


def connect(database):
    return closing(sqlite3.connect(database, isolation_level=None))


def ask(database, statement):
    with connect(database) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture
def old(tmp_path):
    """A directory as the version without formats left it; its database."""
    database = tmp_path / INCARNATION / "baton.db"
    database.parent.mkdir()
    with connect(database) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(FORMAT_0)
    (tmp_path / "CURRENT").write_text(INCARNATION + "\n")
    return database


def tables(database):
    return ask(database, "SELECT type, name FROM sqlite_master WHERE sql != '' ORDER BY name")


def test_a_new_directory_has_this_format(tmp_path, old):
    directory = DataDirectory(tmp_path / "new")
    database = directory.create(INCARNATION)
    load(old, INCARNATION)
    assert ask(database, "PRAGMA user_version") == [(FORMAT,)] and tables(database) == tables(old)
    header = {"cluster_id": "c", "promised": [1, "e"], "position": [[1, "e"], 1], "documents": 0, "replies": 0}
    Snapshot(database).finish(Header.read(header), [])
    assert number_in(database) == FORMAT


def test_an_older_directory_is_brought_up(tmp_path, old):
    DataDirectory(tmp_path).check_format()
    assert number_in(old) == 0, "looking changes nothing"
    saved = load(old, INCARNATION)
    assert [(d.key, d.value) for d in saved.documents] == [("p", {"value": 1})]
    assert (saved.cluster_id, saved.commit) == ("c", 1)
    assert ask(old, "PRAGMA user_version") == [(FORMAT,)]


def test_one_that_was_left_half_made_is_finished(tmp_path, old):
    with connect(old) as connection:
        connection.execute("DROP INDEX replies_at")
        connection.execute("DROP TABLE meta")
    load(old, INCARNATION)
    assert ("table", "facts") in tables(old) and ("index", "replies_at") in tables(old)


def test_a_step_that_fails_changes_nothing(old, monkeypatch):
    later = (*data_format.STEPS, (FORMAT + 1, ("CREATE TABLE later (x)", "this is no SQL")))
    monkeypatch.setattr(data_format, "STEPS", later)
    monkeypatch.setattr(data_format, "FORMAT", FORMAT + 1)
    before = tables(old)
    with pytest.raises(sqlite3.OperationalError):
        load(old, INCARNATION)
    assert tables(old) == before and ask(old, "PRAGMA user_version") == [(0,)]
    done = (*data_format.STEPS[:-1], (FORMAT + 1, ("CREATE TABLE later (x)",)))
    monkeypatch.setattr(data_format, "STEPS", done)
    load(old, INCARNATION)
    assert ("table", "later") in tables(old) and ask(old, "PRAGMA user_version") == [(FORMAT + 1,)]


def test_the_number_is_read_as_sqlite_reads_it(tmp_path):
    """In the file or in the log beside it, also when the log has begun anew over its older part."""
    database = tmp_path / "baton.db"
    with connect(database) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("CREATE TABLE t (x)")
        for number in range(1, 40):
            connection.execute(f"PRAGMA user_version = {number}")
            assert number_in(database) == number
            for _time in range(number % 5):
                connection.execute("INSERT INTO t VALUES (randomblob(9000))")
            assert number_in(database) == number
            if number % 3 == 0:
                how = ("PASSIVE", "RESTART", "TRUNCATE")[number % 9 // 3]
                connection.execute(f"PRAGMA wal_checkpoint({how})")
                assert number_in(database) == number
    assert number_in(database) == 39


def test_what_is_no_database_has_no_number(tmp_path):
    for data in (b"", b"rubbish" * 100, b"SQLite format 3\0"):
        (tmp_path / "baton.db").write_bytes(data)
        assert number_in(tmp_path / "baton.db") == 0
        (tmp_path / "baton.db-wal").write_bytes(data)
        assert number_in(tmp_path / "baton.db") == 0


def everything(path):
    """Return all that is in a directory, with the time of its last change."""

    def look(entry):
        return entry.lstat().st_ctime_ns, entry.read_bytes() if entry.is_file() else None

    return {entry: look(entry) for entry in [path, *path.rglob("*")]}


def newer(database, in_log):
    """Have a later version write its number, into the log only or into the file."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    if in_log:  # as if that version was killed: the last one to close would empty the log
        copy = database.with_name("copy")
        shutil.copytree(database.parent, copy)
        connection.close()
        for name in ("baton.db", "baton.db-wal"):
            (copy / name).replace(database.with_name(name))
        shutil.rmtree(copy)
        assert database.read_bytes()[60:64] != (FORMAT + 1).to_bytes(4, "big")
    connection.close()


@pytest.mark.parametrize("in_log", [False, True], ids=["in the file", "in the log"])
def test_a_newer_directory_is_refused_and_left_as_it_is(tmp_path, old, in_log):
    newer(old, in_log)
    before = everything(tmp_path)
    with pytest.raises(Problem, match=rf"\(format {FORMAT + 1}; this one knows up to {FORMAT}\)"):
        DataDirectory(tmp_path).check_format()
    assert everything(tmp_path) == before
    with pytest.raises(Problem, match="written by a newer batond"):
        load(old, INCARNATION)


def test_data_of_which_only_an_unused_part_is_newer_are_refused(tmp_path, old):
    shutil.copytree(old.parent, tmp_path / LITTER)
    newer(tmp_path / LITTER / "baton.db", False)
    with pytest.raises(Problem, match="written by a newer batond"):
        DataDirectory(tmp_path).check_format()


def test_a_node_refuses_newer_data_and_takes_older_ones(tmp_path):
    with Cluster(tmp_path, 1, "local") as cluster:
        node = cluster.n1
        assert cluster.call(node, "POST", "/profiles", json={"Name": "kept"}).ok
        node.kill()
        database = node.data / (node.data / "CURRENT").read_text().strip() / "baton.db"
        (node.data / "files/incoming/half").write_text("on its way")
        (node.data / LITTER).mkdir()
        newer(database, True)
        shutil.rmtree(node.data / "run")
        before, said = everything(node.data), len(node.log.read_text())
        node.start("--ha-token-file", "", "--dcs", "manual")  # whose secret would be made in it
        assert node.process.wait(20) == 2
        assert node.log.read_text()[said:].splitlines() == [
            f"batond: the data in {node.data} were written by a newer batond (format {FORMAT + 1}; "
            f"this one knows up to {FORMAT}): start that version again, or empty the directory if "
            "other nodes are in sync"
        ]
        assert everything(node.data) == before

        for statement in ("DROP VIEW meta", "ALTER TABLE facts RENAME TO meta", "PRAGMA user_version = 0"):
            ask(database, statement)
        node.start().until("/active")
        until(lambda: cluster.call(node, "GET", "/profiles/kept").ok, "the data are there")
        node.stop()
        assert ask(database, "PRAGMA user_version") == [(FORMAT,)]
