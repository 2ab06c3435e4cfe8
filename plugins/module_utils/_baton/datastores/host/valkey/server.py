# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guest does with one Valkey or Redis server: what of it is theirs alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Sequence, Type

from ...model.channel import Report
from ..checks import Need
from ..runner import Runner
from ..server import VERBS, SetServer
from .config import Files
from .copies import Copies
from .instance import Instance
from .prepare import prepare
from .replica import Replica
from .settings import Settings
from .source import Source


class RedisFiles(Files):
    server_user = "redis"


class RedisInstance(Instance):
    files_of, program_name = RedisFiles, "redis-server"


class Valkey(SetServer):
    """``folder``: of this instance alone; ``memory``: see Instance."""

    verbs = tuple(verb for verb in VERBS if verb != "admit")
    unmade = {"made": False, "own": None}
    forgets = ("had", "copied", "freed")
    datastore = "valkey"
    instance_of: Type[Instance] = Instance

    def __init__(
        self, folder: Path, instance: str, runner: Runner, memory: Dict[str, Any], save: Callable[[], None], need: Need, user: str = ""
    ) -> None:
        """``need``: see prepare.py."""
        made = self.instance_of(folder, instance, runner, memory, save, user)
        super().__init__(made, Source(made), Replica(made), Copies(made, self.datastore, need), Settings(made))
        self._need = need

    def tend(self) -> bool:
        self._instance.files.tidy_log()
        if self._instance.follow is None:
            self._source.tend()
        return bool(self._replica.tend())

    def open(self, counted: Sequence[str], may: Callable[[], bool]) -> None:
        """Take writes; from when this returns, WAIT 1 is answered once one of those that count has what was written before it."""
        with self._replica.lock:
            self._source.open(counted, may)

    def position(self) -> str:
        with self._instance.session() as session:
            return str(self._instance.position(session))

    def _make(self, args: Mapping[str, Any]) -> None:
        prepare(self._instance, self.datastore, args, self._need)
        self._replica.again()

    def _resume(self, _args: Mapping[str, Any], _stands: Callable[[], bool]) -> Report:
        self._source.resume()
        return Report()


class Redis(Valkey):
    datastore = "redis"
    instance_of = RedisInstance
