# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as a replica: it follows the source of its set, and acknowledges what it has received, if the source asks it.

What was received is on disk before it is acknowledged, and stays over a restart. So once a server has read all that lies here it has all
that it ever acknowledged (``whole``), and what it has is what it once had. It knows that from the server itself: the process that
applies waits for more. Before that, after a restart, the numbers say less than there is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional

from ...model import positions
from ...model.channel import Report
from .. import family
from ..server import Standing
from ..trouble import Trouble
from . import sql
from .config import slot_of
from .instance import Instance
from .place import Place, lsn_number, place_of
from .rewind import may_rewind, rewind
from .source import DROP_SLOTS, HAS_NOTHING, LISTENS

LOOK = 0.02  # seconds between looks at what is about to be so
READS_WITHIN = 2.0  # seconds for which a seal waits until what was received is applied, so that its end is known exactly
MOST_OF_A_RECORD = 2 << 20  # bytes that may lie behind the last whole record; they were acknowledged to nobody
SETTLES_WITHIN = 10.0  # seconds for a source to be one, before whoever has something else is copied anew
SLOT_EVERY = 3.0  # seconds between looks whether the source keeps what we need, while we do not follow
BUSY = 0.3  # seconds for which a look waits for one who changes whom it follows
LOST = ("has already been removed", "forked off current database system timeline", "incorrect prev-link", "is not a child of")
STANDING = """SELECT pg_is_in_recovery() AS standby, pg_last_wal_receive_lsn() AS received, pg_last_wal_replay_lsn() AS applied,
 (SELECT string_agg(wait_event, ',') FROM pg_stat_activity WHERE backend_type = 'startup') AS startup,
 (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walreceiver') AS receivers,
 (SELECT status FROM pg_stat_wal_receiver) AS status, (SELECT received_tli FROM pg_stat_wal_receiver) AS timeline,
 (SELECT sender_host || ' ' || sender_port FROM pg_stat_wal_receiver) AS sender,
 CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() END AS pause,
 extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) AS seconds"""


class Look(NamedTuple):
    """``received``, ``applied``: up to where; ``has_read_all``: nothing lies here that is not applied, but for a piece of a record. Of one
    that listens the wait alone does not say so: it may not have heard yet of what its receiver has acknowledged a moment ago.
    """

    standby: bool
    received: int
    applied: int
    has_read_all: bool
    receivers: int
    streams: bool
    timeline: int
    sender: str
    paused: bool
    seconds: Optional[int]


class Replica:
    """Its methods block for no longer than a server takes to answer, but where one is rewound; None means: not yet, ask again."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._lock = threading.RLock()  # one at a time changes whom it follows
        self._stood = Standing()
        self._seals_since: Optional[float] = None
        self._settles_since: Optional[float] = None
        self._streamed = 0  # so often in a row it was seen to, by the order that is being carried out
        self._slot_at = float("-inf")

    # --- looks --------------------------------------------------------------------------------------------------------------

    def look(self, session: sql.Session) -> Look:
        life = self._instance.life
        row = {key: value or "" for key, value in session.ask(STANDING)[0].items()}
        received, applied = (lsn_number(row[key] or "0/0") for key in ("received", "applied"))
        has_read_all = row["startup"] == HAS_NOTHING or row["startup"] == LISTENS and applied >= received
        if row["standby"] == "t" and has_read_all and not self._instance.memory.get("whole") and self._instance.life == life:
            self._instance.remember(whole=True)
        return Look(
            row["standby"] == "t", max(received, applied), applied, has_read_all, int(row["receivers"]), row["status"] == "streaming",
            int(row["timeline"] or 0), row["sender"], row["pause"] == "paused", int(float(row["seconds"])) if row["seconds"] else None,
        )  # fmt: skip

    def standing(self, session: sql.Session) -> Standing:
        """Return how it follows. What we have stopped ourselves, for whatever is being done, is as it was before."""
        look = self.look(session)
        if not self._lock.acquire(timeout=BUSY):
            return self._stood
        try:
            self._stood = self._standing(look) if self._instance.follow is not None else Standing()
        finally:
            self._lock.release()
        return self._stood

    def _standing(self, look: Look) -> Standing:
        if look.streams:
            waits = look.received - look.applied
            return Standing("", waits, look.seconds if waits else 0)
        return Standing(self._broken())

    def _broken(self) -> str:
        """Why it does not follow, and will not by itself; "" if it may."""
        said = self._instance.files.said()[-20:]
        return next((line.partition("  ")[2].strip() for line in reversed(said) if any(words in line for words in LOST)), "")

    # --- following ------------------------------------------------------------------------------------------------------------

    def follow(self, args: Mapping[str, Any], stands: Callable[[], bool]) -> Optional[Report]:
        """Follow a source. What we have and it has not is seen before anything is changed; then it is undone, if it can be."""
        with self._lock:
            wanted = {"source": str(args["source"]), "address": args["address"], "port": int(args["port"])}
            if self._instance.follow != wanted or self._instance.memory.get("reign"):
                return self._begin(wanted, stands)
            return self._see(wanted)

    def _begin(self, wanted: Dict[str, Any], stands: Callable[[], bool]) -> Optional[Report]:
        instance = self._instance
        self._streamed = 0
        with instance.session(replication=True) as session:
            if not self.look(session).standby:
                return Report(f"{instance.id} takes writes: it can't follow anybody")
            if instance.follow is not None:
                instance.remember(follow=None)
            if not self._cut(session):
                return None
            look, reigns = self.look(session), _reigns(session)
            ours = place_of(session).at(look.applied)
        if not look.has_read_all:
            return None
        try:
            with instance.source(wanted) as source:
                theirs, there = place_of(source), _reigns(source)
                if ours.is_within(theirs) and self._agrees(ours, reigns, there):
                    self._connect(wanted, source)
                    return None
                is_known = ours.system == theirs.system and self._agrees(ours, reigns, there, theirs)
                may = is_known and may_rewind(source, ours, theirs)
                if may:
                    keep_slot(source, instance.id)  # without what comes next one that was rewound answers nobody
        except sql.SqlTrouble as error:
            if error.refused:
                return Report(f"{wanted['source']} does not let {instance.id} follow it: {error}")
            return None
        if is_known and not may and self._waits():
            return None
        self._settles_since = None
        if may and stands() and rewind(instance, wanted):
            return None
        instance.remember(forget=("copied",))
        return Report(found={"apart": True})

    def _waits(self) -> bool:
        """Whether it is too early to say that we are apart: who is to be our source may be about to be one."""
        now = time.monotonic()
        self._settles_since = now if self._settles_since is None else self._settles_since
        return now - self._settles_since < SETTLES_WITHIN

    def _agrees(self, ours: Place, here: Mapping[int, str], there: Mapping[int, str], theirs: Optional[Place] = None) -> bool:
        """Whether timelines that both came through are the same ones. Two servers that are promoted and do not know of each other begin
        one of the same number; so whoever begins one writes down which it is.
        """
        reign = self._instance.memory.get("reign") or {}
        if reign and ours.timeline > int(reign["after"]) and there.get(ours.timeline) != reign["id"]:
            return theirs is not None and ours.timeline not in (theirs.timeline, *dict(theirs.forks))
        return all(there.get(timeline, name) == name for timeline, name in here.items())

    def _connect(self, wanted: Dict[str, Any], source: sql.Session) -> None:
        """Have the source keep what we lack, and follow it. What was kept here for others is not any more: nobody follows a replica."""
        instance = self._instance
        keep_slot(source, instance.id)
        with instance.session() as session:
            session.ask(DROP_SLOTS)
        instance.remember(follow=wanted, forget=("copied", "reign"))
        self._seals_since = self._settles_since = None
        instance.files.forget_said()
        instance.write_settings()
        instance.reload()

    def _see(self, wanted: Dict[str, Any]) -> Optional[Report]:
        """Return once it streams from there, seen twice: who has something else begins to again and again."""
        with self._instance.session() as session:
            look = self.look(session)
            streams = look.streams and look.sender == f"{wanted['address']} {wanted['port']}"
            if not streams:
                self._streamed = 0
                broken = self._broken()
                if broken:
                    self._instance.remember(follow=None, forget=("copied",))
                    self._cut(session)
                    return Report(found={"apart": True})
                self._see_to_slot(wanted)
                return None
        with self._instance.source(wanted) as source:
            theirs = place_of(source).timeline
        self._streamed = self._streamed + 1 if theirs == look.timeline else 0
        return Report() if self._streamed > 1 else None

    def _see_to_slot(self, wanted: Mapping[str, Any]) -> None:
        """See now and then that the source keeps what we need: it may be another one there, or have given up on us."""
        if time.monotonic() - self._slot_at > SLOT_EVERY:
            self._slot_at = time.monotonic()
            with self._instance.source(wanted) as source:
                keep_slot(source, self._instance.id)

    def _cut(self, session: sql.Session) -> bool:
        """Receive nothing any more; return whether it is so. Who receives is a process that the one that applies ends, so that it goes on
        while that waits for something; then it is told by us. One that is begun later gets nowhere without the password: so it is enough
        that there is none now, connected or about to be.
        """
        self._instance.write_settings()
        if session.text("current_setting('primary_conninfo')"):
            self._instance.reload()
        receivers = session.ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walreceiver'")
        for row in receivers:
            pid = int(row["pid"] or 0)
            if family.parent_of(pid) == self._instance.pid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        return not receivers

    def again(self) -> None:
        """The server was started: it follows whom it followed, as its settings say."""

    def let_go(self, seconds: float) -> None:
        """Follow nobody any more, with all that was received applied; Trouble where that takes longer."""
        end = time.monotonic() + seconds
        with self._lock, self._instance.session(seconds) as session:
            if self._instance.follow is not None:
                self._instance.remember(follow=None, forget=("copied",))
            while not self._cut(session) or not self.look(session).has_read_all:
                if time.monotonic() > end:
                    raise Trouble(f"{self._instance.id} has not applied what it has received: wait")
                time.sleep(LOOK)

    # --- from time to time ----------------------------------------------------------------------------------------------------

    def tend(self) -> bool:
        """See that it can follow; return whether it has to be started anew, since its source has more of something than it may have."""
        with self._lock:
            follow = self._instance.follow
            with self._instance.session() as session:
                look = self.look(session)
            if follow is not None and not look.streams:
                try:
                    self._see_to_slot(follow)
                except sql.SqlTrouble:
                    pass  # it is gone, or not there yet
            return look.standby and look.paused

    # --- orders ---------------------------------------------------------------------------------------------------------------

    def seal(self) -> Optional[Report]:
        """Receive nothing any more; say what it has, which is what it ever had."""
        instance = self._instance
        with self._lock:
            if instance.follow is not None:
                instance.remember(follow=None)
                self._seals_since = None
            with instance.session(replication=True) as session:
                if not self.look(session).standby:
                    return Report(f"{instance.id} takes writes: it can't be sealed")
                if not self._cut(session):
                    return None
                look, place = self.look(session), place_of(session)
            now = time.monotonic()
            self._seals_since = self._seals_since or now
            if not instance.memory.get("whole") or not look.has_read_all and now - self._seals_since < READS_WITHIN:
                return None
            if look.has_read_all:
                place = place.at(look.applied)  # without a piece of a record that may lie behind it
            elif place.lsn < look.received:  # on a timeline that it has not come to yet
                return None
            received = place.text
            return Report(found={"received": received, "had": received})

    def is_unsure(self) -> None:
        """What it once had is on its disk: the next seal says it."""

    def drain(self, wanted: str) -> Optional[Report]:
        """Have all applied that was received, and see that this is enough."""
        with self._lock, self._instance.session(replication=True) as session:
            look = self.look(session)
            place = place_of(session).at(look.applied)
        need = positions.parse(wanted)
        if positions.contains(positions.parse(place.text), need):
            return Report()
        if not look.has_read_all or look.receivers:
            return None
        short = {timeline: lsn - positions.parse(place.text).get(timeline, 0) for timeline, lsn in need.items()}
        if all(lacks <= (MOST_OF_A_RECORD if timeline == place.timeline else 0) for timeline, lacks in short.items()):
            return Report()
        return Report(f"it stands at {place.text} and lacks some of {wanted}: it lost what it had received")

    def reach(self, wanted: str) -> Optional[Report]:
        """Wait until it has applied all up to a position."""
        with self._instance.session(replication=True) as session:
            look = self.look(session)
            place = place_of(session).at(look.applied)
        if positions.contains(positions.parse(place.text), positions.parse(wanted)):
            return Report()
        broken = self._broken() if not look.streams else ""
        return Report(f"it can't apply more: {broken}") if broken else None


def keep_slot(source: sql.Session, instance: str) -> None:
    """Have a source keep what a replica has not received."""
    slot = slot_of(instance)
    rows = source.ask("SELECT wal_status AS status, active FROM pg_replication_slots WHERE slot_name = %s", slot)
    if rows and (rows[0]["status"] != "lost" or rows[0]["active"] == "t"):
        return
    if rows:
        source.ask(f"DROP_REPLICATION_SLOT {slot}")
    source.ask(f"CREATE_REPLICATION_SLOT {slot} PHYSICAL RESERVE_WAL")


def _reigns(session: sql.Session) -> Dict[int, str]:
    """Return what timelines that were begun by a promotion are known by, as far as that was written and received."""
    return {int(row["timeline"] or 0): row["reign"] or "" for row in session.ask("SELECT timeline, reign FROM baton.reigns")}
