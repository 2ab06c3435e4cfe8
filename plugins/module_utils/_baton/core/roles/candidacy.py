# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Becoming active without having been told to: whether a passive may try now, and why it does. Pure.

The record is looked at once more before a promotion begins: it is not begun while the store can't be reached (I6).
"""

from __future__ import annotations

from ..commands import Prepare, ReadRecord
from ..events import ReleaseNotice
from ..model.timing import NEVER
from .able import Able
from .election import Election, may_ever_lead
from .promotion import Promotion
from .record_view import RecordView
from .standing import Standing

PROBE_AHEAD = 0.2  # seconds that the network has for saying that somebody holds the VIP still
LOOK_AGAIN = 5.0  # seconds of silence after which a passive that may not try looks at the record again


class Candidacy:
    """One node's own try at the role."""

    def __init__(self, standing: Standing, election: Election, view: RecordView, able: Able, promotion: Promotion) -> None:
        self.standing = standing
        self.election = election
        self.view = view
        self.able = able
        self.promotion = promotion
        self._trying = False  # the record is being read again before a promotion by itself
        self._prepared = False  # the network is being asked who has the VIP, since we may soon want it

    def may_try(self, now: float) -> bool:
        """Whether this node may try to become active without having been told to."""
        here = self.standing
        record = here.record
        if not here.config.shared or not may_ever_lead(here.config) or record.paused or record.active in ("", here.config.node):
            return False
        if here.role != "passive" or here.is_changing or here.installing:
            return False
        if here.trouble or here.dcs.refuses or here.doubt.stands or not here.in_sync() or not here.state.reaches_floor(record):
            return False
        if here.twins.doubted(now):
            return False  # we hear nothing of the active because another process follows it under our name
        if self.view.outruled(record):
            return False
        rank = self.election.rank(here.state.log.end, record, here.peers, self.able.fit)
        return self.election.due(record, here.heard(), rank, now)

    def consider(self, now: float) -> None:
        """Begin to try as soon as that may be."""
        here = self.standing
        soon = self.may_try(now + PROBE_AHEAD)
        if soon and not self._prepared:
            here.out.append(Prepare())
        self._prepared = soon
        if self.may_try(now):
            self._trying = True
            here.reread(now)
        elif here.config.shared and now - max(here.heard(), here.read_at) > LOOK_AGAIN:
            here.read_at = now  # the active may have died before it could tell of a pause that ended, or of who is in sync
            here.out.append(ReadRecord())

    def record_read(self, now: float) -> None:
        """The store has answered: go on, if it still may be."""
        if self._trying:
            self._trying = False
            if self.may_try(now):
                self.promotion.begin(self.standing.promoted(), self.able.why_now(self._why_now(now)), now)

    def release_notice(self, event: ReleaseNotice, now: float) -> None:
        """Take what an active said when it ended (M4)."""
        here = self.standing
        if self.election.release(event.node, event.epoch, here.record, now, event.drivers):
            here.state.note("info", f"{event.node} has released the active role of epoch {event.epoch.number}")
            here.read_at = NEVER
            self.consider(now)

    def _why_now(self, now: float) -> str:
        active = self.standing.record.active
        if self.election.released(self.standing.record):
            return f"{active} ended"
        heard = self.standing.heard()
        return f"{active} was silent" + (f" for {now - heard:.1f} s" if heard > NEVER else " since this node started")
