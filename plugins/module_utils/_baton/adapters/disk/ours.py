# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a directory is ours alone to change: somebody else who can put a name into it would have us write where he likes.

Decides nothing of what follows. Standard library only.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def check_ours(path: Path, others: int = stat.S_IWGRP | stat.S_IWOTH) -> None:
    """Raise PermissionError, whose ``strerror`` says what to do, unless the directory is this user's and nobody else may change it.

    ``others``: the bits of a mode that it must not have. A link to it is one of this user's or of root's.
    """
    mine = os.geteuid()
    link = os.lstat(path)
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in (0, mine):
        raise _refused(path, f"it is a symbolic link that belongs to uid {link.st_uid}: name the directory itself")
    found = os.stat(path)
    if found.st_uid != mine:
        raise _refused(path, f"it belongs to uid {found.st_uid}, and this process is uid {mine}: run as that user, or `chown` it")
    if found.st_mode & others:
        who = "anybody" if found.st_mode & others & stat.S_IWOTH else "its group"
        raise _refused(path, f"{who} may write into it: `chmod {'o' if who == 'anybody' else 'g'}-w {path}`")


def _refused(path: Path, why: str) -> PermissionError:
    return PermissionError(errno.EPERM, why, str(path))
