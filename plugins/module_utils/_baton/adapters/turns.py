# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large work in the event loop, one piece after the other, with the loop free in between.

Each piece is short; what would hold the lease up are many of them in a row, as when thirty clients
read a large document at once. So pieces take turns, and after each the loop has as long for all
else. A thread would not help: Python reads and writes JSON without letting anybody else run.
Decides nothing of what is large: who asks knows it of most work beforehand (``take``). Of a small request nobody knows how
long it takes: a hundred bytes may copy a large value. It is done at once as long as such work takes less than half of the
loop's time; what is more waits for its turn (``brief``).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable, Optional, Tuple, TypeVar

LARGE = 32 << 10  # bytes of JSON that take turns to be written
LARGE_BODY = 8 << 10  # and to be read and done: a patch of so many takes a millisecond or two, and sixty may come at once
MOST_PAUSE = 0.1  # seconds
MOST_OWED = 0.02  # seconds that the loop may wait for its share: with the longest request that there is, less than 50 ms
Made = TypeVar("Made")
_owed_until = 0.0  # the loop has had its share of the time then
_lock: Optional[Tuple[asyncio.AbstractEventLoop, asyncio.Lock]] = None


def _turn() -> asyncio.Lock:
    """Return the lock of the running loop: before Python 3.10 one belongs to the loop it was made in."""
    global _lock
    loop = asyncio.get_running_loop()
    if _lock is None or _lock[0] is not loop:
        _lock = (loop, asyncio.Lock())
    return _lock[1]


def _owed() -> float:
    return _owed_until - time.perf_counter()


def _do(work: Callable[[], Made]) -> Made:
    """Do something; the loop is owed as long for all else. What counts is CPU: a busy machine makes nothing large."""
    global _owed_until
    began, used = time.perf_counter(), time.thread_time()
    try:
        return work()
    finally:
        ran, used = time.perf_counter() - began, time.thread_time() - used
        _owed_until = max(_owed_until, began) + ran + used


async def brief(work: Callable[[], Made]) -> Made:
    """Return what ``work`` returns: at once, or, where too much of such work has just been done, when it is our turn.

    Whoever asks is not left waiting once it is done, so that nothing that it made can be lost.
    """
    if _owed() > MOST_OWED:
        async with _turn():
            if _owed() > MOST_OWED:
                await asyncio.sleep(min(_owed(), MOST_PAUSE))
    return _do(work)


async def take(work: Callable[[], Made]) -> Made:
    """Return what ``work`` returns, when it is our turn; the loop has been free since for as long as it took."""
    async with _turn():
        began = time.perf_counter()
        made = work()
        await asyncio.sleep(min(time.perf_counter() - began, MOST_PAUSE))
    return made


async def alone(size: int) -> None:
    """Wait, before ``size`` bytes are sent, for a round of the loop in which nobody else sends so many.

    To hand a megabyte to the kernel takes a millisecond, and a thousand readers may be sent the same at once.
    """
    if size > LARGE:
        async with _turn():
            await asyncio.sleep(0)


async def each(items: Any) -> Any:
    """Yield what an iterator yields, each item made in a turn of its own."""
    end = object()
    while True:
        item = await take(lambda: next(items, end))
        if item is end:
            return
        yield item
