# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated cluster as managers and guests see it: documents that are compared and patched, leases, and what is tied to them."""

from __future__ import annotations

from dataclasses import replace

from baton.datastores.engine.traces import without
from baton.datastores.model.channel import Channel
from baton.datastores.model.replica_set import ReplicaSet


def _decides(channel):
    """Return what nobody may have changed meanwhile. Orders of several sets stand on one host."""
    return channel.grants, channel.claims, channel.claimed, channel.ends, channel.orders


def _differ(one, other):
    return one is not other and _decides(one) != _decides(other)


class Store:
    """``sets``: by id. ``clock``: of the cluster. Leases end by it, later by the rate error than their owners think."""

    def __init__(self, whole, hosts, times, clock):
        self.sets, self.revisions = {whole.id: whole.to_json()}, {whole.id: 0}
        self.channels = {host: Channel() for host in hosts}
        self.times, self.clock = times, clock
        self.out = False  # it answers nobody
        self._ends = {}  # host → when its lease does
        self.revoked = set()

    def read(self, key):
        return ReplicaSet.from_json(self.sets[key]), dict(self.channels), self.revisions[key]

    # --- the manager's ----------------------------------------------------------------------------------------------------

    def commit(self, whole, written, parted, read, revision):
        """Write all or nothing: if the set is what was read, and what is granted and claimed. Return whether it was."""
        if self.out or revision != self.revisions.get(whole.id):
            return False
        if any(_differ(self.channels[host], channel) for host, channel in read.items()):
            return False
        value = whole.to_json()
        if value != self.sets[whole.id] or written:
            self.sets[whole.id], self.revisions[whole.id] = value, revision + 1
        if not whole.members and whole.task is None and whole.tasks:
            del self.sets[whole.id], self.revisions[whole.id]
        for new in parted:
            self.sets[new.id], self.revisions[new.id] = new.to_json(), 0
        for host, channel in written.items():
            now = self.channels[host]
            reports = {key: report for key, report in now.reports.items() if key in channel.orders}
            self.channels[host] = replace(now, orders=channel.orders, grants=channel.grants, reports=reports)
        return True

    def sweep(self, host, read, left):
        """Take traces of sets away that are gone, if the host is what was read."""
        channel = self.channels[host]
        if not self.out and channel == read:
            self.channels[host] = without(channel, {key for key in left if key not in self.sets})

    # --- a guest's --------------------------------------------------------------------------------------------------------

    def renew(self, host):
        """Keep a lease alive, or have it anew; return whether it was."""
        if self.out:
            return False
        self.tick()
        self._ends[host] = self.clock() + self.times.lease * (1 + self.times.rate_error)
        if not self.channels[host].alive:
            self.channels[host] = replace(self.channels[host], alive=True)
        return True

    def tick(self):
        if self.out:
            return
        for host, end in list(self._ends.items()):
            if self.clock() >= end:
                self.end_lease(host)

    def end_lease(self, host):
        self._ends.pop(host, None)
        self.channels[host] = replace(self.channels[host], alive=False, claims={})

    def begin_outage(self):
        self.tick()
        self.out = True

    def end_outage(self):
        """Whoever is active now gives every lease its full time."""
        self.out = False
        self._ends = {host: self.clock() + self.times.lease * (1 + self.times.rate_error) for host in self._ends}

    def claim(self, host, key, term):
        channel = self.channels[host]
        grant = channel.grants.get(key)
        if self.out or not channel.alive or grant is None or grant.term != term:
            return
        ends = {name: end for name, end in channel.ends.items() if name != key}
        claims, claimed = {**channel.claims, key: term}, {**channel.claimed, key: term}
        self.channels[host] = replace(channel, claims=claims, claimed=claimed, ends=ends)

    def opened(self, host, key, grant):
        channel = self.channels[host]
        if not self.out and channel.claims.get(key) == grant.term:
            self.channels[host] = replace(channel, opened={**channel.opened, key: grant})

    def end(self, host, key, end):
        channel = self.channels[host]
        if not self.out and channel.claims.get(key, end.term) == end.term:
            claims = {name: term for name, term in channel.claims.items() if name != key}
            self.channels[host] = replace(channel, claims=claims, ends={**channel.ends, key: end})

    def report(self, host, order, report):
        channel = self.channels[host]
        if not self.out and order in channel.orders:
            self.channels[host] = replace(channel, reports={**channel.reports, order: report})

    def servers(self, host, servers):
        if not self.out:
            self.channels[host] = replace(self.channels[host], servers=servers)
