# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One history from the first daemon that starts to the last look: clients and faults side by side, then quiet, then what is left."""

import asyncio
import tempfile
from pathlib import Path

import aiohttp

from histories.asking import traced
from histories.clients.client import Client
from histories.clients.everybody import KINDS
from histories.clients.keepers import TTL, Keeper
from histories.clients.swappers import REGISTERS
from histories.clients.watchers import messages
from histories.faults import Faults
from histories.record import Violation
from histories.world import World

STOP = 45.0  # seconds within which all clients have stopped
PROFILES = {
    "registers": dict.fromkeys(REGISTERS, ""),
    "grown": {"list": []},
    "tied": {},
    "kept": {},
    "fenced": {},
    "seats": {},
    "made": {},
}
KINDS_OF_DOCUMENTS = ("profiles", "machines", "params", "leases", "locks", "barriers", "files")


def play(plan, program=None):
    """Play a plan with the daemon that was built, or with another ``program``; return its History."""
    with tempfile.TemporaryDirectory(prefix="baton-history-") as folder:
        with World(plan, Path(folder), program) as world:
            asyncio.run(_play(world))
        return world.history


async def _play(world):
    world.quiet()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, trace_configs=[traced()]) as session:
        world.session = session
        await _prepare(world)
        clients = [KINDS[kind](f"{kind}-{number}", world) for kind, number in world.plan.clients]
        lasting = [
            client
            for client in clients
            if isinstance(client, Keeper) or client.name.startswith("watcher")
        ]
        tasks = {client: asyncio.ensure_future(client.run()) for client in clients}
        await asyncio.gather(
            asyncio.sleep(max(0.0, world.plan.load - world.now())), Faults(world).run()
        )
        world.over = True
        await _stopped(world, [tasks[client] for client in clients if client not in lasting])
        await _whole(world)
        await asyncio.gather(*(client.clean_up() for client in clients))
        await _last_look(world, [client for client in clients if isinstance(client, Keeper)])
        world.done = True
        await _stopped(world, list(tasks.values()))


async def _prepare(world):
    caller = Client("nobody", world)
    for name, params in PROFILES.items():
        made = await caller.ask(
            "make", f"profiles/{name}", "PUT", f"/profiles/{name}", {"Name": name, "Params": params}
        )
        assert made.ok, made.line()
    world.history.operations.clear()


async def _stopped(world, tasks):
    """Wait until clients have stopped; what they raise is a fault of theirs."""
    done, late = await asyncio.wait(tasks, timeout=STOP)
    for task in late:
        task.cancel()
    if late:
        text = f"{len(late)} clients have not come to an end within {STOP:g} s"
        world.history.found.append(
            Violation("clients", "every request is answered, or given up", "cluster", text)
        )
    for task in done:
        if not task.cancelled():
            task.result()


async def _whole(world):
    if not await world.until(world.is_whole):
        said = "\n".join(f"{node.name}: {node.log.read_text()[-1500:]}" for node in world.nodes())
        text = f"nobody is active, or not all are in sync; the journals end with\n{said}"
        world.history.found.append(
            Violation("cluster", "it is whole again by itself", "cluster", text)
        )


async def _last_look(world, keepers):
    """Wait until the leases that nobody keeps have ended, then note what is there, on every node."""
    kept = {keeper.lease for keeper in keepers}
    looker, final = Client("looker", world), world.history.final

    async def ended():
        got = await looker.read("leases", "leases", "/leases")
        return got.ok and {lease["Id"] for lease in got.answer} <= kept

    final["ended"] = await world.until(ended, 20.0)
    final["kept"], final["holds"] = (
        sorted(kept),
        [hold for keeper in keepers for hold in keeper.holds],
    )
    final["raw"] = [await _raw(world, lease) for lease in sorted(kept)]
    for kind in KINDS_OF_DOCUMENTS:
        got = await looker.read("last look", kind, f"/{kind}")
        final[kind] = got.answer if got.ok else None
    for key in REGISTERS:
        await looker.read("look", f"registers/{key}", f"/profiles/registers/params/{key}")
    await looker.read("size", "grown/list", "/profiles/grown/params/list")

    async def alike():
        final["nodes"] = {node.name: await _everything(world, node) for node in world.nodes()}
        first, *others = final["nodes"].values()
        return all(other == first for other in others)

    final["alike"] = await world.until(alike, 10.0)


async def _raw(world, lease):
    """Return a lease as it is stored, or None: GET may show less, but an event has the document, so another TTL is set."""
    for ttl in range(int(TTL) + 1, int(TTL) + 11):
        acknowledged, document = await _told(world, lease, float(ttl))
        if acknowledged:
            return document
        await asyncio.sleep(1.0)  # the active of a strict pair has just lost its passive, or the machine stood still
    return None


async def _told(world, lease, ttl):
    """Set a TTL; return whether that was acknowledged, and the lease of which an event came, or None."""
    active = await world.active()
    if active is None:
        return False, None
    headers, limit = {"Authorization": f"Bearer {world.token}"}, aiohttp.ClientTimeout(total=10)
    url = f"{active.url}/api/v3/events?kinds=leases&key={lease}&documents=yes"
    ask = {"Id": lease, "Ttl": ttl, "Owner": lease.partition("-")[2]}
    acknowledged = False
    try:
        async with world.session.get(url, headers=headers, timeout=limit) as answer:
            async for kind, data in messages(answer):
                if kind == "begin":
                    acknowledged = await world.post(active, "/leases", ask, 5.0) in (200, 201)
                    if not acknowledged:
                        break
                elif (data.get("Document") or {}).get("Ttl") == ask["Ttl"]:
                    return True, data["Document"]
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
        pass
    return acknowledged, None


async def _everything(world, node):
    """Return all documents that a node has, as it has them now."""
    found = {}
    for kind in KINDS_OF_DOCUMENTS:
        status, answer = await world.get(node, f"/{kind}?stale=ok")
        if status != 200:
            return {"refused": [status, node.name]}
        shown = [
            {name: value for name, value in document.items() if name != "Left"}
            for document in answer
        ]
        found[kind] = shown
    return found
