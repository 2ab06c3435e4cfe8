# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What processes of one user on one machine agree by: files of a private directory that are locked, and let go by the kernel.

Raises ClientError "usage" where that can't be.
"""
from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from contextlib import contextmanager
from typing import Iterator, Optional

from ..client.error import ClientError

PATIENCE = 60.0  # seconds to wait for another process of this user


def private_directory() -> str:
    """Return a directory that nobody else may enter: in XDG_RUNTIME_DIR if that is ours, else in the temporary directory."""
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    path = os.path.join(own, "baton") if own and _ours(own) else os.path.join(tempfile.gettempdir(), f"baton-{os.geteuid()}")
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise ClientError("usage", f"can't make {path}: {(error.strerror or '').lower()}; set TMPDIR to a directory of yours") from None
    if not _ours(path):
        raise ClientError("usage", f"{path} is not a directory that only you may enter: remove it, or set TMPDIR to a directory of yours")
    return path


def _ours(path: str) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def try_exclusive(path: str) -> Optional[int]:
    """Lock a file; return the descriptor, which is the lock while it is open, or None when another process has it."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ClientError("usage", f"can't open {path}: {(error.strerror or '').lower()}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


@contextmanager
def exclusive(path: str) -> Iterator[None]:
    """Be the only process in here."""
    end = time.monotonic() + PATIENCE
    handle = try_exclusive(path)
    while handle is None:
        if time.monotonic() >= end:
            raise ClientError("usage", f"another process has had {path} locked for {PATIENCE:g} s; is it stopped?")
        time.sleep(0.02)
        handle = try_exclusive(path)
    try:
        yield
    finally:
        os.close(handle)
