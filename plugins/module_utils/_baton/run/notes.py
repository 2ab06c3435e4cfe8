# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of one run note for each other: they are processes that share nothing but files of a private directory.

Notes are a help and no more. Where they can't be written nothing is noted, and nothing fails.
"""
from __future__ import annotations

import hashlib
import os
import re
import shutil
from typing import Optional, Tuple

from ..client.contender import Run, started_at
from ..client.error import ClientError
from .process_lock import private_directory

OF_A_RUN = re.compile(r"notes-([0-9a-f]+)-([0-9]+)-([0-9]+)\Z", re.ASCII)


class RunNotes:
    """Notes of one run. Each has a name of several parts, and a text."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def read(self, *name: str) -> Optional[str]:
        """Return a note's text, or None."""
        try:
            with open(self._path(name), encoding="utf-8") as file:
                return file.read()
        except (OSError, ClientError):
            return None

    def write(self, text: str, *name: str) -> None:
        try:
            path = self._path(name)
            with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(f"{path}.{os.getpid()}", path)
        except (OSError, ClientError):
            pass

    def is_first(self, *name: str) -> bool:
        """Note that it was asked for; return whether it is for the first time in this run, or nobody knows."""
        try:
            os.close(os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        except (OSError, ClientError):
            pass
        return True

    def _path(self, name: Tuple[str, ...]) -> str:
        folder = notes_of(self._run)
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            pass
        else:
            _sweep(os.path.dirname(folder))
        return os.path.join(folder, hashlib.sha256("\n".join(name).encode()).hexdigest()[:32])


def notes_of(run: Run) -> str:
    """Return the directory with the notes of a run."""
    return os.path.join(private_directory(), f"notes-{run.id}-{run.pid}-{run.started or 0}")


def _sweep(folder: str) -> None:
    """Remove what runs have left that have ended: notes, and the files of a keeper that was killed."""
    for entry in os.listdir(folder):
        found = OF_A_RUN.match(entry)
        if found is None or started_at(int(found.group(2))) == int(found.group(3)):
            continue
        shutil.rmtree(os.path.join(folder, entry), ignore_errors=True)
        for left in os.listdir(folder):
            if left.startswith(f"run-{found.group(1)}-") and left.endswith((".keeper", ".mutex")):
                try:
                    os.unlink(os.path.join(folder, left))
                except OSError:
                    pass  # another was quicker
