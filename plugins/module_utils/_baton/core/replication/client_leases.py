# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When client leases end, on the active's clock. Pure.

A client counts its TTL from the moment it sends; the active counts from later, and longer by the clocks' rate error: so nothing
that is tied to a lease goes while its client may still rely on it. After a change of active, a restart, or a time in which the
active could not answer, every lease has its full time again.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Set

from ..coordination.leases import MOST_WORK, part_of
from ..model.document import Document
from ..state.heads import Changes, Heads

A_LEASE = 2  # steps of work that each lease is, whatever is tied to it


class ClientLeases:
    """The deadlines of one reign."""

    def __init__(self, rate_error: float, patience: float) -> None:
        self._factor = 1 + rate_error
        self._patience = patience  # seconds without a tick after which the active may have been unable to answer
        self._ttl: Dict[str, float] = {}
        self._deadline: Dict[str, float] = {}
        self._over: Set[str] = set()  # leases whose end was ordered: nothing extends them any more
        self._running = False
        self._ticked_at = 0.0

    def tick(self, serving: bool, heads: Heads, now: float) -> List[str]:
        """Return the leases whose end is to be ordered: their time is over, or the order came to nothing for a while. Not too many at once.

        ``serving``: writes are taken. While they are not, no lease can be kept alive, so that none ends.
        """
        if not serving or now - self._ticked_at > self._patience:
            self._running = False
        self._ticked_at = now
        if not serving:
            return []
        self._resume(heads, now)
        over: List[str] = []
        work = 0
        for key in sorted((key for key, end in self._deadline.items() if now >= end), key=self._deadline.__getitem__):
            lease = heads.committed("leases", key)
            work += A_LEASE + (part_of(lease, heads.speculative)[1] if lease is not None else 0)
            if over and work > MOST_WORK:
                break
            over.append(key)
            self._over.add(key)
            self._deadline[key] = now + self._patience
        return over

    def _resume(self, heads: Heads, now: float) -> None:
        if not self._running:
            self._running = True
            self._ticked_at = now
            self._ttl = {document.key: document.value["Ttl"] for document in heads.list("leases")}
            self._deadline = {key: now + ttl * self._factor for key, ttl in self._ttl.items()}
            for document in heads.list("leases"):
                self._go_on_ending(document, now)

    def _go_on_ending(self, lease: Document, now: float) -> None:
        """The next part is due at once."""
        if "Ending" in lease.value:
            self._over.add(lease.key)
            self._deadline[lease.key] = now

    def committed(self, changed: Changes, now: float) -> None:
        """Take note of leases that were granted, have another TTL now, or are gone."""
        for kind, key, document in changed:
            if kind != "leases":
                continue
            if document is None:  # its end may commit while the time stands still
                self._ttl.pop(key, None)
                self._deadline.pop(key, None)
                self._over.discard(key)
            elif self._running and self._ttl.get(key) != document.value["Ttl"]:
                self._ttl[key] = document.value["Ttl"]
                self._deadline[key] = now + document.value["Ttl"] * self._factor
            if document is not None and self._running:
                self._go_on_ending(document, now)

    def keep(self, key: str, heads: Heads, now: float, ttl: Optional[float] = None) -> Optional[float]:
        """Extend a lease, on an active that serves; return its TTL, or None when it is gone or about to be.

        ``ttl``: its owner asks for it anew, maybe for longer than what has committed, and has it unless its end is in the log.
        """
        self._resume(heads, now)
        if key not in self._deadline or key in self._over or (now >= self._deadline[key] and ttl is None):
            return None
        self._deadline[key] = max(self._deadline[key], now + max(self._ttl[key], ttl or 0.0) * self._factor)
        return self._ttl[key]

    def left(self, key: str, now: float) -> Optional[float]:
        """Return the seconds that a client may still count on, or None."""
        end = self._deadline.get(key) if key not in self._over else now
        return None if end is None else max(0.0, (end - now) / self._factor)
