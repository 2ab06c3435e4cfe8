# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's loop over a cluster, servers and a guard that a test plays: what is done to servers, and what is said of them."""

import asyncio
import threading

import pytest

from baton.client.error import ClientError
from baton.datastores.host.channel import Seen
from baton.datastores.host.guard import boottime
from baton.datastores.host.journal import Journal
from baton.datastores.host.loop import Guest
from baton.datastores.host.trouble import Trouble
from baton.datastores.model.channel import Channel, Grant, Order, Report, Server
from baton.datastores.model.documents import PoolHost
from support.cluster import eventually

LEASE = 0.8
GRANT = Grant(3, ("m2",), 5)


class Cluster:
    """The document of one host, and its guest's lease."""

    def __init__(self, **channel):
        self.channel, self.revision, self.ttl, self.has_lease = Channel(**{"alive": True, **channel}), 1, LEASE, True
        self.changed, self.answers, self.said = threading.Condition(), threading.Event(), []
        self.answers.set()

    def set(self, **channel):
        with self.changed:
            self.channel = Channel(**{**vars(self.channel), **channel})
            self.revision += 1
            self.changed.notify_all()

    # --- as a guest sees it: Link ---

    def _seen(self):
        if not self.answers.is_set():
            raise ClientError("connection", "nobody answers", retriable=True)
        return Seen(f"1.{self.revision}", PoolHost("h1", channel=self.channel))

    def read(self):
        return self._seen()

    def wait(self, revision):
        with self.changed:
            self.changed.wait_for(lambda: revision != f"1.{self.revision}", 0.2)
        return self._seen() if revision != f"1.{self.revision}" else None

    def renew(self, _patience):
        if not self.answers.is_set():
            raise ClientError("connection", "nobody answers", retriable=True)
        if not self.has_lease:
            raise ClientError("not_found", "there is no lease", 404)
        return self.ttl

    def begin(self, ttl, _heartbeat, _patience):
        self.has_lease, self.ttl = True, ttl
        self.set(alive=True)
        self.say(_heartbeat, _patience)

    def say(self, heartbeat, _patience):
        self.heartbeat = dict(heartbeat)

    def claim(self, key, term, _seen):
        self.said.append("claim")
        self.set(claims={key: term}, claimed={key: term}, ends={})

    def end(self, key, end, _seen):
        self.said.append("end")
        self.set(claims={}, ends={key: end})

    def opened(self, key, grant, _seen):
        self.set(opened={key: grant})

    def report(self, key, report, _seen):
        self.set(reports={**self.channel.reports, key: report})

    def servers(self, servers, _seen):
        self.set(servers=servers)


class Hands:
    by_quorum, fence = False, 0.0

    def __init__(self, pid=100):
        self.number, self.done, self.is_open, self.slow, self.asked = pid, [], False, threading.Event(), 0
        self.slow.set()

    def is_ours(self):
        return True

    def pid(self):
        self.asked += 1
        return self.number

    def start(self):
        self.done.append("start")
        self.number = 200

    def stop(self):
        self.done.append("stop")
        self.slow.wait(5)
        self.number, self.is_open = None, False

    def kill(self):
        self.done.append("kill")
        self.number, self.is_open = None, False

    def look(self):
        return Server(self.number is not None)

    def open(self, _counted, may):
        self.done.append("open")
        self.is_open = may()

    def mark(self, _term, _number):
        pass

    def close(self, _timeout):
        self.done.append("close")
        self.is_open = False

    def position(self):
        return "1-1-7"

    def do(self, verb, _args, _stands):
        self.done.append(verb)
        if verb == "restart":
            self.stop()
            self.start()
        return Report()

    def tend(self):
        return False


class Guard:
    def __init__(self):
        self.told = []

    def tell(self, pid, until):
        self.told.append((pid, until))


@pytest.fixture
def play(tmp_path):
    """Run a coroutine with a guest that has one instance, m1 of set s."""

    def run(cluster, hands, act, lease=LEASE):
        async def main():
            journal = Journal(tmp_path)
            journal.instances["m1"] = {"set": "s", "memory": {}}
            guest = Guest(lambda: cluster, journal, Guard(), lambda _name, _memory: hands, lease, {})
            running = asyncio.ensure_future(guest.run())
            try:
                await act(guest)
            finally:
                guest.stop()
                await running

        asyncio.run(main())

    return run


def test_a_guest_that_begins_again_leaves_a_server_alone_whose_claim_stands(play):
    cluster = Cluster(grants={"s": GRANT}, claims={"s": 3}, claimed={"s": 3})
    hands = Hands()
    hands.is_open = True

    async def act(_guest):
        await eventually(lambda: cluster.channel.opened.get("s") == GRANT, "it says that it is open")
        assert hands.is_open and not {"kill", "close", "stop"} & set(hands.done)

    play(cluster, hands, act)


def test_a_guest_that_begins_again_and_hears_nobody_closes_what_it_finds(play):
    cluster, hands = Cluster(grants={"s": GRANT}, claims={"s": 3}), Hands()
    hands.is_open = True
    cluster.answers.clear()

    async def act(_guest):
        await eventually(lambda: "close" in hands.done, "it is closed")
        assert not hands.is_open and "kill" not in hands.done

    play(cluster, hands, act)


def test_a_claim_that_went_with_a_lease_closes_the_server(play):
    cluster, hands = Cluster(grants={"s": GRANT}, claims={"s": 3}, claimed={"s": 3}), Hands()

    async def act(_guest):
        await eventually(lambda: hands.is_open, "it is open")
        cluster.has_lease = False
        cluster.set(alive=False, claims={})
        await eventually(lambda: "close" in hands.done, "it is closed")
        await eventually(lambda: cluster.channel.claims == {"s": 3} and hands.is_open, "it is claimed anew, since the grant stands")

    play(cluster, hands, act)


def test_a_lease_of_less_time_than_we_ask_for_is_counted_by_its_own(play):
    cluster, hands = Cluster(grants={"s": GRANT}, claims={"s": 3}, claimed={"s": 3}), Hands()
    cluster.ttl = LEASE / 2

    async def act(guest):
        await eventually(lambda: hands.is_open, "it is open")
        cluster.answers.clear()
        cut = boottime()
        await eventually(lambda: "close" in hands.done, "it is closed")
        assert guest._tenures.until <= cut + LEASE / 2

    play(cluster, hands, act)


def test_a_restart_says_nothing_of_an_end_before_the_server_has_ended(play):
    cluster, hands = Cluster(grants={"s": GRANT}, claims={"s": 3}, claimed={"s": 3}), Hands()

    async def act(_guest):
        await eventually(lambda: hands.is_open, "it is open")
        hands.slow.clear()
        cluster.set(orders={"o": Order("restart", "m1", "s", 3)})
        await eventually(lambda: "stop" in hands.done, "it is being stopped")
        cluster.set(grants={})
        await eventually(lambda: "end" in cluster.said, "its end is said")
        assert "close" in hands.done and hands.done.index("close") > hands.done.index("stop")
        hands.slow.set()
        await eventually(lambda: cluster.channel.reports.get("o") == Report(), "it was restarted")

    play(cluster, hands, act)


def test_a_server_that_is_closed_by_its_end_is_not_started_before_it_is_known_how_far_it_came(play):
    cluster, hands = Cluster(grants={"s": GRANT}, claims={"s": 3}, claimed={"s": 3}), Hands()
    cluster.ttl, looked, looks = 10.0, threading.Event(), []

    def close(_timeout):
        hands.done.append("close")
        hands.number, hands.is_open = None, False
        looked.wait(5)
        hands.done.append("closed")

    async def act(_guest):
        await eventually(lambda: hands.is_open, "it is open")
        hands.close = close
        cluster.set(grants={})
        await eventually(lambda: "close" in hands.done, "it is being closed")
        hands.look = lambda: looks.append(1) or Server(hands.number is not None)
        await eventually(lambda: len(looks) > 2, "it was looked at for a while")
        looked.set()
        await eventually(lambda: "start" in hands.done and "end" in cluster.said, "it is there again, and its end is said")
        assert hands.done[-3:] == ["close", "closed", "start"]

    play(cluster, hands, act, cluster.ttl)


def test_a_source_that_is_down_is_waited_for_at_rest(play):
    cluster, hands = Cluster(grants={"s": GRANT}, claims={"s": 3}, claimed={"s": 3}), Hands(None)
    hands.start = lambda: None  # in vain
    looks = []

    async def act(guest):
        seen = guest._orders.seen
        guest._orders.seen = lambda channel: looks.append(1) or seen(channel)
        await eventually(lambda: hands.asked > 10, "it was watched for a while")
        assert len(looks) < 100 and "open" not in hands.done

    play(cluster, hands, act)


def test_a_guest_whose_disk_is_full_closes_and_begins_nothing(play):
    cluster, hands = Cluster(grants={"s": GRANT}, claims={"s": 3}, claimed={"s": 3}), Hands()

    async def act(guest):
        await eventually(lambda: hands.is_open, "it is open")
        guest._journal.save = guest._journal._save = full
        cluster.set(grants={}, orders={"o": Order("prepare", "m1", "s", 4)})
        await eventually(lambda: "close" in hands.done, "it is closed")
        assert "prepare" not in hands.done

    def full():
        raise Trouble("the journal can't be written")

    play(cluster, hands, act)


def nobody_answers(_heartbeat, _patience):
    raise ClientError("connection", "nobody answers", retriable=True)


def test_what_servers_can_be_of_is_told_when_it_changes_and_again_with_each_lease(play):
    cluster, hands = Cluster(), Hands()

    async def act(guest):
        await eventually(guest.heard.is_set, "it is heard")
        await guest.offer({"mariadb": ["11.8"]})
        assert cluster.heartbeat == {"datastores": {"mariadb": ["11.8"]}}
        cluster.heartbeat = None
        await guest.offer({"mariadb": ["11.8"]})
        assert cluster.heartbeat is None  # nothing is new
        say, cluster.say = cluster.say, nobody_answers
        with pytest.raises(ClientError):
            await guest.offer({})
        cluster.say = say
        await guest.offer({})
        assert cluster.heartbeat == {"datastores": {}}  # what could not be told is told the next time
        await guest.offer({"mariadb": ["11.8"]})
        cluster.has_lease, cluster.heartbeat = False, None
        await eventually(lambda: cluster.heartbeat == {"datastores": {"mariadb": ["11.8"]}}, "it has a lease again")

    play(cluster, hands, act)
