# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the built-in drivers have in common: made from a Config, with a check if there is one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict

from .checks import make
from .config import Config
from .session import Driver


def secret_file(config: Config, member: str) -> str:
    """Return the file with a secret that a member names, "" for none.

    systemd may have made a copy for this driver alone (LoadCredential=MEMBER:FILE), which may not read the file itself.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    copy = Path(folder) / member
    named = str(config.members[member])
    return str(copy) if named and folder and copy.exists() else named


class BuiltIn(Driver):
    """A driver that FILE describes."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.id, **config.options)
        self.config = config
        self.look = None if config.check is None else make(config.check)
        self.check_every = 0.0
        if config.check is not None:
            self.check_every, self.check_timeout = config.check["every"], config.check["timeout"] + 2.0  # it ends by itself

    def environment(self, is_active: bool) -> Dict[str, str]:
        """Return what commands find in their environment besides ours."""
        ours = {"BATON_ID": self.id, "BATON_NODE": self.node, "BATON_EPOCH": str(self.epoch), "BATON_ACTIVE": str(int(is_active))}
        return {**ours, **self.config.members.get("env", {})}

    async def check(self) -> object:
        if self.look is not None:
            await self.look(self.environment(True), self.config.members.get("cwd"))
        return None
