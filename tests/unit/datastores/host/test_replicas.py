# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas: what they know of what they have, whom they follow, and copies that come or do not. Real servers."""

import signal
import subprocess
import threading

import pytest

from baton.datastores.host.mariadb import copies, instance, replica
from baton.datastores.host.runner import Processes, identity
from baton.datastores.host.trouble import Trouble
from baton.datastores.model import positions
from support.mariadb import Pool, always, secrets, until


@pytest.fixture(scope="module")
def pair():
    pool = Pool()
    source = pool.source()
    yield [source, pool.replica(source)]
    pool.end()


@pytest.fixture
def source(pair):
    pair[0].server.open([pair[1].id], always)
    return pair[0]


@pytest.fixture
def second(pair, source):
    """The replica, which follows and acknowledges."""
    member = pair[1]
    member.server.start()
    assert member.follow(source).found == {}
    until(lambda: member.follows_as() == "baton_s_m2" and member.memory["whole"], "it acknowledges", pair)
    return member


def insert(member):
    """Write a row, and return its number."""
    number = member.root("SELECT COALESCE(MAX(id), 0) + 1 AS it FROM d.t")[0]["it"]
    member.sql(f"INSERT INTO d.t VALUES ({number})")
    return number


def has(member, number):
    return bool(member.root(f"SELECT id FROM d.t WHERE id = {number}"))


def is_at_least(position, other):
    return positions.contains(positions.parse(position), positions.parse(other))


def test_a_seal_says_what_it_has_and_had_and_is_not_undone_by_anything(pair, source, second):
    insert(source)
    came = source.server.position()
    found = second.ok("seal")
    assert found["received"] == found["had"] == came and second.memory["follow"] is None
    second.tend()
    source.server.open((), always)
    insert(source)
    assert second.ok("seal") == found and second.follows_as() == ""
    second.reborn()
    assert second.ok("seal") == found
    second.signal(signal.SIGKILL)
    second.server.start()
    second.tend()
    assert second.ok("seal") == found and second.follows_as() == ""


def test_what_was_received_and_not_applied_is_lost_by_a_restart_and_the_drain_says_so(pair, source, second):
    with second.server._instance.session(30.0) as locking:
        locking.ask("LOCK TABLES d.t READ")  # so that nothing is applied
        number = insert(source)
        loses(source, second, number)
    source.server.open((), always)


def loses(source, second, number):
    assert not has(second, number)
    found = second.ok("seal")
    assert found["received"] == found["had"] == source.server.position()
    assert second.server.do("drain", {"position": found["received"]}, lambda: True) is None
    second.signal(signal.SIGKILL)
    second.server.start()
    again = second.ok("seal")
    assert again["had"] == found["had"] and not is_at_least(again["received"], again["had"])
    assert "it lost what it had received" in second.order("drain", position=found["received"]).problem


def test_a_replica_that_was_started_anew_does_not_know_what_it_had_until_it_has_all_again(pair, source, second):
    second.signal(signal.SIGKILL)
    source.server.open((), always)
    insert(source)
    source.signal(signal.SIGSTOP)
    try:
        second.server.start()
        assert second.memory["whole"] is False
        for _time in range(3):
            second.tend()
        assert second.memory["whole"] is False
        assert second.ok("seal")["had"] is None
    finally:
        source.signal(signal.SIGCONT)
    assert second.follow(source).found == {}
    until(lambda: second.memory["whole"], "it has all again", [second])
    found = second.ok("seal")
    assert found["had"] == found["received"] == source.server.position()


def started_by_others(member):
    """Have its server killed and begun again behind the guest's back, as `systemctl restart` does it; return once it answers."""
    program = member.server._instance.program
    member.signal(signal.SIGKILL)
    until(lambda: Processes().pid(program) is None, "it is gone")
    subprocess.Popen(program.argv, cwd=program.folder, **identity(program.user))
    until(lambda: answers(member), "it answers")


def answers(member):
    try:
        return bool(member.root("SELECT 1 AS it"))
    except Trouble:
        return False


@pytest.mark.parametrize("seen", ["by nobody", "by a look", "by a start", "by another guest"])
def test_a_replica_that_others_have_started_anew_does_not_know_what_it_had(pair, source, second, seen):
    with second.server._instance.session(30.0) as locking:
        locking.ask("LOCK TABLES d.t READ")  # so that nothing is applied
        number = insert(source)
        assert not has(second, number) and second.server.look().whole
        source.signal(signal.SIGSTOP)
        try:
            started_by_others(second)
            if seen == "by a look":
                assert not second.server.look().whole
            elif seen == "by a start":
                second.server.start()
            elif seen == "by another guest":
                second.reborn()
            for _time in range(3):
                second.tend()
            assert not second.server.look().whole
            found = second.ok("seal")
            assert found["had"] is None and not has(second, number)
        finally:
            source.signal(signal.SIGCONT)
    assert second.follow(source).found == {}
    until(lambda: second.server.look().whole, "it has all again", [second])
    assert has(second, number)


def test_a_seal_in_which_the_server_becomes_another_says_nothing(pair, source, second, monkeypatch):
    """What it had is told of one process, and of the next one what it has."""
    seal = second.server._replica.seal

    def sealed():
        report = seal()
        started_by_others(second)
        return report

    monkeypatch.setattr(second.server._replica, "seal", sealed)
    assert second.server.do("seal", {}, always) is None
    monkeypatch.undo()
    assert second.ok("seal")["had"] is None


def test_a_server_whose_package_is_gone_is_found_and_ended(pair, source, second, monkeypatch):
    monkeypatch.setattr(instance, "PATH", "/nonexistent")
    pid = second.server.pid()
    second.reborn()
    assert pid is not None and second.server.pid() == pid
    second.server.kill()
    assert second.server.pid() is None
    with pytest.raises(Trouble, match="there is no mariadbd on this host: install the package mariadb-server-core"):
        second.server.start()


def test_who_acknowledges_to_a_frozen_source_is_sealed(pair, source, second):
    insert(source)
    came = source.server.position()
    source.signal(signal.SIGSTOP)
    try:
        report = until(lambda: second.server.do("seal", {}, lambda: True), "it is sealed")
        assert report.found == {"received": came, "had": came} and second.follows_as() == ""
    finally:
        source.signal(signal.SIGCONT)


def test_a_replica_follows_again_after_a_restart_of_its_own_and_of_the_source(pair, source, second):
    second.ok("restart")
    number, thread = insert_in_thread(source)
    until(lambda: has(second, number) and not thread.is_alive(), "it has the row", pair)
    source.ok("restart")
    source.server.open([second.id], always)
    number, thread = insert_in_thread(source)
    until(lambda: has(second, number) and not thread.is_alive(), "it has the row", pair)


def insert_in_thread(source):
    """Write a row, which may have to wait to be acknowledged; return its number, and the thread."""
    number = source.root("SELECT COALESCE(MAX(id), 0) + 1 AS it FROM d.t")[0]["it"]
    thread = threading.Thread(target=source.sql, args=(f"INSERT INTO d.t VALUES ({number})",), kwargs={"timeout": 30}, daemon=True)
    thread.start()
    return number, thread


def test_one_that_has_what_the_source_has_not_is_apart_by_its_numbers(pair, source, second):
    second.ok("seal")
    second.root("STOP SLAVE")
    second.root("SET GLOBAL gtid_slave_pos='1-1-1000000'")
    try:
        assert second.follow(source).found == {"apart": True}
        assert second.memory["follow"] is None
    finally:
        second.root(f"SET GLOBAL gtid_slave_pos='{second.root('SELECT @@gtid_binlog_pos AS it')[0]['it']}'")


def test_one_that_has_something_else_under_the_same_number_is_apart_and_copied_anew(pair, source, second):
    second.ok("seal")
    source.server.open((), always)
    second.root("INSERT INTO d.t VALUES (-77)")
    insert(source)
    insert(source)
    assert second.follow(source).found == {"apart": True}
    assert second.memory["follow"] is None and second.follows_as() == ""
    source.pool.copy(source, second)
    assert not has(second, -77) and not (source.pool.folder / second.id / "data.old").exists()
    assert second.memory["whole"] and second.follow(source).found == {}


def test_a_wrong_password_is_said(pair, source, second):
    second.ok("seal")
    second.memory["spec"]["secrets"]["replication"] = "wrong"
    try:
        assert "does not let m2 follow it: Access denied" in second.follow(source).problem
    finally:
        second.memory["spec"]["secrets"]["replication"] = source.pool.secrets["replication"]


def test_a_source_with_another_certificate_is_not_followed(pair, source, second):
    second.ok("seal")
    path = source.pool.folder / second.id / "certificate.pem"
    ours = path.read_text()
    path.write_text(secrets()["certificate"])
    args = {"source": source.id, "address": source.address, "port": source.port, "secrets": source.pool.secrets}
    try:
        assert second.server.do("follow", args, lambda: True) is None
        second.server._instance.remember(follow={key: args[key] for key in ("source", "address", "port")})
        second.root("STOP SLAVE")
        second.server._replica.again()
        until(lambda: second.root("SHOW SLAVE STATUS")[0]["Last_IO_Errno"] == 2026, "the server refuses it, too")
        second.ok("seal")
    finally:
        path.write_text(ours)


def test_a_replica_that_can_apply_nothing_more_is_not_up_and_says_why(pair, source, second):
    source.server.open((), always)
    second.root("SET STATEMENT sql_log_bin=0 FOR INSERT INTO d.t VALUES (555555)")
    source.sql("INSERT INTO d.t VALUES (555555)")
    until(lambda: not second.server.look().up, "it has stopped", [second])
    assert "it does not follow any more: " in second.server.look().trouble and "555555" in second.server.look().trouble
    assert "Duplicate" in second.order("reach", position="1-1-1000000").problem
    with pytest.raises(replica.Trouble, match="can't be applied"):
        second.server.open((), always)
    second.root("SET STATEMENT sql_log_bin=0 FOR DELETE FROM d.t WHERE id=555555")
    second.root("START SLAVE SQL_THREAD")
    until(lambda: second.server.look().up and has(second, 555555), "it goes on")


# --- copies -----------------------------------------------------------------------------------------------------------------


def in_thread(member, verb, stands=lambda: True, **args):
    reports = []
    thread = threading.Thread(target=lambda: reports.append(member.server.do(verb, args, stands)), daemon=True)
    thread.start()
    return reports, thread


def where(member):
    return {"to": member.id, "address": member.address, "port": member.port, "secrets": member.pool.secrets}


def test_a_copy_that_nobody_wants_any_more_leaves_all_as_it_was(pair, source, second):
    wanted = [True]
    received, thread = in_thread(second, "receive", lambda: wanted[0], **second.args())
    sent, other = in_thread(source, "send", lambda: wanted[0], **{**where(second), "to": "somebody else"})
    until(lambda: sent, "the wrong one is sent away")
    assert sent[0].problem == "here is m2"
    wanted[0] = False
    thread.join(10)
    other.join(10)
    assert received[0].problem == "it is taken back"
    assert second.server.look().up and sorted(path.name for path in (source.pool.folder / second.id).iterdir()) == [
        "certificate.pem", "data", "key.pem", "log.err", "marker", "my.cnf", "ready", "run", "tmp",
    ]  # fmt: skip


def test_a_copy_that_does_not_start_leaves_what_was_there(pair, source, second, monkeypatch):
    number = insert(source)
    monkeypatch.setattr(copies, "copied_position", lambda folder: (folder / "ibdata1").write_bytes(b"no data") and "")
    received, thread = in_thread(second, "receive", **second.args())
    sent, other = in_thread(source, "send", **where(second))
    thread.join(30)
    other.join(30)
    assert "m2 does not start" in received[0].problem and sent[0].problem == received[0].problem
    second.server.start()
    assert has(second, number) and second.memory["follow"]["source"] == source.id
    assert not (source.pool.folder / second.id / "data.new").exists()


def test_a_guest_that_died_while_a_copy_took_its_place_has_back_what_was_there(pair, source, second):
    folder = source.pool.folder / second.id
    number = insert(source)
    second.server.stop()
    second.server._instance.remember(swapping=True)
    (folder / "data").rename(folder / "data.old")
    (folder / "data").mkdir()
    second.reborn()
    second.server.start()
    assert has(second, number) and not (folder / "data.old").exists()


def test_a_sender_whom_nobody_answers_gives_up_when_it_is_taken_back(pair, source, second):
    wanted = [True]
    sent, thread = in_thread(source, "send", lambda: wanted[0], **where(second))
    wanted[0] = False
    thread.join(10)
    assert sent[0].problem == "it is taken back"


def test_closing_cuts_a_copy_off(pair, source, second, monkeypatch):
    backups = []

    def give(wire, pipe, stands, sending):
        until(lambda: source.server._copies._sends, "it runs")
        backups.extend(source.server._copies._sends)
        source.server.close(5.0)
        while pipe.read(1 << 16):
            pass

    monkeypatch.setattr(copies.copying, "give", give)
    wanted = [True]
    received, thread = in_thread(second, "receive", lambda: wanted[0], **second.args())
    sent, other = in_thread(source, "send", lambda: wanted[0], **where(second))
    other.join(30)
    thread.join(30)
    assert sent[0].found == received[0].found == {"broke": True}
    assert "mariadb-backup failed" in sent[0].problem and backups[0].returncode == -signal.SIGKILL
    assert "broke off" in received[0].problem and second.server.look().up


def test_how_far_a_replica_is_behind_is_known_while_it_hears_its_source(pair, source, second):
    with second.server._instance.session(30.0) as locking:
        locking.ask("LOCK TABLES d.t READ")  # so that nothing is applied
        insert(source)
        until(lambda: (second.server.look().lag_bytes or 0) > 0 and second.server.look().lag_seconds, "it is behind", [second])
        waits = second.server.look().lag_bytes
        source.root("FLUSH BINARY LOGS")
        number = insert(source)
        until(lambda: second.server.look().lag_bytes > waits, "what comes in another file of the source is counted", [second])
    until(lambda: (second.server.look().lag_bytes, second.server.look().lag_seconds) == (0, 0), "it has caught up", [second])
    assert has(second, number) and source.server.look().lag_bytes is None
    source.server.open((), always)
    second.ok("seal")
    assert second.server.look().lag_bytes is second.server.look().lag_seconds is None


def test_a_replica_gives_a_copy_and_the_source_lets_in_who_gets_it(pair, source, second):
    number = insert(source)
    until(lambda: has(second, number), "the replica has it", pair)
    before = second.server.position()
    third = source.pool.member()
    third.prepare()
    try:
        source.pool.copy(second, third)
        assert has(third, number) and second.server.position() == before, "the one who gave it has written nothing"
        assert "does not let m" in third.follow(source).problem
        source.ok("admit", to=third.id)
        assert third.follow(source).found == {}
        number = insert(source)
        until(lambda: has(third, number), "it follows", [*pair, third])
    finally:
        third.server.kill()
        third.ok("wipe")
        source.pool.members.remove(third)
