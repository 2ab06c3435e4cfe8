# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guest does with one MariaDB server: what of it is MariaDB's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from ...model.channel import Report
from ..checks import Need
from ..runner import Runner
from ..server import SetServer
from .copies import Copies
from .instance import Instance
from .prepare import prepare
from .replica import Replica
from .settings import Settings
from .source import Source, position

LETS_GO_WITHIN = 10.0  # seconds in which a replica that is opened has applied what it has received
MOST_QUIESCE_TRIES = 5  # of a second each


class MariaDB(SetServer):
    """``folder``: of this instance alone; ``memory``: see Instance."""

    forgets = ("had", "copied")

    def __init__(
        self, folder: Path, instance: str, runner: Runner, memory: Dict[str, Any], save: Callable[[], None], need: Need, user: str = ""
    ) -> None:
        """``need``: see prepare.py."""
        made = Instance(folder, instance, runner, memory, save, user)
        super().__init__(made, Source(made), Replica(made), Copies(made, need), Settings(made))
        self._need, self._tries = need, 0

    def tend(self) -> bool:
        is_hasty = bool(self._replica.tend())
        if self._instance.follow is None:
            self._source.nudge()
        return is_hasty

    def open(self, counted: Sequence[str], may: Callable[[], bool]) -> None:
        self._source.open(counted, lambda: self._replica.let_go(LETS_GO_WITHIN), may)

    def position(self) -> str:
        with self._instance.session() as session:
            return position(session)

    def _make(self, args: Mapping[str, Any]) -> None:
        prepare(self._instance, args, self._need)
        self._replica.again()

    def _quiesce(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Optional[Report]:
        came_to = self._source.quiesce()
        if came_to is not None:
            self._tries = 0
            return Report(found={"position": came_to})
        self._tries += 1
        if self._tries < MOST_QUIESCE_TRIES:
            return None
        self._tries = 0
        return Report("a statement or a table lock of a client keeps it from taking no writes: end it, and ask again")
