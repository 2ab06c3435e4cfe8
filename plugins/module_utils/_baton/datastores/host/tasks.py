# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on in a guest beside each other, until it ends: an error of one costs nobody more than a moment."""
from __future__ import annotations

import asyncio
import logging
from typing import Any, Callable, Set

from ...client.error import ClientError
from .trouble import Trouble

LOG = logging.getLogger("baton.guest")
PAUSE = 0.3  # seconds after something has failed


class Tasks:
    def __init__(self) -> None:
        self._tasks: Set["asyncio.Task[None]"] = set()
        self._ended = asyncio.Event()

    def begin(self, work: Any) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def run(self, *works: Callable[[], Any]) -> None:
        """Do all of these again and again until ``stop``."""
        for work in works:
            self.begin(self._for_ever(work))
        await self._ended.wait()
        for task in self._tasks:
            task.cancel()

    def stop(self) -> None:
        self._ended.set()

    async def _for_ever(self, work: Callable[[], Any]) -> None:
        said = ""
        while not self._ended.is_set():
            try:
                await work()
                said = ""
            except (ClientError, Trouble) as error:
                if str(error) != said:
                    said = str(error)
                    LOG.warning("%s", said)
                await asyncio.sleep(PAUSE)
            except (asyncio.CancelledError, GeneratorExit):
                raise
            except Exception:
                LOG.exception("unexpected error")
                await asyncio.sleep(PAUSE)
