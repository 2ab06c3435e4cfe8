# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""For which sets a server of this host takes writes: while its guest has claimed the term, and its lease stands. Pure.

The lease's time counts from when its renewal was sent, so that it is over here before it is over for the cluster. Whoever carries the
commands out has until then to close a server, and kills it if that takes longer; a guard of its own does, should the guest be frozen.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, NamedTuple, Union

from ..model.channel import Channel, Grant

NEVER = float("-inf")
UNKNOWN = 0  # a term that none is


class Claim(NamedTuple):
    """Write that the term is ours, tied to our lease, where the grant still stands and no end of this term is left."""

    set: str
    term: int


class Open(NamedTuple):
    """Have the server take writes, and wait for acknowledgements of those that the grant counts alone; then say
    ``opened``.
    """

    set: str
    grant: Grant


class Close(NamedTuple):
    """Have the server take no writes, end its clients' connections; then say ``closed``."""

    set: str


class End(NamedTuple):
    """Write that the term is over here, with how far the server came, and take our claim away."""

    set: str
    term: int


Command = Union[Claim, Open, Close, End]


@dataclass
class _Tenure:
    term: int
    grant: Grant
    open_by: Grant = Grant(0)  # what the server was told last
    quiet: bool = False  # it was told to take no writes, for a while
    closing: bool = False
    closed: bool = False


class Tenures:
    """All of one guest. ``spare``: seconds before the lease's end in which a server is closed.

    ``found``: sets of which there is a server already when the guest starts: it may take writes by a claim of a life before this one,
    and is closed unless that claim stands still.
    """

    def __init__(self, spare: float, found: Iterable[str] = ()) -> None:
        self.until = NEVER  # on this host's clock
        self._spare = spare
        self._held: Dict[str, _Tenure] = {key: _Tenure(UNKNOWN, Grant(UNKNOWN)) for key in found}

    def stands(self, now: float) -> bool:
        return now < self.until - self._spare

    def renewed(self, sent: float, ttl: float) -> None:
        """The cluster has answered a renewal that was sent at ``sent``."""
        self.until = max(self.until, sent + ttl)

    def tick(self, now: float) -> List[Command]:
        """Close what must be closed, whoever is silent."""
        return [] if self.stands(now) else [command for key in sorted(self._held) for command in self._close(key)]

    def seen(self, channel: Channel, now: float) -> List[Command]:
        """Take note of what stands between the manager and us."""
        out: List[Command] = self.tick(now)
        if not self.stands(now):
            return out
        for key in sorted({*channel.grants, *channel.claims, *self._held}):
            out += self._settle(key, channel)
        return out

    def _settle(self, key: str, channel: Channel) -> List[Command]:
        grant, claim, held = channel.grants.get(key), channel.claims.get(key), self._held.get(key)
        if held is not None and held.closing:
            return [] if not held.closed else self._after_closing(key, held, channel)
        if held is not None and held.term == UNKNOWN and grant is not None and claim == grant.term:
            held = self._held[key] = _Tenure(grant.term, grant)
        if held is not None and (grant is None or grant.term != held.term):
            return self._close(key)
        if grant is None:
            self._held[key] = _Tenure(claim or UNKNOWN, Grant(claim or UNKNOWN))
            return self._close(key)
        if claim != grant.term:
            if held is not None:  # our claim went with a lease that was taken from us
                return self._close(key)
            return [Claim(key, grant.term)]
        if held is None:
            held = self._held[key] = _Tenure(grant.term, grant)
        held.grant = grant
        return [Open(key, grant)] if held.open_by != grant and not held.quiet else []

    def _after_closing(self, key: str, held: _Tenure, channel: Channel) -> List[Command]:
        """Where the grant stands we may claim it anew; else the manager waits for our word."""
        grant, end = channel.grants.get(key), channel.ends.get(key)
        if held.term == UNKNOWN:  # a claim that is left is found again, and ended
            del self._held[key]
            return []
        if grant is not None and grant.term == held.term or end is not None and end.term >= held.term and key not in channel.claims:
            del self._held[key]
            return []
        return [End(key, held.term)]

    def _close(self, key: str) -> List[Command]:
        held = self._held[key]
        if held.closing:
            return []
        held.closing = True
        return [Close(key)]

    def quiesce(self, key: str, quiet: bool) -> None:
        """A server is about to take no writes although it may, or to be opened again."""
        if key in self._held:
            self._held[key].quiet, self._held[key].open_by = quiet, Grant(UNKNOWN)

    def opened(self, key: str, grant: Grant) -> None:
        """A server has been told by whom it takes writes; until then it is to be, again and again."""
        if key in self._held:
            self._held[key].open_by = grant

    def closed(self, key: str) -> None:
        """A server takes no writes any more."""
        if key in self._held:
            self._held[key].closed = True

    def died(self, key: str) -> None:
        """A server has ended by itself, and is read-only when it is started again; where the grant stands we claim it anew."""
        if key in self._held:
            self._held[key].closing = self._held[key].closed = True

    def holds(self, key: str) -> bool:
        """Return whether a server may take writes until ``until``: what its guard is to be told."""
        held = self._held.get(key)
        return held is not None and held.term != UNKNOWN and not held.closing

    def may_open(self, key: str, grant: Grant, now: float) -> bool:
        """Return whether to open a server is right still: looked at in the same moment in which it is done."""
        held = self._held.get(key)
        return self.stands(now) and held is not None and not held.closing and not held.quiet and held.grant == grant
