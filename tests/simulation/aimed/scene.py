# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What aimed schedules are made of: a cluster that is up, and clients whose every acknowledged write is looked for. See the package."""

from __future__ import annotations

import itertools
import random

from baton.core import events as ev
from baton.core.model.documents import Change
from baton.core.model.requests import Idempotency, Outcome
from simulation.world import Trouble, World

SCHEDULES = {}


def aimed(schedule):
    SCHEDULES[schedule.__name__] = schedule
    return schedule


class Scene:
    """A cluster that is up, and a client whose every acknowledged write is looked for at the end."""

    def __init__(self, seed, nodes=2, shared=True, start=None, trouble=None, drivers=False, calm=False, **config):
        """``start``: how many of the nodes are started, None for all. ``calm``: drivers have no troubles of their own, ever."""
        self.dice = random.Random(f"aimed {seed}")
        number = seed * 5 + 2 * drivers  # see has_drivers
        self.world = World(number, nodes, shared, trouble or Trouble(), **config)
        self.world.no_failover = set()
        self.ids = itertools.count(1)
        self.acknowledged = {}  # document → seq
        self.hosts = [self.world.hosts[f"n{number}"] for number in range(1, nodes + 1)]
        troubles = {host: host.drivers.troubles for host in self.hosts if host.drivers is not None and not calm}
        for host in self.hosts:
            host.rate = 1 + self.dice.uniform(-0.05, 0.05)
            if host.drivers is not None:
                host.drivers.troubles = 0.0  # those whose driver dies again and again would come up by chance only
        first = self.hosts[0]
        first.start()
        if not shared:
            self.run(0.1)
            first.give(ev.Operator(next(self.ids), "create", text="c1"))
        self.expect(self.world.active, "no cluster came up")
        for host in self.hosts[1:start]:
            host.start()
        self.in_sync(*self.hosts[:start])
        for host, often in troubles.items():
            host.drivers.troubles = often

    def run(self, seconds):
        self.world.run_until(self.world.now + seconds)

    def fail(self, text):
        self.world.checks.fail(f"{text}: {self.world.checks.describe()}")

    def expect(self, condition, text, most=25):
        """Run until ``condition()``; fail with ``text`` if it does not come true within ``most`` seconds."""
        if not self.world.run_while(lambda: not condition(), most):
            self.fail(text)

    def in_sync(self, *hosts):
        def joined():
            active = self.world.active()
            return active is not None and all(host.node.me in active.node.record.in_sync for host in hosts)

        self.expect(joined, f"{[host.name for host in hosts]} are not in sync")
        self.run(0.5)  # and know it

    def quiet(self, host):
        """Wait until ``host`` changes nothing in the record, so that it takes an order."""
        self.expect(lambda: host.node.leading is not None and host.node.leading.swap is None, f"{host.name} comes to no end")

    def alone(self, host, most=25):
        self.expect(lambda: host.node.record.in_sync == (host.node.me,), f"{host.name} is not alone in sync", most)

    def order(self, host, order, **more):
        """Give an order; return the list that its answer comes into."""
        number, answers = next(self.ids), []
        self.world.checks.others[number] = answers.append
        host.give(ev.Operator(number, order, **more))
        return answers

    def ordered(self, host, order, **more):
        """Give an order that is carried out."""
        answers = self.order(host, order, **more)
        self.expect(lambda: answers, f"{order} has no answer")
        if not isinstance(answers[0], dict):
            self.fail(f"{order} was refused: {answers[0]}")
        return answers[0]

    def write(self, host, key=None):
        """Write a document of its own (``key``: of the key's own); return the list that the answer comes into."""
        number, answers = next(self.ids), []
        name = key or f"w{number}"

        def answered(result):
            answers.append(result)
            if isinstance(result, Outcome):
                self.acknowledged[name] = int(result.documents[0].revision.partition(".")[2])

        self.world.checks.others[number] = answered
        idempotency = Idempotency(key, "f") if key else None
        host.give(ev.Submit(number, (Change("profiles", name, "create", {"Params": {"x": "y" * 200}}),), 0.0, idempotency))
        return answers

    def writes(self, host, count):
        """Write and see that all of it is acknowledged."""
        for _number in range(count):
            answers = self.write(host)
            self.expect(lambda answers=answers: answers, "a write has no answer")
            if not isinstance(answers[0], Outcome):
                self.fail(f"a write was refused: {answers[0]}")

    def changes(self, host, *changes):
        """Have changes made, each by a request of its own."""
        for change in changes:
            number, answers = next(self.ids), []
            self.world.checks.others[number] = answers.append
            host.give(ev.Submit(number, (change,), 0.0))
            self.expect(lambda answers=answers: answers, "a change has no answer")
            if not isinstance(answers[0], Outcome):
                self.fail(f"a change was refused: {answers[0]}")

    def keep(self, host, lease):
        """Keep a client's lease alive, if that is possible."""
        number = next(self.ids)
        self.world.checks.others[number] = lambda _answer: None
        host.give(ev.KeepAlive(number, lease))

    def cut(self, one, other, both=True):
        self.world.cut.add((one.name, other.name))
        if both:
            self.world.cut.add((other.name, one.name))

    def served_all_along(self, host, seconds, why, dark=0.0):
        """See that ``host`` serves for so long, with at most ``dark`` seconds without."""
        missed, end = 0.0, self.world.now + seconds
        while self.world.now < end:
            self.run(0.05)
            missed += 0.05 * (not host.node.serving(host.clock()))
            if missed > dark:
                self.fail(f"{host.name} does not serve: {why}")

    def nothing_lost(self, host):
        """See that ``host`` has every acknowledged write."""
        lost = [name for name in self.acknowledged if host.node.state.heads.committed("profiles", name) is None]
        if lost:
            self.fail(f"{len(lost)} of {len(self.acknowledged)} acknowledged writes are lost")
