# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of a driver's unit when its process has ended, found by systemd's control group.

systemd runs ExecStopPost as soon as the main process of a unit that stops has ended; what it left may live on until after that.
"""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import List

UNIT = re.compile(r"(.*/baton-driver@[^/]+\.service)(/.*)?\Z")
PATIENCE = 2.0  # seconds that a killed process may take to be gone
LOOK = 0.01  # seconds between looks


def end(processes: Path = Path("/proc")) -> str:
    """SIGKILL for all processes of our unit but this one; return what outlives it, or "". Outside of such a unit nothing is touched."""
    group = _unit_of(processes / "self")
    end = time.monotonic() + PATIENCE
    while True:
        left = _others_in(group, processes) if group else []
        if not left or time.monotonic() > end:
            return ", ".join(map(str, left))
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        time.sleep(LOOK)


def _unit_of(process: Path) -> str:
    """Return the line of the unit's control group, such as ``0::/system.slice/baton-driver@db.service``, "" for none."""
    try:
        lines = (process / "cgroup").read_text().splitlines()
    except OSError:
        return ""  # it has just ended
    found = [match.group(1) for match in map(UNIT.match, lines) if match]
    return found[0] if found else ""


def _others_in(group: str, processes: Path) -> List[int]:
    others = (path for path in processes.glob("[0-9]*") if int(path.name) != os.getpid())
    return [int(path.name) for path in others if _unit_of(path) == group and _lives(path)]


def _lives(process: Path) -> bool:
    try:
        return (process / "stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return False
