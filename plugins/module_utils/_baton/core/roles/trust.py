# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node believes of what others say: a peer is not believed, the record is. Pure.

Who is active, and in which epoch, is read from the record before anything is promised, taken or cut. What comes of a later
epoch than we know of waits here for a moment, and has the shared store read at once; it is played on when the record says the
same, and dropped when it does not. Where the record travels with the data (``manual``) there is no store to ask: a record
is taken from the nodes of the cluster only, and only as far ahead as a cluster gets.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, List, Set, Tuple, Union

from ..commands import ReadRecord
from ..model.log import Epoch
from ..model.messages import Append, Refuse, UseSnapshot
from ..model.record import FIRST_MANUAL, Record
from ..replication.swaps import REPEAT_AFTER
from .standing import Standing

Waiting = Union[Append, UseSnapshot, Refuse]
MOST_HELD = 64
MOST_HELD_SIZE = 8 << 20  # characters of entries: what a new active sends before it hears of us
HOLD_SECONDS = 1.0  # an active says again what was lost
ASK_EVERY = 0.05  # seconds between two questions to the store, whatever is claimed
MOST_AHEAD = 1_000  # epochs of which a record may tell that nobody has heard of: a number that is used up can't be given back


class Trust:
    """The doubts of one node."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self._held: Deque[Tuple[str, Waiting, float]] = deque()
        self._size = 0
        self._asked: Tuple[Any, float] = (None, float("-inf"))  # because of what, and when
        self._noted = ""

    # --- who is active ------------------------------------------------------------------------------------------------

    def is_active(self, node: str, epoch: Epoch) -> bool:
        """Whether the record names ``node`` as active in ``epoch``."""
        record = self.standing.record
        return record.active == node and record.epoch == epoch

    def is_stale(self, epoch: Epoch) -> bool:
        """Whether an epoch is over by the record that we know, or of another history."""
        ours = self.standing.record.epoch
        return epoch.number < ours.number or (epoch.number == ours.number and epoch != ours)

    def knows(self, node: str) -> bool:
        """Whether ``node`` is a node of our cluster, as far as we know."""
        return node in self._nodes()

    def _nodes(self) -> Set[str]:
        here = self.standing
        return {*here.record.nodes(), here.record.holder, *here.members(), here.config.node}

    # --- what waits for the record ------------------------------------------------------------------------------------

    def hold(self, node: str, message: Waiting, now: float) -> None:
        """Keep what may be the word of an active that we have not heard of, and ask."""
        size = _size(message)
        if len(self._held) < MOST_HELD and self._size + size <= MOST_HELD_SIZE:
            self._held.append((node, message, now))
            self._size += size
        self.ask(_claim(node, message), now)

    def ask(self, why: Any, now: float) -> None:
        """Have the shared store read, because of ``why``: at once, but not for each frame that claims something."""
        asked, at = self._asked
        if self.standing.config.shared and now - at > (REPEAT_AFTER if asked == why else ASK_EVERY):
            self._asked = (why, now)
            self.standing.out.append(ReadRecord())

    def confirmed(self, now: float) -> List[Tuple[str, Waiting]]:
        """Return what the record has confirmed, in the order in which it came: it waits no longer."""
        if not self._held:
            return []
        held, self._held, self._size = self._held, deque(), 0
        confirmed: List[Tuple[str, Waiting]] = []
        for node, message, since in held:
            if self._is_confirmed(node, message):
                confirmed.append((node, message))
            elif now - since <= HOLD_SECONDS and not self._is_refuted(message):
                self._held.append((node, message, since))
                self._size += _size(message)
        return confirmed

    def ask_again(self, now: float) -> None:
        """Ask for as long as something waits."""
        if self._held:
            self.ask(_claim(*self._held[0][:2]), now)

    def _is_confirmed(self, node: str, message: Waiting) -> bool:
        if self.standing.role != "passive" or self.standing.installing:
            return False
        if isinstance(message, Refuse):
            return node == self.standing.record.active
        return self.is_active(node, message.epoch)

    def _is_refuted(self, message: Waiting) -> bool:
        if self.standing.leading is not None:
            return True
        return not isinstance(message, Refuse) and self.is_stale(message.epoch)

    # --- records that travel with the data -----------------------------------------------------------------------------

    def takes(self, node: str, version: int, record: Record) -> bool:
        """Whether a record that ``node`` tells of may become ours, where there is no store to ask; what can't is said once."""
        ours = self.standing.record
        why = self._why_not(node, version, record) if ours.cluster_id else ""
        if why and why != self._noted:
            self._noted = why
            self.standing.state.note("error", f"{node} tells of epoch {record.epoch.number}, which is not believed: {why}")
        return not why

    def _why_not(self, node: str, version: int, record: Record) -> str:
        ours = self.standing.record
        if not self.knows(node):
            return (
                f"{node} is no node of this cluster as far as this one knows; if it is, have one that both know tell of it, or "
                "give this node an empty data directory"
            )
        if version // FIRST_MANUAL != record.epoch.number or record.active not in {*record.nodes(), ""}:
            return "the record contradicts itself"
        if record.epoch.number > ours.epoch.number + MOST_AHEAD:
            return f"this node knows of {ours.epoch.number}; if that is so long ago, give it an empty data directory"
        if record.epoch == ours.epoch and (self.standing.leading is not None or record.active not in (ours.active, "")):
            return f"within an epoch only {ours.active or ours.holder} changes the record"
        return ""


def _size(message: Waiting) -> int:
    return sum(len(entry.text) for entry in message.entries) if isinstance(message, Append) else 0


def _claim(node: str, message: Waiting) -> Any:
    return (node, getattr(message, "epoch", None))
