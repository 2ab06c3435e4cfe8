# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster record: the only thing that the DCS holds. Pure.

Who is active in which epoch, and which disks hold every acknowledged write. It changes by compare-and-swap on the
store's version; ``nonce`` names the swap that wrote it, so that a swap whose reply was lost can be recognised.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, FrozenSet, NamedTuple, Optional, Tuple

from .log import NO_EPOCH, Epoch


class Member(NamedTuple):
    """A disk: a node and the id of its data directory."""

    node: str
    incarnation: str


@dataclass(frozen=True)
class Record:
    """``active`` is "" after an operator made the active passive without a successor; ``holder`` then is who gave up.

    ``floor``: a committed seq below which nobody is promoted. ``forced``: the number of the last epoch that began with
    a force (0: none); entries of older epochs are then never discarded without a person's word. ``paused``: nobody is
    promoted by itself. ``reason``: why this epoch began.
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

    def to_json(self) -> Dict[str, Any]:
        return {
            "cluster_id": self.cluster_id,
            "epoch": list(self.epoch),
            "active": self.active,
            "in_sync": [{"node": m.node, "incarnation": m.incarnation} for m in self.in_sync],
            "floor": self.floor,
            "mode": self.mode,
            "min_in_sync": self.min_in_sync,
            "nonce": self.nonce,
            "holder": self.holder,
            "active_url": self.active_url,
            "forced": self.forced,
            "paused": self.paused,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, data: Dict[str, Any]) -> "Record":
        """Read a record; raise ValueError, TypeError or KeyError when it is not one."""
        return cls(
            cluster_id=str(data["cluster_id"]),
            epoch=Epoch(int(data["epoch"][0]), str(data["epoch"][1])),
            active=str(data["active"]),
            in_sync=tuple(Member(str(m["node"]), str(m["incarnation"])) for m in data["in_sync"]),
            floor=int(data["floor"]),
            mode=str(data["mode"]),
            min_in_sync=int(data["min_in_sync"]),
            nonce=str(data["nonce"]),
            holder=str(data.get("holder", "")),
            active_url=str(data.get("active_url", "")),
            forced=int(data.get("forced", 0)),
            paused=bool(data.get("paused", False)),
            reason=str(data.get("reason", "")),
        )


def manual_version(epoch: Epoch, count: int) -> int:
    """Return the version of a record that travels with the data: a newer epoch outweighs any number of swaps."""
    return epoch.number * (1 << 32) + count


NO_RECORD = Record("", NO_EPOCH, "", ())
