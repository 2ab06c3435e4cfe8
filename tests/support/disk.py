# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks as tests want them: one that is quick, one that fills up half way, and what became durable in which order."""

import contextlib
import os
import resource
import shutil
import tempfile
from pathlib import Path

MEMORY, ROOM = Path("/dev/shm"), 8 << 30  # bytes: some pools of servers that are tested at once


def quick_folder():
    """Return a new folder that any user may enter, in memory if there is room: a server that is made waits for a disk most of the time.

    Nothing that a test shows depends on it: what a killed server has written survives it in either.
    """
    is_roomy = MEMORY.is_dir() and min(shutil.disk_usage(MEMORY).free, _available()) >= ROOM
    folder = Path(tempfile.mkdtemp(prefix="baton-", dir=MEMORY if is_roomy else "/tmp"))
    folder.chmod(0o755)
    return folder


def _available():
    """Return how much memory could be had, in bytes."""
    (line,) = [line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:")]
    return int(line.split()[1]) << 10


@contextlib.contextmanager
def full_at(size):
    """No file grows beyond ``size`` bytes: a part is written, the rest refused."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def steps(monkeypatch, root, also=lambda: None):
    """Return a list that gets ("sync" or "name", path below ``root``) for each fsync and rename.

    ``also`` runs before each fsync.
    """
    found = []
    sync, replace = os.fsync, os.replace

    def note(what, path):
        found.append((what, os.path.relpath(path, root)))

    def fsync(handle):
        also()
        note("sync", os.readlink(f"/proc/self/fd/{handle}"))
        sync(handle)

    def rename(source, target):
        note("name", target)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", rename)
    return found
