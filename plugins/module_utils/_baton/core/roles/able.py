# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node would serve in full, and what follows for the role: who would not hands it to who would. Pure.

Two things are in the way: a VIP that would not work (VipHealth), and a disk that is full (DiskRoom, room.py). The shell says
what became of them, Hello tells the others. Elections and switches pass a node over that would serve worse than another, as
long as there is one; reads without a VIP, or without changes, are better than none.
"""

from __future__ import annotations

from typing import AbstractSet, Callable, Dict, List, Optional

from ...ground.problem import Problem
from ..events import DiskRoom, Event, VipHealth
from ..model.messages import Hello, one_line
from ..model.timing import NEVER
from ..replication.dcs_health import Asked
from ..replication.leading import Leading
from ..replication.swaps import REPEAT_AFTER
from .election import FIT, Fitness, best, fit_of, fitness, may_ever_lead
from .links import SAY_AGAIN, Links
from .room import FULL, OURS, Room, would_refuse
from .standing import Standing
from .succession import Succession, cannot_hold

PAUSE = 10.0  # seconds after a hand-over that was called off before the next one to the same node


class Able:
    """What one node knows of it, and begins."""

    def __init__(self, standing: Standing, links: Links, succession: Succession) -> None:
        self.standing = standing
        self.links = links
        self.succession = succession
        self.room = Room(standing)
        self._said_at = NEVER
        self._store = Asked(standing.out)  # there is a successor, and the store is asked whether it answers
        self._reign: Optional[Leading] = None
        self._not_before: Dict[str, float] = {}  # node → until when nothing is handed to it: that came to nothing in this reign

    # --- what is known ----------------------------------------------------------------------------------------------------

    @property
    def fit(self) -> Fitness:
        """How well this node would serve, as it has told the others."""
        return fitness(self.standing.unable, self.standing.full)

    @property
    def _serves(self) -> Fitness:
        """How well it serves at this moment."""
        return fitness(self.standing.unable, FULL if self.room.low else "")

    def take(self, event: Event, now: float) -> None:
        """The VIP's interface or the room on the disk has changed: the others are to know before anything else happens to us."""
        if isinstance(event, DiskRoom):
            news = self.room.take(event.low, now)
        else:
            news = isinstance(event, VipHealth) and self._take_vip(one_line(event.unable))
        if news:
            self._say(False, now)

    def _take_vip(self, unable: str) -> bool:
        here = self.standing
        if unable == here.unable:
            return False
        here.unable = unable
        if unable:
            here.state.note("warning", cannot_hold(here.config.node, unable))
        else:
            here.state.note("info", f"{here.config.node} can hold the VIP again")
        return True

    def _say(self, answer: bool, now: float) -> None:
        self._said_at = now
        self.links.hello_all(answer, now)

    def heard(self, before: Optional[Hello], hello: Hello) -> None:
        """Another has said how it is: note what is new."""
        self.room.heard(before, hello)
        if hello.unable == (before.unable if before is not None else ""):
            return
        if hello.unable:
            self.standing.state.note("warning", cannot_hold(hello.node, hello.unable))
        else:
            self.standing.state.note("info", f"{hello.node} can hold the VIP again")

    def why_not(self, name: str) -> str:
        """Return why the VIP would not work on a node, as far as it has said; ""."""
        if name == self.standing.config.node:
            return self.standing.unable
        hello = self.standing.peers.get(name)
        return hello.unable if hello is not None else ""

    def full(self, name: str) -> str:
        """Return why a node would refuse changes as the active, as far as it has said; ""."""
        if name == self.standing.config.node:
            return self.standing.full
        hello = self.standing.peers.get(name)
        return hello.full if hello is not None else ""

    # --- handing the role over --------------------------------------------------------------------------------------------

    def tend(self, now: float) -> None:
        """Called after every event: begin to hand the role over as soon as another would serve better.

        The record is read first: a hand-over that is begun while the store is out would end the service (I6).
        """
        if self.room.tend(now):
            self._say(False, now)
        leading = self.standing.leading
        if self.fit == FIT:
            self._forget(leading)
            return
        if now - self._said_at > SAY_AGAIN:
            self._say(True, now)
        if leading is not self._reign:
            self._reign, self._not_before = leading, {}
        if leading is not None and leading.handover is not None:
            self._not_before[leading.handover.to] = now + PAUSE
        to = self._successor(leading, now) if leading is not None and self._may_begin(leading) else ""
        if leading is None or not to:
            self._forget(leading)
        elif not self._store.answered(leading.store_proven, now):
            leading.moves = not self._waits(now)
        else:
            self._forget(leading)
            leading.hand_over(0, to, self._reason(to), now, store_answers=True)

    def _forget(self, leading: Optional[Leading]) -> None:
        """Nothing is to be handed over."""
        self._store.forget()
        if leading is not None:
            leading.moves = False

    def _waits(self, now: float) -> bool:
        """Whether the store does not answer."""
        return self._store.since is not None and now - self._store.since > REPEAT_AFTER

    def _reason(self, to: str) -> str:
        """Return why the role goes to another, for the history."""
        return self.standing.unable if self.standing.unable and not self.why_not(to) else FULL

    def _may_begin(self, leading: Leading) -> bool:
        """Whether the role may move without a person's word."""
        return self.standing.config.shared and not self.standing.record.paused and not leading.over

    def _successor(self, leading: Leading, now: float) -> str:
        """Return to whom the role can be handed at this moment, or ""."""
        tried = {name for name, until in self._not_before.items() if now < until}
        to = self._best(leading, now, self._serves_better, tried)
        try:
            return self.succession.successor(to, now=now, unfit=True) if to else ""
        except Problem:
            return ""  # a change is under way, or drivers stop: what comes next begins it

    def _best(self, leading: Leading, now: float, suits: Callable[[Fitness], bool], but: AbstractSet[str] = frozenset()) -> str:
        """Return who is in sync, there, let by the store, and so fit as ``suits``; ""."""
        links, followers = self.standing.linked, leading.followers
        there = {f.node: f.matched for f in followers.by_node.values() if f.node in links and followers.fresh(f, now)}
        out = {name for name in there if self.succession.cut_off.why_not(name, now)}
        known = {name: hello for name, hello in self.standing.peers.items() if name in there and name not in but | out}
        return best(leading.record, there, {name: hello for name, hello in known.items() if suits(fit_of(hello))})

    def _serves_better(self, fit: Fitness) -> bool:
        """Whether a node so fit would serve better than we do: the role only goes up, so it does not come back by itself."""
        return fit > self._serves

    # --- what people are told ---------------------------------------------------------------------------------------------

    def why_now(self, reason: str) -> str:
        """Return why this node becomes active, for the history: not without a word about its VIP, and its disk."""
        here, me = self.standing, self.standing.config.node
        if here.unable:
            reason = f"{reason}; nobody took over who can hold the VIP ({me}: {here.unable})"
        if here.full:
            reason = f"{reason}; nobody took over who has room for changes ({me}: {here.full})"
        return reason

    def electable(self, name: str) -> bool:
        """Whether an election may choose ``name`` as things stand: who would serve worse than another is passed over."""
        if not self._may_lead(name):
            return False
        others = self.standing.record.nodes() - {name, self.standing.record.active}
        return not any(self._may_lead(other) and self._fit_of(other) > self._fit_of(name) for other in others)

    def _fit_of(self, name: str) -> Fitness:
        return fitness(self.why_not(name), self.full(name))

    def _may_lead(self, name: str) -> bool:
        here, hello = self.standing, self.standing.peers.get(name)
        said = here.config if name == here.config.node else hello
        return name in here.record.nodes() and (said is None or may_ever_lead(said))

    def error(self, now: float) -> str:
        """Return which nodes would not serve in full, this one or others, why, and what to do about it, or ""."""
        return "; ".join([*self._vip_texts(now), *self._room_texts(now)])

    def _vip_texts(self, now: float) -> List[str]:
        here, texts = self.standing, []
        me, leading = here.config.node, here.leading
        if here.unable and (leading is not None or may_ever_lead(here.config)):
            told, nobody = cannot_hold(me, here.unable), "no in-sync passive could either, so the role stays: repair it on one of them"
            texts.append(told if leading is None else f"{told}; {self._way_out(leading, nobody, now)}")
        others = self._unable_others()
        texts += [cannot_hold(name, here.peers[name].unable) for name in others]
        if leading is not None and not here.unable and others and not self._best(leading, now, lambda fit: fit.holds_vip):
            texts.append(f"no passive could hold the VIP now: if {me} fails, the VIP fails with it")
        return texts

    def _room_texts(self, now: float) -> List[str]:
        here, room, texts = self.standing, self.room, []
        leading = here.leading
        if room.low:
            nobody = "no in-sync passive would serve better, so the role stays"
            texts.append(OURS if leading is None or here.unable else f"{OURS}; {self._way_out(leading, nobody, now)}")
        others = room.others()
        texts += [would_refuse(name, here.peers[name].full) for name in others]
        if leading is not None and not room.low and others and not self._best(leading, now, lambda fit: fit.has_room):
            texts.append(f"no passive would take changes now: if {here.config.node} fails, they are refused")
        return texts

    def _unable_others(self) -> List[str]:
        """Return who can't hold the VIP, is there, and may have to: who only keeps a copy needs none."""
        here = self.standing
        unable = ((name, hello) for name, hello in here.peers.items() if hello.unable and name in here.linked)
        return sorted(name for name, hello in unable if may_ever_lead(hello) or name == here.record.active)

    def _way_out(self, leading: Leading, nobody: str, now: float) -> str:
        """Say what becomes of the role of an active that does not serve in full. ``nobody``: what, if no other would either."""
        if leading.handover is not None and leading.handover.to:
            return f"the role moves to {leading.handover.to}"
        to = self._best(leading, now, self._serves_better)
        if not to:
            return nobody
        order = f"`batonctl ha switch --to {to}`"
        if not self.standing.config.shared:
            return f"{to} could: move the role with {order}"
        if self.standing.record.paused:
            return f"{to} could, but nothing moves by itself while paused: {order}, or `batonctl ha resume`"
        if self.standing.dcs.refuses:
            return f"{to} could, but the role can't move while the store of the cluster record takes no change"
        return f"the role moves to {to}" + (" as soon as the store of the cluster record answers" if self._waits(now) else "")
