# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that compare and swap: by a patch with a test, by an ETag, or two registers in one batch; and read."""

from histories.clients.client import Client, swap, value_of

REGISTERS = ("a", "b", "c")


class Swapper(Client):
    """Every value is written once, and every write says which one it replaces."""

    PAUSE = (0.0, 0.12)

    def __init__(self, name, world):
        super().__init__(name, world)
        self._known = dict.fromkeys(REGISTERS, "")

    async def turn(self, draw, number):
        key, other = draw.sample(REGISTERS, 2)
        how = draw.choice(("patch", "patch", "patch", "etag", "batch", "read", "read"))
        new = f"{self.name}.{number}"
        if how == "read":
            await self._look(key)
        elif how == "patch":
            await self._patch(key, new)
        elif how == "etag":
            await self._by_etag(key, new)
        else:
            await self._two(key, other, new)

    async def _look(self, key):
        got = await self.read("look", f"registers/{key}", f"/profiles/registers/params/{key}")
        if got.ok:
            self._known[key] = got.answer
        return got

    async def _patch(self, key, new):
        old = self._known[key]
        ask = {"old": old, "new": new}
        got = await self.ask(
            "swap",
            f"registers/{key}",
            "PATCH",
            f"/profiles/registers/params/{key}",
            swap(old, new),
            ask=ask,
        )
        self._learn(key, got, new)

    async def _by_etag(self, key, new):
        got = await self._look(key)
        if not got.ok:
            return
        path, ask = f"/profiles/registers/params/{key}", {"old": got.answer, "new": new}
        done = await self.ask(
            "swap",
            f"registers/{key}",
            "PUT",
            path,
            value_of(new),
            ask=ask,
            headers={"If-Match": got.etag},
        )
        if done.ok:
            self._known[key] = new

    async def _two(self, key, other, new):
        swaps = {one: (self._known[one], f"{new}.{one}") for one in (key, other)}
        changes = [
            {"Kind": "profiles", "Key": "registers", "Param": one, "Body": swap(*pair)}
            for one, pair in swaps.items()
        ]
        ask = {"swaps": swaps, "about": [f"registers/{key}", f"registers/{other}"]}
        got = await self.ask("batch", "registers", "POST", "/batch", {"Changes": changes}, ask=ask)
        for one, pair in swaps.items():
            if got.ok:
                self._known[one] = pair[1]
            else:
                await self._look(one)

    def _learn(self, key, got, new):
        if got.ok:
            self._known[key] = new
        elif got.code == "test_failed" or got.status == 409:
            self._known[key] = got.answer.get("found", self._known[key])
