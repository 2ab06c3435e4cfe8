# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas of PostgreSQL servers: what they know of what they have, whom they follow, copies and rewinds. Real servers."""

import os
import signal
import threading

import pytest

from baton.datastores.host.postgresql import copies, rewind
from baton.datastores.host.trouble import Trouble
from baton.datastores.model import positions
from support.postgres import Pool, always, secrets, until


@pytest.fixture(scope="module")
def pair():
    pool = Pool()
    source = pool.source()
    yield [source, pool.replica(source)]
    pool.end()


@pytest.fixture
def source(pair):
    pair[0].server.start()
    pair[0].server.open((), always)
    pair[0].server.mark(1, 1)
    return pair[0]


@pytest.fixture
def second(pair, source):
    """The replica, which follows."""
    member = pair[1]
    member.server.start()
    if member.follow(source).found:
        source.pool.copy(source, member)
        assert member.follow(source).found == {}
    return member


def insert(member):
    """Write a row, and return its number."""
    (row,) = member.sql("INSERT INTO t SELECT coalesce(max(id), 0) + 1 FROM t RETURNING id")
    return int(row["id"])


def has(member, number):
    return number in member.rows()


def received(source, second, number):
    until(lambda: has(second, number), "it has the row", [second])


def test_a_seal_says_what_it_has_and_is_not_undone_by_anything(pair, source, second):
    received(source, second, insert(source))
    came = source.server.position()
    found = second.ok("seal")
    assert found["received"] == found["had"] == came and second.memory["follow"] is None
    assert not (second.folder / "passwords").exists()
    insert(source)
    second.tend()
    assert second.ok("seal") == found and not second.streams
    second.reborn()
    assert second.ok("seal") == found
    second.signal(signal.SIGKILL)
    until(lambda: second.server.pid() is None, "it is gone")
    second.server.start()
    second.tend()
    assert second.ok("seal") == found and not second.streams


def test_what_was_received_and_not_applied_is_there_after_a_restart_whatever_the_source_does(pair, source, second):
    second.root("SELECT pg_wal_replay_pause()")
    source.server.open([second.id], always)
    number = insert(source)  # it is acknowledged, and not applied
    assert not has(second, number)
    source.freeze()
    try:
        second.signal(signal.SIGKILL)
        until(lambda: second.server.pid() is None, "it is gone")
        second.server.start()
        found = second.ok("seal")
        second.ok("drain", position=found["received"])
        assert has(second, number) and second.memory["whole"] and found["had"] == found["received"]
    finally:
        source.freeze(signal.SIGCONT)
    assert int(found["received"].rpartition("-")[2]) <= int(source.server.position().rpartition("-")[2])


def test_a_seal_waits_until_the_end_of_what_was_received_is_known(pair, source, second):
    second.root("SELECT pg_wal_replay_pause()")
    source.server.open([second.id], always)
    number = insert(source)
    assert second.server.do("seal", {}, always) is None
    found = until(lambda: second.server.do("seal", {}, always), "it says so all the same, later").found
    assert second.server.do("drain", {"position": found["received"]}, always) is None
    second.root("SELECT pg_wal_replay_resume()")
    second.ok("drain", position=found["received"])
    assert has(second, number)


def test_a_piece_of_a_record_at_the_end_is_not_waited_for_but_more_that_is_missing_is_said(pair, source, second):
    received(source, second, insert(source))
    found = second.ok("seal")["received"]
    start, _minus, end = found.rpartition("-")
    second.ok("drain", position=f"{start}-{int(end) + 100}")
    assert "it lost what it had received" in second.order("drain", position=f"{start}-{int(end) + (64 << 20)}").problem
    assert "it lost what it had received" in second.order("drain", position=f"{found},99-0-5").problem


def process(member, kind):
    rows = member.root(f"SELECT pid FROM pg_stat_activity WHERE backend_type = '{kind}'")
    return int(rows[0]["pid"]) if rows else None


def test_who_acknowledges_to_a_frozen_source_is_sealed_though_it_was_just_connecting(pair, source, second):
    insert(source)
    source.freeze()
    try:
        second.signal(signal.SIGKILL)
        until(lambda: second.server.pid() is None, "it is gone")
        second.server.start()
        until(lambda: process(second, "walreceiver"), "it waits for an answer")
        assert not second.root("SELECT 1 FROM pg_stat_wal_receiver")
        applies = process(second, "startup")
        os.kill(applies, signal.SIGSTOP)  # nobody else ends it
        try:
            second.memory["follow"] = None
            with second.server._instance.session() as session:
                assert not second.server._replica._cut(session)
                until(lambda: second.server._replica._cut(session), "it is ended")
        finally:
            os.kill(applies, signal.SIGCONT)
        second.ok("seal")
        assert not second.root("SELECT 1 FROM pg_stat_activity WHERE backend_type = 'walreceiver'")
    finally:
        source.freeze(signal.SIGCONT)


def test_a_replica_follows_again_after_a_restart_of_its_own_and_of_the_source(pair, source, second):
    second.ok("restart")
    received(source, second, insert(source))
    source.ok("restart")
    assert source.is_at_rest
    source.server.open([second.id], always)
    received(source, second, insert(source))


def test_how_far_a_replica_is_behind_is_known_while_it_hears_its_source(pair, source, second):
    second.root("SELECT pg_wal_replay_pause()")
    insert(source)
    until(lambda: (second.server.look().lag_bytes or 0) > 0, "it is behind")
    second.root("SELECT pg_wal_replay_resume()")
    until(lambda: (second.server.look().lag_bytes, second.server.look().lag_seconds) == (0, 0), "it has caught up")
    second.ok("seal")
    assert second.server.look().lag_bytes is None


def test_a_wrong_password_is_said_and_a_source_with_another_certificate_is_not_followed(pair, source, second):
    second.ok("seal")
    second.memory["spec"]["secrets"]["replication"] = "wrong"
    try:
        assert "does not let p2 follow it: password authentication failed" in second.follow(source).problem
    finally:
        second.memory["spec"]["secrets"]["replication"] = source.pool.secrets["replication"]
    ours = (second.folder / "certificate.pem").read_text()
    (second.folder / "certificate.pem").write_text(secrets()["certificate"])
    try:
        assert second.server.do("follow", second.where(source), always) is None
        assert second.memory["follow"] is None
    finally:
        (second.folder / "certificate.pem").write_text(ours)


def test_one_that_was_made_and_never_copied_is_apart(pair, source):
    third = source.pool.member()
    third.prepare()
    assert third.follow(source).found == {"apart": True}
    third.ok("wipe")
    assert not third.folder.exists()
    source.pool.members.remove(third)


# --- another way ------------------------------------------------------------------------------------------------------------


def parted(source, second, rows=3):
    """Have the source go on alone, and the replica be promoted; return a row that only the old one has."""
    received(source, second, insert(source))
    second.ok("seal")
    number = [insert(source) for _row in range(rows)][-1] + 1000
    source.sql(f"INSERT INTO t VALUES ({number})")
    second.server.open((), always)
    second.server.mark(9, 9)
    second.sql("INSERT INTO t VALUES (-9)")
    source.server.close(5.0)
    source.server.start()
    return number


def returned(source, second):
    """Have the first one be the source again, and all of one mind."""
    assert source.server.look().up and source.streams
    until(lambda: source.rows() == second.rows(), "it has all", [source])
    second.server.close(5.0)
    second.server.start()
    end = second.server.position()
    source.ok("reach", position=end)
    source.server.open((), always)
    source.server.mark(10, 10)
    source.sql("DELETE FROM t WHERE id = -9")


def test_one_that_has_what_the_source_has_not_is_rewound(pair, source, second):
    number = parted(source, second)
    assert has(source, number)
    second.root("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    assert source.follow(second).found == {}
    assert not has(source, number) and source.memory.get("reign") is None and source.server.look().whole
    assert "running pg_rewind" not in (source.folder / "log.err").read_text()
    text = (source.folder / "postgresql.conf").read_text()
    assert "cluster_name = 'p1'" in text and f"port = '{source.port}'" in text
    assert not source.root("SELECT 1 FROM pg_replication_slots")
    until(lambda: second.root("SELECT 1 FROM pg_replication_slots WHERE slot_name = 'baton_p1' AND active"), "it is kept for it")
    returned(source, second)


def test_one_that_was_killed_with_what_nobody_has_is_rewound(pair, source, second):
    number = parted(source, second)
    source.server.kill()
    source.server.start()
    assert has(source, number)
    source.server.kill()
    source.server.start()
    assert source.follow(second).found == {} and not has(source, number)
    returned(source, second)


def test_one_that_can_not_be_rewound_is_as_it_was_and_copied_anew(pair, source, second):
    source.root("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
    received(source, second, insert(source))
    second.ok("seal")
    source.root("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
    source.ok("configure", parameters={"wal_keep_size": "0", "max_wal_size": "32MB"})
    for _time in range(6):  # so that nobody knows any more where they parted
        number = insert(source)
        source.root("SELECT pg_switch_wal()")
        source.root("CHECKPOINT")
    second.server.open((), always)
    second.server.mark(9, 9)
    second.sql("INSERT INTO t VALUES (-9)")
    source.server.close(5.0)
    source.server.start()
    assert source.follow(second).found == {"apart": True}
    assert source.server.look().up and source.is_at_rest and has(source, number)
    source.pool.copy(second, source)
    assert source.follow(second).found == {} and not has(source, number)
    assert not (source.folder / "data.old").exists()
    returned(source, second)


def test_half_a_rewind_is_not_started_but_copied_anew(pair, source, second, monkeypatch):
    parted(source, second)

    def breaks(*_args):
        raise Trouble("pg_rewind failed with exit status 1: the host is gone")

    monkeypatch.setattr(rewind, "run", breaks)
    report = until(lambda: source.server.do("follow", source.where(second), always), "it was begun", [second])
    assert report.found == {"apart": True} and source.memory["spoilt"] and source.memory["follow"] is None
    monkeypatch.undo()
    with pytest.raises(Trouble, match="what p1 has is spoilt, since it could not be rewound"):
        source.server.start()
    assert not source.server.look().up
    source.pool.copy(second, source)
    assert source.follow(second).found == {}
    returned(source, second)


def test_a_trial_ends_before_it_fetches_anything(source):
    script = source.pool.folder / "pg_rewind"
    script.write_text("#!/bin/sh\necho 'pg_rewind: need to copy 9 MB (total source directory size is 30 MB)' >&2\nexec sleep 600\n")
    script.chmod(0o755)
    rewind._try([str(script)], source.server._instance)
    script.write_text("#!/bin/sh\necho 'pg_rewind: error: could not find previous WAL record at 0/4000060' >&2\nexit 1\n")
    with pytest.raises(Trouble, match="exit status 1: .*could not find previous WAL record"):
        rewind._try([str(script)], source.server._instance)


def test_two_that_begin_a_timeline_of_one_number_are_not_taken_for_one(pair, source, second):
    received(source, second, insert(source))
    source.server.close(5.0)
    source.server.start()
    second.ok("reach", position=source.server.position())
    second.ok("seal")
    for member in (source, second):  # neither knows of the other, and both begin at the same place
        member.server.open((), always)
        member.server.mark(9, 9)
    ends = [positions.parse(member.server.position()) for member in (source, second)]
    (one, other) = ({timeline: lsn for timeline, lsn in end.items() if timeline < max(end)} for end in ends)
    assert max(ends[0]) == max(ends[1]) and one == other
    source.sql("INSERT INTO t VALUES (-7)")
    for _row in range(20):
        second.sql("INSERT INTO t SELECT -1000 - count(*) FROM t")
    source.server.close(5.0)
    source.server.start()
    assert source.follow(second).found == {"apart": True} and source.memory["follow"] is None
    source.pool.copy(second, source)
    assert source.follow(second).found == {} and not has(source, -7)
    returned(source, second)


def test_who_lacks_more_than_the_source_keeps_is_apart(pair, source, second):
    second.server.stop()
    source.root("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
    source.ok("configure", parameters={"wal_keep_size": "0", "max_wal_size": "32MB"})
    for _time in range(6):
        insert(source)
        source.root("SELECT pg_switch_wal()")
        source.root("CHECKPOINT")
    second.server.start()
    until(lambda: not second.server.look().up, "it says so", [second])  # it has its slot made anew first
    assert "it does not follow any more: " in second.server.look().trouble
    assert "has already been removed" in second.server.look().trouble
    assert second.follow(source).found == {"apart": True}


def test_a_slot_of_which_too_much_is_gone_is_given_up(pair, source, second):
    source.root("SELECT pg_create_physical_replication_slot('baton_gone', true)")
    source.ok("configure", parameters={"wal_keep_size": "0", "max_wal_size": "32MB", "max_slot_wal_keep_size": "16MB"})
    for _time in range(6):
        insert(source)
        source.root("SELECT pg_switch_wal()")
        source.root("CHECKPOINT")
    until(lambda: not source.root("SELECT 1 FROM pg_replication_slots WHERE slot_name = 'baton_gone'"), "it is gone", [source])
    source.ok("configure", parameters={})


def test_a_replica_has_as_much_of_all_as_its_source(pair, source, second):
    source.ok("restart", parameters={"max_connections": 120, "max_locks_per_transaction": 200})
    source.server.open((), always)
    received(source, second, insert(source))  # it is started anew for that
    assert second.root("SHOW max_connections") == [{"max_connections": "120"}]
    second.ok("restart")
    received(source, second, insert(source))


# --- copies -----------------------------------------------------------------------------------------------------------------


def in_thread(member, verb, stands=lambda: True, **args):
    reports = []
    thread = threading.Thread(target=lambda: reports.append(member.server.do(verb, args, stands)), daemon=True)
    thread.start()
    return reports, thread


def to(member):
    return {"to": member.id, "address": member.address, "port": member.port, "secrets": member.pool.secrets}


def test_a_copy_that_nobody_wants_any_more_leaves_all_as_it_was(pair, source, second):
    wanted = [True]
    received_, thread = in_thread(second, "receive", lambda: wanted[0], **second.args())
    sent, other = in_thread(source, "send", lambda: wanted[0], **{**to(second), "to": "somebody else"})
    until(lambda: sent, "the wrong one is sent away")
    assert sent[0].problem == "here is p2"
    wanted[0] = False
    thread.join(10)
    other.join(10)
    assert received_[0].problem == "it is taken back"
    assert second.server.look().up and not {"data.new", "data.old"} & {path.name for path in second.folder.iterdir()}


def test_a_copy_that_does_not_start_leaves_what_was_there(pair, source, second, monkeypatch):
    received(source, second, insert(source))
    monkeypatch.setattr(copies, "LEFT_OUT", ("global/pg_control",))
    received_, thread = in_thread(second, "receive", **second.args())
    sent, other = in_thread(source, "send", **to(second))
    thread.join(30)
    other.join(30)
    assert "p2 does not start" in received_[0].problem and sent[0].problem == received_[0].problem
    second.server.start()
    assert second.rows() == source.rows() and second.memory["follow"]["source"] == source.id
    assert not (second.folder / "data.new").exists()


def test_a_guest_that_died_while_a_copy_took_its_place_has_back_what_was_there(pair, source, second):
    received(source, second, insert(source))
    second.server.stop()
    second.server._instance.remember(swapping=True)
    (second.folder / "data").rename(second.folder / "data.old")
    (second.folder / "data").mkdir()
    second.reborn()
    second.server.start()
    assert second.rows() == source.rows() and not (second.folder / "data.old").exists()


def test_closing_cuts_a_copy_off(pair, source, second, monkeypatch):
    backups = []

    def give(wire, pipe, stands):
        until(lambda: source.server._copies._sends, "it runs")
        backups.extend(source.server._copies._sends)
        source.server.close(5.0)
        while pipe.read(1 << 16):
            pass

    monkeypatch.setattr(copies.copying, "give", give)
    received_, thread = in_thread(second, "receive", **second.args())
    sent, other = in_thread(source, "send", **to(second))
    other.join(30)
    thread.join(30)
    assert "pg_basebackup failed" in sent[0].problem and backups[0].returncode != 0
    assert "broke off" in received_[0].problem and second.server.look().up
