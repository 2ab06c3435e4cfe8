# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One process for each data directory: a lock on the directory itself, held until the process ends.

Decides nothing. It is on the inode, so it is the same lock whatever path leads there, there is no
file that somebody could remove, and whoever is refused has changed nothing. The kernel drops it
when the process is dead, however it died. A guard that lives on does not have it: O_CLOEXEC.
"""
from __future__ import annotations

import fcntl
import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from ...ground.problem import Problem
from .durable import make_directory
from .ours import check_ours

PATIENCE = 5.0  # seconds: a process that was killed is dead only when its last fsync has ended
LOOK_EVERY = 0.02
LOG = logging.getLogger("baton")


class InUse(Exception):
    """Another process has the lock; says " (pid N)" where the kernel tells which one."""


def claim(path: Path, patience: float = PATIENCE) -> int:
    """Make the directory if need be and lock it; Problem when it can't be ours.

    Returns the descriptor that holds the lock. It is never closed: threads may write until the end.
    """
    try:
        make_directory(path)
        check_ours(path)
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(0, "not writable for this user, or on a read-only file system")
        return lock(path, patience)
    except InUse as holder:
        raise Problem(
            409, "data_directory", f"{path} is in use by another batond{holder}: stop that one "
            "first, or give this one another --data-dir",
        ) from None  # fmt: skip
    except OSError as error:
        text = f"--data-dir (BATON_DATA_DIR): can't use {path}: {error.strerror or error}"
        raise Problem(400, "bad_setting", text) from None


def lock(path: Path, patience: float) -> int:
    """Lock an existing directory; InUse when it stays somebody else's for ``patience`` seconds."""
    end = time.monotonic() + patience
    said = False
    while True:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            holder = _holder(handle)
            os.close(handle)  # and opened anew, in case another directory gets this name meanwhile
        except BaseException:
            os.close(handle)
            raise
        if time.monotonic() >= end:
            raise InUse(holder)
        if not said:
            said = True
            LOG.info("waiting for %s, which is still in use%s", path, holder)
        time.sleep(LOOK_EVERY)


def _holder(handle: int) -> str:
    """Return " (pid N)" of who has the lock, or "" where the kernel does not say."""
    ours = os.fstat(handle)
    device = f"{os.major(ours.st_dev):02x}:{os.minor(ours.st_dev):02x}"
    with suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()  # 1: FLOCK ADVISORY WRITE 4711 fe:01:131 0 EOF
            if fields[1] != "FLOCK" or len(fields) < 6:
                continue
            there, _colon, inode = fields[5].rpartition(":")
            if inode == str(ours.st_ino) and (there == device or _has_open(fields[4], ours)):
                return f" (pid {fields[4]})"
    return ""


def _has_open(pid: str, ours: os.stat_result) -> bool:
    """Whether the process has it open: btrfs gives a directory another device than its locks."""
    with suppress(OSError):
        files = Path(f"/proc/{pid}/fd").iterdir()
        return any(os.path.samestat(file.stat(), ours) for file in files)
    return False
