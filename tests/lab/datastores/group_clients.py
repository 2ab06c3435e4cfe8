# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of a cluster, from a host of their own: writers that go where writes are taken, and for each member one that reads there.

What a reader is given is stale if it lacks a row that was acknowledged to anybody long before it asked. Members apply what they have
received a moment later than it is acknowledged elsewhere, which is no fault.
"""

from __future__ import annotations

import bisect
import itertools
import threading
import time
from contextlib import suppress
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import pymysql
from netns import Host, boottime
from told import Ack

WRITERS = 3
ROAM = 1.0  # seconds after which a client tries another server, or again
STAY = 120.0  # seconds for which a reader that stays may hear nothing
PACE = 0.02  # seconds between two statements
LATE = 3.5  # seconds by which a healthy member may be behind: for so long nobody goes on while a group finds out who is left
Address = Tuple[str, int]


class Read(NamedTuple):
    """The highest row of a sequence that a member gave. ``sent``, ``received``: when it was asked and answered."""

    sent: float
    received: float
    member: Address
    row: int


class GroupClients:
    """``servers``: of all members that have data; the list may change while it goes on."""

    def __init__(self, host: Host, account: Dict[str, str], servers: Sequence[Address]) -> None:
        self._host, self._account, self.servers = host, account, list(servers)
        self._rows, self._marks = itertools.count(1), itertools.count(1)
        self._ended = threading.Event()
        self._acks: List[List[Ack]] = []
        self.marks: List[Tuple[float, int]] = []  # when it was acknowledged, and which
        self.reads: List[Read] = []
        self.unknown = 0
        self._threads: List[threading.Thread] = []
        for number in range(WRITERS):
            acks: List[Ack] = []
            self._acks.append(acks)
            self._begin(self._write, number, acks)
        self._begin(self._mark)
        for number in range(len(self.servers)):
            self._begin(self._read, number, ROAM)
            self._begin(self._read, number, STAY)

    def _begin(self, work: Any, *args: Any) -> None:
        thread = threading.Thread(target=self._in_host, args=(work, *args), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _in_host(self, work: Any, *args: Any) -> None:
        with self._host.entered():
            work(*args)

    def _connect(self, address: Address, patience: float) -> Any:
        return pymysql.connect(
            host=address[0], port=address[1], connect_timeout=1, read_timeout=patience, write_timeout=patience, autocommit=True,
            ssl_disabled=True, **self._account,
        )  # fmt: skip

    def _sessions(self, first: int, patience: float, only: bool = False) -> Any:
        """Yield sessions, with one server after the other, or with one only."""
        number = first
        while not self._ended.is_set():
            address = self.servers[number % len(self.servers)]
            number += 0 if only else 1
            connection = None
            try:
                connection = self._connect(address, patience)
                yield address, connection.cursor()
            except (pymysql.err.Error, OSError):
                pass
            finally:
                if connection is not None:
                    with suppress(pymysql.err.Error, OSError):
                        connection._force_close()  # without a word, which a frozen server would not hear
            time.sleep(PACE)

    def _write(self, first: int, acks: List[Ack]) -> None:
        for address, cursor in self._sessions(first, ROAM):
            with suppress(pymysql.err.Error, OSError):
                while not self._ended.is_set():
                    row, sent = next(self._rows), boottime()
                    self.unknown += 1
                    cursor.execute("INSERT INTO told (id) VALUES (%s)", (row,))
                    self.unknown -= 1
                    acks.append(Ack(sent, boottime(), hash(address), row))
                    time.sleep(PACE)

    def _mark(self) -> None:
        """One alone writes rows in order, so that the highest one that a reader sees says what it lacks."""
        for _address, cursor in self._sessions(0, ROAM):
            with suppress(pymysql.err.Error, OSError):
                while not self._ended.is_set():
                    mark = next(self._marks)
                    cursor.execute("INSERT INTO seen (id) VALUES (%s)", (mark,))
                    self.marks.append((boottime(), mark))
                    time.sleep(PACE)

    def _read(self, number: int, patience: float) -> None:
        for address, cursor in self._sessions(number, patience, only=True):
            with suppress(pymysql.err.Error, OSError):
                while not self._ended.is_set():
                    sent = boottime()
                    cursor.execute("SELECT COALESCE(MAX(id), 0) FROM seen")
                    self.reads.append(Read(sent, boottime(), address, int(cursor.fetchone()[0])))
                    time.sleep(PACE)

    def stale(self, began: float) -> List[Tuple[Read, float]]:
        """Return reads since a moment that were late, and by how much: the age of the oldest mark they lack, when they were asked."""
        marks, found = list(self.marks), []
        numbers, times = [number for _at, number in marks], [at for at, _number in marks]
        for read in [read for read in list(self.reads) if read.sent >= began]:
            first = bisect.bisect_right(numbers, read.row)
            late = read.sent - times[first] if first < len(times) else 0.0
            if late > LATE:
                found.append((read, late))
        return found

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
