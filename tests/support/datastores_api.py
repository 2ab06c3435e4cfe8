# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of datastores over a pool in memory, served on loopback from a thread of its own, as clients meet it."""

import asyncio
import contextlib
import threading

import requests
from aiohttp import web

from baton.datastores.service.api.app import application
from support.pool import Memory


class Served:
    """``address``: such as http://127.0.0.1:1234."""

    def __init__(self, pool, address):
        self.pool, self.address = pool, address
        self.session = requests.Session()

    @property
    def endpoint(self):
        return f"{self.address}/v1.0/demo"

    def ask(self, method, path, body=None, token="demo-token", project="demo", **more):
        """Return the response to a request below a project."""
        headers = {**({"X-Auth-Token": token} if token else {}), **more.pop("headers", {})}
        return self.session.request(method, f"{self.address}/v1.0/{project}{path}", json=body, headers=headers, timeout=20, **more)

    def get(self, path, **more):
        """Return the value of an answer that is no refusal."""
        response = self.ask("GET", path, **more)
        assert response.status_code == 200, response.text
        return response.json()

    def make(self, name="db", **members):
        response = self.ask("POST", "/instances", {"instance": {"name": name, "flavorRef": "1", **members}})
        assert response.status_code == 200, response.text
        return response.json()["instance"]

    def replicate(self, of, many=1, name="replica"):
        body = {"instance": {"name": name, "replica_of": of, "replica_count": many}}
        response = self.ask("POST", "/instances", body)
        assert response.status_code == 200, response.text
        return response.json()["instance"]

    def make_cluster(self, name="c", size=3, **members):
        body = {"cluster": {"name": name, "flavorRef": "1", **({"size": size} if "instances" not in members else {}), **members}}
        response = self.ask("POST", "/clusters", body)
        assert response.status_code == 200, response.text
        return response.json()["cluster"]

    def cluster(self, key="c"):
        return self.get(f"/clusters/{key}")["cluster"]

    def act_on_cluster(self, action, value=None, key="c", path="/action"):
        return self.ask("POST", f"/clusters/{key}{path}", {action: {} if value is None else value})

    def act(self, key, action):
        return self.ask("POST", f"/instances/{key}/action", {action: {}})

    def show(self, key):
        return self.get(f"/instances/{key}")["instance"]


@contextlib.contextmanager
def served(pool=None):
    """Serve a pool."""
    pool = pool if pool is not None else Memory()
    loop, ready = asyncio.new_event_loop(), threading.Event()
    found = {}

    async def begin():
        runner = web.AppRunner(application(pool, pool.clock), access_log=None, lingering_time=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found.update(runner=runner, port=site._server.sockets[0].getsockname()[1])

    def run():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(begin())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(found["runner"].cleanup())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(20)
        api = Served(pool, f"http://127.0.0.1:{found['port']}")
        with api.session:
            yield api
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)


def message(response, status, name):
    """Return the message of a refusal, as Trove's clients read it. ``name``: None for any."""
    assert response.status_code == status, response.text
    (found,) = response.json().items()
    assert name in (None, found[0]) and found[1]["code"] == status, response.text
    return found[1]["message"]
