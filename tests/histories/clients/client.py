# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all kinds of clients have in common: turns that the seed decides, and requests that are sent twice."""

import asyncio
import json

from histories.asking import Caller
from histories.plan import turn

REMEMBERED = 25  # requests that a client may send again


class Client(Caller):
    """One client. A kind of client says what a ``turn`` is."""

    PAUSE = (0.0, 0.2)  # seconds between two turns
    REPEATS = 0.3  # how often a request that was answered is sent again after a turn

    def __init__(self, name, world):
        super().__init__(name, world)
        self._answered = []

    async def run(self):
        """Take turns until the history is over."""
        number = 0
        await asyncio.sleep(turn(self.world.seed, self.name, "begin").uniform(0, 0.3))
        while not self.world.over:
            number += 1
            await self.turn(turn(self.world.seed, self.name, number), number)
            draw = turn(self.world.seed, self.name, f"after {number}")
            if draw.random() < self.REPEATS and self._answered:
                await self.again(draw.choice(self._answered))
            await asyncio.sleep(draw.uniform(*self.PAUSE))

    async def turn(self, draw, number):
        raise NotImplementedError

    async def clean_up(self):
        """Give back what no lease gives back; called when all clients have stopped."""

    async def ask(self, *args, **more):
        """Ask; remember what was answered, so that it can be asked again."""
        operation = await super().ask(*args, **more)
        if operation.ok and "Idempotency-Key" in operation.request[3]:
            self._answered = [*self._answered[1 - REMEMBERED :], operation]
        return operation

    # --- what many kinds of clients ask ---

    async def grant(self, lease, ttl):
        body = {"Id": lease, "Ttl": ttl, "Owner": self.name}
        return await self.ask("grant", f"leases/{lease}", "POST", "/leases", body)

    async def keep(self, lease, ttl):
        path = f"/leases/{lease}/keepalive"
        return await self.ask(
            "keep", f"leases/{lease}", "POST", path, ask={"Ttl": ttl}, key=False, patience=2.0
        )

    async def revoke(self, lease, fence=None):
        more = fenced(fence)
        return await self.ask("revoke", f"leases/{lease}", "DELETE", f"/leases/{lease}", **more)

    async def read(self, what, on, path, **ask):
        return await self.ask(what, on, "GET", path, ask=ask)

    async def write(self, profile, param, value, *, lease=None, fence=None):
        """Set a param, tied to a lease or fenced by one, or neither."""
        more = fenced(fence)
        if lease is not None:
            more.setdefault("headers", {})["Baton-Lease"] = lease
        more["ask"] = {**more.get("ask", {}), "value": value, "lease": lease}
        path = f"/profiles/{profile}/params/{param}"
        return await self.ask("write", f"{profile}/{param}", "PUT", path, value_of(value), **more)


def value_of(value):
    """Return a bare value as a request's body."""
    return json.dumps(value).encode()


def fenced(fence):
    """Return what If-Lease adds to a request, and to what is noted of it. fence: (object, owner, lease, token), or None."""
    if fence is None:
        return {}
    on, owner, lease, token = fence
    noted = {"fence": {"on": on, "owner": owner, "lease": lease, "token": token}, "about": [on]}
    return {"headers": {"If-Lease": f"{lease};{token}"}, "ask": noted}


def swap(old, new):
    """Return the operations of a compare-and-swap."""
    return [{"op": "test", "path": "", "value": old}, {"op": "replace", "path": "", "value": new}]
