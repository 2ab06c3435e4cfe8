# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies that leave this host: how fast each may, and how far it is. Threads that send share what the host gives.

There is one host to a process, so there is one of these.
"""
from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, Tuple

from ..guest.pace import Bucket, shares
from ..model.channel import Order
from .trouble import Trouble

LOOK = 0.1  # seconds between looks whether it is wanted still, and whether it may be faster now
Key = Tuple[str, str]  # whose data, and to whom


class Sending:
    """One copy. ``of``: about so many bytes are to be sent, ``sent`` so many were."""

    def __init__(self, sends: "Sends", limit: float, of: int) -> None:
        self._sends, self._bucket = sends, Bucket(time.monotonic())
        self.limit, self.of, self.sent = limit, of, 0

    def wait(self, many: int, stands: Callable[[], bool]) -> None:
        """Return when so many bytes may be sent; Trouble when they are not wanted any more."""
        pause = self._bucket.take(many, self._sends.rate(self), time.monotonic())
        end = time.monotonic() + pause
        while pause > 0:
            time.sleep(min(pause, LOOK))
            if not stands():
                raise Trouble("it is taken back")
            pause = end - time.monotonic()
        self.sent += many


class Sends:
    """``most``: bytes a second of all copies together, 0 for as many as there can be."""

    def __init__(self) -> None:
        self.most = 0.0
        self._lock = threading.Lock()
        self._under_way: Dict[Key, Sending] = {}

    @contextlib.contextmanager
    def begin(self, whose: str, to: str, limit: float, of: int) -> Iterator[Sending]:
        sending = Sending(self, limit, of)
        with self._lock:
            self._under_way[(whose, to)] = sending
        try:
            yield sending
        finally:
            with self._lock:
                self._under_way.pop((whose, to), None)

    def rate(self, sending: Sending) -> float:
        with self._lock:
            found = shares(self.most, {each: each.limit for each in self._under_way.values()})
        return found.get(sending, sending.limit)

    def told(self, orders: Iterable[Order]) -> None:
        """Take note of other limits: whoever sends goes on with these."""
        with self._lock:
            under_way = dict(self._under_way)
        for order in orders:
            sending = under_way.get((order.instance, str(order.args.get("to")))) if order.verb == "send" else None
            if sending is not None:
                sending.limit = limit_of(order.args)

    def of(self, whose: str) -> Dict[str, Dict[str, int]]:
        """Return how far copies of an instance's data are, as a Server has it."""
        with self._lock:
            under_way = dict(self._under_way)
        return {to: {"bytes": each.sent, "of": max(each.of, each.sent)} for (key, to), each in under_way.items() if key == whose}


def limit_of(args: Mapping[str, Any]) -> float:
    """Return the limit that an order names; a manager of an older version names none."""
    return float(args.get("limit") or 0)


def size_of(folder: Path, *but: str) -> int:
    """Return how many bytes the files in a folder have, without those whose names begin so."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # files come and go
            if path.is_file() and not path.name.startswith(but):
                total += path.stat().st_size
    return total


SENDS = Sends()
