# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that want to lead: one seat, or two of a list; they resign, vanish, or stay for a while."""

import asyncio

from histories.clients.client import Client, fenced, swap

SEATS = (("leader", None), ("leaders", 2))
FATES = ("resign", "fenced resign", "hand back", "revoke", "vanish", "overstay")


class Candidate(Client):
    """Each candidacy is a candidate of its own."""

    def __init__(self, name, world):
        super().__init__(name, world)
        self._without_lease = []

    async def turn(self, draw, number):
        param, seats = draw.choice(SEATS)
        on, name = f"seats/{param}", f"{self.name}.{number}"
        candidate = (
            name if draw.random() < 0.7 else {"Name": name, "Uuid": name, "Address": "192.0.2.1"}
        )
        ttl, stay, tries = draw.choice((1.0, 1.5, 2.0)), draw.uniform(0, 0.5), draw.randint(1, 4)
        fate, twice, writes = draw.choice(FATES), draw.random() < 0.3, draw.randint(0, 2)
        lease = None if draw.random() < 0.2 else f"seat-{name}"
        if lease is None:
            self._without_lease.append((param, seats, candidate))
        elif not (await self.grant(lease, ttl)).ok:
            return
        ask = {
            "Param": param,
            "Seats": seats,
            "Candidate": candidate,
            "Lease": lease,
            "Run": f"run of {name}",
        }
        for _time in range(tries):
            got = await self._elect(on, ask)
            if not got.ok or got.answer["Elected"]:
                break
            await asyncio.sleep(stay / 2)
        if not got.ok or not got.answer["Elected"]:
            return
        if twice:
            await self._elect(on, ask)
        fence = (on, name, lease, got.answer["Token"]) if lease else None
        for write in range(writes if lease else 0):
            await self.write("fenced", f"under-{param}", f"{name}.{write}", fence=fence)
        await asyncio.sleep(stay)
        await self._end(fate if lease else "resign", on, ask, fence)

    async def _elect(self, on, ask):
        return await self.ask(
            "elect",
            on,
            "POST",
            "/profiles/seats/elect",
            ask,
            ask={"Owner": name_of(ask["Candidate"])},
        )

    async def _resign(self, on, ask, fence=None):
        body = {name: ask[name] for name in ("Param", "Seats", "Candidate")}
        more = fenced(fence)
        more["ask"] = {**more.get("ask", {}), "Owner": name_of(ask["Candidate"])}
        return await self.ask("resign", on, "POST", "/profiles/seats/resign", body, **more)

    async def _hand_back(self, on, ask, fence):
        """Resign without the order to: the seat is a param like any other, and the fence holds until it is empty."""
        body, more = swap(ask["Candidate"], "none"), fenced(fence)
        more["ask"]["Owner"] = name_of(ask["Candidate"])
        await self.ask(
            "hand_back", on, "PATCH", f"/profiles/seats/params/{ask['Param']}", body, **more
        )

    async def _end(self, fate, on, ask, fence):
        """End the term, and then write as if it had not ended."""
        if fate == "vanish":
            return
        if fate == "overstay":
            await asyncio.sleep(2.2)
            await self.read("peek", f"leases/{ask['Lease']}", f"/leases/{ask['Lease']}")
        elif fate == "revoke":
            await self.revoke(ask["Lease"])
        elif fate == "hand back" and ask["Seats"] is None:
            await self._hand_back(on, ask, fence)
        else:
            await self._resign(on, ask, fence if fate.startswith("fenced") else None)
        if fence is not None:
            await self.write("fenced", f"under-{ask['Param']}", f"{fence[1]}.late", fence=fence)

    async def clean_up(self):
        for param, seats, candidate in self._without_lease:
            ask = {"Param": param, "Seats": seats, "Candidate": candidate}
            await self._resign(f"seats/{param}", ask)


def name_of(candidate):
    """Return by what a candidate is told from others."""
    return candidate["Uuid"] if isinstance(candidate, dict) else candidate
