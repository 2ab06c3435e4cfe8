# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a PostgreSQL server stands: its timeline, how far it has come on it, and where it left those before it.

As a position of the set (model/positions.py) each timeline is a domain: ``1-0-FORK,2-0-NOW``. So who went another way from a fork on is
behind on one of them and ahead on another, and neither contains the other.
"""

from __future__ import annotations

import re
from typing import List, NamedTuple, Tuple

from ..trouble import Trouble
from . import sql

BLOCK = 32  # timelines; a position names those of its block and of the one before, so that it stays within positions.MOST_GTIDS
_FORK = re.compile(r"\s*([0-9]+)\s+([0-9A-Fa-f]+/[0-9A-Fa-f]+)")
Forks = Tuple[Tuple[int, int], ...]


class Place(NamedTuple):
    """``system``: which database it is, from its making on; ``lsn``: up to where; ``forks``: earlier timelines, and where each was left."""

    system: str
    timeline: int
    lsn: int
    forks: Forks = ()

    @property
    def text(self) -> str:
        """A position of the set. The older of two that lie on both sides of a block's end is not contained in the newer one, and has to
        be told so by hand: never the other way round.
        """
        first = (self.timeline // BLOCK - 1) * BLOCK + 1
        named = [*((timeline, lsn) for timeline, lsn in self.forks if timeline >= first), (self.timeline, self.lsn)]
        return ",".join(f"{timeline}-0-{lsn}" for timeline, lsn in named)

    def at(self, lsn: int) -> "Place":
        return self._replace(lsn=lsn)

    def is_within(self, other: "Place") -> bool:
        """Return whether ``other`` came through here: it has all that is here, and nothing else at the same place."""
        if self.system != other.system or self.forks != other.forks[: len(self.forks)]:
            return False
        if self.timeline == other.timeline:
            return self.lsn <= other.lsn
        left = dict(other.forks).get(self.timeline)
        return left is not None and self.lsn <= left


def lsn_number(lsn: str) -> int:
    """Return an LSN, such as 0/16B3748, as a number: as a text 0/9 would be more than 0/10."""
    high, _slash, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def forks_in(history: str) -> Forks:
    """Read the history of a timeline, as it stands in its file."""
    found: List[Tuple[int, int]] = []
    for line in history.splitlines():
        match = _FORK.match(line)
        if match is not None:
            found.append((int(match[1]), lsn_number(match[2])))
    return tuple(found)


def place_of(session: sql.Session) -> Place:
    """Ask where a server stands, in a session that takes commands of replication: for a replica with what it has received."""
    (row,) = session.ask("IDENTIFY_SYSTEM")
    timeline = int(row["timeline"] or 0)
    forks: Forks = ()
    if timeline > 1:
        (history,) = session.ask(f"TIMELINE_HISTORY {timeline}")
        forks = forks_in(history["content"] or "")
        if not forks:
            raise Trouble(f"the history of timeline {timeline} says nothing")
    return Place(row["systemid"] or "", timeline, lsn_number(row["xlogpos"] or "0/0"), forks)
