# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's orders to a node: create, promote, give up, switch, remove. Pure.

An order either begins something that ends in a reply, or raises a Problem and changes nothing (I7).
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Dict, Optional

from ...ground.problem import Problem
from ..commands import Reply, Send
from ..drivers.trouble import how_to_end
from ..events import Operator
from ..model.documents import Change
from ..model.messages import TakeOver
from ..model.record import Member
from ..model.requests import Submit
from ..model.timing import NEVER
from ..replication.leading import Leading
from ..replication.swaps import Settled
from ..state.state import FORCED
from .able import cannot_hold
from .election import best
from .room import would_refuse

if TYPE_CHECKING:
    from ..node import Node

MOST_AHEAD = 1_000  # epochs that a force may skip because of what another node says
PATIENCE = 10.0  # seconds that the former active may take to hand over


@dataclass
class _Asked:
    id: int
    since: float
    lost: str = ""


def refused(code: str, detail: str, **extra: Any) -> Problem:
    return Problem(409, code, detail, **extra)


class Orders:
    """The orders that one node has taken and not answered."""

    def __init__(self, node: "Node") -> None:
        self.node = node
        self._promotion: Optional[_Asked] = None

    def take(self, order: Operator, now: float) -> None:
        """Begin an order; raise Problem when it is refused."""
        todo = {
            "create": self._create,
            "promote": self._promote,
            "give_up": self._give_up,
            "switch": self._switch,
            "unschedule": self._unschedule,
            "pause": self._pause,
            "resume": self._pause,
            "remove": self._remove,
            "readmit": self._readmit,
        }
        todo[order.order](order, now)

    # --- create ---------------------------------------------------------------------------------------------------------

    def _create(self, order: Operator, now: float) -> None:
        node = self.node
        if node.state.cluster_id:
            raise refused("cluster_exists", f"{node.config.node} already belongs to cluster {node.state.cluster_id}")
        others = sorted({hello.cluster_id for hello in node.peers.values() if hello.cluster_id})
        if others:
            raise refused("cluster_exists", f"cluster {others[0]} exists on a node that this one knows; it will join that")
        if node.role != "unjoined" or node.swap is not None:
            raise refused("not_ready", f"{node.config.node} is {node.role}; a cluster is created on an unjoined node")
        node.dcs.check()
        self._promotion = _Asked(order.id, now)
        node.create(order.text or node.names.nonce(), now)

    # --- promote --------------------------------------------------------------------------------------------------------

    def _promote(self, order: Operator, now: float) -> None:
        node = self.node
        if node.leading is not None:
            if not order.force or not node.leading.in_doubt:
                node.out.append(Reply(order.id, self._active_now()))
                return
            node.dcs.check()
            node.step_down("it is to begin anew from a store that was rolled back", now)
        node.dcs.check()
        rolled_back = order.force and node.believe_store()
        record = node.record
        if not record.cluster_id or node.trouble and not order.force:
            raise refused("not_ready", node.trouble or f"{node.config.node} has not joined a cluster; nothing to be active for")
        if node.swap is not None or self._promotion is not None or node.installing:
            raise refused("busy", "a change of the active or of the data is under way; look at the status and try again")
        if node.config.no_failover and not order.force:
            raise refused("no_failover", f"{node.config.node} is set never to be active (--no-failover); choose another, or use --force")
        if order.force:
            self._force(order, rolled_back, now)
        elif not record.active:
            self._take_vacant(order, now)
        elif node.config.shared and node.in_sync() and self._unheard_for_grace(now):
            self._check_floor()
            self._asked(order, now)
            node.promote(node.promoted(), "operator", now)
        else:
            raise self._refusal()

    def _refusal(self) -> Problem:
        node, record = self.node, self.node.record
        if record.active == node.config.node:
            missing = ", ".join(node.unheard()) or "the record"
            return refused("waiting", f"waiting for {missing}, since one of them may have been forced; --force goes on without")
        return refused(
            "active_exists",
            f"{record.active} is active in epoch {record.epoch.number}: move the role with `batonctl ha switch --to "
            f"{node.config.node}`; if {record.active} is gone for good, use --force",
            active=record.active,
        )

    def _unheard_for_grace(self, now: float) -> bool:
        timing = self.node.config.timing
        return now - self.node.following.heard > timing.grace and self.node.following.active == self.node.record.active

    def _take_vacant(self, order: Operator, now: float) -> None:
        node, record = self.node, self.node.record
        if not node.in_sync():
            raise refused("not_in_sync", f"{node.config.node} is not in sync; make one of {_names(record.nodes())} active")
        self._check_floor()
        self._asked(order, now)
        if node.config.shared or record.holder == node.config.node:
            node.promote(node.promoted(), "operator", now)
        else:
            node.out.append(Send(record.holder, TakeOver(node.config.node, node.state.incarnation)))

    def _check_floor(self) -> None:
        """Raise Problem where our disk was set back behind what was acknowledged."""
        node, floor = self.node, self.node.record.floor
        if not node.state.reaches_floor(node.record):
            why = f"the log of {node.config.node} ends at {node.state.log.end.seq}, without entry {floor} that was acknowledged"
            raise refused("set_back", f"{why}: its disk was set back; make another node active, or lose what is missing with --force")

    def _force(self, order: Operator, rolled_back: bool, now: float) -> None:
        node, record = self.node, self.node.record
        forced = node.promoted()
        lost = "nothing that was acknowledged: this node is in sync"
        safe = node.config.shared and node.in_sync() and node.state.reaches_floor(record) and not rolled_back
        if not safe:
            # Above every reign that is known of, so that fencing tokens grow for whoever saw those of the other side.
            theirs = [hello.promised.number + 1 for hello in node.peers.values()]
            ours = max(forced.epoch.number, node.state.promised.number + 1)
            epoch = forced.epoch._replace(number=min(max([ours, *theirs]), ours + MOST_AHEAD))
            forced = replace(
                forced, epoch=epoch, in_sync=(node.me,), forced=epoch.number, forced_id=epoch.id, floor=node.state.commit,
                floor_epoch=node.state.applied.epoch,
            )  # fmt: skip
            lost = f"whatever {record.active or 'the old active'} acknowledged after entry {node.state.log.end.seq}"
        self._asked(order, now, lost)
        node.state.note("warning", f"forced into epoch {forced.epoch.number} by an operator; may be lost: {lost}")
        node.promote(forced, FORCED, now, NEVER if safe else now)

    def _asked(self, order: Operator, now: float, lost: str = "") -> None:
        self._promotion = _Asked(order.id, now, lost)

    def promotion_settled(self, settled: Settled) -> None:
        """The swap of a create or promote order ended."""
        asked, self._promotion = self._promotion, None
        if asked is None:
            return
        if settled.done and settled.record is not None:
            answer: Dict[str, Any] = {"active": settled.record.active, "epoch": settled.record.epoch.number}
            if asked.lost:
                answer["may_be_lost"] = asked.lost
            self.node.out.append(Reply(asked.id, answer))
        elif settled.refused:
            self.node.out.append(Reply(asked.id, refused("store_refuses", f"{settled.refused}; nothing was changed")))
        else:
            problem = refused("record_changed", "another node changed the cluster record first; look at the status")
            self.node.out.append(Reply(asked.id, problem))

    def take_over(self, message: TakeOver, now: float) -> None:
        """We gave up the role and hold the record: hand it to the in-sync node that asks."""
        node, record = self.node, self.node.record
        asking = Member(message.node, message.incarnation)
        if node.config.shared or record.active or record.holder != node.config.node or node.swap is not None:
            return
        if asking in record.in_sync:
            granted = replace(record, epoch=node.names.epoch_after(record.epoch), active=message.node, reason="operator")
            node.send_swap("grant", message.node, granted, now)

    # --- give up, switch, remove ------------------------------------------------------------------------------------------

    def _give_up(self, order: Operator, now: float) -> None:
        leading = self.node.leading
        if leading is None:
            self.node.out.append(Reply(order.id, {"active": self.node.record.active or None}))
            return
        self._can_hand_over()
        self.node.dcs.check()
        if len(leading.record.in_sync) < 2 and not order.force:
            raise refused("nobody_in_sync", "no passive is in sync, so nobody could take over; --force stops serving all the same")
        self._check_drivers(now)
        leading.hand_over(order.id, "", order.text or "operator", now)

    def _switch(self, order: Operator, now: float) -> None:
        leading = self._leading()
        if order.node == self.node.config.node:
            self.node.out.append(Reply(order.id, self._active_now()))
            return
        if order.at:
            self._schedule(order, leading, now)
            return
        to = self.successor(order.node, now=now, unfit=order.force)
        leading.hand_over(order.id, to, order.text or "operator", now)

    def successor(self, node: str = "", *, now: float, unfit: bool = False) -> str:
        """Return ``node``, or who is best, when the role can be handed to it at this moment; raise Problem when not.

        ``unfit``: also to a node on which the VIP would not work, or whose disk is full.
        """
        leading = self._leading()
        self._can_hand_over()
        self.node.dcs.check()
        to = node or self._best(leading)
        self._check_candidate(to, leading, unfit)
        self._check_drivers(now)
        return to

    def _check_drivers(self, now: float) -> None:
        """Raise Problem while drivers of whoever was active before may run: the role can't be given away, so VIP and service are kept."""
        left = self.node.driving.drivers.free_at - now
        if left > 0:
            why = f"drivers of the reign before may run for {left:.1f} s more; until then the role can't be handed on: try again"
            raise refused("too_early", why, seconds=round(left, 3))
        for driver in self.node.driving.drivers.can_not_stop():
            why = f"driver {driver.id} does not stop ({driver.stuck}), so its service would run on two nodes: {how_to_end(driver)}"
            raise refused("driver_stuck", f"{why}; until then the role can't be handed on")

    def _best(self, leading: Leading) -> str:
        positions = {name: follower.matched for name, follower in leading.followers.by_node.items()}
        return best(leading.record, positions, self.node.peers)

    def _check_candidate(self, to: str, leading: Leading, unfit: bool) -> None:
        """Raise Problem unless ``to`` may take over at this moment."""
        candidates = [n for n in sorted(leading.record.nodes()) if n != self.node.config.node]
        if not to:
            raise refused("nobody_in_sync", "no passive is in sync that may become active; nothing was changed")
        if to not in candidates:
            raise refused("not_in_sync", f"{to} is not in sync; in sync are: {_names(candidates)}")
        hello = self.node.peers.get(to)
        if hello is not None and hello.no_failover:
            raise refused("no_failover", f"{to} is set never to be active (--no-failover); choose another")
        if hello is not None and hello.unable and not unfit:
            raise refused("unable", f"{cannot_hold(to, hello.unable)}; repair that, or choose another; nothing was changed")
        if hello is not None and hello.full and not unfit:
            raise refused("unable", f"{would_refuse(to, hello.full)}; make room there, or choose another; nothing was changed")

    def _leading(self) -> Leading:
        leading = self.node.leading
        if leading is None:
            raise refused("not_active", f"{self.node.config.node} is not active; ask {self.node.record.active or 'the active'}")
        return leading

    # --- a switch at a time -------------------------------------------------------------------------------------------------

    def _schedule(self, order: Operator, leading: Leading, now: float) -> None:
        """Keep the order as a document: it outlives this reign, and whoever is active at the time carries it out."""
        if order.at <= self.node.wall(now):
            raise refused("in_the_past", "the time of the switch has passed; leave it out to switch now")
        if order.node and leading.record.member(order.node) is None:
            raise refused("not_in_sync", f"{order.node} is not in sync; in sync are: {_names(leading.record.nodes())}")
        value = {"To": order.node, "Reason": order.text, "At": order.at}
        leading.submit(Submit(order.id, (Change("system", "switch", "put", value),), self.node.wall(now)), now)

    def _unschedule(self, order: Operator, now: float) -> None:
        leading = self._leading()
        if leading.state.heads.speculative("system", "switch") is None:
            raise refused("nothing_scheduled", "no switch is scheduled; nothing was changed")
        leading.submit(Submit(order.id, (Change("system", "switch", "delete"),), self.node.wall(now)), now)

    def _tick_schedule(self, now: float) -> None:
        leading = self.node.leading
        planned = self.node.state.heads.committed("system", "switch")
        if leading is None or planned is None or leading.swap is not None or leading.refusal(now) is not None:
            return
        if now < self.node.driving.drivers.free_at:
            return
        if self.node.wall(now) < planned.value["At"] or self.node.state.heads.speculative("system", "switch") is None:
            return
        leading.submit_own(Change("system", "switch", "delete"), now)  # committed before the role moves: it happens once
        reason = planned.value["Reason"] or "scheduled"
        try:
            self._switch(Operator(0, "switch", planned.value["To"], reason), now)
        except Problem as problem:
            self.node.state.note("error", f"the scheduled switch was called off: {problem.detail}")

    def _pause(self, order: Operator, now: float) -> None:
        leading = self._leading()
        paused = order.order == "pause"
        if leading.record.paused == paused:
            self.node.out.append(Reply(order.id, {"paused": paused}))
            return
        self._can_hand_over()
        self.node.dcs.check()
        if paused:
            leading.pause(order.id, order.text, int(self.node.wall(now)), now)
        else:
            leading.resume(order.id, now)

    def _can_hand_over(self) -> None:
        leading = self.node.leading
        if leading is not None and self.node.doubt.stands:
            raise refused("store_doubtful", leading.trouble or "the store has just shown an older record; try again in a moment")
        if leading is not None and (leading.handover is not None or leading.swap is not None or not leading.started):
            raise refused("busy", "a change of the cluster is under way; look at the status and try again")

    def _remove(self, order: Operator, now: float) -> None:
        leading = self._leading()
        if order.node == self.node.config.node:
            raise refused("is_active", f"{order.node} is active; switch first")
        if order.node in self.node.links or leading.record.member(order.node) is not None:
            raise refused("still_runs", f"{order.node} still runs or is in sync; stop its batond, then remove it")
        self._can_hand_over()
        leading.followers.by_node.pop(order.node, None)
        self.node.peers.pop(order.node, None)
        gone = {"At": round(self.node.wall(now), 3)}
        changes = (Change("nodes", order.node, "delete"), Change("removed", order.node, "put", gone))
        leading.submit(Submit(order.id, changes), now)

    def _readmit(self, order: Operator, now: float) -> None:
        leading = self._leading()
        if leading.state.heads.speculative("removed", order.node) is None:
            raise Problem(404, "not_removed", f"no node {order.node[:140]!r} was removed; nothing was changed")
        leading.submit(Submit(order.id, (Change("removed", order.node, "delete"),)), now)

    def _active_now(self) -> Dict[str, Any]:
        return {"active": self.node.config.node, "epoch": self.node.record.epoch.number}

    def tick(self, now: float) -> None:
        """Switch when it is time; give up on a promotion that another node should have granted."""
        self._tick_schedule(now)
        asked = self._promotion
        if asked is not None and self.node.leading is not None:
            self._promotion = None
            self.node.out.append(Reply(asked.id, self._active_now()))
        elif asked is not None and self.node.swap is None and now - asked.since > PATIENCE:
            self._promotion = None
            detail = f"{self.node.record.holder or 'the former active'} did not hand over; check that it runs, or use --force"
            self.node.out.append(Reply(asked.id, refused("no_answer", detail)))


def _names(nodes: Any) -> str:
    return ", ".join(sorted(nodes)) or "none"
