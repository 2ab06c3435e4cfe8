# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's watchdog (/dev/watchdog): armed while the VIP is held, it resets a host whose guard can neither renew nor remove it.

The device starts to count when it is opened, and stops when "V" is written before it is closed. Decides nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

SET_TIMEOUT = 0xC0045706  # WDIOC_SETTIMEOUT of linux/watchdog.h; answers with the seconds that the device really takes


class Watchdog:
    """``seconds``: how long the host may be without a sign of life while it is armed. All methods raise OSError."""

    def __init__(self, path: str, seconds: int) -> None:
        self.path = path
        self.seconds = seconds
        self._handle = -1

    def check(self) -> None:
        """Raise OSError unless the device can be opened; it is not, since that would arm it."""
        if not os.path.exists(self.path):
            raise FileNotFoundError(errno.ENOENT, "there is no such device", self.path)
        if not os.access(self.path, os.W_OK):
            raise PermissionError(errno.EACCES, "this user may not write to it", self.path)

    def keep(self) -> None:
        """Arm it, or give the next sign of life."""
        if self._handle < 0:
            self._arm()
        os.write(self._handle, b"\0")

    def _arm(self) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            given = struct.unpack("i", fcntl.ioctl(handle, SET_TIMEOUT, struct.pack("i", self.seconds)))[0]
        except OSError:
            _disarm(handle)
            raise
        if given > self.seconds:
            _disarm(handle)
            raise OSError(errno.EINVAL, f"it waits for {given} s at least, and {self.seconds} s are needed", self.path)
        self._handle = handle

    def release(self) -> None:
        """Disarm it; nothing happens when it is not armed."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            _disarm(handle)


def calm(path: str) -> None:
    """Disarm a watchdog that a guard may have left armed when it was killed; one that can't be opened is left alone."""
    try:
        _disarm(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
    except OSError:
        pass  # a guard has it open and cares for it, or the host will be reset, which is safe


def _disarm(handle: int) -> None:
    try:
        os.write(handle, b"V")
    finally:
        os.close(handle)
