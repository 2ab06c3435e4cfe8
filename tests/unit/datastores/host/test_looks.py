# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a server is looked at: without TLS where nobody listens, with an eye on its disk, and not while it is being changed."""

import contextlib
import os
import threading
from types import SimpleNamespace

import pymysql
import pytest

from baton.datastores.host.files import LEAST_ROOM
from baton.datastores.host.mariadb import sql
from baton.datastores.host.mariadb.config import Files
from baton.datastores.host.mariadb.instance import Instance
from baton.datastores.host.mariadb.replica import Replica, _behind
from baton.datastores.host.trouble import Trouble


def test_the_socket_is_spoken_to_in_the_clear(monkeypatch, tmp_path):
    """Newer clients would begin TLS unasked, and read all authorities of the system for it, several times a second."""
    asked = {}

    def connect(**where):
        asked.update(where)
        raise pymysql.err.OperationalError(2002, "nobody is there")

    monkeypatch.setattr(pymysql, "connect", connect)
    with pytest.raises(sql.SqlTrouble, match="nobody is there"):
        sql.local(tmp_path / "sock", "root")
    assert asked["ssl_disabled"] is True


def test_a_server_whose_disk_is_full_is_not_well(monkeypatch, tmp_path):
    files = Files(tmp_path, "m1")
    room = {"blocks": LEAST_ROOM // 4096}
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=room["blocks"], f_frsize=4096))
    assert files.too_full() == ""
    room["blocks"] -= 1
    assert "make room" in files.too_full()


def test_a_server_whose_disk_is_full_is_not_started(monkeypatch, tmp_path):
    started = []
    runner = SimpleNamespace(pid=lambda _program: None, start=started.append)
    instance = Instance(tmp_path / "m1", "m1", runner, {}, lambda: None)
    instance.files.make()
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=0, f_frsize=4096))
    with pytest.raises(Trouble, match="make room"):
        instance.start()
    assert started == []


class Session:
    """A replica's server, which says what the test wants of its threads."""

    io_error = ""

    def ask(self, _statement):
        names = ("Gtid_IO_Pos", "Master_User", "Master_Log_File", "Last_SQL_Errno", "Last_SQL_Error")
        error = {"Last_IO_Errno": "2003" if self.io_error else "0", "Last_IO_Error": self.io_error}
        return [{**dict.fromkeys(names, ""), "Slave_IO_Running": "No", "Slave_SQL_Running": "Yes", **error}]

    def text(self, _expression):
        return ""


def test_what_is_stopped_for_an_order_is_not_taken_for_broken():
    replica, session = Replica(SimpleNamespace(follow={"source": "m2"}, memory={})), Session()
    assert replica.standing(session).broken == ""
    session.io_error = "can't reach it"
    held, done = threading.Event(), threading.Event()

    def seal():
        with replica._lock:
            held.set()
            done.wait(10)

    thread = threading.Thread(target=seal)
    thread.start()
    assert held.wait(10)
    assert replica.standing(session).broken == ""
    done.set()
    thread.join()
    assert replica.standing(session).broken == "can't reach it"


def test_a_replica_that_was_started_anew_is_in_a_hurry_to_be_whole():
    """Until it is nobody may be promoted, if the source goes: it counts, and may lack what it has acknowledged."""
    instance = SimpleNamespace(follow={"source": "m2"}, memory={}, session=lambda _timeout: contextlib.nullcontext(Session()))
    replica = Replica(instance)
    assert not replica._is_hasty()
    replica.again()
    assert replica._is_hasty()


ROW = {
    "Slave_IO_Running": "Yes", "Master_Log_File": "log.7", "Relay_Master_Log_File": "log.7", "Read_Master_Log_Pos": 900,
    "Exec_Master_Log_Pos": 700, "Relay_Log_Space": 9000, "Relay_Log_Pos": 400, "Seconds_Behind_Master": 3,
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "behind"),
    [
        ({}, (200, 3)),
        ({"Seconds_Behind_Master": 0, "Exec_Master_Log_Pos": 900}, (0, 0)),
        ({"Relay_Master_Log_File": "log.5"}, (8600, 3)),
        ({"Seconds_Behind_Master": None}, (200, None)),
        ({"Slave_IO_Running": "Connecting"}, (None, None)),
        ({"Slave_IO_Running": b"No"}, (None, None)),
    ],
)
def test_who_does_not_hear_its_source_does_not_know_how_far_it_is_behind(row, behind):
    assert _behind({**ROW, **row}) == behind
