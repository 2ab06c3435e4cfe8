# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are remembered, so that a repeated request gets the first answer instead of a second race. Pure.

A reply is remembered from the moment its entry is appended and is written with it, so that every node knows it after a
change of active. Entries carry the log's own time (log_clock.py); a reply is forgotten ten minutes later by that time,
which makes every node forget the same ones, whatever its wall clock says.
"""
from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from .document import Document
from .limits import Limits

KEEP_MS = 690_000  # ten minutes at least, by a log clock that leans, on a node's clock that runs off
# Documents are kept for the newest replies only; an older replay answers with its revision and what stands there now.
MOST_WITH_DOCUMENTS = 4_096
PART_OF_DOCUMENTS = 4  # of the limit
ROW_BYTES = 400  # of a row in memory, beside its texts

SAID, ASKED = "said", "asked"  # in the place of a kind
Names = Tuple[Tuple[str, str], ...]
Documents = Tuple[Optional[Document], ...]
# key, fingerprint, at (ms), revision, names: kind and key of the documents, SAID with a JSON text, ASKED with a digest. A plain
# tuple of plain values: the garbage collector need not look at it again, and with hundreds of thousands of replies its looks were
# pauses of 100 ms.
Row = Tuple[str, str, int, str, Names]


class Reply(NamedTuple):
    """``revision`` names the entry; ``documents``: what it left, if that is kept still; ``said``: see Outcome.

    ``fingerprint``, ``asked``: see Idempotency.
    """

    fingerprint: str
    asked: str
    seq: int
    revision: str
    documents: Optional[Documents]
    said: Optional[Dict[str, Any]]


def seq_of(revision: str) -> int:
    return int(revision.partition(".")[2])


class Replies:
    """Key → row, oldest first. A flood of keys must not eat the memory: beyond ``most`` bytes the oldest go, before ten minutes."""

    def __init__(self, rows: Iterable[Row] = (), most: int = Limits.replies) -> None:
        self._most = most
        self._rows: "OrderedDict[str, Row]" = OrderedDict()
        self._size = 0
        self._documents: "OrderedDict[str, Documents]" = OrderedDict()
        self._documents_size = 0
        self._unsaved: List[str] = []
        for row in rows:
            self._keep(*row)

    @property
    def newest(self) -> int:
        """Return the stamp of the newest reply (ms), or 0."""
        return next(reversed(self._rows.values()))[2] if self._rows else 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def size(self) -> int:
        """Return about how many bytes they take."""
        return self._size + self._documents_size

    def find(self, key: str) -> Optional[Reply]:
        row = self._rows.get(key)
        if row is None:
            return None
        _key, fingerprint, _at, revision, names = row
        said = next((json.loads(text) for kind, text in names if kind == SAID), None)
        asked = next((text for kind, text in names if kind == ASKED), "")
        return Reply(fingerprint, asked, seq_of(revision), revision, self._documents.get(key), said)

    def _keep(self, key: str, fingerprint: str, at: int, revision: str, names: Iterable[Sequence[str]]) -> None:
        old = self._rows.pop(key, None)
        self._rows[key] = row = (key, fingerprint, at, revision, tuple((kind, name) for kind, name in names))
        self._size += _size_of(row) - (_size_of(old) if old is not None else 0)

    def add(
        self, key: str, fingerprint: str, at: int, revision: str, documents: Documents, said: Optional[Dict[str, Any]] = None,
        asked: str = "",
    ) -> None:  # fmt: skip
        """Remember the reply to the request ``key``, whose entry has just been appended."""
        names = [(document.kind, document.key) for document in documents if document is not None]
        names += [(SAID, json.dumps(said))] if said is not None else []
        names += [(ASKED, asked)] if asked else []
        self._keep(key, fingerprint, at, revision, names)
        self._unsaved.append(key)
        self._forget_documents(key)
        self._documents[key] = documents
        self._documents_size += _size_of_all(documents)
        while len(self._documents) > MOST_WITH_DOCUMENTS or self._documents_size > self._most // PART_OF_DOCUMENTS:
            self._forget_documents(next(iter(self._documents)))

    def drop_after(self, seq: int) -> None:
        """Forget replies whose entries may never commit: those after ``seq``."""
        while self._rows:
            key, row = next(reversed(self._rows.items()))
            if seq_of(row[3]) <= seq:
                return
            self._forget(key)

    def expire(self, newest: int) -> None:
        """Forget what is ten minutes older than ``newest`` (ms)."""
        while self._rows:
            key, row = next(iter(self._rows.items()))
            if row[2] >= newest - KEEP_MS and self._size <= self._most - self._most // PART_OF_DOCUMENTS:
                return
            self._forget(key)

    def _forget(self, key: str) -> None:
        self._size -= _size_of(self._rows.pop(key))
        self._forget_documents(key)

    def _forget_documents(self, key: str) -> None:
        self._documents_size -= _size_of_all(self._documents.pop(key, ()))

    def take_unsaved(self, seq: int) -> List[Row]:
        """Return rows added since the last call whose entries are at or below ``seq``."""
        found = [self._rows[key] for key in self._unsaved if key in self._rows]
        self._unsaved = [row[0] for row in found if seq_of(row[3]) > seq]
        return [row for row in found if seq_of(row[3]) <= seq]

    def rows(self, seq: int) -> Sequence[Row]:
        """Return all rows at or below ``seq``, for a snapshot."""
        return [row for row in self._rows.values() if seq_of(row[3]) <= seq]


def _size_of(row: Row) -> int:
    return ROW_BYTES + len(row[0]) + len(row[1]) + sum(len(kind) + len(name) for kind, name in row[4])


def _size_of_all(documents: Documents) -> int:
    return sum(document.size for document in documents if document is not None)
