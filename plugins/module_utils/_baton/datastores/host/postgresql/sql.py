# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a PostgreSQL server: through its socket as ourselves, or another one of the set over TLS as its replicas do.

Each statement has a deadline, here and on the server.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Dict, List, Optional

from ..trouble import ServerTrouble, Trouble, one_line
from .protocol import Connection, Refused, Row, Said

ANSWER = 0.9  # seconds in which a server answers that is well
ADMIN, REPLICATION = "baton", "baton_replication"  # who may do all, through the socket alone; as whom replicas come
DATABASE = "postgres"  # where we keep what is ours
TOO_MANY_CONNECTIONS = "53300"
NOT_YET = ("57P01", "57P02", "57P03")  # it shuts down, or starts
REFUSED = ("28000", "28P01", "42501")  # who has no right, or a wrong password
CANCELLED_COMMIT = "01000"  # a warning: a commit that waited was cancelled. It is done here, and nobody has acknowledged it


# No configuration keeps us from an answer; a server that follows refuses what is to be serializable
OURS = (
    "-c synchronous_commit=on -c standard_conforming_strings=on -c default_transaction_isolation=read\\ committed "
    "-c default_transaction_deferrable=off -c lock_timeout=0 -c idle_session_timeout=0 -c idle_in_transaction_session_timeout=0"
)


class SqlTrouble(ServerTrouble):
    """``code``: the SQLSTATE, "" if the server did not get to say one."""

    def __init__(self, line: str, code: str = "") -> None:
        super().__init__(line)
        self.code = code

    @property
    def silent(self) -> bool:
        return self.code == "" or self.code in NOT_YET

    @property
    def refused(self) -> bool:
        return self.code in REFUSED


class Session:
    """A connection; closed at the end of a ``with``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.pid = connection.pid

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._connection.close()

    @property
    def notices(self) -> List[Said]:
        """What it said beside the answer to the last statement."""
        return self._connection.notices

    def ask(self, statement: str, *values: object) -> List[Row]:
        """Run a statement with ``%s`` for each value; without values it is taken as it is. SqlTrouble says what came of it."""
        try:
            return self._connection.ask(statement % tuple(quoted(str(value)) for value in values) if values else statement)
        except (Refused, OSError, ValueError) as error:
            raise _trouble(error) from None

    def value(self, expression: str) -> Optional[str]:
        """Return what one expression is, as a text; None for null."""
        return self.ask(f"SELECT {expression} AS value")[0]["value"]

    def text(self, expression: str) -> str:
        return self.value(expression) or ""

    def is_so(self, expression: str) -> bool:
        return self.value(expression) == "t"


def local(path: Path, seconds: float = ANSWER, database: str = DATABASE, replication: bool = False) -> Session:
    """Connect through the socket at ``path``. ``replication``: for its commands, too."""
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        wire.settimeout(min(seconds, 10.0))
        wire.connect(str(path))
        return _begun(wire, {"user": ADMIN, "database": database}, "", seconds, None, replication)
    except BaseException as error:
        wire.close()
        if isinstance(error, (Refused, OSError, ValueError)):
            raise _trouble(error) from None
        raise


def remote(address: str, port: int, password: str, certificate: Path, seconds: float = ANSWER) -> Session:
    """Connect to a server of the same set, which shows the set's certificate, as one of its replicas; for replication's commands, too."""
    tls = trust(certificate)
    wire: Optional[socket.socket] = None
    try:
        wire = socket.create_connection((address, port), timeout=min(seconds, 10.0))
        return _begun(wire, {"user": REPLICATION, "database": DATABASE}, password, seconds, tls, True)
    except BaseException as error:
        if wire is not None:
            wire.close()
        if isinstance(error, (Refused, OSError, ValueError)):
            raise _trouble(error) from None
        raise


def _begun(
    wire: socket.socket, who: Dict[str, str], password: str, seconds: float, tls: Optional[ssl.SSLContext], replication: bool
) -> Session:
    limit = f"-c statement_timeout={max(1, int(seconds * 1000))} {OURS}"
    options = {**who, "application_name": "baton_guest", "client_encoding": "UTF8", "options": limit}
    if replication:
        options["replication"] = "database"
    return Session(Connection(wire, options, password, seconds, tls))


def trust(certificate: Path) -> ssl.SSLContext:
    """Return a context that takes this certificate, and no other; the names in it do not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | 0x80000  # X509_V_FLAG_PARTIAL_CHAIN: what we trust need not be a CA
    try:
        context.load_verify_locations(certificate)
    except OSError as error:
        raise Trouble(f"{certificate} can't be used: {error}") from None
    return context


def name(identifier: str) -> str:
    """Quote the name of a database, a user or a column."""
    return '"' + identifier.replace('"', '""') + '"'


def quoted(value: str) -> str:
    """Quote a text; in our sessions a backslash is one of its letters."""
    if "\0" in value:
        raise Trouble("a text has a letter 0, which no server takes")
    return "'" + value.replace("'", "''") + "'"


def _trouble(error: BaseException) -> SqlTrouble:
    if isinstance(error, Refused):
        return SqlTrouble(one_line(error.said.text), error.said.code)
    return SqlTrouble(one_line(error))
