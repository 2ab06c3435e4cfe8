# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node: one state machine of roles, made of a reign (leading), a session (following) and swaps. Pure.

Roles: ``unjoined`` (no data, no cluster), ``starting`` (read the record; rule M2: an epoch is never continued),
``passive``, ``taking`` (a promotion's swap is under way; rule M3), ``active``.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from ..ground.problem import Problem
from .commands import (
    Adopt,
    Changed,
    Command,
    Connect,
    Disconnect,
    DropSnapshot,
    FetchSnapshot,
    ForgetRecord,
    InstallSnapshot,
    KeepTail,
    Later,
    Lease,
    Prepare,
    ReadRecord,
    Reply,
    RoleChanged,
    Send,
    SendBack,
    Swap,
)
from .events import (
    BlobStored,
    BlobUnavailable,
    DcsHealth,
    DiskRoom,
    DriverDone,
    DriverGone,
    DriverHealth,
    DriverHello,
    DriversExpected,
    DriverStopped,
    Event,
    Flush,
    GoOn,
    LinkDown,
    LinkUp,
    Operator,
    Received,
    RecordRead,
    Released,
    ReleaseNotice,
    SnapshotFetched,
    SnapshotInstalled,
    Started,
    Stored,
    SwapAnswer,
    Tick,
    TwinSeen,
    VipHealth,
)
from .model.config import Names, NodeConfig, next_version
from .model.documents import Change
from .model.log import Epoch
from .model.messages import (
    SPEAKS,
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
from .model.record import NO_RECORD, Member, Record
from .model.reigns import Reigns, strays
from .model.requests import KeepAlive, Submit
from .model.saved import Saved  # fmt: skip
from .model.timing import NEVER
from .replication.dcs_health import Dcs
from .replication.followers import BATCH_BYTES, BATCH_ENTRIES
from .replication.following import APPLIED_AT_ONCE, Following
from .replication.leading import Leading, node_document
from .replication.swaps import REPEAT_AFTER, PendingSwap, Settled
from .roles.able import Able
from .roles.cut_off import CutOff
from .roles.doubt import Doubt
from .roles.driver_duty import Driving
from .roles.election import Election
from .roles.orders import Orders
from .roles.recovery import Recovery, tail_after
from .roles.trust import Trust
from .roles.twins import NOT_YET, Twins
from .roles.welcome import REMOVED, incompatible, removed
from .state.state import State
from .state.submissions import not_applied

PACKED_A_TICK = 2_000  # documents that are looked at: some 0.5 ms
MOST_HISTORY = 200
PROBE_AHEAD = 0.2  # seconds that the network has for saying that somebody holds the VIP still
LOOK_AGAIN = 5.0  # seconds of silence after which a passive that may not try looks at the record again


class Node:
    """Feed it events with the time they came in; carry out the commands it returns, in order."""

    def __init__(self, config: NodeConfig, saved: Saved) -> None:
        self.config = config
        self.out: List[Command] = []
        self.state = State(config, saved, self.out)
        self.names = Names(config.process)
        self.role = "starting"
        self.trouble = ""
        self.leading: Optional[Leading] = None
        self.following = Following(config, self.state)
        self.swap: Optional[PendingSwap] = None  # of a node that is not active: create, start, promote, grant
        self.links: Set[str] = set()
        self.peers: Dict[str, Hello] = {}
        self.contact: Dict[str, float] = {}  # node → when it was last known to be there, by what it said or by its link
        self.refused: Dict[str, str] = {}
        self.orders = Orders(self)
        self.election = Election(config)
        self.driving = Driving(self)
        self.able = Able(self)
        self.trust = Trust(self)
        self._trying = False  # the record is being read again before a promotion by itself
        self._prepared = False  # the network is being asked who has the VIP, since we may soon want it
        self._free = False  # it follows one who has given the VIP up
        self._noted_before = False  # when the promotion began, another one was noted that is not known to have failed
        self._noting: Optional[int] = None  # the store that makes ``noted`` durable before the swap is sent (M3)
        self._pending_promotion: Optional[Swap] = None
        self._becoming: Optional[Tuple[str, Epoch]] = None  # how, and in which epoch: its log is still to be evaluated
        self._read_once = False  # the record, by this process: what the one before knew of it begins nothing
        self._fetched: Optional[SnapshotFetched] = None  # waits for the record
        self.installing = False  # a snapshot is being put in place: our disk is about to be another
        self.twins = Twins(config, state=self.state)
        self._recovery: Optional[Recovery] = None
        self._hello_at = self._read_at = NEVER
        self._trouble_noted = ""
        self.doubt = Doubt(config, self.state)
        self.dcs = Dcs(self.state)
        self.cut_off = CutOff(self)
        self._in_sync_noted = ""
        self._handlers: Dict[type, Callable[[Any, float], None]] = {
            Started: self._started, Tick: self._tick, Flush: self._flush, RecordRead: self._record_read,
            SwapAnswer: self._swap_answer, DcsHealth: self._dcs_health, Received: self._received, LinkUp: self._link_up,
            LinkDown: self._link_down,
            Stored: self._stored, SnapshotFetched: self._snapshot_fetched, SnapshotInstalled: self._snapshot_installed,
            TwinSeen: self._twin_seen, BlobStored: self._blob_stored, VipHealth: self.able.take,
            BlobUnavailable: self._blob_unavailable,
            ReleaseNotice: self._release_notice, Released: self._released, Submit: self._submit, KeepAlive: self._keep_alive,
            Operator: self._operator, DriverHello: self.driving.take, DriverGone: self.driving.take, DriverDone: self.driving.take,
            DriverStopped: self.driving.take, DriverHealth: self.driving.take, DriversExpected: self.driving.take,
            DiskRoom: self.able.take, GoOn: self._go_on,
        }  # fmt: skip
        self._readers: Dict[type, Callable[[str, Any, float], None]] = {
            Hello: self._on_hello, Append: self._on_append, Ack: self._on_answer, Reject: self._on_answer, BlobHeld: self._on_answer,
            BlobWanted: self._on_blob_wanted, UseSnapshot: self._on_use_snapshot, Refuse: self._on_refuse, TakeOver: self._on_take_over,
            TailWanted: self._on_tail_wanted, Tail: self._on_tail,
        }  # fmt: skip

    def handle(self, event: Event, now: float) -> List[Command]:
        """Take one event at time ``now`` (seconds, CLOCK_BOOTTIME); return the commands that follow from it."""
        self._handlers[type(event)](event, now)
        if self.leading is not None and self.leading.over:
            self.step_down(self.leading.over, now)
        self.trust.tend(now)
        self.able.tend(now)
        self._follow_members()
        self.driving.tend(event, now)
        commands = list(self.out)
        self.out.clear()
        return commands

    # --- questions ----------------------------------------------------------------------------------------------------

    @property
    def me(self) -> Member:
        return Member(self.config.node, self.state.incarnation)

    @property
    def record(self) -> Record:
        return self.state.record or NO_RECORD

    def serving(self, now: float) -> bool:
        return self.leading is not None and self.leading.serving(now)

    @property
    def to_flush(self) -> bool:
        """Whether a Flush is due: there is something to write, and it need not wait for the batch before it."""
        return self.leading is not None and self.leading.to_flush

    def wall(self, now: float) -> float:
        """Return the wall-clock time as far as a node knows it: for dates that people read and choose."""
        return now + self.config.wall_offset

    def in_sync(self) -> bool:
        return self.me in self.record.in_sync

    def members(self) -> Dict[str, str]:
        """Return every known node and its URL, from the committed documents."""
        return {doc.key: str(doc.value.get("Url", "")) for doc in self.state.heads.list("nodes")}

    def contents(self) -> Optional[Set[str]]:
        """Return the file contents that are named or on their way, None while our documents may not be the cluster's."""
        if self.trouble or not (self.leading.started if self.leading is not None else self.in_sync()):
            return None
        awaited = self.leading.awaited() if self.leading is not None else self.following.awaited()
        return self.state.contents() | awaited

    # --- start and record ---------------------------------------------------------------------------------------------

    def _started(self, event: Started, now: float) -> None:
        self.election.restart(now)
        self._read_at = now
        self.state.tell_time(now)
        known = self.state.record is not None and self.state.cluster_id
        if known and self.config.shared and self.record.active != self.config.node:
            self._become_passive(now)  # by what it knows: it follows on while the store is out, and begins nothing
        for node, url in self.members().items():
            if node != self.config.node:
                self.out.append(Connect(node, url))
        self.out.append(ReadRecord())

    def _record_read(self, event: RecordRead, now: float) -> None:
        if self.leading is not None and event.version == self.state.version and not event.watched:
            self.leading.seen(now)
        swap = self.leading.swap if self.leading is not None and self.leading.swap is not None else self.swap
        if swap is not None:
            settled = swap.read(event.version, event.record)
            if settled is None:
                return
            self._settle(settled, now)
        self.observe(event.version, event.record, now)
        self._decide_snapshot()
        if self._trying:
            self._trying = False
            if self._may_try(now):
                self.promote(self.promoted(), self.able.why_now(self._why_now(now)), now)

    def _swap_answer(self, event: SwapAnswer, now: float) -> None:
        swap = self.leading.swap if self.leading is not None and self.leading.swap is not None else self.swap
        if swap is not None:
            commands, settled = swap.answer(event.nonce, event.done, event.version, event.refused)
            self.out.extend(commands)
            if settled is not None:
                self._settle(settled, now)

    def _dcs_health(self, event: DcsHealth, now: float) -> None:
        self.dcs.take(event)
        self.cut_off.tend(now)

    def _settle(self, settled: Settled, now: float) -> None:
        if self.leading is not None and self.leading.swap is not None:
            self.leading.settled(settled, now)
            if not settled.done and not settled.refused:
                self.observe(settled.version, settled.record, now)
            self.hello_all(False, now)
            return
        self.swap = None
        if settled.purpose in ("promote", "start", "create"):
            self.orders.promotion_settled(settled)
        if settled.refused:
            self._promotion_refused(settled.refused, now)
            return
        if not settled.done:
            self.election.restart(now)
            self._become_passive(now)
            self.observe(settled.version, settled.record, now)
            return
        self.state.remember(settled.version, settled.record)
        self._clear_note()
        if settled.purpose == "create":
            self._join_cluster(self.record.cluster_id)
        if self.record.active == self.config.node and self.record.epoch.number > self.state.promised.number:
            self.lead(settled.purpose, now)
        else:
            self._become_passive(now)
            self.hello_all(True, now)

    def _promotion_refused(self, why: str, now: float) -> None:
        """No copy of our swap can come to anything any more: go on following, so that the active is not kept from serving."""
        self.state.note("error", f"not active: {why}")
        if not self._noted_before:  # else one of an earlier life may come to something
            self.state.noted = -1
            self.state.store(meta={"noted": -1})
        self.election.restart(now)
        self._become_passive(now)

    def _clear_note(self) -> None:
        if self.state.noted >= 0 and self.state.version != self.state.noted:
            self.state.noted = -1
            self.state.store(meta={"noted": -1})

    def _join_cluster(self, cluster_id: str) -> None:
        self.state.cluster_id = cluster_id
        self.state.store(meta={"cluster_id": cluster_id})

    def observe(self, version: int, record: Optional[Record], now: float) -> None:
        """Act on what the record says."""
        if record is None:
            self._no_record(now)
            return
        known_before, epoch_before = self.record.active, self.record.epoch
        if self.doubt.is_forced_anew(version, record):
            self.state.believe(version, record)
        elif self.doubt.is_older(version, record):
            self._doubt(version, record, now)
            return
        self._end_doubt()
        self._read_once = True
        if self.state.cluster_id and record.cluster_id != self.state.cluster_id:
            self._stop(f"the data here belongs to cluster {self.state.cluster_id}, the record to {record.cluster_id}: point "
                       "this node to its own store, or give it an empty data directory", now)  # fmt: skip
            return
        if not self.state.cluster_id:
            self._join_cluster(record.cluster_id)
        self.state.remember(version, record)
        if self.record.epoch != epoch_before:
            self.election.restart(now)
        self._clear_note()
        self.trouble = ""
        if self.leading is not None:
            if record.active != self.config.node or record.epoch != self.leading.epoch:
                self.leading.over = f"{record.active or 'nobody'} is active in epoch {record.epoch.number}"
        elif self.swap is None and self._noting is None:
            self._place(record, now)
        if self.leading is None and record.active != known_before:
            self.out.append(RoleChanged(self.role, record.active, record.active_url))
        if not self.trouble:
            self._trouble_noted = ""
        self._note_in_sync()

    def believe_store(self) -> bool:
        """A person forces us: if the store is older than we know, or empty, go on from what it shows; return whether it was."""
        if self.doubt.shown is None:
            return False
        self.state.believe(*self.doubt.shown)
        self.swap = None  # one from before can't come to anything
        self._end_doubt()
        return True

    def _end_doubt(self) -> None:
        if self.doubt.stands and self.leading is not None:
            self.leading.trouble, self.leading.in_doubt, self.leading.doubtful = "", False, None
        self.doubt.end()

    def _doubt(self, version: int, record: Optional[Record], now: float) -> None:
        """An older record than we know of, or none: ask again, and believe it when it is said again and again."""
        if not self.doubt.stands:
            self.out.append(ReadRecord())
        text = self.doubt.look(version, record, now)
        if text and self.leading is None:
            self._stop(text, now)
        elif text and self.leading is not None:
            # It goes on serving as long as all that could be promoted by that record acknowledge, too.
            self.leading.in_doubt, self.leading.doubtful = True, record
            if self.leading.trouble != text:
                self.leading.trouble = text
                self.state.note("error", text)

    def _place(self, record: Record, now: float) -> None:
        """Take the place that the record gives to a node that is not active now."""
        if self.installing:
            return
        if self.me in record.in_sync and not self.state.reaches_floor(record):
            self._become_passive(now)
            self._stop(f"the log here ends at {self.state.log.end.seq}, without entry {record.floor} that was acknowledged: this "
                       "disk was set back; make another node active, and this one copies what it lacks", now)  # fmt: skip
        elif record.active != self.config.node:
            self._become_passive(now)
        elif self.me not in record.in_sync:
            self._stop(f"the record names {self.config.node} as active with another data directory: the data here is not "
                       "that of the active; restore it, or make another node active", now)  # fmt: skip
        elif self.role == "passive" and self._is_handed_over(record):
            self.lead("handed over", now)
        elif self._may_start_again() and self._recovered(record, now):
            self.start_epoch("start", now)

    def _is_handed_over(self, record: Record) -> bool:
        """Whether another has made us active: an epoch that a process of ours began, or a copy of it, is not to be continued."""
        return record.epoch.number > self.state.promised.number and record.holder not in ("", self.config.node)

    def _may_start_again(self) -> bool:
        """Whether the active that the record names, and we were, may go on in a new epoch: also if it stepped down and nobody followed."""
        if self.config.shared:
            return self.role in ("starting", "passive")
        return self.role == "starting" and self._all_heard()

    def _outruled(self, record: Record) -> str:
        """Return the in-sync member that has promised itself to a newer epoch than the record has, or ""."""
        for member in record.in_sync if self.config.shared else ():
            hello = self.peers.get(member.node)
            if hello is not None and hello.incarnation == member.incarnation and hello.promised.number > record.epoch.number:
                return member.node
        return ""

    def _recovered(self, record: Record, now: float) -> bool:
        knows = self._outruled(record)
        if knows:
            self._stop(f"{knows} has promised itself to a newer epoch than {record.epoch.number}, which the store shows: it was rolled "
                       f"back, or {knows} has not read it yet; look at {knows}, and make it active by force if need be", now)  # fmt: skip
            return False
        if self.twins.doubted(now):
            return False
        if self._recovery is None:
            self._recovery = Recovery(self.config.node, self.state, self.config.timing.silence, now)
        return self._recovery.done(record, self.peers, self.out, now)

    def _all_heard(self) -> bool:
        """``manual``: a restarted active asks everybody first, because somebody may have been forced meanwhile."""
        told = (hello.record for node, hello in self.peers.items() if self.trust.knows(node))
        return not self.unheard() and not any(self._apart(record) for record in told)

    def _apart(self, record: Optional[Record]) -> bool:
        """Whether a record is of another history of our cluster: one epoch number with two ids."""
        ours = self.record.epoch
        same = record is not None and record.cluster_id == self.state.cluster_id and record.epoch.number == ours.number
        return same and record is not None and record.epoch.id != ours.id

    def unheard(self) -> List[str]:
        # What our log has, committed or not: of the last entries a start does not know yet that they are.
        tail = self.state.log.after(self.state.commit)
        fresh = {e["key"] for entry in tail for e in entry.body.get("effects", ()) if e["kind"] == "nodes" and "value" in e}
        known = {*self.members(), *self.record.nodes(), *fresh}
        return sorted(n for n in known if n != self.config.node and n not in self.peers)

    def start_epoch(self, purpose: str, now: float) -> None:
        """Swap in the next epoch with the same members (M2)."""
        record = replace(
            self.record, epoch=self.names.epoch_after(self.record.epoch), active=self.config.node, holder="", reason="restarted"
        )  # fmt: skip
        self.send_swap(purpose, self.config.node, record, now)

    def send_swap(self, purpose: str, node: str, record: Record, now: float) -> None:
        if record.active == self.config.node:
            record = replace(record, active_url=self.config.url)
        record = replace(record, nonce=self.names.nonce()).raising_floor(self.state.applied)
        swap = Swap(self.state.version, next_version(self.state.version, self.record, record), record)
        self.swap = PendingSwap(purpose, node, swap, now)
        self.out.append(swap)

    def promoted(self) -> Record:
        """Return the record with this node active in a new epoch and the old active out of the in-sync set."""
        record = self.record
        base = record.without(record.active) if record.active not in ("", self.config.node) else record
        return replace(
            base, epoch=self.names.epoch_after(record.epoch), active=self.config.node, active_url=self.config.url,
            holder="", nonce=self.names.nonce(),
        ).raising_floor(self.state.applied)  # fmt: skip

    def promote(self, record: Record, reason: str, now: float, heard: float = NEVER) -> None:
        """Note the version durably, then swap (M3): from here on the old active gets no acknowledgement from us.

        ``heard``: until when others may have acknowledged what it sent.
        """
        record = replace(record, reason=reason)
        vacant = not self.record.active and bool(self.record.holder)
        self._free = vacant or self.election.released(self.record)
        self.driving.promoting(vacant, max(heard, self._heard(), self.election.since))
        self._set_role("taking", now)
        self._noted_before = self.state.noted >= 0
        self.state.noted = max(self.state.version, 0)  # also where a person goes on from a store without a record
        self._pending_promotion = Swap(self.state.version, next_version(self.state.version, self.record, record), record)
        self._noting = self.state.store(meta={"noted": self.state.noted})

    def _no_record(self, now: float) -> None:
        if self.state.known >= 0 or (self.state.cluster_id and self.config.shared):
            self._doubt(-1, None, now)
        elif self.config.may_create and not self.state.cluster_id:
            self.create(self.names.nonce(), now)
        elif self.role != "passive":
            self._set_role("unjoined" if not self.state.cluster_id else "passive", now)

    def create(self, cluster_id: str, now: float) -> None:
        """Make a new cluster with this node as its active and only member."""
        record = Record(
            cluster_id, self.names.epoch_after(NO_RECORD.epoch), self.config.node, (self.me,),
            mode=self.config.mode, min_in_sync=self.config.min_in_sync,
        )  # fmt: skip
        self.send_swap("create", self.config.node, record, now)

    # --- roles --------------------------------------------------------------------------------------------------------

    def _set_role(self, role: str, now: float) -> None:
        if role != self.role:
            self.role = role
            self.out.append(RoleChanged(role, self.record.active, self.record.active_url))

    def _become_passive(self, now: float) -> None:
        if self.role not in ("passive",):
            self._set_role("passive", now)
            self.following.need_all_blobs(self.record.active)
            self.hello_all(True, now)

    def _stop(self, trouble: str, now: float) -> None:
        """Something only a person can settle: say so, serve nothing, promise nothing."""
        self.trouble = trouble
        if trouble != self._trouble_noted:
            self._trouble_noted = trouble
            self.state.note("error", trouble)
        if self.leading is not None:
            self.leading.over = trouble

    def lead(self, how: str, now: float) -> None:
        """Begin a reign; the record already names us. What the log has is evaluated first, a part at a time: all else goes on meanwhile."""
        self.swap = self._recovery = None
        self.trouble = ""
        if self.state.catch_up(APPLIED_AT_ONCE):
            self._becoming = None
            self._begin_reign(how, now)
            return
        self._becoming = (how, self.record.epoch)
        self._set_role("taking", now)
        self.out.append(Later())

    def _go_on(self, event: GoOn, now: float) -> None:
        """Go on becoming active, unless the role is another's by now, or on its way."""
        becoming, self._becoming = self._becoming, None
        if becoming is None or self.role != "taking" or self.swap is not None or self._noting is not None:
            return
        how, epoch = becoming
        if self.record.active == self.config.node and self.record.epoch == epoch:
            self.lead(how, now)
        else:
            self._become_passive(now)
            self._place(self.record, now)

    def _begin_reign(self, how: str, now: float) -> None:
        reason = self.record.reason or how
        # Whoever made way has said that the VIP is gone; after mere silence the network is asked.
        # A record that names who handed over was written after the VIP was released; one of an earlier life of ours was not.
        free, self._free = self._free or self.record.holder not in ("", self.config.node), False
        self.state.clock.lean(now, self.wall(now))
        history = self._history(reason, now)
        self.leading = Leading(self.config, self.state, self.names, history, now, free)
        self._set_role("active", now)
        own = node_document(self.config.url, self.config.version, self.config.system)
        self.leading.put_document("nodes", self.config.node, own, now)
        self._keep_history(self.leading, self.driving.begin(self.leading, how, now), now)
        self.leading.flush(now)
        self.hello_all(True, now)
        self.leading.tick(now)

    def _history(self, reason: str, now: float) -> Dict[str, Any]:
        """Return who is active since when and why."""
        epoch, at = self.record.epoch, round(self.wall(now), 3)
        forced = {"Forced": True} if self.record.forced_epoch == epoch else {}
        return {"Epoch": epoch.number, "Id": epoch.id, "Node": self.config.node, "Reason": reason, "At": at, **forced}

    def _keep_history(self, leading: Leading, drivers: Dict[str, Any], now: float) -> None:
        """Say of this reign what of its drivers is known; the oldest reigns are forgotten."""
        key = str(self.record.epoch.number)
        document = self.state.heads.speculative("history", key)
        if document is not None and drivers:
            leading.put_document("history", key, {**document.value, **drivers}, now)
        kept = sorted(self.state.heads.list("history"), key=lambda document: int(document.key))
        for old in kept[: max(0, len(kept) - MOST_HISTORY)]:
            leading.submit_own(Change("history", old.key, "delete"), now)

    def step_down(self, why: str, now: float) -> None:
        leading, self.leading = self.leading, None
        if leading is None:
            return
        self.state.note("warning" if leading.handover is None else "info", f"{self.config.node} is passive now: {why}")
        self.out.append(Lease(None))
        leading.end(why)
        self.swap = leading.swap if leading.swap is not None else self.swap
        self.following = Following(self.config, self.state)
        self.election.restart(now)
        self._in_sync_noted = ""
        self._become_passive(now)
        self.out.append(ReadRecord())

    def _note_in_sync(self) -> None:
        if self.following.active != self.record.active:
            return
        if self.role == "passive" and self.in_sync() and self._in_sync_noted != self.state.incarnation:
            self._in_sync_noted = self.state.incarnation
            self.state.note("info", "Stream switch to realtime streaming")
            self.out.append(RoleChanged(self.role, self.record.active, self.record.active_url))
        elif self.role == "passive" and not self.in_sync():
            self._in_sync_noted = ""

    # --- links and messages -------------------------------------------------------------------------------------------

    def _hello(self, answer: bool, to: str, now: float) -> Hello:
        state, config = self.state, self.config
        return Hello(
            config.node, config.url, state.incarnation, config.ha_id, state.cluster_id, config.version, config.system,
            self.role, state.promised, state.applied, state.log.end, state.record, state.version, answer,
            priority=config.priority, no_failover=config.no_failover, speaks=SPEAKS, process=config.process, host=config.host,
            twins=self.twins.of(to, now), last_forced=state.last_forced(),
            noted=state.noted, unable=self.able.unable, store=self.cut_off.ours, full=self.able.room.full,
        )  # fmt: skip

    def hello_all(self, answer: bool, now: float) -> None:
        self._hello_at = now
        for node in sorted(self.links):
            self.out.append(Send(node, self._hello(answer, node, now)))

    def _link_up(self, event: LinkUp, now: float) -> None:
        self.links.add(event.node)
        self.contact[event.node] = now
        self.out.append(Send(event.node, self._hello(True, event.node, now)))

    def _link_down(self, event: LinkDown, now: float) -> None:
        self.links.discard(event.node)
        self.twins.link_down(event.node)
        if self.leading is None:
            self.contact[event.node] = now  # passives say little to each other, but a link ends soon after its node
        if removed(self.state, event.node):
            self.out.append(Disconnect(event.node))

    def _received(self, event: Received, now: float) -> None:
        node, message = event.node, event.message
        self.contact[node] = now
        self._readers[type(message)](node, message, now)

    def _on_blob_wanted(self, node: str, message: BlobWanted, now: float) -> None:
        if self.leading is None and node == self.record.active:  # asks again, where we have not read of it yet
            self.following.blob_wanted(node, message)

    def _on_take_over(self, node: str, message: TakeOver, now: float) -> None:
        if message.node == node:
            self.orders.take_over(message, now)

    def _on_tail_wanted(self, node: str, message: TailWanted, now: float) -> None:
        """Who was active and is again asks what it may have lost: only that node, of a member."""
        if self.leading is None and node == self.record.active and self.in_sync():
            self.out.append(Send(node, tail_after(self.state, message.after, BATCH_ENTRIES, BATCH_BYTES)))

    def _on_tail(self, node: str, tail: Tail, now: float) -> None:
        if self._recovery is None or self.leading is not None or self.swap is not None or not self._read_once:
            return
        if self._recovery.take(node, tail, self.record):
            for entry in tail.entries:
                for sha in entry.blobs:
                    self.following.need_blob(sha, entry.seq, node)
            self._place(self.record, now)

    def _on_answer(self, node: str, message: Message, now: float) -> None:
        if isinstance(message, Reject) and message.promised.number > self.record.epoch.number:
            self.trust.ask((node, message.promised), now)
        if self.leading is None:
            return
        follower = self.leading.followers.by_node.get(node)
        if isinstance(message, (Ack, Reject)) and follower is not None and follower.process != message.process:
            self.out.append(Send(node, self._hello(True, node, now)))  # another process, whose Hello was lost: who is it?
            return
        if isinstance(message, Ack):
            self.leading.ack(node, message, now)
        elif isinstance(message, Reject):
            self.leading.reject(node, message, now)
        elif isinstance(message, BlobHeld):
            self.leading.blob_held(node, message, now)

    def play(self, node: str, message: Message, now: float) -> None:
        """Take what has waited for the record."""
        if isinstance(message, Append):
            self._on_append(node, message, now)
        elif isinstance(message, UseSnapshot):
            self._on_use_snapshot(node, message, now)
        elif isinstance(message, Refuse):
            self._on_refuse(node, message, now)

    def _on_append(self, node: str, message: Append, now: float) -> None:
        if node not in self.peers or self.peers[node].cluster_id != self.state.cluster_id:
            return  # not introduced yet
        if message.record is not None:
            self._news(node, message.record_version, message.record, now)
        if self.trust.is_stale(message.epoch):
            self.following.refuse_stale(node, message.epoch)
        elif message.epoch != self.record.epoch:
            if self.leading is None:
                self.trust.hold(node, message, now)
            else:
                self.trust.ask((node, message.epoch), now)  # it goes on until the record says that it is over
        elif self.trust.is_active(node, message.epoch) and self.role == "passive" and not self.installing:
            self.twins.accepted()
            self.following.append(node, message, now)
            self._note_in_sync()

    def _on_use_snapshot(self, node: str, message: UseSnapshot, now: float) -> None:
        if self.leading is not None or self.trust.is_stale(message.epoch):
            return
        if message.epoch != self.record.epoch:
            self.trust.hold(node, message, now)
        elif not self.trust.is_active(node, message.epoch):
            return
        elif self.in_sync():  # as far as we know: then a disk with every acknowledged write is not to be replaced
            self.following.refused = f"{node} says that this disk left the in-sync set; it is kept until the store says so, too"
            self.trust.ask((node, message.epoch), now)
        else:
            self.following.use_snapshot(node, message)

    def _on_refuse(self, node: str, message: Refuse, now: float) -> None:
        if message.code == "diverged" and node != self.record.active:
            if self.leading is None:
                self.trust.hold(node, message, now)
            return
        if self.following.refused != message.detail:
            self.following.refused = message.detail
            self.state.note("error", f"{node} refuses this node: {message.detail}")
        if message.code == "diverged" and not self.in_sync():
            self._keep_tail(message.reigns)
            if self.config.discard:
                self.out.append(FetchSnapshot(node))
        elif message.code == "twin":
            self.twins.refused(message.detail, self.out, now, self.trust.knows(node))

    def _keep_tail(self, reigns: Reigns) -> None:
        """Keep what our log has beyond the history of those who go on without us."""
        tail = self.state.log.after(reigns.fork(self.state.log)) if reigns else []
        if tail:
            self.out.append(KeepTail(tuple(tail)))

    def _on_hello(self, node: str, hello: Hello, now: float) -> None:
        if node not in self.links:
            self.out.append(Connect(node, hello.url))  # also to tell it why it is refused
        why = incompatible(self.config, self.state.cluster_id, hello)
        if why:
            self._refuse_peer(node, hello, why)
            return
        if not self._is_welcome(node, hello, now):
            return
        self.refused.pop(node, None)
        self.able.heard(self.peers.get(node), hello)
        self.cut_off.heard(hello, now)
        self.peers[node] = hello
        if hello.answer:
            self.out.append(Send(node, self._hello(False, node, now)))
        for twin in hello.twins if self.trust.knows(node) else ():
            self.twins.seen(self.config.node, twin, now)
        if self._is_to_be_joined(hello):
            self._join_cluster(hello.cluster_id)
        if hello.record is not None:
            self._news(node, hello.record_version, hello.record, now)
        if self.leading is not None and not self.leading.over and hello.role != "active":
            self.leading.hello(hello, now)
        elif self.leading is None and self.role == "starting" and self._read_once and not self.swap:
            self._place(self.record, now)

    def _is_to_be_joined(self, hello: Hello) -> bool:
        """Whether a node without data belongs to the cluster of this one; where there is a store, that says so."""
        record = hello.record
        alone = not self.state.cluster_id and not self.config.shared
        return alone and record is not None and record.active == hello.node and bool(record.cluster_id == hello.cluster_id != "")

    def _is_welcome(self, node: str, hello: Hello, now: float) -> bool:
        """Whether this is the one process of that name, and of a node that was not removed."""
        if hello.node != node:
            return False
        alive = self._speaks(node, self.peers.get(node), now)
        why = self.twins.check(hello, self.peers.get(node), alive, now)
        if why:
            self.out.append(SendBack(node, hello.process, Refuse("twin", why)))
            if why != NOT_YET:
                self.out.append(Send(node, self._hello(False, node, now)))  # the one that stays is told of it
            return False
        if not removed(self.state, node):
            return True
        if self.leading is not None:
            self.out.append(Send(node, Refuse("removed", REMOVED.format(node))))
        return False

    def _speaks(self, node: str, hello: Optional[Hello], now: float) -> bool:
        """Whether the process that said this Hello is certainly alive: it has just spoken, on a link that is up."""
        if hello is None or node not in self.links:
            return False
        silence = self.config.timing.silence
        if self.leading is not None:
            follower = self.leading.followers.by_node.get(node)
            return follower is not None and follower.process == hello.process and now - follower.stamp <= silence
        return self.following.active == node and now - self.following.heard <= silence

    def _twin_seen(self, event: TwinSeen, now: float) -> None:
        self.twins.beside(self.config.node, event.where, now)

    def _follow_members(self) -> None:
        """Nodes that were added or removed: keep a link to those who are there."""
        for command in tuple(self.out):
            for kind, key, document in command.documents if isinstance(command, Changed) else ():
                if kind == "nodes" and key != self.config.node:
                    url = "" if document is None else str(document.value.get("Url", ""))
                    self.out.append(Disconnect(key) if document is None else Connect(key, url))

    def _refuse_peer(self, node: str, hello: Hello, why: str) -> None:
        if self.refused.get(node) != why:
            self.refused[node] = why
            self.state.note("error", f"refused {node}: {why}")
        if self.leading is not None:
            self.out.append(Send(node, Refuse("incompatible", why)))
        elif hello.role == "active":
            self.following.refused = why
            foreign = self.state.cluster_id and hello.ha_id == self.config.ha_id and hello.cluster_id != self.state.cluster_id
            foreign = foreign and hello.record is not None and hello.record.active == node
            if foreign and self.config.discard and not self.config.shared and self.role != "active":
                self.out.append(FetchSnapshot(node))

    def _news(self, node: str, version: int, record: Record, now: float) -> None:
        """A peer told of a newer record: read the shared store, or take the copy that travels with the data."""
        if self.config.shared and version > self.state.version:
            self.trust.ask(version, now)
        elif record.cluster_id != self.state.cluster_id:
            return
        elif version <= self.state.version or self._apart(record):
            if self.trust.knows(node):
                self._diverged_record(node, version, record)
        elif self.trust.takes(node, version, record):
            if self.leading is not None:
                self.leading.over = f"{record.active or 'nobody'} is active in epoch {record.epoch.number}"
            self.out.append(Adopt(version, record))

    def _diverged_record(self, node: str, version: int, record: Record) -> None:
        """One epoch number with two ids: both sides were forced. They are never merged; a person says which one is given up."""
        if not self._apart(record) or self.leading is not None:
            return
        if self.config.discard and not self.config.shared and record.active != self.config.node:
            self.state.forget_record()
            self.out += [ForgetRecord(), Adopt(version, record)]
        else:
            self.following.refused = (
                f"{node} and this node were both forced into epoch {record.epoch.number}: decide which history to keep, and start "
                "the other with --discard-foreign-data"
            )

    # --- the rest -----------------------------------------------------------------------------------------------------

    def _stored(self, event: Stored, now: float) -> None:
        if self.leading is not None:
            self.leading.stored(event.id, now)
        else:
            self.following.stored(event.id)
        if self._noting is not None and event.id >= self._noting:
            self._noting = None
            swap, self._pending_promotion = self._pending_promotion, None
            if swap is not None:
                self.swap = PendingSwap("promote", self.config.node, swap, now)
                self.out.append(swap)

    def _snapshot_fetched(self, event: SnapshotFetched, now: float) -> None:
        """The record is read once more first: this disk may have come to be in sync while the snapshot was copied."""
        self._fetched, self._read_at = event, NEVER
        self._reread(now)

    def _decide_snapshot(self) -> None:
        fetched, self._fetched = self._fetched, None
        if fetched is None:
            return
        why = self._unwanted(fetched)
        if why:
            self.out.append(DropSnapshot(fetched.incarnation, why))
            return
        self.installing = True
        self.out.append(InstallSnapshot(fetched.incarnation))

    def _unwanted(self, event: SnapshotFetched) -> str:
        """Return why a snapshot is not to replace our data, or ""."""
        if self.installing:
            return "another one is being put in place"
        if self.leading is not None or self.in_sync():
            return "this node is in sync without it"
        if self.swap is not None or self._noting is not None:
            return "this node is becoming active"
        if self.state.cluster_id and event.cluster_id != self.state.cluster_id:
            return "" if self.config.discard else f"it is of another cluster, {event.cluster_id}"
        if not event.reigns:
            return ""
        state, forced = self.state, self.state.last_forced()
        if strays(event.reigns, state.applied, state.log.end, event.forced, self.config.shared, forced):
            self._keep_tail(event.reigns)
            if not self.config.discard:
                self.following.refused = (
                    f"this node's history differs from that of {event.node}; nothing was discarded: save what you need, then "
                    "start it with --discard-foreign-data"
                )
                return self.following.refused
        return ""

    def _snapshot_installed(self, event: SnapshotInstalled, now: float) -> None:
        if self.leading is not None:
            raise ValueError("the data were replaced while this node was active")
        self.installing = False
        promised, cluster, cleared = self.state.promised, self.state.cluster_id, self.state.cleared
        self.state.load(event.saved, event.loaded)
        self.state.cleared = cleared  # of this node, whatever its disk
        if cluster and cluster != self.state.cluster_id:
            promised = self.state.promised  # promises and record are those of another cluster
            self.state.forget_record()
            self.out.append(ForgetRecord())
        self.following = Following(self.config, self.state)
        keep = promised if promised.number > self.state.promised.number else self.state.promised
        self.state.store(meta={**self.state.promise(Epoch(*keep)), "cleared": cleared})
        self.state.keep_record()
        self.following.need_all_blobs(self.record.active)
        self.hello_all(True, now)

    def _blob_stored(self, event: BlobStored, now: float) -> None:
        self.following.blob_stored(event.sha256)

    def _blob_unavailable(self, event: BlobUnavailable, now: float) -> None:
        self.following.blob_unavailable(event.sha256)

    def _released(self, event: Released, now: float) -> None:
        if self.leading is not None and self.leading.handover is not None and self.leading.handover.released:
            self.leading.handover.vip_gone = True
            self.leading.released(now, self.driving.drivers.at_rest(now))

    def _submit(self, event: Submit, now: float) -> None:
        if self.leading is None:
            self.out.append(Reply(event.id, not_applied("not_active", f"{self.config.node} is not active; nothing was changed")))
        else:
            self.leading.submit(event, now)

    def _keep_alive(self, event: KeepAlive, now: float) -> None:
        if self.leading is None:
            self.out.append(Reply(event.id, not_applied("not_active", f"{self.config.node} is not active; ask the active")))
        else:
            self.leading.keep_alive(event, now)

    def _operator(self, event: Operator, now: float) -> None:
        try:
            self.orders.take(event, now)
        except Problem as problem:
            self.out.append(Reply(event.id, problem))

    def _flush(self, event: Flush, now: float) -> None:
        if self.leading is not None:
            self.leading.flush(now)

    def _tick(self, event: Tick, now: float) -> None:
        timing = self.config.timing
        self.state.tell_time(now)
        self.state.heads.parsed.pack(PACKED_A_TICK)
        if self.leading is not None:
            if event.wall:
                self.state.clock.lean(now, event.wall)
            self.leading.tick(now)
            if self.doubt.stands:
                self._reread(now)
            quiet = self.links - set(self.leading.followers.by_node)
        else:
            self.following.go_on()
            quiet = self.links if now - self.following.heard > timing.lease else set()
            if self.swap is not None:
                self.out.extend(self.swap.tick(now))
            elif self._waits_for_record():
                self._reread(now)
            else:
                self._consider(now)
        if quiet and now - self._hello_at > timing.silence:
            self._hello_at = now
            for node in sorted(quiet):
                self.out.append(Send(node, self._hello(True, node, now)))
        self.orders.tick(now)
        self.cut_off.tend(now)

    def _waits_for_record(self) -> bool:
        waits = self._fetched is not None or self._recovery is not None or self.state.noted >= 0 or self.role == "starting"
        return waits or bool(self.trouble) or self.doubt.stands

    # --- becoming active by itself ------------------------------------------------------------------------------------

    def _may_try(self, now: float) -> bool:
        """Whether this node may try to become active without having been told to."""
        record, config = self.record, self.config
        if not config.shared or config.no_failover or record.paused or record.active in ("", config.node):
            return False
        if self.role != "passive" or self.swap is not None or self._noting is not None or self.installing:
            return False
        if self.trouble or self.dcs.refuses or self.doubt.stands or not self.in_sync() or not self.state.reaches_floor(record):
            return False
        if self.twins.doubted(now):
            return False  # we hear nothing of the active because another process follows it under our name
        if self._outruled(record):
            return False
        rank = self.election.rank(self.state.log.end, record, self.peers, self.able.fit)
        return self.election.due(record, self._heard(), rank, now)

    def _heard(self) -> float:
        return self.following.heard if self.following.active == self.record.active else NEVER

    def _why_now(self, now: float) -> str:
        active = self.record.active
        if self.election.released(self.record):
            return f"{active} ended"
        heard = self._heard()
        return f"{active} was silent" + (f" for {now - heard:.1f} s" if heard > NEVER else " since this node started")

    def _consider(self, now: float) -> None:
        """Look at the record once more before a promotion: it is not begun while the store can't be reached (I6)."""
        soon = self._may_try(now + PROBE_AHEAD)
        if soon and not self._prepared:
            self.out.append(Prepare())
        self._prepared = soon
        if self._may_try(now):
            self._trying = True
            self._reread(now)
        elif self.config.shared and now - max(self._heard(), self._read_at) > LOOK_AGAIN:
            self._read_at = now  # the active may have died before it could tell of a pause that ended, or of who is in sync
            self.out.append(ReadRecord())

    def _release_notice(self, event: ReleaseNotice, now: float) -> None:
        if event.drivers:
            self.driving.notice(event.node, event.epoch, now)
        if self.leading is not None:
            return
        if self.election.release(event.node, event.epoch, self.record, now, event.drivers):
            self.state.note("info", f"{event.node} has released the active role of epoch {event.epoch.number}")
            self._read_at = NEVER
            self._consider(now)

    def _reread(self, now: float) -> None:
        """Ask the store again: the answer may have been lost."""
        if now - self._read_at > REPEAT_AFTER:
            self._read_at = now
            self.out.append(ReadRecord())
