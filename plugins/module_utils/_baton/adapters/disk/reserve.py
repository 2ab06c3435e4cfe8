# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on the disk for the daemon's own writes, whoever fills it: a file that holds the place until it is needed.

From the top: uploads stop while there is room for everything else; when little more than the file's place is left, the
file is given up, clients' changes stop, and what a node must write to go on, to hand over and to start anew goes there.
Decides nothing about the cluster. Threads call it, never the loop.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Callable

LOG = logging.getLogger("baton.disk")
NAME = "reserve"
MOST = 32 << 20
PART = 16  # of the file system at most, where that is small
NOT_HERE = (errno.EOPNOTSUPP, errno.EINVAL)  # a file system that does not hold places


class DiskFull(OSError):
    """There is no room for an upload."""


class DiskReserve:
    """The reserve of a data directory. ``on_change`` is called, in the thread that notices, when ``low`` changes."""

    def __init__(self, directory: Path) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self.low = False
        self._path = directory / NAME
        self._lock = threading.Lock()
        self._useless = False
        disk = os.statvfs(directory)
        self.size = min(MOST, disk.f_blocks * disk.f_frsize // PART)
        self.look()

    def look(self, need: int = 0) -> bool:
        """Whether ``need`` bytes can be written. Gives the file up, or makes it again, as the disk fills and empties; OSError."""
        with self._lock:
            free, held = self._free(), self._path.exists()
            if held and free < need + self.size // 4:
                self._path.unlink()
                LOG.warning("the disk of %s is full: going on with the %d MiB that were kept for it", self._path.parent, self.size >> 20)
                free, held = self._free(), False
            elif not held and free > need + 2 * self.size:
                held = self._make()
            low = not held and (not self._useless or free < need + self.size)
            changed, self.low = low != self.low, low
        if changed:
            self.on_change()
        return free >= need

    def take(self, size: int) -> None:
        """Raise DiskFull where ``size`` more bytes of an upload would leave too little for everything else."""
        if self.low or self._free() < size + self.size:
            raise DiskFull(errno.ENOSPC, "the disk is nearly full", str(self._path.parent))

    def _free(self) -> int:
        """Return how many bytes we may still write."""
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    def _make(self) -> bool:
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(handle, 0, self.size)
            finally:
                os.close(handle)
        except OSError as error:
            with suppress(OSError):
                self._path.unlink()
            self._useless = error.errno in NOT_HERE
            if not self._useless and error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            return False
        return True
