# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client of the lab takes for an acknowledgement, and what for none."""

import engine_mariadb
import engine_postgresql
import pymysql
import pytest
from db_clients import Failed, Refused

from baton.datastores.host.postgresql.protocol import Refused as SaidNo
from baton.datastores.host.postgresql.protocol import Said


class Server:
    """Answers a statement, for both kinds of sessions."""

    def __init__(self, error=None, notices=()):
        self._error, self.notices = error, list(notices)

    def ask(self, _statement):
        if self._error is not None:
            raise self._error

    def execute(self, statement, _values):
        self.ask(statement)


def postgresql(server):
    session = object.__new__(engine_postgresql.Session)
    session._connection = server
    return session


def mariadb(server):
    session = object.__new__(engine_mariadb.Session)
    session._cursor = server
    return session


def test_what_returned_is_acknowledged():
    postgresql(Server(notices=[Said("00000", "a notice")])).insert(1)
    mariadb(Server()).insert(1)


def test_a_commit_that_was_cancelled_in_its_wait_is_not():
    with pytest.raises(Failed):
        postgresql(Server(notices=[Said("01000", "canceling wait for synchronous replication due to user request")])).insert(1)


@pytest.mark.parametrize(
    "session",
    [postgresql(Server(SaidNo(Said("25006", "read-only")))), mariadb(Server(pymysql.err.OperationalError(1290, "read-only")))],
)
def test_a_server_at_rest_has_done_nothing(session):
    with pytest.raises(Refused):
        session.insert(1)


@pytest.mark.parametrize(
    "session",
    [
        postgresql(Server(SaidNo(Said("57P01", "terminating connection due to administrator command")))),
        postgresql(Server(TimeoutError("timed out"))),
        mariadb(Server(pymysql.err.OperationalError(2013, "lost connection"))),
        mariadb(Server(TimeoutError("timed out"))),
    ],
)
def test_of_anything_else_nobody_knows(session):
    with pytest.raises(Failed):
        session.insert(1)


def test_all_processes_of_a_server_are_known_by_their_command_lines():
    first = [b"/usr/lib/postgresql/15/bin/postgres", b"-D", b"/data"]
    child = [b"postgres: one: walwriter ", b""]
    assert engine_postgresql.is_first(first) and not engine_postgresql.is_first(child)
    assert engine_postgresql.is_server(first) and engine_postgresql.is_server(child)
    assert not engine_postgresql.is_server([b"/usr/bin/python3", b"baton-guest.pyz"])
