# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole copy of the active's data: whether it is to replace ours, and what of ours is kept. Pure.

Data that may hold what was acknowledged, or that no other node has, is never replaced without a person's word (I3, I9).
"""

from __future__ import annotations

from typing import Optional

from ..commands import DropSnapshot, ForgetRecord, InstallSnapshot, KeepTail
from ..events import SnapshotFetched, SnapshotInstalled
from ..model.log import Epoch
from ..model.reigns import Reigns, strays
from ..model.timing import NEVER
from ..replication.following import Following
from .standing import Standing


class Snapshots:
    """``fetched``: one that is here and waits for the record."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.fetched: Optional[SnapshotFetched] = None

    def take(self, event: SnapshotFetched, now: float) -> None:
        """The record is read once more first: this disk may have come to be in sync while the snapshot was copied."""
        self.fetched, self.standing.read_at = event, NEVER
        self.standing.reread(now)

    def record_read(self) -> None:
        """The store has answered: put in place what was fetched, or drop it."""
        fetched, self.fetched = self.fetched, None
        if fetched is None:
            return
        why = self._unwanted(fetched)
        if why:
            self.standing.out.append(DropSnapshot(fetched.incarnation, why))
            return
        self.standing.installing = True
        self.standing.out.append(InstallSnapshot(fetched.incarnation))

    def _unwanted(self, event: SnapshotFetched) -> str:
        """Return why a snapshot is not to replace our data, or ""."""
        here = self.standing
        if here.installing:
            return "another one is being put in place"
        if here.leading is not None or here.in_sync():
            return "this node is in sync without it"
        if here.is_changing:
            return "this node is becoming active"
        if here.state.cluster_id and event.cluster_id != here.state.cluster_id:
            return "" if here.config.discard else f"it is of another cluster, {event.cluster_id}"
        return self._strays(event) if event.reigns else ""

    def _strays(self, event: SnapshotFetched) -> str:
        """Return why a snapshot of another history than ours is not to replace our data, or ""; keep what only we have."""
        here = self.standing
        state = here.state
        if not strays(event.reigns, state.applied, state.log.end, event.forced, here.config.shared, state.last_forced()):
            return ""
        self.keep_tail(event.reigns)
        if here.config.discard:
            return ""
        here.following.refused = (
            f"this node's history differs from that of {event.node}; nothing was discarded: save what you need, then "
            "start it with --discard-foreign-data"
        )
        return here.following.refused

    def keep_tail(self, reigns: Reigns) -> None:
        """Keep what our log has beyond the history of those who go on without us."""
        log = self.standing.state.log
        tail = log.after(reigns.fork(log)) if reigns else []
        if tail:
            self.standing.out.append(KeepTail(tuple(tail)))

    def installed(self, event: SnapshotInstalled) -> None:
        """Our disk is another now: what this node has promised, and where its drivers may run, stays its own."""
        here = self.standing
        state = here.state
        if here.leading is not None:
            raise ValueError("the data were replaced while this node was active")
        here.installing = False
        promised, cluster, cleared = state.promised, state.cluster_id, state.cleared
        state.load(event.saved, event.loaded)
        state.cleared = cleared  # of this node, whatever its disk
        if cluster and cluster != state.cluster_id:
            promised = state.promised  # promises and record are those of another cluster
            state.forget_record()
            here.out.append(ForgetRecord())
        here.following = Following(here.config, state)
        keep = promised if promised.number > state.promised.number else state.promised
        state.store(meta={**state.promise(Epoch(*keep)), "cleared": cleared})
        state.keep_record()
        here.following.need_all_blobs(here.record.active)
