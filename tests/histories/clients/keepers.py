# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that keep one lease alive all through the history and beyond, with a lock, a seat and a param that hang on it."""

import asyncio

from histories.clients.client import Client

TTL = 3.0
EVERY = 0.3


class Keeper(Client):
    """What hangs on a lease that is kept stays; what comes and goes under it leaves nothing behind."""

    REPEATS = 0.0

    def __init__(self, name, world):
        super().__init__(name, world)
        self.lease = f"kept-{name}"
        self.holds = []  # (lease, on, token): to be there in the end

    async def run(self):
        """Keep the lease, and use it, until the very end of the history."""
        await self.grant(self.lease, TTL)
        got = await self.ask(
            "acquire", f"locks/kept-{self.name}", "POST", f"/locks/kept-{self.name}/acquire",
            {"Owner": self.name, "Slots": 1, "Wait": 0, "Lease": self.lease},
        )  # fmt: skip
        if got.ok:
            self.holds.append((self.lease, got.on, got.answer["Token"]))
        await self.write("kept", f"by-{self.name}", self.name, lease=self.lease)
        await asyncio.gather(self._keep(), super().run())

    async def _keep(self):
        number = 0
        while not self.world.done:
            number += 1
            if number % 5:
                await self.keep(self.lease, TTL)
            else:
                await self.grant(self.lease, TTL)
            await asyncio.sleep(EVERY)

    async def turn(self, draw, number):
        """Take a lock and tie a param under the lease, and give both back."""
        lock, owner = f"locks/brief-{self.name}", f"{self.name}.{number}"
        ask = {"Owner": owner, "Slots": 1, "Wait": 0, "Lease": self.lease}
        await self.ask("acquire", lock, "POST", f"/{lock}/acquire", ask)
        await self.write("kept", f"brief-{self.name}", owner, lease=self.lease)
        if draw.random() < 0.5:
            path = f"/profiles/kept/params/brief-{self.name}"
            await self.ask("unset", f"kept/brief-{self.name}", "DELETE", path)
        await self.ask("release", lock, "POST", f"/{lock}/release", {"Owner": owner})
        await asyncio.sleep(draw.uniform(0.1, 0.4))
