# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks: a command, an HTTP request, a TCP connection. Each raises Failed when the service is not healthy."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Dict, Mapping, Optional

from ..adapters.aio import aiohttp
from ..ground.tls import client_context
from .process import Groups
from .session import Failed

Check = Callable[[Mapping[str, str], Optional[str]], Awaitable[None]]


def make(check: Dict[str, Any]) -> Check:
    """Return the check that config.py has read; a command gets an environment that is added to ours, and a directory."""
    timeout = float(check["timeout"])
    if "command" in check:
        return lambda env, cwd: _command(check["command"], timeout, env, cwd)
    if "http" in check:
        return lambda env, cwd: _http(check, timeout)
    host, port = check["tcp"]
    return lambda env, cwd: _tcp(host, port, timeout)


async def _command(command: str, timeout: float, env: Mapping[str, str], cwd: Optional[str]) -> None:
    groups = Groups()
    try:
        ended = await groups.run(["/bin/sh", "-c", command], timeout, env=env, cwd=cwd, capture=True)
    finally:
        groups.kill()  # a check leaves nothing behind
    if ended.status != 0:
        raise Failed(f"the check's command failed: {ended.why}")


async def _http(check: Dict[str, Any], timeout: float) -> None:
    options: Dict[str, Any] = {}
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        if check["ca"]:
            options["ssl"] = client_context(check["ca"])
        async with aiohttp.ClientSession(timeout=limit) as http, http.get(check["http"], allow_redirects=False, **options) as response:
            if not (response.status in check["status"] if check["status"] else 200 <= response.status < 400):
                raise Failed(f"HTTP {response.status}")
    except asyncio.TimeoutError:
        raise Failed(f"no answer within {timeout:g} s") from None
    except (OSError, aiohttp.ClientError) as error:
        raise Failed(f"no answer: {error}") from error


async def _tcp(host: str, port: int, timeout: float) -> None:
    try:
        _reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout)
    except asyncio.TimeoutError:
        raise Failed(f"no connection within {timeout:g} s") from None
    except OSError as error:
        raise Failed(f"no connection: {error.strerror or error}") from error
    writer.close()
