# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients ask of the active, and what a change is answered with. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from .document import Document
from .documents import Change


@dataclass(frozen=True)
class Idempotency:
    """``key`` chosen by the client for one intent, and two digests, to notice a key that is used twice.

    ``fingerprint`` is of method, path and body, as every version makes it; ``asked`` is of who asks and
    on what conditions, too ("": not known).
    """

    key: str
    fingerprint: str
    asked: str = ""


@dataclass(frozen=True)
class Submit:
    """A client's change. ``wall`` and ``deadline`` are wall-clock seconds; ``blobs`` are file contents it names."""

    id: int
    changes: Tuple[Change, ...]
    wall: float = 0.0
    idempotency: Optional[Idempotency] = None
    deadline: Optional[float] = None
    blobs: Tuple[str, ...] = ()


@dataclass(frozen=True)
class KeepAlive:
    """A client wants its lease extended."""

    id: int
    lease: str


@dataclass(frozen=True)
class Outcome:
    """A change is committed: the documents as it left them (None: deleted).

    ``said``: what an order's answer says beside them (coordination.answer); a repeat gets the same.
    """

    documents: Tuple[Optional[Document], ...]
    replayed: bool = False
    said: Optional[Dict[str, Any]] = None
