# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's side of the guard: starts it, states deadlines, learns what became of the VIP. Runs in an asyncio loop.

I/O without decisions, except one that only this side can make: a guard that does not answer is killed, because one that
wakes up later must not act on old orders.
"""
from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import subprocess
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from ...core.vip import vip
from ...core.vip.address import check_vips, parse_vips
from ...ground.problem import Problem
from ..peers.notice import Notice
from .guard import Options, command
from .places import host_addresses, remove_now
from .watchdog import Watchdog, calm

START_SECONDS = 5.0
UNANSWERED = 2  # a guard that says nothing for V over this is frozen: another is there before the kernel drops the VIP
PROMPT_SECONDS = 0.03  # in which a guard removes the VIP; the timing rules give it 0.05
DROP_SECONDS = 0.5
RETRY_SECONDS = 0.05  # between attempts to start a guard, growing to
LONGEST_RETRY = 1.0
UNKNOWN = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EPERM)  # the kernel was not asked
RIVAL_SECONDS = 25.0  # after its last claim; while we hold the VIP, a rival is asked every ten
ENDED = "the VIP's guard ended while it started; the journal has its reason"
LATE = "the VIP's guard has died, and another does not start"
LOG = logging.getLogger("baton.vip")


class GuardClient:
    """One guard for one VIP; one that dies is replaced, again and again until that succeeds.

    ``program`` is the command that starts a guard, best ``guard.program()``.
    """

    def __init__(self, program: Sequence[str], options: Options) -> None:
        self._program = list(program)
        self._options = options
        self._vips = parse_vips(options.address, options.interface)
        self._process: Optional["subprocess.Popen[bytes]"] = None
        self._socket: Optional[socket.socket] = None
        self._ready: Optional["asyncio.Future[None]"] = None
        self._drops: Dict[int, "asyncio.Future[bool]"] = {}  # True: confirmed; False: the guard ended first
        self._drop_number = 0
        self._deadline: Optional[float] = None
        self._overdue: Optional[asyncio.TimerHandle] = None
        self._unanswered_since: Optional[float] = None
        self._changed: List[Callable[[], None]] = []
        self._revival: Optional["asyncio.Task[None]"] = None
        self._stopped = False
        self._checked = False  # the VIP is none of the host's own addresses
        self._guardless = ""  # why there is no guard
        self._unable = ""
        self._twins = ""
        self._rival: Tuple[str, float] = ("", 0.0)  # hardware address, and when it claimed the VIP last
        self._state = vip.RELEASED
        self._conflicts = 0
        self._announcements = 0
        self._error: Optional[str] = None
        self._notice: Optional[Notice] = None
        self._lines: Dict[str, Callable[[str], None]] = {
            "ready": lambda _text: self._settle(None),
            "fatal": lambda text: self._settle(Problem(503, "guard_failed", text)),
            "state": self._on_state,
            "dropped": self._on_dropped,
            "conflict": self._on_conflict,
            "error": self._on_error,
            "twin": self._on_twin,
            "unable": lambda text: self._tell_unable(self._guardless, text),
        }

    @property
    def held(self) -> bool:
        """Whether the guard said last that the VIP is on the interface."""
        return self._state == vip.HELD

    @property
    def running(self) -> bool:
        """Whether there is a guard to talk to."""
        return self._socket is not None

    @property
    def unable(self) -> str:
        """Why this host could not hold the VIP now, "" when it could."""
        return self._guardless or self._unable

    def on_change(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called in the loop whenever ``unable`` is another."""
        self._changed.append(callback)

    def status(self) -> Dict[str, Any]:
        """Return the VIP's state for the API; ``error`` is the last trouble, None when it is over.

        ``address`` and ``interface`` are those of the first of ``addresses``.
        """
        return {
            "address": str(self._vips[0].cidr),
            "interface": self._vips[0].interface,
            "addresses": [{"address": str(each.cidr), "interface": each.interface} for each in self._vips],
            "held": self.held,
            "state": self._state,
            "conflicts": self._conflicts,
            "announcements": self._announcements,
            "guard": self._process.pid if self._process is not None and self.running else None,
            "unable": self.unable or None,
            "rival": self._rival[0] if self._rival[0] and time.monotonic() - self._rival[1] < RIVAL_SECONDS else None,
            "twins": self._twins or None,
            "error": self._error,
        }

    def trouble(self) -> str:
        """Return what a person should know of the VIP on this host beside ``unable``, "" when nothing."""
        status, name = self.status(), self._names()
        said = []
        if status["rival"] and self.held:
            said.append(f"{status['rival']} claims the VIP {name}, too: find the host with this address and take the VIP away there")
        if self._twins:
            said.append(f"another program has added the VIP on this host ({self._twins}): it is removed when the role moves")
        if self._error and self._error != self.unable:
            said.append(self._error)
        return "; ".join(said)

    def _names(self) -> str:
        return ", ".join(str(each.cidr) for each in self._vips)

    async def start(self) -> None:
        """Start the guard and wait until it has looked at the interface; a stale VIP is gone then.

        Raises Problem 400 when the VIP or interface is unusable, 503 when the guard does not start.
        """
        if self._socket is not None:
            return
        try:
            self._check()
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise Problem(503, "guard_failed", f"the VIP's guard can't be started: {error.strerror}") from None
        await self._start(ours, theirs)

    def _check(self) -> None:
        """Check what a person has configured; Problem, OSError."""
        options = self._options
        _vips, warnings = check_vips(options.address, options.interface, host_addresses(), options.static)
        if options.watchdog:
            try:
                Watchdog(options.watchdog, options.valid).check()
            except OSError as error:
                raise Problem(400, "bad_watchdog", f"the watchdog {options.watchdog} can't be used: {error.strerror}") from None
        for warning in warnings:
            LOG.warning("%s", warning)
        self._checked = True

    async def _start(self, ours: socket.socket, theirs: socket.socket) -> None:
        """Start a guard that talks at ``theirs``; Problem 503.

        When a deadline of an earlier guard still stands, the new one gets it first and keeps a VIP that it finds.
        """
        loop = asyncio.get_running_loop()
        with theirs:
            ours.setblocking(False)
            self._socket = ours
            self._ready = loop.create_future()
            self._unanswered_since = None
            if self._deadline is not None:
                self._send(f"hold {self._deadline!r}")
            if self._notice is not None:
                self._send(f"reign {self._notice.to_text()}")
            line = command(self._program, self._options, theirs.fileno(), os.getpid())
            try:
                # In a session of its own, so that Ctrl-C in a terminal reaches only the daemon.
                self._process = subprocess.Popen(
                    line, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
                )
            except OSError as error:
                self._socket = None
                ours.close()
                raise Problem(503, "guard_failed", f"the VIP's guard can't be started: {error.strerror}") from None
        loop.add_reader(ours.fileno(), self._on_readable)
        try:
            await asyncio.wait_for(self._ready, START_SECONDS)
        except asyncio.TimeoutError:
            await self._kill()
            raise Problem(503, "guard_failed", f"the VIP's guard was not ready within {START_SECONDS:g} s") from None
        finally:
            self._ready = None
        if self._socket is None:  # it was ready, and died before we came to know of it
            raise Problem(503, "guard_failed", ENDED)

    def prepare(self) -> None:
        """Let the guard ask the network for another holder: the VIP may soon be wanted. Returns at once."""
        self._send("prepare")

    def reign(self, notice: Notice) -> None:
        """Say whom the guard has to tell of what when this process is dead. Returns at once."""
        if notice != self._notice:
            self._notice = notice
            self._send(f"reign {notice.to_text()}")

    def hold(self, deadline: float, free: bool = False) -> None:
        """Let the VIP be held until ``deadline`` (CLOCK_BOOTTIME). Call it at each renewal; returns at once.

        ``free``: the one before has given it up for certain.
        """
        self._deadline = deadline
        self._watch_deadline(deadline)
        if self._socket is None:
            return
        started = time.monotonic()
        if self._unanswered_since is None:
            self._unanswered_since = started
        elif self._ready is None and started - self._unanswered_since > self._options.valid / UNANSWERED and self._is_mute():
            LOG.error("the VIP's guard has not answered for %.2f s: it is killed", started - self._unanswered_since)
            self._signal_kill()
            return
        self._send(f"{'free' if free else 'hold'} {deadline!r}")

    def _watch_deadline(self, deadline: float) -> None:
        """Remove the VIP ourselves where the guard does not at its deadline: whoever takes it then will not wait for us."""
        if self._overdue is not None:
            self._overdue.cancel()
        late = deadline - time.clock_gettime(time.CLOCK_BOOTTIME) + PROMPT_SECONDS
        self._overdue = asyncio.get_running_loop().call_later(max(0.0, late), self._on_overdue)

    def _on_overdue(self) -> None:
        self._overdue = None
        self._on_readable()  # we may have been frozen ourselves, and its word may wait
        guarded = self.running and self._ready is None
        silent = self._unanswered_since is not None  # it may have added what it did not come to tell of
        if guarded and not silent and self._state not in (vip.ADDING, vip.HELD):
            return
        if guarded:
            LOG.error("the VIP's guard does not remove it in time: it is killed")
            self._signal_kill()
        with contextlib.suppress(OSError):  # beside a guard that died, too, and its successor that is not there yet
            remove_now(self._options.address, self._options.interface, self._checked)

    async def drop(self) -> None:
        """Give the VIP up; returns when the kernel shows it nowhere on this host, or has dropped it for certain."""
        self._deadline = None
        if self._overdue is not None:
            self._overdue.cancel()
        if self._socket is None or not await self._drop_by_guard():
            await self._remove_without_guard()

    async def stop(self) -> None:
        """Drop the VIP and end the guard in good order."""
        self._stopped = True
        await self.drop()
        self._send("leave")
        if not await _ended(self._process, DROP_SECONDS):
            await self._kill()
        self._on_end()

    # --- inside ---

    async def _drop_by_guard(self) -> bool:
        """Return True when the guard has confirmed; otherwise that guard is dead.

        One that is just starting is not waited for: it is killed, and can't act on what it was told before.
        """
        if self._ready is not None:
            await self._kill()
            return False
        self._drop_number += 1
        number = self._drop_number
        dropped = self._drops[number] = asyncio.get_running_loop().create_future()
        try:
            if self._send(f"drop {number}"):
                await asyncio.wait({dropped}, timeout=PROMPT_SECONDS)
                if not dropped.done():  # it may be frozen; whoever takes the VIP now will not wait for us
                    with contextlib.suppress(OSError):
                        remove_now(self._options.address, self._options.interface, self._checked)
                return await asyncio.wait_for(dropped, DROP_SECONDS)
        except asyncio.TimeoutError:
            pass
        finally:
            del self._drops[number]
        LOG.error("the VIP's guard does not drop it: it is killed")
        await self._kill()
        return False

    def _send(self, line: str) -> bool:
        if self._socket is None:
            return False
        try:
            self._socket.send(line.encode())
        except OSError:
            return False  # full: the guard is frozen, and its deadline stands; closed: _on_readable tells
        return True

    def _is_mute(self) -> bool:
        """Return whether the guard has said nothing since it was last asked; what waits to be read is read first."""
        self._on_readable()
        return self._unanswered_since is not None

    def _on_readable(self) -> None:
        while self._socket is not None:
            try:
                line = self._socket.recv(4096).decode()
            except BlockingIOError:
                return
            except OSError:
                line = ""
            if not line:
                self._on_end()
                return
            self._unanswered_since = None
            self._on_line(*line.partition(" ")[::2])

    def _on_line(self, kind: str, text: str) -> None:
        take = self._lines.get(kind)
        if take is not None:
            take(text)

    def _on_state(self, text: str) -> None:
        state, conflicts, announcements = text.split()
        if (state == vip.HELD) != self.held:
            verb = "is on" if state == vip.HELD else "left"
            LOG.info("VIP %s %s %s", self._names(), verb, ", ".join(dict.fromkeys(each.interface for each in self._vips)))
        self._state, self._conflicts, self._announcements = state, int(conflicts), int(announcements)
        if self.held:
            self._error = None

    def _on_dropped(self, text: str) -> None:
        future = self._drops.get(int(text))
        if future is not None and not future.done():
            future.set_result(True)

    def _on_conflict(self, text: str) -> None:
        if text != self._rival[0] or time.monotonic() - self._rival[1] > RIVAL_SECONDS:
            LOG.warning("%s claims VIP %s too", text, self._names())
        self._rival = (text, time.monotonic())

    def _on_error(self, text: str) -> None:
        self._error = text or None
        if text:
            LOG.error("%s", text)

    def _on_twin(self, text: str) -> None:
        self._twins = text
        if text:
            LOG.warning("another program has added the VIP on this host: %s", text)

    def _tell_unable(self, guardless: str, unable: str) -> None:
        before = self.unable
        self._guardless, self._unable = guardless, unable
        if self.unable != before:
            for callback in self._changed:
                callback()

    def _settle(self, problem: Optional[Problem]) -> None:
        if self._ready is not None and not self._ready.done():
            if problem is None:
                self._ready.set_result(None)
            else:
                self._ready.set_exception(problem)

    def _on_end(self) -> None:
        """The guard has closed its end: it is dead or dying."""
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._socket = None
        self._state = vip.RELEASED
        was_starting = self._ready is not None
        self._settle(Problem(503, "guard_failed", ENDED))
        for future in self._drops.values():
            if not future.done():
                future.set_result(False)
        if not was_starting and not self._stopped and (self._revival is None or self._revival.done()):
            LOG.error("the VIP's guard died: starting another")
            self._revival = asyncio.get_running_loop().create_task(self._revive())

    async def _revive(self) -> None:
        """Start another guard. What keeps one from starting may be over soon: descriptors, memory, a kill that was meant for many."""
        # By then the kernel has dropped the VIP, and another node could hold it.
        late = asyncio.get_running_loop().call_later(self._options.valid, self._tell_late)
        try:
            await self._start_again()
        finally:
            late.cancel()

    def _tell_late(self) -> None:
        if not self._stopped:
            self._tell_unable(self._guardless or LATE, self._unable)

    async def _start_again(self) -> None:
        pause, failed = RETRY_SECONDS, False
        while not self._stopped and self._socket is None:
            try:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                await self._start(ours, theirs)
                self._tell_unable("", self._unable)
            except (Problem, OSError) as error:
                why = error.detail if isinstance(error, Problem) else f"the VIP's guard can't be started: {error.strerror}"
                if failed:
                    self._tell_unable(why, self._unable)
                failed = True
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_RETRY)

    def _signal_kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    async def _kill(self) -> None:
        """Kill the guard and wait for its end, so that it can't act any more."""
        killed, talking = self._process, self._socket
        self._signal_kill()
        await _ended(killed, DROP_SECONDS)
        if self._socket is talking:  # else its end was noticed, and another may have been started meanwhile
            self._on_end()

    async def _remove_without_guard(self) -> None:
        """Remove the VIP ourselves. Where the kernel can't even be asked, its lifetime must do; where the address stands, we wait."""
        end = time.monotonic() + self._options.valid + vip.SLACK
        said = ""
        while True:
            if self._deadline is not None:
                return  # the order was called off: it is to be held again
            try:
                remove_now(self._options.address, self._options.interface, self._checked)
                break
            except OSError as error:
                if str(error.strerror) != said:
                    said = str(error.strerror)
                    LOG.error("the VIP can't be removed (%s): waiting until the kernel drops it", said)
                if time.monotonic() > end and error.errno in UNKNOWN and not self._twins:
                    return
            await asyncio.sleep(RETRY_SECONDS)
        if self._options.watchdog:
            calm(self._options.watchdog)
        self._twins = ""
        LOG.warning("VIP %s: made sure without a guard that it is off", self._names())


async def _ended(process: Optional["subprocess.Popen[bytes]"], seconds: float) -> bool:
    """Wait until a guard is dead; False when it still lives after so many seconds."""
    limit = time.monotonic() + seconds
    while process is not None and process.poll() is None:
        if time.monotonic() > limit:
            return False
        await asyncio.sleep(0.005)
    return True
