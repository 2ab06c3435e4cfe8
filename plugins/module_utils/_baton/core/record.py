# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster record: the only thing that the DCS holds. Pure.

Who is active in which epoch, and which disks hold every acknowledged write. It changes by compare-and-swap on the
store's version; ``nonce`` names the swap that wrote it, so that a swap whose reply was lost can be recognised.
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, FrozenSet, Mapping, NamedTuple, Optional, Tuple

from .log import NO_EPOCH, Epoch, Position


class Member(NamedTuple):
    """A disk: a node and the id of its data directory."""

    node: str
    incarnation: str


FIRST_MANUAL = 1 << 32  # the least version of a record that travels with the data; no store of its own counts as far


@dataclass(frozen=True)
class Record:
    """``active`` is "" after an operator made the active passive without a successor; ``holder`` then is who gave up.

    ``floor``: a committed seq below which nobody is promoted, written in ``floor_epoch`` (NO_EPOCH: not known).
    ``forced``: the number of the last epoch that began with a force (0: none), ``forced_id`` its id; entries of older
    epochs are then never discarded without a person's word. ``paused``: nobody is promoted by itself; ``paused_by``
    (a text for people, "" where it is not known) and ``paused_at`` (unix seconds) go with it. ``reason``: why this
    epoch began. ``extra`` and ``member_extra``: what a newer version wrote, passed on unchanged.
    """

    cluster_id: str
    epoch: Epoch
    active: str
    in_sync: Tuple[Member, ...]
    floor: int = 0
    mode: str = "available"
    min_in_sync: int = 1
    nonce: str = ""
    holder: str = ""
    active_url: str = ""
    forced: int = 0
    paused: bool = False
    reason: str = ""
    floor_epoch: Epoch = NO_EPOCH
    forced_id: str = ""
    paused_by: str = ""
    paused_at: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    member_extra: Mapping[Member, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def forced_epoch(self) -> Epoch:
        return Epoch(self.forced, self.forced_id)

    def nodes(self) -> FrozenSet[str]:
        return frozenset(member.node for member in self.in_sync)

    def member(self, node: str) -> Optional[Member]:
        for member in self.in_sync:
            if member.node == node:
                return member
        return None

    def without(self, node: str) -> "Record":
        return replace(self, in_sync=tuple(m for m in self.in_sync if m.node != node))

    def adding(self, member: Member) -> "Record":
        return replace(self, in_sync=self.without(member.node).in_sync + (member,))

    def raising_floor(self, commit: Position) -> "Record":
        """Return the record with its floor at ``commit``, unless it is there already or above."""
        if commit.seq < self.floor:
            return self
        return replace(self, floor=commit.seq, floor_epoch=commit.epoch)

    def to_json(self) -> Dict[str, Any]:
        return {
            **self.extra,
            "cluster_id": self.cluster_id,
            "epoch": list(self.epoch),
            "active": self.active,
            "in_sync": [{**self.member_extra.get(m, {}), **m._asdict()} for m in self.in_sync],
            "floor": self.floor,
            "mode": self.mode,
            "min_in_sync": self.min_in_sync,
            "nonce": self.nonce,
            "holder": self.holder,
            "active_url": self.active_url,
            "forced": self.forced,
            "paused": self.paused,
            "reason": self.reason,
            "floor_epoch": list(self.floor_epoch),
            "forced_id": self.forced_id,
            "paused_by": self.paused_by,
            "paused_at": self.paused_at,
        }

    @classmethod
    def from_json(cls, data: Dict[str, Any]) -> "Record":
        """Read a record; raise ValueError, TypeError or KeyError when it is not one."""
        members = {Member(str(m["node"]), str(m["incarnation"])): m for m in data["in_sync"]}
        known = cls.__dataclass_fields__.keys() - {"extra", "member_extra"}
        # A version that does not know who paused passes it on, over the end of the pause, too.
        paused = bool(data.get("paused", False))
        return cls(
            cluster_id=str(data["cluster_id"]),
            epoch=_epoch(data["epoch"]),
            active=str(data["active"]),
            in_sync=tuple(members),
            floor=int(data["floor"]),
            mode=str(data["mode"]),
            min_in_sync=int(data["min_in_sync"]),
            nonce=str(data["nonce"]),
            holder=str(data.get("holder", "")),
            active_url=str(data.get("active_url", "")),
            forced=int(data.get("forced", 0)),
            paused=paused,
            reason=str(data.get("reason", "")),
            floor_epoch=_epoch(data.get("floor_epoch", NO_EPOCH)),
            forced_id=str(data.get("forced_id", "")),
            paused_by=str(data.get("paused_by", "")) if paused else "",
            paused_at=int(data.get("paused_at", 0)) if paused else 0,
            extra={name: value for name, value in data.items() if name not in known},
            member_extra={m: more for m, raw in members.items() if (more := _more(raw))},
        )


def _epoch(raw: Any) -> Epoch:
    return Epoch(int(raw[0]), str(raw[1]))


def _more(member: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in member.items() if name not in Member._fields}


def manual_version(epoch: Epoch, count: int) -> int:
    """Return the version of a record that travels with the data: a newer epoch outweighs any number of swaps."""
    return epoch.number * FIRST_MANUAL + count


NO_RECORD = Record("", NO_EPOCH, "", ())
