# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a cluster of real servers, as guests have them: formed, joined, left, crashed, formed anew. Nothing is started unasked."""

import signal

import pymysql
import pytest

from baton.datastores.host.galera import own_tables
from baton.datastores.host.trouble import Trouble
from support.galera import ClusterPool, until
from support.mariadb import Writer


@pytest.fixture(scope="module")
def pool():
    """A cluster of two that have data, m1 and m2, and an arbiter."""
    pool = ClusterPool()
    try:
        first = pool.first()
        pool.grow(first)
        arbiter = pool.member(kind="arbiter", region=1)
        arbiter.prepare()
        assert arbiter.join() == {}
        yield pool
    finally:
        pool.end()


@pytest.fixture
def trio(pool):
    """All of them serve."""
    for member in pool.members[:3]:
        assert member.join() == {}
    return pool.members[:3]


def insert(member, many=1):
    """Write so many rows, and return their numbers."""
    (row,) = member.root("SELECT COALESCE(MAX(id), 0) AS it FROM d.t")
    numbers = range(row["it"] + 1, row["it"] + 1 + many)
    member.sql("INSERT INTO d.t (id) VALUES " + ", ".join(f"({number})" for number in numbers))
    return set(numbers)


def caught_up(member, numbers):
    return until(lambda: numbers <= member.rows(), f"{member.id} has all")


def where(halted):
    """Return the position of one that has said how far it came."""
    return {name: halted[name] for name in ("uuid", "seqno")}


def gone(member):
    member.signal(signal.SIGKILL)
    until(lambda: member.server.pid() is None, "it is gone")


def test_members_say_what_they_are_of(trio):
    one, other, arbiter = (member.server.look() for member in trio)
    assert one.up and other.up and arbiter.up
    assert one.view == other.view == arbiter.view
    assert one.view["number"] > 2
    assert {**one.view, "uuid": "", "number": 0} == {"primary": True, "size": 3, "state": "Synced", "uuid": "", "number": 0}
    insert(trio[0], 10)
    assert trio[0].server.look() == one, "what changes with each write is not told"


def test_people_have_their_users_in_all_members_and_nobody_else_may_come_in(trio):
    numbers = insert(trio[0])
    other = trio[1]
    caught_up(other, numbers)
    assert other.sql("SELECT COUNT(*) FROM d.t WHERE id > 0")[0][0] >= 1
    users = {(row["User"], row["Host"]) for row in other.root("SELECT User, Host FROM mysql.global_priv")}
    assert users == {("root", "localhost"), ("mariadb.sys", "localhost"), ("app", "%")}


def test_a_member_that_was_killed_joins_again_by_increments(trio):
    first, second, _arbiter = trio
    writer = Writer(first, first=100_000)
    until(lambda: len(writer.acknowledged) > 20, "some rows")
    gone(second)
    assert not second.server.look().up and second.server.look().trouble.startswith("it does not run")
    until(lambda: first.server.look().view["size"] == 2, "the others go on")
    before = len(writer.acknowledged)
    until(lambda: len(writer.acknowledged) > before, "writes go on")
    with pytest.raises(Trouble, match="an order starts it"):
        second.server.start()
    assert second.join() == {}
    acknowledged = writer.ended()
    caught_up(second, set(acknowledged))
    assert second.rows() == first.rows()


def test_a_table_whose_rows_would_be_with_one_member_alone_is_refused(trio):
    one, other, _arbiter = trio
    for engine in ("MyISAM", "Aria", "MEMORY"):
        with pytest.raises(pymysql.err.OperationalError, match="Galera replication not supported"):
            one.sql(f"CREATE TABLE d.x (id INT PRIMARY KEY) ENGINE={engine}")
        with pytest.raises(pymysql.err.OperationalError, match="Galera replication not supported"):
            one.sql(f"ALTER TABLE d.t ENGINE={engine}")
        one.sql(f"CREATE TEMPORARY TABLE d.x (id INT) ENGINE={engine}")
    one.sql("CREATE TABLE d.keyless (id INT)")
    one.sql("INSERT INTO d.keyless VALUES (1)")
    until(lambda: len(other.root("SELECT id FROM d.keyless")) == 1, "all have the row")
    one.sql("DROP TABLE d.keyless")


def test_an_arbiter_that_is_frozen_is_known_by_the_number_of_its_view(trio):
    one, _other, arbiter = trio
    assert arbiter.server.look().view["number"] == one.server.look().view["number"]
    arbiter.signal(signal.SIGSTOP)
    try:
        until(lambda: one.server.look().view["size"] == 2, "the others go on")
        assert arbiter.server.look().view["number"] < one.server.look().view["number"]
    finally:
        arbiter.signal(signal.SIGCONT)
    until(lambda: arbiter.server.look().view == one.server.look().view, "it is in again")


def test_a_guest_that_begins_again_finds_its_servers(trio):
    pids = [member.server.pid() for member in trio]
    for member in trio:
        member.reborn()
    assert [member.server.pid() for member in trio] == pids and all(member.server.look().up for member in trio)
    for member in trio:
        assert member.join() == {}
    assert [member.server.pid() for member in trio] == pids


def test_one_that_lacks_more_than_the_others_have_kept_is_apart_and_copied_anew(trio):
    first, second, arbiter = trio
    halted = second.ok("halt")
    assert second.server.look().trouble == "it was halted"
    numbers = insert(first)
    at = first.ok("halt")
    (first.pool.folder / first.id / "data" / "galera.cache").unlink()
    first.pool.term += 1
    assert first.form(at) == where(at) and arbiter.join() == {}
    assert second.join(at) == {"apart": "the other members have not kept all that it lacks"}
    assert second.server.pid() is None and first.server.look().up
    assert second.ok("halt") == halted, "its data is where it was"
    assert second.join(at)["apart"], "as often as it is asked"
    first.pool.copy(first, second)
    assert second.server.pid() is None and second.ok("halt")["seqno"] > halted["seqno"]
    assert second.join() == {} and numbers <= second.rows()


def test_after_all_have_stopped_the_furthest_forms_the_cluster_once_and_who_was_ahead_is_apart(trio):
    first, second, arbiter = trio
    came_to = [member.ok("halt") for member in (first, second)]
    assert arbiter.ok("halt") == {} and [member.ok("halt") for member in (first, second)] == came_to
    assert came_to[0]["uuid"] == came_to[1]["uuid"] and came_to[0]["seqno"] <= came_to[1]["seqno"]
    first.pool.term += 1
    report = first.order("form", **first.pool.group(), position=came_to[1])
    assert "nothing was started" in report.problem and first.server.pid() is None
    assert "form it at that position" in first.order("form", **first.pool.group(), position=None).problem
    assert second.form(came_to[1]) == where(came_to[1])
    pid = second.server.pid()
    second.reborn()
    assert second.form(came_to[1]) == where(came_to[1]) and second.server.pid() == pid
    assert "halt it first" in second.order("form", **first.pool.group(), position=came_to[0]).problem
    state = first.pool.folder / first.id / "data" / "grastate.dat"
    state.write_text(state.read_text().replace(f"seqno:   {came_to[0]['seqno']}", f"seqno:   {came_to[1]['seqno'] + 1}"))
    ahead = first.join(came_to[1])
    assert "it was ahead" in ahead["apart"] and first.server.pid() is None
    first.pool.copy(second, first)
    assert first.join() == {} and arbiter.join() == {}
    assert first.rows() == second.rows() and second.server.look().view["size"] == 3


def test_after_all_have_crashed_nobody_comes_back_before_one_is_told_to_form_it(trio):
    first, second, arbiter = trio
    numbers = insert(first, 10)
    caught_up(second, numbers)
    gone(first)
    gone(second)
    came_to = {member: member.ok("halt") for member in (first, second)}
    assert came_to[first] == came_to[second]
    until(lambda: not arbiter.server.look().up, "a vote is no cluster")
    assert arbiter.server.look().view["primary"] is False
    first.pool.term += 1
    assert first.form(came_to[first]) == where(came_to[first])
    assert first.server.look().view["size"] == 1, "who is of another term is not of it"
    insert(first)
    assert second.join(came_to[first]) == {}
    assert arbiter.join(came_to[first]) == {}
    assert numbers <= second.rows() == first.rows()
    until(lambda: arbiter.server.look().view == first.server.look().view, "they are of one group")


def test_a_server_that_runs_on_in_an_older_group_is_ended_and_judged_before_it_joins(trio):
    first, second, arbiter = trio
    arbiter.ok("halt")
    gone(first)
    until(lambda: not second.server.look().up, "it has no majority")
    assert second.server.look().trouble.startswith("it runs, and is not in the primary component")
    pid = second.server.pid()
    at = first.ok("halt")
    assert "halt it first" in second.order("form", **first.pool.group(), position=at).problem
    first.pool.term += 1
    assert first.form(at) == where(at)
    assert second.join(at) == {} and second.server.pid() != pid
    assert first.server.look().view["size"] == 2


def test_one_that_serves_is_not_halted_where_only_an_idle_one_is_to_be(trio):
    pid = trio[0].server.pid()
    assert trio[0].order("halt", idle=True).problem == "it serves" and trio[0].server.pid() == pid


def test_parameters_come_at_once_or_with_a_restart_or_not_at_all(trio):
    second, group = trio[1], trio[1].pool.group()
    assert second.ok("configure", parameters={"max_connections": 66}) == {"restart": []}
    assert second.root("SELECT @@max_connections AS it")[0]["it"] == 66
    assert second.ok("configure", parameters={"max_connections": 66, "back_log": 44}) == {"restart": ["back_log"]}
    second.ok("restart", **group, parameters={"max_connections": 66, "back_log": 44}, version=None)
    assert second.root("SELECT @@back_log AS it")[0]["it"] == 44
    report = second.order("restart", **group, parameters={"max_connections": 66, "back_lag": 1})
    assert "does not start with back_lag=1" in report.problem and second.server.look().up
    assert second.root("SELECT @@back_log AS it")[0]["it"] == 44
    assert "can't be set" in second.order("configure", parameters={"wsrep_cluster_address": "gcomm://"}).problem
    assert "not 99.9" in second.order("restart", **group, parameters=None, version="99.9").problem and second.server.look().up


def test_where_the_others_are_is_announced_in_the_file_alone(trio):
    second = trio[1]
    pid, folder = second.server.pid(), second.pool.folder / second.id
    second.ok("announce", members=[{"address": "127.0.1.9", "port": 3306}])
    assert 'wsrep-cluster-address = "gcomm://127.0.1.9:13306"' in (folder / "my.cnf").read_text()
    assert second.server.pid() == pid and second.server.look().up
    arbiter = trio[2]
    arbiter.ok("announce", **second.pool.group())
    assert arbiter.server.look().up
    second.ok("announce", **second.pool.group())


def test_a_member_that_is_wiped_leaves_nothing(pool, trio):
    member = pool.member()
    member.prepare()
    pool.copy(trio[0], member)
    member.join()
    member.ok("wipe")
    assert member.server.pid() is None and not (pool.folder / member.id).exists()
    until(lambda: trio[0].server.look().view["size"] == 3, "the others go on without it")
    assert member.order("join", **pool.group()).problem == f"{member.id} was not prepared on this host"
    pool.members.remove(member)


def test_its_own_tables_are_made_to_fit_a_newer_version_before_it_comes_in_again(trio):
    one, other, _arbiter = trio
    assert one.memory["tables"] == other.memory["tables"] == "10.11"
    mark = other.server._instance.files.data / "mysql_upgrade_info"
    assert not mark.exists()
    rows, at = one.rows(), where(other.ok("halt"))
    other.memory["tables"] = "10.6"
    assert other.join() == {}
    assert mark.read_text().startswith("10.11") and other.memory["tables"] == "10.11"
    assert where(other.ok("halt"))["uuid"] == at["uuid"] and other.join() == {}
    assert other.rows() == one.rows() == rows and not other.server._joining.unfit


def test_an_upgrade_that_fails_is_said_and_the_member_serves_as_before(trio, monkeypatch):
    _one, other, _arbiter = trio
    monkeypatch.setattr(own_tables, "OPTIONS", ("--no-such-option",))
    other.memory["tables"] = "10.6"
    report = other.order("restart", **other.pool.group(), parameters=None, version="10.11")
    assert "can't be made to fit version 10.11, and it serves with what it has" in report.problem and other.server.look().up
    monkeypatch.undo()
    assert other.ok("restart", **other.pool.group(), parameters=None, version="10.11") == {} and other.memory["tables"] == "10.11"


def test_what_a_newer_version_does_not_start_with_is_left_out(trio):
    _one, other, _arbiter = trio
    parameters = {"no-such-parameter": 1, "max-statement-time": 77}
    report = other.order("restart", **other.pool.group(), parameters=parameters, version="10.11")
    assert "does not start with no-such-parameter=1, and was started without" in report.problem and other.server.look().up
    assert other.memory["spec"]["parameters"] == {"max-statement-time": 77}
    assert other.root("SELECT @@global.max_statement_time AS it")[0]["it"] == 77
    assert other.ok("restart", **other.pool.group(), parameters={}, version=None) == {}
