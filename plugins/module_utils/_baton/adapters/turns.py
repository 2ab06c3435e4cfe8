# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large work in the event loop, one piece after the other, with the loop free in between.

Each piece is short; what would hold the lease up are many of them in a row, as when thirty clients
read a large document at once. So pieces take turns, and after each the loop has as long for all
else. A thread would not help: Python reads and writes JSON without letting anybody else run.
Decides nothing of what is large: small work does not come here.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable, Optional, Tuple, TypeVar

LARGE = 32 << 10  # bytes of JSON that take turns to be written
LARGE_BODY = 8 << 10  # and to be read and done: a patch of so many takes a millisecond or two, and sixty may come at once
MOST_PAUSE = 0.1  # seconds
Made = TypeVar("Made")
_lock: Optional[Tuple[asyncio.AbstractEventLoop, asyncio.Lock]] = None


def _turn() -> asyncio.Lock:
    """Return the lock of the running loop: before Python 3.10 one belongs to the loop it was made in."""
    global _lock
    loop = asyncio.get_running_loop()
    if _lock is None or _lock[0] is not loop:
        _lock = (loop, asyncio.Lock())
    return _lock[1]


async def take(work: Callable[[], Made]) -> Made:
    """Return what ``work`` returns, when it is our turn; the loop has been free since for as long as it took."""
    async with _turn():
        began = time.perf_counter()
        made = work()
        await asyncio.sleep(min(time.perf_counter() - began, MOST_PAUSE))
    return made


async def each(items: Any) -> Any:
    """Yield what an iterator yields, each item made in a turn of its own."""
    end = object()
    while True:
        item = await take(lambda: next(items, end))
        if item is end:
            return
        yield item
