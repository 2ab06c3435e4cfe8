# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place that imports aiohttp, so that files which merely travel with a module need not have it.

The daemon checks ``AIOHTTP_ERROR`` when it starts and says what to install.
"""
from __future__ import annotations

import asyncio
import logging
from typing import Any, Awaitable, Dict, Optional, TypeVar

AIOHTTP_ERROR: Optional[str] = None
try:
    import aiohttp
    from aiohttp import web
except ImportError as error:
    aiohttp = None  # type: ignore[assignment]
    web = None  # type: ignore[assignment]
    AIOHTTP_ERROR = f"{error}: install python3-aiohttp (Debian, Fedora) or `pip install aiohttp`"

__all__ = ["AIOHTTP_ERROR", "HOLDER", "SCOPE", "TOKEN", "aiohttp", "unhandled", "web", "within"]


def _key(name: str) -> Any:
    """Return a key of what is kept with a request: newer versions warn of plain names."""
    made = getattr(web, "RequestKey", None)
    return made(name, object) if made is not None else name


SCOPE, HOLDER, TOKEN = map(_key, ("scope", "holder", "token"))

LOST_TWICE = "'NoneType' object has no attribute 'close'"  # what asyncio fails with
Found = TypeVar("Found")


async def within(seconds: float, work: Awaitable[Found]) -> Found:
    """Return what ``work`` returns; asyncio.TimeoutError when that takes longer than ``seconds``.

    Before Python 3.12 ``asyncio.wait_for`` drops a cancellation that comes together with the
    result: a task that is told to end would go on for ever.
    """
    task: Any = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # it is seen
    try:
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise asyncio.TimeoutError
    finally:
        task.cancel()
    found: Found = task.result()
    return found


def unhandled(loop: asyncio.AbstractEventLoop, context: Dict[str, Any]) -> None:
    """Say what no code has caught, as asyncio does, but not what is no fault of ours.

    A connection that is reset after it was closed, with bytes still to be written, is told twice that it is lost (CPython's
    selector_events); the second time finds nothing left to close.
    """
    if "_call_connection_lost" in str(context.get("handle")) and str(context.get("exception")) == LOST_TWICE:
        logging.getLogger("baton").debug("a connection was lost twice")
        return
    loop.default_exception_handler(context)
