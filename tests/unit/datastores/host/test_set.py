# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a set of real MariaDB servers, as guests have them: replicas, acknowledgements, a failover, and the old source's return."""

import signal
import threading

import pytest

from baton.datastores.host.trouble import Trouble
from baton.datastores.model import positions
from support.mariadb import Pool, Writer, always, secrets, until


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


def acknowledges(replica, members):
    until(lambda: replica.follows_as() == f"baton_s_{replica.id}", f"{replica.id} acknowledges", members)
    until(lambda: not replica.server.tend(), f"{replica.id} is in no hurry any more", members)


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


def rows(member):
    return {row["id"] for row in member.root("SELECT id FROM d.t")}


def fail_over(replicas, members):
    """Seal the replicas, and have the furthest take over; return it and the others."""
    received = {replica.id: replica.ok("seal") for replica in replicas}
    assert all(found["had"] for found in received.values()), received
    name = positions.furthest({key: positions.parse(found["received"]) for key, found in received.items()})
    new = next(replica for replica in replicas if replica.id == name)
    others = [replica for replica in replicas if replica is not new]
    new.ok("drain", position=received[name]["received"])
    new.server.open([replica.id for replica in others], always)
    for replica in others:
        replica.follow(new)
    return new, others


def test_a_set_fails_over_without_a_row_lost_and_the_old_source_returns(trio):
    source, *replicas = trio
    source.server.open([replica.id for replica in replicas], always)
    marked(source, 1, 2, trio)
    for replica in replicas:
        acknowledges(replica, trio)
    writer = Writer(source)
    until(lambda: len(writer.acknowledged) > 200, "some rows", trio)
    source.signal(signal.SIGKILL)
    acknowledged = writer.ended()
    assert not source.server.look().up and len(acknowledged) > 200
    new, others = fail_over(replicas, trio)
    for other in others:  # it may have received a little more, which was not acknowledged
        if other.memory["follow"] is None:
            source.pool.copy(new, other)
            assert other.follow(new).found == {}
    marked(new, 2, 3, trio)
    assert set(acknowledged) <= rows(new)
    source.server.start()
    if source.follow(new).found:
        source.pool.copy(new, source)
        assert source.follow(new).found == {}
    new.server.open([source.id], always)
    acknowledges(source, trio)
    marked(new, 2, 4, trio)
    assert all(replica.follows_as() == f"baton_a_{replica.id}" for replica in others)
    assert new.server.position().startswith(f"1-{new.number}-")


def test_a_replica_that_is_detached_is_a_source_of_which_the_others_know_nothing(pool):
    source = pool.source()
    leaving, staying = pool.replica(source), pool.replica(source)
    members = [source, leaving, staying]
    source.server.open([leaving.id, staying.id], always)
    marked(source, 1, 2, members)
    source.sql("INSERT INTO d.t VALUES (1)")
    assert "it must be sealed first" in leaving.order("adopt", secrets=pool.secrets).problem
    source.server.open([staying.id], always)
    marked(source, 1, 3, members)
    until(lambda: rows(leaving) == {1}, "it is there", members)  # nobody waits for it: it does not count
    sealed = leaving.ok("seal")
    leaving.ok("drain", position=sealed["received"])
    assert rows(leaving) == {1}
    others, own = pool.secrets, secrets("another set's own")
    for _again in range(2):  # a guest may die before it has said that it is done
        leaving.ok("adopt", secrets=own)
        leaving.reborn()
    leaving.server.open((), always)
    leaving.server.mark(1, 1)
    leaving.sql("INSERT INTO d.t VALUES (2)")
    source.sql("INSERT INTO d.t VALUES (3)")
    assert rows(leaving) == {1, 2} and rows(source) == {1, 3}
    where = {"source": leaving.id, "address": leaving.address, "port": leaving.port, "secrets": others}
    assert staying.server.do("follow", where, always) is None  # they do not trust each other, so that it is silent to it
    assert staying.memory["follow"]["source"] == source.id
    try:
        pool.secrets = own
        replica = pool.replica(leaving)
        leaving.server.open([replica.id], always)
        acknowledges(replica, [leaving, replica])
        leaving.sql("INSERT INTO d.t VALUES (4)")
        until(lambda: rows(replica) == {1, 2, 4}, "the new one has all", [leaving, replica])
    finally:
        pool.secrets = others
