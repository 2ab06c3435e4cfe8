# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's loop with hands, links and a guard that the test brings: what is closed, when it is looked at, how long its lease lasts."""

import asyncio

from baton.datastores.guest.tenure import Open
from baton.datastores.host.instance import Instance
from baton.datastores.host.journal import Journal
from baton.datastores.host.loop import Guest, boottime
from baton.datastores.model.channel import Channel, Grant, Server


class Hands:
    def __init__(self, pid=None):
        self.process, self.done, self.is_hasty = pid, [], False

    def pid(self):
        return self.process

    def is_ours(self):
        return True

    def look(self):
        return Server(True)

    def open(self, counted, may):
        assert may()
        self.done.append("open")

    def mark(self, _term, _number):
        self.done.append("mark")

    def close(self, _timeout):
        self.done.append("close")

    def tend(self):
        return self.is_hasty


class Guard:
    def tell(self, pid, until):
        pass


class Link:
    ttl = 60.0

    def renew(self, _patience):
        return self.ttl

    def opened(self, *_what):
        pass


def with_guest(folder, hands, check, lease=60.0):
    """Run a check with a guest that has one instance, and serves it."""

    async def run():
        guest = Guest(Link, Journal(folder), Guard(), lambda _name, _memory: hands, lease, {})
        instance = guest.instances["i"] = Instance("i", "s", hands)
        try:
            await check(guest, instance)
        finally:
            guest.stop()
            for task in list(guest._tasks):
                task.cancel()
            instance.end()

    asyncio.run(run())


async def opened(guest, instance):
    """Have it take writes in term 1."""
    grant = Grant(1)
    guest._tenures.renewed(boottime(), 60.0)
    assert guest._tenures.seen(Channel(True, grants={"s": grant}, claims={"s": 1}), boottime()) == [Open("s", grant)]
    await guest._open(instance, grant)


def test_a_server_that_was_not_opened_since_it_began_need_not_be_closed(tmp_path):
    hands = Hands()

    async def check(guest, instance):
        hands.process = 7  # it is starting, and would not answer
        await guest._find(instance)
        await guest._close(instance)
        assert hands.done == []

    with_guest(tmp_path, hands, check)


def test_a_server_that_takes_writes_is_closed(tmp_path):
    hands = Hands(7)

    async def check(guest, instance):
        await opened(guest, instance)
        await guest._close(instance)
        assert "open" in hands.done and hands.done[-1] == "close"

    with_guest(tmp_path, hands, check)


def test_a_server_that_was_there_before_us_may_be_open_and_is_closed(tmp_path):
    hands = Hands(7)

    async def check(guest, instance):
        guest._tenures.renewed(boottime(), 60.0)
        await guest._close(instance)
        assert hands.done == ["close"]

    with_guest(tmp_path, hands, check)


def test_a_lease_lasts_no_longer_than_the_cluster_says(tmp_path):
    """A life before this one may have made it, for a shorter time."""

    async def check(guest, _instance):
        guest._links["renew"].ttl = 0.5
        sent = boottime()
        task = asyncio.create_task(guest._renew())
        while guest._tenures.until == float("-inf"):
            await asyncio.sleep(0.01)
        now = boottime()
        task.cancel()
        assert sent + 0.5 <= guest._tenures.until <= now + 0.5

    with_guest(tmp_path, Hands(), check)


def test_who_is_in_a_hurry_is_looked_at_at_once(tmp_path):
    hands = Hands(7)

    async def check(guest, instance):
        for hands.is_hasty in (True, False):
            instance.look_at = 1e12
            await guest._see_to(instance)
            assert (instance.look_at == 0.0) == hands.is_hasty

    with_guest(tmp_path, hands, check)
