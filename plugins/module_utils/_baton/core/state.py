# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has: its log, documents, promises and its view of the cluster record, and how they become durable. Pure.

Only this file turns log entries into documents, and only committed ones reach the committed head.
"""
from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from .config import NodeConfig
from .documents import Document, Effect, effect_from_json
from .events import Changed, Checkpoint, Command, Note, Saved, Store
from .heads import Changes, Heads
from .log import Entry, Epoch, Log, Position
from .record import Record
from .replies import Replies


class State:
    """Durable state and its mirror in memory. Commands go to ``out`` in the order in which they must happen."""

    def __init__(self, config: NodeConfig, saved: Saved, out: List[Command]) -> None:
        self.config = config
        self.out = out
        self.record: Optional[Record] = None
        self.version = -1
        self._store_id = 0
        self.needed_after: Optional[int] = None  # others are catching up from this entry
        self.load(saved)

    def load(self, saved: Saved) -> None:
        """Start from what a data directory holds."""
        self.incarnation = saved.incarnation
        self.cluster_id = saved.cluster_id
        self.promised = saved.promised
        self.noted = saved.noted
        self.known = saved.known
        self.cleared = saved.cleared
        self.log = Log(saved.log_start)
        for entry in saved.entries:
            self.log.append(entry)
        self.heads = Heads()
        self.heads.load(saved.documents, saved.checkpoint.seq)
        self.replies = Replies(saved.replies)
        self.commit = saved.checkpoint.seq
        self._speculated = self.commit
        self._checkpointed = self.commit
        self.last_at = self.log.get(self.log.end.seq).at if self.log.get(self.log.end.seq) else 0  # type: ignore[union-attr]
        self._apply_quietly(min(saved.commit, self.log.end.seq))

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
        if version > self.known:
            self.known = version
            self.store(meta={"known": version})

    def forget_record(self) -> None:
        """What we saw of another cluster's record means nothing here."""
        self.record, self.version, self.known = None, -1, -1

    # --- the two heads ----------------------------------------------------------------------------------------------

    def speculate(self, entry: Entry, effects: Optional[List[Effect]] = None) -> Tuple[Optional[Document], ...]:
        """Move the speculative head over ``entry``; return the documents as it leaves them."""
        if effects is None:
            effects = [effect_from_json(raw) for raw in entry.body.get("effects", ())]
        self.heads.append(entry.seq, entry.revision, effects)
        self._speculated = entry.seq
        self.last_at = max(self.last_at, entry.at)
        documents = tuple(self.heads.speculative(effect.kind, effect.key) for effect in effects)
        if "idem" in entry.body:
            key, fingerprint = entry.body["idem"]
            names = [(effect.kind, effect.key) for effect in effects]
            self.replies.add(key, fingerprint, entry.at, entry.revision, names, documents)
        return documents

    def speculate_all(self) -> None:
        """A new active evaluates on top of everything that it has appended."""
        for entry in self.log.after(self._speculated):
            self.speculate(entry)

    def drop_speculation(self) -> None:
        """A node that stopped being active does not know which of its last entries will commit."""
        self.heads.drop()
        self.replies.drop_after(self.commit)
        self._speculated = self.commit

    def apply(self, seq: int) -> Changes:
        """Move the committed head to ``seq``, which must be in the log and committed; return what changed."""
        if seq <= self.commit:
            return []
        for entry in self.log.after(self._speculated, seq - self._speculated):
            self.speculate(entry)
        changed = self.heads.commit(seq)
        self.commit = seq
        self.replies.expire(self.last_at)
        if changed:
            self.out.append(Changed(seq, changed))
        if seq - self._checkpointed >= self.config.checkpoint_entries:
            self._checkpoint(seq)
        return changed

    def _checkpoint(self, seq: int) -> None:
        at = self.log.position(seq)
        if at is None:
            return
        keep_from = seq - self.config.keep_entries
        if self.needed_after is not None:
            keep_from = max(seq - self.config.most_entries, min(keep_from, self.needed_after))
        keep_from = max(self.log.start.seq, keep_from)
        start = self.log.position(keep_from) or self.log.start
        dirty = self.heads.take_dirty()
        rows = self.replies.take_unsaved(seq)
        self.out.append(Checkpoint(at, dirty, rows, self.last_at - 600_000, start))
        self.log.drop_through(start.seq)
        self._checkpointed = seq

    def contents(self) -> Set[str]:
        """Return the file contents that documents and log entries name, committed or not."""
        named = {document.value["Sha256"] for document in self.heads.list("files")}
        named.update(sha for entry in self.log.after(self.log.start.seq) for sha in entry.blobs)
        return named

    # --- convenience ------------------------------------------------------------------------------------------------

    def note(self, level: str, text: str) -> None:
        self.out.append(Note(level, text))
