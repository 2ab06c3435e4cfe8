# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's loop with hands that a test moves: what it says of a server that is restarted, and of which set an instance is."""

import threading

import pytest

from baton.datastores.host.journal import Journal
from baton.datastores.model.channel import Grant, Order, Report, Server
from support.guest import Cluster, running, until

PATIENCE = 20.0


class Guarded:
    def tell(self, _pid, _until):
        pass


class Hands:
    """A server whose restart waits for ``go``, before its process has ended."""

    by_quorum, fence = False, 0.0

    def __init__(self):
        self.number, self.lives, self.writable, self.go, self.done = None, 0, False, threading.Event(), []
        self.is_restarting = threading.Event()

    def is_ours(self):
        return True

    def pid(self):
        return self.number

    def start(self):
        self.lives += 1
        self.number = self.lives

    def kill(self):
        self.writable, self.number = False, None

    def look(self):
        return Server(True)

    def open(self, _counted, may):
        self.writable = may()

    def mark(self, _term, _number):
        pass

    def close(self, _timeout):
        self.writable = False

    def position(self):
        return "1-1-1"

    def tend(self):
        pass

    def do(self, verb, args, _stands):
        if verb == "restart":
            self.is_restarting.set()
            assert self.go.wait(PATIENCE)
            self.writable = False
            self.start()
        self.done.append((verb, args))
        return Report()


@pytest.fixture
def guest(tmp_path):
    """A guest that runs in a thread of its own, with the instance m of set s."""
    journal = Journal(tmp_path)
    journal.instances["m"] = {"set": "s", "memory": {}}
    cluster, hands = Cluster(), Hands()
    with running(cluster, journal, Guarded(), lambda _name, _memory: hands) as made:
        made.hands, made.folder = hands, tmp_path
        until(lambda: hands.number is not None, "the server is started")
        try:
            yield made
        finally:
            hands.go.set()


def source(guest):
    guest.cluster.say(grants={"s": Grant(1)})
    until(lambda: guest.hands.writable and guest.cluster.channel.opened.get("s") == Grant(1), "it takes writes")


def test_a_source_that_is_restarted_is_not_over_before_it_takes_no_writes_and_takes_them_again_after(guest):
    source(guest)
    guest.cluster.say(orders={"s.1.0.do.restart.m": Order("restart", "m", "s", 1)})
    assert guest.hands.is_restarting.wait(PATIENCE)
    before = guest.cluster.number
    guest.cluster.say(servers={})  # it is looked at again, and nothing is said that is not so
    until(lambda: guest.cluster.number > before + 1, "it is looked at")
    assert guest.cluster.channel.claims == {"s": 1} and guest.cluster.channel.ends == {}
    guest.hands.go.set()
    until(lambda: guest.cluster.channel.reports, "the order is done")
    until(lambda: guest.hands.writable, "it takes writes again")
    assert guest.cluster.channel.ends == {} and guest.cluster.channel.claims == {"s": 1}


def test_a_grant_that_is_taken_back_in_a_restart_is_over_once_the_server_is_closed(guest):
    source(guest)
    guest.cluster.say(orders={"s.1.0.do.restart.m": Order("restart", "m", "s", 1)})
    assert guest.hands.is_restarting.wait(PATIENCE) and guest.hands.writable
    guest.cluster.say(grants={})
    until(lambda: guest.cluster.channel.ends, "it is over")
    assert not guest.hands.writable and guest.cluster.channel.claims == {}
    guest.hands.go.set()
    until(lambda: guest.cluster.channel.reports, "the order is done")
    assert not guest.hands.writable


def test_an_instance_is_of_the_set_that_has_adopted_it_and_no_other_gives_it_orders(guest):
    guest.cluster.say(orders={"n.1.0.do.seal.m": Order("seal", "m", "n")})
    until(lambda: guest.cluster.channel.reports, "an answer")
    assert guest.cluster.channel.reports["n.1.0.do.seal.m"].problem == "it is of set s, and not of n" and guest.hands.done == []
    guest.cluster.say(orders={"n.2.0.do.adopt.m": Order("adopt", "m", "n", args={"secrets": {}})}, reports={})
    until(lambda: guest.cluster.channel.reports, "it is adopted")
    assert guest.hands.done == [("adopt", {"secrets": {}})] and Journal(guest.folder).instances["m"]["set"] == "n"
    until(lambda: guest.cluster.channel.servers["m"].set == "n", "it says so")
    guest.cluster.say(grants={"n": Grant(1)})
    until(lambda: guest.hands.writable, "it takes writes")


def test_an_instance_is_adopted_by_nobody_while_it_may_take_writes_for_another_set(guest):
    source(guest)
    guest.cluster.say(orders={"n.1.0.do.adopt.m": Order("adopt", "m", "n", args={"secrets": {}})})
    before = guest.cluster.number
    guest.cluster.say(servers={})
    until(lambda: guest.cluster.number > before + 1, "it is looked at")
    assert guest.hands.done == [] and guest.cluster.channel.reports == {}
    guest.cluster.say(grants={})
    until(lambda: guest.cluster.channel.reports, "it is adopted")
    assert guest.cluster.channel.ends["s"].term == 1 and not guest.hands.writable
