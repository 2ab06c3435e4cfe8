# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated cluster: managers and guests with the real engine, plan and orders, and Galera servers over links that a seed plays with."""

from __future__ import annotations

from baton.datastores.engine.case import Times
from baton.datastores.model.replica_set import Member, ReplicaSet
from baton.datastores.plans import galera, revival
from simulation.clusters.checks import Checks
from simulation.clusters.group import Groups
from simulation.clusters.hosts import Host
from simulation.datastores.ground import Ground
from simulation.datastores.managers import Manager


class ClusterManager(Manager):
    """One that knows the plan of Galera."""

    looks = (0.08, 0.2)

    @property
    def plan(self):
        return galera.PLAN

    def _sweep(self, channels, known):
        """Clusters leave no traces of claims."""

    def waits(self, whole):
        lost = whole.own.get("lost", 0.0)
        last = whole.history[-1]["at"] if whole.history else 0.0
        data = whole.task.data if whole.task is not None else {}
        well, alone = data.get("unwell", 0.0) + galera.WELL_WITHIN, data.get("alone", 0.0) + galera.ALONE
        return [lost + revival.LOST, lost + revival.PARTED, last + revival.REVIVED_AGAIN, well, alone]


class World(Ground):
    """``hosts``: h1 … hN, on each of which there may be one member, m1 … mN."""

    manager = ClusterManager

    def __init__(self, seed, hosts=4, lease=2.0):
        super().__init__(seed, ReplicaSet("c1", "galera"), hosts, Times(lease))
        self.main, self.made = "c1", 1
        self.checks = Checks(self)
        self.store.commit = self.checks.watched(self.store.commit)
        self.hosts = {name: Host(self, name, self.random.uniform(0.95, 1.05)) for name in self.store.channels}
        self.servers = [host.server for host in self.hosts.values()]
        self.homes = {host.server.id: host for host in self.hosts.values()}
        for server in self.servers:
            server.remembers = seed % 3 == 0
        self.groups = Groups(self, self.servers, self.random.choice((50, 500, 5000)))
        self.add_manager()
        self.transactions = 0
        self.after(0.1, self._write)
        self.after(0.1, self._apply)
        self.after(0.1, self._look)
        self.after(0.1, self.tick)

    def make_anew(self):
        """The cluster was deleted, and there is another one, of an id that never was."""
        self.made += 1
        self.main = f"c{self.made}"
        self.store.sets[self.main], self.store.revisions[self.main] = ReplicaSet(self.main, "galera").to_json(), 0
        self.checks.acknowledged.clear()

    def _write(self):
        """A client writes to whoever takes it, and keeps what was acknowledged. Others read."""
        serve = [server for server in self.servers if server.serves]
        if serve:
            self.transactions += 1
            number = self.transactions
            self.groups.write(self.random.choice(serve), number, lambda: self.checks.acknowledged.append(number))
            self.checks.read(serve)
        self.after(self.random.uniform(0.03, 0.1), self._write)

    def _apply(self):
        for server in self.servers:
            if server.relay and server.runs and not server.stalled and self.random.random() < 0.5:
                self.groups.apply(server, self.random.randint(1, 6))
        self.after(self.random.uniform(0.02, 0.06), self._apply)

    def _look(self):
        self.groups.look()
        self.after(0.1, self._look)


def member(number, kind="data"):
    where = {"name": f"m{number}", "address": f"h{number}", "port": 3306}
    return Member(f"m{number}", f"h{number}", own={**where, "type": kind, "region": f"r{number % 2}", "segment": number % 2})
