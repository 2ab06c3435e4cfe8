# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A passive taking what the active sends: appending, cutting, acknowledging, applying. Pure.

Only what is durable, and known to equal the active's log, is acknowledged (two things a plain end of log does not say).
Nothing at or below the applied entry is ever cut (M5).
"""
from __future__ import annotations

from collections import deque
from typing import Deque, Dict, Optional, Set, Tuple

from ..commands import FetchBlob, FetchSnapshot, KeepTail, Send
from ..model.config import NodeConfig
from ..model.log import NO_EPOCH, Epoch
from ..model.messages import Ack, Append, BlobHeld, BlobWanted, Reject, UseSnapshot
from ..model.timing import NEVER
from ..state.state import State

APPLIED_AT_ONCE = 1_000_000  # steps (see work.py), but for a larger entry: what is acknowledged need not be applied


class Following:
    """One node's side of a replication session; it outlives changes of the active."""

    def __init__(self, config: NodeConfig, state: State) -> None:
        self.config = config
        self.state = state
        self.active = ""
        self.heard = NEVER
        self.refused = ""
        self._epoch: Epoch = NO_EPOCH
        self._stamp = NEVER
        self._matched = -1
        self._durable = -1  # -1 until something of this epoch, its promise at least, is on disk
        self._committed = -1  # known to be committed, and to be in our log
        self._stores: Deque[Tuple[int, int]] = deque()
        self._does_not_fit = ""  # what the active has sent and we could not apply
        self._missing: Dict[str, int] = {}  # file content → the first entry that needs it
        self._offered: Dict[str, str] = {}  # file content → the active that asked for it ahead of the entry

    # --- appends ------------------------------------------------------------------------------------------------------

    def append(self, node: str, message: Append, now: float) -> None:
        """Take an Append, or say why not."""
        state = self.state
        if message.to != state.incarnation:
            return
        promised = state.promised
        if message.epoch.number < promised.number or (message.epoch.number == promised.number and message.epoch != promised):
            self._reject(node, message.epoch, "stale")
            return
        if state.noted >= 0 and message.epoch == promised:
            return  # M3: our own promotion may have happened
        if message.epoch != self._epoch:
            self._new_epoch(node, message.epoch)
        self.active, self.heard = node, now
        self._stamp = max(self._stamp, message.stamp)
        if message.at:
            state.clock.hear(message.at, now)
        if not self._fits(node, message):
            return
        self.refused = ""
        self._take(node, message, now)
        self._committed = max(self._committed, min(message.commit, self._matched))
        self.go_on()
        if not self._stores:
            self._durable = max(self._durable, self._matched)
            self._ack()
        elif not message.entries and self._durable >= 0:
            self._ack()  # a disk that pauses delays writes, not the lease: what was acknowledged stands, and we are here

    def go_on(self) -> None:
        """Apply some of what is committed: as much as leaves time to answer, the rest with the next message or tick."""
        self.state.apply(min(self._committed, self.state.log.end.seq), APPLIED_AT_ONCE)

    def _new_epoch(self, node: str, epoch: Epoch) -> None:
        self._epoch, self._stamp, self._does_not_fit = epoch, NEVER, ""
        self._matched = self._durable = -1
        self._stores.clear()
        self._stores.append((self.state.store(meta=self.state.promise(epoch)), -1))

    def _fits(self, node: str, message: Append) -> bool:
        """Whether ``prev`` is in our log; if not, ask for what follows our applied entry, or find that histories differ."""
        log, prev = self.state.log, message.prev
        if prev.seq < log.start.seq:
            # Older than our log: all of it is applied. Skip to where our log begins, if the message reaches there.
            known = [e for e in message.entries if e.seq == log.start.seq]
            if known and known[0].position != log.start:
                self._diverged(node, message)
                return False
            if not known:
                self._reject(node, message.epoch, "gap")
            return bool(known)
        ours = log.position(prev.seq)
        if ours == prev:
            return True
        if ours is not None and prev.seq <= self.state.commit:
            self._diverged(node, message)
        elif not self._does_not_fit:  # else it would be sent again and again
            self._reject(node, message.epoch, "gap")
        return False

    def _take(self, node: str, message: Append, now: float) -> None:
        log = self.state.log
        cut: Optional[int] = None
        fresh = []
        steps = 0
        through = message.prev.seq
        for entry in message.entries:
            ours = log.position(entry.seq)
            if entry.seq <= log.start.seq or ours == entry.position:
                through = entry.seq
                continue
            if ours is not None:
                if not self._may_cut(node, message, entry.seq):
                    return
                cut = entry.seq - 1
                self.state.cut_after(cut)
                self._committed = min(self._committed, cut)
            why, done = self.state.take(entry, APPLIED_AT_ONCE - steps)
            steps += done
            if why:
                self._unfit(node, why)
                break
            through = entry.seq
            fresh.append(entry)
            if not message.at:
                self.state.clock.hear(entry.at, now)  # an active of an older version
        self._matched = max(self._matched, through)
        for entry in fresh:
            for sha in entry.blobs:
                self.need_blob(sha, entry.seq, node)
        if fresh or cut is not None:
            self._stores.append((self.state.store(fresh, cut), self._matched))
        elif self._stores:
            self._stores[-1] = (self._stores[-1][0], self._matched)

    def _unfit(self, node: str, why: str) -> None:
        """It is not taken, so it can't be acknowledged: the active goes on without us, and a person sees why."""
        self.refused = f"{why}: the histories of {node} and this node differ; nothing was discarded"
        if self._does_not_fit != why:
            self._does_not_fit = why
            self.state.note("error", self.refused)

    def _may_cut(self, node: str, message: Append, seq: int) -> bool:
        """Entries of another epoch after the applied one were never acknowledged, unless a force lies between."""
        tail = self.state.log.after(seq - 1)
        if seq <= self.state.commit or tail[0].epoch == message.epoch:
            self._diverged(node, message)
            return False
        if self._left_behind(message, tail[0].epoch):
            self.state.out.append(KeepTail(tuple(tail)))
            if not self.config.discard:
                self.refused = (
                    f"epoch {message.forced} began by force and this node has {len(tail)} entries that are not part of it; they "
                    "were kept in a file: look at it, then start this node with --discard-foreign-data"
                )
                return False
        return True

    @staticmethod
    def _left_behind(message: Append, epoch: Epoch) -> bool:
        """Whether a force may have left that reign behind: it came later, or on the other side with the same number."""
        if message.forced == epoch.number and message.forced_id:
            return message.forced_id != epoch.id
        return message.forced > epoch.number

    def _diverged(self, node: str, message: Append) -> None:
        self.refused = (
            f"this node's history differs from that of {node}; nothing was discarded: save what you need, then start it "
            "with --discard-foreign-data"
        )
        self._reject(node, message.epoch, "diverged")
        if self.config.discard:
            self.state.out.append(FetchSnapshot(node))

    # --- answers ------------------------------------------------------------------------------------------------------

    def stored(self, store: int) -> None:
        """What was written up to this store is on disk."""
        done = False
        while self._stores and self._stores[0][0] <= store:
            self._durable = max(self._durable, self._stores.popleft()[1])
            done = True
        if done and not (self._stores and self._durable < 0):
            self._ack()

    def _ack(self) -> None:
        if not self.active or self.state.promised != self._epoch or self.state.noted >= 0:
            return
        held = min([self._durable] + [seq - 1 for seq in self._missing.values()])
        ack = Ack(self._epoch, self.state.incarnation, held, self._stamp, not self._missing, self.config.process)
        self.state.out.append(Send(self.active, ack))

    def _reject(self, node: str, epoch: Epoch, reason: str) -> None:
        state = self.state
        reject = Reject(epoch, state.incarnation, reason, state.promised, state.applied, self.config.process)
        state.out.append(Send(node, reject))

    # --- snapshots and files --------------------------------------------------------------------------------------------

    def use_snapshot(self, node: str, message: UseSnapshot) -> None:
        if message.to == self.state.incarnation and message.epoch.number >= self.state.promised.number:
            self.state.note("info", f"copying a snapshot from {node}")
            self.state.out.append(FetchSnapshot(node))

    def need_all_blobs(self, node: str) -> None:
        """Make sure of every file that our documents and log name (after a start or a snapshot)."""
        for document in self.state.heads.list("files"):
            self.need_blob(document.value["Sha256"], 0, node)
        for entry in self.state.log.after(self.state.commit):
            for sha in entry.blobs:
                self.need_blob(sha, entry.seq, node)

    def need_blob(self, sha: str, seq: int, node: str) -> None:
        self._missing.setdefault(sha, seq)
        self.state.out.append(FetchBlob(sha, node))

    def blob_wanted(self, node: str, message: BlobWanted) -> None:
        self._offered[message.sha256] = node
        self.state.out.append(FetchBlob(message.sha256, node))

    def blob_stored(self, sha: str) -> None:
        asked_by = self._offered.pop(sha, "")
        if asked_by:
            self.state.out.append(Send(asked_by, BlobHeld(self.state.incarnation, sha)))
        self._not_missing(sha)

    def _not_missing(self, sha: str) -> None:
        if self._missing.pop(sha, None) is not None and not self._missing and self._durable >= 0:
            self._ack()

    def blob_unavailable(self, sha: str) -> None:
        """Nobody has it: no matter, if what named it is gone meanwhile. Whoever offered it offers it again if it is to come."""
        self._offered.pop(sha, None)
        state = self.state
        named = any(document.value["Sha256"] == sha for document in state.heads.list("files"))
        if not named and not any(sha in entry.blobs for entry in state.log.after(state.commit)):
            self._not_missing(sha)

    def awaited(self) -> Set[str]:
        """Return the file contents that are to be copied."""
        return {*self._missing, *self._offered}

    def refuse_stale(self, node: str, epoch: Epoch) -> None:
        """Tell a node that believes to be active that there is a newer epoch."""
        self._reject(node, epoch, "stale")
