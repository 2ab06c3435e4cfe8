# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timing profiles and the one rule that ties lease, grace and the guard together. Pure: all values are seconds.

The active may serve until ``lease`` after it *sent* the last heartbeat that every counted passive acknowledged. A passive
that heard nothing for ``grace`` may be promoted. Clocks may run off by ``rate_error`` (chrony slews up to 8 %).
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Dict

from ...ground.problem import Problem

NEVER = float("-inf")  # when something happened that has not


@dataclass(frozen=True)
class Timing:
    """Durations in seconds; ``valid`` is the lifetime that the kernel gives the VIP."""

    lease: float
    grace: float
    valid: float
    guard_latency: float = 0.05
    rate_error: float = 0.1

    @property
    def heartbeat(self) -> float:
        """How often the active sends a heartbeat: eight in a lease, so that a few may be lost."""
        return self.lease / 8

    @property
    def silence(self) -> float:
        """How long a passive may not acknowledge before the active starts to shrink: half a lease."""
        return self.lease / 2

    @property
    def stagger(self) -> float:
        """How long the next candidate leaves to the better one: enough for a swap, little beside the grace."""
        return self.grace / 10

    @property
    def stall(self) -> float:
        """How long an entry may wait for a passive's disk; a disk may pause longer than a network, so at least a second."""
        return max(self.silence, 1.0)

    def check(self) -> "Timing":
        """Return self, or raise Problem 400 when a passive could be promoted while the active may still serve."""
        earliest_promotion = self.grace * (1 - self.rate_error)
        latest_service = self.lease * (1 + self.rate_error) + self.guard_latency
        if earliest_promotion <= latest_service:
            raise Problem(
                400,
                "unsafe_timing",
                f"grace {self.grace} s is too short for lease {self.lease} s: a passive could start after "
                f"{earliest_promotion:.2f} s while the active may serve for {latest_service:.2f} s; raise the grace",
            )
        return self


PROFILES: Dict[str, Timing] = {
    "balanced": Timing(lease=2.0, grace=3.0, valid=2.0),
    "fast": Timing(lease=0.4, grace=0.6, valid=1.0),
}


def profile(name: str) -> Timing:
    """Return a checked timing profile by name; Problem 400 names those that exist."""
    if name not in PROFILES:
        raise Problem(400, "unknown_timing", f"timing {name!r} does not exist; choose one of {', '.join(sorted(PROFILES))}")
    return PROFILES[name].check()
