# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose an incarnation is: a copy of a data directory is another disk, and must not be taken for the one that it was.

Beside each database, OWNER says on which machine and as which directory it was made. Where that is not so, it was
copied: a clone of the machine, a backup that was put back, a move. It gets a name of its own then, which no record has.
"""
from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Tuple

from .durable import sync_directory, write_durably

OWNER = "OWNER"
CLAIM = "CLAIM"  # in the data directory while a copy gets its name: "OLD NEW"
COPY = "a copy of one that is in use"
_MACHINE = Path("/etc/machine-id")


def _owner(folder: Path) -> str:
    """Return what names this directory on this machine; a copy has another inode, a clone another machine id."""
    machine = ""
    with suppress(OSError):
        machine = _MACHINE.read_text().strip()
    return f"{machine} {os.stat(folder).st_ino}"


def claim(directory: Path, incarnation: str, fresh: str) -> Tuple[str, bool]:
    """Make sure that an incarnation is ours; return its name, which is ``fresh`` if it is a copy, and whether it is.

    One without an owner was made by an older version, and is taken as it is.
    """
    folder = directory / incarnation
    try:
        known = (folder / OWNER).read_text().strip()
    except FileNotFoundError:
        known = ""
    if known in ("", _owner(folder)):
        if not known:
            adopt(folder)
        return incarnation, False
    write_durably(directory / CLAIM, f"{incarnation} {fresh}\n")
    finish_claim(directory)
    return fresh, True


def adopt(folder: Path) -> None:
    """Note that an incarnation is ours."""
    write_durably(folder / OWNER, _owner(folder) + "\n")


def finish_claim(directory: Path) -> None:
    """Give a copy its name, also where a crash came between: before CURRENT is read."""
    try:
        old, fresh = (directory / CLAIM).read_text().split()
    except (FileNotFoundError, ValueError):
        return
    if (directory / old).is_dir():
        os.rename(directory / old, directory / fresh)
        sync_directory(directory)
    adopt(directory / fresh)
    write_durably(directory / "CURRENT", fresh + "\n")
    (directory / CLAIM).unlink()


def disown(directory: Path, incarnation: str) -> None:
    """Have the next start take our own incarnation for a copy, since another process has the one that it was made from."""
    write_durably(directory / incarnation / OWNER, COPY + "\n")
