# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One swap of the cluster record at a time, with an end that is known (rule M1). Pure.

A swap whose reply was lost is *unknown*: it is repeated, identical, until it answers or a linearizable read shows our
nonce (it happened) or another version (it did not). Versions are compared, never values.
"""
from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import List, Optional, Tuple

from ..commands import Command, ReadRecord, Swap
from ..model.record import Record

REPEAT_AFTER = 0.3  # seconds; the DCS client gives up after as long


class Purpose(str, Enum):
    """What a swap is for."""

    CREATE = "create"  # a cluster
    START = "start"  # the next epoch of an active that was restarted (M2)
    PROMOTE = "promote"  # a passive, by itself or by an order (M3)
    GRANT = "grant"  # the role that was given up, to who asks for it
    GROW = "grow"  # the in-sync set
    SHRINK = "shrink"
    TOUCH = "touch"  # nothing but the version, so that a swap from before can't happen any more
    SWITCH = "switch"  # the role goes to another
    VACATE = "vacate"  # the role goes to nobody
    PAUSE = "pause"  # begins or ends


# When the store refuses one of these it is called off; others are tried until it takes them.
CALLED_OFF = (Purpose.SWITCH, Purpose.VACATE, Purpose.PAUSE, Purpose.PROMOTE)
BEGINS = (Purpose.CREATE, Purpose.START, Purpose.PROMOTE)  # a reign of the node that sent it


@dataclass(frozen=True)
class Settled:
    """How a swap ended. When it failed, ``record`` and ``version`` are what stands there instead, as far as known.

    ``refused``: why the store took it from nobody; nothing has changed, and nothing will.
    """

    done: bool
    purpose: Purpose
    node: str
    version: int
    record: Optional[Record]
    refused: str = ""


class PendingSwap:
    """A swap that was sent and is not settled."""

    def __init__(self, purpose: Purpose, node: str, swap: Swap, now: float) -> None:
        self.purpose = purpose
        self.node = node
        self.swap = swap
        self.sent_at = now
        self._refused = False
        self._copies = 1  # that were sent
        self._not_taken = 0  # of which the store has said that it did not take them

    @property
    def record(self) -> Record:
        return self.swap.record

    def answer(self, nonce: str, done: Optional[bool], version: int, refused: str = "") -> Tuple[List[Command], Optional[Settled]]:
        """Take a reply. Unknown or refused means: read first, since an earlier copy of this swap may have been the one."""
        if nonce != self.record.nonce:
            return [], None
        self._not_taken += bool(refused)
        if self._not_taken == self._copies and self.purpose in CALLED_OFF:
            return [], Settled(False, self.purpose, self.node, -1, None, refused)
        if done:
            return [], Settled(True, self.purpose, self.node, version, self.record)
        self._refused = self._refused or done is False
        return [ReadRecord()], None

    def read(self, version: int, record: Optional[Record]) -> Optional[Settled]:
        """Take a linearizable read, or a watch event. One older than what we swapped from was overtaken and says nothing."""
        if record is not None and record.nonce == self.record.nonce:
            return Settled(True, self.purpose, self.node, version, self.record)
        if version > self.swap.expected:
            return Settled(False, self.purpose, self.node, version, record)
        return None

    def tick(self, now: float) -> List[Command]:
        """Repeat what has not been settled."""
        if now - self.sent_at < REPEAT_AFTER:
            return []
        self.sent_at = now
        self._copies += 1
        return [self.swap, ReadRecord()]
