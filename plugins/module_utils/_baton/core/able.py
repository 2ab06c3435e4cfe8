# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the VIP would work on a node, and what follows for the role: who can't hold it hands the role to who can. Pure.

The shell says what became of the VIP's interface (VipHealth), Hello tells the others. Elections and switches pass a node
over whose VIP would not work, as long as there is another; documents without a VIP are better than no documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, AbstractSet, Dict, List, Optional

from .dcs_health import Asked
from .election import NEVER, best
from .events import Event, VipHealth
from .messages import MOST_REASON, Hello
from .problem import Problem
from .swaps import REPEAT_AFTER

if TYPE_CHECKING:
    from .leading import Leading
    from .node import Node

PAUSE = 10.0  # seconds after a hand-over that was called off before the next one to the same node
SAY_AGAIN = 5.0  # seconds after which a node whose VIP does not work tells the others once more, and asks for their state


class Able:
    """What one node knows of it. ``unable``: why the VIP would not work here, "" when it would, or none is configured."""

    def __init__(self, node: "Node") -> None:
        self.node = node
        self.unable = ""
        self._said_at = NEVER
        self._store = Asked(node.out)  # there is a successor, and the store is asked whether it answers
        self._reign: Optional["Leading"] = None
        self._not_before: Dict[str, float] = {}  # node → until when nothing is handed to it: that came to nothing in this reign

    # --- what is known ----------------------------------------------------------------------------------------------------

    def take(self, event: Event, now: float) -> None:
        """The VIP's interface has changed: the others are to know before anything else happens to us."""
        if not isinstance(event, VipHealth):
            return
        unable = one_line(event.unable)
        if unable == self.unable:
            return
        self.unable = unable
        me = self.node.config.node
        if unable:
            self.node.state.note("warning", cannot_hold(me, unable))
        else:
            self.node.state.note("info", f"{me} can hold the VIP again")
        self._say(False, now)

    def _say(self, answer: bool, now: float) -> None:
        self._said_at = now
        self.node.hello_all(answer, now)

    def heard(self, before: Optional[Hello], hello: Hello) -> None:
        """Another has said how it is: note what is new."""
        if hello.unable == (before.unable if before is not None else ""):
            return
        if hello.unable:
            self.node.state.note("warning", cannot_hold(hello.node, hello.unable))
        else:
            self.node.state.note("info", f"{hello.node} can hold the VIP again")

    def why_not(self, name: str) -> str:
        """Return why the VIP would not work on a node, as far as it has said; ""."""
        if name == self.node.config.node:
            return self.unable
        hello = self.node.peers.get(name)
        return hello.unable if hello is not None else ""

    # --- handing the role over --------------------------------------------------------------------------------------------

    def tend(self, now: float) -> None:
        """Called after every event: begin to hand the role over as soon as the VIP can't be held here, and can elsewhere.

        The record is read first: a hand-over that is begun while the store is out would end the service (I6).
        """
        if not self.unable:
            return
        if now - self._said_at > SAY_AGAIN:
            self._say(True, now)
        leading = self.node.leading
        if leading is not self._reign:
            self._reign, self._not_before = leading, {}
        if leading is not None and leading.handover is not None:
            self._not_before[leading.handover.to] = now + PAUSE
        to = self._successor(leading, now) if leading is not None and self._may_begin(leading) else ""
        if leading is None or not to:
            self._store.forget()
        elif self._store.answered(leading.record_seen, now):
            self._store.forget()
            leading.hand_over(0, to, self.unable, now, store_answers=True)

    def _may_begin(self, leading: "Leading") -> bool:
        """Whether the role may move without a person's word."""
        return self.node.config.shared and not self.node.record.paused and not leading.over

    def _successor(self, leading: "Leading", now: float) -> str:
        """Return to whom the role can be handed at this moment, or ""."""
        tried = {name for name, until in self._not_before.items() if now < until}
        to = self._best(leading, now, tried)
        try:
            return self.node.orders.successor(to, now=now) if to else ""
        except Problem:
            return ""  # a change is under way, or drivers stop: what comes next begins it

    def _best(self, leading: "Leading", now: float, but: AbstractSet[str] = frozenset()) -> str:
        """Return who is in sync, there, and could hold the VIP; ""."""
        links, followers = self.node.links, leading.followers
        there = {f.node: f.matched for f in followers.by_node.values() if f.node in links and followers.fresh(f, now)}
        able = {name: hello for name, hello in self.node.peers.items() if name in there and not hello.unable and name not in but}
        return best(leading.record, there, able)

    # --- what people are told ---------------------------------------------------------------------------------------------

    def why_now(self, reason: str) -> str:
        """Return why this node becomes active, for the history: not without a word about its VIP."""
        if not self.unable:
            return reason
        return f"{reason}; nobody took over who can hold the VIP ({self.node.config.node}: {self.unable})"

    def electable(self, name: str) -> bool:
        """Whether an election may choose ``name`` as things stand: who is unable is passed over while another is able."""
        if not self._may_lead(name):
            return False
        others = self.node.record.nodes() - {name, self.node.record.active}
        return not self.why_not(name) or not any(self._may_lead(other) and not self.why_not(other) for other in others)

    def _may_lead(self, name: str) -> bool:
        node, hello = self.node, self.node.peers.get(name)
        never = node.config.no_failover if name == node.config.node else hello is not None and hello.no_failover
        return name in node.record.nodes() and not never

    def error(self, now: float) -> str:
        """Return which interfaces would not carry the VIP, here and elsewhere, and what to do about it, or ""."""
        node, texts = self.node, []
        me, leading = node.config.node, node.leading
        if self.unable and (leading is not None or not node.config.no_failover):
            told = cannot_hold(me, self.unable)
            texts.append(told if leading is None else f"{told}; {self._way_out(leading, now)}")
        others = self._unable_others()
        texts += [cannot_hold(name, node.peers[name].unable) for name in others]
        if leading is not None and not self.unable and others and not self._best(leading, now):
            texts.append(f"no passive could hold the VIP now: if {me} fails, the VIP fails with it")
        return "; ".join(texts)

    def _unable_others(self) -> List[str]:
        """Return who can't hold the VIP, is there, and may have to: who only keeps a copy needs none."""
        unable = ((name, hello) for name, hello in self.node.peers.items() if hello.unable and name in self.node.links)
        return sorted(name for name, hello in unable if not hello.no_failover or name == self.node.record.active)

    def _way_out(self, leading: "Leading", now: float) -> str:
        """Say what becomes of the role of an active that can't hold the VIP."""
        if leading.handover is not None and leading.handover.to:
            return f"the role moves to {leading.handover.to}"
        to = self._best(leading, now)
        if not to:
            return "no in-sync passive could either, so the role stays: repair it on one of them"
        order = f"`batonctl ha switch --to {to}`"
        if not self.node.config.shared:
            return f"{to} could: move the role with {order}"
        if self.node.record.paused:
            return f"{to} could, but nothing moves by itself while paused: {order}, or `batonctl ha resume`"
        if self.node.dcs.refuses:
            return f"{to} could, but the role can't move while the store of the cluster record takes no change"
        waits = self._store.since is not None and now - self._store.since > REPEAT_AFTER
        return f"the role moves to {to}" + (" as soon as the store of the cluster record answers" if waits else "")


def cannot_hold(node: str, unable: str) -> str:
    """Return the sentence about a node on which the VIP would not work."""
    return f"{node} can't hold the VIP: {unable}"


def one_line(text: str) -> str:
    """Return a text as others take it: one printable line."""
    return "".join(c if c.isprintable() else " " for c in text)[:MOST_REASON]
