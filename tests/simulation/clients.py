# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated clients beside those of the registers: one that follows events by cursor, and one that keeps files and tokens."""

from __future__ import annotations

from baton.core import events as ev
from baton.core.model import access
from baton.core.model.documents import Change
from baton.core.model.requests import Outcome

TTL = 5  # seconds of a token


class Reader:
    """Follows the committed log from node to node by (epoch, seq): it misses nothing, and sees nothing that is not committed."""

    def __init__(self, schedule):
        self.schedule, self.world, self.dice = schedule, schedule.world, schedule.dice
        self.cursor = None
        self.seen = 0

    def step(self):
        if not self.schedule.faults:
            return
        host = self.world.active()
        if host is not None:
            self._read(host)
        self.world.after(self.dice.expovariate(4), self.step)

    def _read(self, host):
        state, checks = host.node.state, self.world.checks
        if self.cursor is not None and state.log.position(self.cursor.seq) != self.cursor:
            if self.cursor.seq >= state.log.start.seq and checks.leases:
                checks.fail(f"the cursor {self.cursor} is not part of the history of {host.name}: {checks.describe()}")
            self.cursor = None  # 410: too old
        if self.cursor is None:
            self.cursor = state.applied
        for entry in state.log.after(self.cursor.seq, state.commit - self.cursor.seq):
            if entry.seq != self.cursor.seq + 1 or checks.committed.get(entry.seq) != entry.position:
                checks.fail(f"after {self.cursor} a reader of {host.name} sees {entry.position}: {checks.describe()}")
            self.cursor = entry.position
            self.seen += 1


class Keeper:
    """Writes files, whose contents are on the disk of whoever has their entry, and tokens, which last as long as they say."""

    def __init__(self, schedule):
        self.schedule, self.world, self.dice = schedule, schedule.world, schedule.dice
        self.count = 0
        self.tokens = {}  # key → when it was made, in the world's time

    def step(self):
        if not self.schedule.faults:
            return
        host = self.world.active()
        if host is not None:
            self.count += 1
            self._check_tokens(host)
            (self._token if self.count % 3 else self._file)(host)
        self.world.after(self.dice.expovariate(1.5), self.step)

    def _file(self, host):
        sha = f"content{self.count}"
        host.disk.blobs.add(sha)
        change = Change("files", f"f{self.count % 4}", "put", {"Path": "f", "Sha256": sha, "Size": 1, "Modified": 0})
        host.give(ev.Submit(self.schedule._id(), (change,), blobs=(sha,)))

    def _token(self, host):
        key, number, made = f"t{self.count}", self.schedule._id(), self.world.now
        now = host.node.state.clock.read(host.clock()) / 1000
        document = access.token_document(key, {"kind": "admin"}, int(now), TTL)

        def answered(result):
            if isinstance(result, Outcome):
                self.tokens[key] = made

        self.world.checks.others[number] = answered
        host.give(ev.Submit(number, (Change("tokens", key, "put", document),)))

    def _check_tokens(self, host):
        """Whatever the hosts' wall clocks say: a token is good until shortly before its end, and not long after it."""
        now = host.node.state.clock.read(host.clock()) / 1000
        for key, made in self.tokens.items():
            document = host.node.state.heads.committed("tokens", key)
            if document is None or not self.world.checks.leases:
                continue
            age, good = self.world.now - made, access.valid(document.value, key, now)
            if not good and age < TTL * 0.75 - 1:
                self.world.checks.fail(f"{host.name} refuses a token of {TTL} s after {age:.1f} s")
            if good and age > TTL * 1.3 + 6:
                self.world.checks.fail(f"{host.name} takes a token of {TTL} s after {age:.1f} s")
