# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node: the conductor of one state machine. Pure.

An event goes to whoever takes it, by its type. What only happens here: a reign begins, and ends. What the parts of a node
stand on is ``roles/standing.py``.

Roles: ``unjoined`` (no data, no cluster), ``starting`` (read the record; rule M2: an epoch is never continued),
``passive``, ``taking`` (a promotion's swap is under way; rule M3), ``active``.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from ..ground.problem import Problem
from . import events as ev
from .commands import Command, Connect, FetchSnapshot, Later, Lease, ReadRecord, Reply, Send
from .drivers.drivers import Drivers
from .model.config import NodeConfig
from .model.documents import Change
from .model.log import Epoch
from .model.messages import (
    Ack,
    Append,
    BlobHeld,
    BlobWanted,
    Hello,
    Message,
    Refuse,
    Reject,
    Tail,
    TailWanted,
    TakeOver,
    UseSnapshot,
)  # fmt: skip
from .model.record import Member, Record
from .model.requests import KeepAlive, Submit
from .model.saved import Saved
from .replication.followers import BATCH_BYTES, BATCH_ENTRIES
from .replication.following import APPLIED_AT_ONCE, Following
from .replication.leading import Leading, node_document
from .replication.swaps import BEGINS, PendingSwap, Purpose, Settled
from .roles.able import Able
from .roles.candidacy import Candidacy
from .roles.cut_off import CutOff
from .roles.driver_duty import Driving
from .roles.election import Election
from .roles.links import Links
from .roles.orders import Orders
from .roles.promotion import Promotion
from .roles.record_view import RecordView
from .roles.recovery import tail_after
from .roles.snapshots import Snapshots
from .roles.standing import Standing
from .roles.succession import Succession
from .roles.trust import Trust
from .state.state import State
from .state.submissions import not_applied

PACKED_A_TICK = 2_000  # documents that are looked at: some 0.5 ms
MOST_HISTORY = 200


class Node:
    """Feed it events with the time they came in; carry out the commands it returns, in order."""

    def __init__(self, config: NodeConfig, saved: Saved) -> None:
        here = self.standing = Standing(config, saved)
        self.links = Links(here)
        self.trust = Trust(here)
        self.view = RecordView(here, self.links, self.trust)
        self.snapshots = Snapshots(here)
        self.cut_off = CutOff(here, self.links)
        self.succession = Succession(here, Drivers(config.driver_stop, config.timing.heartbeat, here.out), self.cut_off)
        self.election = Election(config)
        self.driving = Driving(here, self.election, self.succession)
        self.able = Able(here, self.links, self.succession)
        self.promotion = Promotion(here, self.election, self.driving)
        self.candidacy = Candidacy(here, self.election, self.view, self.able, self.promotion)
        self.orders = Orders(here, self.view, self.succession, self.promotion)
        self._becoming: Optional[Tuple[str, Epoch]] = None  # how, and in which epoch: its log is still to be evaluated
        self._handlers: Dict[type, Callable[[Any, float], None]] = {
            ev.Started: self._started, ev.Tick: self._tick, ev.Flush: self._flush, ev.Stored: self._stored, ev.GoOn: self._go_on,
            Submit: self._submit, KeepAlive: self._keep_alive, ev.Operator: self._operator,
            ev.RecordRead: self._record_read, ev.SwapAnswer: self._swap_answer, ev.DcsHealth: self._dcs_health,
            ev.LinkUp: self.links.up, ev.LinkDown: self.links.down, ev.Received: self._received, ev.TwinSeen: self._twin_seen,
            ev.SnapshotFetched: self.snapshots.take, ev.SnapshotInstalled: self._snapshot_installed,
            ev.BlobStored: self._blob_stored, ev.BlobUnavailable: self._blob_unavailable,
            ev.ReleaseNotice: self._release_notice, ev.Released: self._released,
            ev.VipHealth: self.able.take, ev.DiskRoom: self.able.take,
            ev.DriverHello: self.driving.take, ev.DriverGone: self.driving.take, ev.DriverDone: self.driving.take,
            ev.DriverStopped: self.driving.take, ev.DriverHealth: self.driving.take, ev.DriversExpected: self.driving.take,
        }  # fmt: skip
        self._readers: Dict[type, Callable[[str, Any, float], None]] = {
            Hello: self._on_hello, Append: self._on_append, Ack: self._on_answer, Reject: self._on_answer, BlobHeld: self._on_answer,
            BlobWanted: self._on_blob_wanted, UseSnapshot: self._on_use_snapshot, Refuse: self._on_refuse, TakeOver: self._on_take_over,
            TailWanted: self._on_tail_wanted, Tail: self._on_tail,
        }  # fmt: skip

    def handle(self, event: ev.Event, now: float) -> List[Command]:
        """Take one event at time ``now`` (seconds, CLOCK_BOOTTIME); return the commands that follow from it."""
        self._handlers[type(event)](event, now)
        self._carry_out(now)
        for node, message in self.trust.confirmed(now):
            self._readers[type(message)](node, message, now)
        self.trust.ask_again(now)
        self.able.tend(now)
        self.links.follow_members()
        self.driving.tend(event, now)
        commands = list(self.standing.out)
        self.standing.out.clear()
        return commands

    def _carry_out(self, now: float) -> None:
        """Step down where that was found to be due, and take the order for which it was."""
        wish, self.standing.wish = self.standing.wish, None
        if wish is None:
            return
        self._step_down(wish.why, now)
        if wish.then is not None:
            self._operator(wish.then, now)

    # --- questions ----------------------------------------------------------------------------------------------------

    @property
    def config(self) -> NodeConfig:
        return self.standing.config

    @property
    def state(self) -> State:
        return self.standing.state

    @property
    def role(self) -> str:
        return self.standing.role

    @property
    def trouble(self) -> str:
        """What only a person can settle, or ""."""
        return self.standing.trouble

    @property
    def leading(self) -> Optional[Leading]:
        """The reign, of a node that is active."""
        return self.standing.leading

    @property
    def following(self) -> Following:
        return self.standing.following

    @property
    def swap(self) -> Optional[PendingSwap]:
        """The change of the record that is under way, of a node that is not active."""
        return self.standing.swap

    @property
    def me(self) -> Member:
        return self.standing.me

    @property
    def record(self) -> Record:
        return self.standing.record

    def in_sync(self) -> bool:
        return self.standing.in_sync()

    def serving(self, now: float) -> bool:
        return self.standing.serving(now)

    @property
    def to_flush(self) -> bool:
        """Whether a Flush is due: there is something to write, and it need not wait for the batch before it."""
        return self.leading is not None and self.leading.to_flush

    def contents(self) -> Optional[Set[str]]:
        """Return the file contents that are named or on their way, None while our documents may not be the cluster's."""
        leading = self.leading
        if self.trouble or not (leading.started if leading is not None else self.in_sync()):
            return None
        awaited = leading.awaited() if leading is not None else self.following.awaited()
        return self.state.contents() | awaited

    # --- start and record ---------------------------------------------------------------------------------------------

    def _started(self, event: ev.Started, now: float) -> None:
        here = self.standing
        self.election.restart(now)
        here.read_at = now
        here.state.tell_time(now)
        known = here.state.record is not None and here.state.cluster_id
        if known and here.config.shared and here.record.active != here.config.node:
            self.links.become_passive(now)  # by what it knows: it follows on while the store is out, and begins nothing
        for node, url in here.members().items():
            if node != here.config.node:
                here.out.append(Connect(node, url))
        here.out.append(ReadRecord())

    def _record_read(self, event: ev.RecordRead, now: float) -> None:
        here = self.standing
        if here.leading is not None and event.version == here.state.version and not event.watched:
            here.leading.seen(event.proven, now)
        swap = self._pending()
        if swap is not None:
            settled = swap.read(event.version, event.record)
            if settled is None:
                return
            self._settle(settled, now)
        self._observe(event.version, event.record, now)
        self.snapshots.record_read()
        self.candidacy.record_read(now)

    def _swap_answer(self, event: ev.SwapAnswer, now: float) -> None:
        swap = self._pending()
        if swap is not None:
            commands, settled = swap.answer(event.nonce, event.done, event.version, event.refused)
            self.standing.out.extend(commands)
            if settled is not None:
                self._settle(settled, now)

    def _pending(self) -> Optional[PendingSwap]:
        leading = self.leading
        return leading.swap if leading is not None and leading.swap is not None else self.swap

    def _dcs_health(self, event: ev.DcsHealth, now: float) -> None:
        here = self.standing
        here.dcs.take(event)
        if here.leading is not None and here.dcs.refuses:
            here.leading.store_refuses(here.dcs.trouble)
        self.cut_off.tend(now)

    def _settle(self, settled: Settled, now: float) -> None:
        """A swap has ended: go on as what the record makes of this node."""
        here = self.standing
        if here.leading is not None and here.leading.swap is not None:
            over = here.leading.settled(settled, now)
            if over:
                here.step_down(over)
            if not settled.done and not settled.refused:
                self._observe(settled.version, settled.record, now)
            self.links.hello_all(False, now)
            return
        here.swap = None
        if settled.purpose in BEGINS:
            self.orders.promotion_settled(settled)
        if settled.refused:
            self.promotion.refused(settled.refused)
        if not settled.done:
            self.election.restart(now)
            self.links.become_passive(now)
            if not settled.refused:
                self._observe(settled.version, settled.record, now)
            return
        here.state.remember(settled.version, settled.record)
        here.clear_note()
        if settled.purpose == Purpose.CREATE:
            here.join_cluster(here.record.cluster_id)
        if here.record.active == here.config.node and here.record.epoch.number > here.state.promised.number:
            self._lead(settled.purpose.value, now)
        else:
            self.links.become_passive(now)
            self.links.hello_all(True, now)

    def _observe(self, version: int, record: Optional[Record], now: float) -> None:
        """Act on what the store shows."""
        here = self.standing
        active, epoch = here.record.active, here.record.epoch
        if not self.view.takes(version, record, now) or record is None:
            return
        if here.record.epoch != epoch:
            self.election.restart(now)
        here.clear_note()
        here.trouble = ""
        if here.leading is not None:
            if record.active != here.config.node or record.epoch != here.leading.epoch:
                here.step_down(record.reign)
        elif not here.is_changing:
            self._place(record, now)
        self.view.tell(active)

    def _place(self, record: Record, now: float) -> None:
        how = self.view.place(record, now)
        if how:
            self._lead(how, now)

    # --- a reign --------------------------------------------------------------------------------------------------------

    def _lead(self, how: str, now: float) -> None:
        """Begin a reign; the record already names us. What the log has is evaluated first, a part at a time: all else goes on meanwhile."""
        here = self.standing
        here.swap = self.view.recovery = None
        here.trouble = ""
        if here.state.catch_up(APPLIED_AT_ONCE):
            self._becoming = None
            self._begin_reign(how, now)
            return
        self._becoming = (how, here.record.epoch)
        here.set_role("taking")
        here.out.append(Later())

    def _go_on(self, event: ev.GoOn, now: float) -> None:
        """Go on becoming active, unless the role is another's by now, or on its way."""
        here = self.standing
        becoming, self._becoming = self._becoming, None
        if becoming is None or here.role != "taking" or here.is_changing:
            return
        how, epoch = becoming
        if here.record.active == here.config.node and here.record.epoch == epoch:
            self._lead(how, now)
        else:
            self.links.become_passive(now)
            self._place(here.record, now)

    def _begin_reign(self, how: str, now: float) -> None:
        here = self.standing
        config, record = here.config, here.record
        # Whoever made way has said that the VIP is gone; after mere silence the network is asked.
        # A record that names who handed over was written after the VIP was released; one of an earlier life of ours was not.
        free, self.promotion.free = self.promotion.free or record.holder not in ("", config.node), False
        here.state.clock.lean(now, here.wall(now))
        leading = here.leading = Leading(config, here.state, here.names, self._history(record.reason or how, now), now, free)
        here.set_role("active")
        leading.put_document("nodes", config.node, node_document(config.url, config.version, config.system), now)
        self._keep_history(leading, self.driving.begin(leading, how, now), now)
        leading.flush(now)
        self.links.hello_all(True, now)
        leading.tick(now)

    def _history(self, reason: str, now: float) -> Dict[str, Any]:
        """Return who is active since when and why."""
        epoch, at = self.record.epoch, round(self.standing.wall(now), 3)
        forced = {"Forced": True} if self.record.forced_epoch == epoch else {}
        return {"Epoch": epoch.number, "Id": epoch.id, "Node": self.config.node, "Reason": reason, "At": at, **forced}

    def _keep_history(self, leading: Leading, drivers: Dict[str, Any], now: float) -> None:
        """Say of this reign what of its drivers is known; the oldest reigns are forgotten."""
        heads, key = self.state.heads, str(self.record.epoch.number)
        document = heads.speculative("history", key)
        if document is not None and drivers:
            leading.put_document("history", key, {**document.value, **drivers}, now)
        kept = sorted(heads.list("history"), key=lambda document: int(document.key))
        for old in kept[: max(0, len(kept) - MOST_HISTORY)]:
            leading.submit_own(Change("history", old.key, "delete"), now)

    def _step_down(self, why: str, now: float) -> None:
        here = self.standing
        leading, here.leading = here.leading, None
        if leading is None:
            return
        here.state.note("warning" if leading.handover is None else "info", f"{here.config.node} is passive now: {why}")
        here.out.append(Lease(None))
        leading.end(why)
        here.swap = leading.swap if leading.swap is not None else here.swap
        here.following = Following(here.config, here.state)
        self.election.restart(now)
        self.view.reign_ended()
        self.links.become_passive(now)
        here.out.append(ReadRecord())

    # --- messages -------------------------------------------------------------------------------------------------------

    def _received(self, event: ev.Received, now: float) -> None:
        node, message = event.node, event.message
        self.links.contact[node] = now
        self._readers[type(message)](node, message, now)

    def _on_hello(self, node: str, hello: Hello, now: float) -> None:
        here = self.standing
        if not self.links.takes(node, hello, now):
            return
        self.able.heard(here.peers.get(node), hello)
        self.cut_off.heard(hello, now)
        self.links.introduced(node, hello, now)
        for twin in hello.twins if self.trust.knows(node) else ():
            here.twins.seen(here.config.node, twin, now)
        if self._is_to_be_joined(hello):
            here.join_cluster(hello.cluster_id)
        if hello.record is not None:
            self.view.news(node, hello.record_version, hello.record, now)
        if here.leading is not None and not here.leading.over and hello.role != "active":
            here.leading.hello(hello, now)
        elif here.leading is None and here.role == "starting" and self.view.read_once and not here.swap:
            self._place(here.record, now)

    def _is_to_be_joined(self, hello: Hello) -> bool:
        """Whether a node without data belongs to the cluster of this one; where there is a store, that says so."""
        record = hello.record
        alone = not self.state.cluster_id and not self.config.shared
        return alone and record is not None and record.active == hello.node and bool(record.cluster_id == hello.cluster_id != "")

    def _on_append(self, node: str, message: Append, now: float) -> None:
        here = self.standing
        if node not in here.peers or here.peers[node].cluster_id != here.state.cluster_id:
            return  # not introduced yet
        if message.record is not None:
            self.view.news(node, message.record_version, message.record, now)
        if self.trust.is_stale(message.epoch):
            here.following.refuse_stale(node, message.epoch)
        elif message.epoch != here.record.epoch:
            if here.leading is None:
                self.trust.hold(node, message, now)
            else:
                self.trust.ask((node, message.epoch), now)  # it goes on until the record says that it is over
        elif self.trust.is_active(node, message.epoch) and here.role == "passive" and not here.installing:
            here.twins.accepted()
            here.following.append(node, message, now)
            self.view.note_in_sync()

    def _on_answer(self, node: str, message: Message, now: float) -> None:
        leading = self.leading
        if isinstance(message, Reject) and message.promised.number > self.record.epoch.number:
            self.trust.ask((node, message.promised), now)
        if leading is None:
            return
        follower = leading.followers.by_node.get(node)
        if isinstance(message, (Ack, Reject)) and follower is not None and follower.process != message.process:
            self.links.ask(node, now)  # another process, whose Hello was lost: who is it?
        elif isinstance(message, Ack):
            leading.ack(node, message, now)
        elif isinstance(message, Reject):
            leading.reject(node, message, now)
        elif isinstance(message, BlobHeld):
            leading.blob_held(node, message, now)

    def _on_blob_wanted(self, node: str, message: BlobWanted, now: float) -> None:
        if self.leading is None and node == self.record.active:  # asks again, where we have not read of it yet
            self.following.blob_wanted(node, message)

    def _on_use_snapshot(self, node: str, message: UseSnapshot, now: float) -> None:
        here = self.standing
        if here.leading is not None or self.trust.is_stale(message.epoch):
            return
        if message.epoch != here.record.epoch:
            self.trust.hold(node, message, now)
        elif not self.trust.is_active(node, message.epoch):
            return
        elif here.in_sync():  # as far as we know: then a disk with every acknowledged write is not to be replaced
            here.following.refused = f"{node} says that this disk left the in-sync set; it is kept until the store says so, too"
            self.trust.ask((node, message.epoch), now)
        else:
            here.following.use_snapshot(node, message)

    def _on_refuse(self, node: str, message: Refuse, now: float) -> None:
        here = self.standing
        if message.code == "diverged" and node != here.record.active:
            if here.leading is None:
                self.trust.hold(node, message, now)
            return
        if here.following.refused != message.detail:
            here.following.refused = message.detail
            here.state.note("error", f"{node} refuses this node: {message.detail}")
        if message.code == "diverged" and not here.in_sync():
            self.snapshots.keep_tail(message.reigns)
            if here.config.discard:
                here.out.append(FetchSnapshot(node))
        elif message.code == "twin":
            here.twins.refused(message.detail, here.out, now, self.trust.knows(node))

    def _on_take_over(self, node: str, message: TakeOver, now: float) -> None:
        if message.node == node:
            self.orders.take_over(message, now)

    def _on_tail_wanted(self, node: str, message: TailWanted, now: float) -> None:
        """Who was active and is again asks what it may have lost: only that node, of a member."""
        if self.leading is None and node == self.record.active and self.in_sync():
            self.standing.out.append(Send(node, tail_after(self.state, message.after, BATCH_ENTRIES, BATCH_BYTES)))

    def _on_tail(self, node: str, tail: Tail, now: float) -> None:
        if self.view.recovers_by(node, tail):
            self._place(self.record, now)

    # --- the rest -----------------------------------------------------------------------------------------------------

    def _stored(self, event: ev.Stored, now: float) -> None:
        if self.leading is not None:
            self.leading.stored(event.id, now)
        else:
            self.following.stored(event.id)
        self.promotion.stored(event.id, now)

    def _snapshot_installed(self, event: ev.SnapshotInstalled, now: float) -> None:
        self.snapshots.installed(event)
        self.links.hello_all(True, now)

    def _twin_seen(self, event: ev.TwinSeen, now: float) -> None:
        self.standing.twins.beside(self.config.node, event.where, now)

    def _blob_stored(self, event: ev.BlobStored, now: float) -> None:
        self.following.blob_stored(event.sha256)

    def _blob_unavailable(self, event: ev.BlobUnavailable, now: float) -> None:
        self.following.blob_unavailable(event.sha256)

    def _released(self, event: ev.Released, now: float) -> None:
        if self.leading is not None and self.leading.handover is not None and self.leading.handover.released:
            self.leading.handover.vip_gone = True
            self.driving.tell_rest(self.leading, now)

    def _release_notice(self, event: ev.ReleaseNotice, now: float) -> None:
        if event.drivers:
            self.driving.notice(event.node, event.epoch, now)
        if self.leading is None:
            self.candidacy.release_notice(event, now)

    def _submit(self, event: Submit, now: float) -> None:
        if self.leading is None:
            detail = f"{self.config.node} is not active; nothing was changed"
            self.standing.out.append(Reply(event.id, not_applied("not_active", detail)))
        else:
            self.leading.submit(event, now)

    def _keep_alive(self, event: KeepAlive, now: float) -> None:
        if self.leading is None:
            detail = f"{self.config.node} is not active; ask the active"
            self.standing.out.append(Reply(event.id, not_applied("not_active", detail)))
        else:
            self.leading.keep_alive(event, now)

    def _operator(self, event: ev.Operator, now: float) -> None:
        try:
            self.orders.take(event, now)
        except Problem as problem:
            self.standing.out.append(Reply(event.id, problem))

    def _flush(self, event: ev.Flush, now: float) -> None:
        if self.leading is not None:
            self.leading.flush(now)

    def _tick(self, event: ev.Tick, now: float) -> None:
        here = self.standing
        here.state.tell_time(now)
        here.state.heads.parsed.pack(PACKED_A_TICK)
        if here.leading is not None:
            if event.wall:
                here.state.clock.lean(now, event.wall)
            here.leading.tick(now)
            if here.doubt.stands:
                here.reread(now)
        else:
            here.following.go_on()
            self._tick_passive(now)
        self.links.tick(now)
        self.orders.tick(now)
        self.cut_off.tend(now)

    def _tick_passive(self, now: float) -> None:
        """What a node that is not active waits for: its swap, the record, or its turn."""
        here = self.standing
        if here.swap is not None:
            here.out.extend(here.swap.tick(now))
        elif self._waits_for_record():
            here.reread(now)
        else:
            self.candidacy.consider(now)

    def _waits_for_record(self) -> bool:
        here = self.standing
        waits = self.snapshots.fetched is not None or self.view.recovery is not None or here.state.noted >= 0
        return waits or here.role == "starting" or bool(here.trouble) or here.doubt.stands
