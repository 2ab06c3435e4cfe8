# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The active's view of the nodes that follow it: who has what, who counts, how long the lease lasts. Pure.

A node *counts* when an acknowledgement to a client needs its disk: every member of the record, of a swap that is not
settled (M1), and every joiner from before its swap is sent (M6). Commit point and lease are minima over those who count.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Iterable, List, Optional, Set, Tuple, Union

from ..model.config import NodeConfig
from ..model.log import Epoch, Position
from ..model.messages import Ack, Append, Hello, Message, Refuse, Reject, UseSnapshot
from ..model.record import Member, Record
from ..model.reigns import strays
from ..model.timing import NEVER
from ..state.state import State

BATCH_ENTRIES = 512
BATCH_BYTES = 1 << 20
WINDOW = 4_096  # entries that may be on their way to one follower
WINDOW_BYTES = 4 << 20  # at most, too, but for a single larger entry
SNAPSHOT_PATIENCE = 60.0  # seconds of silence after which nobody is expected to come back from copying a snapshot


@dataclass
class Follower:
    """One node that said Hello in this reign. ``next``: the entry to send next; ``matched``: the last that it has on disk."""

    node: str
    incarnation: str
    url: str
    version: str
    system: str
    next: int
    process: str
    heard: float  # when it last said anything: patience with those who catch up goes by it, and nothing else
    session_from: int = 0  # what was before ``next`` when the session began
    matched: int = -1
    stamp: float = NEVER  # when we sent the newest of what it has acknowledged: what it says besides proves nothing
    progress: float = NEVER  # when it last acknowledged something new, or had nothing to acknowledge
    blobs: bool = False
    speaks: int = 1
    joining_from: Optional[int] = None  # counts since the log ended here (M6)
    joining_since: float = NEVER  # and since then: an older stamp of its own is none, for we had a lease alone
    snapshot_from: Optional[int] = None  # was told to fetch a snapshot, which will not be older than this entry
    refused: str = ""

    @property
    def member(self) -> Member:
        return Member(self.node, self.incarnation)


class Followers:
    """The followers of the reign ``epoch`` of the node ``me``. ``forced``: the last epoch that began with a force."""

    def __init__(self, config: NodeConfig, epoch: Epoch, state: State, forced: Callable[[], Epoch], now: float) -> None:
        self.me = config.node
        self.shared = config.shared
        self.epoch = epoch
        self.log = state.log
        self.reigns = state.reigns
        self.forced = forced
        self.timing = config.timing
        self.since = now
        self.by_node: Dict[str, Follower] = {}
        self.lost: Set[Member] = set()  # disks that no longer have what they acknowledged

    # --- what they say ----------------------------------------------------------------------------------------------

    def hello(self, hello: Hello, counted: Set[Member], commit: int, now: float) -> Optional[Message]:
        """Begin or restart a session where the follower's log agrees with ours; return an answer when it can't."""
        member = Member(hello.node, hello.incarnation)
        old = self.by_node.get(hello.node)
        same = old is not None and (old.process, old.incarnation) == (hello.process, hello.incarnation)
        if old is not None and same and hello.process and hello.end.seq < old.matched:
            return None  # said before it acknowledged that, and overtaken
        follower = Follower(
            hello.node, hello.incarnation, hello.url, hello.version, hello.system, 0, hello.process, now,
            progress=now, speaks=hello.speaks,
        )  # fmt: skip
        if old is not None and old.incarnation == hello.incarnation:
            follower.matched, follower.stamp = old.matched, old.stamp
            follower.joining_from, follower.joining_since = old.joining_from, old.joining_since
            follower.progress, follower.snapshot_from = old.progress, old.snapshot_from
        self.by_node[hello.node] = follower
        acknowledged = max(follower.matched, commit if member in counted else -1)
        if member in counted and hello.end.seq < acknowledged:
            # It acknowledged more than it has: a disk that was rolled back. It must leave before it starts anew.
            self.lost.add(member)
            follower.matched = -1
        if member in self.lost:
            return None if member in counted else self._snapshot(follower, hello)
        for place in (hello.end, hello.applied):
            if self.log.position(place.seq) == place and not self._strays(member, hello, counted):
                follower.session_from, follower.next = place.seq, place.seq + 1
                follower.snapshot_from = None
                return None
        if hello.applied.seq < self.log.start.seq:
            if member in counted:
                self.lost.add(member)
                return None
            return self._snapshot(follower, hello)
        return self._diverged(follower, hello.applied)

    def _strays(self, member: Member, hello: Hello, counted: Set[Member]) -> bool:
        """Whether a disk from outside may hold what a force left behind; that of a member can't."""
        if member in counted:
            return False
        return self._lost_to_a_force(hello)

    def _lost_to_a_force(self, hello: Hello) -> bool:
        theirs = hello.last_forced if hello.speaks >= 2 else None
        return strays(self.reigns(), hello.applied, hello.end, self.forced(), self.shared, theirs)

    def _diverged(self, follower: Follower, applied: Position) -> Message:
        follower.refused = (
            f"{follower.node} has entries up to {applied.seq} of epoch {applied.epoch.number} or after them that are not in the "
            "history of this active: the histories differ"
        )
        return Refuse(
            "diverged",
            f"this node's history differs from that of the active {self.me}; nothing was discarded: save what you need, then "
            "start it with --discard-foreign-data",
            self.reigns(),
        )

    def _snapshot(self, follower: Follower, hello: Hello) -> Message:
        """Tell a follower to begin anew, if it loses nothing by it."""
        if self._lost_to_a_force(hello):
            return self._diverged(follower, hello.applied)
        return self._use_snapshot(follower)

    def _use_snapshot(self, follower: Follower) -> Message:
        if follower.snapshot_from is None or follower.snapshot_from < self.log.start.seq:
            follower.snapshot_from = self.log.end.seq
        return UseSnapshot(self.epoch, follower.incarnation)

    def ack(self, node: str, ack: Ack, now: float) -> bool:
        """Take an acknowledgement of this reign; False when it is of another disk or unknown."""
        follower = self._from(node, ack)
        if follower is None or follower.member in self.lost:
            return False
        if ack.stamp > now or ack.matched > self.log.end.seq:
            return False  # nothing that was ever sent
        follower.heard = now
        follower.stamp = max(follower.stamp, ack.stamp)
        follower.blobs = ack.blobs
        if ack.matched > follower.matched or ack.matched >= self.log.end.seq:
            follower.progress = now
        follower.matched = max(follower.matched, ack.matched)
        return True

    def reject(self, node: str, reject: Reject, counted: Set[Member]) -> Optional[Message]:
        """A follower could not take what was sent: go back to what it has applied, or give up on it."""
        follower = self._from(node, reject)
        if follower is None or follower.member in self.lost:
            return None
        applied = reject.applied
        if reject.reason == "gap" and self.log.position(applied.seq) == applied:
            follower.session_from, follower.next = applied.seq, applied.seq + 1
        elif reject.reason == "gap" and applied.seq < self.log.start.seq and follower.member not in counted:
            # What it has beyond was looked at when it said Hello.
            stray = strays(self.reigns(), applied, applied, self.forced(), self.shared, None)
            return self._diverged(follower, applied) if stray else self._use_snapshot(follower)
        elif reject.reason == "diverged":
            follower.refused = f"the history of {node} differs from ours at or before entry {applied.seq}"
        return None

    def _from(self, node: str, answer: Union[Ack, Reject]) -> Optional[Follower]:
        """Return the follower whose answer this is: of its disk, and of the process that said Hello."""
        follower = self.by_node.get(node)
        if follower is None or (follower.incarnation, follower.process) != (answer.incarnation, answer.process):
            return None
        return follower

    # --- what follows from it ---------------------------------------------------------------------------------------

    def counted(self, records: Iterable[Record]) -> Set[Member]:
        """Return every other disk whose acknowledgement is needed: members of any of ``records``, and joiners."""
        members = {member for record in records for member in record.in_sync if member.node != self.me}
        members.update(f.member for f in self.by_node.values() if f.joining_from is not None)
        return members

    def _of(self, member: Member) -> Optional[Follower]:
        follower = self.by_node.get(member.node)
        return follower if follower is not None and follower.incarnation == member.incarnation else None

    def commit_point(self, counted: Set[Member], durable: int) -> int:
        """Return the last entry that is on our disk and on that of everyone who counts (-1: not known)."""
        point = durable
        for member in counted:
            follower = self._of(member)
            point = min(point, follower.matched if follower is not None else -1)
        return point

    def lease_until(self, counted: Set[Member], now: float) -> float:
        """Return until when nobody who counts can be promoted; alone, we renew our own lease."""
        oldest = now
        for member in counted:
            follower = self._of(member)
            oldest = min(oldest, follower.stamp if follower is not None else NEVER)
        return oldest + self.timing.lease

    def silent(self, counted: Set[Member], now: float) -> List[Member]:
        """Return those who count but do not answer, or whose disk is gone, rolled back or stuck: who is to leave."""
        gone = []
        for member in sorted(counted):
            follower = self._of(member)
            if follower is None:
                replaced = member.node in self.by_node
                overdue = replaced or now - self.since > self.timing.silence
            else:
                stuck = follower.matched < self.log.end.seq and now - max(follower.progress, self.since) > self.timing.stall
                overdue = member in self.lost or stuck or not self.answers(follower, now)
            if overdue:
                gone.append(member)
        return gone

    def answers(self, follower: Follower, now: float) -> bool:
        """Whether it acknowledges in time. What counts is the stamp: a Hello, or a late ack, proves nothing."""
        return now - max(follower.stamp, self.since) <= self.timing.silence

    def late(self, record: Record, now: float) -> Dict[str, float]:
        """Return the in-sync nodes that a shrink should have taken out by now, and for how long they are late (seconds)."""
        found = {}
        for member in record.in_sync:
            follower = self._of(member)
            last = max(self.since, follower.stamp if follower is not None else NEVER)
            if member.node != self.me and now - last > 0.75 * self.timing.lease:
                found[member.node] = now - last
        return found

    def fresh(self, follower: Follower, now: float) -> bool:
        return now - follower.stamp <= self.timing.silence

    def caught_up(self, counted: Set[Member], now: float) -> List[Follower]:
        """Return followers that may begin to join: nearly at the end of the log, files included, and answering."""
        return [
            f
            for f in self.by_node.values()
            if f.member not in counted
            and not f.refused
            and f.blobs
            and f.matched >= 0
            and self.log.end.seq - f.matched <= BATCH_ENTRIES
            and self.fresh(f, now)
        ]

    def joined(self, now: float) -> List[Follower]:
        """Return joiners that have everything from before they began to count, and a lease that began since then (M6)."""
        return [
            f
            for f in self.by_node.values()
            if f.joining_from is not None
            and f.matched >= f.joining_from
            and f.blobs
            and f.stamp >= f.joining_since
            and self.fresh(f, now)
        ]

    def needed_after(self, now: float) -> Optional[int]:
        """Return the entry after which the followers that are there need the log: else those who copy a snapshot while
        many write would find, each time they come back with it, that the log begins later."""
        needed = [
            max(f.matched, f.session_from) if f.snapshot_from is None else f.snapshot_from
            for f in self.by_node.values()
            if not f.refused and now - f.heard <= (self.timing.silence if f.snapshot_from is None else SNAPSHOT_PATIENCE)
        ]
        return min(needed, default=None)

    # --- what to send -----------------------------------------------------------------------------------------------

    def _on_the_way(self, follower: Follower, through: int) -> Tuple[int, int]:
        """Return how many entries, and characters, were sent up to ``through`` and not acknowledged."""
        since = max(follower.matched, follower.session_from)
        return through - since, self.log.size(since, through)

    def append_to(
        self, follower: Follower, through: int, commit: int, record: Record, version: int, at: int, now: float, heartbeat: bool
    ) -> Optional[Append]:
        """Return the next Append for this follower: entries up to ``through``, and a heartbeat in any case when ``heartbeat``."""
        if follower.refused or follower.snapshot_from is not None or follower.next < 1 or follower.member in self.lost:
            return None
        prev = self.log.position(follower.next - 1)
        if prev is None:
            return None  # its session is older than our log: silence makes it say Hello again
        number, size = self._on_the_way(follower, prev.seq)
        room = min(BATCH_ENTRIES, WINDOW - number, through - prev.seq)
        entries = self.log.after(prev.seq, room, BATCH_BYTES) if room > 0 and size < WINDOW_BYTES else []
        if not entries and not heartbeat:
            return None
        follower.next += len(entries)
        news = record if heartbeat else None
        return Append(
            self.epoch, follower.incarnation, prev, tuple(entries), commit, now, news, version if news else -1, record.forced,
            record.forced_id, at,
        )  # fmt: skip
