# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of a pool, at every step: D1 to D4 of docs/internals/datastores.md."""

from __future__ import annotations


class Violation(AssertionError):
    """A promise was broken."""


class Checks:
    """``acknowledged``: transactions of which a client was told that they are kept."""

    def __init__(self, world):
        self.world = world
        self.acknowledged = []
        self.failovers = self.promotions = self.rebuilds = self.failed = self.busy = 0
        self.last = ""

    def look(self):
        """D1."""
        writable = [host.server.id for host in self.world.hosts.values() if not host.server.read_only and host.server.runs]
        if len(writable) > 1:
            raise Violation(f"D1: {' and '.join(writable)} take writes at {self.world.now:.2f}")

    def opened(self, server):
        """D2: who takes writes has all that was acknowledged."""
        missing = set(self.acknowledged) - set(server.log)
        if missing:
            raise Violation(f"D2: {server.id} takes writes without {sorted(missing)[:5]} ({len(missing)}) at {self.world.now:.2f}")

    def wiped(self, server):
        """D4: what has the set's data is not wiped, unless it is to be deleted."""
        member = self.world.store.read()[0].members.get(server.id)
        if member is not None and member.joined:
            raise Violation(f"D4: {server.id} is wiped, and has the data")

    def rebuilt(self, _server):
        self.rebuilds += 1

    def committed(self, whole):
        """Count what was begun and what became of it."""
        latest = whole.history[-1]["what"] if whole.history else ""
        if latest != self.last:
            self.failovers += latest == "failover is done"
            self.promotions += latest == "promote is done"
            self.failed += latest.endswith("has failed")
            self.last = latest

    def at_rest(self):
        """D3: when all are back and nobody breaks anything, everything ends, and the set is whole."""
        wrong = self.troubles()
        if wrong:
            channels = self.world.store.channels
            grants = {host: (channel.grants, channel.claims, channel.ends) for host, channel in channels.items()}
            raise Violation(f"D3: {'; '.join(wrong)} ({grants})")

    def troubles(self):
        """Return what is not as it should be when nobody breaks anything."""
        whole, _channels, _revision = self.world.store.read()
        writable = [server.id for server in self.world.servers if server.writable]
        wrong = []
        if whole.task is not None:
            wrong.append(f"{whole.task.program} has not ended, at step {whole.task.step}{' (undoing)' if whole.task.undoing else ''}")
        if writable != [whole.source]:
            wrong.append(f"{writable or 'nobody'} takes writes, and the source is {whole.source}; {whole.needs}")
        members = [member for member in whole.members.values() if member.host != self.world.gone]
        replicas = [member for member in members if member.joined and member.id != whole.source]
        late = [member.id for member in replicas if member.follows != whole.term]
        if late:
            wrong.append(f"{', '.join(late)} do not follow")
        if sorted(whole.confirmed) != sorted(member.id for member in replicas):
            wrong.append(f"{whole.confirmed} count of {[member.id for member in replicas]}")
        if sum(member.joined for member in members) < len(self.world.hosts) - bool(self.world.gone):
            wrong.append(f"only {sorted(whole.members)} are members")
        source = next((server for server in self.world.servers if server.id == whole.source), None)
        if source is not None and set(self.acknowledged) - set(source.log):
            wrong.append("the source lacks what was acknowledged")
        return wrong
