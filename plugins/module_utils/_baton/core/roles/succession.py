# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""To whom an active can hand its role at this moment, and why not. Pure.

Asked by a person's switch, by an active that would serve worse than another, and for a driver that does not run.
"""

from __future__ import annotations

from typing import Any, Iterable

from ...ground.problem import Problem
from ..drivers.driver import why_kept
from ..drivers.drivers import Drivers
from ..replication.leading import Leading
from .cut_off import CutOff, could_not
from .election import best, may_ever_lead
from .room import would_refuse
from .standing import Standing


def refused(code: str, detail: str, **extra: Any) -> Problem:
    """Return the problem with which an order is refused: nothing was changed (I7)."""
    return Problem(409, code, detail, **extra)


def cannot_hold(node: str, unable: str) -> str:
    """Return the sentence about a node on which the VIP would not work."""
    return f"{node} can't hold the VIP: {unable}"


def names_of(nodes: Iterable[str]) -> str:
    return ", ".join(sorted(nodes)) or "none"


class Succession:
    """The questions of one node that is active, or is asked as if it were."""

    def __init__(self, standing: Standing, drivers: Drivers, cut_off: CutOff) -> None:
        self.standing = standing
        self.drivers = drivers
        self.cut_off = cut_off

    def leading(self) -> Leading:
        """Return the reign; raise Problem without one."""
        here = self.standing
        if here.leading is None:
            raise refused("not_active", f"{here.config.node} is not active; ask {here.record.active or 'the active'}")
        return here.leading

    def successor(self, node: str = "", *, now: float, unfit: bool = False) -> str:
        """Return ``node``, or who is best, when the role can be handed to it at this moment; raise Problem when not.

        ``unfit``: also to a node on which the VIP would not work, or whose disk is full.
        """
        leading = self.leading()
        self.check_free()
        self.standing.dcs.check()
        to = node or self._best(leading, now)
        self._check_candidate(to, leading, unfit)
        kept_out = self.cut_off.why_not(to, now)
        if kept_out:  # it may know sooner than we do that the store refuses; and where it alone is cut off, its reign would stand still
            raise refused("cut_off", f"{could_not(to, kept_out)}; choose another; nothing was changed")
        self.check_drivers(now)
        return to

    def check_free(self) -> None:
        """Raise Problem while the record can't be changed by an order: another change is under way, or the store is doubtful."""
        leading = self.standing.leading
        if leading is not None and self.standing.doubt.stands:
            raise refused("store_doubtful", leading.trouble or "the store has just shown an older record; try again in a moment")
        if leading is not None and (leading.handover is not None or leading.swap is not None or not leading.started):
            raise refused("busy", "a change of the cluster is under way; look at the status and try again")

    def check_drivers(self, now: float) -> None:
        """Raise Problem while drivers of whoever was active before may run: the role can't be given away, so VIP and service are kept."""
        left = self.drivers.free_at - now
        if left > 0:
            why = f"drivers of the reign before may run for {left:.1f} s more; until then the role can't be handed on: try again"
            raise refused("too_early", why, seconds=round(left, 3))
        for driver in self.drivers.can_not_stop():
            raise refused("driver_stuck", f"{why_kept(driver)}; until then the role can't be handed on")

    def _best(self, leading: Leading, now: float) -> str:
        """Return who is best of those whom the store lets take over, or of all where it lets none."""
        positions = {name: follower.matched for name, follower in leading.followers.by_node.items()}
        let = {name: hello for name, hello in self.standing.peers.items() if not self.cut_off.why_not(name, now)}
        return best(leading.record, positions, let) or best(leading.record, positions, self.standing.peers)

    def _check_candidate(self, to: str, leading: Leading, unfit: bool) -> None:
        """Raise Problem unless ``to`` may take over at this moment."""
        candidates = leading.record.nodes() - {self.standing.config.node}
        if not to:
            raise refused("nobody_in_sync", "no passive is in sync that may become active; nothing was changed")
        if to not in candidates:
            raise refused("not_in_sync", f"{to} is not in sync; in sync are: {names_of(candidates)}")
        hello = self.standing.peers.get(to)
        if hello is not None and not may_ever_lead(hello):
            raise refused("no_failover", f"{to} is set never to be active (--no-failover); choose another")
        if hello is not None and hello.unable and not unfit:
            raise refused("unable", f"{cannot_hold(to, hello.unable)}; repair that, or choose another; nothing was changed")
        if hello is not None and hello.full and not unfit:
            raise refused("unable", f"{would_refuse(to, hello.full)}; make room there, or choose another; nothing was changed")
