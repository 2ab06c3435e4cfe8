# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data directory: a process killed while a snapshot replaces the data leaves the old or the new, and no litter."""

import json
import os
import signal
import sqlite3
from contextlib import closing

import pytest

from baton.adapters.disk import sqlite
from baton.adapters.disk.sqlite import DataDirectory, Snapshot, load
from baton.core.model.stored import Header
from support.cluster import Cluster
from support.disk import steps

OLD, NEW = "00000000000000aa", "00000000000000bb"


def header(seq):
    position = {"position": [[1, "e1"], seq], "documents": 0, "replies": 0}
    return Header.read({"cluster_id": "c", "promised": [1, "e1"], **position})


def rows(value, count=2000):
    return [("profiles", f"p{number}", "1.1", 10, {"value": value}) for number in range(count)]


def write_snapshot(database, header, *parts):
    snapshot = Snapshot(database)
    for part in parts:
        snapshot.add(part)
    snapshot.finish(header, [])


@pytest.fixture
def directory(tmp_path):
    """In use: the incarnation OLD, beside what is not ours to remove."""
    directory = DataDirectory(tmp_path)
    write_snapshot(directory.create(OLD), header(5), rows("old"))
    directory.use(OLD)
    for name in ("files", f"{OLD}.copy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "baton.db").write_text("a person's")
    return directory


def killed(work):
    """Run ``work`` in a process that it kills."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, "it was to be killed on the way"


def die(*_arguments, **_more):
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(some):
    yield from some
    die()


def start(path):
    """Return the data that a new process finds, after what it does first."""
    directory = DataDirectory(path)
    incarnation = directory.current()
    directory.tidy()
    saved = load(directory.database(incarnation), incarnation)
    assert sorted(entry.name for entry in path.iterdir()) == sorted(["CURRENT", "files", f"{OLD}.copy", incarnation])
    return saved


def has(saved, incarnation, seq, value):
    return (saved.incarnation, saved.commit) == (incarnation, seq) and {d.value["value"] for d in saved.documents} == {value}


def test_killed_before_anything_is_in_the_new_directory(directory):
    def work():
        (directory.path / NEW).mkdir()
        die()

    killed(work)
    assert has(start(directory.path), OLD, 5, "old")


def test_killed_while_the_snapshot_is_written(directory):
    killed(lambda: write_snapshot(directory.create(NEW), header(9), dying_after(rows("new"))))
    assert (directory.path / NEW / "baton.db").exists()
    assert has(start(directory.path), OLD, 5, "old")


def test_killed_between_two_parts_of_the_snapshot(directory):
    killed(lambda: write_snapshot(directory.create(NEW), header(9), rows("new", 60_000), dying_after([])))
    with closing(sqlite3.connect(directory.path / NEW / "baton.db")) as connection:
        assert connection.execute("SELECT count(*) FROM documents").fetchone() == (0,)
    assert has(start(directory.path), OLD, 5, "old")


def test_killed_before_the_new_data_is_in_use(directory, monkeypatch):
    def work():
        write_snapshot(directory.create(NEW), header(9), rows("new"))
        replace = os.replace
        monkeypatch.setattr(os, "replace", lambda old, new: die() if new.name == "CURRENT" else replace(old, new))
        directory.use(NEW)

    killed(work)
    (directory.path / "CURRENT.new").unlink()  # the next ``use`` writes over it
    assert has(start(directory.path), OLD, 5, "old")


def test_killed_before_the_old_data_is_removed(directory, monkeypatch):
    def work():
        write_snapshot(directory.create(NEW), header(9), rows("new"))
        monkeypatch.setattr(sqlite.shutil, "rmtree", die)
        directory.use(NEW)

    killed(work)
    assert (directory.path / OLD / "baton.db").exists()
    assert has(start(directory.path), NEW, 9, "new")


def test_killed_while_the_old_data_is_removed(directory, monkeypatch):
    def work():
        write_snapshot(directory.create(NEW), header(9), rows("new"))
        monkeypatch.setattr(sqlite.shutil, "rmtree", lambda path, **_more: ((path / "baton.db").unlink(), die()))
        directory.use(NEW)

    (directory.path / OLD / "baton.db-wal").write_text("")
    killed(work)
    assert (directory.path / OLD).exists()
    assert has(start(directory.path), NEW, 9, "new")


def test_nothing_is_removed_while_it_is_not_known_what_is_in_use(directory):
    (directory.path / "CURRENT").unlink()
    directory.tidy()
    assert (directory.path / OLD / "baton.db").exists()


def test_a_lost_current_is_for_a_person(tmp_path):
    """The data are whole; only the name of the directory in use is gone: starting anew would throw them away."""
    with Cluster(tmp_path, 1, "local") as cluster:
        node = cluster.n1
        node.kill()
        name = (node.data / "CURRENT").read_text()
        (node.data / "CURRENT").unlink()
        node.start()
        assert node.process.wait(20) == 2 and node.said("CURRENT is missing or wrong")
        assert (node.data / name.strip() / "baton.db").exists()
        (node.data / "CURRENT").write_text(name)
        node.start().until("/active")


@pytest.mark.parametrize("how", ["no database", "a hole in the log", "not JSON", "of a newer version"])
def test_damaged_data_are_for_a_person_in_one_line(tmp_path, how):
    with Cluster(tmp_path, 1, "local") as cluster:
        node = cluster.n1
        node.kill()
        database = node.data / (node.data / "CURRENT").read_text().strip() / "baton.db"
        if how == "no database":
            database.with_name("baton.db-wal").unlink()
            database.write_bytes(b"rubbish" * 1000)
        else:
            with sqlite3.connect(database) as connection:
                last = "SELECT max(seq) FROM log"
                hole, rubbish = f"DELETE FROM log WHERE seq = ({last}) - 1", f"UPDATE log SET text = '{{' WHERE seq = ({last})"
                newer = {"effects": [{"kind": "nodes", "key": "n1", "ops": [{"op": "add-to", "path": "/Url", "value": 1}]}]}
                unknown = f"UPDATE log SET text = '{json.dumps(newer)}' WHERE seq = ({last})"
                connection.execute({"a hole in the log": hole, "not JSON": rubbish, "of a newer version": unknown}[how])
        said = len(node.log.read_text())
        node.start()
        assert node.process.wait(20) == 2
        lines = node.log.read_text()[said:].splitlines()
        assert len(lines) == 1 and "can't be used" in lines[0] and "empty the directory" in lines[0], lines
        assert lines[0].index("if a newer one has run here, start that one again") < lines[0].index("empty the directory")


def test_what_a_failed_flush_left_is_written_again(directory):
    database = directory.database(OLD)
    before = database.read_bytes()
    os.utime(database, (1, 1))
    load(database, OLD)
    assert database.stat().st_mtime == 1, "a start writes nothing anew without need"
    sqlite.distrust(database)
    assert len(load(database, OLD).documents) == 2000
    assert database.stat().st_mtime > 1 and database.read_bytes() == before
    os.utime(database, (1, 1))
    load(database, OLD)
    assert database.stat().st_mtime == 1, "once is enough"


def test_names_that_a_killed_process_gave_are_made_durable_at_the_start(directory, monkeypatch):
    order = steps(monkeypatch, directory.path)
    load(directory.database(OLD), OLD)
    assert {("sync", OLD), ("sync", "."), ("sync", f"{OLD}/baton.db")} <= set(order)


def test_without_current_data_that_can_not_be_read_are_for_a_person(directory):
    (directory.path / "CURRENT").unlink()
    directory.database(OLD).write_bytes(b"rubbish" * 1000)
    assert directory.stray() == OLD
