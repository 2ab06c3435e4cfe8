# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers in Python: subclass ``Driver``, hand an object to ``run``. See docs/guides/drivers.md.

contract.py decides what is done and when; here it is done: connection, triggers, timers and systemd's watchdog.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any, Coroutine, Dict, Generator, List, Mapping, Optional, Tuple

from ..adapters import systemd
from ..adapters.aio import AIOHTTP_ERROR, aiohttp
from ..core.model.driver_options import read_name, read_options
from ..ground.problem import Problem
from ..ground.tls import client_context
from . import contract

LOG = logging.getLogger("baton.driver")
PATH = "/driver/v1"
RUN_DIR = "/run/baton"
RUNNING = "running"  # the directory of markers
MAKING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC  # others may write there, too
MAX_FRAME = 64 << 10
FIRST_PAUSE, MOST_PAUSE = 0.1, 5.0  # seconds between connections
PATIENCE = 5.0  # seconds for a connection to be made
TICK = 0.2  # seconds: timers of the event loop do not count while the host is suspended, so the clock is looked at
IDLE_WATCHDOG, IDLE_FEED = 60, 20  # seconds
KILLED_ITSELF = 70  # exit status


class Failed(Exception):
    """A start, a stop or a check that failed for a known reason: one line for people, without a secret."""


class Driver:
    """What your service is. ``id`` and options: see docs/reference/driver-protocol.md. ValueError when one is wrong.

    ``epoch`` is the fencing token of the reign. ``deadline`` (seconds of CLOCK_BOOTTIME): until when what is going on may go on,
    the start and the running service, or the stop before ``kill`` is called. ``node`` is the name of this node. ``ending``: the process
    was told to end, and does when its stop returns, with all that goes on in the background.
    """

    check_every = 2.0  # seconds between checks, while active; 0: none
    check_timeout = 5.0  # seconds that a check may take

    def __init__(self, id: str = "", **options: Any) -> None:
        try:
            self.id = read_name(id) if id else ""
            read_options(options)
        except Problem as problem:
            raise ValueError(problem.detail) from None
        self.options = options
        self.epoch = 0
        self.deadline = 0.0
        self.node = ""
        self.ending = False

    async def trigger(self, is_active: bool) -> Optional[str]:
        """Start or stop the service; return when that is done, perhaps with a message. Any exception means that it failed.

        Never called twice at once. A start may be cancelled, at every ``await``; the stop follows. A stop may come without a start.
        Don't block: use asyncio's subprocesses, or ``asyncio.to_thread``.
        """
        raise NotImplementedError

    async def check(self) -> object:
        """Look whether the running service is healthy. It is not if this raises or returns a text or False."""
        return None

    def kill(self) -> None:
        """End the service by force: its stop failed or takes too long. Runs in a thread. If it does not help, the process ends."""

    def remaining(self) -> float:
        """Return the seconds until ``deadline``; not positive once it has passed."""
        return self.deadline - boottime()


def run(driver: Driver) -> None:
    """Serve as ``driver`` until SIGTERM or SIGINT; its service has stopped when this returns."""
    if AIOHTTP_ERROR is not None:
        raise SystemExit(f"driver: {AIOHTTP_ERROR}")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    asyncio.run(_serve(driver))


async def _serve(driver: Driver) -> None:
    await _Session(driver).run()


def boottime() -> float:
    """Return the clock of all deadlines: seconds since boot, also while the host was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Address:
    """Where batond is, from the environment. ``headers`` and ``tls`` read files, so that a renewed secret or CA is used: OSError."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.run_dir = Path(environ.get("BATON_RUN_DIR") or RUN_DIR)
        self.socket = str(self.run_dir / "driver.sock")
        self.remote = environ.get("BATON_DRIVER_URL", "")
        self.url = (self.remote.rstrip("/") or "http://batond") + PATH
        self.secret_file = Path(environ.get("BATON_DRIVER_SECRET_FILE") or self.run_dir / "driver.secret")
        self._ca = environ.get("BATON_CA") or None

    def headers(self) -> Dict[str, str]:
        return {"Authorization": f"Bearer {self.secret_file.read_text().strip()}"}

    def connector(self) -> Any:
        if not self.remote:
            return aiohttp.UnixConnector(path=self.socket)
        return aiohttp.TCPConnector(ssl=client_context(self._ca))

    def __str__(self) -> str:
        return self.remote or self.socket


class _WithinLease:
    """Awaits a start, and looks at the clock before each of its steps: if it was frozen past its lease it is cancelled."""

    def __init__(self, start: Coroutine[Any, Any, Optional[str]], driver: Driver) -> None:
        self._start = start
        self._driver = driver
        self.cancelled = False  # once is enough: what it does about it may take some steps

    def __await__(self) -> Generator[Any, Any, Optional[str]]:
        steps = self._start.__await__()
        try:
            waits_for = steps.send(None)
            while True:
                try:
                    yield waits_for
                    if not self.cancelled and self._driver.remaining() <= 0:
                        raise asyncio.CancelledError("its lease ended")
                except BaseException as error:
                    self.cancelled = True
                    waits_for = steps.throw(error)
                else:
                    waits_for = steps.send(None)
        except StopIteration as end:
            result: Optional[str] = end.value
            return result


class _Session:
    """A driver's life: carries out what its contract says."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.contract = contract.Contract()
        self.loop = asyncio.get_running_loop()
        self.address = Address(os.environ)
        self._marker = ""
        self._outgoing: "asyncio.Queue[str]" = asyncio.Queue()
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._wake = asyncio.Event()
        self._finished = asyncio.Event()
        self._trigger: Optional["asyncio.Task[Optional[str]]"] = None
        self._start: Optional[_WithinLease] = None
        self._killing: Optional["asyncio.Future[None]"] = None
        self._guarded: Optional[float] = -1.0  # the end that systemd's watchdog is set to, None: idle
        self._said = ""
        self._status = ""  # that systemd knows
        self._pause = FIRST_PAUSE

    async def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self._terminate)
        self._do([])
        tasks = [self.loop.create_task(self._stay_connected()), self.loop.create_task(self._keep_time())]
        if type(self.driver).check is not Driver.check and self.driver.check_every > 0:
            tasks.append(self.loop.create_task(self._check()))
        tasks.append(self.loop.create_task(self._wait_for_end()))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not self._finished.is_set():
            _exit("a task of the driver ended", [task.exception() for task in tasks if task.done()][0])
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._outgoing.join(), 0.5 if self.contract.connected else 0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait_for_end(self) -> None:
        await self._finished.wait()

    def _terminate(self) -> None:
        systemd.notify("STOPPING=1")
        self._do(self.contract.terminate(boottime()))

    # --- the connection ---------------------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        while True:
            try:
                await self._converse()
                why = "batond closed the connection"
            except aiohttp.WSServerHandshakeError as error:
                why = f"batond refused it ({error.status}); is the secret in {self.address.secret_file} that of this host's batond?"
            except (OSError, aiohttp.ClientError, asyncio.TimeoutError, ValueError, TypeError, KeyError) as error:
                why = str(error) or "batond did not answer in time"
            if why != self._said:
                self._said = why
                LOG.warning("no connection to batond at %s: %s", self.address, why)
            systemd.notify("READY=1")  # batond may be started later; the host's boot must not wait for it
            await self._at_rest.wait()  # so that a connection begins with nothing running and no marker to remove
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, MOST_PAUSE)

    async def _converse(self) -> None:
        """Connect and take frames until the connection ends."""
        name = {"id": self.driver.id} if self.driver.id else {}
        hello = {"type": "hello", "options": self.driver.options, "own_marker": True, **name}
        async with aiohttp.ClientSession(connector=self.address.connector()) as http:
            connecting = http.ws_connect(self.address.url, headers=self.address.headers(), max_msg_size=MAX_FRAME)
            socket = await asyncio.wait_for(connecting, PATIENCE)
            self._outgoing = asyncio.Queue()
            sender = self.loop.create_task(self._send(socket))
            try:
                await socket.send_str(json.dumps(hello))
                self._welcome(json.loads(await asyncio.wait_for(socket.receive_str(), PATIENCE)))
                async for frame in socket:
                    if frame.type == aiohttp.WSMsgType.TEXT:
                        self._frame(json.loads(frame.data))
            finally:
                if self.contract.connected and not self._finished.is_set():
                    self._do(self.contract.lost(boottime()))
                sender.cancel()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(socket.close(), 0.5)

    def _welcome(self, frame: Dict[str, Any]) -> None:
        if frame["type"] != "welcome":
            raise ValueError(f"batond refused this driver: {frame.get('reason') or 'without a reason'}")
        self.driver.id, self.driver.node = str(frame["id"]), str(frame["node"])
        marker = Path(str(frame["marker"]))
        if marker.parts[-2:] != (RUNNING, self.driver.id):  # we may be root, and batond is not
            raise ValueError(f"batond named {marker} as the marker of {self.driver.id}")
        self._marker = str(marker)
        self._said, self._pause = "", FIRST_PAUSE
        self.contract.welcome(float(frame["stop_seconds"]), frame.get("own_marker") is True)
        LOG.info("driver %s is connected to batond on %s", self.driver.id, self.driver.node)
        systemd.notify("READY=1")
        self._do([])

    def _frame(self, frame: Dict[str, Any]) -> None:
        """Act on a frame; ValueError, TypeError or KeyError when it makes no sense."""
        if frame["type"] == "order":
            order = contract.Order(int(frame["number"]), bool(frame["active"]), int(frame["epoch"]), float(frame["deadline"]))
            self._do(self.contract.order(order, boottime()))
        elif frame["type"] == "lease":
            self._do(self.contract.lease(int(frame["epoch"]), float(frame["deadline"]), boottime()))
        elif frame["type"] == "mark":
            self._do(self.contract.mark(boottime()))
        elif frame["type"] == "refused":
            raise ValueError(f"batond ended the connection: {frame.get('reason')}")

    async def _send(self, socket: Any) -> None:
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):  # whoever reads notices, too
            while True:
                await socket.send_str(await self._outgoing.get())
                self._outgoing.task_done()

    # --- what the contract says -------------------------------------------------------------------------------------------

    def _do(self, actions: List[contract.Action]) -> None:
        """Carry out, and let everybody see how things are now."""
        now, c = boottime(), self.contract
        self.driver.epoch, self.driver.deadline, self.driver.ending = c.epoch, c.until, c.ending
        for action in actions:
            if isinstance(action, contract.Trigger):
                LOG.info("starting, epoch %d" if action.active else "stopping: %s", c.epoch if action.active else c.reason)
                self._start = None
                self._trigger = self.loop.create_task(self._pull(action.active))
                self._trigger.add_done_callback(self._trigger_ended)
            elif isinstance(action, contract.Cancel):
                self._cancel()
            elif isinstance(action, contract.Kill):
                LOG.error("the stop failed or takes too long: killing")
                self._killing = self.loop.run_in_executor(None, self._kill)
            elif isinstance(action, contract.Exit):
                _exit(action.why)
            elif isinstance(action, contract.Send):
                self._outgoing.put_nowait(json.dumps(action.frame))
            elif isinstance(action, contract.Mark):
                why = _make(self._marker)
                self._outgoing.put_nowait(json.dumps({"type": "marked", "ok": not why, "message": why}))
            elif isinstance(action, contract.Unmark):
                _remove(self._marker)
            elif isinstance(action, contract.Finish):
                self._finished.set()
        (self._at_rest.set if c.phase == contract.IDLE else self._at_rest.clear)()
        self._guard(now)
        if actions:
            self._wake.set()
            status = f"{c.phase}, epoch {c.epoch}" if c.connected else f"{c.phase}, no connection to batond"
            if status != self._status:
                self._status = status
                systemd.notify(f"STATUS={status}")

    async def _pull(self, active: bool) -> Optional[str]:
        if self._killing is not None:
            await self._killing
            self._killing = None
        if not active:
            return await self.driver.trigger(False)
        self._start = _WithinLease(self.driver.trigger(True), self.driver)
        return await self._start

    def _cancel(self) -> None:
        if self._trigger is not None and not (self._start is not None and self._start.cancelled):
            self._trigger.cancel()

    def _trigger_ended(self, task: "asyncio.Task[Optional[str]]") -> None:
        ok, message = _outcome(task)
        if self.contract.phase == contract.CANCELLING:
            LOG.info("the start has ended: %s", message)
        else:
            what = "start" if self.contract.phase == contract.STARTING else "stop"
            LOG.log(logging.INFO if ok else logging.ERROR, "the %s %s: %s", what, "is done" if ok else "failed", message or "ok")
        self._do(self.contract.ended(ok, message, boottime()))

    def _kill(self) -> None:
        try:
            self.driver.kill()
        except Exception:
            LOG.exception("kill() failed")

    def _guard(self, now: float) -> None:
        """Set systemd's watchdog: to when all of the service must be over, as far as that may run."""
        c = self.contract
        end = None if c.phase == contract.IDLE else c.end
        if end != self._guarded:
            self._guarded = end
            limit = IDLE_WATCHDOG if end is None else max(end - c.reserve - now, 0.001)
            systemd.notify(f"WATCHDOG_USEC={int(limit * 1e6)}\nWATCHDOG=1")

    async def _keep_time(self) -> None:
        while True:
            self._wake.clear()
            self._do(self.contract.tick(boottime()))
            due = self.contract.due
            if due is None:
                systemd.notify("WATCHDOG=1")
            wait = IDLE_FEED if due is None else min(max(due - boottime(), 0.001), TICK)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(self.driver.check_every)
            epoch = self.contract.epoch
            if self.contract.phase != contract.ACTIVE:
                continue
            task = self.loop.create_task(asyncio.wait_for(_as_coroutine(self.driver.check()), self.driver.check_timeout))
            await asyncio.wait([task])
            ok, message = _outcome(task)
            if self.contract.epoch == epoch:
                self._do(self.contract.checked(ok, message, boottime()))


async def _as_coroutine(check: Any) -> Optional[str]:
    """Await a check; raise Failed when it found something wrong."""
    found = await check
    if found is False or isinstance(found, str):
        raise Failed(found or "the check said so")
    return None


def _outcome(task: "asyncio.Task[Optional[str]]") -> Tuple[bool, str]:
    """Return whether what was done ended well, and a line about it."""
    if task.cancelled():
        return False, "it was cancelled"
    error = task.exception()
    if error is None:
        return True, str(task.result() or "")
    if isinstance(error, asyncio.TimeoutError):
        return False, "it took too long"
    if not isinstance(error, Failed):
        LOG.error("unexpected error", exc_info=error)
    lines = str(error).splitlines()
    return False, lines[0] if lines and lines[0] else type(error).__name__


def _make(marker: str) -> str:
    """Make the marker, so that it belongs to our user; return why that can't be done, or ""."""
    try:
        os.close(os.open(marker, MAKING, 0o640))
    except FileExistsError:
        try:
            found = os.lstat(marker)
        except OSError as error:
            return str(error.strerror)
        # One of ours is there already where a stop failed, or nothing of an earlier process was left to stop.
        return "" if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() else f"what is there belongs to uid {found.st_uid}"
    except OSError as error:
        return str(error.strerror)
    return ""


def _remove(marker: str) -> None:
    try:
        os.unlink(marker)
    except FileNotFoundError:
        pass
    except OSError as error:
        LOG.error("the marker %s can't be removed, so a successor may wait longer than it has to: %s", marker, error.strerror)


def _exit(why: str, error: Optional[BaseException] = None) -> None:
    LOG.critical("%s: the process ends at once, and systemd kills what it left", why, exc_info=error)
    systemd.notify("WATCHDOG=trigger")  # or what is left had TimeoutStopSec once more, in a unit of another's making
    logging.shutdown()
    os._exit(KILLED_ITSELF)
