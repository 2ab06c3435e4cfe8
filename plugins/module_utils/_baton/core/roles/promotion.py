# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A passive on its way to being active: what it notes before its swap (M3), and what it knows of the VIP then. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from ..commands import Swap
from ..model.config import next_version
from ..model.record import Record
from ..model.timing import NEVER
from ..replication.swaps import PendingSwap, Purpose
from .driver_duty import Driving
from .election import Election
from .standing import Standing


class Promotion:
    """One at a time: from its note on disk to its swap. ``free``: it follows one who has given the VIP up."""

    def __init__(self, standing: Standing, election: Election, driving: Driving) -> None:
        self.standing = standing
        self.election = election
        self.driving = driving
        self.free = False
        self._noted_before = False  # when it began, another one was noted that is not known to have failed
        self._pending: Optional[Swap] = None

    def begin(self, record: Record, reason: str, now: float, heard: float = NEVER) -> None:
        """Note the version durably, then swap (M3): from here on the old active gets no acknowledgement from us.

        ``heard``: until when others may have acknowledged what it sent.
        """
        here = self.standing
        record = replace(record, reason=reason)
        vacant = not here.record.active and bool(here.record.holder)
        self.free = vacant or self.election.released(here.record)
        self.driving.promoting(vacant, max(heard, here.heard(), self.election.since))
        here.set_role("taking")
        self._noted_before = here.state.noted >= 0
        here.state.noted = max(here.state.version, 0)  # also where a person goes on from a store without a record
        self._pending = Swap(here.state.version, next_version(here.state.version, here.record, record), record)
        here.noting = here.state.store(meta={"noted": here.state.noted})

    def stored(self, store: int, now: float) -> None:
        """Send the swap once its note is durable."""
        here = self.standing
        if here.noting is None or store < here.noting:
            return
        here.noting = None
        swap, self._pending = self._pending, None
        if swap is not None:
            here.swap = PendingSwap(Purpose.PROMOTE, here.config.node, swap, now)
            here.out.append(swap)

    def refused(self, why: str) -> None:
        """No copy of our swap can come to anything any more: the active is not kept from serving by a note of it."""
        self.standing.state.note("error", f"not active: {why}")
        if not self._noted_before:  # else one of an earlier life may come to something
            self.standing.forget_note()
