# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a set of real PostgreSQL servers, as guests have them: replicas, acknowledgements, a failover, the old source's return."""

import signal
import threading
import time

import pytest

from baton.datastores.host.trouble import Trouble
from baton.datastores.model import positions
from support.postgres import Pool, Writer, always, until


@pytest.fixture(scope="module")
def pool():
    pool = Pool()
    yield pool
    pool.end()


@pytest.fixture(scope="module")
def trio(pool):
    """A source, and two replicas that follow it."""
    source = pool.source()
    return [source, pool.replica(source), pool.replica(source)]


def marked(member, term, number, members):
    """Have a member write a mark, and wait until it is acknowledged."""
    failed = []

    def mark():
        try:
            member.server.mark(term, number)
        except Trouble as trouble:
            failed.append(str(trouble))

    thread = threading.Thread(target=mark, daemon=True)
    thread.start()
    until(lambda: not thread.is_alive(), "the mark is acknowledged", members)
    assert failed == []


def chosen(sealed):
    """Return who has received all that each of them ever had, as the plan chooses."""
    assert all(found["had"] for found in sealed.values()), sealed
    able = {name: positions.parse(found["received"]) for name, found in sealed.items()}
    return positions.furthest(able)


def fail_over(replicas):
    """Seal the replicas, and have the furthest take over; return it and the others."""
    sealed = {replica.id: replica.ok("seal") for replica in replicas}
    name = chosen(sealed)
    new = next(replica for replica in replicas if replica.id == name)
    others = [replica for replica in replicas if replica is not new]
    new.ok("drain", position=sealed[name]["received"])
    new.server.open([replica.id for replica in others], always)
    return new, others


def came_back(member, source, members):
    """Have a member follow a source, or be copied from it; return whether it was copied."""
    if member.follow(source).found == {}:
        return False
    source.pool.copy(source, member)
    assert member.follow(source).found == {}
    return True


def test_a_set_fails_over_without_a_row_lost_and_the_old_source_returns_by_a_rewind(trio):
    source, *replicas = trio
    source.server.open([replica.id for replica in replicas], always)
    marked(source, 1, 2, trio)
    writer = Writer(source)
    until(lambda: len(writer.acknowledged) > 200, "some rows", trio)
    began = time.monotonic()
    source.server.kill()
    acknowledged = writer.ended()
    assert not source.server.look().up and len(acknowledged) > 200
    new, others = fail_over(replicas)
    opened = time.monotonic()
    for other in others:  # it may have received a little more, which was not acknowledged
        assert not came_back(other, new, trio)
    marked(new, 2, 3, trio)
    print(f"failover: open after {opened - began:.2f} s, acknowledged after {time.monotonic() - began:.2f} s")
    assert set(acknowledged) <= new.rows()
    source.server.start()
    assert source.is_at_rest
    source.root("SELECT 1")
    began = time.monotonic()
    assert not came_back(source, new, trio)
    print(f"the old source is back after {time.monotonic() - began:.2f} s")
    new.server.open([source.id], always)
    marked(new, 2, 4, trio)
    new.sql("INSERT INTO t VALUES (-1)")
    for member in (source, *others):
        until(lambda: -1 in member.rows(), "it has the row", trio)  # noqa: B023
        assert member.rows() == new.rows()
    assert new.server.position().count(",") == 2 and new.server.position().startswith("1-0-")


def test_a_planned_promotion_loses_nothing_and_needs_no_rewind(trio):
    source = next(member for member in trio if not member.is_at_rest)
    candidate, other = (member for member in trio if member is not source)
    source.server.open([candidate.id, other.id], always)
    marked(source, 3, 5, trio)
    writer = Writer(source, first=100000)
    until(lambda: len(writer.acknowledged) > 100, "some rows", trio)
    position = source.ok("quiesce")["position"]
    candidate.ok("reach", position=position)
    began = time.monotonic()
    source.server.close(1.6)
    closed = time.monotonic()
    end = source.server.position()
    source.server.start()
    candidate.ok("reach", position=end)
    candidate.server.open([other.id], always)
    opened = time.monotonic()
    assert other.follow(candidate).found == {}
    marked(candidate, 4, 6, trio)
    took = [f"{at - began:.2f}" for at in (closed, opened, time.monotonic())]
    print("promotion: closed after {} s, open after {} s, acknowledged after {} s".format(*took))
    acknowledged = writer.ended()
    assert set(acknowledged) <= candidate.rows()
    assert source.follow(candidate).found == {}
    assert "rewind" not in (source.folder / "log.err").read_text().splitlines()[-1]
    candidate.server.open([source.id, other.id], always)
    candidate.sql("INSERT INTO t VALUES (-2)")
    for member in (source, other):
        until(lambda: -2 in member.rows(), "it has the row", trio)  # noqa: B023


def test_after_all_have_ended_at_once_all_is_there(trio):
    source = next(member for member in trio if not member.is_at_rest)
    others = [member for member in trio if member is not source]
    rows = source.rows()
    for member in trio:
        member.signal(signal.SIGKILL)
    for member in trio:
        until(lambda: member.server.pid() is None, "it is gone")  # noqa: B023
        member.server.start()
        assert member.is_at_rest
    source.server.open([member.id for member in others], always)
    marked(source, 5, 7, trio)
    for member in others:
        assert member.follow(source).found == {}
        until(lambda: member.rows() == rows, "it has all", trio)  # noqa: B023
