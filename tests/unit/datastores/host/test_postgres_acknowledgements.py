# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commits of a PostgreSQL server return, and which never do: who counts, who is cut off, what ends with its time. Real servers."""

import contextlib
import os
import signal
import threading

import pytest

from baton.datastores.host import guard
from baton.datastores.host.postgresql.protocol import Refused
from baton.datastores.host.trouble import Trouble
from support.postgres import Client, Pool, Writer, always, until


@pytest.fixture(scope="module")
def trio():
    pool = Pool()
    source = pool.source()
    yield [source, pool.replica(source), pool.replica(source)]
    pool.end()


@pytest.fixture
def source(trio):
    """The source, which takes writes and asks nobody; both others follow it."""
    source = trio[0]
    source.freeze(signal.SIGCONT)
    source.server.start()
    source.server.open((), always)
    for member in trio[1:]:
        member.freeze(signal.SIGCONT)
        member.server.start()
        assert member.follow(source).found == {}
    source.root("DELETE FROM t")
    return source


class Commit:
    """A row that is written in a thread of its own."""

    def __init__(self, member, number):
        self.member, self.number = member, number
        self.problem, self.kept, self.pid = None, None, 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        until(lambda: self.pid or not self.waits, "it is connected")

    def _run(self):
        try:
            with Client(self.member, timeout=60.0) as client:
                self.pid = client.pid
                self.kept = client.is_kept(f"INSERT INTO t VALUES ({self.number})")
        except (Refused, OSError, ValueError) as error:
            self.problem = error

    @property
    def waits(self):
        return self._thread.is_alive()


def waiting(member, many):
    until(lambda: len(member.waits()) >= many, f"{many} wait")


def test_who_does_not_count_does_not_acknowledge_and_who_does_then_does(trio, source):
    _source, second, third = trio
    source.server.open([second.id], always)
    source.sql("INSERT INTO t VALUES (1)")
    second.freeze()
    commit = Commit(source, 2)
    waiting(source, 1)
    until(lambda: third.root("SELECT 1 FROM t WHERE id = 2"), "the other one has it")
    assert commit.waits and source.waits()
    source.server.open([third.id], always)
    until(lambda: not commit.waits, "it is acknowledged")
    assert commit.kept and commit.problem is None


def checkpointer(member):
    """Return the one process that has commits wait, which reads its settings when it pleases."""
    (row,) = member.root("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
    return int(row["pid"])


def test_from_nobody_to_somebody_it_is_not_said_before_commits_wait(trio, source):
    late = checkpointer(source)
    os.kill(late, signal.SIGSTOP)
    try:
        opening = threading.Thread(target=source.server.open, args=(["nobody"], always), daemon=True)
        opening.start()
        until(lambda: source.root("SELECT 1 FROM pg_stat_activity WHERE query = 'CHECKPOINT' AND state = 'active'"), "it is waited for")
        source.sql("INSERT INTO t VALUES (100)")  # nobody has been told that others have it
        assert opening.is_alive()
    finally:
        os.kill(late, signal.SIGCONT)
    opening.join(10)
    commit = Commit(source, 200)
    waiting(source, 1)
    assert commit.waits and not opening.is_alive()
    source.server.open((), always)
    until(lambda: not commit.waits, "the source alone counts")


def test_a_promoted_server_waits_from_its_first_commit_on_whoever_is_late(trio, source):
    source.server.close(5.0)
    source.server.start()
    late = checkpointer(source)
    os.kill(late, signal.SIGSTOP)
    try:
        source.server.open(["nobody"], always)
        commit = Commit(source, 250)
        waiting(source, 1)
        assert commit.waits
    finally:
        os.kill(late, signal.SIGCONT)


def test_from_its_promotion_on_no_commit_returns_that_nobody_has(trio, source):
    """Clients are there before it, and write as soon as they may."""
    kept, ends = [], threading.Event()

    def write(number):
        with contextlib.suppress(Refused, OSError, ValueError), Client(source, timeout=60.0) as client:
            while not ends.is_set():
                number += 1
                with contextlib.suppress(Refused):  # it is read-only still
                    if client.is_kept(f"INSERT INTO t VALUES ({number})"):
                        kept.append(number)

    for life in range(3):
        source.server.close(5.0)
        source.server.start()
        threads = [threading.Thread(target=write, args=(10000 * life + 1000 * each,), daemon=True) for each in range(4)]
        for thread in threads:
            thread.start()
        source.server.open(["nobody"], always)
        waiting(source, 4)
        assert kept == []
        ends.set()
        source.server.close(5.0)
        for thread in threads:
            thread.join(10)
        assert kept == []
        source.server.start()
        ends.clear()


def test_another_life_of_the_guest_does_not_take_it_for_granted_that_commits_wait(trio, source):
    source.memory["counted"] = ["nobody"]  # it died before the server had read it
    source._save()
    source.reborn()
    source.server.open(["nobody"], always)
    commit = Commit(source, 300)
    waiting(source, 1)
    source.server.open((), always)
    until(lambda: not commit.waits, "it returns")


def test_a_commit_that_is_cancelled_in_its_wait_is_not_acknowledged(trio, source):
    source.server.open(["nobody"], always)
    commit = Commit(source, 400)
    waiting(source, 1)
    source.root(f"SELECT pg_cancel_backend({commit.pid})")
    until(lambda: not commit.waits, "it is answered")
    assert commit.problem is None and commit.kept is False


def test_a_mark_that_is_cancelled_in_its_wait_is_not_acknowledged(trio, source):
    source.server.open(["nobody"], always)
    failed = []

    def mark():
        try:
            source.server.mark(7, 8)
        except Trouble as trouble:
            failed.append(str(trouble))

    for end in (lambda: source.root(f"SELECT pg_cancel_backend({source.waits()[0]})"), source.server.unmark):
        failed.clear()
        thread = threading.Thread(target=mark, daemon=True)
        thread.start()
        waiting(source, 1)
        end()
        thread.join(10)
        assert not thread.is_alive() and "the mark of term 7 was not acknowledged" in failed[0]


def test_closing_acknowledges_nothing_and_nothing_is_written_after_it(trio, source):
    source.server.open(["nobody"], always)
    commits = [Commit(source, number) for number in range(500, 510)]
    waiting(source, 10)
    source.server.close(5.0)
    until(lambda: not any(commit.waits for commit in commits), "they are cut off")
    assert all(commit.problem is not None and commit.kept is None for commit in commits)
    assert source.server.pid() is None and source.processes() == []
    before = source.server.position()
    source.server.start()
    with pytest.raises(Refused, match="read-only transaction"):
        source.sql("INSERT INTO t VALUES (511)")
    assert source.is_at_rest and int(source.server.position().rpartition("-")[2]) >= int(before.rpartition("-")[2])


def test_closing_under_load_loses_nothing_that_was_acknowledged(trio, source):
    source.server.open([member.id for member in trio[1:]], always)
    writers = [Writer(source, first=10000 * number) for number in range(1, 5)]
    until(lambda: all(len(writer.acknowledged) > 20 for writer in writers), "some rows", trio)
    source.server.close(5.0)
    acknowledged = {number for writer in writers for number in writer.ended()}
    source.server.start()
    assert acknowledged <= source.rows()


def test_who_is_told_to_close_while_it_opens_is_not_opened(trio, source):
    source.server.close(5.0)
    source.server.start()
    with pytest.raises(Trouble, match="was told to close meanwhile"):
        source.server.open((), lambda: False)
    assert source.is_at_rest
    source.server.close(1.0)  # it is at rest, and stays
    assert source.server.pid() is not None and source.is_at_rest


def test_a_frozen_server_can_not_be_closed_and_is_killed_with_all_that_it_has_begun(trio, source):
    commit = Commit(source, 600)
    until(lambda: not commit.waits, "it is there")
    source.server.open(["nobody"], always)
    commit = Commit(source, 601)
    waiting(source, 1)
    source.freeze()
    with pytest.raises(Trouble, match="outlives its end: kill it"):
        source.server.close(0.3)
    source.server.kill()
    assert source.processes() == []
    until(lambda: not commit.waits, "it is cut off")
    assert commit.kept is None


class Running:
    """A statement that goes on for a while, and is acknowledged when it has ended."""

    def __init__(self, member):
        self.member, self.acknowledged, self.ended = member, False, threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        until(lambda: member.root("SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate_series%2000000%'"
                                  " AND pid <> pg_backend_pid()"), "it runs")  # fmt: skip

    def _run(self):
        try:
            with Client(self.member, timeout=60.0) as client:
                client.ask("INSERT INTO t SELECT n + 1000000 FROM generate_series(1, 2000000) AS n WHERE md5(n::text) LIKE 'ffff%'")
                self.acknowledged = True
        except (Refused, OSError, ValueError):
            pass
        self.ended.set()


def test_the_guard_ends_a_source_with_all_that_its_clients_run(trio, source):
    running = Running(source)
    one = guard.Guard()
    assert one.tell(source.server.pid(), 10.0) == ""
    one.look(10.0)
    until(lambda: source.processes() == [], "all are gone")
    assert running.ended.wait(10) and not running.acknowledged


def test_killing_ends_a_server_with_all_that_its_clients_run(trio, source):
    running = Running(source)
    source.server.kill()
    assert source.processes() == []
    assert running.ended.wait(10) and not running.acknowledged


def test_of_a_server_whose_first_process_was_killed_nobody_is_left_once_it_is_said_to_be_gone(trio, source):
    running = Running(source)
    os.kill(source.server.pid(), signal.SIGKILL)
    until(lambda: source.server.pid() is None, "it is gone")
    assert source.processes() == []
    assert running.ended.wait(10) and not running.acknowledged
    source.server.start()
    assert source.is_at_rest


def test_a_frozen_source_that_wakes_up_acknowledges_nothing_once_its_replicas_are_sealed(trio, source):
    _source, second, third = trio
    source.server.open([second.id, third.id], always)
    writers = [Writer(source, first=100000 * number) for number in range(1, 5)]
    until(lambda: all(len(writer.acknowledged) > 20 for writer in writers), "some rows", trio)
    source.freeze()
    sealed = {member.id: member.ok("seal") for member in (second, third)}
    rows = second.rows() | third.rows()
    assert all(found["had"] == found["received"] for found in sealed.values())
    before = [len(writer.acknowledged) for writer in writers]
    source.freeze(signal.SIGCONT)
    waiting(source, 4)  # each has written one more, which nobody acknowledges
    assert second.ok("seal") == sealed[second.id] and not second.streams and not third.streams
    source.server.kill()
    acknowledged = {number for writer in writers for number in writer.ended()}
    late = sum(len(writer.acknowledged) for writer in writers) - sum(before)
    print(f"acknowledged after the wake-up: {late}")
    assert acknowledged <= rows


def test_a_server_that_anybody_starts_again_is_read_only(trio, source):
    program = source.server._instance.program
    source.signal(signal.SIGKILL)
    until(lambda: source.pool.runner.pid(program) is None, "it is gone")
    source.server._instance.runner.kill(program)
    source.pool.runner.start(program)
    until(lambda: answers(source), "it answers")
    assert source.is_at_rest and source.server.pid() is not None and not source.memory["opening"]


def answers(member):
    try:
        return bool(member.root("SELECT 1"))
    except Trouble:
        return False
