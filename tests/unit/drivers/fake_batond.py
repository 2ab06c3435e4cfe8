# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real WebSocket server that plays batond for drivers, as a test says; a driver's process; systemd's notify socket."""

import asyncio
import json
import os
import queue
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

from aiohttp import web

SECRET = "the secret of this host's batond"
PATIENCE = 20  # seconds that a test waits for what has to come
LONG = 60  # seconds of lease where its end is not tested


def boottime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_for(condition, what="the condition"):
    """Return what ``condition`` returns once that is true."""
    end = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.01)


class Connection:
    """A driver that has connected: ``hello`` is what it said first."""

    def __init__(self, batond, peer, hello):
        self.batond, self.peer, self.hello = batond, peer, hello
        self.frames = queue.Queue()  # None: it is closed
        self.marked = queue.Queue()  # answers to ``mark``
        self.number = 0

    def send(self, **frame):
        self.batond.call(self.peer.send_str(json.dumps(frame)))

    def order(self, active, epoch=1, seconds=LONG):
        """Order; return the order's number."""
        self.number += 1
        if active and self.hello.get("own_marker") and self.batond.own_markers:
            self.send(type="mark")
        self.send(type="order", number=self.number, active=active, epoch=epoch, deadline=boottime() + seconds)
        return self.number

    def lease(self, epoch=1, seconds=LONG):
        self.send(type="lease", epoch=epoch, deadline=boottime() + seconds)

    def next(self):
        """Return the next frame that is not about health."""
        while True:
            frame = self.frames.get(timeout=PATIENCE)
            assert frame is not None, "the driver closed the connection"
            if frame["type"] != "health":
                return frame

    def health(self):
        """Return the next result of a check."""
        while True:
            frame = self.frames.get(timeout=PATIENCE)
            if frame["type"] == "health":
                return frame

    def answered(self, number):
        """Return the answer to an order, which is the next frame."""
        frame = self.next()
        assert (frame["type"], frame.get("number")) == ("done", number), frame
        return frame

    def start(self, epoch=1, seconds=LONG):
        return self.answered(self.order(True, epoch, seconds))

    def stop(self, epoch=1, seconds=LONG):
        return self.answered(self.order(False, epoch, seconds))

    def closed(self):
        """Wait until the driver has closed; return the frames before that."""
        frames = []
        while True:
            frame = self.frames.get(timeout=PATIENCE)
            if frame is None:
                return frames
            frames.append(frame)

    def close(self):
        """What a batond that is killed does."""
        self.batond.call(self._abort())

    async def _abort(self):
        self.peer._req.transport.abort()


class FakeBatond:
    """Takes connections at driver.sock, or at a port of loopback with TLS; says hello to all but those to be refused."""

    def __init__(self, run_dir, stop_seconds=3.0, certificate=None):
        self.run_dir, self.stop_seconds = Path(run_dir), stop_seconds
        (self.run_dir / "running").mkdir(parents=True, exist_ok=True)
        (self.run_dir / "driver.secret").write_text(SECRET + "\n")
        self.refuse = ""  # a reason
        self.own_markers = True  # False: an older batond, which knows only its own
        self.connections = queue.Queue()
        self.attempts = []  # paths and secrets
        self.environment = {"BATON_RUN_DIR": str(run_dir)}
        self.certificate = certificate
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.runner = None
        self.up()

    def up(self):
        self.call(self._up())

    def down(self):
        """Go away with all connections, as a process that is killed."""
        self.call(self.runner.cleanup())
        (self.run_dir / "driver.sock").unlink(missing_ok=True)

    async def _up(self):
        app = web.Application()
        app.router.add_get("/driver/v1", self._serve)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        if self.certificate is None:
            await web.UnixSite(self.runner, str(self.run_dir / "driver.sock")).start()
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        site = web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.environment["BATON_DRIVER_URL"] = f"https://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def end(self):
        self.call(self.runner.cleanup())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)

    def marker(self, name):
        return self.run_dir / "running" / name

    def mark(self, name):
        """Make the marker, as batond does for a driver that makes none."""
        self.marker(name).write_text("")

    def connected(self):
        return self.connections.get(timeout=PATIENCE)

    async def _serve(self, request):
        self.attempts.append(request.headers.get("Authorization"))
        if request.headers.get("Authorization") != f"Bearer {SECRET}":
            return web.Response(status=403)
        peer = web.WebSocketResponse(timeout=0.1)
        await peer.prepare(request)
        hello = json.loads(await peer.receive_str())
        if self.refuse:
            await peer.send_str(json.dumps({"type": "refused", "reason": self.refuse}))
            await peer.close()
            return peer
        name = hello.get("id", "made-up")
        welcome = {"type": "welcome", "protocol": 1, "id": name, "node": "n1", "stop_seconds": self.stop_seconds}
        own = {"own_marker": True} if self.own_markers and hello.get("own_marker") else {}
        await peer.send_str(json.dumps({**welcome, **own, "marker": str(self.marker(name)), "of a later version": {}}))
        connection = Connection(self, peer, hello)
        self.connections.put(connection)
        try:
            async for frame in peer:
                said = json.loads(frame.data)
                (connection.marked if said["type"] == "marked" else connection.frames).put(said)
        finally:
            connection.frames.put(None)
        return peer


class Process:
    """A driver's process. ``log``: what it printed."""

    def __init__(self, command, folder, environment):
        self.path = folder / "log"
        with open(self.path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)

    @property
    def log(self):
        return self.path.read_text()

    def says(self, text):
        wait_for(lambda: text in self.log, f"{text!r} in the log")

    def send(self, number):
        os.kill(self.process.pid, number)

    def wait(self):
        return self.process.wait(PATIENCE)

    def terminate(self):
        """SIGTERM; return the exit status."""
        self.process.terminate()
        return self.wait()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)


class Notifications:
    """systemd's notify socket."""

    def __init__(self, path):
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(PATIENCE)

    def until(self, wanted):
        """Return the first message for which ``wanted`` is true."""
        while True:
            message = self._socket.recv(4096).decode()
            if wanted(message):
                return message

    def close(self):
        self._socket.close()
