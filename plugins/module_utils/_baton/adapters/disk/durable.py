# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files and names on disk that outlive a power cut: written whole or not at all, and fsynced.

Decides nothing. After an OSError what was there before is still there, unless only the directory
could not be fsynced: then a power cut may leave either.
"""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

ROOM = 1 << 16  # bytes: more than any small file of ours


def write_all(handle: int, data: bytes) -> None:
    """Write all or raise OSError: a disk that fills up takes a part and is silent about it."""
    left = memoryview(data)
    while left:
        written = os.write(handle, left)
        if not written:
            raise OSError(errno.EIO, "nothing more can be written")
        left = left[written:]


def write_durably(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a small file at once or not at all; ``mode`` is exact, whatever the umask."""
    data = text.encode()
    new = path.with_name(path.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        try:
            os.fchmod(handle, mode)
            write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(new, path)
    except BaseException as error:
        with suppress(OSError):
            new.unlink()  # on a full disk its blocks are what somebody waits for
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        raise
    sync_directory(path.parent)


def prove_room(directory: Path) -> None:
    """Raise OSError unless a small file could be written in ``directory`` now; it leaves nothing."""
    with tempfile.TemporaryFile(dir=directory) as file:
        os.posix_fallocate(file.fileno(), 0, ROOM)


def sync_directory(path: Path) -> None:
    """Make names in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directory(path: Path, mode: int = 0o700) -> None:
    """Make a directory and, as the umask says, those missing above it; the names are durable."""
    if path.is_dir():
        return
    if path != path.parent:
        make_directory(path.parent, 0o777)
    with suppress(FileExistsError):  # somebody else was quicker
        path.mkdir(mode)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    sync_directory(path.parent)
