# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard: a process beside the guest that kills a server whose time to take writes is over, should the guest be frozen or gone.

Lines of JSON over a socket in the guest's directory: ``{"pid", "until"}`` in, ``{"ok"}`` out. ``until`` is of CLOCK_BOOTTIME; null: this
server takes no writes. A server is held by its pidfd, so that another process never takes its place, and killed with all that come from
it. What was told stays when a guest goes; the next one speaks to the same guard.
"""
from __future__ import annotations

import errno
import json
import os
import selectors
import signal
import socket
import sys
import time
from typing import Any, Dict, List, Optional, Tuple

from . import family

MOST_LINE = 4096
IDLE = 0.5  # seconds between two looks at the clock while nothing is due
MOST_GUESTS = 16  # connections


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Guard:
    """What was told: by pid, the pidfd of a server and until when it may take writes."""

    def __init__(self) -> None:
        self._told: Dict[int, Tuple[int, float]] = {}

    def tell(self, pid: int, until: Optional[float]) -> str:
        """Take note; return "" or why that can't be."""
        held = self._told.get(pid)
        if held is not None and _is_gone(held[0]):
            self._forget(pid)
            held = None
        if until is None:
            self._forget(pid)
            return ""
        if held is None:
            try:
                held = os.pidfd_open(pid), until
            except OSError as error:
                return f"process {pid} can't be held: {error.strerror}"
        self._told[pid] = held[0], until
        return ""

    def look(self, now: float) -> float:
        """Kill what is over; return after how many seconds to look again."""
        for pid, (pidfd, until) in list(self._told.items()):
            if _is_gone(pidfd):
                self._forget(pid)
            elif now >= until:
                _kill(pidfd, pid)
                sys.stderr.write(f"guard: killed server {pid}, whose time to take writes is over\n")
                self._forget(pid)
        return max(0.0, min([IDLE, *(until - now for _pidfd, until in self._told.values())]))

    @property
    def is_needed(self) -> bool:
        return bool(self._told)

    def _forget(self, pid: int) -> None:
        held = self._told.pop(pid, None)
        if held is not None:
            os.close(held[0])


def _kill(pidfd: int, pid: int) -> None:
    try:
        family.kill(pidfd, pid)
    except ProcessLookupError:
        pass


def _is_gone(pidfd: int) -> bool:
    try:
        signal.pidfd_send_signal(pidfd, 0)
    except ProcessLookupError:
        return True
    return False


def answer(guard: Guard, line: bytes) -> Dict[str, Any]:
    """Do what a line says."""
    try:
        told = json.loads(line)
        pid, until = told["pid"], told["until"]
        if isinstance(pid, bool) or not isinstance(pid, int) or pid < 2 or isinstance(until, bool):
            raise ValueError
        problem = guard.tell(pid, None if until is None else float(until))
    except (KeyError, TypeError, ValueError):
        problem = 'a line is {"pid": NUMBER, "until": SECONDS or null}'
    return {"ok": not problem, "problem": problem}


class Server:
    """The guard at its socket. OSError when another guard is there already."""

    def __init__(self, path: str) -> None:
        self._guard, self._parts = Guard(), selectors.DefaultSelector()
        self._rest: Dict[socket.socket, bytes] = {}
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        _bind(listening, path)
        listening.listen(MOST_GUESTS)
        listening.setblocking(False)
        self._listening = listening
        self._is_ending = False
        self._parts.register(listening, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until we are to end, and nobody's time is left to see to: a source must not outlive its guest and its guard."""
        while not self._is_ending or self._guard.is_needed:
            pause = self._guard.look(boottime())
            for key, _events in self._parts.select(pause):
                if key.fileobj is self._listening:
                    self._accept()
                else:
                    self._read(key.fileobj)  # type: ignore[arg-type]

    def end(self, *_signal: Any) -> None:
        self._is_ending = True

    def _accept(self) -> None:
        try:
            guest, _address = self._listening.accept()
        except OSError:
            return
        if len(self._rest) >= MOST_GUESTS:
            guest.close()
            return
        guest.settimeout(1.0)
        self._rest[guest] = b""
        self._parts.register(guest, selectors.EVENT_READ)

    def _read(self, guest: socket.socket) -> None:
        try:
            data = guest.recv(MOST_LINE)
            lines: List[bytes] = (self._rest[guest] + data).split(b"\n")
            if not data or len(lines[-1]) > MOST_LINE:
                raise OSError(errno.ECONNRESET, "it is gone")
            self._rest[guest] = lines.pop()
            for line in lines:
                guest.sendall(json.dumps(answer(self._guard, line)).encode() + b"\n")
        except OSError:
            self._parts.unregister(guest)
            del self._rest[guest]
            guest.close()


def _bind(listening: socket.socket, path: str) -> None:
    try:
        listening.bind(path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            try:
                other.connect(path)
            except ConnectionRefusedError:  # it was a guard's that is gone
                os.unlink(path)
                listening.bind(path)
                return
        raise
    finally:
        if os.path.exists(path):
            os.chmod(path, 0o600)


def main(path: str) -> int:
    """Serve at a socket until somebody ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: it goes to all, and we stay as long as servers do
    try:
        server = Server(path)
        signal.signal(signal.SIGTERM, server.end)
        server.run()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return 0
        sys.stderr.write(f"guard: can't serve at {path}: {error.strerror}\n")
        return 1
    return 0
