# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A planned switch on the node that gives up the active role: drain, release, then swap. Pure.

Nothing is given up until everything acknowledged is on every in-sync disk; until the swap is sent it can be called off.
"""
from __future__ import annotations

from typing import List

from .events import Command, Reply
from .problem import Problem
from .record import Record

PATIENCE = 10.0  # seconds from the order to the swap


class Handover:
    """``to``: the node that takes over, "" for nobody.

    ``released``: serving has ended, VIP and drivers are being given up; ``vip_gone``, and ``freed``: drivers have stopped, too.
    """

    def __init__(self, order: int, to: str, reason: str, now: float) -> None:
        self.order = order
        self.to = to
        self.reason = reason
        self.began = now
        self.released = False
        self.vip_gone = False
        self.freed = False
        self._answered = False

    def drained(self, everything_committed: bool) -> bool:
        """Return True once: when the log is drained and the VIP is to be released."""
        if self.released or not everything_committed:
            return False
        self.released = True
        return True

    def overdue(self, now: float, stop_seconds: float) -> bool:
        """Whether it takes too long, drivers having ``stop_seconds`` to stop."""
        return now - self.began > PATIENCE + 2 * stop_seconds  # for those whose order matters, and then for the rest

    def complete(self, out: List[Command], record: Record) -> None:
        self._answered = True
        result = {"active": record.active or None, "epoch": record.epoch.number, "reason": self.reason}
        out.append(Reply(self.order, result))

    def abort(self, out: List[Command], why: str) -> None:
        if not self._answered:
            self._answered = True
            out.append(Reply(self.order, Problem(409, "switch_aborted", f"the switch was called off: {why}")))
