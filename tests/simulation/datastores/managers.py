# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated managers, with the real engine and plan: each reads, thinks, and writes if nothing has changed meanwhile."""

from __future__ import annotations

from typing import NamedTuple

from baton.datastores.engine.case import Case, Silences
from baton.datastores.engine.engine import SILENCE, advance
from baton.datastores.engine.traces import left_by_others
from baton.datastores.model.replica_set import ReplicaSet
from baton.datastores.plans import mariadb
from simulation.datastores.servers import Process

AT_REST = 1.0  # seconds after which a set is thought about in full again, although nothing has changed


class Rest(NamedTuple):
    """What a manager has read when it changed nothing: if it reads that again before ``until``, it thinks the same."""

    revision: int
    channels: dict
    until: float
    whole: ReplicaSet


class Clock(Silences):
    """Notices who looks at how long somebody is silent: that changes by itself."""

    looked = False

    def lasts(self, key, now):
        self.looked = True
        return super().lasts(key, now)


class Manager(Process):
    """One of those who carry tasks on. ``looks``: seconds between two looks at all, from and to."""

    looks = (0.03, 0.08)

    @property
    def plan(self):
        return mariadb.PLAN

    def waits(self, whole):
        """Return when rules of the plan may say something else, by time alone."""
        return [whole.since + mariadb.FOLLOWS_WITHIN]

    def __init__(self, world, rate):
        super().__init__()
        self.world, self.rate = world, rate
        self.start()

    def start(self):
        super().start()
        self.silences, self.known, self.rests = Clock(), set(), {}
        self._soon(0.05, self._read)

    def _until(self, case):
        """Return until when time alone changes nothing: what rules of the engine and the plan wait for, and AT_REST at most."""
        whole, task = case.whole, case.whole.task
        waits = [*self.waits(whole), whole.not_before, *(each.again_at for each in whole.members.values())]
        if task is not None:
            waits += [task.since + self.plan.programs[task.program].steps[task.step].seconds, task.silent + SILENCE]
            waits += [copy.get("at", 0.0) for copy in task.data.get("copies", {}).values()]
        return min(at for at in (*waits, case.now + AT_REST) if at > case.now)

    def _soon(self, seconds, act, *args):
        self.world.after(seconds, self.deliver, self.life, act, *args)

    def _read(self):
        self._soon(self.world.random.uniform(*self.looks), self._read)
        store = self.world.store
        if store.out:
            return
        channels = dict(store.channels)
        for key in store.sets:
            self._soon(self.world.travel(), self._think, store.sets[key], channels, store.revisions[key])
        self._soon(self.world.sweeps.uniform(0, 0.1), self._sweep, channels, set(store.sets))

    def _sweep(self, channels, known):
        """Which sets there are it may have heard before or after how hosts are."""
        known = self.known if self.world.sweeps.random() < 0.5 else known
        self.known = known
        for host, channel in channels.items():
            left = left_by_others(channel, known)
            if left:
                wait = self.world.sweeps.uniform(0, 0.1)
                self.world.after(wait, self.world.store.sweep, host, channel, left)

    def _think(self, value, all_channels, revision):
        """What people ask for is written for itself, and carried on once it stands."""
        now, rest = self.world.now, self.rests.pop(value["id"], None)
        rests = rest is not None and rest[:2] == (revision, all_channels) and now < rest.until
        whole = rest.whole if rests else ReplicaSet.from_json(value)
        hosts = whole.hosts
        channels = {name: channel for name, channel in all_channels.items() if name in hosts}
        case = Case(whole, channels, now, now * self.rate, 1, self.world.times, self.silences)
        asked = self.world.people is not None and self.world.people(case)
        delay = self.world.travel()
        if rests and not asked:
            self.rests[whole.id] = rest
            return
        self.silences.looked = False
        if not asked:
            advance(case, self.plan)
        written, looked = case.written(), self.silences.looked

        def arrive():
            store = self.world.store
            if store.commit(whole, written, case.parted, channels, revision):
                self.world.checks.committed(whole)
                if store.revisions.get(whole.id) == revision and not looked:
                    self.rests[whole.id] = Rest(revision, all_channels, self._until(case), whole)

        self.world.after(delay, arrive)  # it is on its way: to kill who has sent it does not stop it
