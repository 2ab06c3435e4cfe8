# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast copies may leave a host: each as its set says, and all of them together as the host gives. Pure."""
from __future__ import annotations

from typing import Dict, Hashable, Mapping, TypeVar

BURST = 0.25  # seconds: what was not sent in so many may be sent at once
Key = TypeVar("Key", bound=Hashable)


def shares(most: float, limits: Mapping[Key, float]) -> Dict[Key, float]:
    """Return how many bytes a second each may send, by its limit, 0 for none, and ``most`` for all together: what one does not want the
    others have, each as much as any other that wants it.
    """
    if not most:
        return dict(limits)
    found: Dict[Key, float] = {}
    left, many = most, len(limits)
    for key in sorted(limits, key=lambda each: limits[each] or most):
        found[key] = min(limits[key] or most, left / many)
        left, many = left - found[key], many - 1
    return found


class Bucket:
    """What one may send. It fills with time, and may be owed to: so what is sent at once can be more than fits."""

    def __init__(self, now: float) -> None:
        self._has, self._at = 0.0, now

    def take(self, many: int, rate: float, now: float) -> float:
        """Take so many bytes; return in how many seconds they may be sent. ``rate``: bytes a second, 0 for no limit."""
        if not rate:
            self._has, self._at = 0.0, now
            return 0.0
        self._has = min(self._has + (now - self._at) * rate, BURST * rate) - many
        self._at = now
        return max(0.0, -self._has / rate)
