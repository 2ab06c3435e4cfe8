# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may acknowledge a commit, and what a commit that waits comes to: real servers, a source with two replicas."""

import signal
import threading

import pymysql
import pytest

from baton.datastores.host.trouble import Trouble
from support.mariadb import Pool, Writer, always, until


@pytest.fixture(scope="module")
def trio():
    pool = Pool()
    source = pool.source()
    yield [source, pool.replica(source), pool.replica(source)]
    pool.end()


@pytest.fixture
def source(trio):
    """The source, which takes writes and waits for nobody."""
    trio[0].server.open((), always)
    return trio[0]


class Commit:
    """A client's insert, in a thread, which may have to wait."""

    def __init__(self, member, number, user="app", password="secret"):
        self.problem = None
        self.connection = pymysql.connect(
            host=member.address, port=member.port, user=user, password=password, autocommit=True, read_timeout=60
        )
        self.id = self.connection.thread_id()
        self._thread = threading.Thread(target=self._run, args=(number,), daemon=True)
        self._thread.start()

    def _run(self, number):
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO d.t VALUES ({number})")
        except (pymysql.err.Error, OSError) as error:
            self.problem = error

    @property
    def waits(self):
        return self._thread.is_alive()

    @property
    def returned(self):
        return not self.waits and self.problem is None


def status(member, name):
    return member.root(f"SHOW GLOBAL STATUS LIKE '{name}'")[0]["Value"]


def waiting(member):
    return int(status(member, "Rpl_semi_sync_master_wait_sessions"))


def received(replica, number):
    return any(row["id"] == number for row in replica.root("SELECT id FROM d.t"))


def test_only_who_counts_acknowledges(trio, source):
    _first, second, third = trio
    source.server.open([second.id], always)
    until(lambda: second.follows_as() == "baton_s_m2", "the one that counts acknowledges", trio)
    assert third.follows_as() == "baton_a_m3"
    second.signal(signal.SIGSTOP)
    commit = Commit(source, 1001)
    try:
        until(lambda: received(third, 1001), "the other one has it", [third])
        until(lambda: waiting(source) == 1, "it waits")
        third.tend()
        assert commit.waits and third.follows_as() == "baton_a_m3"
    finally:
        second.signal(signal.SIGCONT)
    until(lambda: commit.returned, "it returns once the one that counts has it", trio)


def test_who_counts_no_more_is_cut_off_even_frozen_and_its_acknowledgements_are_worth_nothing(trio, source):
    _first, second, third = trio
    source.server.open([second.id], always)
    until(lambda: second.follows_as() == "baton_s_m2", "the second acknowledges", trio)
    second.signal(signal.SIGSTOP)
    try:
        source.server.open([third.id], always)
        users = [row["USER"] for row in source.root("SELECT USER FROM information_schema.PROCESSLIST")]
        assert "baton_s_m2" not in users
    finally:
        second.signal(signal.SIGCONT)
    third.signal(signal.SIGSTOP)
    try:
        commit = Commit(source, 1002)
        until(lambda: second.follows_as() == "baton_a_m2" and received(second, 1002), "the second only catches up", [second])
        assert commit.waits
    finally:
        third.signal(signal.SIGCONT)
    until(lambda: commit.returned and third.follows_as() == "baton_s_m3", "the third acknowledges", trio)


def test_who_waits_returns_when_nobody_counts_any_more(trio, source):
    source.server.open(["nobody"], always)
    commit = Commit(source, 1003)
    until(lambda: waiting(source) == 1, "it waits")
    source.server.open((), always)
    until(lambda: commit.returned, "it returns")


def test_a_replica_that_comes_back_with_all_that_waits_releases_it_though_nobody_writes(trio, source):
    second = trio[1]
    source.server.open(["nobody"], always)
    commit = Commit(source, 1004)
    until(lambda: received(second, 1004), "it is received without an acknowledgement", [second])
    assert commit.waits
    source.server.open([second.id], always)
    until(lambda: second.follows_as() == "baton_s_m2" and commit.returned, "it returns", trio)


def test_a_mark_waits_for_an_acknowledgement_and_can_be_taken_back(trio, source):
    source.server.open(["nobody"], always)
    problems = []

    def mark():
        try:
            source.server.mark(7, 70)
        except Trouble as trouble:
            problems.append(str(trouble))

    thread = threading.Thread(target=mark, daemon=True)
    thread.start()
    until(lambda: waiting(source) == 1, "it waits")
    source.server.unmark()
    until(lambda: not thread.is_alive(), "it is given up")
    assert len(problems) == 1 and "the mark of term 7 was not acknowledged" in problems[0]
    assert source.root("SELECT term, number FROM baton.term WHERE id=0") == [{"term": 7, "number": 70}]


def test_a_client_that_ends_the_session_of_another_releases_none_of_a_third(trio, source):
    """With AFTER_SYNC one session waits for a whole group of commits: ending it acknowledged all of them."""
    source.server.open(["nobody"], always)
    commits = []
    for number in range(1010, 1016):
        commits.append(Commit(source, number))
        until(lambda: waiting(source) == len(commits), "it waits, too")
    for commit in commits[:3]:
        source.root(f"KILL CONNECTION {commit.id}")
        until(lambda: not commit.waits, "it is cut off")  # noqa: B023
    assert [commit.waits for commit in commits] == [False] * 3 + [True] * 3 and waiting(source) == 3
    assert all(commit.problem is not None for commit in commits[:3])


def test_closing_acknowledges_nothing_and_nothing_is_written_after_it(trio, source):
    source.server.open(["nobody"], always)
    commits = [Commit(source, number) for number in range(1020, 1030)]
    until(lambda: waiting(source) == 10, "they wait")
    source.server.close(5.0)
    until(lambda: not any(commit.waits for commit in commits), "they are cut off")
    assert all(commit.problem is not None for commit in commits)
    before = source.server.position()
    with pytest.raises(pymysql.err.OperationalError) as refused:
        source.sql("INSERT INTO d.t VALUES (1030)")
    assert refused.value.args[0] == 1290 and source.server.position() == before
    assert source.root("SELECT @@global.rpl_semi_sync_master_enabled AS it") == [{"it": 0}]


def test_closing_under_load_loses_nothing_that_was_acknowledged(trio, source):
    writers = [Writer(source, first=10000 * number) for number in range(1, 5)]
    until(lambda: all(len(writer.acknowledged) > 20 for writer in writers), "some rows")
    source.server.close(5.0)
    acknowledged = {number for writer in writers for number in writer.ended()}
    assert acknowledged <= {row["id"] for row in source.root("SELECT id FROM d.t")}


def test_closing_a_frozen_server_fails_in_its_time(trio, source):
    source.signal(signal.SIGSTOP)
    try:
        with pytest.raises(Trouble):
            source.server.close(0.3)
    finally:
        source.signal(signal.SIGCONT)


def test_an_open_transaction_can_not_be_committed_after_closing(trio, source):
    connection = pymysql.connect(host=source.address, port=source.port, user="app", password="secret")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO d.t VALUES (1040)")
        source.server.close(5.0)
        with pytest.raises(pymysql.err.OperationalError):
            connection.commit()
    assert not received(source, 1040)


def test_quiescing_gives_up_where_a_client_holds_a_lock_and_changes_nothing(trio, source):
    connection = pymysql.connect(host=source.address, port=source.port, user="app", password="secret")
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLES d.t WRITE")
        assert "end it, and ask again" in source.order("quiesce").problem
        assert source.root("SELECT @@global.read_only AS it") == [{"it": 0}]
        cursor.execute("INSERT INTO d.t VALUES (1050)")
    connection.close()
    assert source.ok("quiesce") == {"position": source.server.position()}
    with pytest.raises(pymysql.err.OperationalError):
        source.sql("INSERT INTO d.t VALUES (1051)")


def test_a_planned_promotion_ends_where_the_source_ended(trio, source):
    _first, second, third = trio
    source.server.open([second.id, third.id], always)
    until(lambda: second.follows_as() == "baton_s_m2", "the second acknowledges", trio)
    writer = Writer(source, first=100000)
    until(lambda: len(writer.acknowledged) > 50, "some rows", trio)
    position = source.ok("quiesce")["position"]
    second.ok("reach", position=position)
    source.server.close(5.0)
    second.ok("reach", position=source.server.position())
    acknowledged = writer.ended()
    second.server.open((), always)
    try:
        assert all(received(second, number) for number in acknowledged)
        for member in (source, third):
            assert member.follow(second).found == {}
    finally:
        second.server.close(5.0)
        source.server.open((), always)
        for member in (second, third):
            member.follow(source)
