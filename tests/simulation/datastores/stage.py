# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What aimed schedules have in hand: they wait for a condition of the world, then do something to it."""

from __future__ import annotations

STEP = 0.002  # seconds between two looks at what is waited for


class Stage:
    """Of a schedule that plays one scene. ``plan``: the datastore's; ``_asked``: what people are about to ask for."""

    _asked = None

    @property
    def whole(self):
        return self.world.store.read(self.world.main)[0]

    @property
    def hosts(self):
        return list(self.world.hosts.values())

    def ask(self, program, **data):
        """Have people ask for something, and wait until it stands; again, where the set was busy or has changed meanwhile."""
        for _time in range(10):
            self._asked = program, data
            if self.when(lambda: self._asked is None and self.is_doing(program), 2):
                return
        self.expect(lambda: False, 0)

    def is_doing(self, program, step=None):
        whole = self.whole
        task, latest = whole.task, whole.history[-1]["what"] if whole.history else ""
        here = task is not None and task.program == program
        name = self.plan.programs[program].steps[task.step].name if here else ""
        return latest.startswith(program) if step is None and not here else here and step in (None, name)

    def when(self, condition, seconds=10.0):
        """Go on until something is so; return whether it is."""
        end = self.world.now + seconds
        while not condition():
            if self.world.now > end:
                return False
            self.world.run(self.world.now + STEP)
        return True

    def expect(self, condition, seconds=10.0):
        assert self.when(condition, seconds), "the schedule did not come to what it plays"

    def run_on(self, seconds):
        self.world.run(self.world.now + seconds)

    def cut(self, one, other):
        self.world.links[(one.name, other.name)] = False

    def reported(self, host, verb):
        """Whether a host has reported an order of a verb that stands."""
        channel = self.world.store.channels[host.name]
        return any(order.verb == verb and key in channel.reports for key, order in channel.orders.items())

    def reaches_nobody(self, host):
        """A host reaches the cluster no more."""
        self.world.cut.add(host.name)

    def ends(self):
        """All come back, and everything is well."""
        self._all_come_back()
        self._until_at_rest()
