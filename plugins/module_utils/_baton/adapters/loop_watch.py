# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures how long the event loop stands still: by how much a short sleep ends late.

Decides nothing. While the loop stands still no heartbeat is sent or answered, so that a stall as
long as the lease ends it. The CPU that this thread used tells whether a request held the loop, or
whether the machine did not run the process.
"""

from __future__ import annotations

import asyncio
import logging
import time

LOG = logging.getLogger("baton")
PERIOD = 0.02  # seconds between looks: what is shorter is not seen
TOLD = 0.1  # seconds from which the journal says so
QUIET = 10.0  # seconds after a line in which only a longer stall gets another


class LoopWatch:
    """``longest``: seconds of the longest stall since the process began; ``cpu``: the most of CPU in one."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.cpu = 0.0
        self._said = 0.0
        self._said_at = float("-inf")

    async def run(self) -> None:
        """Look until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            began, used = clock(), time.thread_time()
            await asyncio.sleep(PERIOD)
            now = clock()
            self.note(now - began - PERIOD, time.thread_time() - used, now)

    def note(self, stall: float, cpu: float, now: float) -> None:
        """Take one look: by how many seconds it was late, and how many of CPU were used meanwhile."""
        self.longest = max(self.longest, stall)
        self.cpu = max(self.cpu, min(cpu, stall))
        if stall < TOLD or (now - self._said_at < QUIET and stall <= self._said):
            return
        self._said, self._said_at = stall, now
        why = "a request was too large" if cpu > stall / 2 else "the machine did not run this process, or its disk waited"
        LOG.warning("the event loop stood still for %.2f s (%.2f s of CPU): %s", stall, cpu, why)
