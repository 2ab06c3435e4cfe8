# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cluster of real daemons on loopback, and the clients that ask it. Wires; decides nothing."""

import asyncio
import logging

import aiohttp

from histories.asking import clock
from histories.record import History, Violation
from support.cluster import Cluster, until

WHOLE = 60.0  # seconds until a cluster is whole again by itself


class World:
    """What clients, faults and the end of a history share."""

    def __init__(self, plan, folder, program=None):
        self.plan, self.seed = plan, plan.seed
        options = ["--timing", plan.timing, "--mode", plan.mode]
        options += ["--min-in-sync", "2"] if plan.mode == "strict" else []
        self.cluster = Cluster(
            folder, plan.nodes, dcs="local", options=options, cluster_id=f"h{plan.seed}"
        )
        for node in self.nodes():
            node.command[1] = str(program or node.command[1])
        self.history = History()
        self.history.strict = plan.mode == "strict"
        self.token = self.session = None
        self.began = clock()
        self.over = False  # nobody begins anything new
        self.done = False  # those who keep something may stop, too

    def __enter__(self):
        """Start all nodes at once: a strict pair writes nothing before both are there."""
        first, *others = self.nodes()
        first.start().until("/active")
        for node in others:
            node.start()
        for node in others:
            node.until("/in-sync")
        until((first.data / "admin.token").exists, "the admin token")
        self.token = (first.data / "admin.token").read_text().strip()
        until(
            lambda: first.call("GET", "/profiles", self.token).status_code == 200,
            "the admin token works",
        )
        self.began = clock()
        return self

    def __exit__(self, *_exc):
        for node in self.nodes():
            self.check_runs(node)
        self.cluster.__exit__(None, None, None)

    def now(self):
        return clock() - self.began

    def nodes(self):
        return list(self.cluster.nodes.values())

    def urls(self):
        return [node.url for node in self.nodes()]

    def name_of(self, url):
        return next((node.name for node in self.nodes() if node.url == url), url)

    async def end(self, node, ending):
        """End a node's process with a signal, and wait until it is gone."""
        self.check_runs(node)
        node.process.send_signal(ending)
        await asyncio.get_running_loop().run_in_executor(None, node.process.wait)

    def check_runs(self, node):
        """Note a daemon that ended by itself."""
        status = node.process.poll() if node.process is not None else None
        if status is not None:
            said = node.log.read_text()[-1500:]
            text = (
                f"{node.name} ended by itself with status {status}; its journal ends with\n{said}"
            )
            self.history.found.append(
                Violation("daemons", "a daemon runs until it is told to stop", "cluster", text)
            )
            node.start()

    async def probe(self, node, path, seconds=0.5):
        """Return whether a probe of a node is answered with 200."""
        try:
            limit = aiohttp.ClientTimeout(total=seconds)
            async with self.session.get(node.url + path, timeout=limit) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
            return False

    async def active(self, nodes=None):
        """Return who is active, or None when nobody is for two seconds."""
        end = self.now() + 2.0
        while self.now() < end:
            for node in nodes or self.nodes():
                if await self.probe(node, "/active"):
                    return node
            await asyncio.sleep(0.05)
        return None

    async def post(self, node, path, body, seconds):
        """Return the status of a POST to one node, or 0."""
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            limit = aiohttp.ClientTimeout(total=seconds)
            async with self.session.post(
                f"{node.url}/api/v3{path}", json=body, headers=headers, timeout=limit
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
            return 0

    async def get(self, node, path):
        """Return (status, JSON) that one node answers; (0, None) when it does not."""
        headers = {"Authorization": f"Bearer {self.token}"}
        limit = aiohttp.ClientTimeout(total=10)
        url = f"{node.url}/api/v3{path}"
        try:
            async with self.session.get(
                url, headers=headers, timeout=limit, allow_redirects=False
            ) as answer:
                return answer.status, await answer.json()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
            return 0, None

    async def until(self, condition, seconds=WHOLE):
        """Return what ``condition()`` returns as soon as that is true, or the last of it when the time is over."""
        end = self.now() + seconds
        while True:
            found = await condition()
            if found or self.now() > end:
                return found
            await asyncio.sleep(0.05)

    async def is_whole(self):
        """Return whether somebody is active and all others are in sync."""
        for node in self.nodes():
            if not await self.probe(node, "/in-sync", 2.0):
                return False
        return await self.active() is not None

    def quiet(self):
        """What a connection that a kill has cut says to asyncio's log is no news."""
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
