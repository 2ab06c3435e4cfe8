# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver ``systemd``: units that run on the active node only."""

from __future__ import annotations

from typing import List, Optional

from .. import stop_post
from ..built_in import BuiltIn
from ..config import Config
from ..process import Ended, Groups
from ..session import Failed


class SystemdDriver(BuiltIn):
    """Starts units in their order, stops them in the reverse. A unit that is not active is unhealthy."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.units: List[str] = config.members["units"]
        self.check_every = self.check_every or 2.0
        self._groups = Groups()

    async def trigger(self, is_active: bool) -> Optional[str]:
        if is_active:
            stop_post.note(self.id, self.units)
            for unit in self.units:
                # It ends when the unit has started. If it is cancelled, the stop that follows replaces the start in systemd's queue.
                ended = await self._systemctl("start", unit)
                if ended.status != 0:
                    raise Failed(f"there is no unit {unit}" if ended.status == stop_post.NOT_LOADED else f"{unit}: {ended.why}")
            return f"{', '.join(self.units)} active"
        missing, failures = [], []
        for unit in reversed(self._started()):
            ended = await self._systemctl("stop", unit)
            if ended.status == stop_post.NOT_LOADED:
                missing.append(unit)
            elif ended.status != 0:
                failures.append(f"{unit}: {ended.why}")
        if failures:
            raise Failed("; ".join(failures))
        stop_post.note(self.id, [])
        return f"{', '.join(self.units)} stopped" + (f"; there is no unit {', '.join(missing)}" if missing else "")

    def _started(self) -> List[str]:
        """Return our units, and those that an earlier process of this driver may have left running."""
        return list(dict.fromkeys([*self.units, *stop_post.noted(self.id)]))

    async def _systemctl(self, verb: str, unit: str) -> Ended:
        return await self._groups.run(["systemctl", verb, "--", unit], capture=True)

    async def check(self) -> object:
        ended = await self._groups.run(["systemctl", "is-active", "--", *self.units], self.check_timeout, capture=True)
        states = ended.output.split()
        if len(states) != len(self.units):
            raise Failed(f"systemctl is-active failed: {ended.why}")
        for unit, state in zip(self.units, states):
            if state not in ("active", "reloading", "refreshing"):
                raise Failed(f"{unit} is {state}")
        return await super().check()

    def kill(self) -> None:
        stop_post.kill(self._started())


DRIVER = SystemdDriver
