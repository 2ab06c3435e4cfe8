# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node's own disk: which incarnation of the data is used, what is loaded from it, and what the core has written to it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import secrets
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Optional, Tuple

from ..adapters.disk import owner
from ..adapters.disk.durable import write_durably
from ..adapters.disk.reserve import DiskReserve
from ..adapters.disk.sqlite import DataDirectory, Writer, distrust, load
from ..core import commands as cmd
from ..core import events as ev
from ..core.model.config import NodeConfig
from ..core.model.limits import Limits
from ..core.model.saved import Saved
from ..core.node import Node
from ..core.state.loaded import Loaded
from ..ground.problem import Problem
from ..ground.version import VERSION

LOG = logging.getLogger("baton")
LOOK_SECONDS = 2.0  # between looks at the room on the disk


class Disk:
    """The data directory ``path``. ``threads``: where reading and copying is done."""

    def __init__(self, path: Path, tell: Callable[[ev.Event], None], threads: ThreadPoolExecutor) -> None:
        self.reserve = DiskReserve(path)  # on a full disk it makes the room that all else needs
        self.directory = DataDirectory(path)
        self._path, self._tell, self._threads = path, tell, threads
        self._loop = asyncio.get_running_loop()
        self._writer: Optional[Writer] = None

    def node(self, config: NodeConfig) -> Node:
        """Return the node that these data are of. Problem when the disk is full, damaged, or holds what only a newer version knows."""
        incarnation = self._incarnation()
        self.directory.tidy()  # a snapshot that a crash cut short
        try:
            return Node(config, load(self.directory.database(incarnation), incarnation))
        except (sqlite3.Error, ValueError, LookupError, TypeError, Problem) as error:
            if isinstance(error, Problem) and error.code == "data_directory":
                raise
            raise Problem(
                500, "data_directory", f"the data in {self._path} can't be used by this version, {VERSION} ({error}): if "
                "a newer one has run here, start that one again; if the disk is full, make room; only if they are damaged and other "
                "nodes are in sync, empty the directory, and this node copies them from the active",
            ) from None  # fmt: skip

    def _incarnation(self) -> str:
        """Return the incarnation to use; one that was copied gets a name of its own."""
        current = self.directory.current()
        name, copied = owner.claim(self._path, current or self._first_incarnation(), secrets.token_hex(8))
        if copied:
            LOG.warning("the data in %s are a copy: they are a disk of their own now, and no member of the in-sync set", self._path)
        return name

    def _first_incarnation(self) -> str:
        stray = self.directory.stray()
        if stray:
            raise Problem(
                500, "data_directory", f"{self._path}/CURRENT is missing or wrong, but {stray} holds data: write that name "
                "into it to use them, or empty the directory",
            )  # fmt: skip
        incarnation = secrets.token_hex(8)
        self.directory.create(incarnation)
        self.directory.use(incarnation)
        return incarnation

    # --- writing ----------------------------------------------------------------------------------------------------------

    def start(self, incarnation: str) -> None:
        """Write from now on, to this incarnation."""

        def stored(store: int) -> None:
            self._loop.call_soon_threadsafe(self._tell, ev.Stored(store))

        def failed(error: BaseException) -> None:
            distrust(self.directory.database(incarnation))
            LOG.critical("can't write to %s (%s): stopping, since a later write might hide it", self._path, error)
            os._exit(1)

        self._writer = Writer(self.directory.database(incarnation), self.reserve, stored, failed)
        self._writer.start()

    def write(self, command: Any) -> None:
        """Have a Store or Checkpoint written; dropped while a snapshot takes the place of all."""
        if self._writer is not None:
            self._writer.put(command)

    def close(self) -> None:
        """Write what is left to write."""
        if self._writer is not None:
            self._writer.close()

    def keep_tail(self, command: cmd.KeepTail) -> None:
        """Write entries to a file that is named for what is in it: another tail with the same numbers is another file."""
        first, last = command.entries[0], command.entries[-1]
        text = "".join(
            json.dumps({"seq": e.seq, "epoch": e.epoch.number, "id": e.epoch.id, "entry": e.body}, separators=(",", ":")) + "\n"
            for e in command.entries
        )
        name = hashlib.sha256(text.encode()).hexdigest()[:12]
        path = self._path / f"tail-{first.epoch.number}-{first.seq}-{last.seq}-{name}.jsonl"
        if not path.exists():
            write_durably(path, text)
            LOG.warning("kept %d entries that the others do not have in %s", len(command.entries), path)

    def renounce(self, incarnation: str, reason: str) -> None:
        """Our disk is a copy of one in use: the next start gives it an incarnation of its own."""
        owner.disown(self._path, incarnation)
        LOG.critical("%s: stopping, to start as a new disk", reason)
        os._exit(1)

    # --- a snapshot in the place of all -----------------------------------------------------------------------------------

    def give_way(self) -> Callable[[str, Limits], Any]:
        """Write nothing from now on; return what puts an incarnation in the place of ours. There is no way back."""
        old, self._writer = self._writer, None

        async def use(incarnation: str, limits: Limits) -> Tuple[Saved, Loaded]:
            try:
                if old is not None:
                    await self._loop.run_in_executor(self._threads, old.close)
                self.directory.use(incarnation)
                found = await self._loop.run_in_executor(self._threads, self._loaded, incarnation, limits)
                self.start(incarnation)
            except Exception as error:  # there is no way back, whatever it is
                known = isinstance(error, (OSError, ValueError, sqlite3.Error))
                text = "can't put the snapshot in place (%s): stopping, to start with what is on disk"
                LOG.critical(text, error, exc_info=not known)
                os._exit(1)
            return found

        return use

    def _loaded(self, incarnation: str, limits: Limits) -> Tuple[Saved, Loaded]:
        """Read what an incarnation holds, and make tables of it: the loop goes on meanwhile."""
        saved = load(self.directory.database(incarnation), incarnation)
        return saved, Loaded.of(saved.documents, saved.checkpoint, saved.replies, limits)

    # --- room -------------------------------------------------------------------------------------------------------------

    def _tell_room(self) -> None:
        self._loop.call_soon_threadsafe(self._tell, ev.DiskRoom(self.reserve.low))

    async def watch(self) -> None:
        """Others fill the disk, too, and make room on it."""
        self.reserve.on_change = self._tell_room
        self._tell_room()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._loop.run_in_executor(self._threads, self.reserve.look)
            except OSError as error:
                LOG.warning("can't keep room on the disk of %s: %s", self._path, error)
