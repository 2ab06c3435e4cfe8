# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The format of the data: a number, ``user_version`` of each database, and how to get there.

Decides nothing. A newer format is refused, and looked for before anything is opened: opening a
database changes files. A later format is one more step; a step that was released stays as it is.
"""
from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Sequence, Tuple

from ...ground.problem import Problem

# What makes each format of the one before it. 0 had no number, so its tables may be there.
STEPS: Sequence[Tuple[int, Sequence[str]]] = (
    (
        2,
        (
            "CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, number INTEGER, id TEXT, "
            "at INTEGER, text TEXT, committed INTEGER)",
            "CREATE TABLE IF NOT EXISTS documents (kind TEXT, key TEXT, revision TEXT, "
            "size INTEGER, value TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS replies (seq INTEGER PRIMARY KEY, key TEXT, "
            "fingerprint TEXT, at INTEGER, revision TEXT, keys TEXT)",
            "CREATE INDEX IF NOT EXISTS replies_at ON replies (at)",
            "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID",
            "ALTER TABLE meta RENAME TO facts",
            # Versions of format 0 look for no number: reading this view, they say what its table is called, and end.
            'CREATE VIEW meta AS SELECT key, value FROM "data of a newer batond (format 2): start that version again"',
        ),
    ),
)
FORMAT = STEPS[-1][0]
_DATABASE, _NUMBER_AT = b"SQLite format 3\0", 60
_LOG_HEADER, _FRAME_HEADER = 32, 24  # bytes


def refuse_newer(found: int, directory: Path) -> None:
    """Problem when this version does not know the format."""
    if found > FORMAT:
        raise Problem(
            500,
            "data_directory",
            f"the data in {directory} were written by a newer batond (format {found}; this one "
            f"knows up to {FORMAT}): start that version again, or empty the directory if other "
            "nodes are in sync",
        )


def number(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def bring_up(connection: sqlite3.Connection) -> None:
    """Take an empty or older database to this format, in one transaction."""
    found = number(connection)
    if found >= FORMAT:
        return
    connection.execute("BEGIN IMMEDIATE")
    for step, statements in STEPS:
        for statement in statements if step > found else ():
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")


def number_in(database: Path) -> int:
    """Return the number that stands in the files, which are only read. 0 when it is no database."""
    with open(database, "rb") as file:
        page = file.read(_NUMBER_AT + 4)
    found = _number(page) if page.startswith(_DATABASE) else 0
    try:
        with open(f"{database}-wal", "rb") as log:
            return _number_in_log(log.fileno(), found)
    except FileNotFoundError:
        return found


def _number_in_log(log: int, found: int) -> int:
    """Return the number in the last copy of page 1 that the write-ahead log has, else ``found``.

    Frames of before the log began anew have another salt. Whether the last transaction is whole is
    not asked: if it has a newer number, a newer version was writing it.
    """
    header = os.pread(log, _LOG_HEADER, 0)
    size, salt = int.from_bytes(header[8:12], "big"), header[16:24]
    at = _LOG_HEADER
    while len(header) == _LOG_HEADER and size:
        frame = os.pread(log, _FRAME_HEADER + _NUMBER_AT + 4, at)
        if len(frame) < _FRAME_HEADER + _NUMBER_AT + 4 or frame[8:16] != salt:
            break
        if int.from_bytes(frame[:4], "big") == 1:
            found = _number(frame[_FRAME_HEADER:])
        at += _FRAME_HEADER + size
    return found


def _number(page: bytes) -> int:
    return int.from_bytes(page[_NUMBER_AT : _NUMBER_AT + 4], "big")
