# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One driver, as the node knows it: the phase it is in, and what is wrong with it. Pure."""
from __future__ import annotations

from typing import Optional

from ..model.driver_options import Options
from ..model.timing import NEVER

MISSING = "missing"  # not connected
STOPPING = "stopping"
STOPPED = "stopped"
STARTING = "starting"
ACTIVE = "active"
PATIENCE = 10.0  # seconds that a driver may take to connect, or to become active while everybody waits, before that is said


class Driver:
    """What is known of one driver. ``stop_by``: nothing of it runs after that time, whatever it says."""

    def __init__(self, name: str, options: Options, now: float) -> None:
        self.id = name
        self.options = options
        self.session: Optional[int] = None
        self.phase = MISSING
        self.epoch = 0
        self.number = 0  # of the order that waits for its answer, 0 when none does
        self.ordered_at = now
        self.stop_by = NEVER
        self.away_since = now  # not connected
        self.missing_since = now  # and wanted
        self.asked_for_at = now  # that it is missing was said last
        self.removed = False  # its configuration was
        self.leaving = False  # it has said that it ends: it is not to be started before it connects again
        self.failed = ""  # why it does not run, although it should
        self.stuck = ""  # why it may run, although it should not
        self.retry_at = NEVER
        self.attempts = 0
        self.bad = self.good = 0
        self.healthy: Optional[bool] = None
        self.failures = 0
        self.changed_at = now
        self.took: Optional[float] = None
        self.message = ""

    @property
    def may_run(self) -> bool:
        return self.phase in (STARTING, ACTIVE)

    @property
    def can_not_stop(self) -> bool:
        """Whether it is there and says that its service may run although it was told to stop: no time makes that untrue."""
        return self.phase == STOPPING and self.session is not None and bool(self.stuck)

    def runs(self, now: float) -> bool:
        """Whether something of it may be running, as far as anybody is to wait for it."""
        return self.may_run or self.can_not_stop or (self.phase in (STOPPING, MISSING) and now < self.stop_by)

    def set(self, phase: str, now: float) -> None:
        if phase != self.phase:
            self.phase, self.changed_at = phase, now

    def settled(self, now: float) -> bool:
        """Whether those that come after it need not wait for it any longer."""
        if self.phase == ACTIVE:
            return True
        given_up = bool(self.failed) or (self.phase == MISSING and now - self.missing_since > PATIENCE)
        return given_up and self.options.on_failure == "ignore"


def trouble_of(driver: Driver, now: float) -> str:
    """Return what is wrong with a driver whose service is needed, such as ``is not connected``, or ""."""
    if driver.can_not_stop:
        return f"does not stop ({driver.stuck})"
    if driver.removed or driver.options.on_failure == "ignore":
        return ""
    if driver.stuck:
        return f"does not stop ({driver.stuck})"
    if driver.failed:
        return driver.failed
    return "is not connected" if driver.session is None and now - driver.away_since > PATIENCE else ""


def why_kept(driver: Driver) -> str:
    """Return why the role stays where a driver can't stop its service, and what a person does about it."""
    end = f"repair its stop, or end it by `systemctl stop baton-driver@{driver.id}`"
    return f"driver {driver.id} does not stop ({driver.stuck}), so its service would run on two nodes: {end}"
