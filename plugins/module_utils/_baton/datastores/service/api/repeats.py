# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that come twice: what was made for one is remembered by its Idempotency-Key, with what was made. Pure."""
from __future__ import annotations

import hashlib
from typing import Any, Dict, NamedTuple, Optional

from ....ground.problem import Problem
from .errors import bad

KEPT = 600.0  # seconds for which an Idempotency-Key is known


class Repeat(NamedTuple):
    """A request that may come twice: its Idempotency-Key, and a hash of its body."""

    key: str
    body: str

    def kept(self, now: float) -> Dict[str, Any]:
        """Return what is remembered of it."""
        return {"key": self.key, "body": self.body, "at": now}

    def was(self, known: Optional[Dict[str, Any]], now: float) -> bool:
        """Return whether this is what was ``kept``; Problem 422 where its key was used for something else."""
        if not known or known["key"] != self.key or now - known["at"] >= KEPT:
            return False
        if known["body"] != self.body:
            raise Problem(422, "key_reused", "this Idempotency-Key was used for another request; take a new one for each")
        return True


def repeat_of(key: Optional[str], body: bytes) -> Optional[Repeat]:
    """Return what a request's key stands for; Problem 400 for a key that can't be kept."""
    if key is None:
        return None
    if not 1 <= len(key) <= 128 or not key.isascii() or not key.isprintable():
        raise bad("Idempotency-Key has 1 to 128 printable ASCII characters")
    return Repeat(key, hashlib.sha256(body).hexdigest())
