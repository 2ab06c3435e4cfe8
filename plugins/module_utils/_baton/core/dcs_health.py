# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the store would take a change of the cluster record, as it was proven last. Pure.

A healthy pair does without its store, so a store that only refuses writes is noticed when it is
too late. Where it is known to refuse, nothing is begun that needs it: no promotion by itself, after
which the old active would hear nothing of us any more, and no order, which would drop the VIP first.
"""

from __future__ import annotations

from typing import Optional

from .events import DcsHealth
from .problem import Problem
from .state import State


class Dcs:
    """``writable``: None while it is not known; ``trouble``: what needs a person, or ""."""

    def __init__(self, state: State) -> None:
        self.writable: Optional[bool] = None
        self.trouble = ""
        self._noted = ""
        self._state = state

    @property
    def refuses(self) -> bool:
        """Whether the store is known to refuse a change."""
        return self.writable is False

    def take(self, event: DcsHealth) -> None:
        """Say once what is wrong; and that it is over, when that is proven."""
        self.writable, self.trouble = event.writable, event.trouble
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
