# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's orders to a node: create, promote, give up, switch, pause, remove. Pure.

An order either begins something that ends in a reply, or raises a Problem and changes nothing (I7).
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional

from ...ground.problem import Problem
from ..commands import Reply, Send
from ..events import Operator, Order
from ..model.documents import Change
from ..model.messages import TakeOver
from ..model.record import Member
from ..model.requests import Submit
from ..model.timing import NEVER
from ..replication.leading import Leading
from ..replication.swaps import Purpose, Settled
from ..state.state import FORCED
from .election import may_ever_lead
from .promotion import Promotion
from .record_view import RecordView
from .standing import Standing
from .succession import Succession, names_of, refused

MOST_AHEAD = 1_000  # epochs that a force may skip because of what another node says
PATIENCE = 10.0  # seconds that the former active may take to hand over


@dataclass
class _Asked:
    id: int
    since: float
    lost: str = ""


class Orders:
    """The orders that one node has taken and not answered."""

    def __init__(self, standing: Standing, view: RecordView, succession: Succession, promotion: Promotion) -> None:
        self.standing = standing
        self.view = view
        self.succession = succession
        self.promotion = promotion
        self._asked: Optional[_Asked] = None

    def take(self, order: Operator, now: float) -> None:
        """Begin an order; raise Problem when it is refused."""
        todo = {
            Order.CREATE: self._create,
            Order.PROMOTE: self._promote,
            Order.GIVE_UP: self._give_up,
            Order.SWITCH: self._switch,
            Order.UNSCHEDULE: self._unschedule,
            Order.PAUSE: self._pause,
            Order.RESUME: self._pause,
            Order.REMOVE: self._remove,
            Order.READMIT: self._readmit,
        }
        todo[order.order](order, now)

    # --- create ---------------------------------------------------------------------------------------------------------

    def _create(self, order: Operator, now: float) -> None:
        here = self.standing
        if here.state.cluster_id:
            raise refused("cluster_exists", f"{here.config.node} already belongs to cluster {here.state.cluster_id}")
        others = sorted({hello.cluster_id for hello in here.peers.values() if hello.cluster_id})
        if others:
            raise refused("cluster_exists", f"cluster {others[0]} exists on a node that this one knows; it will join that")
        if here.role == "starting":
            raise refused("not_ready", f"{here.config.node} is starting, and does not know yet whether it has a cluster; try again")
        if here.role != "unjoined" or here.swap is not None:
            raise refused("not_ready", f"{here.config.node} is {here.role}; a cluster is created on an unjoined node")
        here.dcs.check()
        self._keep(order, now)
        here.create(order.text or here.names.nonce(), now)

    # --- promote --------------------------------------------------------------------------------------------------------

    def _promote(self, order: Operator, now: float) -> None:
        here = self.standing
        if here.leading is not None:
            self._promote_active(order, here.leading)
            return
        here.dcs.check()
        rolled_back = order.force and self.view.believe_store()
        self._check_ready(order)
        if order.force:
            self._force(order, rolled_back, now)
        elif not here.record.active:
            self._take_vacant(order, now)
        elif here.config.shared and here.in_sync() and self._unheard_for_grace(now):
            self._check_floor()
            self._keep(order, now)
            self.promotion.begin(here.promoted(), "operator", now)
        else:
            raise self._refusal()

    def _promote_active(self, order: Operator, leading: Leading) -> None:
        """Nothing is to be done, unless a person forces us to begin anew from what the store shows."""
        here = self.standing
        if not order.force or not leading.in_doubt:
            here.out.append(Reply(order.id, self._active_now()))
            return
        here.dcs.check()
        here.step_down("it is to begin anew from a store that was rolled back", then=order)

    def _check_ready(self, order: Operator) -> None:
        here = self.standing
        if not here.record.cluster_id or here.trouble and not order.force:
            raise refused("not_ready", here.trouble or f"{here.config.node} has not joined a cluster; nothing to be active for")
        if here.swap is not None or self._asked is not None or here.installing:
            raise refused("busy", "a change of the active or of the data is under way; look at the status and try again")
        if not may_ever_lead(here.config) and not order.force:
            raise refused("no_failover", f"{here.config.node} is set never to be active (--no-failover); choose another, or use --force")

    def _refusal(self) -> Problem:
        here, record = self.standing, self.standing.record
        if record.active == here.config.node:
            missing = ", ".join(self.view.unheard()) or "the record"
            return refused("waiting", f"waiting for {missing}, since one of them may have been forced; --force goes on without")
        return refused(
            "active_exists",
            f"{record.active} is active in epoch {record.epoch.number}: move the role with `batonctl ha switch --to "
            f"{here.config.node}`; if {record.active} is gone for good, use --force",
            active=record.active,
        )

    def _unheard_for_grace(self, now: float) -> bool:
        here = self.standing
        return now - here.following.heard > here.config.timing.grace and here.following.active == here.record.active

    def _take_vacant(self, order: Operator, now: float) -> None:
        here, record = self.standing, self.standing.record
        if not here.in_sync():
            raise refused("not_in_sync", f"{here.config.node} is not in sync; make one of {names_of(record.nodes())} active")
        self._check_floor()
        self._keep(order, now)
        if here.config.shared or record.holder == here.config.node:
            self.promotion.begin(here.promoted(), "operator", now)
        else:
            here.out.append(Send(record.holder, TakeOver(here.config.node, here.state.incarnation)))

    def _check_floor(self) -> None:
        """Raise Problem where our disk was set back behind what was acknowledged."""
        here, floor = self.standing, self.standing.record.floor
        if not here.state.reaches_floor(here.record):
            why = f"the log of {here.config.node} ends at {here.state.log.end.seq}, without entry {floor} that was acknowledged"
            raise refused("set_back", f"{why}: its disk was set back; make another node active, or lose what is missing with --force")

    def _force(self, order: Operator, rolled_back: bool, now: float) -> None:
        here, record = self.standing, self.standing.record
        state = here.state
        forced = here.promoted()
        lost = "nothing that was acknowledged: this node is in sync"
        safe = here.config.shared and here.in_sync() and state.reaches_floor(record) and not rolled_back
        if not safe:
            # Above every reign that is known of, so that fencing tokens grow for whoever saw those of the other side.
            theirs = [hello.promised.number + 1 for hello in here.peers.values()]
            ours = max(forced.epoch.number, state.promised.number + 1)
            epoch = forced.epoch._replace(number=min(max([ours, *theirs]), ours + MOST_AHEAD))
            forced = replace(
                forced, epoch=epoch, in_sync=(here.me,), forced=epoch.number, forced_id=epoch.id, floor=state.commit,
                floor_epoch=state.applied.epoch,
            )  # fmt: skip
            lost = f"whatever {record.active or 'the old active'} acknowledged after entry {state.log.end.seq}"
        self._keep(order, now, lost)
        state.note("warning", f"forced into epoch {forced.epoch.number} by an operator; may be lost: {lost}")
        self.promotion.begin(forced, FORCED, now, NEVER if safe else now)

    def _keep(self, order: Operator, now: float, lost: str = "") -> None:
        """Remember who waits for the end of it."""
        self._asked = _Asked(order.id, now, lost)

    def promotion_settled(self, settled: Settled) -> None:
        """The swap of a create or promote order ended."""
        asked, self._asked = self._asked, None
        if asked is None:
            return
        if settled.done and settled.record is not None:
            answer: Dict[str, Any] = {"active": settled.record.active, "epoch": settled.record.epoch.number}
            if asked.lost:
                answer["may_be_lost"] = asked.lost
            self.standing.out.append(Reply(asked.id, answer))
        elif settled.refused:
            self.standing.out.append(Reply(asked.id, refused("store_refuses", f"{settled.refused}; nothing was changed")))
        else:
            problem = refused("record_changed", "another node changed the cluster record first; look at the status")
            self.standing.out.append(Reply(asked.id, problem))

    def take_over(self, message: TakeOver, now: float) -> None:
        """We gave up the role and hold the record: hand it to the in-sync node that asks."""
        here, record = self.standing, self.standing.record
        asking = Member(message.node, message.incarnation)
        if here.config.shared or record.active or record.holder != here.config.node or here.swap is not None:
            return
        if asking in record.in_sync:
            granted = replace(record, epoch=here.names.epoch_after(record.epoch), active=message.node, reason="operator")
            here.send_swap(Purpose.GRANT, message.node, granted, now)

    # --- give up, switch, remove ------------------------------------------------------------------------------------------

    def _give_up(self, order: Operator, now: float) -> None:
        leading = self.standing.leading
        if leading is None:
            self.standing.out.append(Reply(order.id, {"active": self.standing.record.active or None}))
            return
        self.succession.check_free()
        self.standing.dcs.check()
        if len(leading.record.in_sync) < 2 and not order.force:
            raise refused("nobody_in_sync", "no passive is in sync, so nobody could take over; --force stops serving all the same")
        self.succession.check_drivers(now)
        leading.hand_over(order.id, "", order.text or "operator", now)

    def _switch(self, order: Operator, now: float) -> None:
        leading = self.succession.leading()
        if order.node == self.standing.config.node:
            self.standing.out.append(Reply(order.id, self._active_now()))
            return
        if order.at:
            self._schedule(order, leading, now)
            return
        to = self.succession.successor(order.node, now=now, unfit=order.force)
        leading.hand_over(order.id, to, order.text or "operator", now)

    # --- a switch at a time -------------------------------------------------------------------------------------------------

    def _schedule(self, order: Operator, leading: Leading, now: float) -> None:
        """Keep the order as a document: it outlives this reign, and whoever is active at the time carries it out."""
        if order.at <= self.standing.wall(now):
            raise refused("in_the_past", "the time of the switch has passed; leave it out to switch now")
        if order.node and leading.record.member(order.node) is None:
            raise refused("not_in_sync", f"{order.node} is not in sync; in sync are: {names_of(leading.record.nodes())}")
        value = {"To": order.node, "Reason": order.text, "At": order.at}
        leading.submit(Submit(order.id, (Change("system", "switch", "put", value),), self.standing.wall(now)), now)

    def _unschedule(self, order: Operator, now: float) -> None:
        leading = self.succession.leading()
        if leading.state.heads.speculative("system", "switch") is None:
            raise refused("nothing_scheduled", "no switch is scheduled; nothing was changed")
        leading.submit(Submit(order.id, (Change("system", "switch", "delete"),), self.standing.wall(now)), now)

    def _tick_schedule(self, now: float) -> None:
        leading = self.standing.leading
        planned = self.standing.state.heads.committed("system", "switch")
        if leading is None or planned is None or leading.swap is not None or leading.refusal(now) is not None:
            return
        if now < self.succession.drivers.free_at:
            return
        if self.standing.wall(now) < planned.value["At"] or self.standing.state.heads.speculative("system", "switch") is None:
            return
        leading.submit_own(Change("system", "switch", "delete"), now)  # committed before the role moves: it happens once
        reason = planned.value["Reason"] or "scheduled"
        try:
            self._switch(Operator(0, Order.SWITCH, planned.value["To"], reason), now)
        except Problem as problem:
            self.standing.state.note("error", f"the scheduled switch was called off: {problem.detail}")

    def _pause(self, order: Operator, now: float) -> None:
        leading = self.succession.leading()
        paused = order.order == Order.PAUSE
        if leading.record.paused == paused:
            self.standing.out.append(Reply(order.id, {"paused": paused}))
            return
        self.succession.check_free()
        self.standing.dcs.check()
        if paused:
            leading.pause(order.id, order.text, int(self.standing.wall(now)), now)
        else:
            leading.resume(order.id, now)

    def _remove(self, order: Operator, now: float) -> None:
        leading = self.succession.leading()
        if order.node == self.standing.config.node:
            raise refused("is_active", f"{order.node} is active; switch first")
        if order.node in self.standing.linked or leading.record.member(order.node) is not None:
            raise refused("still_runs", f"{order.node} still runs or is in sync; stop its batond, then remove it")
        self.succession.check_free()
        leading.followers.by_node.pop(order.node, None)
        self.standing.peers.pop(order.node, None)
        gone = {"At": round(self.standing.wall(now), 3)}
        changes = (Change("nodes", order.node, "delete"), Change("removed", order.node, "put", gone))
        leading.submit(Submit(order.id, changes), now)

    def _readmit(self, order: Operator, now: float) -> None:
        leading = self.succession.leading()
        if leading.state.heads.speculative("removed", order.node) is None:
            raise Problem(404, "not_removed", f"no node {order.node[:140]!r} was removed; nothing was changed")
        leading.submit(Submit(order.id, (Change("removed", order.node, "delete"),)), now)

    def _active_now(self) -> Dict[str, Any]:
        return {"active": self.standing.config.node, "epoch": self.standing.record.epoch.number}

    def tick(self, now: float) -> None:
        """Switch when it is time; give up on a promotion that another node should have granted."""
        self._tick_schedule(now)
        asked = self._asked
        if asked is not None and self.standing.leading is not None:
            self._asked = None
            self.standing.out.append(Reply(asked.id, self._active_now()))
        elif asked is not None and self.standing.swap is None and now - asked.since > PATIENCE:
            self._asked = None
            detail = f"{self.standing.record.holder or 'the former active'} did not hand over; check that it runs, or use --force"
            self.standing.out.append(Reply(asked.id, refused("no_answer", detail)))
