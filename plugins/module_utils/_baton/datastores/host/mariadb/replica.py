# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as a replica: it follows the source of its set, catches up, and then acknowledges what it receives if the source lets it.

With GTIDs a server throws away what it has received and not applied as soon as both its threads stop. So whoever stops the second one
has seen before that all was applied; where a restart does it, ``whole`` says that something may be missing.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

from ...model import positions
from ...model.channel import Report
from ..server import Standing
from ..trouble import Trouble
from . import sql
from .instance import ACKNOWLEDGES, CATCHES_UP, Instance
from .source import position, text

LOOK = 0.02  # seconds between looks at what is being applied
CHANGES = 5.0  # seconds: statements that stop threads are not given up at once, as the server would go on with them beside the next ones
DRAINS_WITHIN = 0.3  # seconds for which one call waits until what was received is applied; then it is asked again
NEAR = 500  # transactions behind, with which a replica begins to acknowledge
PROBE_EVERY = 0.25  # seconds between looks whether the source lets us acknowledge, while it does not
HASTE, PROBE_IN_HASTE = 2.0, 0.05  # seconds after it was told to follow, in which clients may wait for its acknowledgement
BUSY = 0.3  # seconds for which a look waits for one who changes whom it follows
SEALING = 5.0  # seconds for which nothing is connected again after a seal was begun
APART = (1236, 1950)  # the source has not, or not any more, what comes after what we have; we have what it has not


class Look(NamedTuple):
    """``received``: what it holds, applied or not; ``applied``: what of that is in its own log and tables; ``once``: what it has received
    since it last began to, though it may not hold it any more.
    """

    io: str
    sql: str
    user: str
    accepted: bool
    received: str
    applied: str
    once: str
    io_error: int
    sql_error: int
    error: str
    lag_bytes: Optional[int]
    lag_seconds: Optional[int]

    @property
    def follows(self) -> bool:
        """Whether both threads run, and the source has taken us."""
        return self.io == "Yes" and self.sql == "Yes" and self.accepted

    @property
    def drained(self) -> bool:
        return positions.contains(positions.parse(self.applied), positions.parse(self.once))

    @property
    def is_apart(self) -> bool:
        return self.io_error in APART and self.io == "No" or self.sql_error in APART and self.sql == "No"

    @property
    def broken(self) -> str:
        """Why it does not follow and will not by itself, "" if it may."""
        stops = self.sql == "No" and self.sql_error or self.io == "No" and self.io_error
        return self.error if stops else ""


class Replica:
    """Its methods block for no longer than a server takes to answer; None means: not yet, ask again. What stops a thread that talks to a
    frozen source takes a second more.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._lock = threading.RLock()  # one at a time changes whom it follows
        self._sealed_at = self._probed_at = self._began_at = float("-inf")
        self._is_settled = False
        self._becoming = ""  # as whom it is about to follow, while it applies what it has received before that
        self._stood = Standing()
        self._must_reach: Optional[positions.Position] = None  # to be whole again: what the source had when we were not
        self._asked_in = ""  # in which life of the server that was

    # --- looks --------------------------------------------------------------------------------------------------------------

    def look(self, session: sql.Session) -> Optional[Look]:
        """Return how it stands, None if it is set to follow nobody."""
        rows = session.ask("SHOW SLAVE STATUS")
        if not rows:
            return None
        row = {key: text(value) for key, value in rows[0].items()}
        applied = position(session)
        io_position = row["Gtid_IO_Pos"]
        held = row["Slave_SQL_Running"] == "Yes"  # else the next start throws it away
        return Look(
            "Connecting" if row["Slave_IO_Running"] == "Preparing" else row["Slave_IO_Running"], row["Slave_SQL_Running"],
            row["Master_User"], bool(row["Master_Log_File"]),
            positions.joined(applied, io_position if held else ""), applied, positions.joined(applied, io_position),
            int(row["Last_IO_Errno"] or 0), int(row["Last_SQL_Errno"] or 0), row["Last_SQL_Error"] or row["Last_IO_Error"],
            *_behind(rows[0]),
        )  # fmt: skip

    def standing(self, session: sql.Session) -> Standing:
        """Return how it follows. What we have stopped ourselves, for whatever is being done, is as it was before."""
        if not self._lock.acquire(timeout=BUSY):
            return self._stood
        try:
            look = self.look(session) if self._instance.follow is not None else None
            self._stood = Standing(look.broken, look.lag_bytes, look.lag_seconds) if look is not None else Standing()
        finally:
            self._lock.release()
        return self._stood

    def _ask(self, source: Mapping[str, Any], role: str) -> positions.Position:
        """Ask a source how far it has come, as ourselves in one of our roles."""
        instance = self._instance
        where = (source["address"], int(source["port"]), role + instance.id, instance.password)
        with sql.remote(*where, instance.files.certificate) as session:
            return positions.parse(position(session))

    # --- following ------------------------------------------------------------------------------------------------------------

    def follow(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        """Follow a source. What we have and it has not is seen before anything is changed, or said by the source."""
        with self._lock, self._instance.session(CHANGES) as session:
            self._sealed_at = float("-inf")
            wanted = {"source": args["source"], "address": args["address"], "port": int(args["port"])}
            if self._instance.follow != wanted:
                return self._begin(session, wanted)
            self._step(session)
            look = self.look(session)
            if look is None:
                return None
            if look.is_apart:
                session.ask("STOP SLAVE")
                self._instance.remember(follow=None, forget=("copied",))
                return Report(found={"apart": True})
            if look.broken:
                return Report(f"it does not follow {args['source']}: {look.broken}")
            return Report() if look.follows else None

    def _begin(self, session: sql.Session, wanted: Dict[str, Any]) -> Optional[Report]:
        look = self.look(session)
        ours = positions.parse(look.received if look is not None else position(session))
        try:
            theirs = self._ask(wanted, CATCHES_UP)
        except sql.SqlTrouble as error:
            if error.refused:
                return Report(f"{wanted['source']} does not let {self._instance.id} follow it: {error}")
            return None
        if not positions.contains(theirs, ours):
            self._instance.remember(forget=("copied",))
            return Report(found={"apart": True})
        if not self._let_go(session):
            return None
        self._instance.remember(follow=wanted, forget=("had", "copied"))
        self._must_reach, self._probed_at, self._began_at = None, float("-inf"), time.monotonic()
        self._connect(session, CATCHES_UP)
        return None

    def _let_go(self, session: sql.Session) -> bool:
        """Stop to receive; return whether all that was received is applied, and nothing runs."""
        session.ask("STOP SLAVE IO_THREAD")
        end = time.monotonic() + DRAINS_WITHIN
        look = self.look(session)
        while look is not None and look.sql != "No" and not look.drained:
            if time.monotonic() > end:
                return False
            time.sleep(LOOK)
            look = self.look(session)
        if look is not None and not look.drained:
            self._instance.remember(whole=False)  # it could not be applied, and the next start throws it away
        session.ask("STOP SLAVE")
        return True

    def _connect(self, session: sql.Session, role: str) -> None:
        """Follow as one who catches up, or acknowledges. Both threads have stopped; only who has the right name acknowledges."""
        instance = self._instance
        follow = instance.follow
        if follow is None:
            return
        session.ask("SET GLOBAL read_only=ON")
        session.ask("SET GLOBAL rpl_semi_sync_master_enabled=OFF")
        session.ask("SET GLOBAL rpl_semi_sync_slave_enabled=OFF")
        session.ask("SET GLOBAL gtid_slave_pos=%s", position(session))  # what an old source has written counts, too
        session.ask("RESET SLAVE ALL")
        session.ask(
            "CHANGE MASTER TO MASTER_HOST=%s, MASTER_PORT=%s, MASTER_USER=%s, MASTER_PASSWORD=%s, MASTER_USE_GTID=slave_pos,"
            " MASTER_CONNECT_RETRY=1, MASTER_SSL=1, MASTER_SSL_CA=%s, MASTER_SSL_CERT='', MASTER_SSL_KEY='',"
            " MASTER_SSL_VERIFY_SERVER_CERT=0",
            follow["address"], int(follow["port"]), role + instance.id, instance.password, str(instance.files.certificate),
        )  # fmt: skip
        if role == ACKNOWLEDGES:
            session.ask("SET GLOBAL rpl_semi_sync_slave_enabled=ON")
        session.ask("START SLAVE")
        self._becoming = ""

    def again(self) -> None:
        """The server was started: follow whom it followed."""
        with self._lock, self._instance.session(CHANGES) as session:
            look, self._must_reach = self.look(session), None
            self._probed_at, self._began_at = float("-inf"), time.monotonic()
            if self._instance.follow is not None and (look is None or look.io == look.sql == "No"):
                self._connect(session, CATCHES_UP)

    def let_go(self, seconds: float) -> None:
        """Follow nobody any more, with all that was received applied; Trouble where that takes longer."""
        end = time.monotonic() + seconds
        with self._lock, self._instance.session(seconds) as session:
            if self._instance.follow is not None:
                self._instance.remember(follow=None, forget=("copied",))
            look = self.look(session)
            if look is not None and look.sql == "No" and not look.drained:
                raise Trouble(f"what {self._instance.id} has received can't be applied: {look.broken or 'nobody applies it'}")
            while not self._let_go(session):
                if time.monotonic() > end:
                    raise Trouble(f"{self._instance.id} has not applied what it has received: wait")
                time.sleep(LOOK)
            session.ask("RESET SLAVE ALL")
            session.ask("SET GLOBAL rpl_semi_sync_slave_enabled=OFF")

    # --- from time to time ----------------------------------------------------------------------------------------------------

    def tend(self) -> bool:
        """See that it follows, as who may acknowledge if it may, and notice when it is whole; return whether that is due again at once."""
        if self._instance.follow is None or time.monotonic() - self._sealed_at < SEALING:
            return False
        with self._lock, self._instance.session(CHANGES) as session:
            if self._instance.follow is not None and time.monotonic() - self._sealed_at >= SEALING:
                self._step(session)
        return self._is_hasty() and not self._is_settled

    def _is_hasty(self) -> bool:
        return time.monotonic() - self._began_at < HASTE

    def _step(self, session: sql.Session) -> None:
        look = self.look(session)
        if look is None:
            self._connect(session, CATCHES_UP)
            return
        if look.broken:
            return
        role = self._becoming or self._role(look)
        if look.user == role + self._instance.id and look.io != "No" and look.sql != "No":
            return
        self._becoming = role
        if self._let_go(session):
            self._connect(session, role)

    def _role(self, look: Look) -> str:
        """Return as whom it should follow. Only the source can say whether we may acknowledge; while it is silent all stays as it is."""
        now = ACKNOWLEDGES if look.user == ACKNOWLEDGES + self._instance.id else CATCHES_UP
        self._is_settled = now == ACKNOWLEDGES and look.follows and bool(self._instance.memory.get("whole"))
        if self._is_settled or time.monotonic() - self._probed_at < (PROBE_IN_HASTE if self._is_hasty() else PROBE_EVERY):
            return now
        self._probed_at = time.monotonic()
        follow = self._instance.follow or {}
        try:
            is_near = self._is_near(look, self._ask(follow, CATCHES_UP))
            if now == CATCHES_UP and not is_near:
                return now
            self._ask(follow, ACKNOWLEDGES)
            return ACKNOWLEDGES
        except sql.SqlTrouble as error:
            return CATCHES_UP if error.refused else now

    def _is_near(self, look: Look, theirs: positions.Position) -> bool:
        """Return whether it follows and has caught up but for a little; remember it if it has all it may ever have had."""
        if not look.follows:
            return False
        if not self._instance.memory.get("whole"):
            if self._asked_in != self._instance.life:
                self._must_reach, self._asked_in = None, self._instance.life
            self._must_reach = self._must_reach or theirs
            if positions.contains(positions.parse(look.received), self._must_reach):
                self._instance.remember(whole=True)
        applied = positions.parse(look.applied)
        return sum(max(0, sequence - applied.get(domain, 0)) for domain, sequence in theirs.items()) <= NEAR

    # --- orders ---------------------------------------------------------------------------------------------------------------

    def seal(self) -> Optional[Report]:
        """Receive nothing any more; say what it has, and what it once had."""
        self._sealed_at = time.monotonic()
        with self._lock, self._instance.session(CHANGES) as session:
            session.ask("STOP SLAVE IO_THREAD")
            look = self.look(session)
            if look is not None and look.io != "No":
                return None
            if self._instance.follow is not None:
                whole = self._instance.memory.get("whole") and look is not None
                self._instance.remember(follow=None, had=look.once if whole and look is not None else None)
            received = look.received if look is not None else position(session)
            return Report(found={"received": received, "had": self._instance.memory.get("had")})

    def is_unsure(self) -> None:
        """Nobody knows how far it once was."""
        self._instance.remember(had=None)

    def drain(self, wanted: str) -> Optional[Report]:
        """Have all applied that was received, and see that this is enough."""
        with self._lock, self._instance.session() as session:
            look = self.look(session)
            applied = look.applied if look is not None else position(session)
            if look is not None and look.sql != "No" and not look.drained:
                return None
            if positions.contains(positions.parse(applied), positions.parse(wanted)):
                return Report()
            why = look.broken if look is not None else ""
            return Report(f"it stands at {applied or 'nothing'} and lacks some of {wanted}: {why or 'it lost what it had received'}")

    def reach(self, wanted: str) -> Optional[Report]:
        """Wait until it has applied all up to a position."""
        with self._instance.session() as session:
            look = self.look(session)
            if positions.contains(positions.parse(look.applied if look is not None else position(session)), positions.parse(wanted)):
                return Report()
            return Report(f"it can't apply more: {look.broken}") if look is not None and look.broken else None


def _behind(row: Mapping[str, Any]) -> Tuple[Optional[int], Optional[int]]:
    """Return how many bytes it has received and not applied, and how old these are; None each while it does not hear its source, since it
    would say that nothing waits, however much it lacks.
    """
    if text(row["Slave_IO_Running"]) != "Yes":
        return None, None
    if row["Master_Log_File"] == row["Relay_Master_Log_File"]:
        waits = int(row["Read_Master_Log_Pos"]) - int(row["Exec_Master_Log_Pos"])
    else:  # positions of two files of the source can't be compared: what lies here, but what was applied of the first of these
        waits = int(row["Relay_Log_Space"]) - int(row["Relay_Log_Pos"])
    seconds = row["Seconds_Behind_Master"]
    return max(0, waits), None if seconds is None else int(seconds)
