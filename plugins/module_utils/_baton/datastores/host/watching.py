# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen to unasked: that processes are there, how servers are, and that one which is down is started again, if that is ours to do.

A server may have to end once it has not answered for a while (``fence``): each look that it has answered tells the guard for how much
longer. From when an order that ends it begins nobody tells the guard anything, not by a look that began before that either.
"""
from __future__ import annotations

import asyncio
import logging
from typing import Any, Awaitable, Callable, Dict, Optional

from ..guest.lag import is_same_but_for_lag
from ..model.channel import Server
from .guard import boottime
from .instance import Instance
from .trouble import Trouble

LOG = logging.getLogger("baton.guest")
TICK, LOOK = 0.05, 0.25  # seconds
STARTS = (0.0, 1.0, 3.0, 10.0, 30.0)  # seconds before a server that does not hold is started again
LONG = ("prepare", "receive", "send", "wipe", "restart", "form", "join", "halt")  # while one goes on, a server that is down stays so
ENDS = ("prepare", "receive", "wipe", "restart", "halt")  # while one of these goes on, a server may end, or begin, however long it takes
Tell = Callable[[int, Optional[float]], Awaitable[None]]


class Watch:
    """``died``: a server of a set has ended; ``changed``: something is another; ``tell``: the guard."""

    def __init__(
        self, instances: Dict[str, Instance], died: Callable[[str], None], changed: asyncio.Event, begin: Callable[[Any], Any], tell: Tell
    ) -> None:
        self._instances, self._died, self._changed = instances, died, changed
        self._begin, self._tell = begin, tell

    # --- processes ------------------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        for instance in list(self._instances.values()):
            if not instance.is_watched:
                instance.is_watched = True
                self._begin(self._watch_one(instance))
        await asyncio.sleep(TICK)

    async def _watch_one(self, instance: Instance) -> None:
        try:
            await self.find(instance)
        finally:
            instance.is_watched = False

    async def find(self, instance: Instance) -> None:
        """Notice that a process is there, or has ended."""
        pid = await instance.run("life", instance.hands.pid)
        if pid == instance.pid:
            return
        if instance.pid is not None:
            LOG.warning("%s: its process %s has ended", instance.name, instance.pid)
            instance.seen = Server(False, "its process has ended")
            self._died(instance.set)
        instance.pid, instance.may_be_open = pid, instance.is_opening
        self._changed.set()

    # --- looks ----------------------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        for instance in list(self._instances.values()):
            if not instance.is_looked_at and boottime() >= instance.look_at:
                instance.is_looked_at, instance.look_at = True, boottime() + LOOK
                self._begin(self._see_to(instance))
        await asyncio.sleep(TICK)

    async def _see_to(self, instance: Instance) -> None:
        try:
            await self._looked_at(instance)
        finally:
            instance.is_looked_at = False

    async def _looked_at(self, instance: Instance) -> None:
        hands = instance.hands
        is_left_alone = hands.by_quorum or instance.busy in LONG or instance.is_closing  # which may be about to see how far it came
        if instance.pid is None and not is_left_alone and boottime() >= instance.may_start and hands.is_ours():
            await self._start(instance)
        began, pid, ends = boottime(), instance.pid, instance.ends
        seen = await instance.run("looks", hands.look)
        if hands.fence and hands.has_answered and pid is not None and pid == instance.pid:
            await self._fence(instance, pid, ends, began + hands.fence)
        if not is_same_but_for_lag(seen, instance.seen):
            self._changed.set()
        instance.seen = seen
        if seen.up:
            instance.starts = 0
            if instance.busy in ("", "send") and not instance.is_opening:
                try:
                    if await instance.run("hands", hands.tend):
                        instance.look_at = 0.0
                except Trouble as trouble:
                    LOG.warning("%s: %s", instance.name, trouble)

    async def _start(self, instance: Instance) -> None:
        instance.may_start = boottime() + STARTS[min(instance.starts, len(STARTS) - 1)]
        instance.starts += 1
        LOG.info("%s is started", instance.name)
        try:
            await instance.run("hands", instance.hands.start)
        except Trouble as trouble:
            LOG.error("%s does not start: %s", instance.name, trouble)
        await self.find(instance)

    # --- the fence ------------------------------------------------------------------------------------------------------------

    async def _fence(self, instance: Instance, pid: int, ends: int, until: float) -> None:
        """Have it go on until then, unless an order that ends it has begun since it was looked at."""
        if ends == instance.ends and instance.busy not in ENDS:
            await self._tell(pid, until)

    async def unfence(self, instance: Instance, verb: str) -> None:
        """An order begins. One that may end a server takes as long as that takes."""
        if verb in ENDS:
            instance.ends += 1
            if instance.hands.fence and instance.pid is not None:
                await self._tell(instance.pid, None)

    async def end(self) -> None:
        """We end, and look at nobody any more: whoever runs goes on until a guest is there again."""
        for instance in self._instances.values():
            if instance.hands.fence and instance.pid is not None:
                instance.ends += 1
                await self._tell(instance.pid, None)
