# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has: its log, documents, promises and its view of the cluster record, and how they become durable. Pure.

Only this file turns log entries into documents, and only committed ones reach the committed head.
"""
from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from ..commands import Changed, Checkpoint, Command, Note, Store
from ..model.config import NodeConfig
from ..model.document import Document
from ..model.documents import DoesNotFit, Effect, check_effects, effect_from_json
from ..model.limits import nearly_full
from ..model.log import NO_EPOCH, Entry, Epoch, Log, Position
from ..model.log_clock import LogClock
from ..model.record import Record
from ..model.reigns import Reigns
from ..model.replies import KEEP_MS
from ..model.saved import Saved
from .heads import Changes
from .loaded import Loaded

FORCED = "forced by an operator"  # the reason of a reign; versions that keep no ``Forced`` say it so
ENTRY = 1_000  # steps of an entry, whatever it does
CHECKPOINT_STEPS = 300_000_000  # make the next checkpoint: else a start could take as long as all that the log has ever done
UNWRITTEN = 16 << 20  # bytes of documents that were changed, and stand parsed until a checkpoint has made their texts
CLOCK_STEP = 500  # ms by which the log's time may be off after a restart: a token of seconds must not end by it


class State:
    """Durable state and its mirror in memory. Commands go to ``out`` in the order in which they must happen."""

    def __init__(self, config: NodeConfig, saved: Saved, out: List[Command]) -> None:
        self.config = config
        self.out = out
        # What was known of the record is enough to follow by, while the store can't be asked. Nothing is begun by it.
        self.record: Optional[Record] = saved.record
        self.version = saved.record_version if saved.record is not None else -1
        self._store_id = 0
        self.disk_low = False  # what is left of it is for our own writes
        self._full = False  # so the journal has been told
        self.needed_after: Optional[int] = None  # others are catching up from this entry
        self.load(saved)

    def load(self, saved: Saved, loaded: Optional[Loaded] = None) -> None:
        """Start from what a data directory holds. ``loaded``: its documents and replies, where somebody has made their tables."""
        self.incarnation = saved.incarnation
        self.cluster_id = saved.cluster_id
        self.promised = saved.promised
        self.noted = saved.noted
        self.known = max(saved.known, self.version)  # a snapshot says nothing of it
        self.cleared = saved.cleared
        self.log = Log(saved.log_start)
        for entry in saved.entries:
            self.log.append(entry)
        loaded = loaded or Loaded.of(saved.documents, saved.checkpoint, saved.replies, self.config.limits)
        self.heads, self.replies = loaded
        self.commit = saved.checkpoint.seq
        self._speculated = self.commit
        self._checkpointed = self.commit
        self._steps = 0  # since the last checkpoint: a start takes as many
        self._held: List[Document] = []  # parsed for the next entry
        last = self.log.get(self.log.end.seq)
        self.last_at = max(saved.at, self.replies.newest, last.at if last is not None else 0)
        self.clock = LogClock(self.last_at)
        # Within one boot of the machine its clock says how long nothing ran; over a reboot, nothing that can be trusted does.
        boot, offset = saved.log_offset
        self._offset: Optional[int] = offset if boot and boot == self.config.boot else None
        self._apply_quietly(min(saved.commit, self.log.end.seq))
        for entry in self.log.after(self.commit):
            check_effects(entry.body.get("effects", ()))  # now, and not when it commits

    def _apply_quietly(self, seq: int) -> None:
        if seq > self.commit:
            self.apply(seq)
            self.out[:] = [command for command in self.out if not isinstance(command, Changed)]

    @property
    def applied(self) -> Position:
        position = self.log.position(self.commit)
        if position is None:
            raise ValueError(f"the log lost its applied entry {self.commit}")
        return position

    def tell_time(self, now: float) -> None:
        """Go on with the log's time where the last process of this boot left it, and keep it for the next one."""
        if self._offset is not None and not self.clock.running:
            self.clock.hear(int(now * 1000) + self._offset, now)
        offset = self.clock.read(now) - int(now * 1000)
        if self.config.boot and (self._offset is None or abs(offset - self._offset) > CLOCK_STEP):
            self._offset = offset
            self.store(meta={"log_offset": [self.config.boot, offset]})

    def reaches_floor(self, record: Record) -> bool:
        """Whether our log has what the record says was committed: a disk that was rolled back may not."""
        if self.log.end.seq < record.floor:
            return False
        ours = self.log.position(record.floor)  # None: older than our log, so that it is applied
        return ours is None or record.floor_epoch in (NO_EPOCH, ours.epoch)

    def reigns(self) -> Reigns:
        """Return the history of reigns that our log, committed or not, is part of."""
        return Reigns.of((d.value, d.revision) for d in self.heads.list_speculative("history"))

    def last_forced(self) -> Epoch:
        """Return the last reign in our log, committed or not, that began with a force."""
        tail = [e["value"] for entry in self.log.after(self.commit) for e in entry.body.get("effects", ()) if e["kind"] == "history"
                and "value" in e]  # fmt: skip
        reigns = [*(document.value for document in self.heads.list("history")), *tail]
        forced = [Epoch(v["Epoch"], v["Id"]) for v in reigns if v.get("Forced", v.get("Reason") == FORCED)]
        return max(forced, default=NO_EPOCH)

    # --- writing ----------------------------------------------------------------------------------------------------

    def store(
        self,
        entries: Sequence[Entry] = (),
        truncate_after: Optional[int] = None,
        meta: Optional[Dict[str, Any]] = None,
    ) -> int:
        """Order a durable write; return its id, which comes back in Stored. The commit point travels along."""
        self._store_id += 1
        self.out.append(Store(self._store_id, self.commit, tuple(entries), truncate_after, meta or {}))
        return self._store_id

    def promise(self, epoch: Epoch) -> Dict[str, Any]:
        """Promise to take nothing from older epochs; returns the meta values that make it durable."""
        self.promised = epoch
        return {"promised": list(epoch)}

    def remember(self, version: int, record: Optional[Record]) -> None:
        """Take a newer view of the record (what is older than our view changes nothing)."""
        if record is None or version <= self.version:
            return
        self.record, self.version = record, version
        self.known = max(self.known, version)
        self.keep_record()

    def believe(self, version: int, record: Optional[Record]) -> None:
        """Take what the store shows although it is older than what we knew: a person has said so. Without one ours stays."""
        self.record, self.version, self.known = record or self.record, version, version
        self.keep_record()

    def keep_record(self) -> None:
        """Make durable what we know of the record."""
        if self.record is not None:
            meta = {"known": self.known, "record_version": self.version, "record": self.record.to_json()}
            self.store(meta=meta)

    def forget_record(self) -> None:
        """What we saw of another cluster's record means nothing here."""
        self.record, self.version, self.known = None, -1, -1
        self.store(meta={"known": -1, "record_version": -1})

    # --- the two heads ----------------------------------------------------------------------------------------------

    def speculate(
        self,
        entry: Entry,
        effects: Optional[List[Effect]] = None,
        left: Optional[Sequence[Optional[Document]]] = None,
        steps: int = 0,
    ) -> int:
        """Move the speculative head over ``entry``; return the steps that took (see work.py).

        ``effects``, the documents that they ``left`` and the ``steps`` of the evaluation, where it was here.
        """
        if effects is None:
            effects = [effect_from_json(raw) for raw in entry.body.get("effects", ())]
        steps += self.heads.append(entry.seq, entry.revision, effects, left) + ENTRY
        self._steps += steps
        self._speculated = entry.seq
        self.heads.parsed.release(self._held)
        self.last_at = max(self.last_at, entry.at)
        if "idem" in entry.body:
            documents = tuple(self.heads.speculative(effect.kind, effect.key) for effect in effects)
            key, fingerprint = entry.body["idem"]
            found = tuple(self.heads.speculative(kind, name) for kind, name in entry.body.get("found", ()))  # as it was, and stayed
            said, asked = entry.body.get("said"), entry.body.get("asked", "")
            self.replies.add(key, fingerprint, entry.at, entry.revision, documents + found, said, asked)
        return steps

    def catch_up(self, most: int) -> bool:
        """A new active evaluates on top of everything that its log has: do some ``most`` steps of that; return whether it was all."""
        steps = 0
        while steps < most:
            entry = self.log.get(self._speculated + 1)
            if entry is None:
                return True
            steps += self._prepare(entry, most - steps)
            steps += self.speculate(entry) if steps < most else 0
        return self._speculated == self.log.end.seq

    def take(self, entry: Entry, most: int) -> Tuple[str, int]:
        """Append an entry that another node made, if it fits our documents; return why it does not, or "", and the steps of it.

        Now, and not when it commits: what is in the log can be applied, also by whoever becomes active with it. No more than
        ``most`` steps are spent on that: to answer in time comes first.
        """
        steps = 0
        try:
            while steps < most and self._speculated < entry.seq:
                following = self.log.get(self._speculated + 1) or entry
                steps += self._prepare(following, most - steps)
                steps += self.speculate(following) if steps < most else 0
        except DoesNotFit as error:
            self.drop_speculation()
            return f"entry {entry.seq} of epoch {entry.epoch.number} does not fit the documents here ({error})", steps
        self.log.append(entry)
        return "", steps

    def _prepare(self, entry: Entry, most: int) -> int:
        """Parse what an entry patches, as far as ``most`` steps go; return those it took (as many: there may be more to do)."""
        patched = ((raw["kind"], raw["key"]) for raw in entry.body.get("effects", ()) if "ops" in raw)
        return self.heads.prepare(patched, most, self._held)

    def cut_after(self, seq: int) -> None:
        """Remove entries that were never acknowledged."""
        self.drop_speculation()
        self.log.truncate_after(seq)

    def drop_speculation(self) -> None:
        """A node that stopped being active does not know which of its last entries will commit."""
        self.heads.drop()
        self.heads.parsed.release(self._held)
        self.replies.drop_after(self.commit)
        self._speculated = self.commit

    def apply(self, seq: int, most: Optional[int] = None) -> Changes:
        """Move the committed head to ``seq``, which must be in the log and committed; return what changed.

        It never goes back, and never past the log: ValueError is a bug, and ends the process. It stops before ``seq`` where
        ``most`` steps are done; the rest is for the next call.
        """
        if seq <= self.commit:
            return []
        if seq > self.log.end.seq:
            raise ValueError(f"entry {seq} is called committed, but the log ends at {self.log.end.seq}")
        steps = 0
        for entry in self.log.after(self._speculated, seq - self._speculated):
            steps += 0 if most is None else self._prepare(entry, most - steps)
            if most is not None and steps >= most:
                seq = entry.seq - 1
                break
            steps += self.speculate(entry)
            if most is not None and steps >= most:
                seq = entry.seq
                break
        changed = self.heads.commit(seq)
        self.commit = seq
        self.replies.expire(self.last_at)
        if changed:
            self.out.append(Changed(seq, changed))
        due = self.log.size(self._checkpointed, seq) >= self.config.limits.log_to_checkpoint or self._steps >= CHECKPOINT_STEPS
        due = due or self.heads.unwritten >= UNWRITTEN
        if due or seq - self._checkpointed >= self.config.checkpoint_entries:
            self._checkpoint(seq)
        return changed

    def _checkpoint(self, seq: int) -> None:
        at = self.log.position(seq)
        if at is None:
            return
        limits = self.config.limits
        keep_from = max(seq - self.config.keep_entries, self.log.newest(limits.log_kept, seq))
        if self.needed_after is not None:
            most = max(seq - self.config.most_entries, self.log.newest(limits.log_for_others, seq))
            keep_from = max(most, min(keep_from, self.needed_after))
        keep_from = max(self.log.start.seq, keep_from)
        start = self.log.position(keep_from) or self.log.start
        dirty = self.heads.take_dirty()
        rows = self.replies.take_unsaved(seq)
        self.out.append(Checkpoint(at, dirty, rows, self.last_at - KEEP_MS, start, self.last_at))
        self.log.drop_through(start.seq)
        self.log.forget_bodies(seq)
        full = nearly_full(self.kept(), limits)
        if full and not self._full:
            self.note("warning", full)
        self._full = bool(full)
        self._checkpointed = seq
        self._steps = 0

    def contents(self) -> Set[str]:
        """Return the file contents that documents and log entries name, committed or not."""
        named = {document.value["Sha256"] for document in self.heads.list("files")}
        named.update(sha for entry in self.log.after(self.log.start.seq) for sha in entry.blobs)
        return named

    def kept(self) -> Dict[str, int]:
        """Return about how many bytes each thing takes that config.limits bounds."""
        return {"documents": self.heads.sizes.all, "log": self.log.size(self.log.start.seq, self.log.end.seq), "replies": self.replies.size}

    # --- convenience ------------------------------------------------------------------------------------------------

    def note(self, level: str, text: str) -> None:
        self.out.append(Note(level, text))
