# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers of Valkey or Redis as a set: a source, replicas that acknowledge while they count, and another source after it."""

import contextlib
import signal

import pytest

from baton.datastores.host.trouble import Trouble
from baton.datastores.host.valkey.protocol import ValkeyTrouble
from baton.datastores.model import positions
from support.mariadb import always, until
from support.valkey import Pool, Writer, client


@pytest.fixture
def pool():
    pool = Pool()
    yield pool
    pool.end()


def test_a_server_is_read_only_until_it_is_opened_and_again_after_each_start(pool):
    member = pool.member()
    member.prepare(users=[{"name": "app", "password": "secret"}])
    with pytest.raises(ValkeyTrouble, match="READONLY"):
        member.ask("SET", "a", 1)
    member.server.open((), always)
    member.server.mark(1, 1)
    assert member.ask("SET", "a", 1) == b"OK"
    member.server.kill()
    member.server.start()
    assert member.ask("GET", "a") == b"1"
    with pytest.raises(ValkeyTrouble, match="READONLY"):
        member.ask("SET", "a", 2)
    member.server.open((), always)
    member.server.mark(2, 2)
    member.ok("restart", parameters={})
    assert not member.takes_writes
    assert member.server.look().up


def test_a_new_replica_has_the_data_and_follows_once_it_counts(pool):
    source = pool.source()
    source.ask("SET", "a", 1)
    replica = pool.replica(source)
    assert replica.ask("GET", "a") == b"1"
    assert not replica.follows
    assert source.ask("WAIT", 1, 300) == 0
    pool.count(source, replica)
    assert replica.follows
    with client(source) as session:
        session.ask("SET", "b", 1)
        assert session.ask("WAIT", 1, 5000) == 1
    assert replica.ask("GET", "b") == b"1"
    assert not replica.takes_writes
    look = replica.server.look()
    assert (look.up, look.whole, look.lag_bytes) == (True, True, 0)
    log = (replica.folder / "log.err").read_text()
    assert "Full resync from master" not in log, "it has gone on from where its copy stood"


def test_who_counts_no_more_is_cut_off_and_acknowledges_nothing(pool):
    source = pool.source()
    first, second = pool.replica(source), pool.replica(source)
    pool.count(source, first, second)
    until(lambda: second.follows, "it follows", pool.members)
    source.server.open([first.id], always)
    first.signal(signal.SIGSTOP)
    with client(source) as session:
        session.ask("SET", "a", 1)
        assert session.ask("WAIT", 1, 500) == 0
    first.signal(signal.SIGCONT)
    until(lambda: not second.follows, "it is cut off")
    source.server.mark(1, 3)
    assert "a" in first.names() and "a" not in second.names()


def test_with_nobody_there_who_counts_nothing_is_written(pool):
    source = pool.source()
    replica = pool.replica(source)
    pool.count(source, replica)
    replica.signal(signal.SIGSTOP)

    def is_refused():
        try:
            source.ask("SET", "a", 1)
        except ValkeyTrouble as trouble:
            return trouble.code == "NOREPLICAS"
        return False

    until(is_refused, "nothing is written")
    replica.signal(signal.SIGCONT)
    until(lambda: source.takes_writes, "it is there again", pool.members)
    replica.server.kill()
    until(is_refused, "nothing is written")
    source.server.open((), always)
    assert source.takes_writes


def test_what_a_replica_has_acknowledged_outlives_the_source(pool):
    source = pool.source()
    first, second = pool.replica(source), pool.replica(source)
    pool.count(source, first, second)
    writer = Writer(source, waits=1)
    until(lambda: len(writer.acknowledged) > 300, "some writes", pool.members)
    source.server.kill()
    acknowledged = writer.ended()
    found = {member.id: member.ok("seal") for member in (first, second)}
    received = {name: positions.parse(each["received"]) for name, each in found.items()}
    best = positions.furthest(received)
    assert all(positions.contains(received[best], positions.parse(each["had"])) for each in found.values())
    new, other = (first, second) if best == first.id else (second, first)
    new.ok("drain", position=found[new.id]["received"])
    new.server.open([other.id], always)
    other.follow(new)
    new.server.mark(2, 3)
    assert acknowledged <= new.names()
    until(lambda: acknowledged <= other.names(), "the other one has them", pool.members)
    # the old source comes back, read-only, with writes that nobody has acknowledged
    source.server.start()
    assert not source.takes_writes
    source.follow(new)
    assert not source.server.look().whole
    until(lambda: source.server.look().whole, "it owes nothing", pool.members)
    pool.count(new, other, source, term=2, number=4)
    until(lambda: source.follows and source.names() == new.names(), "it is as its source", pool.members)
    assert positions.contains(positions.parse(new.server.position()), positions.parse(source.ok("seal")["had"]))


def test_an_old_source_loses_what_the_new_one_has_not(pool):
    source = pool.source()
    replica = pool.replica(source)
    pool.count(source, replica)
    replica.ok("seal")
    with pytest.raises(ValkeyTrouble, match="NOREPLICAS"):
        source.ask("SET", "mine alone", 1)
    source.server.open((), always)
    source.ask("SET", "mine alone", 1)
    source.server.close(2.0)
    replica.server.open((), always)
    replica.server.mark(2, 3)
    replica.ask("SET", "theirs", 1)
    assert not positions.contains(positions.parse(replica.server.position()), positions.parse(source.server.position()))
    source.follow(replica)
    assert not source.server.look().whole and "mine alone" in source.names()
    until(lambda: source.server.look().whole, "it owes nothing", pool.members)
    pool.count(replica, source, term=2, number=4)
    until(lambda: source.names() == {"theirs"}, "it is copied anew", pool.members)


def test_a_planned_promotion_loses_nothing_and_needs_no_copies(pool):
    source = pool.source()
    replica, third = pool.replica(source), pool.replica(source)
    pool.count(source, replica, third)
    writer = Writer(source)
    until(lambda: len(writer.acknowledged) > 300, "some writes", pool.members)
    position = source.ok("quiesce")["position"]
    replica.ok("reach", position=position)
    source.server.close(2.0)
    acknowledged = writer.ended()
    replica.ok("reach", position=source.server.position())
    replica.server.open([third.id], always)
    third.follow(replica)
    replica.server.mark(2, 3)
    assert source.follow(replica).found == {}
    assert source.server.look().whole
    pool.count(replica, third, source, term=2, number=4)
    until(lambda: source.follows, "it follows", pool.members)
    replica.ask("SET", "after", 1)
    until(lambda: source.names() == third.names() == replica.names() == acknowledged | {"after"}, "all are equal", pool.members)
    for member in (source, third):
        assert "Full resync from master" not in (member.folder / "log.err").read_text()


def test_quiesce_ends_with_resume(pool):
    source = pool.source()
    source.ok("quiesce")
    with client(source, timeout=0.3) as session, pytest.raises(ValkeyTrouble, match="does not answer"):
        session.ask("SET", "a", 1)
    source.ok("resume")
    assert source.takes_writes


def test_a_replica_that_was_started_anew_does_not_say_what_it_had_until_it_owes_nothing(pool):
    source = pool.source()
    first, second = pool.replica(source), pool.replica(source)
    pool.count(source, first, second)
    until(lambda: second.follows, "it follows", pool.members)
    second.server.kill()
    second.server.start()
    assert not second.server.look().whole
    assert second.ok("seal")["had"] is None
    second.follow(source)
    source.server.open([first.id], always)
    for _time in range(3):
        second.server._replica._probed_at = float("-inf")
        second.server.tend()
        assert not second.server.look().whole, "nobody knows yet that another has what it acknowledged"
    source.server.mark(1, 3)
    until(lambda: second.server.look().whole, "it owes nothing", [second])
    pool.count(source, first, second, number=4)
    until(lambda: second.follows, "it follows", pool.members)
    assert positions.parse(second.ok("seal")["had"])


def test_who_has_lost_its_data_is_not_opened_so_that_it_empties_nobody(pool):
    source = pool.source()
    source.ask("SET", "a", 1)
    source.server.kill()
    for path in (source.folder / "data" / "appendonlydir").iterdir():
        path.unlink()
    with pytest.raises(Trouble, match="lost its data"):
        source.server.start()
    with pytest.raises(Trouble, match="lost its data"):
        source.server.open((), always)
    assert not source.takes_writes


def test_emptying_all_databases_leaves_what_is_ours(pool):
    source = pool.source()
    source.ask("SET", "a", 1)
    before = source.server.position()
    assert source.ask("FLUSHALL") == b"OK"
    assert source.server.position() == before
    source.server.kill()
    source.server.start()
    assert source.ask("DBSIZE") == 0


def test_a_source_that_is_told_to_close_meanwhile_does_not_open(pool):
    member = pool.member()
    member.prepare(users=[{"name": "app", "password": "secret"}])
    with pytest.raises(Trouble, match="told to close"):
        member.server.open((), lambda: False)
    assert not member.takes_writes


def test_who_closes_cuts_clients_off_and_tells_those_who_wait_nothing(pool):
    source = pool.source()
    replica = pool.replica(source)
    pool.count(source, replica)
    replica.ok("seal")
    answers = []
    writer = Writer(source, waits=1)
    with client(source) as session:
        source.server.close(2.0)
        with contextlib.suppress(ValkeyTrouble):
            answers.append(session.ask("PING"))
    assert answers == []
    assert writer.ended() == set()
    assert not source.takes_writes


def test_a_replica_that_is_detached_is_of_a_set_of_its_own(pool):
    source = pool.source()
    replica = pool.replica(source)
    pool.count(source, replica)
    source.server.open((), always)
    at = replica.ok("seal")["received"]
    replica.ok("drain", position=at)
    others = Pool()
    try:
        replica.ok("adopt", secrets=others.secrets)
        replica.server.open((), always)
        replica.server.mark(1, 1)
        assert replica.takes_writes
        report = replica.server.do("follow", {"source": source.id, "address": source.address, "port": source.port}, always)
        assert report is None or report.problem
    finally:
        others.end()


def test_another_guest_goes_on_with_what_there_is(pool):
    source = pool.source()
    replica = pool.replica(source)
    pool.count(source, replica)
    pids = [member.server.pid() for member in (source, replica)]
    for member in (source, replica):
        member.reborn()
        member.server.start()
    assert pids == [member.server.pid() for member in (source, replica)]
    assert replica.follows and source.takes_writes
    replica.ok("seal")
    source.server.close(1.0)
    assert not source.takes_writes
