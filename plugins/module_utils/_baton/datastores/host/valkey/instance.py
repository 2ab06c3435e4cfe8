# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Valkey or Redis server of this host as a process, and sessions with it."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import Iterator, List, Optional, cast

from ...model.passwords import sha256
from ..mariadb import instance
from ..runner import PATH, Program
from ..trouble import Trouble
from . import protocol, state
from .config import ADMIN, FIXED, NOBODY, Files
from .protocol import Session, ValkeyTrouble

STARTS_WITHIN = 600.0  # seconds; it may have much to read
LOOK = 0.05  # seconds between looks at a server that starts
BESIDE = 10.0  # seconds for what is not asked again and again


class Instance(instance.Instance):
    """``memory``: as of any; ``made``: its data has been written once; ``own``: the last reign of its own, until it follows somebody;
    ``counted``: who counted when it was opened last; ``freed``: where it stood when it was free of what it had acknowledged.
    """

    files_of = Files  # type: ignore[assignment]
    program_name = "valkey-server"
    files: Files  # type: ignore[assignment]

    @property
    def program(self) -> Program:
        argv = tuple(self.memory.get("argv") or self._argv())
        return Program(self.id, argv, self.files.folder, self.files.log, self.files.user, (self.files.run,))

    def _argv(self) -> List[str]:
        return [executable(self.program_name), str(self.files.settings)]

    def start(self, *_options: str) -> None:
        """Start it and wait until it has read its data."""
        self.files.make_run()
        end = time.monotonic() + STARTS_WITHIN
        is_begun = False
        while True:
            if self.pid() is None and not is_begun:
                is_begun = True
                self.begin()
            try:
                self._see()
                if self.pid() is not None:  # so that this life is known
                    return
            except ValkeyTrouble as error:
                if self.pid() is None and is_begun:
                    raise Trouble(f"{self.id} does not start: {self.files.last_error() or error}") from None
                if time.monotonic() > end:
                    raise Trouble(f"{self.id} has not answered for {STARTS_WITHIN:g} s: {error}") from None
            time.sleep(LOOK)

    def _see(self) -> None:
        """See that it has what it had, and have those come in who may."""
        with self.session(BESIDE) as session:
            found = state.read(session)
            if found is not None:
                state.keep_users(session, found.users)
                state.let_in(session, state.ASKS, sha256(self.password), "+ping", "+info")
            elif self.memory.get("made"):
                raise Trouble(f"{self.id} has lost its data: what was in {self.files.data} is not there any more; replace it")

    @contextlib.contextmanager
    def session(self, timeout: float = protocol.ANSWER) -> Iterator[Session]:  # type: ignore[override]
        """Speak with it, as who may do all."""
        with protocol.local(self.files.socket, ADMIN, self.files.password(), timeout) as session:
            yield session

    def why_silent(self, error: ValkeyTrouble) -> str:  # type: ignore[override]
        """Return why it does not answer; "" if it said that it has too much to do to talk to us."""
        if protocol.FULL in str(error):
            return ""
        if self.pid() is None:
            return f"it does not run: {self.files.last_error() or 'start it, or look at its log'}"
        return "it reads its data: wait" if error.code == protocol.BEING_READ else f"it runs, and does not answer: {error}"

    @property
    def own(self) -> Optional[int]:
        """The last reign of its own, if it has followed nobody since."""
        return cast(Optional[int], self.memory.get("own"))

    def position(self, session: Session) -> str:
        found = state.read(session)
        if found is None:
            raise Trouble(f"{self.id} has no data")
        return state.position(found, state.place(session.info("replication")), self.own)


REST = (("REPLICAOF", *NOBODY), ("CONFIG", "SET", "min-replicas-to-write", FIXED["min-replicas-to-write"]))


def executable(name: str) -> str:
    """Return the path of a server's program; Trouble says what to install."""
    found = shutil.which(name, path=PATH)
    if found is None:
        raise Trouble(f"there is no {name} on this host: install the package {name}")
    return found
