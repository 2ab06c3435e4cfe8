# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the store would take a change of the cluster record, as it was proven last. Pure.

A healthy pair does without its store, so a store that only refuses writes is noticed when it is
too late. Where it is known to refuse, nothing is begun that needs it: no promotion by itself, after
which the old active would hear nothing of us any more, and no order, which would drop the VIP first.
"""

from __future__ import annotations

from typing import List, Optional

from ...ground.problem import Problem
from ..commands import Command, ReadRecord
from ..events import DcsHealth
from ..model.messages import one_line
from ..model.timing import NEVER
from ..state.state import State
from .swaps import REPEAT_AFTER

SILENT = "the store of the cluster record does not answer there"


class Dcs:
    """``writable``: None while it is not known; ``trouble``: what needs a person, or ""."""

    def __init__(self, state: State) -> None:
        self.writable: Optional[bool] = None
        self.trouble = ""
        self.reachable = True
        self._noted = ""
        self._state = state

    @property
    def refuses(self) -> bool:
        """Whether the store is known to refuse a change."""
        return self.writable is False

    @property
    def keeps_out(self) -> str:
        """Why the store would not let this node take over, "" as far as is known."""
        if self.refuses:
            return one_line(self.trouble)
        return "" if self.reachable else SILENT

    def take(self, event: DcsHealth) -> None:
        """Say once what is wrong; and that it is over, when that is proven."""
        self.writable, self.trouble, self.reachable = event.writable, event.trouble, event.reachable
        if self.trouble and self.trouble != self._noted:
            self._noted = self.trouble
            self._state.note("error", self.trouble)
        elif self._noted and self.writable and not self.trouble:
            self._noted = ""
            self._state.note("info", "the store of the cluster record takes changes again")

    def check(self) -> None:
        """Raise Problem while the store refuses what an order needs."""
        if self.refuses:
            raise Problem(409, "store_refuses", f"{self.trouble}; nothing was changed")


class Asked:
    """Whether the store would have taken a swap of our record since something was wanted that needs one.

    A node asks before it gives the role away by itself: begun while the store is out, a hand-over
    would end the service for as long (I6). ``since``: since when that is wanted, None when it is not.
    """

    def __init__(self, out: List[Command]) -> None:
        self.since: Optional[float] = None
        self._out = out
        self._at = NEVER

    def forget(self) -> None:
        """Nothing is wanted any more."""
        self.since = None

    def answered(self, proven: float, now: float) -> bool:
        """Return whether it would have; ask again if that is not known. ``proven``: when that was known last."""
        if self.since is None:
            self.since, self._at = now, NEVER
        if proven >= self.since and self._at > NEVER:
            return True
        if now - self._at > REPEAT_AFTER:
            self._at = now
            self._out.append(ReadRecord(proven=True))
        return False
