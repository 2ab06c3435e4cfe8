# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What simulated worlds stand on: time, messages and links that a seed plays with, the store, managers, and a guest on each host."""

from __future__ import annotations

import heapq
import random

from baton.datastores.guest import orders
from baton.datastores.model.channel import Report
from simulation.datastores.managers import Manager
from simulation.datastores.servers import Process
from simulation.datastores.store import Store

DELAYS = (0.001, 0.003, 0.003, 0.01, 0.01, 0.05)
NO_WORK = orders.Work([], [])


class Ground:
    """``whole``: the set as it begins; ``hosts``: so many, h1 … hN. Whoever is a world makes them, and is their ``hosts``."""

    manager = Manager

    def __init__(self, seed, whole, hosts, times):
        self.random = random.Random(seed)
        self._bits, self._draw = self.random.getrandbits, self.random.random
        self.sweeps, self.breaks = random.Random(seed), random.Random(seed)  # of their own, so that all else is as it would be without
        self.now, self.times = 0.0, times
        self._events, self._number = [], 0
        self.store = Store(whole, [f"h{n + 1}" for n in range(hosts)], self.times, lambda: self.now)
        self.gone = set()  # hosts that do not come back
        self.links = {}  # (host, host) → whether servers reach each other; the store is reached from all but ``cut``
        self.cut = set()
        self.managers = []
        self.people = None  # who asks for something: called with each case, and returns whether they did

    def after(self, seconds, act, *args):
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, act, args))

    def run(self, until):
        events, look = self._events, self.checks.look
        while events and events[0][0] <= until:
            self.now, _number, act, args = heapq.heappop(events)
            act(*args)
            look()
        self.now = until

    def tick(self):
        self.store.tick()
        self.after(0.05, self.tick)

    def add_manager(self):
        self.managers.append(self.manager(self, self.random.uniform(0.95, 1.05)))

    def travel(self):
        """How long a message takes. Asked ten thousand times a seed, so this is random.choice and random.uniform in short."""
        which = self._bits(3)
        while which >= len(DELAYS):
            which = self._bits(3)
        return DELAYS[which] * (0.5 + 1.5 * self._draw())

    def reach(self, one, other):
        return not self.links or self.links.get((one, other), True) and self.links.get((other, one), True)


class Guest:
    """A host as the cluster sees it: its guest and the guest's guard. ``journal`` is on its disk.

    Whoever is a host has hands for the orders (``_carried_out``), and says how its servers are (``_say``). ``looks``: seconds between
    two looks at what stands, from and to.
    """

    looks = (0.02, 0.06)

    def __init__(self, world, name, rate):
        self.world, self.name, self.rate = world, name, rate
        self.guest, self.guard = Process(), Process()
        self.journal = {"reports": {}, "terms": {}}
        self.deadline = float("-inf")  # what the guard was told, on this host's clock

    @property
    def clock(self):
        return self.world.now * self.rate

    def begin(self):
        """A life of the guest begins: it knows what stands in its journal."""
        self.guest.start()
        self.orders = orders.Orders(self.journal["reports"], self.journal["terms"])
        self.read_at, self.channel = 0.0, None
        self.soon(0.02, self._poll)
        self.soon(0.01, self._renew)

    def request(self, act, then=None):
        """Send something to the store: it may get lost, on its way or back. Runs ``then`` with what it answered."""
        world = self.world
        lost_its_way = world.random.random() < 0.01  # it arrives long after everybody has stopped to expect it
        world.after(world.random.uniform(0.5, 4) if lost_its_way else world.travel(), self._arrive, self.guest.life, act, then)

    def _arrive(self, life, act, then):
        world = self.world
        if self.name in world.cut or world.random.random() < 0.02:
            return
        found = act()
        if then is not None and world.random.random() >= 0.02:
            world.after(world.travel(), self.guest.deliver, life, then, found)

    def soon(self, seconds, act, *args):
        """Have the guest do something, unless it dies before."""
        self.world.after(seconds, self.guest.deliver, self.guest.life, act, *args)

    # --- its loop -------------------------------------------------------------------------------------------------------------

    def _renew(self):
        sent = self.clock
        self.request(lambda: self.world.store.renew(self.name), lambda ok: self._renewed(sent) if ok else None)
        self.soon(self.world.times.lease / 8, self._renew)

    def _renewed(self, _sent):
        """The lease stands."""

    def _poll(self):
        self._watch()
        self.request(self._look, self._seen)
        self.soon(self.world.random.uniform(*self.looks), self._poll)

    def _watch(self):
        """See to what does not wait for the cluster."""

    def _look(self):
        return None if self.world.store.out else (self.world.now, self.world.store.channels[self.name])

    def _seen(self, found):
        if found is None or found[0] < self.read_at:  # answers may come in another order: who reads looks at the revision
            return
        before, (self.read_at, channel) = self.channel, found
        self.channel = channel
        self._say(channel)
        work = NO_WORK
        if channel.orders or channel is not before:
            work = self.orders.seen(channel)
            self.journal["terms"] = dict(self.orders.terms)
        self._settle(channel)
        for key, report in work.tell:
            self._tell(key, report)
        for key, order in work.begin:
            self.soon(self.world.random.uniform(0.005, 0.1), self._do, key, order)

    def _settle(self, channel):
        """See to what is granted."""

    def _tell(self, key, report):
        self.request(lambda: self.world.store.report(self.name, key, report))

    def _do(self, key, order):
        """Do an order; one that is not done yet is looked at again."""
        self.doing = key
        report = self._carried_out(order) if self._stands(key) else Report("it is taken back")
        if report is None:
            self.soon(0.03, self._do, key, order)
            return
        self.orders.ended(key, order, report)
        self.journal["reports"] = dict(self.orders.reports)
        if key in self.orders.reports:
            self._tell(key, report)

    def _stands(self, key):
        return self.orders.stands(key)
