# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of database servers, from a host of their own: writers that go where writes are taken, and two watchers for each server.

A watcher asks one server all the time whether it takes a write: one in a session that it keeps, however long that is silent, and one in
a new session each time. So what an old source does in the moment in which it wakes up is seen. Each keeps what was acknowledged.
"""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any, Dict, List, Sequence, Tuple

from netns import Host, boottime
from told import Ack

WRITERS = 3
ROAM = 1.0  # seconds after which a writer tries another server
STAY = 120.0  # seconds for which a watcher's session may be silent
PACE = {"writer": 0.02, "stays": 0.015, "comes": 0.05}  # seconds between two writes
Address = Tuple[str, int]


class Refused(Exception):
    """It is read-only: nothing was done, and the session goes on."""


class Failed(Exception):
    """Nobody knows what came of it."""


class DbClients:
    """``session``: of an engine, see engine_mariadb.py. ``servers``: each is watched. ``through``: where writers go, one after the other;
    without it to the servers themselves.
    """

    def __init__(
        self, host: Host, session: Any, account: Dict[str, str], servers: Sequence[Address], through: Sequence[Address] = ()
    ) -> None:
        self._host, self._begin_session, self._account = host, session, account
        self._rows = itertools.count(1)
        self._ended = threading.Event()
        self._acks: List[List[Ack]] = []
        self.unknown = 0
        self._threads: List[threading.Thread] = []
        for number in range(WRITERS):
            where = list(through or servers)
            self._begin(where[number % len(where) :] + where[: number % len(where)], ROAM, "writer")
        for server in servers:
            self._begin([server], STAY, "stays")
            self._begin([server], ROAM, "comes")

    def _begin(self, where: List[Address], patience: float, kind: str) -> None:
        acks: List[Ack] = []
        self._acks.append(acks)
        thread = threading.Thread(target=self._run, args=(where, patience, kind, acks), daemon=True, name=kind)
        self._threads.append(thread)
        thread.start()

    def _run(self, where: List[Address], patience: float, kind: str, acks: List[Ack]) -> None:
        with self._host.entered():
            for address in itertools.cycle(where):
                if self._ended.is_set():
                    return
                self._session(address, patience, kind, acks)
                time.sleep(PACE[kind])

    def _session(self, address: Address, patience: float, kind: str, acks: List[Ack]) -> None:
        """Write until that is refused or fails."""
        try:
            session = self._begin_session(address, self._account, STAY if kind == "stays" else 1.0, patience)
        except Failed:
            return
        while not self._ended.is_set():
            row, sent = next(self._rows), boottime()
            try:
                session.insert(row)
                acks.append(Ack(sent, boottime(), session.server, row))
            except Failed:
                self.unknown += 1
                break
            except Refused:
                if kind != "stays":
                    break
            if kind == "comes":
                break
            time.sleep(PACE[kind])
        session.drop()

    @property
    def acks(self) -> List[Ack]:
        return [ack for each in self._acks for ack in list(each)]

    def count(self) -> int:
        return sum(len(each) for each in self._acks)

    def end(self) -> None:
        """Write no more. Who waits for a server that does not answer is left behind."""
        self._ended.set()
        deadline = time.monotonic() + 5
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
