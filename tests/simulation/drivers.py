# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers in the simulation: processes of their own that live on when the daemon dies or freezes, and keep to the contract at its limit.

A service *runs* from the moment in which its start begins until its stop has ended. Checked: never on two hosts at once (I5), never
twice on one, and the VIP is taken only when those that it waits for are active.
"""

from __future__ import annotations

import json
import logging
import random

from baton.adapters.drivers.files import DriverFiles
from baton.core import events as ev
from baton.core.model.driver_options import Options

STOP = 3.0  # seconds: D
LATE = 0.4  # seconds by which systemd may kill too late what a dead driver has left
logging.getLogger("baton.drivers").addHandler(logging.NullHandler())  # what is wrong with files is known here


class Service:
    """One driver on one host. ``lease``: the deadline that it knows, on the host's clock."""

    def __init__(self, drivers, name, options):
        self.drivers, self.name, self.options = drivers, name, options
        self.session = None
        self.running = False
        self.stopping = False
        self.away = False  # its process does not come
        self.stuck = False  # what runs can't be stopped, whoever tries
        self.lease = self.end = 0.0
        self.heard = 0.0  # when the last order arrives
        self.active_in = -1  # the last epoch in which it was active
        self.work = 0  # starts and stops are numbered: one that was overtaken does not end

    def stop(self, end, then, killed=False):
        """Stop until ``end`` on this host's clock, or sooner if that was promised; ``then`` is called when nothing runs any more.

        ``killed``: what is left of a dead process may outlive the end of a stop that was going on, but never that of the lease.
        """
        if self.stuck:
            return
        clock = self.drivers.host.clock()
        if self.running:
            end = min(end, self.lease + STOP, self.end if self.stopping and not killed else end)
        self.work += 1
        work, self.stopping, self.end = self.work, True, end
        # Half of them take all the time that there is.
        seconds = max(0.0, end - clock) * self.drivers.dice.choice((0.05, 0.999)) / self.drivers.host.rate

        def ended():
            if self.work == work:
                self.running = self.stopping = False
                then()

        self.drivers.after(seconds, ended)


class HostDrivers:
    """The drivers of one host. ``markers``: the files that the guard looks at."""

    def __init__(self, host, seed):
        self.host = host
        self.dice = random.Random(f"drivers {seed} {host.name}")
        policy = random.Random(f"policy {seed}").choice(("retry", "fail_over", "ignore"))
        self.markers = set()
        self.services = {
            "db": Service(self, "db", Options(pre_active=True)),
            "web": Service(self, "web", Options(after=("db",), on_failure=policy, retries=1, start_seconds=5.0)),
        }
        self.configured = random.Random(f"configured {seed}").random() < 0.5  # else nobody knows of them before they connect
        self.folder = self.files = None  # with files of its own: where, and what batond knows of them
        self.sessions = 0
        self.troubles = random.Random(f"driver troubles {seed}").choice((0.0, 0.02, 0.2))
        self._look()

    def after(self, seconds, action):
        self.host.world.after(seconds, action)

    # --- files ---

    def keep_files(self, folder):
        """From the next start on, batond reads from files which drivers to expect."""
        self.configured, self.folder = True, folder
        (folder / "drivers").mkdir(parents=True)
        for name in self.services:
            self.write_file(name)

    def write_file(self, name, share=1.0):
        text = json.dumps({"type": "program", **self.services[name].options.to_json()})
        (self.folder / "drivers" / f"{name}.json").write_text(text[: int(len(text) * share)])

    def expected(self):
        """Return the drivers that a batond expects which has just started."""
        if self.folder is None:
            return {service.name: service.options for service in self.services.values()}
        self.files = DriverFiles(self.folder / "drivers", self.folder / "kept.json")
        self.files.look()
        return self.files.drivers

    def look_at_files(self):
        if self.host.node is not None and self.files.look():
            self.host.give(ev.DriversExpected(self.files.drivers))

    # --- the daemon comes and goes ---

    def connect(self):
        """The daemon has started; each driver comes when it has stopped what ran."""
        for service in self.services.values():
            self._connect(service)

    def _connect(self, service):
        life = self.host.life

        def come():
            if self.host.life != life or self.host.node is None or service.session is not None:
                return
            if (service.stopping or service.running) and not service.stuck or service.away:
                self.after(0.1, come)
                return
            self.sessions += 1
            service.session = self.sessions
            self.host.give(ev.DriverHello(self.sessions, service.name, service.options))

        self.after(self.dice.choice((0.01, 0.3, 2.0)), come)

    def lost(self):
        """The daemon died: every connection is lost, and by contract every driver stops at once."""
        for service in self.services.values():
            service.session = None
            if not service.stopping:
                service.stop(self.host.clock() + STOP, lambda service=service: self.markers.discard(service.name))

    def stopped(self):
        """Whether the guard may say that nothing of this host's drivers runs."""
        return not self.markers

    # --- commands of the daemon ---

    def order(self, command):
        service = next((s for s in self.services.values() if s.session == command.session), None)
        if service is not None:
            # One connection: orders arrive in the order in which they were given.
            service.heard = max(service.heard, self.host.world.now + self.dice.uniform(0.0005, 0.02))
            self.after(service.heard - self.host.world.now, lambda: self._obey(service, command))
        if command.active and self.troubles and self.dice.random() < 0.15:
            self.after(0, self.dice.choice((self._freeze, self._cut_off)))

    # Aimed: the daemon has given an order to start, and nobody hears of what it wrote and committed for that.

    def _freeze(self):
        host, life = self.host, self.host.life
        if host.node is not None and not host.is_frozen:
            host.is_frozen = True
            self.after(self.dice.choice((1.5, 4.0, 8.0)), lambda: host.life == life and host.is_frozen and host.thaw())

    def _cut_off(self):
        world, name = self.host.world, self.host.name
        ways = {way for other in world.hosts if other != name for way in ((name, other), (other, name))} - world.cut
        world.cut.update(ways)
        self.after(self.dice.choice((1.5, 4.0, 8.0)), lambda: world.cut.difference_update(ways))

    def _switch_too_early(self):
        """Aimed: the role is to be handed on while the drivers of the one before may still run."""
        node = self.host.node
        if node is not None and node.leading is not None and not node.driving.drivers.cleared and not self.host.is_frozen:
            self.host.give(ev.Operator(-1, "switch"))

    def _obey(self, service, command):
        if service.session != command.session:
            return
        clock = self.host.clock()
        if not command.active and service.stuck:
            self._say(service, ev.DriverDone(command.session, command.number, False, "it does not end"))
        elif not command.active:
            done = ev.DriverDone(command.session, command.number, True, "")
            service.stop(command.deadline, lambda: self._say(service, done))
        elif command.deadline <= clock:
            self._say(service, ev.DriverDone(command.session, command.number, False, "too late"))
        else:
            self._start(service, command)

    def _start(self, service, command):
        self.host.world.checks.driver_starts(self.host, service)
        service.work += 1
        work = service.work
        service.running, service.stopping, service.lease = True, False, command.deadline
        ok = self.dice.random() >= self.troubles

        def started():
            if service.work == work:
                service.active_in = command.epoch if ok else service.active_in
                self._say(service, ev.DriverDone(command.session, command.number, ok, ""))

        self.after(self.dice.choice((0.01, 0.2, 1.0)), started)

    def renew(self, command):
        for service in self.services.values():
            if service.session == command.session:
                service.lease = max(service.lease, command.deadline)

    def drop(self, command):
        for service in self.services.values():
            if service.session == command.session:
                self.cut(service)

    def mark(self, command):
        (self.markers.add if command.running else self.markers.discard)(command.driver)

    def _say(self, service, event):
        if service.session == event.session:
            self.host.give(event)

    # --- on their own ---

    def _look(self):
        """Each driver looks at its lease; some die."""
        clock = self.host.clock()
        if self.troubles and self.dice.random() < 0.03:
            self._switch_too_early()
        for service in self.services.values():
            if service.running and not service.stopping and clock >= service.lease:
                self._lease_ended(service)
            elif service.session is not None and self.dice.random() < self.troubles / 40:
                self.cut(service)
        self.after(0.05, self._look)

    def _lease_ended(self, service):
        session = service.session

        def then():
            if session is not None and service.session == session:
                self.host.give(ev.DriverStopped(session, "its lease ended"))
            elif session is None:
                self.markers.discard(service.name)

        service.stop(service.lease + STOP, then)

    def cut(self, service):
        """The driver's process died, or its connection broke: its unit stops what is left, and it comes again."""
        session, service.session = service.session, None
        service.stop(self.host.clock() + STOP + LATE, lambda: None, killed=True)
        self.host.give(ev.DriverGone(session))
        self._connect(service)
