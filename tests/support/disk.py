# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks as tests want them: one that fills up half way, and what became durable in which order."""

import contextlib
import os
import resource


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
