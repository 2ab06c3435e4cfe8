# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a command: a session and process group of its own, and nothing of it left behind when it is given up.

What it prints goes to the journal. Processes that leave their group (a double fork with setsid) are not followed: systemd kills
them with the driver's unit.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Callable, Dict, Mapping, Optional, Sequence, Set

from .session import Failed

PATIENCE = 0.5  # seconds between SIGTERM and SIGKILL
LOOK = 0.02  # seconds between looks at a group that is to end
FOR_THE_DRIVER_ONLY = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")


@dataclass(frozen=True)
class Ended:
    """How a command ended; ``output`` and ``errors`` are what it printed if that was captured."""

    status: int
    output: str = ""
    errors: str = ""

    @property
    def why(self) -> str:
        """A line for people."""
        lines = self.errors.strip().splitlines()
        if lines:
            return lines[-1]
        return f"exit status {self.status}" if self.status >= 0 else f"killed by {signal.Signals(-self.status).name}"


class Groups:
    """The process groups of a driver's commands, as far as something of them lives."""

    def __init__(self) -> None:
        self._ids: Set[int] = set()

    async def run(
        self,
        command: Sequence[str],
        timeout: Optional[float] = None,
        env: Optional[Mapping[str, str]] = None,
        cwd: Optional[str] = None,
        feed: str = "",
        capture: bool = False,
    ) -> Ended:
        """Run a command to its end. After ``timeout`` seconds, or when cancelled, all of its group is killed; Failed says so.

        ``env`` is added to the environment. What the command leaves running in its group stays: see ``end``.
        """
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            # Files, not pipes: whatever the command leaves behind would hold those open.
            given.write(feed.encode())
            given.seek(0)
            files: Dict[str, Any] = {"stdin": given}
            if capture:
                files.update(stdout=output, stderr=errors)
            try:
                process = await asyncio.create_subprocess_exec(
                    *command, start_new_session=True, env=environment(env or {}), cwd=cwd or None, **files
                )
            except OSError as error:
                raise Failed(f"{command[0]} can't be run: {error.strerror}") from error
            self._ids.add(process.pid)
            try:
                status = await asyncio.wait_for(process.wait(), timeout)
            except asyncio.TimeoutError:
                await self._end(process.pid)
                raise Failed(f"it took longer than {timeout:g} s and was killed") from None
            except asyncio.CancelledError:
                await self._end(process.pid)
                raise
            if not alive(process.pid):
                self._ids.discard(process.pid)
            return Ended(status, _text(output), _text(errors))

    async def end(self) -> None:
        """End what commands have left running: SIGTERM, then SIGKILL. Failed when something outlives that."""
        for group in tuple(self._ids):
            await self._end(group)

    def kill(self) -> None:
        """SIGKILL for all."""
        for group in tuple(self._ids):
            _signal(group, signal.SIGKILL)

    async def _end(self, group: int) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal(group, number)
            if await _gone(group):
                self._ids.discard(group)
                return
        raise Failed(f"process group {group} outlives SIGKILL")


def environment(added: Mapping[str, str]) -> Dict[str, str]:
    """Return the environment for commands: ours and what is added, without what systemd gave to the driver alone."""
    return {**{name: value for name, value in os.environ.items() if name not in FOR_THE_DRIVER_ONLY}, **added}


def alive(group: int) -> bool:
    """Whether a process group has a process that is not a zombie: orphans may stay those for ever in a container."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return any(_runs_in(path, group) for path in Path("/proc").glob("[0-9]*/stat"))


def _runs_in(stat: Path, group: int) -> bool:
    try:
        state, _parent, its_group = stat.read_bytes().rpartition(b")")[2].split()[:3]
    except (OSError, ValueError):
        return False  # it has just ended
    return int(its_group) == group and state not in (b"Z", b"X")


async def _gone(group: int) -> bool:
    clock: Callable[[], float] = asyncio.get_running_loop().time
    end = clock() + PATIENCE
    while alive(group):
        if clock() >= end:
            return False
        await asyncio.sleep(LOOK)
    return True


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(64 << 10).decode("utf-8", "replace")
