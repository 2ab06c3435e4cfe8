# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a MariaDB server: through its socket as ourselves, or another one over TLS as a replica's user.

Each connection has deadlines, and its statements wait for no lock longer than it would be waited for.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from ..trouble import ServerTrouble, Trouble, one_line

PYMYSQL_ERROR: Optional[str] = None
try:
    import pymysql
    import pymysql.cursors
except ImportError as _error:
    pymysql = None  # type: ignore[assignment]
    PYMYSQL_ERROR = f"{_error}: install python3-pymysql (Debian) or `pip install PyMySQL`"

ANSWER = 0.9  # seconds in which a server answers that is well
TOO_MANY_CONNECTIONS = 1040
REFUSED = (1044, 1045, 1698, 4151)  # who has no right, a wrong password, or is locked
UNKNOWN_THREAD = 1094
LOCK_WAIT_TIMEOUT = 1205
Row = Dict[str, Any]


class SqlTrouble(ServerTrouble):
    """``number``: MariaDB's of the error, 0 if the server did not get to say one."""

    def __init__(self, line: str, number: int = 0) -> None:
        super().__init__(line)
        self.number = number

    @property
    def silent(self) -> bool:
        return self.number in (0, 2002, 2003, 2006, 2013)

    @property
    def refused(self) -> bool:
        return self.number in REFUSED


OURS = "max_statement_time=0, sql_big_selects=1"


class Session:
    """A connection; closed at the end of a ``with``."""

    def __init__(self, timeout: float, also: str = "", **where: Any) -> None:
        """``also``: what is set of the session besides OURS, which lets no configuration keep us from an answer."""
        if pymysql is None:
            raise Trouble(PYMYSQL_ERROR or "")
        try:
            self._connection = pymysql.connect(
                connect_timeout=min(timeout, 10.0), read_timeout=timeout, write_timeout=timeout, autocommit=True,
                charset="utf8mb4", init_command=f"SET SESSION lock_wait_timeout={max(1, int(timeout))}, {OURS}{also}",
                cursorclass=pymysql.cursors.DictCursor, **where,
            )  # fmt: skip
        except (pymysql.err.Error, OSError, ValueError) as error:
            raise _trouble(error) from None
        self.id = int(self._connection.thread_id())  # type: ignore[no-untyped-call]

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_exception: object) -> None:
        try:
            self._connection.close()
        except (pymysql.err.Error, OSError):
            pass

    def ask(self, statement: str, *values: Any) -> List[Row]:
        """Run a statement with ``%s`` for each value; without values it is taken as it is. SqlTrouble says what came of it."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return list(cursor.fetchall())
        except (pymysql.err.Error, OSError, ValueError) as error:
            raise _trouble(error) from None

    def value(self, expression: str) -> Any:
        """Return what one expression is, such as a variable."""
        return self.ask(f"SELECT {expression} AS value")[0]["value"]

    def text(self, expression: str) -> str:
        found = self.value(expression)
        return found.decode() if isinstance(found, bytes) else str(found or "")


def local(socket: Path, user: str, timeout: float = ANSWER, also: str = "") -> Session:
    """Connect through the socket, as the user of the system that we are. TLS hides nothing there, and newer clients would try it."""
    return Session(timeout, also, unix_socket=str(socket), user=user, ssl_disabled=True)


def remote(address: str, port: int, user: str, password: str, certificate: Path, timeout: float = ANSWER) -> Session:
    """Connect to a server of the same set, which shows the set's certificate."""
    return Session(timeout, host=address, port=port, user=user, password=password, ssl=trust(certificate))


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
    """Quote the name of a database, a table or a column."""
    return "`" + identifier.replace("`", "``") + "`"


def pattern(database: str) -> str:
    """Quote the name of a database for GRANT, which reads ``_`` and ``%`` as patterns."""
    return name(database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%"))


def _trouble(error: BaseException) -> SqlTrouble:
    arguments: Tuple[Any, ...] = error.args
    number = arguments[0] if len(arguments) > 1 and isinstance(arguments[0], int) and isinstance(error, pymysql.err.Error) else 0
    words = arguments[1] if number else error
    return SqlTrouble(one_line(words), number)
