# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients of a set of servers were told, and what follows from it: gaps, lost rows, and two servers that took writes at once. Pure.

All times are of one clock. A write was taken at some moment between ``sent`` and ``received``, and nothing else is assumed of it.
"""

from __future__ import annotations

from typing import Iterable, List, NamedTuple, Sequence, Set, Union

Server = Union[int, str]  # as it calls itself


class Ack(NamedTuple):
    """A commit that returned."""

    sent: float
    received: float
    server: Server
    row: int


class Reign(NamedTuple):
    """A server's writes in a row; ``first`` and ``last`` are when their first and last answer came."""

    server: Server
    first: float
    last: float


def gap(acks: Iterable[Ack], began: float, ended: float) -> float:
    """Return the longest time without an answered write."""
    times = [began, *sorted(ack.received for ack in acks if began < ack.received < ended), ended]
    return max(later - earlier for earlier, later in zip(times, times[1:]))


def elsewhere(acks: Iterable[Ack], began: float, old: Server) -> "float | None":
    """Return after how many seconds another server than the old one took a write; None if none did."""
    return min((ack.received - began for ack in acks if ack.sent >= began and ack.server != old), default=None)


def reigns(acks: Iterable[Ack], old: Server, began: float) -> List[Reign]:
    """Return who took writes, one after the other; at first the old source did.

    What an old source answers late proves nothing if it was sent before the new one's first answer came: it may have been done before.
    """
    found = [Reign(old, began, began)]
    for ack in sorted(acks, key=lambda ack: ack.received):
        if ack.server == found[-1].server:
            found[-1] = found[-1]._replace(last=ack.received)
        elif ack.sent > found[-1].first:
            found.append(Reign(ack.server, ack.received, ack.received))
    return found


def overlap(acks: Iterable[Ack], changes: int, old: Server, began: float) -> float:
    """Return for how many seconds an older source took writes after a newer one did.

    ``old`` was the source when all ``began``; so often was the source meant to change since.
    """
    found = reigns(acks, old, began)
    if len(found) - 1 <= changes:
        return 0.0
    back = [
        again.last - found[number + 1].first
        for number, reign in enumerate(found[:-2])
        for again in found[number + 2 :]
        if again.server == reign.server
    ]
    return max(back, default=found[-1].last - found[changes + 1].first)


def lost(acks: Iterable[Ack], rows: Set[int]) -> List[Ack]:
    """Return the acknowledged writes that are not there."""
    return [ack for ack in acks if ack.row not in rows]


def since(acks: Sequence[Ack], began: float) -> List[Ack]:
    """Return what was answered since a moment. Each client's answers stand in order, all together nearly so."""
    return [ack for ack in acks if ack.received >= began]
