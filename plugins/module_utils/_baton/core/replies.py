# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are remembered, so that a repeated request gets the first answer instead of a second race. Pure.

A reply is remembered from the moment its entry is appended and is written with it, so that every node knows it after a
change of active. Entries carry the active's wall clock; a reply is forgotten ten minutes later *by the log's own time*,
which makes every node forget the same ones.
"""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Iterable, List, Optional, Sequence, Tuple

from .documents import Document

KEEP_MS = 600_000
# A flood of keys must not eat the memory: then the oldest go first, earlier than ten minutes.
MOST = 500_000
# Documents are kept for the newest replies only; an older replay answers with its revision and what stands there now.
MOST_WITH_DOCUMENTS = 4_096

Row = Tuple[str, str, int, str, List[List[str]]]


@dataclass
class Reply:
    """``revision`` names the entry; ``keys`` are [kind, key] of its documents, in the request's order."""

    fingerprint: str
    at: int
    seq: int
    revision: str
    keys: List[List[str]]
    documents: Optional[Tuple[Optional[Document], ...]] = None


class Replies:
    """Key → Reply, oldest first."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._replies: "OrderedDict[str, Reply]" = OrderedDict()
        self._with_documents: List[str] = []
        self._unsaved: List[str] = []
        for key, fingerprint, at, revision, keys in rows:
            self._replies[key] = Reply(fingerprint, at, int(revision.partition(".")[2]), revision, keys)

    def __len__(self) -> int:
        return len(self._replies)

    def find(self, key: str) -> Optional[Reply]:
        return self._replies.get(key)

    def add(self, key: str, reply: Reply) -> None:
        self._replies[key] = reply
        self._unsaved.append(key)
        self._with_documents.append(key)
        if len(self._with_documents) > 2 * MOST_WITH_DOCUMENTS:
            for old in self._with_documents[:MOST_WITH_DOCUMENTS]:
                found = self._replies.get(old)
                if found is not None:
                    found.documents = None
            del self._with_documents[:MOST_WITH_DOCUMENTS]

    def drop_after(self, seq: int) -> None:
        """Forget replies whose entries may never commit: those after ``seq``."""
        while self._replies:
            key, reply = next(reversed(self._replies.items()))
            if reply.seq <= seq:
                return
            del self._replies[key]

    def expire(self, newest: int) -> None:
        """Forget what is ten minutes older than ``newest`` (ms)."""
        while self._replies:
            key, reply = next(iter(self._replies.items()))
            if reply.at >= newest - KEEP_MS and len(self._replies) <= MOST:
                return
            del self._replies[key]

    def take_unsaved(self, seq: int) -> List[Row]:
        """Return rows added since the last call whose entries are at or below ``seq``."""
        rows: List[Row] = []
        later: List[str] = []
        for key in self._unsaved:
            reply = self._replies.get(key)
            if reply is None:
                continue
            if reply.seq > seq:
                later.append(key)
            else:
                rows.append(_row(key, reply))
        self._unsaved = later
        return rows

    def rows(self, seq: int) -> Sequence[Row]:
        """Return all rows at or below ``seq``, for a snapshot."""
        return [_row(key, reply) for key, reply in self._replies.items() if reply.seq <= seq]


def _row(key: str, reply: Reply) -> Row:
    return (key, reply.fingerprint, reply.at, reply.revision, reply.keys)
