# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver ``script``: two commands of the shell."""

from __future__ import annotations

from typing import Optional

from ..built_in import BuiltIn
from ..config import Config
from ..process import Groups
from ..session import Failed


class ScriptDriver(BuiltIn):
    """Runs ``start`` and ``stop``. What a start has left running in its process group is ended after the stop."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._groups = Groups()

    async def trigger(self, is_active: bool) -> Optional[str]:
        members, what = self.config.members, "start" if is_active else "stop"
        command = [members["shell"], "-c", members[what]]
        ended = await self._groups.run(command, env=self.environment(is_active), cwd=members["cwd"])
        if ended.status != 0:
            raise Failed(f"{what}: {ended.why}")
        if not is_active:
            await self._groups.end()
        return None

    def kill(self) -> None:
        self._groups.kill()


DRIVER = ScriptDriver
