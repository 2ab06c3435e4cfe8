# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL server under the guest's loop: it takes writes while its term is granted and its lease stands, and never after."""

import asyncio

import pytest
from test_loop import Cluster, Guard

from baton.datastores.host.guard import boottime
from baton.datastores.host.journal import Journal
from baton.datastores.host.loop import Guest
from baton.datastores.host.postgresql.server import PostgreSQL
from baton.datastores.model import positions
from baton.datastores.model.channel import Grant, Order
from support.cluster import eventually
from support.postgres import Pool, Writer

LEASE = 2.0


@pytest.fixture
def member(tmp_path):
    pool = Pool()
    member = pool.member()
    yield member
    pool.end()


@pytest.fixture
def play(member, tmp_path):
    """Run a coroutine with a guest that makes its servers in the pool's folder; the member's hands are the guest's own."""

    def run(cluster, act):
        def make(name, memory):
            member.memory = memory
            member.server = PostgreSQL(member.pool.folder / name, name, member.pool.runner, memory, journal.save, member.pool.packages.need)
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


def writes(member):
    try:
        return member.sql("INSERT INTO t SELECT count(*) FROM t") is not None
    except Exception:
        return False


def test_a_server_takes_writes_while_its_term_and_its_lease_stand(member, play):
    cluster = Cluster()
    cluster.ttl = LEASE
    user = {"name": "app", "password": "secret", "databases": [{"name": "d"}]}
    order = Order("prepare", member.id, "s", 1, 1, member.args(databases=[{"name": "d"}], users=[user]))

    async def act(guest):
        cluster.set(orders={"o1": order})
        await eventually(lambda: "o1" in cluster.channel.reports, "it is made")
        assert cluster.channel.reports["o1"].problem == ""
        await eventually(lambda: is_up(cluster, member), "it is said to be there")
        assert await asyncio.to_thread(lambda: member.is_at_rest)
        cluster.set(orders={}, reports={}, grants={"s": Grant(1, (), 1)})
        await eventually(lambda: cluster.channel.opened.get("s") == Grant(1, (), 1), "it takes writes")
        await asyncio.to_thread(member.sql, "CREATE TABLE t (id int)")
        writer = Writer(member)
        await eventually(lambda: len(writer.acknowledged) > 20, "some rows")
        # its grant is taken back: it says how far it came, and is there again, read-only
        cluster.set(grants={})
        await eventually(lambda: cluster.channel.ends.get("s") is not None, "its end is said")
        acknowledged = await asyncio.to_thread(writer.ended)
        assert positions.parse(cluster.channel.ends["s"].position)
        await eventually(lambda: is_up(cluster, member) and member.server.look().up, "it is there again")
        assert set(acknowledged) <= await asyncio.to_thread(member.rows)
        assert not await asyncio.to_thread(writes, member)
        # nobody answers: it ends before its lease does
        cluster.set(grants={"s": Grant(2, (), 2)}, ends={})
        await eventually(lambda: cluster.channel.opened.get("s") == Grant(2, (), 2), "it takes writes again")
        writer = Writer(member, first=1_000_000)
        await eventually(lambda: len(writer.acknowledged) > 20, "some rows")
        cluster.answers.clear()
        cut = boottime()
        await eventually(lambda: not writer._thread.is_alive(), "it is closed")
        assert boottime() < cut + LEASE and guest._tenures.until <= cut + LEASE
        cluster.has_lease = False
        cluster.set(alive=False, claims={})
        await eventually(lambda: member.server.pid() is not None and member.server.look().up, "it is there again")
        assert not await asyncio.to_thread(writes, member)
        # it is heard again, and its grant stands
        cluster.answers.set()
        await eventually(lambda: cluster.channel.claims == {"s": 2}, "it is claimed anew")
        await eventually(lambda: writes(member), "it takes writes")
        cluster.set(grants={}, orders={"o2": Order("wipe", member.id, "s", 2, 1)})
        await eventually(lambda: "o2" in cluster.channel.reports, "it is gone")
        assert not member.folder.exists()

    play(cluster, act)
