# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long somebody waits, and what is said of it: what the clock says, not what was asked of a server."""

from __future__ import annotations

import time
from typing import Callable


class Patience:
    """``seconds`` from now on. ``clock``: seconds that only grow."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._began = clock()

    @property
    def waited(self) -> float:
        return self._clock() - self._began

    @property
    def left(self) -> float:
        return max(0.0, self.seconds - self.waited)

    @property
    def so_far(self) -> str:
        """Say how it goes: "20 s of 300 s"."""
        return f"{min(self.waited, self.seconds):.0f} s of {seconds(self.seconds)}"

    @property
    def spent(self) -> str:
        """Say when it is over how long it took: what was to be, unless nobody answered for a while at the end."""
        return seconds(self.seconds if self.waited < self.seconds + 1 else round(self.waited))


def seconds(value: float) -> str:
    """Return a time in seconds as people say it: what is left of 300 s is not 297.183 s."""
    return f"{value:.0f} s" if value >= 100 else f"{value:.3g} s"
