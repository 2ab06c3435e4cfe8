# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data directory: one SQLite file for log, documents, replies and promises; a thread that writes in batches.

Decides nothing. ``DIR/CURRENT`` names the incarnation in use, ``DIR/<incarnation>/baton.db`` is its data: a snapshot is
made beside the old data and takes its place when CURRENT is replaced. A write that fails is fatal, since a later one
would succeed as if nothing had happened.
"""
from __future__ import annotations

import json
import os
import queue
import re
import shutil
import sqlite3
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union

from ...core.commands import Checkpoint, Store
from ...core.model import stored
from ...core.model.document import Document
from ...core.model.log import NO_EPOCH, ORIGIN, Entry, Epoch, Position
from ...core.model.messages import check_order
from ...core.model.record import Record
from ...core.model.saved import Saved
from ...ground import form
from ...ground.values import PIECE, dumps, pieces
from . import data_format, owner
from .durable import make_directory, sync_directory, write_durably
from .reserve import DiskReserve

ROWS_A_STATEMENT = 512
LOOK_BYTES = 256 << 10  # and more: the disk is looked at before
LOOK_SECONDS = 0.5
NEVER = float("-inf")
FULL = "database or disk is full"  # SQLite says so when a write found no room, before anything was flushed
SUSPECT = "SUSPECT"  # beside a database: a flush of it failed
_INCARNATION = re.compile(r"[0-9a-f]{16}\Z", re.ASCII)  # nothing else in the data directory is ever removed
Job = Union[Store, Checkpoint, None]
Row = Tuple[Any, ...]


def _text(value: Any, size: int) -> str:
    """Return the JSON text of a document; of a large one in pieces, since Python does nothing else while it makes one."""
    return dumps(value) if size < PIECE else "".join(pieces(value))


class DataDirectory:
    """Finds, makes and replaces the incarnation that is in use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_directory(path)

    def current(self) -> Optional[str]:
        """Return the incarnation in use, None where there is none or CURRENT is wrong."""
        owner.finish_claim(self.path)
        try:
            name = (self.path / "CURRENT").read_text().strip()
        except FileNotFoundError:
            return None
        return name if (self.path / name / "baton.db").exists() else None

    def incarnations(self) -> List[str]:
        """Return the names of all that have a database."""
        names = [entry.name for entry in self.path.iterdir() if _INCARNATION.match(entry.name)]
        return sorted(name for name in names if self.database(name).exists())

    def check_format(self) -> None:
        """Problem when a newer version wrote any of it; nothing is changed."""
        for name in self.incarnations():
            data_format.refuse_newer(data_format.number_in(self.database(name)), self.path)

    def stray(self) -> str:
        """Return an incarnation that belongs to a cluster although none is in use, or "".

        One that can't be read may be such.
        """
        for name in self.incarnations():
            try:
                connection = _open(self.database(name))
            except sqlite3.Error:
                return name
            with closing(connection):
                if connection.execute("SELECT 1 FROM facts WHERE key = 'cluster_id'").fetchone():
                    return name
        return ""

    def create(self, incarnation: str) -> Path:
        """Make an empty incarnation that is not in use yet; return its database file."""
        folder = self.path / incarnation
        folder.mkdir(mode=0o700)
        connection = _open(folder / "baton.db")
        connection.close()
        return folder / "baton.db"

    def use(self, incarnation: str) -> None:
        """Put an incarnation in use, and remove the others."""
        owner.adopt(self.path / incarnation)  # durable, as is the name of its database
        sync_directory(self.path)  # CURRENT must never name what a power cut takes away
        with suppress(PermissionError):  # above a directory that was made for us
            sync_directory(self.path.resolve().parent)
        write_durably(self.path / "CURRENT", incarnation + "\n")
        self.tidy()

    def tidy(self) -> None:
        """Remove every incarnation but the one in use: what it replaced, and snapshots that were never whole."""
        current = self.current()
        for other in self.path.iterdir():
            if current is not None and other.name != current and _INCARNATION.match(other.name) and other.is_dir():
                shutil.rmtree(other, ignore_errors=True)

    def database(self, incarnation: str) -> Path:
        return self.path / incarnation / "baton.db"


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
    try:
        data_format.refuse_newer(data_format.number(connection), path.parent.parent)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        data_format.bring_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def sync_files(database: Path) -> None:
    """Make durable what a killed process may have left in the page cache, before its end is reported to anybody."""
    for name in (database, database.with_name(database.name + "-wal")):
        if name.exists():
            handle = os.open(name, os.O_RDWR)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def distrust(database: Path) -> None:
    """Note that a flush failed: what the kernel shows of these files from now on may not be what the disk has.

    The note need not outlive the kernel, since after a reboot only the disk speaks.
    """
    try:
        database.with_name(SUSPECT).touch()
    except OSError:
        pass  # the file system has become read-only: nothing can start on it anyway


def _rewrite(database: Path) -> None:
    """Write the files' own bytes over them: a failed flush left pages that are called clean, and no later one writes those."""
    for name in (database, database.with_name(database.name + "-wal")):
        if name.exists():
            with open(name, "r+b", buffering=0) as file:
                at = 0
                while True:
                    data = os.pread(file.fileno(), 1 << 20, at)
                    if not data:
                        break
                    at += os.pwrite(file.fileno(), data, at)


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert or replace rows, many in a statement: for each statement this thread has to win the interpreter back once."""
    for first in range(0, len(rows), ROWS_A_STATEMENT):
        some = rows[first : first + ROWS_A_STATEMENT]
        marks = ",".join(["(" + ",".join("?" * len(some[0])) + ")"] * len(some))
        connection.execute(f"INSERT OR REPLACE INTO {table} VALUES {marks}", [value for row in some for value in row])


def _set_meta(connection: sqlite3.Connection, values: Dict[str, Any]) -> None:
    _insert(connection, "facts", [(key, dumps(value)) for key, value in values.items()])


def load(database: Path, incarnation: str) -> Saved:
    """Read a whole data directory."""
    suspect = database.with_name(SUSPECT)
    if suspect.exists():
        _rewrite(database)
    sync_files(database)
    for folder in (database.parent, database.parent.parent):  # and names: that of CURRENT, too
        sync_directory(folder)
    if suspect.exists():
        suspect.unlink()
    connection = _open(database)
    try:
        facts = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM facts")}
        saved = _read_facts(incarnation, facts)
        told = connection.execute("SELECT max(committed) FROM log").fetchone()[0] or 0
        saved.commit = max(told, saved.commit)
        saved.documents = [
            _document(*row) for row in connection.execute("SELECT kind, key, revision, size, value FROM documents")
        ]
        applied = saved.checkpoint.seq  # what stands in the documents is only sent to others
        saved.entries = [
            Entry.read(seq, Epoch.read((number, id)), at, text, seq <= applied)
            for seq, number, id, at, text in connection.execute(
                "SELECT seq, number, id, at, text FROM log WHERE seq > ? ORDER BY seq", (saved.log_start.seq,)
            )
        ]
        check_order(saved.log_start, saved.entries)
        saved.replies = [
            stored.read_reply((key, fingerprint, at, revision, json.loads(names)))
            for key, fingerprint, at, revision, names in connection.execute(
                "SELECT key, fingerprint, at, revision, keys FROM replies ORDER BY seq"
            )
        ]
        return saved
    finally:
        connection.close()


def _read_facts(incarnation: str, facts: Dict[str, Any]) -> Saved:
    """Return what a node knows besides documents, log and replies; ValueError where it is not what was written."""
    saved = Saved(incarnation)
    saved.cluster_id = form.take(facts, "cluster_id", form.text, "")
    saved.promised = form.take(facts, "promised", Epoch.read, NO_EPOCH)
    for name in ("noted", "known", "cleared", "record_version"):
        setattr(saved, name, form.take(facts, name, lambda raw: form.number(raw, -1), -1))
    saved.at = form.take(facts, "at", form.number, 0)
    boot, offset = form.take(facts, "log_offset", lambda raw: form.fixed(raw, 2), ("", 0))
    saved.log_offset = (form.text(boot), form.number(offset, -form.MOST_NUMBER))
    if saved.record_version >= 0:
        saved.record = form.take(facts, "record", Record.from_json)
    saved.commit = form.take(facts, "commit", form.number, 0)
    saved.checkpoint = form.take(facts, "checkpoint", Position.read, ORIGIN)
    saved.log_start = form.take(facts, "log_start", Position.read, ORIGIN)
    return saved


def _document(kind: Any, key: Any, revision: Any, size: Any, text: Any) -> Document:
    """Return a document of the disk; ValueError for what is none. Of one that is kept as its text the value has been seen once."""
    kind, key, revision, size, value = stored.read_document((kind, key, revision, size, json.loads(text)))
    document = Document(sys.intern(kind), key, value, revision, size)
    if not document.packable:
        return document
    ours = dumps(value)  # a person, or another version, may have written it with spaces
    return Document.of_text(document.kind, key, text if text == ours else ours, revision, size)


class Snapshot:
    """An empty incarnation that is being filled with a snapshot. What is not finished leaves nothing in it."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._connection = _open(database)
        self._connection.execute("BEGIN")

    def add(self, documents: Iterable[stored.DocumentRow]) -> None:
        """Write some of its documents."""
        rows = ((kind, key, revision, size, _text(value, size)) for kind, key, revision, size, value in documents)
        self._connection.executemany("INSERT INTO documents VALUES (?, ?, ?, ?, ?)", rows)

    def finish(self, header: stored.Header, replies: Iterable[Sequence[Any]]) -> None:
        """Write the rest, and make all of it durable."""
        _insert(self._connection, "replies", [_reply_row(row) for row in replies])
        _set_meta(self._connection, header.facts())
        self._connection.execute("COMMIT")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.close()
        sync_files(self._database)

    def close(self) -> None:
        self._connection.close()


def _reply_row(row: Sequence[Any]) -> Row:
    """Return a remembered reply as it is kept: by entry, since rows in the random order of keys would cost ten times as much."""
    key, fingerprint, at, revision, keys = row
    return int(revision.partition(".")[2]), key, fingerprint, at, revision, dumps(keys)


def _rows(job: Store) -> List[Row]:
    """Return the log rows of a Store; the commit point travels in each, so that it costs no write of its own."""
    return [(entry.seq, entry.epoch.number, entry.epoch.id, entry.at, entry.text, job.commit) for entry in job.entries]


def _size(job: Union[Store, Checkpoint]) -> int:
    """Return about how many bytes a job writes."""
    if isinstance(job, Store):
        return sum(len(entry.text) for entry in job.entries)
    return sum(document.size for _kind, _key, document in job.documents if document is not None)


def _merged(old: Checkpoint, new: Checkpoint) -> Checkpoint:
    """Return one checkpoint for two, of which the older was not made."""
    documents = {(kind, key): document for kind, key, document in (*old.documents, *new.documents)}
    changes = [(kind, key, document) for (kind, key), document in documents.items()]
    return replace(new, documents=changes, replies=[*old.replies, *new.replies])


class Writer(threading.Thread):
    """Carries out Store and Checkpoint in order, as many as wait in one transaction, and tells the last Store's id."""

    def __init__(
        self, database: Path, reserve: DiskReserve, stored: Callable[[int], None], failed: Callable[[BaseException], None]
    ) -> None:
        super().__init__(name="baton-writer", daemon=True)
        self._connection = _open(database)
        self._reserve = reserve
        self._put_off: Optional[Checkpoint] = None  # for want of room: the log on disk has it all the same
        self._looked = NEVER
        self._jobs: "queue.SimpleQueue[Job]" = queue.SimpleQueue()
        self._stored = stored
        self._failed = failed

    def put(self, job: Union[Store, Checkpoint]) -> None:
        self._jobs.put(job)

    def close(self) -> None:
        """Write what is queued, then end."""
        self._jobs.put(None)
        self.join()

    def run(self) -> None:
        try:
            while self._round():
                pass
        except BaseException as error:  # the thread's last word: a disk that fails must never go unnoticed
            self._failed(error)
        finally:
            self._connection.close()

    def _round(self) -> bool:
        jobs: List[Job] = [self._jobs.get()]
        while not self._jobs.empty():
            jobs.append(self._jobs.get())
        work = [job for job in jobs if job is not None]
        if work:
            self._write(work)
            stores = [job.id for job in work if isinstance(job, Store)]
            if stores:
                self._stored(stores[-1])
        return len(work) == len(jobs)

    def _write(self, work: Sequence[Union[Store, Checkpoint]]) -> None:
        """Make a batch durable; where others have just filled the disk, on the reserve."""
        work = self._as_far_as_there_is_room(work)
        try:
            self._write_once(work)
        except sqlite3.OperationalError as error:
            if str(error) != FULL:
                raise  # a flush that failed, say: see above
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._reserve.look(self._reserve.size)
            self._write_once(work)

    def _write_once(self, work: Sequence[Union[Store, Checkpoint]]) -> None:
        """Write plain entries in one statement of their own, anything else in a transaction."""
        if not work:
            return
        plain = [job for job in work if isinstance(job, Store) and job.plain]
        rows = [row for job in plain for row in _rows(job)]
        if len(plain) == len(work) and len(rows) <= ROWS_A_STATEMENT:
            _insert(self._connection, "log", rows)
            return
        self._connection.execute("BEGIN IMMEDIATE")
        for job in work:
            if isinstance(job, Store):
                self._store(job)
            else:
                self._checkpoint(job)
        self._connection.execute("COMMIT")

    def _as_far_as_there_is_room(self, work: Sequence[Union[Store, Checkpoint]]) -> Sequence[Union[Store, Checkpoint]]:
        """Return ``work`` without the checkpoints that the disk has no room for: they are made with a later one."""
        need, now = 2 * sum(map(_size, work)), time.monotonic()
        if need < LOOK_BYTES and now - self._looked < LOOK_SECONDS and self._put_off is None:
            return work
        self._looked = now
        room = self._reserve.look(need)
        wanted: List[Union[Store, Checkpoint]] = []
        for job in work:
            if not isinstance(job, Checkpoint):
                wanted.append(job)
            elif room:
                wanted.append(job if self._put_off is None else _merged(self._put_off, job))
                self._put_off = None
            else:
                self._put_off = job if self._put_off is None else _merged(self._put_off, job)
                for _kind, _key, document in job.documents:
                    if document is not None:
                        document.write()  # or it would stand parsed until there is room
        return wanted

    def _store(self, job: Store) -> None:
        if job.truncate_after is not None:
            self._connection.execute("DELETE FROM log WHERE seq > ?", (job.truncate_after,))
        _insert(self._connection, "log", _rows(job))
        _set_meta(self._connection, {"commit": job.commit, **job.meta})

    def _checkpoint(self, job: Checkpoint) -> None:
        connection = self._connection
        gone = [(kind, key) for kind, key, document in job.documents if document is None]
        connection.executemany("DELETE FROM documents WHERE kind = ? AND key = ?", gone)
        kept = [(kind, key, d.revision, d.size, d.text) for kind, key, d in job.documents if d is not None]
        _insert(connection, "documents", kept)
        _insert(connection, "replies", [_reply_row(row) for row in job.replies])
        connection.execute("DELETE FROM replies WHERE at < ?", (job.replies_after,))
        connection.execute("DELETE FROM log WHERE seq <= ?", (job.log_start.seq,))
        at = [list(job.at.epoch), job.at.seq]
        start = [list(job.log_start.epoch), job.log_start.seq]
        _set_meta(connection, {"checkpoint": at, "log_start": start, "at": job.log_at})
