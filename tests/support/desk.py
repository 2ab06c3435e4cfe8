# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out one order after the other on documents in memory, as the log of one epoch would."""

import pytest

from baton.core.coordination.actions import answer
from baton.core.coordination.leases import TOKENS_AN_EPOCH, Moment
from baton.core.coordination.seats import same
from baton.core.coordination.ties import live
from baton.core.model.documents import Change
from baton.core.replication.client_leases import ClientLeases
from baton.core.state.heads import Heads
from baton.ground.problem import Problem


class Desk:
    """``at``: the log's time in ms; ``said``: what the last answer says."""

    def __init__(self, epoch=1):
        self.heads, self.seq, self.epoch, self.at, self.said = Heads(), 0, epoch, 1000, None

    def do(self, *changes):
        """Return the effects that change something."""
        evaluation = self.heads.evaluate(changes, Moment(self.epoch * TOKENS_AN_EPOCH, self.at))
        self.said = answer(changes, self.heads.speculative, evaluation.lookup)
        self.seq += 1
        self.heads.append(self.seq, f"{self.epoch}.{self.seq}", evaluation.effects)
        self.changed = self.heads.commit(self.seq)
        return [effect for effect in evaluation.effects if effect.ops is None or effect.ops]

    def grant(self, key, ttl=10.0, owner="o"):
        return self.do(Change("leases", key, "grant", {"Ttl": ttl, "Owner": owner}))

    def revoke(self, key):
        self.do(Change("leases", key, "revoke"))

    def expire(self, key):
        """The lease's time is over."""
        return self.do(Change("leases", key, "expire", {"At": self.heads.committed("leases", key).value["At"]}))

    def ties(self, lease):
        """Return what is tied to a lease."""
        return live(self.stored(lease), self.heads.committed)

    def stored(self, lease):
        """Return the ties that the document has, those that are over among them."""
        return self.heads.committed("leases", lease).value["Ties"]

    def guarded(self, lease, token, *changes):
        """Change something only while the lease holds what has the token."""
        self.do(Change("leases", lease, "check", {"Token": token}), *(changes or [Change("profiles", "guarded", "put", {})]))

    def profile(self, **params):
        self.do(Change("profiles", "p", "put", {"Params": params}))

    def set(self, param, value, lease=None, op="add"):
        body = [{"op": op, "path": "", **({"value": value} if op != "remove" else {})}]
        return self.do(Change("profiles", "p", "patch", body, at=("Params", param), lease=lease))

    def param(self, param):
        """Return what a param is set to, or None."""
        document = self.heads.committed("profiles", "p")
        return document.value["Params"].get(param) if document is not None else None


def token_of(document, candidate):
    """Return the fencing token in a document of kind ``seats``, or None."""
    noted = document.value["Seats"] if document is not None else ()
    return next((entry["Token"] for entry in noted if same(entry["Candidate"], candidate)), None)


def deadlines(desk, now=100.0):
    """Return the deadlines of a reign that serves since ``now``."""
    leases = ClientLeases(0.1, 2.0)
    leases.tick(True, desk.heads, now)
    return leases


def refused(code, work, *args, **more):
    with pytest.raises(Problem) as caught:
        work(*args, **more)
    assert caught.value.code == code
    return caught.value
