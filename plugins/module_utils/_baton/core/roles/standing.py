# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one node stands for now: record, role, reign or session, peers, and the swap that is under way. Pure.

Everything else about roles stands on this, and nothing here on anything of theirs. Who finds that a reign must end says so
here (``step_down``); the node carries that out once, when the event has been taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Set

from ..commands import Command, ReadRecord, RoleChanged, Swap
from ..events import Operator
from ..model.config import Names, NodeConfig, next_version
from ..model.messages import Hello
from ..model.record import NO_RECORD, Member, Record
from ..model.saved import Saved
from ..model.timing import NEVER
from ..replication.dcs_health import Dcs
from ..replication.following import Following
from ..replication.leading import Leading
from ..replication.swaps import REPEAT_AFTER, PendingSwap, Purpose
from ..state.state import State
from .doubt import Doubt
from .twins import Twins

HANDED_OVER = "handed over"  # how a reign begins that another has made ours; else as the purpose of the swap that did


@dataclass(frozen=True)
class StepDown:
    """A wish: that the node stops being active. ``then``: the order for which it does, to be taken by a passive."""

    why: str
    then: Optional[Operator] = None


class Standing:
    """``out`` gathers the commands of the event that is being taken."""

    def __init__(self, config: NodeConfig, saved: Saved) -> None:
        self.config = config
        self.out: List[Command] = []
        self.state = State(config, saved, self.out)
        self.names = Names(config.process)
        self.role = "starting"
        self.trouble = ""  # what only a person can settle
        self.leading: Optional[Leading] = None
        self.following = Following(config, self.state)
        self.swap: Optional[PendingSwap] = None  # of a node that is not active: create, start, promote, grant
        self.noting: Optional[int] = None  # the store that makes ``noted`` durable before the swap is sent (M3)
        self.installing = False  # a snapshot is being put in place: our disk is about to be another
        self.wish: Optional[StepDown] = None
        self.linked: Set[str] = set()  # nodes to which there is a link
        self.peers: Dict[str, Hello] = {}
        self.twins = Twins(config, self.state)
        self.doubt = Doubt(config, self.state)
        self.dcs = Dcs(self.state)
        self.unable = ""  # why the VIP would not work here, "" when it would, or none is configured
        self.full = ""  # why this node would refuse changes as the active; "" when it would not
        self.read_at = NEVER  # when the store was asked for the record last
        self._trouble_noted = ""

    # --- questions ----------------------------------------------------------------------------------------------------

    @property
    def me(self) -> Member:
        return Member(self.config.node, self.state.incarnation)

    @property
    def record(self) -> Record:
        return self.state.record or NO_RECORD

    @property
    def is_changing(self) -> bool:
        """Whether this node, not active, has a change of the record on its way."""
        return self.swap is not None or self.noting is not None

    def serving(self, now: float) -> bool:
        return self.leading is not None and self.leading.serving(now)

    def wall(self, now: float) -> float:
        """Return the wall-clock time as far as a node knows it: for dates that people read and choose."""
        return now + self.config.wall_offset

    def in_sync(self) -> bool:
        return self.me in self.record.in_sync

    def members(self) -> Dict[str, str]:
        """Return every known node and its URL, from the committed documents."""
        return {doc.key: str(doc.value.get("Url", "")) for doc in self.state.heads.list("nodes")}

    def heard(self) -> float:
        """Return when the active that the record names spoke to us last."""
        return self.following.heard if self.following.active == self.record.active else NEVER

    def is_apart(self, record: Optional[Record]) -> bool:
        """Whether a record is of another history of our cluster: one epoch number with two ids."""
        ours = self.record.epoch
        same = record is not None and record.cluster_id == self.state.cluster_id and record.epoch.number == ours.number
        return same and record is not None and record.epoch.id != ours.id

    # --- role ---------------------------------------------------------------------------------------------------------

    def set_role(self, role: str) -> None:
        if role != self.role:
            self.role = role
            self.tell_role()

    def tell_role(self) -> None:
        self.out.append(RoleChanged(self.role, self.record.active, self.record.active_url))

    def step_down(self, why: str, then: Optional[Operator] = None) -> None:
        """Have the reign end with this event: from here on it serves nothing. What is said last is what people read."""
        if self.leading is not None:
            self.leading.over = True
            self.wish = StepDown(why, then)

    def stop(self, trouble: str) -> None:
        """Something only a person can settle: say so, serve nothing, promise nothing."""
        self.trouble = trouble
        if trouble != self._trouble_noted:
            self._trouble_noted = trouble
            self.state.note("error", trouble)
        self.step_down(trouble)

    def no_trouble(self) -> None:
        """What a person had to settle is settled: should it come back, it is said again."""
        self._trouble_noted = ""

    def join_cluster(self, cluster_id: str) -> None:
        self.state.cluster_id = cluster_id
        self.state.store(meta={"cluster_id": cluster_id})

    # --- changes of the record, by a node that is not active ------------------------------------------------------------

    def reread(self, now: float) -> None:
        """Ask the store again: the answer may have been lost."""
        if now - self.read_at > REPEAT_AFTER:
            self.read_at = now
            self.out.append(ReadRecord())

    def send_swap(self, purpose: Purpose, node: str, record: Record, now: float) -> None:
        """Begin a change of the record, which makes ``node`` active."""
        if record.active == self.config.node:
            record = replace(record, active_url=self.config.url)
        record = replace(record, nonce=self.names.nonce()).raising_floor(self.state.applied)
        swap = Swap(self.state.version, next_version(self.state.version, self.record, record), record)
        self.swap = PendingSwap(purpose, node, swap, now)
        self.out.append(swap)

    def create(self, cluster_id: str, now: float) -> None:
        """Make a new cluster with this node as its active and only member."""
        record = Record(
            cluster_id, self.names.epoch_after(NO_RECORD.epoch), self.config.node, (self.me,),
            mode=self.config.mode, min_in_sync=self.config.min_in_sync,
        )  # fmt: skip
        self.send_swap(Purpose.CREATE, self.config.node, record, now)

    def start_epoch(self, now: float) -> None:
        """Swap in the next epoch with the same members (M2)."""
        record = replace(
            self.record, epoch=self.names.epoch_after(self.record.epoch), active=self.config.node, holder="", reason="restarted"
        )  # fmt: skip
        self.send_swap(Purpose.START, self.config.node, record, now)

    def promoted(self) -> Record:
        """Return the record with this node active in a new epoch and the old active out of the in-sync set."""
        record = self.record
        base = record.without(record.active) if record.active not in ("", self.config.node) else record
        return replace(
            base, epoch=self.names.epoch_after(record.epoch), active=self.config.node, active_url=self.config.url,
            holder="", nonce=self.names.nonce(),
        ).raising_floor(self.state.applied)  # fmt: skip

    def clear_note(self) -> None:
        """Forget the note of a promotion when the record has become another (M3)."""
        if self.state.noted >= 0 and self.state.version != self.state.noted:
            self.forget_note()

    def forget_note(self) -> None:
        self.state.noted = -1
        self.state.store(meta={"noted": -1})
