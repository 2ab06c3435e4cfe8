# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A planned switch on the node that gives up the active role: drain, release, then swap. Pure.

Nothing is given up until everything acknowledged is on every in-sync disk and the store has answered: begun
while that is out, a hand-over would end the service for as long (I6). Until the swap is sent it can be called off.
"""
from __future__ import annotations

from typing import List, Optional

from ...ground.problem import Problem
from ..commands import Command, Reply
from ..model.record import Record
from .dcs_health import Asked

PATIENCE = 10.0  # seconds from the order to the swap


class Handover:
    """``to``: the node that takes over, "" for nobody.

    ``released``: serving has ended, VIP and drivers are being given up; ``vip_gone``, and ``freed``: drivers have stopped, too.
    ``held``: why they have not, when one of them has said that it can't.
    """

    def __init__(self, order: int, to: str, reason: str, now: float, store: Optional[Asked] = None) -> None:
        self.order = order
        self.to = to
        self.reason = reason
        self.began = now
        self.released = False
        self.vip_gone = False
        self.freed = False
        self.held = ""
        self._answered = False
        self._store = store  # None once it has answered

    @property
    def store_answers(self) -> bool:
        """Whether it has begun: the record can be changed as far as is known, and no write is taken any more."""
        return self._store is None

    def drained(self, everything_committed: bool, proven: float, now: float) -> bool:
        """Return True once: when the log is drained, the store has answered and the VIP is to be released."""
        if self.released:
            return False
        if self._store is not None and self._store.answered(proven, now):
            self._store = None
        if self._store is not None or not everything_committed:
            return False
        self.released = True
        return True

    def overdue(self, now: float, stop_seconds: float) -> bool:
        """Whether it takes too long, drivers having ``stop_seconds`` to stop."""
        stops = 2 * stop_seconds if self.store_answers else 0  # for those whose order matters, and then for the rest
        return now - self.began > PATIENCE + stops

    def why_late(self) -> str:
        """Return what became of one that is overdue."""
        if self._store is not None:
            return "the store of the cluster record does not answer; nothing was changed"
        return self.held or "it took too long"

    def complete(self, out: List[Command], record: Record) -> None:
        self._answered = True
        result = {"active": record.active or None, "epoch": record.epoch.number, "reason": self.reason}
        out.append(Reply(self.order, result))

    def abort(self, out: List[Command], why: str) -> None:
        if not self._answered:
            self._answered = True
            out.append(Reply(self.order, Problem(409, "switch_aborted", f"the switch was called off: {why}")))
