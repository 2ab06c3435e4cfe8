# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence of a member of a cluster: a look that it answers tells the guard for how much longer it may go on, an order that ends it that
it may. Hands and guard are a test's; test_galera_guest.py has real ones.
"""

import threading

import pytest

from baton.datastores.guest.lag import is_same_but_for_lag
from baton.datastores.host.journal import Journal
from baton.datastores.model.channel import Grant, Order, Report, Server
from support.guest import PATIENCE, Cluster, running, until

VIEW = {"primary": True, "size": 3, "state": "Synced", "uuid": "u"}


class Guarded:
    def __init__(self):
        self.told = []

    def tell(self, pid, until):
        self.told.append((pid, until))


class Hands:
    """A member; ``answers`` to looks, and is not halted before ``go``."""

    by_quorum, fence = True, 2.5

    def __init__(self):
        self.number, self.done, self.view, self.is_made = 7, [], dict(VIEW), True
        self.answers, self.go, self.is_looked_at = threading.Event(), threading.Event(), threading.Event()
        self.answers.set()

    def is_ours(self):
        return self.is_made

    @property
    def has_answered(self):
        return bool(self.view)

    def pid(self):
        return self.number

    def look(self):
        self.is_looked_at.set()
        self.answers.wait(PATIENCE)
        return Server(bool(self.view), view=self.view)

    def tend(self):
        return False

    def do(self, verb, _args, _stands):
        self.done.append(verb)
        if verb in ("halt", "restart"):
            assert self.go.wait(PATIENCE)
            self.number = None if verb == "halt" else 8
        return Report()

    def __getattr__(self, name):
        """Nothing else is ever done to it."""
        if name in ("start", "stop", "kill", "close", "open", "mark", "position"):
            self.done.append(name)
        raise AttributeError(name)


@pytest.fixture
def hands():
    hands = Hands()
    yield hands
    hands.answers.set()
    hands.go.set()


@pytest.fixture
def guarded():
    return Guarded()


@pytest.fixture
def guest(tmp_path, hands, guarded):
    journal = Journal(tmp_path)
    journal.instances["m"] = {"set": "s", "memory": {}}
    with running(Cluster(), journal, guarded, lambda _name, _memory: hands) as guest:
        yield guest


def order(guest, verb):
    guest.cluster.say(orders={verb: Order(verb, "m", "s")}, reports={})


def test_each_look_that_is_answered_gives_time_and_none_that_is_not(guest, hands, guarded):
    until(lambda: len(guarded.told) > 2, "it is told")
    times = [time for _pid, time in guarded.told]
    assert times == sorted(times) and {pid for pid, _time in guarded.told} == {7}
    hands.view = {}
    until(lambda: not guest.instances["m"].seen.view, "it does not answer")
    told = len(guarded.told)
    hands.is_looked_at.clear()
    assert hands.is_looked_at.wait(PATIENCE) and len(guarded.told) == told


@pytest.mark.parametrize("verb", ["halt", "restart"])
def test_an_order_that_ends_it_takes_the_time_back_and_no_look_that_began_before_gives_it_again(guest, hands, guarded, verb):
    until(lambda: guarded.told, "it is told")
    hands.answers.clear()
    hands.is_looked_at.clear()
    assert hands.is_looked_at.wait(PATIENCE)  # a look that has begun, and is answered late
    order(guest, verb)
    until(lambda: hands.done == [verb], "it is being done")
    assert guarded.told[-1] == (7, None)
    told = len(guarded.told)
    hands.answers.set()
    hands.is_looked_at.clear()
    assert hands.is_looked_at.wait(PATIENCE) and len(guarded.told) == told
    hands.go.set()
    until(lambda: guest.cluster.channel.reports, "it is done")
    if verb == "restart":
        until(lambda: guarded.told[-1][0] == 8, "the new process is looked at")
        assert all(time is not None for pid, time in guarded.told if pid == 8)


def test_a_guest_that_ends_leaves_nobody_to_the_guard(tmp_path, hands, guarded):
    journal = Journal(tmp_path)
    journal.instances["m"] = {"set": "s", "memory": {}}
    with running(Cluster(), journal, guarded, lambda _name, _memory: hands):
        until(lambda: guarded.told, "it is told")
    assert guarded.told[-1] == (7, None)


def test_it_is_neither_closed_nor_started_whatever_becomes_of_lease_and_grant(guest, hands, guarded):
    until(lambda: guarded.told, "it is told")
    guest._tenures.until = float("-inf")
    guest.cluster.say(grants={"s": Grant(1)}, claims={})
    guest.cluster.say(grants={}, alive=False)
    until(lambda: guest.cluster.channel.servers.get("m"), "it is said how it is")
    hands.number = None
    until(lambda: guest.instances["m"].pid is None, "it has ended")
    hands.is_looked_at.clear()
    assert hands.is_looked_at.wait(PATIENCE)
    assert hands.done == []


def test_another_view_is_told_at_once():
    one = Server(True, view=VIEW)
    assert is_same_but_for_lag(one, Server(True, view=dict(VIEW), lag_bytes=1))
    assert not is_same_but_for_lag(one, Server(True, view={**VIEW, "size": 2}))


def test_an_order_to_make_one_says_what_it_is_and_none_else_is_of_use(tmp_path, hands, guarded):
    journal, memories, hands.is_made = Journal(tmp_path), [], False
    with running(Cluster(), journal, guarded, lambda _name, memory: memories.append(memory) or hands) as guest:
        guest.cluster.say(orders={"1": Order("join", "m", "s", args={"cluster": "c-1"})})
        until(lambda: guest.cluster.channel.reports, "an answer")
        assert guest.cluster.channel.reports["1"].problem == "m was not prepared on this host" and "m" not in guest.instances
        guest.cluster.say(orders={"2": Order("prepare", "m", "s", args={"cluster": "c-1", "type": "arbiter"})}, reports={})
        until(lambda: guest.cluster.channel.reports, "it is made")
    assert Journal(tmp_path).instances["m"]["memory"] == {"datastore": "galera", "type": "arbiter"} == memories[-1]
