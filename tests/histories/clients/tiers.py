# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that tie params to leases: one after the other sets, ties, unties and takes back, and says what must stand after each step."""

import asyncio

from histories.clients.client import Client

STEPS = ("tie a", "tie a", "tie b", "set", "set", "remove", "batch a", "revoke a", "revoke b")
VALUES = ("x", "y")
TTL = 2.0
ENDS = 20.0  # seconds within which a lease that is not kept ends, whatever happens meanwhile


class Tier(Client):
    """A turn is a play of a few steps on one param; as soon as an answer is in doubt nothing can be said any more."""

    async def turn(self, draw, number):
        steps = [(draw.choice(STEPS), draw.choice(VALUES)) for _step in range(draw.randint(3, 6))]
        expires = draw.random() < 0.35
        param, leases = (
            f"{self.name}.{number}",
            {name: f"{self.name}.{number}{name}" for name in "ab"},
        )
        for name in leases.values():
            if not (await self.grant(name, TTL)).ok:
                return
        play = Play(leases)
        for step, value in steps:
            if not await self._step(param, play, step, value) or not await self._expect(
                param, play
            ):
                return
            for lease in play.alive():
                await self.keep(lease, TTL)
        await self._end(param, play, expires)

    async def _step(self, param, play, step, value):
        """Do one step; return whether its answer says for certain that it was done."""
        action, _space, name = step.partition(" ")
        lease = play.leases.get(name)
        if lease is not None and lease not in play.alive():
            return True
        if action == "revoke":
            got = await self.revoke(lease)
        elif action == "remove":
            got = await self.ask(
                "unset", f"tied/{param}", "DELETE", f"/profiles/tied/params/{param}"
            )
            if got.status == 404 and play.value is None:
                return True
        elif action == "batch":
            change = {
                "Kind": "profiles",
                "Key": "tied",
                "Param": param,
                "Action": "put",
                "Body": value,
            }
            headers, noted = {"Baton-Lease": lease}, {"lease": lease, "value": value}
            got = await self.ask(
                "batch",
                f"tied/{param}",
                "POST",
                "/batch",
                {"Changes": [change]},
                headers=headers,
                ask=noted,
            )
        else:
            got = await self.write("tied", param, value, lease=lease)
        if got.ok:
            play.done(action, lease, value)
        return got.ok

    async def _expect(self, param, play):
        """Read, noting what must be there; return False when a lease may have ended meanwhile."""
        for lease in play.alive():
            if not (await self.keep(lease, TTL)).ok:
                return False
        await self._read(param, play)
        for lease in play.alive():
            noted = {
                "ties": [["profiles", "tied", ["Params", param]]] if play.tied == lease else []
            }
            noted.update(alive=play.alive(), param=f"tied/{param}", about=[f"tied/{param}"])
            await self.read("ties", f"leases/{lease}", f"/leases/{lease}", **noted)
        return True

    async def _read(self, param, play):
        path = f"/profiles/tied/params/{param}?default=no"
        about = [f"leases/{one}" for one in play.leases.values()]
        return await self.read(
            "expect", f"tied/{param}", path, value=play.value, alive=play.alive(), about=about
        )

    async def _end(self, param, play, expires):
        """All leases end, by their time or at once."""
        for lease in play.alive():
            if not expires:
                got = await self.revoke(lease)
                if not got.ok:
                    return
                play.done("revoke", lease, None)
        for lease in play.alive():
            if not await self._until_gone(lease):
                return
            play.done("revoke", lease, None)
        await self._read(param, play)

    async def _until_gone(self, lease):
        """Return whether a lease that nobody keeps has ended."""
        end = self.now() + ENDS
        while self.now() < end:
            if (await self.read("peek", f"leases/{lease}", f"/leases/{lease}")).status == 404:
                return True
            await asyncio.sleep(0.2)
        return False


class Play:
    """What stands, by what was done: the value and the lease that it is tied to."""

    def __init__(self, leases):
        self.leases, self._ended = leases, set()
        self.value = self.tied = None

    def alive(self):
        return [lease for lease in self.leases.values() if lease not in self._ended]

    def done(self, action, lease, value):
        if action == "revoke":
            self._ended.add(lease)
            if self.tied == lease:
                self.value = self.tied = None
        elif action == "remove":
            self.value = self.tied = None
        else:
            self.value, self.tied = value, lease
