# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reign: one node being active in one epoch, from its first entry until it hands over or steps down. Pure.

Serves only when everything it found in its log at the start has committed in its own epoch, and only within its lease.
"""
from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any, Deque, Dict, List, Optional, Sequence, Set, Tuple

from ...ground.problem import Problem
from ..commands import Lease, ReadRecord, Reply, RoleChanged, Send, Swap
from ..coordination.leases import is_same_owner, no_lease
from ..model.config import Names, NodeConfig, next_version
from ..model.documents import Change
from ..model.limits import shown
from ..model.messages import Ack, BlobHeld, BlobWanted, Hello, Reject
from ..model.record import NO_RECORD, Member, Record
from ..model.requests import KeepAlive, Submit
from ..model.timing import NEVER
from ..state.state import State
from ..state.submissions import Submissions, not_applied
from .client_leases import ClientLeases
from .dcs_health import Asked
from .followers import Follower, Followers
from .handover import Handover
from .swaps import REPEAT_AFTER, PendingSwap, Purpose, Settled
from .token_ends import TokenEnds

ENDS = frozenset({"check", "delete", "release", "revoke", "expire", "untie", "resign", "break"})  # actions that a full disk takes
SWITCHING = "the active role is moving to another node; try again"
BLOB_PATIENCE = 900.0  # seconds that a file may take to reach the passives


class Leading:
    """One reign. ``over``: it ends with the event that is being taken; nothing is served any more."""

    def __init__(
        self, config: NodeConfig, state: State, names: Names, history: Dict[str, Any], now: float, free: bool = False
    ) -> None:
        """``history``: the value of the reign's history document, but for the number of its first entry."""
        self.config = config
        self.state = state
        self.names = names
        record = state.record or NO_RECORD
        self.epoch = record.epoch
        self.me = Member(config.node, state.incarnation)
        self.followers = Followers(config, self.epoch, state, lambda: self.record.forced_epoch, now)
        self.submissions = Submissions(state, self.epoch)
        self.client_leases = ClientLeases(config.timing.rate_error, config.timing.lease)
        self._token_ends = TokenEnds(state.heads)
        self.swap: Optional[PendingSwap] = None
        self.handover: Optional[Handover] = None
        self.moves = False  # it is about to be begun, to a node that would serve better
        self.over = False
        self.trouble = ""
        self.in_doubt = False  # the store shows an older record than ours, or none
        self.doubtful: Optional[Record] = None  # which one: by it, too, somebody may be promoted
        self.record_seen = NEVER  # when the store showed our record last
        self.store_proven = NEVER  # and when it would have taken a swap of it
        self._asked_at = NEVER
        self.lease = NEVER
        self.pre_active: Tuple[str, ...] = ()  # drivers that the VIP and clients wait for
        self.waits_for: Tuple[str, ...] = ()  # those of them that are not active yet
        self._free = free
        self._pausing = 0  # the order that waits for the swap that sets or ends the pause
        self._announced = NEVER
        self._heartbeat_at = NEVER
        self._stores: Deque[Tuple[int, int]] = deque()
        self._blob_waits: List[Tuple[float, Submit]] = []
        self._blobs_held: Dict[str, Set[Member]] = {}
        if not state.reaches_floor(record):
            raise ValueError(f"a reign begins at entry {state.log.end.seq}, below the floor {record.floor}")
        if not state.catch_up(0):
            raise ValueError(f"a reign begins at entry {state.log.end.seq}, of which not all before it is evaluated")
        # The history document comes with the first entry: so the history of reigns has no gap, wherever a reign ends.
        document = {**history, "First": state.log.end.seq + 1}
        effect = {"kind": "history", "key": str(self.epoch.number), "value": document}
        body = {"start": {"node": config.node, "reason": history["Reason"]}, "effects": [effect]}
        start = self.submissions.append(now, body)
        state.speculate(start)
        self.start_seq = start.seq
        self.durable = -1
        self._stored_through = start.seq
        self._stores.append((state.store([start], meta=state.promise(self.epoch)), start.seq))
        state.note("info", f"{config.node} is active in epoch {self.epoch.number} ({history['Reason']})")

    # --- questions --------------------------------------------------------------------------------------------------

    @property
    def record(self) -> Record:
        return self.state.record or NO_RECORD

    @property
    def started(self) -> bool:
        """Whether all that the log held when the reign began has committed in this epoch."""
        return self.state.commit >= self.start_seq

    def reigning(self, now: float) -> bool:
        """Whether this node may act as the active now: run drivers and, when those it waits for are active, serve."""
        return self.started and not self.over and now < self.lease and not (self.handover and self.handover.released)

    def serving(self, now: float) -> bool:
        """Whether strong reads and writes may be answered now."""
        return self.reigning(now) and not self.waits_for

    def _ours(self) -> List[Record]:
        """Return the records that may stand by our own doing (M1)."""
        return [self.record, self.swap.record] if self.swap else [self.record]

    def counted(self) -> Set[Member]:
        """Return whose acknowledgements commit and lease need: by our records, and by an older one that the store shows."""
        return self.followers.counted([*self._ours(), self.doubtful] if self.doubtful is not None else self._ours())

    # --- writes -----------------------------------------------------------------------------------------------------

    def refusal(self, now: float) -> Optional[Problem]:
        """Return why no write is taken now, or None."""
        if not self.started:
            return not_applied("starting", f"{self.config.node} is becoming active; try again")
        if self.handover is not None and self.handover.store_answers:
            return not_applied("switching", SWITCHING)
        if now >= self.lease:
            return not_applied("lease_ended", f"{self.config.node} lost contact with an in-sync passive; try again")
        if self.waits_for:
            names = ", ".join(self.waits_for)
            return not_applied("drivers", f"{self.config.node} is active but waits for its drivers ({names}); see `batonctl drivers`")
        state = self.state
        if state.log.size(state.commit, state.log.end.seq) > self.config.limits.log_in_flight:
            most = shown(self.config.limits.log_in_flight)
            return not_applied("busy", f"{most} of changes wait for the disks of the in-sync members; try again")
        record = self.record
        if not self.copies_promised():
            copies = f"{len(record.in_sync)} of {record.min_in_sync} in-sync copies"
            return not_applied("too_few_copies", f"mode strict refuses writes with {copies}; bring a passive back")
        return None

    def _no_room(self, request: Submit) -> Optional[Problem]:
        """Return why a full disk refuses a request: what makes room, or ends what was begun, is always welcome."""
        if not self.state.disk_low or all(change.action in ENDS for change in request.changes):
            return None
        if self.moves:
            return not_applied("switching", SWITCHING)
        detail = f"the disk of {self.config.node} is full: make room, there or by deleting documents and files"
        return Problem(507, "disk_full", detail, outcome="not_applied")

    def submit(self, request: Submit, now: float) -> None:
        problem = self.refusal(now) or self._no_room(request)
        if problem is not None:
            self.state.out.append(Reply(request.id, self.submissions.refusal(request, problem)))
        elif request.blobs and not self._blobs_everywhere(request):
            self._blob_waits.append((now, request))
        elif self.submissions.submit(request, now):
            self._renew(request.changes, now)

    def _renew(self, changes: Sequence[Change], now: float) -> None:
        """Who asks for a lease that it has, has it for its full time again, from this moment: it can't end before the answer."""
        for change in changes:
            lease = self.state.heads.speculative("leases", change.key) if (change.kind, change.action) == ("leases", "grant") else None
            if lease is not None and is_same_owner(lease, change):
                self.client_leases.keep(change.key, self.state.heads, now, lease.value["Ttl"])

    def keep_alive(self, event: KeepAlive, now: float) -> None:
        """Extend a client's lease. Nothing is written: whoever is active next gives every lease its full time."""
        problem = self.refusal(now)
        ttl = self.client_leases.keep(event.lease, self.state.heads, now) if problem is None else None
        if ttl is not None:
            self.state.out.append(Reply(event.id, {"Id": event.lease, "Ttl": ttl}))
        else:
            self.state.out.append(Reply(event.id, problem or no_lease(event.lease)))

    def put_document(self, kind: str, key: str, value: Dict[str, object], now: float) -> None:
        """Write a document of our own, unless it is there already."""
        standing = self.state.heads.speculative(kind, key)
        if standing is None or standing.value != value:
            self.submit_own(Change(kind, key, "put", value), now)

    def submit_own(self, change: Change, now: float) -> None:
        """Write a change that no client waits for."""
        self.submissions.submit(Submit(0, (change,)), now)

    # --- file contents: on every counted disk before the entry that names them is appended ---------------------------

    def _blobs_everywhere(self, request: Submit) -> bool:
        missing = False
        for sha in request.blobs:
            held = self._blobs_held.setdefault(sha, set())
            for member in sorted(self.counted() - held):
                missing = True
                self.state.out.append(Send(member.node, BlobWanted(sha)))
        return not missing

    def blob_held(self, node: str, message: BlobHeld, now: float) -> None:
        member = Member(node, message.incarnation)
        if message.sha256 in self._blobs_held and member in self.counted():
            self._blobs_held[message.sha256].add(member)
            self._retry_blobs(now)

    def _retry_blobs(self, now: float) -> None:
        waits, self._blob_waits = self._blob_waits, []
        for since, request in waits:
            if now - since > BLOB_PATIENCE:
                problem = not_applied("file_not_replicated", "a passive did not fetch the file in time; try again")
                self.state.out.append(Reply(request.id, problem))
            elif self.refusal(now) is None and self._blobs_everywhere(request):
                self.submissions.submit(request, now)
            else:
                self._blob_waits.append((since, request))
        waiting = {sha for _since, request in self._blob_waits for sha in request.blobs}
        self._blobs_held = {sha: held for sha, held in self._blobs_held.items() if sha in waiting}

    def awaited(self) -> Set[str]:
        """Return the file contents that are on their way to the passives, so that nothing names them yet."""
        return set(self._blobs_held)

    # --- durability, commit, lease -----------------------------------------------------------------------------------

    @property
    def to_flush(self) -> bool:
        return not self._stores and self.state.log.end.seq > self._stored_through

    def flush(self, now: float) -> None:
        """Write and send everything appended since the last flush, as one batch; the two fsyncs overlap.

        While a batch is being written the next one gathers: its size follows the load, and ``stored`` flushes it.
        """
        if not self.to_flush:
            return
        entries = self.state.log.after(self._stored_through)
        self._stored_through = entries[-1].seq
        for follower in self.followers.by_node.values():
            self._append_to(follower, now, False)
        self._stores.append((self.state.store(entries), self._stored_through))

    def stored(self, store: int, now: float) -> None:
        while self._stores and self._stores[0][0] <= store:
            self.durable = max(self.durable, self._stores.popleft()[1])
        self.advance(now)
        self.flush(now)

    def _append_to(self, follower: Follower, now: float, heartbeat: bool) -> None:
        state = self.state
        at = state.clock.read(now)
        message = self.followers.append_to(
            follower, self._stored_through, state.commit, self.record, state.version, at, now, heartbeat
        )  # fmt: skip
        if message is not None:
            self.state.out.append(Send(follower.node, message))

    def advance(self, now: float) -> None:
        """Move the commit point and the lease to what those who count have acknowledged."""
        counted = self.counted()
        started_now = self._commit(self.followers.commit_point(counted, self.durable), now)
        until = self.followers.lease_until(counted, now)
        if until > now + self.config.timing.lease:
            raise ValueError(f"an acknowledged stamp is {until - self.config.timing.lease - now:.3f} s ahead of this clock")
        if self.started and self.lease <= now < until:
            self.waits_for = self.pre_active  # it had ended, so that they have stopped: first they, then the VIP, as at the beginning
        self.lease = max(self.lease, until)
        if started_now:
            self.state.out.append(RoleChanged("active", self.config.node, self.config.url))
        # In steps: with thousands of acknowledgements a second each would be a message to the guard.
        if self.serving(now) and self.lease - self._announced >= self.config.timing.heartbeat / 2:
            self._announced = self.lease
            self.state.out.append(Lease(self.lease, self._free))
        drained = self.state.commit == self.state.log.end.seq
        if self.handover is not None and self.handover.drained(drained, self.store_proven, now):
            self.state.out.append(Lease(None))

    def _commit(self, point: int, now: float) -> bool:
        """Move the commit point; return whether the reign has started by it."""
        if point <= self.state.commit:
            return False
        if point > self.durable:
            raise ValueError(f"entry {point} would commit, but only {self.durable} is on our disk")
        started = self.started
        self.state.needed_after = self.followers.needed_after(now)
        changed = self.state.apply(point)
        self.client_leases.committed(changed, now)
        self._token_ends.committed(changed)
        self.submissions.committed(self.copies_promised())
        if started or not self.started:
            return False
        waits = f"; waits for its drivers ({', '.join(self.waits_for)})" if self.waits_for else ""
        self.state.note("info", f"serving from entry {self.start_seq} of epoch {self.epoch.number}{waits}")
        return True

    def copies_promised(self) -> bool:
        """Whether what commits now is on as many disks as the mode promises."""
        record = self.record
        return record.mode != "strict" or len(record.in_sync) >= record.min_in_sync

    # --- followers --------------------------------------------------------------------------------------------------

    def hello(self, hello: Hello, now: float) -> None:
        # Who counts by an older record only has acknowledged nothing since it left: it need not have what we have.
        answer = self.followers.hello(hello, self.followers.counted(self._ours()), self.state.commit, now)
        if answer is not None:
            self.state.out.append(Send(hello.node, answer))
        follower = self.followers.by_node[hello.node]
        if follower.refused and self.record.member(hello.node) == follower.member:
            self._distrust(follower)
        self._append_to(follower, now, True)
        waits = hello.role == "passive" and hello.noted >= 0 and hello.noted == self.state.version
        if waits and self.swap is None and self.handover is None and self.started and not self.in_doubt:
            # Its promotion came to nothing, but it can't know while the record stands still: the same one, with another version.
            self.change_record(Purpose.TOUCH, hello.node, self.record, now)

    def ack(self, node: str, ack: Ack, now: float) -> None:
        if ack.epoch == self.epoch and self.followers.ack(node, ack, now):
            self._append_to(self.followers.by_node[node], now, False)
            self.advance(now)
            self.grow(now)

    def reject(self, node: str, reject: Reject, now: float) -> None:
        if reject.epoch != self.epoch:
            return
        answer = self.followers.reject(node, reject, self.followers.counted(self._ours()))
        if answer is not None:
            self.state.out.append(Send(node, answer))
        follower = self.followers.by_node.get(node)
        if follower is None:
            return
        if follower.refused and self.record.member(node) == follower.member:
            self._distrust(follower)
        self._append_to(follower, now, False)

    def _distrust(self, follower: Follower) -> None:
        """An in-sync member contradicts us: it is not to be shrunk away, because it may be us who lost data."""
        if not self.trouble:
            self.trouble = f"{follower.refused}; this node's disk may have been rolled back: make {follower.node} active"
            self.state.note("error", self.trouble)

    def error(self, now: float) -> str:
        """Return what needs a person, or what is about to end the service, or ""."""
        if self.trouble:
            return self.trouble
        late = self.followers.late(self.record, now)
        if not late or not self.started:
            return ""
        who = ", ".join(f"{node} for {seconds:.1f} s" for node, seconds in sorted(late.items()))
        end = "serving has ended" if now >= self.lease else f"serving ends in {self.lease - now:.1f} s"
        return f"in sync, but acknowledging nothing: {who}; unless it is taken out of the in-sync set, {end}: see whether the store answers"

    # --- changes of the record ---------------------------------------------------------------------------------------

    def change_record(self, purpose: Purpose, node: str, record: Record, now: float) -> None:
        """Send a swap; until it is settled old and new members count (M1)."""
        record = replace(record, nonce=self.names.nonce()).raising_floor(self.state.applied)
        swap = Swap(self.state.version, next_version(self.state.version, self.record, record), record)
        self.swap = PendingSwap(purpose, node, swap, now)
        self.state.out.append(swap)

    def grow(self, now: float) -> None:
        """Let followers that caught up count, and bring those into the record that have all since then (M6).

        The record is read between the two: a swap that is begun while the store is out would make us depend on the joiner.
        """
        if self.swap or self.handover or not self.started or self.in_doubt:
            return
        self._introduce(now)
        for follower in self.followers.joined(now):
            if self.record.member(follower.node) == follower.member:
                follower.joining_from = None
            elif self.record_seen >= follower.joining_since:
                self.change_record(Purpose.GROW, follower.node, self.record.adding(follower.member), now)
                return
        joining = [f for f in self.followers.by_node.values() if f.joining_from is not None]
        if not joining:
            joining = [f for f in self.followers.caught_up(self.counted(), now) if self.record.member(f.node) is None][:1]
            for follower in joining:
                follower.joining_from, follower.joining_since = self.state.log.end.seq, now
                self._asked_at = NEVER
        if joining and now - self._asked_at > REPEAT_AFTER and any(self.record_seen < f.joining_since for f in joining):
            self._asked_at = now
            self.state.out.append(ReadRecord())

    def _introduce(self, now: float) -> None:
        """Everybody is to know every node that may become a member, before it does: a restarted active asks them all."""
        for follower in self.followers.by_node.values():
            if not follower.refused:
                own = node_document(follower.url, follower.version, follower.system)
                self.put_document("nodes", follower.node, own, now)

    def shrink(self, now: float) -> None:
        """Take those out who do not acknowledge in time. Joiners that were never in a swap simply stop counting."""
        silent = self.followers.silent(self.counted(), now)
        for follower in self.followers.by_node.values():
            if follower.joining_from is not None and follower.member in silent and not self._may_stand(follower.member):
                follower.joining_from = None
        record = self.record
        if self.swap or self.trouble or self.in_doubt or not any(member in record.in_sync for member in silent):
            return
        for member in silent:
            if record.member(member.node) == member:
                record = record.without(member.node)
        names = ", ".join(sorted(self.record.nodes() - record.nodes()))
        self.state.note("warning", f"{names} does not acknowledge in time: leaving the in-sync set")
        self.change_record(Purpose.SHRINK, names, record, now)

    def _may_stand(self, member: Member) -> bool:
        """Whether a member may be in the record that stands in the store."""
        return any(record is not None and member in record.in_sync for record in (*self._ours(), self.doubtful))

    def settled(self, settled: Settled, now: float) -> str:
        """A swap has ended: take the new record; return why this reign is over by it, or ""."""
        self.swap = None
        if settled.refused:
            self._call_off(settled.refused)
            return ""
        if not settled.done:
            return "the cluster record was changed by another node"
        self.state.remember(settled.version, settled.record)
        if self.handover is not None and settled.purpose in (Purpose.SWITCH, Purpose.VACATE):
            self.handover.complete(self.state.out, self.record)
            return f"handed over to {self.record.active or 'nobody'}"
        if self.record.active != self.config.node or self.record.epoch != self.epoch:
            return self.record.reign
        if settled.purpose == Purpose.PAUSE:
            self.state.out.append(Reply(self._pausing, {"paused": self.record.paused}))
            self._pausing = 0
        follower = self.followers.by_node.get(settled.node)
        if settled.purpose == Purpose.GROW and follower is not None:
            follower.joining_from = None
        if settled.purpose == Purpose.GROW:
            self.state.note("info", f"{settled.node} is in sync")
        if len(self.record.in_sync) == 1:
            self.state.note("warning", f"{self.config.node} is the only in-sync copy: a disk failure now loses data")
        self.advance(now)
        self.grow(now)
        return ""

    # --- time ---------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        timing = self.config.timing
        if now - self._heartbeat_at >= timing.heartbeat * 0.99:
            self._heartbeat_at = now
            for follower in self.followers.by_node.values():
                self._append_to(follower, now, True)
        if self.swap is not None:
            self.state.out.extend(self.swap.tick(now))
        if self.handover is not None:
            self._tick_handover(now)
        for key in self.client_leases.tick(self.refusal(now) is None, self.state.heads, now):
            lease = self.state.heads.committed("leases", key)
            if lease is not None:
                self.submit_own(Change("leases", key, "expire", {"At": lease.value.get("At")}), now)
        if self.refusal(now) is None:
            for key in self._token_ends.tick(self.state.clock.read(now) / 1000):
                self.submit_own(Change("tokens", key, "expire"), now)
        self.advance(now)
        self.shrink(now)
        self.grow(now)
        self._retry_blobs(now)

    def _tick_handover(self, now: float) -> None:
        handover = self.handover
        if handover is None:
            return
        gone = bool(handover.to) and self.record.member(handover.to) is None
        settled = self.swap is None or self.in_doubt  # a swap of before the store was rolled back comes to no end
        if settled and (gone or handover.overdue(now, self.config.driver_stop)):
            self._call_off(f"{handover.to} left the in-sync set" if gone else handover.why_late())
        else:
            self._give_away(now)

    def _call_off(self, why: str) -> None:
        """Go on being active: the switch or the pause that a person ordered comes to nothing."""
        if self.handover is not None:
            self.handover.abort(self.state.out, why)
            self.state.note("warning", "switch aborted: this node goes on being active")
            self.handover = None
            self._announced = NEVER
        if self._pausing:
            self.state.out.append(Reply(self._pausing, not_applied("store_refuses", why)))
            self._pausing = 0

    def pause(self, order: int, by: str, at: int, now: float) -> None:
        """Stop promotions that nobody ordered; ``by`` and ``at`` (unix seconds) are for people."""
        self._pausing = order
        self.change_record(Purpose.PAUSE, "", replace(self.record, paused=True, paused_by=by, paused_at=at), now)

    def resume(self, order: int, now: float) -> None:
        """Allow promotions that nobody ordered."""
        self._pausing = order
        self.change_record(Purpose.PAUSE, "", replace(self.record, paused=False, paused_by="", paused_at=0), now)

    def seen(self, proven: bool, now: float) -> None:
        """The store has shown our record; ``proven``: and would have taken a swap of it."""
        self.record_seen = now
        if proven:
            self.store_proven = now
        if self.handover is not None:
            self.advance(now)

    def store_refuses(self, trouble: str) -> None:
        """The store takes no swap: a switch that waits for it, and has given nothing up, is called off."""
        if self.handover is not None and not self.handover.store_answers:
            self._call_off(f"{trouble}; nothing was changed")

    # --- handing over --------------------------------------------------------------------------------------------------

    def hand_over(self, order: int, to: str, reason: str, now: float, store_answers: bool = False) -> None:
        """Begin a planned switch to ``to`` ("": to nobody): ask the store, unless it has just answered, drain, release, swap."""
        self.handover = Handover(order, to, reason, now, None if store_answers else Asked(self.state.out))
        self.advance(now)

    def released(self, now: float, drivers_at_rest: bool, held: str) -> None:
        """With the VIP gone and the drivers stopped the role may be given away; ``held``: why they have not, "" for unknown."""
        if self.handover is None or self.handover.freed:
            return
        self.handover.held = held
        if self.handover.vip_gone and drivers_at_rest:
            self.handover.freed = True
            self._give_away(now)

    def _give_away(self, now: float) -> None:
        """Name the successor in the record, if it is in sync still (else the order is called off, see tick)."""
        handover = self.handover
        if handover is None or not handover.freed or self.swap is not None:
            return
        if handover.to and self.record.member(handover.to) is None:
            return
        reason = f"handed over by {self.config.node}: {handover.reason}"
        record = replace(self.record, active=handover.to, holder=self.config.node, active_url="", reason=reason)
        if handover.to:
            follower = self.followers.by_node.get(handover.to)
            url = follower.url if follower is not None else ""
            record = replace(record, epoch=self.names.epoch_after(self.epoch), active_url=url)
        self.change_record(Purpose.SWITCH if handover.to else Purpose.VACATE, handover.to, record, now)

    def end(self, why: str) -> None:
        """Leave office: nothing is promised any more, open requests are told what is known."""
        for _since, request in self._blob_waits:
            self.state.out.append(Reply(request.id, not_applied("not_active", f"{why}; nothing was changed")))
        self.submissions.abandon(why)
        if self.handover is not None:
            self.handover.abort(self.state.out, why)
        if self._pausing:
            self.state.out.append(Reply(self._pausing, not_applied("not_active", f"{why}; ask the active again")))
        self.state.drop_speculation()
        self.state.log.truncate_after(self._stored_through)  # what gathered for the next batch was never written nor sent
        self.state.needed_after = None


def node_document(url: str, version: str, system: str) -> Dict[str, object]:
    """Return the value of a node's own document (kind ``nodes``)."""
    return {"Url": url, "Version": version, "System": system}
