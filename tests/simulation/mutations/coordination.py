# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Left out: rules of locks, seats, ties and clients' leases."""

from __future__ import annotations

import contextlib
import dataclasses

from baton.core.coordination import actions as coordination
from baton.core.coordination import locks
from baton.core.model import documents
from baton.core.replication import client_leases
from baton.core.state import heads
from simulation.mutations.tools import replaced, seen_in


def client_leases_end_with_the_reign():
    def resume(self, heads, now):
        if not self._running:
            self._running = True
            self._ticked_at = now
            self._ttl = {document.key: document.value["Ttl"] for document in heads.list("leases")}
            self._deadline = dict.fromkeys(self._ttl, now)

    return replaced(client_leases.ClientLeases, "_resume", resume)


def client_leases_ignore_the_rate_of_clocks():
    original = client_leases.ClientLeases.__init__

    def shorter(self, rate_error, patience):
        original(self, 0.0, patience)

    return replaced(client_leases.ClientLeases, "__init__", shorter)


@seen_in("strict_keeps_what_cannot_be_kept_alive")
def client_leases_run_on_while_nobody_can_keep_them():
    original = client_leases.ClientLeases.tick

    def tick(self, serving, heads, now):
        return original(self, True, heads, now)

    return replaced(client_leases.ClientLeases, "tick", tick)


@seen_in("a_tie_that_cannot_be_undone")
def a_tie_that_cannot_be_undone_keeps_the_lease():
    def untie(self, change):
        one = coordination.ties.seats.untie_seat(change, self.lookup) if "Seat" in change.body else [documents.Change("x", "x", "delete")]
        self.run(one)

    return replaced(heads.Evaluation, "_untie", untie)


def a_lock_is_given_to_whoever_asks():
    original = locks.acquire

    def acquire(change, lookup, floor):
        changes = original(change, lookup, floor)
        return [item if item.action != "patch" or item.kind != "locks" else _into_holders(item) for item in changes]

    return _order("acquire", acquire)


@contextlib.contextmanager
def a_fence_is_never_looked_at():
    old = coordination.ACTIONS[("leases", "check")]
    coordination.ACTIONS[("leases", "check")] = lambda change, lookup, moment: []
    try:
        yield
    finally:
        coordination.ACTIONS[("leases", "check")] = old


@contextlib.contextmanager
def a_seat_is_given_to_whoever_asks():
    old = coordination.ACTIONS[("", "elect")]

    def elect(change, lookup, floor):
        empty = {"op": "add", "path": "/Params/my~1leader", "value": "none"}
        changes = old(change, lookup, floor)
        if changes or lookup(change.kind, change.key) is None:
            return changes
        taken = [documents.Change(change.kind, change.key, "patch", [empty]), change]
        return taken if lookup(change.kind, change.key).value["Params"]["my/leader"] != change.body["Candidate"] else []

    coordination.ACTIONS[("", "elect")] = elect
    try:
        yield
    finally:
        coordination.ACTIONS[("", "elect")] = old


def _into_holders(change):
    body = [{**operation, "path": operation["path"].replace("/Queue/", "/Holders/")} for operation in change.body]
    return dataclasses.replace(change, body=body)


@contextlib.contextmanager
def _order(name, handler):
    old = coordination.ACTIONS[("locks", name)]
    coordination.ACTIONS[("locks", name)] = handler
    try:
        yield
    finally:
        coordination.ACTIONS[("locks", name)] = old
