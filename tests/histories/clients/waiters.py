# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that wait until something is so: a list that only grows, and a document that is another one than before."""

import asyncio
import json

from histories.clients.client import Client

WAIT = 2.0
LOOKED_AT = ("locks/one", "locks/two", "locks/readers", "seats/leader", "seats/leaders")


class Waiter(Client):
    """What they wait for stays so once it is: so one who waited in vain proves that it was not so at the end of its time."""

    async def turn(self, draw, number):
        how, seconds, more = (
            draw.choice(("add", "add", "count", "count", "changed")),
            draw.choice((0.5, WAIT)),
            draw.randint(0, 2),
        )
        path = "/profiles/grown/params/list"
        if how == "add":
            body = [{"op": "add", "path": "/-", "value": f"{self.name}.{number}"}]
            await self.ask(
                "add", "grown/list", "PATCH", path, body, ask={"item": f"{self.name}.{number}"}
            )
            return
        first = await self.read("size", "grown/list", path)
        if not first.ok:
            return
        if how == "count":
            count = len(first.answer) + more
            query = f"wait=count&value={count}&timeout={seconds}"
            await self._wait("await", f"{path}?{query}", seconds, count=count)
        else:
            revision = first.etag.strip('"')
            query = f"wait=changed&revision={revision}&timeout={seconds}"
            await self._wait(
                "await changed", f"{path}?{query}", seconds, since=revision, after=first.back
            )

    async def _wait(self, what, path, seconds, **ask):
        await self.ask(
            what, "grown/list", "GET", path, ask={**ask, "timeout": seconds}, wait=seconds
        )


class Creator(Client):
    """Makes things of every kind, and asks for them again."""

    PAUSE = (0.1, 0.4)
    REPEATS = 0.7

    async def turn(self, draw, number):
        kind, name = (
            draw.choice(("put", "post", "machine", "unset", "file", "batch")),
            f"{self.name}.{number}",
        )
        body = {"Name": name, "Description": "made"}
        if kind == "put":
            await self.ask("make", f"profiles/{name}", "PUT", f"/profiles/{name}", body)
        elif kind == "post":
            await self.ask("make", f"profiles/{name}", "POST", "/profiles", body)
        elif kind == "machine":
            await self.ask("make", f"machines/{name}", "POST", "/machines", {"Name": name})
        elif kind == "unset":
            headers = {"If-None-Match": "*"}
            path = f"/profiles/made/params/{name}"
            await self.ask(
                "make", f"made/{name}", "PUT", path, json.dumps(name).encode(), headers=headers
            )
        elif kind == "file":
            await self.ask("make", f"files/{name}", "PUT", f"/files/{name}", name.encode())
        else:
            change = {"Kind": "profiles", "Key": name, "Action": "create", "Body": {}}
            await self.ask("make", f"profiles/{name}", "POST", "/batch", {"Changes": [change]})
        await asyncio.sleep(draw.uniform(0, 0.2))


class Onlooker(Client):
    """Looks at locks and seats all the time."""

    PAUSE = (0.05, 0.15)
    REPEATS = 0.0

    async def turn(self, draw, number):
        for on in draw.sample(LOOKED_AT, len(LOOKED_AT)):
            path = (
                f"/{on}"
                if on.startswith("locks")
                else f"/profiles/seats/params/{on.partition('/')[2]}"
            )
            await self.read("look", on, path)
