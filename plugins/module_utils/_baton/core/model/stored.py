# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents and replies as a disk or another node's snapshot has them, and a snapshot's header. Pure.

Each reader returns what was read, or raises ValueError with one line: see form.py.
"""

from __future__ import annotations

import re
from typing import Any, Dict, NamedTuple, Tuple

from ...ground import form
from .log import MOST_KEY, NO_EPOCH, Epoch, Position, check_value
from .replies import Row

_REVISION = re.compile(r"[0-9]{1,16}\.[0-9]{1,16}\Z", re.ASCII)
MOST_NAMES = 100_000  # documents that one request changed
DocumentRow = Tuple[str, str, str, int, Any]  # kind, key, revision, size, value


class Header(NamedTuple):
    """The first line of a snapshot; ``documents`` and ``replies`` are how many follow."""

    cluster_id: str
    promised: Epoch
    position: Position
    at: int
    forced: Epoch
    documents: int
    replies: int

    @classmethod
    def read(cls, raw: Any) -> "Header":
        """A source of an older version says neither ``at`` nor ``forced``."""
        data = form.members(raw)
        return cls(
            form.take(data, "cluster_id", form.name),
            form.take(data, "promised", Epoch.read),
            form.take(data, "position", Position.read),
            form.take(data, "at", form.number, 0),
            form.take(data, "forced", Epoch.read, NO_EPOCH),
            form.take(data, "documents", form.number),
            form.take(data, "replies", form.number),
        )

    def facts(self) -> Dict[str, Any]:
        """Return what a disk keeps of it."""
        position = [list(self.position.epoch), self.position.seq]
        facts = {"cluster_id": self.cluster_id, "promised": list(self.promised), "commit": self.position.seq}
        return {**facts, "at": self.at, "checkpoint": position, "log_start": position}


def read_revision(raw: Any) -> str:
    if not isinstance(raw, str) or not _REVISION.match(raw):
        raise ValueError("a revision is two whole numbers and a dot, such as 3.42")
    return raw


def read_document(raw: Any) -> DocumentRow:
    """Read [kind, key, revision, size, value]."""
    kind, key, revision, size, value = form.fixed(raw, 5)
    check_value(form.mark(kind), value)
    return kind, form.text(key, MOST_KEY), read_revision(revision), form.number(size), value


def read_reply(raw: Any) -> Row:
    """Read [key, fingerprint, at, revision, [[kind, name], ...]]."""
    key, fingerprint, at, revision, names = form.fixed(raw, 5)
    pairs = tuple(_pair(item) for item in form.items(names, MOST_NAMES))
    return form.text(key, MOST_KEY), form.text(fingerprint, MOST_KEY), form.number(at), read_revision(revision), pairs


def _pair(raw: Any) -> Tuple[str, str]:
    kind, name = form.fixed(raw, 2)
    return form.mark(kind), form.text(name, form.MOST_NUMBER)
