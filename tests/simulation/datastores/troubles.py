# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a seed makes happen to any simulated world: hosts, servers, guests, managers, links fail and come back.

Whoever is a schedule says what world that is, what people ask for (``_people``) and who is gone for good in the end (``_heal``).
"""

from __future__ import annotations

FAULTS = 25.0  # seconds of them


class Troubles:
    """One seed. ``world`` is there to be looked at when it has failed."""

    kinds = (
        "kill server", "freeze server", "kill guest", "freeze guest", "freeze host", "power off", "cut off", "cut a line",
        "kill manager", "freeze manager", "second manager", "store out", "revoke", "kill server", "freeze host", "power off",
        "revoke and cut off", "stall",
    )  # fmt: skip

    quiet = 60.0  # seconds until everything has to be well

    def __init__(self, world):
        self.world = world
        self.random = self.world.random
        self.end = 0.0  # of the faults, once they have begun
        self.healed = False

    def run(self):
        world = self.world
        world.people = self._people
        if self.random.random() < 0.6:  # else troubles begin while the set is made
            self._until_at_rest()
        self.end = end = world.now + FAULTS
        at = world.now
        while at < end:
            at += self.random.expovariate(1 / 2.5)
            world.after(at - world.now, self._fault)
        world.run(end)
        self._heal()
        self._until_at_rest()
        return world.checks

    def _until_at_rest(self):
        """Go on until all is well, and a little longer: it has to stay so. What was asked for last is under way still."""
        end, well = self.world.now + self.quiet, 0
        while self.world.now < end and well < 3:
            self.world.run(self.world.now + 0.5)
            well = 0 if self.world.checks.troubles() else well + 1
        self.world.checks.at_rest()

    # --- faults -----------------------------------------------------------------------------------------------------------

    def _fault(self):
        if self.world.now > self.end:
            return
        host = self._somebody()
        kind = self.random.choice(self.kinds)
        lasts = self.random.choice((0.2, 0.7, 1.5, 3.0, 6.0)) * self.random.uniform(0.7, 1.3)
        getattr(self, "_" + kind.replace(" ", "_"))(host, lasts)
        if self.random.random() < 0.3:  # troubles come together
            self.world.after(self.random.uniform(0, 0.5), self._fault)

    def _somebody(self):
        return self.random.choice(list(self.world.hosts.values()))

    def _kill_server(self, host, _lasts):
        host.server.kill()

    def _freeze_server(self, host, lasts):
        self.world.after(lasts, host.server.freeze())

    def _stall(self, host, lasts):
        """What it has received waits to be applied."""
        host.server.stalled = True
        life = host.server.life

        def goes_on():
            if host.server.life == life:
                host.server.stalled = False

        self.world.after(lasts, goes_on)

    def _kill_guest(self, host, lasts):
        host.guest.kill()
        self.world.after(lasts, host.start)

    def _freeze_guest(self, host, lasts):
        self.world.after(lasts, host.guest.freeze())

    def _freeze_host(self, host, lasts):
        for thaw in host.freeze():
            self.world.after(lasts, thaw)

    def _power_off(self, host, lasts):
        host.power_off()
        self.world.after(lasts, host.start)

    def _cut_off(self, host, lasts):
        """From the store; servers reach each other still, or not."""
        self.world.cut.add(host.name)
        if self.random.random() < 0.5:
            for other in self.world.hosts:
                self._cut(host.name, other, lasts)
        self.world.after(lasts, lambda: self.world.cut.discard(host.name))

    def _cut_a_line(self, host, lasts):
        self._cut(host.name, self.random.choice(list(self.world.hosts)), lasts)

    def _cut(self, one, other, lasts):
        self.world.links[(one, other)] = False
        self.world.after(lasts, lambda: self.world.links.pop((one, other), None))

    def _kill_manager(self, _host, lasts):
        manager = self.random.choice(self.world.managers)
        manager.kill()
        self.world.after(lasts, manager.start)

    def _freeze_manager(self, _host, lasts):
        manager = self.random.choice(self.world.managers)
        self.world.after(lasts, manager.freeze())

    def _second_manager(self, _host, _lasts):
        if len(self.world.managers) < 2:
            self.world.add_manager()

    def _store_out(self, _host, lasts):
        if not self.world.store.out:
            self.world.store.begin_outage()
            self.world.after(lasts, self.world.store.end_outage)

    def _revoke(self, host, _lasts):
        """A person ends a guest's lease before its time."""
        if not self.world.store.out:
            self.world.store.end_lease(host.name)

    def _revoke_and_cut_off(self, host, lasts):
        """The guest does not hear of it, nor perhaps one of the replicas of what is written meanwhile."""
        self.world.cut.add(host.name)
        self._revoke(host, lasts)
        self._cut_a_line(host, lasts)
        self.world.after(lasts, lambda: self.world.cut.discard(host.name))

    def lose(self, host):
        """A host is gone for good."""
        self.world.gone.add(host.name)
        host.power_off()

    def _all_come_back(self):
        world, self.healed = self.world, True
        world.cut.clear()
        world.links.clear()
        if world.store.out:
            world.store.end_outage()
        for host in world.hosts.values():
            for process in (host.guard, host.server, host.guest):
                while process.frozen:
                    process.thaw()
            host.server.stalled = False
            host.start()
        for manager in world.managers:
            while manager.frozen:
                manager.thaw()
            if not manager.up:
                manager.start()
