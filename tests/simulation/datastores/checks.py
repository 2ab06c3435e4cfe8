# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of a pool, at every step: D1 to D4 of docs/internals/datastores.md."""

from __future__ import annotations


class Violation(AssertionError):
    """A promise was broken."""


class Checks:
    """``acknowledged``: by set, transactions of which a client was told that they are kept."""

    def __init__(self, world):
        self.world = world
        self.acknowledged = {}
        self.failovers = self.promotions = self.rebuilds = self.failed = self.busy = 0
        self.deleted = self.detached = self.restarts = self.from_replicas = 0
        self.last = {}

    @property
    def transactions(self):
        return sum(map(len, self.acknowledged.values()))

    def look(self):
        """D1: whoever takes writes for a set is its source."""
        for server in self.world.servers:
            if not server.read_only and server.runs:
                whole = self.world.store.sets.get(server.opened_for)
                source = whole["source"] if whole is not None else "gone"
                if source != server.id:
                    of = f"{server.opened_for}, whose source is {source}" if whole is not None else f"{server.opened_for}, which is gone"
                    raise Violation(f"D1: {server.id} takes writes for {of}, at {self.world.now:.2f}")

    def opened(self, server):
        """D2: who takes writes has all that was acknowledged."""
        missing = set(self.acknowledged.get(server.opened_for, ())) - set(server.log)
        if missing:
            raise Violation(f"D2: {server.id} takes writes without {sorted(missing)[:5]} ({len(missing)}) at {self.world.now:.2f}")

    def wiped(self, server):
        """D4: what has the set's data is not wiped, unless it is to be deleted, and counts no more."""
        for whole in self.world.store.sets.values():
            member = whole["members"].get(server.id)
            if member is not None and member["joined"]:
                raise Violation(f"D4: {server.id} is wiped, and has the data of {whole['id']}")
            if member is not None and server.id in whole["counted"]:
                raise Violation(f"D2: {server.id} is wiped, and counts in {whole['id']}")
        if server.writable:
            raise Violation(f"D1: {server.id} is wiped, and takes writes")

    def given_up(self, key):
        """People say that hosts are gone for good, and what nobody else has is lost with them."""
        left = {number for host in self.world.hosts.values() if host.name not in self.world.gone for number in host.server.has()}
        self.acknowledged[key][:] = [number for number in self.acknowledged[key] if number in left]

    def rebuilt(self, _server):
        self.rebuilds += 1

    def copied(self, donor):
        self.from_replicas += donor.read_only

    def committed(self, whole):
        """Nobody is of two sets, nor counts where it is not. Count what was begun and what became of it."""
        members = [name for each in self.world.store.sets.values() for name in each["members"]]
        if len(members) != len(set(members)):
            raise Violation(f"D1: of {sorted(members)} one is of two sets")
        left = set(whole.counted) - set(whole.members)
        if left and whole.task is None:
            raise Violation(f"D2: {sorted(left)} count in {whole.id}, and are not of it")
        latest = whole.history[-1]["what"] if whole.history else ""
        if latest != self.last.get(whole.id):
            self.failovers += latest == "failover is done"
            self.promotions += latest == "promote is done"
            self.deleted += latest == "delete is done"
            self.detached += latest == "detach is done"
            self.restarts += latest == "restart is done"
            self.failed += latest.endswith("has failed")
            self.last[whole.id] = latest

    def at_rest(self):
        """D3: when all are back and nobody breaks anything, everything ends, and the set is whole."""
        wrong = self.troubles()
        if wrong:
            channels = self.world.store.channels
            grants = {host: (channel.grants, channel.claims, channel.ends) for host, channel in channels.items()}
            raise Violation(f"D3: {'; '.join(wrong)} ({grants})")

    def troubles(self):
        """Return what is not as it should be when nobody breaks anything."""
        return [wrong for key in self.world.store.sets for wrong in self._troubles_of(self.world.store.read(key)[0])]

    def _troubles_of(self, whole):
        of_its_own = whole.id != self.world.main
        writable = [server.id for server in self.world.servers if server.writable and server.opened_for == whole.id]
        wrong = [f"{whole.id} is there still"] if of_its_own and self.world.gathers else []
        if whole.task is not None:
            undoing = " (undoing)" if whole.task.undoing else ""
            wrong.append(f"{whole.task.program} of {whole.id} has not ended, at step {whole.task.step}{undoing}")
        if writable != [whole.source]:
            wrong.append(f"{writable or 'nobody'} takes writes, and the source is {whole.source}; {whole.needs}")
        members = [member for member in whole.members.values() if member.host not in self.world.gone]
        replicas = [member for member in members if member.joined and member.id != whole.source]
        late = [member.id for member in replicas if member.follows != whole.term]
        if late:
            wrong.append(f"{', '.join(late)} do not follow")
        apart = [member.id for member in replicas if self.world.hosts[member.host].server.follows != whole.source]
        if apart:
            wrong.append(f"{', '.join(apart)} are taken for ones that follow {whole.source}, and do not")
        if sorted(whole.confirmed) != sorted(member.id for member in replicas):
            wrong.append(f"{whole.confirmed} count of {[member.id for member in replicas]}")
        if not of_its_own and sum(member.joined for member in members) < len(self.world.hosts) - len(self.world.gone):
            wrong.append(f"only {sorted(whole.members)} are members")
        source = next((server for server in self.world.servers if server.id == whole.source), None)
        if source is not None and set(self.acknowledged.get(whole.id, ())) - set(source.log):
            wrong.append("the source lacks what was acknowledged")
        return wrong
