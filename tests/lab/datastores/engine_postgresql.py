# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab must know of PostgreSQL: how clients write to a server, how its host asks it anything, and what can be done to it alone.

A commit that was cancelled in its wait is answered as done, with a warning: that is no acknowledgement.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from db_clients import Address, Failed, Refused
from netns import wait_for
from set_faults import Fault, killed, nothing, source

from baton.datastores.host.postgresql import sql
from baton.datastores.host.postgresql.config import Files
from baton.datastores.host.postgresql.protocol import Connection
from baton.datastores.host.postgresql.protocol import Refused as SaidNo

DATASTORE = "postgresql"
TABLE = "CREATE TABLE told (id BIGINT PRIMARY KEY); ALTER TABLE told OWNER TO lab"
READ_ONLY, CANCELLED_COMMIT = "25006", "01000"


def is_server(words: List[bytes]) -> bool:
    """Whether a command line is a server's, or that of a process which it has begun."""
    return is_first(words) or words[0].startswith(b"postgres: ")


def is_first(words: List[bytes]) -> bool:
    return words[0].endswith(b"/bin/postgres")


def name_of(instance: str, _own: Dict[str, Any]) -> str:
    """Return how a server calls itself in a session."""
    return instance


def files_of(folder: Path) -> Files:
    """Return the files of the instance whose folder it is."""
    return Files(folder, folder.name)


class Session:
    """A client's. Failed: nobody knows what came of it, and it is of no use any more; Refused: nothing was done."""

    def __init__(self, address: Address, account: Dict[str, str], connects_within: float, patience: float) -> None:
        self._wire: Optional[socket.socket] = None
        options = {"user": account["user"], "database": account["database"]}
        try:
            self._wire = socket.create_connection(address, timeout=connects_within)
            self._connection = Connection(self._wire, options, account["password"], patience, None)
            self.server = str(self._connection.ask("SELECT current_setting('cluster_name') AS name")[0]["name"])
        except (SaidNo, OSError, ValueError) as error:
            self.drop()
            raise Failed from error

    def insert(self, row: int) -> None:
        """Return once the row is acknowledged."""
        try:
            self._connection.ask(f"INSERT INTO told (id) VALUES ({row})")
        except SaidNo as error:
            raise (Refused if error.said.code == READ_ONLY else Failed) from error
        except (OSError, ValueError) as error:
            raise Failed from error
        if any(said.code == CANCELLED_COMMIT for said in self._connection.notices):
            raise Failed

    def drop(self) -> None:
        if self._wire is not None:
            self._wire.close()  # without a word, which a frozen server would not hear


def root(folder: Path, instance: str, own: Dict[str, Any], database: str, statement: str) -> List[Tuple[Any, ...]]:
    """Ask the server whose files are in a folder, as who may do all."""
    with sql.local(Files(folder, instance).socket_of(int(own["port"])), 60.0, database) as session:
        return [tuple(row.values()) for row in session.ask(statement)]


def end(host: Any) -> None:
    """End a host's servers: one that is killed leaves shared memory behind."""
    host.signal(signal.SIGCONT, "server")
    host.signal(signal.SIGQUIT, "first")
    with suppress(AssertionError):
        wait_for(lambda: not host.pids("server"), "they end", 10)


# --- faults ---------------------------------------------------------------------------------------------------------------


def session_killed(lab: Any, random: Any) -> Tuple[str, Any]:
    """One client's process dies, as when it takes too much memory: the server ends all others, and itself."""
    host = lab.source
    pids = [pid for pid in host.pids("server") if b": lab lab " in _line(pid)]
    if pids:
        with suppress(ProcessLookupError):
            os.kill(random.choice(pids), signal.SIGKILL)
    return host.name, nothing


def _line(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


FAULTS = (
    Fault("source's first process alone killed", killed(source, "first")),  # what clients run goes on without it for a while
    Fault("one session of the source killed", session_killed),
)
