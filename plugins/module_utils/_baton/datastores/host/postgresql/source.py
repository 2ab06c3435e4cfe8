# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as the source of its set: it takes writes, and a commit returns when a replica that counts has it.

Who may acknowledge is the source's alone to say: a replica comes under its id, and is asked if ``synchronous_standby_names`` has that. At
rest a name stands there that nobody has. So a server that is promoted waits for those that count from its first commit on, and whoever
reads the setting a moment later than others never lets one return that nobody has.

It is closed by ending it: a client can undo anything else that keeps writes away. Whoever starts it again starts it read-only.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from typing import Callable, List, Mapping, Optional, Sequence, Set, Tuple

from ...model.passwords import scram
from ..runner import orphans
from ..trouble import Trouble, one_line
from . import sql
from .instance import Instance
from .place import Forks, Place, forks_in, lsn_number, place_of

LOOK = 0.02  # seconds between looks at what is about to be so
LOOK_AT_MARK = 0.1
LONGEST_WAIT = 24 * 3600.0  # seconds for which a mark may wait to be acknowledged
PROMOTES_WITHIN = 60.0  # seconds in which it has applied what it has, and takes writes
AGREES_WITHIN = 5.0  # seconds in which all processes have read who counts; then those that have not are ended
IN_ORDER = 0.6  # of the time to close: after that it is ended at once
WRITES_OUT_WITHIN = 600.0  # seconds for a checkpoint
QUIESCES_WITHIN = 4.0  # seconds for one that is only to make the end quick
SAYS_WITHIN = 5.0  # seconds for which the position of one that we could not end in order is waited for
HAS_NOTHING, LISTENS = "RecoveryRetrieveRetryInterval", "RecoveryWalStream"  # for what a standby waits that has read what lies here
CLEAN = ("shut down",)  # what the control file says of a source that has ended in order

CREATE = """
CREATE SCHEMA IF NOT EXISTS baton;
CREATE TABLE IF NOT EXISTS baton.term (id smallint PRIMARY KEY, term bigint NOT NULL, number bigint NOT NULL);
CREATE TABLE IF NOT EXISTS baton.reigns (timeline bigint PRIMARY KEY, reign text NOT NULL);
"""
REIGN = "INSERT INTO baton.reigns VALUES (%s, %s) ON CONFLICT (timeline) DO NOTHING"
TERM = (
    "INSERT INTO baton.term VALUES (0, %s, %s) ON CONFLICT (id) DO UPDATE SET term = excluded.term, number = excluded.number"
)
DROP_SLOTS = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active"


class Source:
    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._tenure = threading.Lock()  # opening and closing one after the other
        self._closes = 0  # so often it was told to close: what was begun before does not go on
        self._marks: Set[int] = set()  # sessions that write marks
        self._taken_back = 0  # so often marks were
        self._is_unsaid = False  # it did not end in order when it was closed: how far it came it can say only once it runs again
        self._ended: Optional[Place] = None  # where it stood when it was closed in order, until it is opened again
        self._asks = False  # its commits are known to wait for an acknowledgement

    # --- taking writes ----------------------------------------------------------------------------------------------------

    def open(self, counted: Sequence[str], let_go: Callable[[], None], may: Callable[[], bool]) -> None:
        """Take writes. ``let_go``: have it follow nobody. Who may acknowledge changes before anything else can be written."""
        instance, closes = self._instance, self._closes
        with self._tenure:
            self._ended = None
            with instance.session() as session:
                is_at_rest = session.is_so("pg_is_in_recovery()")
            if is_at_rest:
                let_go()
            self._have_acknowledge(counted)
            if closes != self._closes or not may():
                raise Trouble(f"{instance.id} was told to close meanwhile")
            if is_at_rest:
                self._promote(may, closes)
            instance.files.rest()  # it was removed: what follows is a start by anybody, for any reason
            if instance.memory.get("adopting"):
                self._have_password()

    def _promote(self, may: Callable[[], bool], closes: int) -> None:
        """Leave what it has received behind, on a timeline of its own. From here on its process counts as one that takes writes."""
        instance = self._instance
        with instance.session(PROMOTES_WITHIN, replication=True) as session:
            before = place_of(session).timeline
        instance.remember(opening=True, reign={"after": before, "id": secrets.token_hex(8)})
        with instance.session(PROMOTES_WITHIN) as session:
            if closes != self._closes or not may():
                raise Trouble(f"{instance.id} was told to close meanwhile")
            if not session.is_so(f"pg_promote(true, {int(PROMOTES_WITHIN)})") or session.is_so("pg_is_in_recovery()"):
                raise Trouble(f"{instance.id} has not applied what it has received in {PROMOTES_WITHIN:g} s: look at its log")

    def _have_acknowledge(self, counted: Sequence[str]) -> None:
        """Say who acknowledges from here on. Where nobody was asked before, commits return unasked until the one process has read it that
        has them wait: it has before it begins a checkpoint. At rest they are asked for nobody's word, so that this was done at the start.
        """
        instance = self._instance
        had = instance.memory.get("counted")
        instance.remember(counted=sorted(counted))
        instance.write_settings()
        instance.reload()
        with instance.session(WRITES_OUT_WITHIN) as session:
            if counted and had is not None and not self._asks:
                session.ask("CHECKPOINT")
            self._asks = bool(counted)
            self._let_nobody_else(session, counted)

    def _let_nobody_else(self, session: sql.Session, counted: Sequence[str]) -> None:
        """Return once nobody is asked any more who does not count."""
        end = time.monotonic() + AGREES_WITHIN
        named = "\n".join(name.lower() for name in counted)
        while True:
            left = session.ask(
                "SELECT pid FROM pg_stat_replication WHERE sync_priority > 0 AND lower(application_name) <> ALL (string_to_array(%s, %s))",
                named, "\n",
            )  # fmt: skip
            if not left:
                return
            late = time.monotonic() - end
            if late > AGREES_WITHIN:
                raise Trouble(f"replicas that do not count any more can't be cut off: process {left[0]['pid']}")
            if late > 0:
                session.ask("SELECT pg_terminate_backend(%s)", left[0]["pid"])
            time.sleep(LOOK)

    def _have_password(self) -> None:
        """Have the password of the set that it is of now; until then no replica was let in."""
        instance = self._instance
        with instance.session(10.0) as session:
            session.ask("SET synchronous_commit = local")
            keep_password(session, instance.password)
            session.ask(DROP_SLOTS)
        instance.remember(forget=("adopting",))
        instance.write_settings()
        instance.reload()

    def adopt(self, given: Mapping[str, str]) -> None:
        """Have the secrets of another set. Nobody of the last one comes in any more: they know another certificate, and the rule that lets
        replicas in is gone until the password is another, which can be written only once it takes writes.
        """
        instance = self._instance
        spec = {**instance.spec, "secrets": given}
        instance.files.write(spec)
        instance.remember_spec(spec, adopting=True)
        instance.write_settings()
        instance.reload()
        with instance.session(5.0) as session:
            session.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")

    # --- marks --------------------------------------------------------------------------------------------------------------

    def mark(self, term: int, number: int) -> None:
        """Write, and return when that is acknowledged; Trouble when the server is closed, or the mark taken back, before that."""
        before, ended = self._taken_back, threading.Event()
        trouble: List[str] = []
        threading.Thread(
            target=self._write, args=(term, number, ended, trouble), name=f"mark of {self._instance.id}", daemon=True
        ).start()
        while not ended.wait(LOOK_AT_MARK) and before == self._taken_back:
            pass
        if before != self._taken_back or trouble:
            why = trouble[0] if trouble else "it was taken back"
            raise Trouble(f"the mark of term {term} was not acknowledged: {why}")

    def _write(self, term: int, number: int, ended: threading.Event, trouble: List[str]) -> None:
        """Write the row of the term, and of the reign that began with the last promotion; its checkpoint is what a rewind looks at."""
        try:
            with self._instance.session(LONGEST_WAIT) as session:
                self._marks.add(session.pid)
                try:
                    if self._checkpoints_are_behind(session):
                        session.ask("CHECKPOINT")
                    reign = self._reign(session)
                    session.ask(f"{REIGN}; {TERM}" if reign else TERM, *reign, term, number)
                    cancelled = [said.text for said in session.notices if said.code == sql.CANCELLED_COMMIT]
                    if cancelled:  # it is answered as done
                        raise Trouble(cancelled[0])
                finally:
                    self._marks.discard(session.pid)
        except Exception as error:  # whatever it is: it was not acknowledged
            trouble.append(one_line(error))
        finally:
            ended.set()

    def _checkpoints_are_behind(self, session: sql.Session) -> bool:
        """Whether the last one was on an older timeline: until there is one on this, a rewind sees no difference (15)."""
        return session.text("(SELECT timeline_id FROM pg_control_checkpoint())") != str(_timeline(session))

    def _reign(self, session: sql.Session) -> Tuple[object, ...]:
        """Return the timeline that we have begun and what it is known by; nothing if this one is another's."""
        reign, timeline = self._instance.memory.get("reign") or {}, _timeline(session)
        return (timeline, reign["id"]) if reign and timeline > int(reign["after"]) else ()

    def unmark(self) -> None:
        """Have marks that wait be given up."""
        self._taken_back += 1
        if self._marks:
            with self._instance.session() as session:
                for pid in list(self._marks):
                    session.ask("SELECT pg_terminate_backend(%s)", pid)

    # --- taking none --------------------------------------------------------------------------------------------------------

    def close(self, timeout: float) -> None:
        """Take no writes: end the server, in order if that is quick, and Trouble if it outlives that. None of those who wait for an
        acknowledgement are told that they have it.
        """
        instance, end = self._instance, time.monotonic() + timeout
        self._closes += 1
        self._taken_back += 1
        if not self._tenure.acquire(timeout=timeout):
            raise Trouble(f"{instance.id} is being opened, and did not let go in {timeout:g} s: kill it")
        try:
            if instance.pid() is None or self._is_at_rest(timeout / 4):
                return
            self._is_unsaid, self._ended = False, None
            is_gone = instance.end(max(0.05, (end - time.monotonic()) * IN_ORDER))
            if not is_gone and not instance.end_at_once(max(0.05, end - time.monotonic())):
                raise Trouble(f"{instance.id} outlives its end: kill it")
            self._is_unsaid = not is_gone
            if orphans(instance.program):
                instance.kill()
            instance.pid()
            with contextlib.suppress(Trouble, OSError):
                self._ended = self._place()
        finally:
            self._tenure.release()

    def _is_at_rest(self, seconds: float) -> bool:
        """Whether it is sure to be read-only: nobody has promoted this process."""
        if self._instance.memory.get("opening"):
            return False
        with contextlib.suppress(sql.SqlTrouble), self._instance.session(min(sql.ANSWER, seconds)) as session:
            return session.is_so("pg_is_in_recovery()")
        return False

    def quiesce(self) -> str:
        """Return how far it has come. Writes go on: nothing keeps them away for a while but its end, which is made quick by this."""
        with contextlib.suppress(sql.SqlTrouble), self._instance.session(QUIESCES_WITHIN) as session:
            session.ask("CHECKPOINT")
        return self.position()

    def position(self) -> str:
        """Return how far it has come: of one that was closed in order what its control file said then, though it is about to start again;
        else what it says itself once it has read all that lies here. Trouble for one that has died: whoever waits for its end must not
        wait for its start.
        """
        return self.place().text

    def place(self) -> Place:
        if self._ended is not None:
            return self._ended
        end = time.monotonic() + (SAYS_WITHIN if self._is_unsaid else sql.ANSWER)
        while True:
            try:
                found = self._place()
            except sql.SqlTrouble:
                if not self._is_unsaid or time.monotonic() > end:
                    raise
                found = None
            if found is not None:
                return found
            if time.monotonic() > end:
                raise Trouble(f"{self._instance.id} has not ended in order, or applies still what it has: ask when it has done so")
            time.sleep(LOOK)

    def _place(self) -> Optional[Place]:
        instance = self._instance
        if instance.pid() is None:
            control = instance.control()
            if control.get("Database cluster state") in CLEAN:
                return of_control(instance, control)
            if not self._is_unsaid:
                raise Trouble(f"{instance.id} has not ended in order: how far it came is known once it runs again")
            return None
        with instance.session(replication=True) as session:
            if session.is_so("pg_is_in_recovery()"):
                return place_of(session) if has_read_all(session) else None
            return place_of(session)

    def tend(self) -> None:
        """Give up what is kept for replicas that lack more than is kept."""
        with self._instance.session() as session:
            session.ask(f"{DROP_SLOTS} AND wal_status = 'lost'")


def has_read_all(session: sql.Session) -> bool:
    """Whether a server at rest has applied all that lies here, and waits for more."""
    rows = session.ask("SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'startup'")
    return bool(rows) and rows[0]["wait_event"] == HAS_NOTHING


def of_control(instance: Instance, control: Mapping[str, str]) -> Place:
    """Return where a server has ended in order: behind its last record, so that who follows it must have that, too."""
    timeline = int(control["Latest checkpoint's TimeLineID"])
    forks: Forks = ()
    if timeline > 1:
        forks = forks_in((instance.files.data / "pg_wal" / f"{timeline:08X}.history").read_text(encoding="utf-8", errors="replace"))
    return Place(control["Database system identifier"], timeline, lsn_number(control["Latest checkpoint location"]) + 1, forks)


def keep_password(session: sql.Session, password: str) -> None:
    """Make the user as whom replicas come, or have it know another password; what is kept of it is no password."""
    there = session.ask("SELECT 1 FROM pg_roles WHERE rolname = %s", sql.REPLICATION)
    kept = scram(password, secrets.token_bytes(16))
    session.ask(f"{'ALTER' if there else 'CREATE'} ROLE {sql.REPLICATION} LOGIN REPLICATION PASSWORD %s", kept)


def _timeline(session: sql.Session) -> int:
    return int(session.text("substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)") or "0", 16)
