# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as the source of its set: it takes writes, and a commit returns when a replica that counts has it.

Who may acknowledge is the source's alone to say: replicas acknowledge as users of their own, which are locked here unless they count. A
replica that connects again has received what waits, and says so only once it receives something more; so something is written then.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, List, Mapping, Optional, Sequence, Set

from ...model import positions
from ...model.passwords import hashed
from ..trouble import Trouble
from . import sql
from .instance import ACKNOWLEDGES, CATCHES_UP, Instance, ourselves

LOOK = 0.02  # seconds between looks at sessions that are to end
LOOK_AT_MARK = 0.1
LONGEST_WAIT = 24 * 3600.0  # seconds for which a mark may wait to be acknowledged
GONE_WITHIN = 5.0  # seconds in which sessions that were killed are gone
MARK, NUDGE = 0, 1  # rows of baton.term

CREATE_TERM = "CREATE TABLE IF NOT EXISTS baton.term (id TINYINT PRIMARY KEY, term BIGINT NOT NULL, number BIGINT NOT NULL) ENGINE=InnoDB"


class Source:
    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._tenure = threading.Lock()  # opening and closing one after the other
        self._closes = 0  # so often it was told to close: what was begun before does not go on
        self._marks: Set[int] = set()  # sessions that write marks
        self._nudged: Set[int] = set()  # replicas that acknowledge, by session, to whom something was written while they were there
        self._nudges = 0
        self._taken_back = 0  # so often marks were

    # --- taking writes ----------------------------------------------------------------------------------------------------

    def open(self, counted: Sequence[str], let_go: Callable[[], None], may: Callable[[], bool]) -> None:
        """Take writes. ``let_go``: have it follow nobody. Who may acknowledge changes before anything else can be written."""
        closes = self._closes
        with self._tenure:
            let_go()
            with self._instance.session(10.0) as session:
                self._have_acknowledge(session, counted)
                session.ask(f"SET GLOBAL rpl_semi_sync_master_enabled={'ON' if counted else 'OFF'}")
                if closes != self._closes or not may():
                    raise Trouble(f"{self._instance.id} was told to close meanwhile")
                session.ask("SET GLOBAL read_only=OFF")

    def _have_acknowledge(self, session: sql.Session, counted: Sequence[str]) -> None:
        """Lock all who do not count out, until nobody of them is connected, and let in those who do."""
        session.ask("SET SESSION sql_log_bin=0")
        users = {ACKNOWLEDGES + member for member in counted}
        there = session.ask(
            "SELECT User AS user, JSON_VALUE(Priv, '$.account_locked') AS locked FROM mysql.global_priv WHERE User LIKE %s",
            ACKNOWLEDGES.replace("_", "\\_") + "%",
        )
        is_locked = {text(row["user"]): text(row["locked"]) in ("true", "1") for row in there}
        for user in sorted(set(is_locked) - users):
            if not is_locked[user]:
                session.ask("ALTER USER %s@'%%' ACCOUNT LOCK", user)
        for user in sorted(users):
            if user not in is_locked:
                make_user(session, user, self._instance.password, locked=False)
            elif is_locked[user]:
                session.ask("ALTER USER %s@'%%' ACCOUNT UNLOCK", user)
        end = time.monotonic() + GONE_WITHIN
        while True:
            left = [row["id"] for row in _acknowledging(session) if text(row["user"]) not in users]
            if not left:
                return
            if time.monotonic() > end:
                raise Trouble("replicas that do not count any more can't be cut off: sessions " + ", ".join(map(str, left)))
            _kill(session, left)
            time.sleep(LOOK)

    def adopt(self, secrets: Mapping[str, str]) -> None:
        """Have the secrets of another set: nobody of the last one can follow this server, or show it a certificate that it takes."""
        instance = self._instance
        with instance.session(30.0) as session:
            instance.files.write({**instance.spec, "secrets": secrets})
            instance.remember_spec({**instance.spec, "secrets": secrets})
            session.ask("FLUSH SSL")
            session.ask("SET SESSION sql_log_bin=0")
            ours = {CATCHES_UP + instance.id, ACKNOWLEDGES + instance.id}
            for row in session.ask("SELECT User AS user FROM mysql.global_priv WHERE User LIKE 'baton\\__\\_%'"):
                if text(row["user"]) in ours:
                    session.ask("ALTER USER %s@'%%' IDENTIFIED BY PASSWORD %s", text(row["user"]), hashed(instance.password))
                else:
                    session.ask("DROP USER IF EXISTS %s@'%%'", text(row["user"]))

    # --- marks --------------------------------------------------------------------------------------------------------------

    def mark(self, term: int, number: int) -> None:
        """Write, and return when that is acknowledged; Trouble when the server is closed, or the mark taken back, before that."""
        before, ended = self._taken_back, threading.Event()
        trouble: List[str] = []
        self._write(MARK, term, number, ended, trouble)
        while not ended.wait(LOOK_AT_MARK) and before == self._taken_back:
            self.nudge()
        if before != self._taken_back or trouble:
            why = trouble[0] if trouble else "it was taken back"
            raise Trouble(f"the mark of term {term} was not acknowledged: {why}")

    def unmark(self) -> None:
        """Have marks that wait be given up."""
        self._taken_back += 1
        if self._marks:
            with self._instance.session() as session:
                _kill(session, list(self._marks))

    def _write(self, row: int, term: int, number: int, ended: threading.Event, trouble: List[str]) -> None:
        """Write a row of ours, in a thread, since its commit may have to wait."""

        def run() -> None:
            try:
                with sql.local(self._instance.files.socket, ourselves(), LONGEST_WAIT) as session:
                    self._marks.add(session.id)
                    try:
                        session.ask("REPLACE INTO baton.term VALUES (%s, %s, %s)", row, term, number)
                    finally:
                        self._marks.discard(session.id)
            except Trouble as error:
                trouble.append(str(error))
            finally:
                ended.set()

        threading.Thread(target=run, name=f"mark of {self._instance.id}", daemon=True).start()

    def nudge(self) -> None:
        """Write something if commits wait, and a replica has come that acknowledges and was written nothing since."""
        with self._instance.session() as session:
            there = {int(row["id"]) for row in _acknowledging(session) if text(row["command"]).startswith("Binlog Dump")}
            waits = int(status(session, "Rpl_semi_sync_master_wait_sessions") or 0) > 0
            if there - self._nudged and waits and not session.value("@@global.read_only"):
                self._nudged = there
                self._nudges += 1
                self._write(NUDGE, 0, self._nudges, threading.Event(), [])

    # --- taking none --------------------------------------------------------------------------------------------------------

    def close(self, timeout: float) -> None:
        """Take no writes, and cut clients off. Nobody is asked any more only after all who wait are gone: their commits did not return."""
        end = time.monotonic() + timeout
        self._closes += 1
        self._taken_back += 1
        if not self._tenure.acquire(timeout=timeout):
            raise Trouble(f"{self._instance.id} is being opened, and did not let go in {timeout:g} s: kill it")
        try:
            left = max(0.1, end - time.monotonic())
            with self._instance.session(left) as session, self._instance.session(left + 1) as other:
                self._end_writes(session, other, end)
                self._end_clients(session, end)
                session.ask("SET GLOBAL rpl_semi_sync_master_enabled=OFF")
        finally:
            self._tenure.release()

    def _end_writes(self, session: sql.Session, other: sql.Session, end: float) -> None:
        """Become read-only. That waits until commits have ended, so that it is asked from a thread while their sessions are killed."""
        done = threading.Event()
        trouble: List[str] = []

        def run() -> None:
            try:
                other.ask("SET GLOBAL read_only=ON")
            except Trouble as error:
                trouble.append(str(error))
            finally:
                done.set()

        thread = threading.Thread(target=run, name=f"closing {self._instance.id}", daemon=True)
        thread.start()
        while not done.wait(LOOK):
            _kill(session, self._clients(session))
            if time.monotonic() > end:
                raise Trouble(f"{self._instance.id} takes writes still: kill it")
        thread.join()
        if trouble:
            raise Trouble(f"{self._instance.id} can't be made read-only: {trouble[0]}")

    def _end_clients(self, session: sql.Session, end: float) -> None:
        clients = self._clients(session)
        while clients:
            _kill(session, clients)
            if time.monotonic() > end:
                raise Trouble(f"sessions of {self._instance.id} outlive KILL: kill it")
            time.sleep(LOOK)
            clients = sorted(set(clients) & set(self._clients(session)))

    def quiesce(self) -> Optional[str]:
        """Take no writes for a while; return how far it came, None if that must be tried again."""
        with self._instance.session(3.0) as session:
            try:
                session.ask("SET STATEMENT lock_wait_timeout=1 FOR SET GLOBAL read_only=ON")
            except sql.SqlTrouble as error:
                if error.number == sql.LOCK_WAIT_TIMEOUT:
                    return None
                raise
            _kill(session, self._clients(session))
            return position(session)

    def _clients(self, session: sql.Session) -> List[int]:
        """Return the sessions that may wait for a commit: all but the guest's own and replicas'."""
        found = []
        for row in session.ask("SELECT ID AS id, USER AS user, COMMAND AS command FROM information_schema.PROCESSLIST"):
            user, number = text(row["user"]), int(row["id"])
            is_replica = user.startswith((CATCHES_UP, ACKNOWLEDGES))
            if user not in ("system user", "event_scheduler") and number not in self._instance.sessions and not is_replica:
                found.append(number)
        return found


def make_user(session: sql.Session, user: str, password: str, locked: bool) -> None:
    """Make the user as whom a replica follows; one that is there stays as it is."""
    lock = " ACCOUNT LOCK" if locked else ""
    session.ask(f"CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY PASSWORD %s REQUIRE SSL{lock}", user, hashed(password))
    session.ask("GRANT REPLICATION SLAVE ON *.* TO %s@'%%'", user)


def position(session: sql.Session) -> str:
    """Return how far a server has come: what it has written, and what it has taken from others."""
    return positions.joined(session.text("@@global.gtid_binlog_pos"), session.text("@@global.gtid_slave_pos"))


def status(session: sql.Session, variable: str) -> str:
    rows = session.ask("SHOW GLOBAL STATUS LIKE %s", variable.replace("_", "\\_"))
    return text(rows[0]["Value"]) if rows else ""


def text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _acknowledging(session: sql.Session) -> List[sql.Row]:
    return session.ask(
        "SELECT ID AS id, USER AS user, COMMAND AS command FROM information_schema.PROCESSLIST WHERE USER LIKE %s",
        ACKNOWLEDGES.replace("_", "\\_") + "%",
    )


def _kill(session: sql.Session, numbers: Sequence[int]) -> None:
    for number in numbers:
        try:
            session.ask(f"KILL CONNECTION {int(number)}")
        except sql.SqlTrouble as error:
            if error.number != sql.UNKNOWN_THREAD:
                raise
