# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a passive may try to become active by itself: after a full grace of silence, or after a release notice. Pure.

Nothing here makes a promotion safe; the swap of the record does, and the fencing after it. This only decides when to try, so
that the best candidate tries first and nobody tries while the active may still serve.
"""
from __future__ import annotations

from typing import Dict, Mapping, NamedTuple, Optional, Tuple, Union

from ..model.config import NodeConfig
from ..model.log import NO_EPOCH, Epoch, Position
from ..model.messages import Hello
from ..model.record import Member, Record
from ..model.timing import NEVER

TURNS_FOR_FITTER = 3  # that a node leaves to each that would serve better: a slow clock there, a fast one here, and a swap


class Fitness(NamedTuple):
    """How well a node would serve; the larger one serves better. The VIP comes first: without it most clients read nothing, on a
    full disk they read."""

    holds_vip: bool
    has_room: bool


FIT = Fitness(True, True)


class Election:
    """One passive's patience. Times are seconds of the node's own clock."""

    def __init__(self, config: NodeConfig) -> None:
        self.config = config
        self.since = float("inf")  # a grace begins here at the earliest
        self._released: Tuple[Epoch, float] = (NO_EPOCH, NEVER)
        self._drivers_stopped = NO_EPOCH  # the reign of which that was said

    def restart(self, now: float) -> None:
        """Begin a full grace: the process started, a promotion failed, or another node became active."""
        self.since = now

    def release(self, node: str, epoch: Epoch, record: Record, now: float, drivers: bool = False) -> bool:
        """Take a release notice (M4): the reign ``epoch`` of ``node`` is over and its VIP is gone. False: not of this reign."""
        if node != record.active or epoch != record.epoch:
            return False
        if drivers:
            self._drivers_stopped = epoch
        if self._released[0] != epoch:
            self._released = (epoch, now)
        return True

    def released(self, record: Record) -> bool:
        """Whether the last reign ended with a release notice, so that nobody can hold the VIP any more."""
        return self._released[0] == record.epoch and record.epoch != NO_EPOCH

    def drivers_stopped(self, record: Record) -> bool:
        """Whether it was said of the last reign that nothing of its drivers runs any more."""
        return self._drivers_stopped == record.epoch and record.epoch != NO_EPOCH

    def due(self, record: Record, heard: float, rank: int, now: float) -> bool:
        """Whether to try now. ``heard``: when the record's active last spoke; ``rank``: how many turns others have before us."""
        turn = rank * self.config.timing.stagger
        if self.released(record):
            return now >= self._released[1] + turn
        return now - max(heard, self.since) > self.config.timing.grace + turn

    def rank(self, end: Position, record: Record, peers: Mapping[str, Hello], fit: Fitness) -> int:
        """Return how many turns to wait for in-sync passives that go before us: by fitness, length of the log, priority, name.

        ``fit``: our own.
        """
        mine = _merit(fit, end, self.config.priority)
        before = 0
        for member in record.in_sync:
            hello = _electable(member, record, peers)
            if hello is None or member.node == self.config.node:
                continue
            theirs = _merit(fit_of(hello), hello.end, hello.priority)
            first = theirs > mine or (theirs == mine and member.node < self.config.node)
            before += first * (TURNS_FOR_FITTER if fit_of(hello) > fit else 1)
        return before


def fitness(unable: str, full: str) -> Fitness:
    """Return how well a node would serve. ``unable``, ``full``: as in Hello."""
    return Fitness(not unable, not full)


def fit_of(hello: Hello) -> Fitness:
    """Return how well a node would serve, by what it said last."""
    return fitness(hello.unable, hello.full)


def _merit(fit: Fitness, end: Position, priority: int) -> Tuple[Fitness, int, int, int]:
    """Return what candidates are compared by.

    Fitness comes before the length of the log: every in-sync disk has all that was acknowledged, and what a longer log
    has beyond that was promised to nobody.
    """
    return (fit, end.epoch.number, end.seq, priority)


def may_ever_lead(node: Union[Hello, NodeConfig]) -> bool:
    """Whether a node may be active at all, however things stand: by what it said, or by our own options.

    All that chooses, offers, refuses or warns asks here, so that a further reason has one place.
    """
    return not node.no_failover


def _electable(member: Member, record: Record, peers: Mapping[str, Hello]) -> Optional[Hello]:
    hello = peers.get(member.node)
    if hello is None or hello.incarnation != member.incarnation or not may_ever_lead(hello) or member.node == record.active:
        return None
    return hello


def best(record: Record, positions: Mapping[str, int], peers: Mapping[str, Hello]) -> str:
    """Return who should take over in a planned switch, "" when nobody may: the fittest, then as in ``rank``."""
    merits: Dict[str, Tuple[Fitness, int, int]] = {}
    for member in record.in_sync:
        hello = _electable(member, record, peers)
        if hello is not None:
            merits[member.node] = (fit_of(hello), positions.get(member.node, -1), hello.priority)
    return max(sorted(merits), key=lambda name: merits[name], default="")
