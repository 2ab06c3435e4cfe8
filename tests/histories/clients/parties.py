# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that wait for each other: two groups of four, run after run; some give up, some vanish while they wait."""

import asyncio

from histories.clients.client import Client

GROUP = 4


class Party(Client):
    """One member of a group. A run ends with an outcome; after a broken one the next run begins anew."""

    PAUSE = (0.0, 0.1)

    def __init__(self, name, world):
        super().__init__(name, world)
        number = int(name.rpartition("-")[2]) - 1
        first = number // GROUP * GROUP + 1
        self.members = [f"party-{one}" for one in range(first, first + GROUP)]
        self.on = f"barriers/group-{number // GROUP + 1}"
        self._counts = number < GROUP  # the first group says how many it is, the other one who
        self._began = self.now()

    async def turn(self, draw, number):
        late, fails, leased = draw.uniform(0, 0.25), draw.random() < 0.07, draw.random() < 0.3
        vanishes, ttl = leased and draw.random() < 0.2, 1.0
        order = draw.sample(self.members, GROUP)
        size = {"Count": GROUP} if self._counts else {"Members": order}
        self._began = self.now()
        await asyncio.sleep(late)
        if fails:
            await self._break(size, f"{self.name} failed in run {number}")
            return
        lease = f"{self.name}.{number}" if leased else None
        if lease is not None and not (await self.grant(lease, ttl)).ok:
            return
        ask = {
            "Owner": self.name,
            **size,
            "Wait": 0 if vanishes else 1.0,
            "Lease": lease,
        }
        got = await self._arrive(ask)
        if vanishes:
            await self.revoke(lease)
            return
        while got.ok and got.answer["Outcome"] == "waits" and not self.world.over:
            if lease is not None:
                await self.keep(lease, ttl)
            got = await self._arrive({**ask, "Generation": got.answer["Generation"]})

    async def _arrive(self, ask):
        age = round(self.now() - self._began, 3)
        noted = {"began": self._began, "of": self.members}
        return await self.ask(
            "arrive",
            self.on,
            "POST",
            f"/{self.on}/arrive",
            {**ask, "Age": age},
            ask=noted,
            wait=ask["Wait"],
            patience=5.0,
        )

    async def _break(self, size, why):
        age = round(self.now() - self._began, 3)
        body = {"Owner": self.name, **size, "Why": why, "Age": age}
        await self.ask(
            "break", self.on, "POST", f"/{self.on}/break", body, ask={"began": self._began}
        )
