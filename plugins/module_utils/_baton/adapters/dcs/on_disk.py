# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cluster record lives when there is no engine: a shared SQLite file (``local``) or the node itself (``manual``).

Decides nothing. Disk work runs in a thread of its own, in order. The third back end is in etcd.py.
What can't be read is an error, never "no record"; a swap is answered only when it is stored.
"""
from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, Tuple

from ...core.model.record import Record
from ...ground import form
from ..disk.durable import make_directory, prove_room, sync_directory, write_durably
from .store import Changed, Health, Told, WontTake

PATIENCE = 0.1  # seconds for each lock of ``local``: a call needs two or three, within 300 ms
FIRST_SECONDS = 1.0  # a node that starts has other things to read
PROVE_SECONDS = 10.0
NO_ROOM = "the cluster record {} can't be changed ({}): nobody can become active or come to be in sync until that file system takes it"
TABLE = "CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY, version INTEGER, body TEXT)"


class _OnDisk:
    """Runs a store's blocking calls in one thread. ``reachable``: the last one went well."""

    def __init__(self, path: Path) -> None:
        self.reachable = True
        self._path = path
        self._answered: Optional[float] = None
        self._thread = ThreadPoolExecutor(1, "baton-record")
        self._proving: Optional["asyncio.Task[None]"] = None
        self._health = Health()
        self._told: Told = lambda _health: None

    @property
    def last_contact(self) -> Optional[float]:
        return None if self._answered is None else time.monotonic() - self._answered

    async def start(self, changed: Changed, health: Told = lambda _health: None) -> None:
        """A file is not watched: nodes tell each other."""
        self._told = health
        self._proving = asyncio.get_running_loop().create_task(self._keep_proving())

    async def _keep_proving(self) -> None:
        """Ask the file system now and then whether it would take the record: one that is full or read-only is seen in time."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            with suppress(WontTake):
                await self._prove()
            await asyncio.sleep(PROVE_SECONDS)

    async def _prove(self) -> None:
        """Tell whether the file system would take the record; raise WontTake when not."""
        try:
            # Not in the thread of swaps, which need not wait for it.
            await asyncio.get_running_loop().run_in_executor(None, prove_room, self._path.parent)
            found, self._answered = Health(True), time.monotonic()
        except OSError as error:
            found = Health(False, NO_ROOM.format(self._path, error.strerror or error))
        if found != self._health:
            self._health = found
            self._told(found)
        if not found.writable:
            raise WontTake(found.trouble)

    async def stop(self) -> None:
        if self._proving is not None:
            self._proving.cancel()
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    async def _do(self, work: Callable[..., Any], *arguments: Any) -> Any:
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except OSError:
            self.reachable = False
            raise
        self.reachable = True
        self._answered = time.monotonic()
        return found

    async def read(self, proven: bool = False) -> Tuple[int, Optional[Record]]:
        if proven:
            await self._prove()
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

    def _close(self) -> None:
        """Nothing stays open between calls."""


class Locked(OSError):
    """Another program has the file; what was to be stored is not."""


class LocalStore(_OnDisk):
    """One SQLite file for several daemons on one machine (demo, tests, development).

    With a write-ahead log, so that whoever reads it (a backup, a shell) is in nobody's way. A
    connection is used again only after a call that went well: the next read must not see what an
    error left of a transaction. OSError when the file can't be used at all.
    """

    shared = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._name = f"the record file {path}"
        self._connection: Optional[sqlite3.Connection] = None
        self._opened: Optional[os.stat_result] = None
        make_directory(path.parent)
        with suppress(Locked), self._using():  # a file that can't be one is refused at once
            pass

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that has no transaction; every error becomes an OSError of one line."""
        try:
            if self._opened is not None and not self._is_current():
                self._close()
            if self._connection is None:
                self._connection = self._open()
            yield self._connection
        except sqlite3.Error as error:
            self._close()
            raise self._explained(error) from None
        except BaseException:
            self._close()
            raise

    def _is_current(self) -> bool:
        """Whether what was opened still has the name; a file that is gone is not made anew."""
        try:
            return self._opened is not None and os.path.samestat(self._path.stat(), self._opened)
        except FileNotFoundError:
            raise OSError(f"{self._name} is gone: restore it") from None

    def _open(self) -> sqlite3.Connection:
        if self._opened is None:
            with suppress(FileExistsError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(self._path, flags, 0o600))
        self._path.chmod(0o600)  # SQLite gives the files beside it the same mode
        self._opened = self._path.stat()
        name = self._path.absolute().as_uri() + "?mode=rw"
        connection = sqlite3.connect(
            name, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous=FULL")
            _use_log(connection)
            connection.execute(TABLE)
            sync_directory(self._path.parent)
        except BaseException:
            connection.close()
            raise
        return connection

    def _close(self) -> None:
        """Leave nothing of the connection, least of all a transaction that was not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.rollback()
            with suppress(sqlite3.Error):
                connection.close()

    def _explained(self, error: sqlite3.Error) -> OSError:
        if "locked" in str(error):
            who = f"another program (`fuser {self._path}` says which)"
            return Locked(f"{self._name} is locked by {who}: end what it does there")
        if isinstance(error, sqlite3.OperationalError):
            return OSError(f"{self._name} can't be used: {error}")
        return OSError(f"{self._name} is damaged ({error}): restore it")

    def _read(self) -> Tuple[int, Optional[Record]]:
        with self._using() as connection:
            return self._standing(connection)

    def _standing(self, connection: sqlite3.Connection) -> Tuple[int, Optional[Record]]:
        # All is fetched: until a statement is done, later ones see the same state.
        rows = connection.execute("SELECT version, body FROM record WHERE id = 1").fetchall()
        with _whole(self._name, "restore it"):
            return _record(rows[0][0], json.loads(rows[0][1])) if rows else (-1, None)

    def _swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        with self._using() as connection:
            _use_log(connection)
            connection.execute("BEGIN IMMEDIATE")
            standing, _now = self._standing(connection)
            if standing != expected:
                connection.execute("ROLLBACK")
                return False, standing
            new = max(standing, 0) + 1
            row = (1, new, json.dumps(record.to_json()))
            connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", row)
            connection.execute("COMMIT")
            return True, new


def _use_log(connection: sqlite3.Connection) -> None:
    """Have an older file use a write-ahead log from now on, unless somebody reads it just now."""
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode=WAL")


class ManualStore(_OnDisk):
    """The node's own copy; who may swap it is the core's decision. OSError when it is damaged."""

    shared = False

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._read()

    def _read(self) -> Tuple[int, Optional[Record]]:
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return -1, None
        with _whole(str(self._path), "restore it, or copy that of another node here"):
            data = json.loads(text)
            return _record(data["version"], data["record"])

    def _swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        standing, _now = self._read()
        if standing != expected:
            return False, standing
        self._write(version, record)
        return True, version

    def _adopt(self, version: int, record: Record) -> None:
        if version > self._read()[0]:
            self._write(version, record)

    def _write(self, version: int, record: Record) -> None:
        write_durably(self._path, json.dumps({"version": version, "record": record.to_json()}))

    def _forget(self) -> None:
        self._path.unlink(missing_ok=True)
        sync_directory(self._path.parent)


@contextmanager
def _whole(name: str, remedy: str) -> Iterator[None]:
    """Make one clear OSError of all that can be wrong with what was read."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        raise OSError(f"{name} is damaged, it holds no cluster record: {remedy}") from None


def _record(version: Any, body: Any) -> Tuple[int, Record]:
    """Return what was read; ValueError, for ``_whole``, when it has another form."""
    return form.number(version), Record.from_json(body)
