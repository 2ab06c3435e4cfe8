# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cluster record lives when there is no engine: a shared SQLite file (``local``) or the node itself (``manual``).

Decides nothing. Both offer the same three calls; they block for at most some milliseconds of disk time.
"""
from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, Optional, Protocol, Tuple

from ..core.record import Record
from .sqlite import write_durably


class RecordStore(Protocol):
    """What every DCS back end offers; ``shared``: all nodes see one store."""

    shared: bool

    def read(self) -> Tuple[int, Optional[Record]]:
        """Return (version, record), or (-1, None) where there is none."""

    def swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        """Compare-and-swap by version; return whether it happened and the version that stands now."""

    def adopt(self, version: int, record: Record) -> None:
        """``manual``: keep a copy that a peer sent, if it is newer."""

    def forget(self) -> None:
        """``manual``: drop our copy, which is of another cluster."""


class LocalStore:
    """One SQLite file for several daemons on one machine (demo, tests, development)."""

    shared = True

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._connection = sqlite3.connect(str(path), isolation_level=None, timeout=5, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, version INTEGER, body TEXT)")
        path.chmod(0o600)

    def read(self) -> Tuple[int, Optional[Record]]:
        row = self._connection.execute("SELECT version, body FROM record WHERE id = 1").fetchone()
        return (-1, None) if row is None else (row[0], Record.from_json(json.loads(row[1])))

    def swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            standing, _record = self.read()
            if standing == expected:
                new = max(standing, 0) + 1
                row: Tuple[Any, ...] = (1, new, json.dumps(record.to_json()))
                self._connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", row)
                standing = new
                done = True
            else:
                done = False
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return done, standing

    def adopt(self, version: int, record: Record) -> None:
        """A shared store is read, not told."""

    def forget(self) -> None:
        """A shared store is not ours to drop."""


class ManualStore:
    """The node's own copy; who may swap it is the core's decision."""

    shared = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Tuple[int, Optional[Record]]:
        try:
            data = json.loads(self._path.read_text())
        except FileNotFoundError:
            return -1, None
        return int(data["version"]), Record.from_json(data["record"])

    def swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        standing, _record = self.read()
        if standing != expected:
            return False, standing
        write_durably(self._path, json.dumps({"version": version, "record": record.to_json()}))
        return True, version

    def adopt(self, version: int, record: Record) -> None:
        if version > self.read()[0]:
            write_durably(self._path, json.dumps({"version": version, "record": record.to_json()}))

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)
