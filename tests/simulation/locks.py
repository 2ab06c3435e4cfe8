# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated plays that take one lock, or one seat, under leases of their own, and believe what they were told: never two at once.

A client believes that it holds the lock from the moment it is told so until its lease's time is over, counted from when it sent the
last request that kept the lease alive, or until it gives the lock up.
"""

from __future__ import annotations

from baton.core import events as ev
from baton.core.coordination.locks import standing
from baton.core.model.documents import Change
from baton.core.model.requests import Outcome
from baton.ground.problem import Problem

LOCK = "door"
TTL = 1.5


class Believers:
    """Who believes to hold the lock; ``tokens`` in the order in which it was held."""

    def __init__(self, checks):
        self.checks = checks
        self.until = {}  # client → until when it believes so
        self.last = 0
        self.held = 0

    def enter(self, client, token, until):
        now = self.checks.world.now
        self.held += 1
        if self.checks.leases:
            others = [name for name, end in self.until.items() if name != client and end > now]
            if others:
                self.checks.fail(f"{client} holds the lock with token {token} while {others} may believe so: {self.checks.describe()}")
            if token <= self.last:
                self.checks.fail(f"{client} holds the lock with token {token} after token {self.last}")
        self.last = max(self.last, token)
        self.until[client] = until

    def leave(self, client):
        self.until.pop(client, None)


class LockClient:
    """Takes the lock, holds it for a while, gives it up or just goes silent, and begins again with another lease."""

    def __init__(self, schedule, number):
        self.schedule, self.world, self.dice = schedule, schedule.world, schedule.dice
        self.believers = schedule.world.checks.believers
        self.number, self.round = number, 0
        self.asks = ""
        self._begin()

    def _begin(self):
        self.round += 1
        self.name = f"c{self.number}.{self.round}"
        self.kept_from = None  # since when the lease is known to have its full time
        self.queued = self.holds = False
        self.silent_at = self.world.now + self.dice.uniform(1, 6)

    def step(self):
        if self.world.now > self.schedule.clients_until:
            return
        host = self.world.active()
        if self.world.now > self.silent_at:
            self._end(host)
        elif host is not None and host.node.serving(host.clock()):
            self._go_on(host)
        if self.kept_from is not None and self.world.now > self.kept_from + TTL:
            self._begin()  # the client can't rely on its lease any more, and does not
        self.world.after(self.dice.uniform(0.05, 0.4), self.step)

    def _end(self, host):
        """Release, revoke, or leave it to the lease to end."""
        how = self.dice.choice(("release", "revoke", "silence"))
        if how != "silence":
            self.believers.leave(self.name)
        if how == "release" and host is not None:
            self._give_back(host)
        elif how == "revoke" and host is not None:
            self._ask(host, Change("leases", self.name, "revoke"), lambda _result: None)
        self._begin()

    def _go_on(self, host):
        if self.kept_from is None:
            self._ask(host, Change("leases", self.name, "grant", {"Ttl": TTL, "Owner": ""}), self._kept(self.name, self.world.now))
            return
        self._send(self._who_leads(host), lambda number: ev.KeepAlive(number, self.name), self._kept(self.name, self.world.now))
        self._want(host)

    def _want(self, host):
        """Get into the line, or see whether it is our turn."""
        if not self.queued:
            ask = {"Owner": self.name, "Lease": self.name, "Slots": None, "Queue": True, "Data": None, "At": 0}
            self._ask(host, Change("locks", LOCK, "acquire", ask), self._in_line(self.name))
        elif not self.holds:
            where = standing(host.node.state.heads.committed("locks", LOCK), self.name)
            if where["Held"]:
                self._believe(where["Token"])

    def _give_back(self, host):
        self._ask(host, Change("locks", LOCK, "release", {"Owner": self.name, "Token": None}), lambda _result: None)

    def _believe(self, token):
        self.holds = True
        self.believers.enter(self.name, token, self.kept_from + TTL)

    def _who_leads(self, host):
        """A client stays with an active of old as long as that one answers; it must not promise anything any more."""
        known = self.world.hosts.get(self.asks)
        if known is None or known.node is None or known.is_frozen or known.node.leading is None:
            self.asks, known = host.name, host
        return known

    def _kept(self, name, sent):
        def answered(result):
            if name != self.name or isinstance(result, Problem):
                return
            self.kept_from = max(sent, self.kept_from or sent)
            if self.holds:
                self.believers.until[name] = self.kept_from + TTL

        return answered

    def _in_line(self, name):
        def answered(result):
            if name == self.name and isinstance(result, Outcome):
                self.queued = True

        return answered

    def _ask(self, host, change, answered):
        self._send(host, lambda number: ev.Submit(number, (change,), self.world.now), answered)

    def _send(self, host, make, answered):
        number = self.schedule._id()
        self.world.checks.others[number] = answered
        host.give(make(number))


class SeatClient(LockClient):
    """Wants the one seat of a profile instead: nobody waits in a line, each asks until the seat is free."""

    def _change(self, action):
        body = {"Candidate": self.name, "Seats": None, "Vacant": "none", "Lease": self.name, "At": 0}
        return Change("profiles", "seats", action, body, at=("Params", "my/leader"))

    def _want(self, host):
        if not self.holds:
            self._ask(host, self._change("elect"), self._won(self.name))

    def _won(self, name):
        def answered(result):
            if name != self.name or self.holds or not isinstance(result, Outcome) or self.world.now > self.kept_from + TTL:
                return
            if result.said["Elected"]:
                self._believe(result.said["Token"])

        return answered

    def _give_back(self, host):
        self._ask(host, self._change("resign"), lambda _result: None)


class Works:
    """What is to be done once, by name: the token under which each was recorded as done, and the tokens of those who began it."""

    def __init__(self, checks):
        self.checks = checks
        self.recorded = {}
        self.begun = 0

    def done(self, work, token):
        first = self.recorded.setdefault(work, token)
        if first != token and self.checks.leases:
            self.checks.fail(f"{work} was done with token {first}, and again with token {token}: {self.checks.describe()}")


class OnceClient(LockClient):
    """Does a piece of work if nobody else has, as the module ``once`` does: under a lock, and the outcome is written under its fence.

    Its keeper may die at any time (it goes silent). It may be frozen while it works, and goes on then as if nothing had happened.
    """

    PROFILE = "once"
    EVERY = 4.0  # seconds after which other work is to be done

    def _begin(self):
        super()._begin()
        self.work, self.ready_at, self.frozen_until = "", 0.0, 0.0

    def step(self):
        host = self.world.active()
        if self.frozen_until and self.world.now < self.schedule.clients_until:
            if self.world.now >= self.frozen_until and host is not None:
                self._write(host)
                self.frozen_until = 0.0
            self.world.after(0.1, self.step)
        else:
            super().step()

    def _want(self, host):
        if not self.work:
            self.work = f"w{int(self.world.now / self.EVERY)}"
            self._ask(host, Change("profiles", self.PROFILE, "create", {}), lambda _result: None)
        record = self._record(host)
        if record is not None:
            self.schedule.world.checks.works.done(self.work, record["Token"])
            self._give_back(host)
            self._begin()
        elif not self.queued:
            ask = {"Owner": self.name, "Lease": self.name, "Slots": None, "Queue": True, "Data": None, "At": 0}
            self._ask(host, Change("locks", self.work, "acquire", ask), self._in_line(self.name))
        elif not self.holds:
            where = standing(host.node.state.heads.committed("locks", self.work), self.name)
            if where["Held"]:
                self.holds, self.token = True, where["Token"]
                self.ready_at = self.world.now + self.dice.uniform(0, 1.2)
                self.frozen_until = self.world.now + self.dice.uniform(1, 5) if self.dice.random() < 0.3 else 0.0
                self.world.checks.works.begun += 1
        elif self.world.now >= self.ready_at:
            self._write(host)

    def _record(self, host):
        document = host.node.state.heads.committed("profiles", self.PROFILE)
        return document.value["Params"].get(self.work) if document is not None else None

    def _write(self, host):
        work, token = self.work, self.token
        fence = Change("leases", self.name, "check", {"Token": token})
        value = [{"op": "add", "path": "", "value": {"Token": token}}]
        write = Change("profiles", self.PROFILE, "patch", value, at=("Params", work))

        def answered(result):
            if isinstance(result, Outcome):
                self.world.checks.works.done(work, token)

        self._send(host, lambda number: ev.Submit(number, (fence, write), self.world.now), answered)

    def _kept(self, name, sent):
        def answered(result):
            if name == self.name and not isinstance(result, Problem):
                self.kept_from = max(sent, self.kept_from or sent)

        return answered

    def _give_back(self, host):
        if self.work:
            self._ask(host, Change("locks", self.work, "release", {"Owner": self.name, "Token": None}), lambda _result: None)
