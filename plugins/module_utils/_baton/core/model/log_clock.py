# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log's own time: what entries are stamped with, and what remembered replies and tokens age by. Pure.

It goes on from where the log stands, at the pace of the active's clock (CLOCK_BOOTTIME); followers hear it with every
heartbeat. It never goes back and never jumps: a host whose wall clock is hours off forgets no reply too early and keeps
none for ever. Towards the wall clock, which people read and which goes on while nobody runs, it only leans.
"""

from __future__ import annotations

LEAN = 0.1  # at most: a second of it lasts between 0.9 and 1.1 seconds


class LogClock:
    """Milliseconds since 1970. ``now`` is the node's clock in seconds, ``wall`` its wall clock in seconds."""

    def __init__(self, at: int) -> None:
        self._at = float(at)  # 0: nothing was ever stamped
        self._since = float("nan")  # on the node's clock; unknown until it is first asked

    @property
    def running(self) -> bool:
        return self._since == self._since

    def read(self, now: float) -> int:
        """Return the time, in whole milliseconds."""
        if not self.running:
            self._since = now
        return int(self._at + max(0.0, now - self._since) * 1000)

    def lean(self, now: float, wall: float) -> None:
        """Go on to ``now``, a little quicker or slower where the wall clock is ahead or behind. Only the active's leans."""
        if self._at == 0:
            self._at, self._since = wall * 1000, now  # nothing was ever stamped: a new log begins with the date
            return
        at = self.read(now)
        passed = max(0.0, now - self._since) * 1000
        most = passed * LEAN
        self._at += passed + max(-most, min(most, wall * 1000 - at))
        self._since = now

    def hear(self, at: int, now: float) -> None:
        """Take over what the active says."""
        self._at, self._since = max(float(at), self._at), now
