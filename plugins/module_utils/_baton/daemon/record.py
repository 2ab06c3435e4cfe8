# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out what the core wants of the store of the cluster record, and says once what is wrong with it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Awaitable, Callable, Dict, Optional, Set

from ..adapters.dcs.store import RecordStore, WontTake
from ..core import commands as cmd
from ..core import events as ev
from ..core.model.record import Record

LOG = logging.getLogger("baton")


class Recorder:
    """``store``, whose answers become events. ``quiet``: it says by itself what is wrong."""

    def __init__(self, store: RecordStore, tell: Callable[[ev.Event], None], quiet: bool) -> None:
        self.store = store
        self._tell, self._quiet = tell, quiet
        self._loop = asyncio.get_running_loop()
        self._tasks: Set["asyncio.Task[None]"] = set()
        self._said: Dict[str, str] = {}

    def read(self, command: cmd.ReadRecord) -> None:
        def answer(version: int, record: Optional[Record]) -> None:
            self._tell(ev.RecordRead(version, record, proven=command.proven))

        what = "written" if command.proven else "read"
        self._ask(what, self.store.read(command.proven), lambda found: answer(*found))

    def swap(self, command: cmd.Swap) -> None:
        nonce = command.record.nonce

        def answer(done: Optional[bool], version: int = -1) -> None:
            self._tell(ev.SwapAnswer(nonce, done, version))

        def failed(error: BaseException) -> None:
            self._tell(ev.SwapAnswer(nonce, None, refused=str(error) if isinstance(error, WontTake) else ""))

        swapping = self.store.swap(command.expected, command.version, command.record)
        self._ask("written", swapping, lambda found: answer(*found), failed)

    def adopt(self, command: cmd.Adopt) -> None:
        adopting = self.store.adopt(command.version, command.record)
        self._ask("written", adopting, lambda _none: self.read(cmd.ReadRecord()))

    def forget(self, _command: cmd.ForgetRecord) -> None:
        self._ask("removed", self.store.forget(), lambda _none: None)

    def _ask(
        self,
        what: str,
        work: Awaitable[Any],
        then: Callable[[Any], None],
        failed: Callable[[BaseException], None] = lambda _error: None,
    ) -> None:
        async def do() -> None:
            try:
                found = await work
            except (OSError, ValueError) as error:
                self._failed(what, str(error))
                failed(error)
            else:
                self._failed(what, "")
                then(found)

        task = self._loop.create_task(do())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _failed(self, what: str, why: str) -> None:
        """Say once what is wrong, since it is soon tried again; and when that is over (why: "")."""
        said, self._said[what] = self._said.get(what, ""), why
        if why == said or self._quiet:
            return
        if why:
            LOG.error("the cluster record can't be %s: %s", what, why)
        else:
            LOG.info("the cluster record can be %s again", what)
