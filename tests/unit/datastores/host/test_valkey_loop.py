# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server of Valkey or Redis under the guest's loop: it takes writes while its term is granted and its lease stands, never after."""

import asyncio
import os
import signal
import threading
import time

import pytest
from test_loop import Cluster, Guard

from baton.datastores.host import guard as guards
from baton.datastores.host.guard import boottime
from baton.datastores.host.journal import Journal
from baton.datastores.host.loop import Guest
from baton.datastores.host.valkey.protocol import ValkeyTrouble
from baton.datastores.model import positions
from baton.datastores.model.channel import Grant, Order
from support.cluster import eventually
from support.mariadb import always, until
from support.valkey import HANDS, Pool, Writer, client

LEASE = 2.0


@pytest.fixture
def pool():
    pool = Pool()
    yield pool
    pool.end()


@pytest.fixture
def member(pool):
    return pool.member()


@pytest.fixture
def play(member, tmp_path):
    """Run a coroutine with a guest that makes its servers in the pool's folder; the member's hands are the guest's own."""

    def run(cluster, act):
        def make(name, memory):
            member.memory = memory
            member.server = HANDS(member.pool.folder / name, name, member.pool.runner, memory, journal.save, member.pool.packages.need)
            return member.server

        async def main():
            guest = Guest(lambda: cluster, journal, Guard(), make, LEASE, {})
            running = asyncio.ensure_future(guest.run())
            try:
                await act(guest)
            finally:
                guest.stop()
                await running

        journal = Journal(tmp_path)
        asyncio.run(main())

    return run


def is_up(cluster, member):
    found = cluster.channel.servers.get(member.id)
    return found is not None and found.up


def test_a_server_takes_writes_while_its_term_and_its_lease_stand(member, play):
    cluster = Cluster()
    cluster.ttl = LEASE
    order = Order("prepare", member.id, "s", 1, 1, member.args(users=[{"name": "app", "password": "secret"}]))

    async def act(guest):
        cluster.set(orders={"o1": order})
        await eventually(lambda: "o1" in cluster.channel.reports, "it is made")
        assert cluster.channel.reports["o1"].problem == ""
        await eventually(lambda: is_up(cluster, member), "it is said to be there")
        assert not await asyncio.to_thread(lambda: member.takes_writes)
        cluster.set(orders={}, reports={}, grants={"s": Grant(1, (), 1)})
        await eventually(lambda: cluster.channel.opened.get("s") == Grant(1, (), 1), "it takes writes")
        writer = Writer(member)
        await eventually(lambda: len(writer.acknowledged) > 20, "some writes")
        # its grant is taken back: it says how far it came, and stays, read-only
        cluster.set(grants={})
        await eventually(lambda: cluster.channel.ends.get("s") is not None, "its end is said")
        acknowledged = await asyncio.to_thread(writer.ended)
        assert positions.parse(cluster.channel.ends["s"].position)
        assert acknowledged <= await asyncio.to_thread(member.names)
        assert not await asyncio.to_thread(lambda: member.takes_writes)
        # nobody answers: it ends before its lease does
        cluster.set(grants={"s": Grant(2, (), 2)}, ends={})
        await eventually(lambda: cluster.channel.opened.get("s") == Grant(2, (), 2), "it takes writes again")
        writer = Writer(member, first=1_000_000)
        await eventually(lambda: len(writer.acknowledged) > 20, "some writes")
        cluster.answers.clear()
        cut = boottime()
        await eventually(lambda: not writer._thread.is_alive(), "it is closed")
        assert boottime() < cut + LEASE and guest._tenures.until <= cut + LEASE
        cluster.has_lease = False
        cluster.set(alive=False, claims={})
        assert not await asyncio.to_thread(lambda: member.takes_writes)
        # it is heard again, and its grant stands
        cluster.answers.set()
        await eventually(lambda: cluster.channel.claims == {"s": 2}, "it is claimed anew")
        await eventually(lambda: member.takes_writes, "it takes writes")
        # a server that was killed is started, read-only, and opened by a claim of its own
        pid = member.server.pid()
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: member.server.pid() not in (None, pid), "it is started")
        await eventually(lambda: member.takes_writes, "it takes writes")
        assert acknowledged <= await asyncio.to_thread(member.names)
        cluster.set(grants={}, orders={"o2": Order("wipe", member.id, "s", 2, 1)})
        await eventually(lambda: "o2" in cluster.channel.reports, "it is gone")
        assert not member.folder.exists()

    play(cluster, act)


def test_a_frozen_source_is_killed_by_the_guard_and_has_acknowledged_nothing_that_is_lost(pool, tmp_path):
    """Its guest is frozen, too, so that nobody but the guard can. Its replicas were sealed before."""
    source = pool.source()
    replica = pool.replica(source)
    pool.count(source, replica)
    guard = guards.Guard()
    assert guard.tell(source.server.pid(), boottime() + 0.5) == ""
    writer = Writer(source, waits=1)
    until(lambda: len(writer.acknowledged) > 50, "some writes", pool.members)
    source.signal(signal.SIGSTOP)
    found = replica.ok("seal")
    assert found["had"] == found["received"]
    replica.server.open((), always)
    replica.server.mark(2, 2)
    pid = source.server.pid()
    until(lambda: guard.look(boottime()) >= 0 and source.server.pid() is None, "the guard has killed it")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    assert writer.ended() <= replica.names()


def test_a_frozen_source_that_wakes_up_before_it_is_killed_has_nothing_acknowledged(pool):
    source = pool.source()
    first, second = pool.replica(source), pool.replica(source)
    pool.count(source, first, second)
    writer = Writer(source, waits=1)
    until(lambda: len(writer.acknowledged) > 50, "some writes", pool.members)
    source.signal(signal.SIGSTOP)
    had = [positions.parse(member.ok("seal")["received"]) for member in (first, second)]
    new = first if positions.contains(*had) else second
    new.server.open((), always)
    new.server.mark(2, 2)
    source.signal(signal.SIGCONT)
    assert source.ask("WAIT", 1, 500) == 0
    source.server.close(2.0)
    assert writer.ended() <= new.names()


def test_a_server_that_answers_nothing_is_not_closed_so_that_it_is_killed(pool):
    """A script that runs for ever keeps it from all else, and can't be ended once it has written."""
    source = pool.source()

    def run():
        try:
            source.ask("EVAL", "redis.call('SET', 'a', 1) while true do end", 0, timeout=60.0)
        except (ValkeyTrouble, OSError):
            pass

    running = threading.Thread(target=run, daemon=True)
    running.start()

    def is_busy():
        try:
            with client(source, timeout=0.2):
                return False
        except ValkeyTrouble:
            return True

    until(is_busy, "it answers nobody")
    began = time.monotonic()
    with pytest.raises(ValkeyTrouble):
        source.server.close(1.0)
    assert time.monotonic() - began < 2.0
    source.server.kill()
    assert source.server.pid() is None
    running.join(10)
    source.server.start()
    assert not source.takes_writes
