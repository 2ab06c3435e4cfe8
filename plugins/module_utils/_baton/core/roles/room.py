# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node's disk has room for changes, and what is said of it before a failover needs it. Pure.

What is full is said at once, that there is room again when it has stood for a while: room that comes and goes would pull
the role along. What follows for the role stands in able.py.
"""

from __future__ import annotations

from typing import List, Optional

from ..model.messages import Hello
from ..model.timing import NEVER
from .election import may_ever_lead
from .standing import Standing

STEADY = 1.0  # seconds for which there must be room again before that is said
FORGET = 600.0  # a disk that fills again within so long waits for twice as long, and never for longer than this
FULL = "its disk is full"
WAS_FULL = "its disk was full a short while ago"
OURS = "the disk with this node's data is full: make room; what is left is for its own writes, and it ends when that is used up"


class Room:
    """What one node knows of it; why it would refuse changes as the active, as the others are told, is in ``standing.full``."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self._since = NEVER  # of the room that there is
        self._said = NEVER  # when it was said last that there is room again
        self._steady = STEADY

    @property
    def low(self) -> bool:
        """Whether changes are refused here at this moment."""
        return self.standing.state.disk_low

    def take(self, low: bool, now: float) -> bool:
        """The disk is full, or has room; return whether that is news for the others."""
        here, before = self.standing, self.low
        here.state.disk_low = low
        if low == before:
            return False
        if not low:
            self._since, here.full = now, WAS_FULL
            return True
        if not here.full:
            self._steady = min(2 * self._steady, FORGET) if now - self._said < FORGET else STEADY
            here.state.note("warning", would_refuse(here.config.node, FULL))
        here.full = FULL
        return True

    def tend(self, now: float) -> bool:
        """Return whether there is room for long enough now."""
        here = self.standing
        if not here.full or self.low or now - self._since < self._steady:
            return False
        here.full, self._said = "", now
        here.state.note("info", _takes(here.config.node))
        return True

    def heard(self, before: Optional[Hello], hello: Hello) -> None:
        """Another has said how it is: note what is new."""
        was = before.full if before is not None else ""
        if hello.full and not was:
            self.standing.state.note("warning", would_refuse(hello.node, hello.full))
        elif was and not hello.full:
            self.standing.state.note("info", _takes(hello.node))

    def others(self) -> List[str]:
        """Return who has no room, is there, and may have to be active: who only keeps a copy takes no changes."""
        here = self.standing
        full = ((name, hello) for name, hello in here.peers.items() if hello.full and name in here.linked)
        return sorted(name for name, hello in full if may_ever_lead(hello) or name == here.record.active)


def would_refuse(node: str, full: str) -> str:
    """Return the sentence about a node that has no room for changes."""
    return f"{node} would refuse changes: {full}"


def _takes(node: str) -> str:
    return f"{node} has room for changes again"
