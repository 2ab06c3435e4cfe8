# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cluster record lives when there is no engine: a shared SQLite file (``local``) or the node itself (``manual``).

Decides nothing. Disk work runs in a thread of its own, in order. The third back end is in etcd.py.
"""
from __future__ import annotations

import asyncio
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Optional, Protocol, Tuple

from ..core.record import Record
from .durable import write_durably


class RecordStore(Protocol):
    """What every DCS back end offers; ``shared``: all nodes see one store. All calls may raise ConnectionError or OSError."""

    shared: bool
    reachable: bool

    async def start(self, changed: Callable[[int, Optional[Record]], None]) -> None:
        """Begin; where the store can be watched, ``changed`` is told (version, record)."""

    async def stop(self) -> None:
        """End all that ``start`` began."""

    async def read(self) -> Tuple[int, Optional[Record]]:
        """Return (version, record), or (-1, None) where there is none. Linearizable."""

    async def swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        """Compare-and-swap by version; return whether it happened and the version that stands now."""

    async def adopt(self, version: int, record: Record) -> None:
        """``manual``: keep a copy that a peer sent, if it is newer."""

    async def forget(self) -> None:
        """``manual``: drop our copy, which is of another cluster."""


class _OnDisk:
    """Runs the blocking calls of a store in one thread."""

    reachable = True

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "baton-record")

    async def start(self, changed: Callable[[int, Optional[Record]], None]) -> None:
        """A file is not watched: nodes tell each other."""

    async def stop(self) -> None:
        self._thread.shutdown(wait=False)

    async def _do(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error

    async def read(self) -> Tuple[int, Optional[Record]]:
        found: Tuple[int, Optional[Record]] = await self._do(self._read)
        return found

    async def swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        found: Tuple[bool, int] = await self._do(self._swap, expected, version, record)
        return found

    async def adopt(self, version: int, record: Record) -> None:
        await self._do(self._adopt, version, record)

    async def forget(self) -> None:
        await self._do(self._forget)

    def _read(self) -> Tuple[int, Optional[Record]]:
        raise NotImplementedError

    def _swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        raise NotImplementedError

    def _adopt(self, version: int, record: Record) -> None:
        """A shared store is read, not told."""

    def _forget(self) -> None:
        """A shared store is not ours to drop."""


class LocalStore(_OnDisk):
    """One SQLite file for several daemons on one machine (demo, tests, development)."""

    shared = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._connection = sqlite3.connect(str(path), isolation_level=None, timeout=5, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, version INTEGER, body TEXT)")
        path.chmod(0o600)

    def _read(self) -> Tuple[int, Optional[Record]]:
        row = self._connection.execute("SELECT version, body FROM record WHERE id = 1").fetchone()
        return (-1, None) if row is None else (row[0], Record.from_json(json.loads(row[1])))

    def _swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            standing, _record = self._read()
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


class ManualStore(_OnDisk):
    """The node's own copy; who may swap it is the core's decision."""

    shared = False

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def _read(self) -> Tuple[int, Optional[Record]]:
        try:
            data = json.loads(self._path.read_text())
        except FileNotFoundError:
            return -1, None
        return int(data["version"]), Record.from_json(data["record"])

    def _swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        standing, _record = self._read()
        if standing != expected:
            return False, standing
        write_durably(self._path, json.dumps({"version": version, "record": record.to_json()}))
        return True, version

    def _adopt(self, version: int, record: Record) -> None:
        if version > self._read()[0]:
            write_durably(self._path, json.dumps({"version": version, "record": record.to_json()}))

    def _forget(self) -> None:
        self._path.unlink(missing_ok=True)
