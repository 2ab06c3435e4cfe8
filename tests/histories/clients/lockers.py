# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that want locks: they wait in line or don't, hold on, overstay, let go, or vanish."""

import asyncio

from histories.clients.client import Client, fenced, value_of

# name, slots, and whether some only want to read beside others
LOCKS = (("one", 1, False), ("two", 2, False), ("readers", 1, True))
CHANGES = ("write", "write", "batch", "grant", "elect", "acquire", "arrive", "file")
FATES = ("release", "release", "fenced release", "revoke", "vanish", "overstay")


class Locker(Client):
    """Each acquisition has an owner and a lease of its own, so that nothing is taken for another one."""

    def __init__(self, name, world):
        super().__init__(name, world)
        self._without_lease = []

    async def turn(self, draw, number):
        name, slots, shared = draw.choice(LOCKS)
        shared = shared and draw.random() < 0.6
        on, owner = f"locks/{name}", f"{self.name}.{number}"
        ttl, hold, wait = (
            draw.choice((1.0, 1.5, 2.0)),
            draw.uniform(0, 0.4),
            draw.choice((0, 0.5, 1.0, 2.0)),
        )
        patience, fate, writes = draw.randint(1, 3), draw.choice(FATES), draw.randint(0, 2)
        twice, late = draw.random() < 0.2, draw.choice(CHANGES)
        lease = None if draw.random() < 0.15 else owner
        if lease is not None and not (await self.grant(lease, ttl)).ok:
            return
        ask = {"Owner": owner, "Slots": slots, "Wait": wait, **({"Lease": lease} if lease else {})}
        ask.update({"Shared": True} if shared else {})
        if lease is None:
            self._without_lease.append((name, owner))
        got = await self._line_up(on, ask, patience)
        if got is None:
            if fate != "vanish" or lease is None:
                await self._release(on, owner)
            return
        if twice:
            await self._acquire(on, {**ask, "Wait": 0})
        fence = (on, owner, lease, got.answer["Token"]) if lease else None
        for write in range(writes if fence else 0):
            await asyncio.sleep(hold / 2)
            await self._under(draw.choice(CHANGES), fence, f"{owner}.{write}")
        await asyncio.sleep(hold)
        await self._end(fate if lease else "release", on, owner, lease, ttl, fence, late)

    async def _acquire(self, on, ask):
        return await self.ask(
            "acquire", on, "POST", f"/{on}/acquire", ask, wait=ask["Wait"], patience=4.0
        )

    async def _line_up(self, on, ask, patience):
        """Return the answer with which the lock was held, or None."""
        for _time in range(patience):
            got = await self._acquire(on, ask)
            if got.ok:
                return got
            if got.code != "locked" or not ask["Wait"]:
                return None
        return None

    async def _release(self, on, owner, fence=None):
        more = fenced(fence)
        return await self.ask("release", on, "POST", f"/{on}/release", {"Owner": owner}, **more)

    async def _under(self, kind, fence, value):
        """Change something of any kind, only while the lock is held."""
        more = fenced(fence)
        more["ask"]["Owner"] = value
        what, on, method, path, body = under(kind, fence, value)
        more["ask"]["about"] = [fence[0], on]
        await self.ask(what, on, method, path, body, **more)

    async def _end(self, fate, on, owner, lease, ttl, fence, late):
        """End the term, and then write as if it had not ended."""
        if fate == "vanish":
            return
        if fate == "overstay":
            await self.keep(lease, ttl)
            await asyncio.sleep(ttl * 1.3)
            await self.read("peek", f"leases/{lease}", f"/leases/{lease}")
        elif fate == "revoke":
            await self.revoke(lease)
        else:
            await self._release(on, owner, fence if fate.startswith("fenced") else None)
        if fence is not None:
            await self._under(late, fence, f"{owner}.late")

    async def clean_up(self):
        for name, owner in self._without_lease:
            await self._release(f"locks/{name}", owner)


def under(kind, fence, value):
    """Return (what, on, method, path, body) of a change of some kind that a holder makes."""
    on, _owner, lease, _token = fence
    param = f"under-{on.partition('/')[2]}"
    if kind == "grant":
        body = {"Id": f"{value}-more", "Ttl": 1.0, "Owner": value}
        return "grant", f"leases/{value}-more", "POST", "/leases", body
    if kind == "batch":
        change = {"Kind": "profiles", "Key": "fenced", "Param": param, "Action": "put"}
        return (
            "batch",
            f"fenced/{param}",
            "POST",
            "/batch",
            {"Changes": [{**change, "Body": value}]},
        )
    if kind == "elect":
        body = {"Param": f"leader-{param}", "Candidate": value, "Lease": lease}
        return "elect", f"fenced/leader-{param}", "POST", "/profiles/fenced/elect", body
    if kind == "acquire":
        body = {"Owner": value, "Slots": 1, "Wait": 0, "Lease": lease}
        return "acquire", f"locks/{param}", "POST", f"/locks/{param}/acquire", body
    if kind == "arrive":
        body = {"Owner": value, "Count": 1}
        return "arrive", f"barriers/{value}", "POST", f"/barriers/{value}/arrive", body
    if kind == "file":
        return "make", f"files/{param}", "PUT", f"/files/{param}", value.encode()
    path = f"/profiles/fenced/params/{param}"
    return "write", f"fenced/{param}", "PUT", path, value_of(value)
