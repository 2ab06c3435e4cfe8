# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When tokens end, by the log's time. Pure."""

from __future__ import annotations

import heapq
from typing import Dict, List, Tuple

from ..state.heads import Changes, Heads

MOST_AT_ONCE = 500  # ends in one tick
AGAIN = 2.0  # seconds after which an end that came to nothing is ordered again


class TokenEnds:
    """The times at which tokens end, of one reign; seconds of the log's time."""

    def __init__(self, heads: Heads) -> None:
        self._ends: List[Tuple[float, str]] = []
        self._known: Dict[str, float] = {}
        self.committed([("tokens", document.key, document) for document in heads.list("tokens")])

    def committed(self, changed: Changes) -> None:
        """Take note of tokens that were made or are gone."""
        for kind, key, document in changed:
            if kind == "tokens":
                self._known.pop(key, None)
                expires = document.value.get("Expires") if document is not None else None
                if expires is not None:
                    self._known[key] = expires
                    heapq.heappush(self._ends, (expires, key))

    def tick(self, now: float) -> List[str]:
        """Return the tokens whose end is to be ordered; not too many at once."""
        over: List[str] = []
        while self._ends and self._ends[0][0] <= now and len(over) < MOST_AT_ONCE:
            when, key = heapq.heappop(self._ends)
            if self._known.get(key) == when:
                over.append(key)
                self._known[key] = now + AGAIN
                heapq.heappush(self._ends, (now + AGAIN, key))
        return over
