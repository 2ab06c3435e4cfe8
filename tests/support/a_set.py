# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of MariaDB for tests of its programs: what guests say is put in by hand, the manager is the real one."""

from dataclasses import replace

from baton.datastores.engine.case import Case, Silences, Times
from baton.datastores.engine.engine import advance, cancel, request
from baton.datastores.model.channel import Channel, Grant, Report, Server
from baton.datastores.model.replica_set import Member, ReplicaSet
from baton.datastores.plans import mariadb

TIMES = Times(lease=2.0)


class Pool:
    """A set of m1 on h1, m2 on h2 …, of which m1 is the source in term 1 and the others follow and count."""

    plan = mariadb.PLAN

    def __init__(self, many=3):
        names = [f"m{n + 1}" for n in range(many)]
        members = {name: Member(name, f"h{name[1:]}", "ACTIVE", follows=1, joined=True) for name in names}
        self.whole = ReplicaSet("s", term=1, source="m1", members=members, confirmed=names[1:], counted=names[1:], grants=1)
        self.channels = {f"h{n + 1}": Channel(True, servers={f"m{n + 1}": Server(True)}) for n in range(many)}
        grant = Grant(1, tuple(names[1:]), 1)
        self.say("h1", grants={"s": grant}, claims={"s": 1}, claimed={"s": 1}, opened={"s": grant})
        self.now, self.silences, self.begin = 100.0, Silences(), None
        self.parted, self.times = [], TIMES

    def say(self, host, **what):
        self.channels[host] = replace(self.channels[host], **what)

    def on(self, seconds=0.1):
        """Let time pass, and the manager look until it changes nothing more."""
        self.now += seconds
        for _look in range(20):
            case = Case(ReplicaSet.from_json(self.whole.to_json()), self.channels, self.now, self.now, 1, self.times, self.silences)
            if self.begin is not None and case.whole.task is None:
                case.begin(*self.begin[0], **self.begin[1])
                self.begin = None
            advance(case, self.plan)
            written = case.written()
            self.parted += case.parted
            same = case.whole == self.whole and not written
            self.whole = case.whole
            self.channels.update(written)
            if same:
                return self
        raise AssertionError("it does not come to rest")

    def ask(self, program, **data):
        self.begin = ((program, "asked for"), data)
        return self.on()

    def told(self, host):
        """Return the verbs that a guest is told and has not answered."""
        channel = self.channels[host]
        return sorted(order.verb for key, order in channel.orders.items() if key not in channel.reports)

    def answer(self, host, verb, problem="", **found):
        channel = self.channels[host]
        (key,) = [key for key, order in channel.orders.items() if order.verb == verb]
        self.say(host, reports={**channel.reports, key: Report(problem, found)})
        return self.on()

    def claim(self, host):
        """The guest claims what it is granted, and its server is open."""
        grant = self.channels[host].grants["s"]
        self.say(host, claims={"s": grant.term}, claimed={"s": grant.term}, opened={"s": grant})
        return self.on()

    def dies(self, host):
        """The guest's lease has ended."""
        self.say(host, alive=False, claims={})
        return self.on()

    @property
    def unguarded(self):
        return self.plan.unguarded(Case(self.whole, self.channels, self.now, self.now, 1, self.times, self.silences))

    @property
    def step(self):
        task = self.whole.task
        return task and (task.program, self.plan.programs[task.program].steps[task.step].name, task.undoing)

    @property
    def latest(self):
        return self.whole.history[-1]["what"], self.whole.history[-1]["why"]


def asked(pool, program, **data):
    case = Case(ReplicaSet.from_json(pool.whole.to_json()), pool.channels, pool.now, pool.now, 1, TIMES, pool.silences)
    request(case, pool.plan, program, "asked for", **data)
    pool.whole = case.whole
    return pool


def cancelled(pool):
    case = Case(ReplicaSet.from_json(pool.whole.to_json()), pool.channels, pool.now, pool.now, 1, TIMES, pool.silences)
    cancel(case, pool.plan, "it was cancelled")
    pool.whole = case.whole
    return pool
