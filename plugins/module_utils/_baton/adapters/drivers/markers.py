# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers: a file for each driver that may be running, in a directory that the VIP's guard looks at when batond is dead.

Drivers of several users share the directory. It is sticky, so that a file goes by its owner alone, or by batond, which owns the
directory: nobody takes away what stands for another's service. Foreign files are looked at and unlinked, never opened. Decides
nothing else.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Optional

from ..disk.ours import check_ours

MAKING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
ROOT = 0


class Markers:
    """The markers of a host. OSError where the disk, or somebody who was quicker, is in the way."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def prepare(self) -> None:
        """Make the directory, for us and our group, or take the one that is there; PermissionError when it is not to be trusted."""
        self.directory.mkdir(mode=0o1770, exist_ok=True)
        check_ours(self.directory, stat.S_IWOTH)  # drivers of its group make their markers here
        mode = self.directory.stat().st_mode
        if not mode & stat.S_ISVTX:
            try:
                self.directory.chmod(stat.S_IMODE(mode) | stat.S_ISVTX)
            except PermissionError:
                why = f"one driver may remove another's marker: `chmod +t {self.directory}`"
                raise PermissionError(errno.EPERM, why, str(self.directory)) from None

    def path(self, driver: str) -> Path:
        return self.directory / driver

    def make(self, driver: str) -> None:
        """Make a marker of our own, for a driver that makes none."""
        if not self.is_of(driver, os.geteuid()):
            self._unlink(driver)
            os.close(os.open(self.path(driver), MAKING, 0o640))

    def make_way(self, driver: str, user: int) -> None:
        """Remove what is in the way of a marker that ``user`` is to make."""
        if not self.is_of(driver, user):
            self._unlink(driver)

    def remove(self, driver: str, user: Optional[int]) -> None:
        """Remove the marker of a driver of ``user`` (None: nobody knows) that has stopped; another user's stays."""
        if self.foreign(driver, user) is None:
            self._unlink(driver)

    def foreign(self, driver: str, user: Optional[int]) -> Optional[int]:
        """Return the user whose marker there is, if that is neither this one nor we; root is believed whatever it says."""
        found = self._look(driver)
        if found is None or user == ROOT or found.st_uid in (os.geteuid(), user):
            return None
        return found.st_uid

    def is_of(self, driver: str, user: Optional[int]) -> bool:
        """Whether there is a marker, and it is this user's."""
        found = self._look(driver)
        return found is not None and stat.S_ISREG(found.st_mode) and found.st_uid == user

    def _look(self, driver: str) -> Optional[os.stat_result]:
        try:
            return os.lstat(self.path(driver))
        except FileNotFoundError:
            return None

    def _unlink(self, driver: str) -> None:
        self.path(driver).unlink(missing_ok=True)
