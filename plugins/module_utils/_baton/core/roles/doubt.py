# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store that shows an older record than is known, or none: an echo, or a store that was restored or replaced. Pure.

By an older record somebody may be promoted who lacks what was acknowledged since. So nobody begins anything by it, an active
counts all that could be promoted by it, and only a person's force goes on from there.
"""

from __future__ import annotations

from typing import Optional, Tuple

from ..model.config import NodeConfig
from ..model.record import NO_RECORD, Record
from ..model.timing import NEVER
from ..state.state import State

OVERTAKEN = 1.0  # seconds after which no answer to an earlier question can still arrive


class Doubt:
    """What one node makes of it. ``shown``: (version, record) once it is no echo; ``since``: when it was seen first."""

    def __init__(self, config: NodeConfig, state: State) -> None:
        self._config = config
        self._state = state
        self.since = NEVER
        self.shown: Optional[Tuple[int, Optional[Record]]] = None

    @property
    def stands(self) -> bool:
        """Whether the last look at the store was doubtful, be it an echo or not."""
        return self.since > NEVER

    def is_older(self, version: int, record: Record) -> bool:
        """Whether a record is older than what we know: by its version, or by an epoch before, or beside, one we promised to."""
        promised = self._state.promised
        before = record.epoch.number <= promised.number and record.epoch != promised
        return version < self._state.known or (self._config.shared and self._is_ours(record) and before)

    def is_forced_anew(self, version: int, record: Record) -> bool:
        """Whether a person made an epoch, newer than all that we know, from a store that was rolled back; another may have followed.

        Versions tell nothing of it: the store may count anew, to the very number that we know.
        """
        promised, known = self._state.promised, self._state.record or NO_RECORD
        newer = record.epoch.number > known.epoch.number and (record.epoch == promised or record.epoch.number > promised.number)
        forced = record.forced > known.epoch.number
        return version <= self._state.known and self._config.shared and self._is_ours(record) and newer and forced

    def _is_ours(self, record: Record) -> bool:
        return record.cluster_id == self._state.cluster_id

    def look(self, version: int, record: Optional[Record], now: float) -> str:
        """Take what the store shows; return what is wrong with it, "" while it may be an echo."""
        if not self.stands:
            self.since = now
        if now - self.since <= OVERTAKEN:
            return ""
        self.shown = (version, record)
        if record is None:
            return (
                "the cluster record is gone but this node has data: restore the store, or make the node that has served last "
                "active by force; it is never made anew by itself"
            )
        return (
            f"the cluster record is older (version {version}, epoch {record.epoch.number}) than one this node has seen (version "
            f"{self._state.known}, epoch {self._state.promised.number}): the store was restored or replaced; put the newest one "
            "back, or make the node that has served last active by force"
        )

    def end(self) -> None:
        self.since, self.shown = NEVER, None
