# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for batond in the VIP's lab tests: the real GuardClient, and a lease that is renewed as long as told so.

Usage: vip_daemon.py VIP INTERFACE LEASE [VALID [PATIENCE]]. One command a line on stdin (hold, release, prepare, drop,
stop, status, respawn, fork); one JSON object a line on stdout for each, for a lost guard, and when `unable` changes.
"""
from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Dict, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins" / "module_utils"))

from _baton.adapters.vip.guard import Options, program  # noqa: E402
from _baton.adapters.vip.guard_client import GuardClient  # noqa: E402
from _baton.ground.problem import Problem  # noqa: E402


def say(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Client(GuardClient):
    """Replaces a guard that died only when told to."""

    respawn = False

    async def _revive(self) -> None:
        say(event="lost")
        if self.respawn:
            await super()._revive()


class Daemon:
    """Renews the lease eight times in its length, as batond does."""

    def __init__(self, client: Client, lease: float) -> None:
        self.client = client
        self.lease = lease
        self.renewal: Optional["asyncio.Task[None]"] = None
        client.on_change(lambda: say(event="able", unable=client.unable))

    async def renew(self) -> None:
        while True:
            self.client.hold(time.clock_gettime(time.CLOCK_BOOTTIME) + self.lease)
            await asyncio.sleep(self.lease / 8)

    def release(self) -> None:
        """Stop renewing; the last deadline stands."""
        if self.renewal is not None:
            self.renewal.cancel()
            self.renewal = None

    async def obey(self, order: str) -> Dict[str, Any]:
        if order == "hold" and self.renewal is None:
            self.renewal = asyncio.get_running_loop().create_task(self.renew())
        elif order == "release":
            self.release()
        elif order == "prepare":
            self.client.prepare()
        elif order == "fork":
            if os.fork() == 0:  # a child that keeps the daemon's end of the guard's socket open
                signal.pause()
        elif order == "respawn":
            self.client.respawn = True
        elif order == "drop":
            self.release()
            await self.client.drop()
        elif order == "stop":
            self.release()
            await self.client.stop()
        return {"event": order, **self.client.status()}


async def serve(address: str, interface: str, lease: str, valid: str = "2", patience: str = "5") -> int:
    logging.basicConfig(level=logging.INFO)
    client = Client(program(), Options(address, interface, int(valid), float(patience)))
    daemon = Daemon(client, float(lease))
    try:
        await client.start()
    except Problem as problem:
        say(event="refused", detail=problem.detail, status=problem.status)
        return 1
    say(event="started", **client.status())
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while True:
        line = await orders.readline()
        if not line:
            return 0
        say(**await daemon.obey(line.decode().strip()))


if __name__ == "__main__":
    sys.exit(asyncio.run(serve(*sys.argv[1:])))
