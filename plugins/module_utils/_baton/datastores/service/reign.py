# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of the one manager that writes: taken, kept, and known by its fencing token."""
from __future__ import annotations

import logging
import secrets
import threading
from typing import Callable, Optional

from ...client.api import Client, leased
from ...client.error import ClientError
from ...client.locks import Locks
from ...ground.problem import Problem
from .store import Reign

LOG = logging.getLogger("baton.datastores")
LOCK = "datastores/manager"
TTL = 4.0  # seconds
PAUSE = 0.3


class Keeper:
    """``run`` in a thread until ``stop``. ``node``: where we are, for people.

    Whoever begins is the one that is to: batond runs the driver on one node only, and a manager that it has not stopped yet can't write
    any more once the lock was taken from it.
    """

    def __init__(self, client: Callable[[], Client], node: str) -> None:
        self._client, self._owner = client, f"{node}:{secrets.token_hex(4)}"
        self._reign: Optional[Reign] = None
        self._stop, self._held = threading.Event(), threading.Event()

    def reign(self) -> Reign:
        """Return ours; Problem 503 while there is none."""
        reign = self._reign
        if reign is None:
            raise Problem(503, "no_reign", "this manager has not taken over yet; try again")
        return reign

    def wait(self, seconds: float) -> bool:
        """Return whether we reign, within so many seconds."""
        return self._held.wait(seconds)

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        said = ""
        with self._client() as client:
            locks = Locks(client)
            while not self._stop.is_set():
                try:
                    self._keep(locks)
                    said = ""
                except ClientError as error:
                    if str(error) != said:
                        said = str(error)
                        LOG.warning("%s", said)
                    self._stop.wait(PAUSE)
                    continue
                self._stop.wait(TTL / 4)
            self._give_up(locks)

    def _keep(self, locks: Locks) -> None:
        """Take the lock, from whoever has it when we begin; later a lock that is lost is another's for good."""
        try:
            got = locks.acquire(LOCK, self._owner, TTL, timeout=0.0)
        except ClientError as error:
            if error.code != "locked" or self._reign is not None:
                raise
            LOG.info("%s; it is taken over", error)
            locks.break_lock(LOCK)
            got = locks.acquire(LOCK, self._owner, TTL, timeout=0.0)
        if self._reign is None or self._reign.token != got["Token"]:
            self._reign = Reign(leased(lease=got["Lease"], token=got["Token"]), got["Token"])
            LOG.info("this manager writes with token %s", got["Token"])
            self._held.set()

    def _give_up(self, locks: Locks) -> None:
        try:
            locks.release(LOCK, self._owner)
        except ClientError as error:
            LOG.warning("the lock %s is not released, and ends by itself: %s", LOCK, error)
