# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connections of drivers (docs/reference/driver-protocol.md), and their markers, which say who may be running.

Decides nothing: frames become events for core/drivers/drivers.py, its commands become frames and files. ``RUN_DIR`` holds driver.sock,
driver.secret and running/ID. A driver that makes its own marker is asked to before it is told to start, and the order is held until
the marker is there: were batond killed in between, a driver that reads the order would run, and the guard would not know.
"""
from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
import os
import secrets
from collections import deque
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Optional

from ...core import commands as cmd
from ...core import events as ev
from ...core.admission import NODE
from ...core.model.driver_options import Options, read_name, read_options
from ...ground.problem import Problem
from ..aio import aiohttp, web
from ..disk.durable import write_durably
from ..disk.ours import check_ours
from ..folded import Folded
from .markers import Markers
from .peer_user import user_of

LOG = logging.getLogger("baton.drivers")
PATH = "/driver/v1"
PROTOCOL = 1
MOST_FRAME = 64 << 10
MOST_MESSAGE = 500
HELLO_SECONDS = 10.0
LONGEST_SOCKET = 107


class _Session:
    """One driver's connection. Frames go out in order; of leases that wait only the last is of interest.

    ``user``: the driver's uid, None where nobody knows. ``marks``: it makes its own marker; after the frame that asks for it nothing goes
    out before ``marked``.
    """

    def __init__(self, number: int, name: str, socket: Any, user: Optional[int], marks: bool) -> None:
        self.number, self.name, self.socket, self.user, self.marks = number, name, socket, user, marks
        self.holds = False
        self._queue: Deque[Dict[str, Any]] = deque()
        self._wake = asyncio.Event()
        self._ending = False

    def send(self, frame: Dict[str, Any]) -> None:
        if self._queue and frame["type"] == self._queue[-1]["type"] == "lease":
            self._queue.pop()
        self._queue.append(frame)
        self._wake.set()

    def refuse(self, reason: str) -> None:
        """Say why, then end."""
        if self.holds:
            self._queue.clear()  # an order to start, without a marker
            self.holds = False
        self.send({"type": "refused", "reason": reason})
        self.end()

    def marked(self) -> None:
        """The marker is there: go on."""
        self.holds = False
        self._wake.set()

    def end(self) -> None:
        """Close the connection when what is queued has been sent."""
        self._ending = True
        self._wake.set()

    async def pump(self) -> None:
        """Send what is queued until the connection or the session ends."""
        try:
            while not self.socket.closed:
                while self._queue and not self.holds:
                    frame = self._queue.popleft()
                    self.holds = frame["type"] == "mark"
                    await self.socket.send_str(json.dumps(frame))
                if self._ending:
                    break
                self._wake.clear()
                await self._wake.wait()
        except (ConnectionError, RuntimeError):
            pass  # the reader notices, too
        await self.socket.close()


class DriverLinks:
    """The drivers of this host. ``tell`` gets Driver… events; OSError from ``start`` when the run directory can't be used."""

    def __init__(self, run_dir: Path, node: str, stop_seconds: float, tell: Callable[[ev.Event], None]) -> None:
        self.run_dir = run_dir
        self.running = run_dir / "running"
        self._markers = Markers(self.running)
        self._node, self._stop_seconds, self._tell = node, stop_seconds, tell
        self._secret = ""
        self._count = 0
        self._sessions: Dict[int, _Session] = {}
        self._runner: Any = None
        self._folded = Folded(LOG.warning)

    async def start(self) -> None:
        """Make the secret and the directory of markers, and listen on the socket."""
        mask = os.umask(0o007)  # for drivers that run as other users of the group
        try:
            self.run_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
            check_ours(self.run_dir)
            self._markers.prepare()
        finally:
            os.umask(mask)
        secret = self.run_dir / "driver.secret"
        self._secret = secret.read_text().strip() if secret.exists() else ""
        if not self._secret:
            self._secret = secrets.token_urlsafe(32)
            write_durably(secret, self._secret + "\n", 0o640)
        path = self.run_dir / "driver.sock"
        if len(str(path)) > LONGEST_SOCKET:
            LOG.warning("no socket for drivers, since the path %s is too long: set --run-dir", path)
            return
        app = web.Application()
        app.router.add_get(PATH, self.serve)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        path.unlink(missing_ok=True)
        await web.UnixSite(self._runner, str(path)).start()
        os.chmod(path, 0o660)  # nosec B103

    async def stop(self) -> None:
        """End all connections: by contract the drivers stop."""
        await asyncio.gather(*(session.socket.close() for session in tuple(self._sessions.values())), return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
            (self.run_dir / "driver.sock").unlink(missing_ok=True)

    # --- from drivers -----------------------------------------------------------------------------------------------------

    async def serve(self, request: Any) -> Any:
        """Serve GET /driver/v1: one driver until it goes away."""
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        given = secret.strip().encode("utf-8", "surrogateescape")
        if scheme != "Bearer" or not self._secret or not hmac.compare_digest(given, self._secret.encode()):
            self._folded.say("secret", "refused a driver: wrong secret")
            return web.Response(status=403, text=f"wrong secret: it stands in {self.run_dir / 'driver.secret'}\n")
        if not _is_local(request):
            self._folded.say("host", f"refused a driver of another host ({request.remote})")
            return web.Response(status=403, text="a driver connects to the batond of its own host\n")
        known = getattr(request.protocol, "known", None)  # over TCP it has one of the API's connections
        if known is not None:
            known(NODE)
        socket = web.WebSocketResponse(max_msg_size=MOST_FRAME, heartbeat=10)
        await socket.prepare(request)
        user = user_of(request.transport)
        try:
            hello = await asyncio.wait_for(_receive(socket), HELLO_SECONDS)
            name, options, marks = _read_hello(hello)
            self._check_marker(name, user)
        except (Problem, asyncio.TimeoutError) as error:
            reason = error.detail if isinstance(error, Problem) else "the first frame is hello, and it did not come"
            self._folded.say(f"hello {reason}", f"refused a driver: {reason}")
            await socket.send_str(json.dumps({"type": "refused", "reason": reason}))
            await socket.close()
            return socket
        self._count += 1
        session = _Session(self._count, name or f"driver-{secrets.token_hex(4)}", socket, user, marks and user is not None)
        await self._talk(session, options)
        return socket

    def _check_marker(self, name: str, user: Optional[int]) -> None:
        """Raise Problem when what another user has started by this name may still run: it is not for this driver to say that it stopped."""
        owner = self._markers.foreign(name, user) if name else None
        if owner is not None:
            who = "a driver of an unknown user" if user is None else f"this driver (uid {user})"
            path = self._markers.path(name)
            raise Problem(409, "marked", f"{path} is there and belongs to uid {owner}, not to {who}: remove it when nothing of that runs")

    async def _talk(self, session: _Session, options: Options) -> None:
        name, socket = session.name, session.socket
        self._sessions[session.number] = session
        pump = asyncio.get_running_loop().create_task(session.pump())
        self._tell(ev.DriverHello(session.number, name, options))
        try:
            while True:
                frame = await _receive(socket)
                if frame is None:
                    break
                if frame.get("type") == "marked" and session.holds:
                    self._marked(session, frame)
                else:
                    self._tell(_event(session.number, frame))
                await asyncio.sleep(0)  # thousands may be here already, and reading them is no pause
        except Problem as problem:
            LOG.error("driver %s: %s; its connection is closed", name, problem.detail)
            session.refuse(problem.detail)
        finally:
            if self._sessions.pop(session.number, None) is not None:
                self._tell(ev.DriverGone(session.number))
            session.end()
            await asyncio.wait([pump], timeout=1)
            pump.cancel()

    # --- to drivers -------------------------------------------------------------------------------------------------------

    def welcome(self, command: cmd.DriverWelcome) -> None:
        session = self._sessions.get(command.session)
        if session is not None:
            LOG.info("driver %s is connected", session.name)
            session.send(
                {"type": "welcome", "protocol": PROTOCOL, "id": session.name, "node": self._node, "stop_seconds": self._stop_seconds,
                 "marker": str(self._markers.path(session.name)), **({"own_marker": True} if session.marks else {})}
            )  # fmt: skip

    def order(self, command: cmd.DriverOrder) -> None:
        session = self._sessions.get(command.session)
        if session is not None:
            session.send(
                {"type": "order", "number": command.number, "active": command.active, "epoch": command.epoch, "deadline": command.deadline}
            )

    def lease(self, command: cmd.DriverLease) -> None:
        session = self._sessions.get(command.session)
        if session is not None:
            session.send({"type": "lease", "epoch": command.epoch, "deadline": command.deadline})

    def drop(self, command: cmd.DropDriver) -> None:
        session = self._sessions.pop(command.session, None)
        if session is not None:
            LOG.warning("driver %s is refused: %s", session.name, command.reason)
            session.refuse(command.reason)

    def mark(self, command: cmd.DriverMarker) -> None:
        """See to it that there is a marker, or none. A driver for which there can be none is cut off before it is told to start."""
        name = command.driver
        session = next((session for session in self._sessions.values() if session.name == name), None)
        user = None if session is None else session.user
        try:
            if not command.running:
                self._markers.remove(name, user)
            elif session is not None and session.marks and user is not None:
                self._markers.make_way(name, user)
                session.send({"type": "mark"})
            else:
                self._markers.make(name)
        except OSError as error:
            verb = "made" if command.running else "removed"
            LOG.error("the marker %s can't be %s: %s", self._markers.path(name), verb, error.strerror)
            if command.running and session is not None:
                self._cut_off(session)

    def _marked(self, session: _Session, frame: Dict[str, Any]) -> None:
        """A driver has made its marker, or says why it can't."""
        if frame.get("ok") is True and self._markers.is_of(session.name, session.user):
            session.marked()
            return
        why = _line(frame.get("message")) if frame.get("ok") is not True else f"it is not there as a file of uid {session.user}"
        LOG.error("the marker %s can't be made: %s", self._markers.path(session.name), why)
        self._cut_off(session)

    def _cut_off(self, session: _Session) -> None:
        if self._sessions.pop(session.number, None) is not None:
            session.refuse("its marker can't be made; the journal of batond says why")
            asyncio.get_running_loop().call_soon(self._tell, ev.DriverGone(session.number))


def _is_local(request: Any) -> bool:
    """Whether the other end is on this host: a Unix socket, loopback, or the very address that it connected to."""
    transport = request.transport
    peer = transport.get_extra_info("peername") if transport is not None else None
    ours = transport.get_extra_info("sockname") if transport is not None else None
    if not isinstance(peer, tuple):
        return transport is not None
    return ipaddress.ip_address(peer[0].partition("%")[0]).is_loopback or (ours is not None and ours[0] == peer[0])


async def _receive(socket: Any) -> Optional[Dict[str, Any]]:
    """Return the next frame, None at the end; Problem for one that is none."""
    message = await socket.receive()
    if message.type != aiohttp.WSMsgType.TEXT:
        if message.type == aiohttp.WSMsgType.BINARY:
            raise Problem(400, "bad_frame", "a frame is a JSON object in a text frame")
        return None
    try:
        frame = json.loads(message.data)
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict):
        raise Problem(400, "bad_frame", "a frame is a JSON object")
    return frame


def _read_hello(frame: Optional[Dict[str, Any]]) -> Any:
    if frame is None or frame.get("type") != "hello":
        raise Problem(400, "bad_frame", "the first frame is hello")
    name = frame.get("id")
    return ("" if name in (None, "") else read_name(name)), read_options(frame.get("options") or {}), frame.get("own_marker") is True


def _line(message: Any) -> str:
    """Return what a driver says to people, in one line."""
    return "".join(c if c.isprintable() else " " for c in message[:MOST_MESSAGE]) if isinstance(message, str) else ""


def _event(session: int, frame: Dict[str, Any]) -> ev.Event:
    """Return what a frame says; Problem when it says nothing."""
    kind, text = frame.get("type"), _line(frame.get("message"))
    number, ok = frame.get("number"), frame.get("ok")
    if kind == "done" and isinstance(number, int) and not isinstance(number, bool) and isinstance(ok, bool):
        return ev.DriverDone(session, number, ok, text)
    if kind == "health" and isinstance(ok, bool):
        return ev.DriverHealth(session, ok, text)
    if kind == "stopped":
        return ev.DriverStopped(session, text, frame.get("ending") is True)
    raise Problem(400, "bad_frame", f"there is no frame {str(kind)[:40]!r} with these members; see docs/reference/driver-protocol.md")
