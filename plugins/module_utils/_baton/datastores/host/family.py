# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killing a process with all that it has begun. A server whose clients have processes of their own, such as PostgreSQL, goes on to
answer them for a second or more when its first process alone is killed: what they run is finished, and acknowledged.

Needs nothing of the rest, as the guard does.
"""

from __future__ import annotations

import os
import signal
from typing import Dict, List, Set


def kill(pidfd: int, pid: int) -> None:
    """Kill a process that we hold, and those that come from it. While it is stopped it begins no other, and no number becomes another's:
    who has ended meanwhile waits for it.
    """
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
        for _time in range(2):  # what it was beginning when it was stopped is there the second time
            for child in descendants(pid):
                end(child)
    finally:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def descendants(pid: int) -> List[int]:
    """Return all that come from a process, children first."""
    children: Dict[int, List[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            children.setdefault(parent_of(int(name)), []).append(int(name))
    found: List[int] = []
    seen: Set[int] = {pid}
    left = [pid]
    while left:
        for child in children.get(left.pop(0), ()):
            if child not in seen:
                seen.add(child)
                found.append(child)
                left.append(child)
    return found


def parent_of(pid: int) -> int:
    """Return whose child a process is; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0
