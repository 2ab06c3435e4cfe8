# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab must know of MariaDB: how clients write to a server, and how its host asks it anything."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pymysql
from db_clients import Address, Failed, Refused

from baton.datastores.host.files import Files

DATASTORE = "mariadb"
FAULTS = ()  # that make sense for no other
TABLE = "CREATE TABLE told (id BIGINT PRIMARY KEY)"
READ_ONLY = 1290


def is_server(words: List[bytes]) -> bool:
    """Whether a command line is a server's."""
    return words[0].endswith((b"mariadbd", b"garbd"))


def name_of(_instance: str, own: Dict[str, Any]) -> int:
    """Return how a server calls itself in a session."""
    return int(own["server_id"])


def files_of(folder: Path) -> Files:
    """Return the files of the instance whose folder it is."""
    return Files(folder, folder.name)


class Session:
    """A client's. Failed: nobody knows what came of it, and it is of no use any more; Refused: nothing was done."""

    def __init__(self, address: Address, account: Dict[str, str], connects_within: float, patience: float) -> None:
        self._connection: Any = None
        try:
            self._connection = connect(
                host=address[0], port=address[1], connect_timeout=connects_within, read_timeout=patience, write_timeout=patience, **account
            )
            self._cursor = self._connection.cursor()
            self._cursor.execute("SELECT @@server_id")
            self.server = int(self._cursor.fetchone()[0])
        except (pymysql.err.Error, OSError) as error:
            self.drop()
            raise Failed from error

    def insert(self, row: int) -> None:
        """Return once the row is acknowledged."""
        try:
            self._cursor.execute("INSERT INTO told (id) VALUES (%s)", (row,))
        except (pymysql.err.Error, OSError) as error:
            raise (Refused if error.args[:1] == (READ_ONLY,) else Failed) from error

    def drop(self) -> None:
        if self._connection is not None:
            with suppress(pymysql.err.Error, OSError):
                self._connection._force_close()  # without a word, which a frozen server would not hear


def root(folder: Path, _instance: str, _own: Dict[str, Any], database: str, statement: str) -> List[Tuple[Any, ...]]:
    """Ask the server whose files are in a folder, as who may do all."""
    lines = dict(line.split(" = ", 1) for line in (folder / "my.cnf").read_text().splitlines() if " = " in line)
    with connect(unix_socket=lines["socket"].strip('"'), user="root", database=database, read_timeout=60) as session:
        with session.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())


def end(host: Any) -> None:
    host.signal(signal.SIGKILL, "server")


def connect(**where: Any) -> Any:
    """Connect, in the clear and each statement for itself."""
    return pymysql.connect(autocommit=True, ssl_disabled=True, **where)
