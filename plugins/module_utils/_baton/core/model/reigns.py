# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of reigns: which epoch wrote from which entry on, and so whether a position lies on this history. Pure.

The log is cut now and then, the history is not: every reign's first entry is kept in its ``history`` document. So a disk
that comes back can be told from one that went its own way (after a force), however long ago that was.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ...ground import form
from .log import Epoch, Log, Position

MOST_REIGNS = 10_000  # that another node may tell of; some 200 are kept


class Reign(NamedTuple):
    """``first``: the seq of the reign's first entry."""

    epoch: Epoch
    first: int


class Reigns:
    """The reigns of one history, oldest first. Those before the first one are forgotten."""

    def __init__(self, reigns: Iterable[Reign] = ()) -> None:
        self._reigns = tuple(sorted(reigns, key=lambda reign: reign.first))

    def __bool__(self) -> bool:
        return bool(self._reigns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reigns) and self._reigns == other._reigns

    def __hash__(self) -> int:
        return hash(self._reigns)

    @classmethod
    def of(cls, history: Iterable[Tuple[Dict[str, Any], str]]) -> "Reigns":
        """Read them from the values of history documents and their revisions.

        Older versions kept no ``First``: the entry that wrote the document is not far behind it.
        """
        return cls(
            Reign(Epoch(int(value["Epoch"]), str(value["Id"])), int(value.get("First", revision.partition(".")[2])))
            for value, revision in history
        )

    def to_json(self) -> List[List[Any]]:
        return [[reign.epoch.number, reign.epoch.id, reign.first] for reign in self._reigns]

    @classmethod
    def from_json(cls, raw: Any) -> "Reigns":
        """Raise ValueError when it is not a history."""
        triples = [form.fixed(item, 3) for item in form.items(raw, MOST_REIGNS)]
        return cls(Reign(Epoch.read((number, name)), form.number(first)) for number, name, first in triples)

    def holds(self, place: Position) -> Optional[bool]:
        """Return whether ``place`` is on this history; None where its epoch is older than all that is kept of it."""
        if place.seq == 0:
            return True
        for index, reign in enumerate(self._reigns):
            if reign.epoch == place.epoch:
                after = self._reigns[index + 1 : index + 2]
                return not (after and after[0].first <= place.seq)
        oldest = self._reigns[0] if self._reigns else None
        forgotten = oldest is None or (place.epoch.number < oldest.epoch.number and place.seq < oldest.first)
        return None if forgotten else False

    def knows(self, epoch: Epoch) -> bool:
        return any(reign.epoch == epoch for reign in self._reigns)

    def fork(self, log: Log) -> int:
        """Return the seq after which ``log`` leaves this history: where that log begins, if it left before that."""
        seq = log.end.seq
        while seq > log.start.seq:
            place = log.position(seq)
            if place is not None and self.holds(place):
                break
            seq -= 1
        return seq


NO_REIGNS = Reigns()


def strays(reigns: Reigns, applied: Position, end: Position, forced: Epoch, shared: bool, theirs: Optional[Epoch]) -> bool:
    """Return whether a disk may hold acknowledged entries that are not on the history ``reigns``.

    What a disk has applied was committed; what it has beyond may have been acknowledged by a reign that a force left
    behind. ``forced``: the last epoch of this history that began with a force, ``theirs``: of that of the disk (None: an
    older version does not say); ``shared``: one store gave every epoch number once.
    """
    on_it = reigns.holds(applied)
    if on_it is False:
        return True
    if on_it is None and forced.number > applied.epoch.number:
        return True
    if reigns.holds(end):
        return False
    if end.epoch.number < forced.number:
        return True
    # The tail is of a reign that this history has, too, and that no force ended; or of one that committed nothing. But
    # where somebody was forced on the other side only, two nodes may have ruled with one number.
    unknown = not reigns.knows(end.epoch) and end.epoch != forced
    apart = end.epoch.number <= forced.number if shared else theirs != forced
    return unknown and end != applied and apart
