# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as the source of its set: it takes writes. Whoever wants one acknowledged by a replica says WAIT 1 after it.

A replica that is connected is enough for WAIT, whoever it is. So none is let in but those that count: who else was there is cut off before
anything is opened, and new ones come in after that.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Mapping, Sequence

from ...model.passwords import sha256
from ..trouble import Trouble
from . import state
from .instance import BESIDE, REST, Instance
from .protocol import Session, ValkeyTrouble
from .state import ASKS, COUNTS, MARKED, State

FOLLOWS = ("+ping", "+psync", "+replconf")  # the rights of a member that follows
AGAIN = 0.05  # seconds between looks whether a replica has come
WAITS = 200  # milliseconds for which one question waits for an acknowledgement
PAUSE = 20000  # milliseconds without writes while somebody else catches up; then they go on by themselves
NO_REPLICAS = "NOREPLICAS"


class Source:
    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._tenure = threading.Lock()  # opening and closing one after the other
        self._closes = 0  # so often it was told to close: what was begun before does not go on
        self._opens = 0  # so often it was told who counts
        self._taken_back = 0  # so often marks were

    # --- taking writes ----------------------------------------------------------------------------------------------------

    def open(self, counted: Sequence[str], may: Callable[[], bool]) -> None:
        """Take writes, where there was no source before; have those that count acknowledge, and nobody else."""
        closes, instance = self._closes, self._instance
        with self._tenure:
            self._opens += 1
            with instance.session(BESIDE) as session:
                found = state.read(session)
                if found is None:
                    raise Trouble(f"{instance.id} has lost its data: replace it")
                is_new = not state.place(session.info("replication")).is_source
                self._cut_off(session, counted)
                if is_new:
                    state.keep_users(session, found.users)
                least = ("CONFIG", "SET", "min-replicas-to-write", "1" if counted else "0")
                instance.remember(counted=list(counted))
                if closes != self._closes or not may():
                    raise Trouble(f"{instance.id} was told to close meanwhile")
                if is_new:
                    session.at_once(("REPLICAOF", "NO", "ONE"), least, ("CLIENT", "UNPAUSE"))
                    instance.remember(follow=None, own=found.reign, forget=("had", "copied", "freed"))
                else:  # who is asked only now is waited for once it has come
                    session.at_once(*([] if counted else [least]), ("CLIENT", "UNPAUSE"))
                for member in counted:
                    state.let_in(session, COUNTS + member, sha256(instance.password), *FOLLOWS)

    def _cut_off(self, session: Session, counted: Sequence[str]) -> None:
        """Have nobody follow but those: whoever is connected as one who goes is disconnected."""
        wanted = {COUNTS + member for member in counted}
        there = session.texts("ACL", "USERS")
        gone = [name for name in there if name == MARKED or name.startswith(COUNTS) and name not in wanted]
        if gone:
            session.ask("ACL", "DELUSER", *gone)

    def adopt(self, secrets: Mapping[str, str]) -> None:
        """Have the secrets of another set: nobody of the last one can follow this server, or show it a certificate that it takes."""
        instance = self._instance
        with instance.session(BESIDE) as session:
            self._cut_off(session, ())
            spec = {**instance.spec, "secrets": secrets}
            instance.files.write(spec)
            instance.remember_spec(spec)
            files = instance.files
            for name, path in (("cert", files.certificate), ("ca-cert", files.certificate)):
                session.ask("CONFIG", "SET", f"tls-{name}-file", str(path))
            state.let_in(session, ASKS, sha256(instance.password), "+ping", "+info")

    # --- marks --------------------------------------------------------------------------------------------------------------

    def mark(self, term: int, number: int) -> None:
        """Write where the reigns before this one ended, and return once one that counts has it."""
        instance, begun = self._instance, (self._opens, self._closes, self._taken_back)
        counted = instance.memory.get("counted") or []

        def check() -> None:
            if begun != (self._opens, self._closes, self._taken_back):
                raise Trouble(f"the mark of {instance.id} was taken back")

        with instance.session(BESIDE) as session:
            while True:
                reign = self._keep_past(session, check, (term, number))
                while counted and session.number("WAIT", 1, WAITS) < 1:
                    check()
                if state.place(session.info("replication")).reign == reign:  # it has another name once the first replica has come
                    break
            with self._tenure:
                check()
                least = ("CONFIG", "SET", "min-replicas-to-write", "1" if counted else "0")
                session.at_once(least)
                state.let_in(session, MARKED, sha256(instance.password), "+ping")

    def _keep_past(self, session: Session, check: Callable[[], None], mark: Any) -> int:
        """Write it, and return in which reign that was; a server that has no replica and needs one does not take it yet."""
        while True:
            check()
            now, found = state.place(session.info("replication")), state.read(session)
            if found is None or not now.is_source:
                raise Trouble(f"{self._instance.id} is not the source")
            try:
                session.ask(*state.loading(State(state.past(found, now, self._instance.own), now.reign, mark, found.users)))
            except ValkeyTrouble as trouble:
                if trouble.code != NO_REPLICAS:
                    raise
                time.sleep(AGAIN)
                continue
            self._instance.remember(own=now.reign)
            return now.reign

    def unmark(self) -> None:
        self._taken_back += 1

    def tend(self) -> None:
        """Write down that its reign has another name: that is so once its first replica has come, or a copy was given."""
        with self._instance.session() as session:
            now, found = state.place(session.info("replication")), state.read(session)
            if found is None or not now.is_source or found.reign == now.reign or self._instance.own != found.reign:
                return
            with self._tenure:
                session.ask(*state.loading(State(state.past(found, now, found.reign), now.reign, found.mark, found.users)))
                self._instance.remember(own=now.reign)

    # --- taking none --------------------------------------------------------------------------------------------------------

    def close(self, timeout: float) -> None:
        """Take no writes, and cut clients off: those who wait for an acknowledgement are not told that there is one.

        Replicas stay until they have all that was written.
        """
        end = time.monotonic() + timeout
        self._closes += 1
        self._taken_back += 1
        if not self._tenure.acquire(timeout=timeout):
            raise Trouble(f"{self._instance.id} is being opened, and did not let go in {timeout:g} s: kill it")
        try:
            with self._instance.session(max(0.1, end - time.monotonic())) as session:
                session.at_once(*REST, ("CLIENT", "UNPAUSE"))
                if MARKED in session.texts("ACL", "USERS"):
                    session.ask("ACL", "DELUSER", MARKED)
                for name in state.of_people(session):
                    session.ask("CLIENT", "KILL", "USER", name)
        finally:
            self._tenure.release()

    def quiesce(self) -> str:
        """Take no writes for a while; return how far it came."""
        with self._instance.session() as session:
            session.ask("CLIENT", "PAUSE", PAUSE, "WRITE")
            return self._instance.position(session)

    def resume(self) -> None:
        with self._instance.session() as session:
            session.ask("CLIENT", "UNPAUSE")
