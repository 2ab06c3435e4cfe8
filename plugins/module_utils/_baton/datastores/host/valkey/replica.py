# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as a replica: it follows the source of its set, which lets it in while it counts, and no longer.

What it has applied is all that it has received, and it has acknowledged nothing else. After a start nobody knows how far that was
(``whole``), until the source says that what it waits for since is kept by others: then it owes nothing, and comes back as a new one.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, Mapping, Optional

from ...model import positions
from ...model.channel import Report
from ..server import Standing
from . import protocol, state
from .config import NOBODY, TLS_PORT
from .instance import BESIDE, Instance
from .protocol import Session, ValkeyTrouble
from .state import ASKS, COUNTS, MARKED, Place

BUSY = 0.3  # seconds for which a look waits for one who changes whom it follows
PROBE_EVERY = 0.25  # seconds between looks whether it owes anything still
HASTE, CONNECTS_EVERY = 5.0, 0.1  # seconds after it was told to follow in which it does not leave it to the server to try again
SEALING = 5.0  # seconds for which nothing is connected again after a seal was begun


class Replica:
    """Its methods block for no longer than a server takes to answer; None means: not yet, ask again."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.lock = threading.RLock()  # one at a time changes whom it follows
        self._sealed_at = self._probed_at = self._began_at = self._connected_at = float("-inf")
        self._stood = Standing()

    # --- looks --------------------------------------------------------------------------------------------------------------

    def standing(self, session: Session) -> Standing:
        """Return how it follows."""
        if not self.lock.acquire(timeout=BUSY):
            return self._stood
        try:
            self._stood = _standing(session.info("replication")) if self._instance.follow is not None else Standing()
        finally:
            self.lock.release()
        return self._stood

    def _theirs(self, follow: Mapping[str, Any], user: str) -> Session:
        """Speak with a source, as one of our users."""
        instance = self._instance
        where = (str(follow["address"]), int(follow["port"]) + TLS_PORT)
        return protocol.remote(where, user, instance.password, (instance.files.certificate, instance.files.key))

    def _is_taken(self, follow: Mapping[str, Any], user: str) -> bool:
        try:
            with self._theirs(follow, user):
                return True
        except ValkeyTrouble as trouble:
            if trouble.refused:
                return False
            raise

    # --- following ----------------------------------------------------------------------------------------------------------

    def follow(self, args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        """Follow a source; it is enough that it will let us in once we count. What we have and it has not goes then."""
        follow: Dict[str, Any] = {name: args[name] for name in ("source", "address", "port")}
        with self.lock, self._instance.session(BESIDE) as session:
            if self._instance.follow != follow:
                with self._theirs(follow, ASKS) as theirs:
                    place = state.place(theirs.info("replication"))
                if not place.is_source:  # it is about to be
                    return None
                self._take(session, follow, place)
                self._connect(session)
            if _is_connected(session.info("replication")):
                return Report()
            if self._is_taken(follow, COUNTS + self._instance.id):
                self._hasten(session)
                return None
            return Report()

    def _take(self, session: Session, follow: Dict[str, Any], theirs: Place) -> None:
        """Remember whom it follows, and whether it is sure to have nothing that went another way."""
        memory = self._instance.memory
        was_whole = bool(memory.get("whole") or self._instance.follow is None and self._instance.own is not None)
        whole = was_whole and state.is_in_line(state.place(session.info("replication")), theirs)
        self._sealed_at, self._began_at = float("-inf"), time.monotonic()
        self._instance.remember(follow=follow, whole=whole, own=None, forget=("had", "copied"))

    def _connect(self, session: Session) -> None:
        follow = self._instance.follow
        if follow is None:
            return
        self._connected_at = time.monotonic()
        session.at_once(
            ("CONFIG", "SET", "min-replicas-to-write", "0"),
            ("CONFIG", "SET", "masteruser", COUNTS + self._instance.id, "masterauth", self._instance.password),
            ("REPLICAOF", *NOBODY),
            ("REPLICAOF", str(follow["address"]), str(int(follow["port"]) + TLS_PORT)),
        )

    def _hasten(self, session: Session) -> None:
        """Connect at once: a server tries once a second."""
        info = session.info("replication")
        is_busy = info.get("master_link_status") == "up" or info.get("master_sync_in_progress") == "1"
        if not is_busy and time.monotonic() - self._connected_at >= CONNECTS_EVERY:
            self._connect(session)

    def again(self) -> None:
        """The server was started: follow whom it followed."""
        with self.lock, self._instance.session(BESIDE) as session:
            self._began_at = time.monotonic()
            info = session.info("replication")
            if self._instance.follow is not None and (info.get("master_host"), info.get("master_port")) == NOBODY:
                self._connect(session)

    # --- from time to time ----------------------------------------------------------------------------------------------------

    def tend(self) -> bool:
        """See that it follows, and whether it owes anything; return whether that is due again at once."""
        if self._instance.follow is None or time.monotonic() - self._sealed_at < SEALING:
            return False
        with self.lock, self._instance.session() as session:
            follow = self._instance.follow
            if follow is None:
                return False
            info = session.info("replication")
            is_connected = _is_connected(info)
            if (info.get("master_host"), info.get("master_port")) != (follow["address"], str(int(follow["port"]) + TLS_PORT)):
                self._connect(session)
            elif not is_connected and self._is_hasty():
                self._hasten(session)
            if not self._instance.memory.get("whole"):
                self._probe(session, follow)
        return not is_connected and self._is_hasty()

    def _is_hasty(self) -> bool:
        return time.monotonic() - self._began_at < HASTE

    def _probe(self, session: Session, follow: Mapping[str, Any]) -> None:
        """Find out whether it owes anything. It does not once the source does not count it, and what was written since is with who counts:
        asked in this order, so that a change between both is no matter.
        """
        if time.monotonic() - self._probed_at < PROBE_EVERY:
            return
        self._probed_at = time.monotonic()
        try:
            if self._is_taken(follow, COUNTS + self._instance.id) or not self._is_taken(follow, MARKED):
                return
        except ValkeyTrouble:
            return
        self._instance.remember(whole=True, freed=_stands(session))
        self._began_at = time.monotonic()  # it is let in soon

    # --- orders ---------------------------------------------------------------------------------------------------------------

    def seal(self) -> Optional[Report]:
        """Receive nothing any more; say what it has, and what it once had."""
        self._sealed_at = time.monotonic()
        instance = self._instance
        with self.lock, instance.session(BESIDE) as session:
            session.at_once(("REPLICAOF", *NOBODY))
            received = instance.position(session)
            if instance.follow is not None:
                owes = "" if instance.memory.get("freed") == _stands(session) else received
                instance.remember(follow=None, had=owes if instance.memory.get("whole") else None)
            return Report(found={"received": received, "had": instance.memory.get("had")})

    def is_unsure(self) -> None:
        """Nobody knows how far it once was."""
        self._instance.remember(had=None)

    def drain(self, wanted: str) -> Optional[Report]:
        """See that it has all up to a position: what it has received is applied."""
        with self._instance.session() as session:
            has = self._instance.position(session)
        if positions.contains(positions.parse(has), positions.parse(wanted)):
            return Report()
        return Report(f"it stands at {has or 'nothing'} and lacks some of {wanted}")

    def reach(self, wanted: str) -> Optional[Report]:
        """Wait until it has applied all up to a position."""
        report = self.drain(wanted)
        return report if report is not None and not report.problem else None


def _stands(session: Session) -> Any:
    now = state.place(session.info("replication"))
    return [now.reign, now.offset]


def _is_connected(info: Mapping[str, str]) -> bool:
    return info.get("role") == "slave" and info.get("master_link_status") == "up"


def _standing(info: Mapping[str, str]) -> Standing:
    if not _is_connected(info):
        return Standing()
    waits = max(0, int(info.get("slave_read_repl_offset", 0)) - int(info.get("slave_repl_offset", 0)))
    return Standing("", waits, int(info.get("master_last_io_seconds_ago", 0)) if waits else 0)
