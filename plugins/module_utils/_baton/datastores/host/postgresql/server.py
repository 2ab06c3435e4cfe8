# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guest does with one PostgreSQL server: what of it is PostgreSQL's own."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Sequence

from ..checks import Need
from ..runner import Runner
from ..server import VERBS, SetServer
from .copies import Copies
from .instance import Instance
from .prepare import prepare
from .replica import Replica
from .settings import Settings
from .source import Source

LOG = logging.getLogger("baton.guest")
TENDS_EVERY = 1.0  # seconds
LETS_GO_WITHIN = 10.0  # seconds in which a replica that is opened has applied what it has received
CLEARS_WITHIN = 5.0  # seconds for one that is wiped to end by itself: one that is killed leaves shared memory behind, for ever


class PostgreSQL(SetServer):
    """``folder``: of this instance alone; ``memory``: see Instance. To close it is to end it."""

    verbs = tuple(verb for verb in VERBS if verb != "admit")
    closes_within = 0.0
    forgets = ("copied", "reign", "adopting", "spoilt", "counted", "opening")

    def __init__(
        self, folder: Path, instance: str, runner: Runner, memory: Dict[str, Any], save: Callable[[], None], need: Need, user: str = ""
    ) -> None:
        """``need``: see prepare.py."""
        made = Instance(folder, instance, runner, memory, save, user)
        super().__init__(made, Source(made), Replica(made), Copies(made, need), Settings(made))
        self._need, self._tended_at = need, float("-inf")

    def tend(self) -> bool:
        if time.monotonic() - self._tended_at < TENDS_EVERY:
            return False
        self._tended_at = time.monotonic()
        if self._instance.memory.get("opening"):
            self._source.tend()
        elif self._replica.tend():
            LOG.warning("%s applies nothing more until it has as much of all as its source: it is started anew", self._instance.id)
            self._instance.stop()
            self._instance.start()
        return False

    def open(self, counted: Sequence[str], may: Callable[[], bool]) -> None:
        self._source.open(counted, lambda: self._replica.let_go(LETS_GO_WITHIN), may)

    def position(self) -> str:
        """Return how far it has come, whether it runs or has ended in order."""
        return str(self._source.position())

    def _make(self, args: Mapping[str, Any]) -> None:
        prepare(self._instance, args, self._need)

    def _end(self) -> None:
        if not self._instance.end_at_once(CLEARS_WITHIN):
            self._instance.kill()
