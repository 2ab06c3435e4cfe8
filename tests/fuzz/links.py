# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames of frames.py on a real link: the daemon goes on serving, and its journal has few lines and no traceback."""

from __future__ import annotations

import asyncio
import json
import platform
import random
import tempfile

import aiohttp
from fuzz.frames import NAMES, Scene

from baton.ground.version import VERSION
from support.cluster import HA_TOKEN, Cluster, until

MOST = 300  # plays: each is a connection of its own
MOST_LINES = 400  # that all of them may leave in the journal


class Kind:
    """One node, and whoever knows the secret."""

    def start(self):
        self._folder = tempfile.TemporaryDirectory()
        self._cluster = Cluster(self._folder.name, 1, "local", ["--ha-id", "ha"]).__enter__()
        self._node = self._cluster.n1
        system = f"{platform.system()}/{platform.machine()}".lower()
        self._ours = {"c1": self._node.status()["cluster_id"], "1.0.0": VERSION, "sim/sim": system}
        self._said = len(self._node.log.read_text().splitlines())

    def stop(self):
        self._cluster.__exit__()
        self._folder.cleanup()

    def play(self, seed):
        dice = random.Random(f"links {seed}")
        scene = Scene(dice)
        frames = [self._fitting(scene.text()) for _frame in range(12)]
        asyncio.run(self._say(dice.choice(NAMES[1:]), frames))
        if self._node.process.poll() is not None:
            lines = self._node.log.read_text()[-2000:]
            self._node.start().until("/active")
            return f"the daemon ended at one of {frames}: {lines}"
        # What lies may have come to be in sync, for as long as it takes to leave it out.
        until(lambda: self._node.probe("/active"), f"the daemon serves after {frames}")
        said = self._node.log.read_text()
        if "Traceback" in said or len(said.splitlines()) - self._said > MOST_LINES:
            return f"its journal has a traceback, or too many lines: {said[-2000:]}"
        return None

    def _fitting(self, frame):
        """Return a frame as this cluster's nodes would say it, so that it is not refused for where it comes from."""
        for word, ours in self._ours.items():
            frame = frame.replace(json.dumps(word), json.dumps(ours))
        return frame

    async def _say(self, name, frames):
        headers = {"Authorization": f"Bearer {HA_TOKEN}", "X-Baton-Node": name, "X-Baton-Process": f"p-{name}"}
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{self._node.url}/peer/v1/link", headers=headers) as link:
            for frame in frames:
                try:
                    await link.send_str(frame)
                except (ConnectionError, UnicodeEncodeError):
                    return
                if link.closed:
                    return
