# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the lease of a run alive for as long as its ansible-playbook lives, however that ends; then it ends the lease.

A lease that is found gone stays gone: what was held under it is lost, and the tasks that come have to take it again.
"""
from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time
from typing import Any, Callable, Dict, Optional

from ..client.api import Client
from ..client.connection import Connection
from ..client.contender import started_at
from ..client.error import ClientError
from ..client.locks import Locks
from .process_lock import exclusive, try_exclusive

PAUSE = 5.0  # seconds between two signs of life
LAST_TRIES = 30.0  # seconds for which the end is told to a cluster that does not answer; then the lease ends by itself
LOOK = 1.0  # seconds between two looks at a process where the kernel does not tell of its end
LINGER = 2.0  # seconds in which whoever stops us may stop the run, too


class Told(Exception):
    """SIGTERM."""


class Process:
    """A process that is watched. ``started``: its start, which tells it from a later one of the same number."""

    def __init__(self, pid: int, started: Optional[int]) -> None:
        self._pid, self._started, self._ended = pid, started, select.poll()
        self._handle: Optional[int] = None
        try:
            self._handle = os.pidfd_open(pid)
            self._ended.register(self._handle, select.POLLIN)
        except (AttributeError, OSError):  # an old kernel or Python; or it has ended
            pass

    def ends_within(self, seconds: float) -> bool:
        """Wait for the end, ``seconds`` at most; return whether it has come."""
        end = time.monotonic() + seconds
        while started_at(self._pid) == self._started:
            left = end - time.monotonic()
            if left <= 0:
                return False
            if self._handle is None:
                time.sleep(min(left, LOOK))
            elif self._ended.poll(left * 1000):
                return True
        return True


def keep(order: Dict[str, Any], client: Optional[Client] = None, answer: Optional[Callable[[str], None]] = None) -> None:
    """Keep a lease until the run has ended, or the lease is gone.

    ``order``: urls, token, ca, lease; pid and started of the run; lock and mutex, the files that lease.py looks at; notes, the
    directory that notes.py writes to.
    ``client``: asks the cluster, if not by urls, token and ca. ``answer`` takes "ready", if not standard output.
    """
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _told)
    alive = try_exclusive(order["lock"])
    process = Process(order["pid"], order["started"])
    (answer or _answer)("ready")
    if alive is None:
        return  # another one keeps it
    if client is None:
        client = Client(Connection(tuple(order["urls"]), order["token"], order["ca"], LAST_TRIES), "baton-keeper")
    try:
        over = _watch(process, client, order, alive)
    except Told:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        over = process.ends_within(LINGER)
    if over:
        _end(client, order)


def _told(_number: int, _frame: Any) -> None:
    raise Told


def _answer(line: str) -> None:
    """Say it to who started us, and let go of all that is his."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)


def _watch(process: Process, client: Client, order: Dict[str, Any], alive: int) -> bool:
    """Return True when the run has ended, False when its lease is gone."""
    while not process.ends_within(PAUSE):
        if _stands(client, order["lease"]):
            continue
        # A task may make it anew at this moment. It looks for us under the mutex: either it finds us, or we have found its lease.
        with exclusive(order["mutex"]):
            if not _stands(client, order["lease"]):
                os.close(alive)
                return False
    return True


def _stands(client: Client, lease: str) -> bool:
    """Give a sign of life; return whether the lease is there, as far as anybody knows."""
    try:
        client.request("POST", f"/leases/{lease}/keepalive", total=PAUSE, attempt=PAUSE)
    except ClientError as error:
        return error.code != "no_lease"
    return True


def _end(client: Client, order: Dict[str, Any]) -> None:
    try:
        Locks(client).revoke(order["lease"])
    except ClientError:
        pass  # it ends by itself
    shutil.rmtree(order["notes"], ignore_errors=True)
    for name in ("lock", "mutex"):
        try:
            os.unlink(order[name])
        except OSError:
            pass
