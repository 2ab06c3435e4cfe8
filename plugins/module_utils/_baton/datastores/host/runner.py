# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the servers of a pool host: by the runner "process" as processes of our own, which outlive the guest.

A server is found again by its command line, so that a guest that was started anew knows what a life before it has started. systemd.py
is the other runner.
"""

from __future__ import annotations

import os
import pwd
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Collection, Dict, List, NamedTuple, Optional, Protocol, Sequence, Tuple

from . import family
from .trouble import Trouble, one_line

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOOK = 0.02  # seconds between looks at a process that can't be waited for
DIES_WITHIN = 60.0  # seconds in which a process that was killed is gone


class Program(NamedTuple):
    """``name``: of the instance; ``argv``: whoever runs with it is this program; ``user``: as whom, "" as ourselves. ``log``: where it says
    what it has to say; with ours if None. ``writes``: where it may write, apart from ``folder``. ``tools``: a folder of programs that it
    finds before all others.
    """

    name: str
    argv: Tuple[str, ...]
    folder: Path
    log: Optional[Path] = None
    user: str = ""
    writes: Tuple[Path, ...] = ()
    tools: Optional[Path] = None
    ends_by: int = signal.SIGTERM
    title: str = ""


class Runner(Protocol):
    """Who runs servers. Trouble where it can't."""

    def start(self, program: Program) -> None:
        """Begin to run it, and do not wait until it is ready."""

    def pid(self, program: Program) -> Optional[int]:
        """Return the process that runs it, whoever has started it."""

    def end(self, program: Program, seconds: float) -> bool:
        """Ask it to end, and return whether it has within so many seconds."""

    def kill(self, program: Program) -> None:
        """Kill it, with all that it has begun; it is gone on return."""

    def do(self, argv: Sequence[str], seconds: float) -> str:
        """Run something for the host to its end, with all that root may do there; return what it said."""


class Processes:
    """The runner "process"."""

    def __init__(self) -> None:
        self._started: Dict[str, "subprocess.Popen[bytes]"] = {}
        self._known: Dict[str, int] = {}
        self._locks: Dict[str, threading.Lock] = {}  # by name: nobody waits for what is slow with another

    def start(self, program: Program) -> None:
        with self._lock(program):
            if self._find(program) is None:
                self._start(program)

    def _start(self, program: Program) -> None:
        who = identity(program.user)
        try:
            with open(program.log or os.devnull, "ab") as log:
                if who and program.log:
                    os.chown(program.log, who["user"], who["group"])
                said = log if program.log else sys.stderr
                self._started[program.name] = subprocess.Popen(
                    program.argv, cwd=program.folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                    start_new_session=True, env=environment(program.tools), **who,
                )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise Trouble(f"{program.argv[0]} can't be started: {error}") from None

    def pid(self, program: Program) -> Optional[int]:
        with self._lock(program):
            return self._find(program)

    def _lock(self, program: Program) -> threading.Lock:
        return self._locks.setdefault(program.name, threading.Lock())

    def _find(self, program: Program) -> Optional[int]:
        child = self._started.get(program.name)
        if child is not None:
            if child.poll() is None:
                return child.pid  # its command line is not there yet for a moment after its start
            del self._started[program.name]
        known = self._known.get(program.name)
        if known is not None and _runs(known, program):
            return known
        found = _first([pid for pid in _all() if _runs(pid, program)])
        if found is None:
            self._known.pop(program.name, None)
        else:
            self._known[program.name] = found
        return found

    def end(self, program: Program, seconds: float) -> bool:
        return self._signal(program, program.ends_by, seconds)

    def kill(self, program: Program) -> None:
        if not self._signal(program, signal.SIGKILL, DIES_WITHIN) or not _end_orphans(program):
            raise Trouble(f"{program.argv[0]} of {program.name} outlives SIGKILL: its disk does not answer; look at the host")

    def _signal(self, program: Program, number: int, seconds: float) -> bool:
        pid = self.pid(program)
        if pid is None:
            return True
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return self.pid(program) is None
        try:
            if self.pid(program) != pid:  # the number may have become another's before we held on to it
                return False
            if number == signal.SIGKILL:
                family.kill(descriptor, pid)
            else:
                signal.pidfd_send_signal(descriptor, number)
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(seconds * 1000):
                return False
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)
        end = time.monotonic() + seconds
        while self.pid(program) is not None and time.monotonic() < end:
            time.sleep(LOOK)
        return self.pid(program) is None

    def do(self, argv: Sequence[str], seconds: float) -> str:
        return run(argv, seconds=seconds)


def run(
    command: Sequence[str], user: str = "", folder: Path = Path("/"), seconds: float = 300.0, good: Collection[int] = (0,)
) -> str:
    """Run a program to its end, and return what it printed; Trouble says what it said last, if its exit status is none of ``good``."""
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=seconds, check=False, **identity(user),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Trouble(f"{Path(command[0]).name} has not ended in {seconds:g} s, and was killed: look at the host's load") from None
    except OSError as error:
        raise Trouble(f"{command[0]} can't be run: {error}") from None
    output: str = done.stdout.decode("utf-8", "replace")
    if done.returncode not in good:
        raise Trouble(f"{Path(command[0]).name} failed with exit status {done.returncode}: {reason(output)}")
    return output


def reason(output: str) -> str:
    """Return the line of what a program printed that says best why it failed."""
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or "rror:" in line or line.startswith("E: ")]
    errors = errors or [line for line in lines if "failed" in line or "can't" in line or "denied" in line][:1] or lines
    return one_line(errors[-1]) if errors else "it said nothing"


def life_of(pid: int) -> str:
    """Return what tells a process from all others that ever had this number; "" if it is gone."""
    try:
        began = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{pid} {began} {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    except (OSError, IndexError):
        return ""


def identity(user: str) -> Dict[str, Any]:
    """Return what has subprocess run something as a user; as ourselves if there is none to name."""
    if not user:
        return {}
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise Trouble(f"there is no user {user} on this host: make it, or install the package that brings it") from None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def environment(tools: Optional[Path] = None) -> Dict[str, str]:
    """Return what a server's programs are told: nothing of what the guest was."""
    return {"PATH": f"{tools}:{PATH}" if tools else PATH, "LANG": "C.UTF-8", "HOME": "/nonexistent"}


def _all() -> List[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _runs(pid: int, program: Program) -> bool:
    """Return whether a process is this program, by its command line and user, and no zombie."""
    return _line(pid).split(b"\0") == [os.fsencode(word) for word in program.argv] and _is_of(pid, _owner(program))


def _line(pid: int) -> bytes:
    """Return a process's command line; "" if it is gone, or a zombie."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().rstrip(b"\0")
    except OSError:
        return b""


def _owner(program: Program) -> Optional[int]:
    """Return who runs a program, None if there is no such user."""
    try:
        return pwd.getpwnam(program.user).pw_uid if program.user else os.geteuid()
    except KeyError:
        return None


def _is_in(pid: int, folder: Path) -> bool:
    """Return whether a process is in a folder, as far as we may look: a guest under systemd may not, and goes by the title alone."""
    try:
        return os.readlink(f"/proc/{pid}/cwd").startswith(os.path.realpath(folder) + os.sep)
    except PermissionError:
        return True
    except OSError:
        return False


def _is_of(pid: int, owner: Optional[int]) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid == owner
    except OSError:
        return False


def _first(found: List[int]) -> Optional[int]:
    """Return of several processes with one command line the one from which the others come: they have no name of their own yet."""
    return next((pid for pid in found if family.parent_of(pid) not in found), None)


def orphans(program: Program) -> List[int]:
    """Return the processes that a program has begun, and that may have outlived it: they have its title, and are in its folder."""
    if not program.title:
        return []
    owner, title = _owner(program), os.fsencode(program.title)
    return [pid for pid in _all() if _line(pid).startswith(title) and _is_of(pid, owner) and _is_in(pid, program.folder)]


def _end_orphans(program: Program) -> bool:
    """Kill them; return whether they are gone."""
    end = time.monotonic() + DIES_WITHIN
    left = orphans(program)
    while left:
        for pid in left:
            family.end(pid)
        if time.monotonic() > end:
            return False
        time.sleep(LOOK)
        left = orphans(program)
    return True
