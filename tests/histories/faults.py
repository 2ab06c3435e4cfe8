# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to nodes while clients ask: SIGKILL and a start, SIGSTOP and SIGCONT, planned switches. Real processes only."""

import asyncio
import os
import signal

from histories.record import Fault, Violation

SWITCH = 20.0  # seconds within which an order must have an answer


class Faults:
    """Carries out the faults of a plan."""

    def __init__(self, world):
        self.world = world
        self._down = set()  # nodes that something is being done to

    async def run(self):
        """Do all faults at their moments, side by side where they overlap."""
        await asyncio.gather(*(self._at(fault) for fault in self.world.plan.faults))

    async def _at(self, fault):
        await asyncio.sleep(max(0.0, fault.at - self.world.now()))
        await getattr(self, "_" + fault.kind.partition(" ")[0])(fault)

    async def _node(self, fault):
        """Return the node that a fault is meant for, or another that still runs, or None."""
        running = [node for node in self.world.nodes() if node.name not in self._down]
        if not running:
            return None
        active = await self.world.active(running)
        passives = [node for node in running if node is not active] or running
        wanted = active if fault.kind.endswith("active") else None
        return wanted or passives[fault.which % len(passives)]

    def _begin(self, fault, *nodes):
        now = self.world.now()
        self._down |= {node.name for node in nodes}
        noted = Fault(now, now, fault.kind, " and ".join(node.name for node in nodes))
        self.world.history.faults.append(noted)
        return noted

    def _end(self, noted, *nodes):
        noted.end = self.world.now()
        self._down -= {node.name for node in nodes}

    async def _kill(self, fault, ending=signal.SIGKILL):
        node = await self._node(fault)
        if node is None:
            return
        noted = self._begin(fault, node)
        await self.world.end(node, ending)
        noted.begin = self.world.now()  # from here on it does nothing, for certain
        await asyncio.sleep(fault.length)
        self._end(noted, node)
        node.start()

    async def _stop(self, fault):
        await self._kill(fault, signal.SIGTERM)

    async def _outage(self, fault):
        nodes = [node for node in self.world.nodes() if node.name not in self._down]
        noted = self._begin(fault, *nodes)
        for node in nodes:
            await self.world.end(node, signal.SIGKILL)
        await asyncio.sleep(fault.length / 3)
        self._end(noted, *nodes)
        for node in nodes:
            node.start()

    async def _freeze(self, fault):
        node = await self._node(fault)
        if node is None:
            return
        noted = self._begin(fault, node)
        os.kill(node.process.pid, signal.SIGSTOP)
        await asyncio.sleep(fault.length)
        os.kill(node.process.pid, signal.SIGCONT)
        self._end(noted, node)

    async def _blink(self, fault):
        await self._freeze(fault)

    async def _switch(self, fault):
        """A planned switch is answered, with what came of it or with a refusal, unless the node was hurt meanwhile."""
        running = [node for node in self.world.nodes() if node.name not in self._down]
        active = await self.world.active(running)
        if active is None:
            return
        noted = self._begin(fault)
        noted.node = active.name
        hurt = len(self.world.history.faults)
        status = await self.world.post(active, "/system/switch", {}, SWITCH)
        noted.end = self.world.now()
        noted.kind = f"switch ({status or 'no answer'})"
        if (
            status == 0
            and len(self.world.history.faults) == hurt
            and noted.end - noted.begin >= SWITCH
        ):
            text = f"the order to switch, given to {active.name} at {noted.begin:.3f}, had no answer after {SWITCH:g} s"
            self.world.history.found.append(
                Violation("orders", "every order is answered", "cluster", text)
            )
