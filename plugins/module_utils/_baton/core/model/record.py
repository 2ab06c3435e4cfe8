# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster record: the only thing that the DCS holds. Pure.

Who is active in which epoch, and which disks hold every acknowledged write. It changes by compare-and-swap on the
store's version; ``nonce`` names the swap that wrote it, so that a swap whose reply was lost can be recognised.
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, FrozenSet, Mapping, NamedTuple, Optional, Tuple

from ...ground import form
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

    @property
    def reign(self) -> str:
        """The sentence about who is active."""
        return f"{self.active or 'nobody'} is active in epoch {self.epoch.number}"

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
    def from_json(cls, raw: Any) -> "Record":
        """Read a record, from a store or a link; raise ValueError when it is not one."""
        data = form.members(raw)
        values = {name: form.take(data, name, reader) for name, reader in _FIELDS.items() if name in data}
        missing = [name for name in NEEDED if name not in data]
        if missing:
            raise ValueError(f"a record without {missing[0]}")
        if not data.get("paused", False):  # a version that does not know who paused passes it on, over the end of the pause, too
            values.update(paused_by="", paused_at=0)
        members = {_member(item): item for item in form.items(data["in_sync"], MOST_MEMBERS)}
        if len({member.node for member in members}) != len(data["in_sync"]):
            raise ValueError("in_sync names a node twice")
        known = cls.__dataclass_fields__.keys() - {"extra", "member_extra"}
        more = {member: form.extra(item, Member._fields) for member, item in members.items()}
        return cls(
            **values,
            in_sync=tuple(members),
            extra=form.extra(data, known),
            member_extra={member: found for member, found in more.items() if found},
        )


NEEDED = ("cluster_id", "epoch", "active", "in_sync", "floor", "mode", "min_in_sync", "nonce")
MOST_MEMBERS = 1_000


def _member(raw: Any) -> Member:
    data = form.members(raw)
    return Member(form.take(data, "node", form.node_id), form.take(data, "incarnation", form.incarnation))


def _node(raw: Any) -> str:
    return "" if raw == "" else form.node_id(raw)


_FIELDS: Dict[str, form.Reader] = {
    "cluster_id": form.name,
    "epoch": Epoch.read,
    "active": _node,
    "floor": form.number,
    "mode": form.mark,
    "min_in_sync": form.number,
    "nonce": form.mark,
    "holder": _node,
    "active_url": form.text,
    "forced": lambda raw: form.number(raw, 0, form.MOST_EPOCH),
    "paused": form.flag,
    "reason": form.text,
    "floor_epoch": Epoch.read,
    "forced_id": form.mark,
    "paused_by": form.text,
    "paused_at": form.number,
}


def manual_version(epoch: Epoch, count: int) -> int:
    """Return the version of a record that travels with the data: a newer epoch outweighs any number of swaps."""
    return epoch.number * FIRST_MANUAL + count


NO_RECORD = Record("", NO_EPOCH, "", ())
