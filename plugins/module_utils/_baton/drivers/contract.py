# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a driver does on which frame and when: the contract of docs/reference/driver-protocol.md as a state machine. Pure.

Every method takes ``now`` (seconds of CLOCK_BOOTTIME) and returns actions. At most one trigger runs at a time: the next one is begun
only by ``ended``. session.py does what is said here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Optional, Union

IDLE = "idle"  # nothing of ours runs
STARTING = "starting"
ACTIVE = "active"
FAILED = "failed"  # a start failed: the order to stop will follow
CANCELLING = "cancelling"  # a start has to end before the stop can begin
STOPPING = "stopping"
MAY_RUN = (STARTING, ACTIVE, FAILED)
LEAST_RESERVE, RESERVE = 0.5, 1.0  # of stop_seconds, at least and at most: systemd is up to 0.4 s late, and cleans up
KILL_AHEAD = 0.3  # seconds before the reserve begins, at most, for what a kill is to achieve
MOST_MESSAGE = 500


@dataclass(frozen=True)
class Order:
    """An ``order`` frame."""

    number: int
    active: bool
    epoch: int
    deadline: float


@dataclass(frozen=True)
class Trigger:
    """Begin to start or stop the service, once a Kill before it is done; tell ``ended`` how it went."""

    active: bool


@dataclass(frozen=True)
class Cancel:
    """Cancel the start that is going on; its end is to be told."""


@dataclass(frozen=True)
class Kill:
    """The last resort, while a stop is going on."""


@dataclass(frozen=True)
class Exit:
    """End the process at once, so that systemd kills all that is left."""

    why: str


@dataclass(frozen=True)
class Send:
    """Send a frame to batond."""

    frame: Dict[str, Any]


@dataclass(frozen=True)
class Mark:
    """Make the marker, and tell batond."""


@dataclass(frozen=True)
class Unmark:
    """Remove the marker."""


@dataclass(frozen=True)
class Finish:
    """The driver may end."""


Action = Union[Trigger, Cancel, Kill, Exit, Send, Mark, Unmark, Finish]


@dataclass
class Contract:
    """The state of one driver. ``end``: when nothing of the service may run any more, unless a lease moves it."""

    phase: str = IDLE
    epoch: int = 0
    deadline: float = 0.0
    end: float = 0.0
    stop_seconds: float = 3.0
    connected: bool = False
    own_marker: bool = False  # we make the marker, and remove it; else batond does while it is there
    ending: bool = False
    reason: str = ""  # for the stop that is going on
    _start_order: Optional[int] = None  # unanswered
    _stop_orders: List[int] = field(default_factory=list)
    _next: Optional[Order] = None  # a start that waits for the end of a stop
    _touched: bool = False  # a start was begun since the last stop that ended well
    _stopped: bool = False  # the last thing we did was a stop that ended well
    _killed: bool = False
    _exit_at: float = 0.0

    @property
    def reserve(self) -> float:
        """Of the end of ``stop_seconds``, what systemd needs; TimeoutStopSec in the role's unit is the rest."""
        return min(RESERVE, max(LEAST_RESERVE, self.stop_seconds / 3))

    @property
    def due(self) -> Optional[float]:
        """When something will have to be done if nothing happens before."""
        if self.phase == IDLE:
            return None
        if self.phase in MAY_RUN:
            return self.deadline
        return self._exit_at if self._killed else self._kill_at

    @property
    def until(self) -> float:
        """Until when what is going on may go on."""
        return self.deadline if self.phase in MAY_RUN else self._kill_at

    @property
    def _kill_at(self) -> float:
        return self.end - self.reserve - min(KILL_AHEAD, self.stop_seconds / 10)

    # --- what batond says -----------------------------------------------------------------------------------------------

    def welcome(self, stop_seconds: float, own_marker: bool = False) -> None:
        self.connected, self.stop_seconds, self.own_marker = True, stop_seconds, own_marker

    def mark(self, now: float) -> List[Action]:
        """batond is about to order a start. A driver that ends leaves it without an answer: it gets no such order."""
        out = self.tick(now)
        if not self.ending:
            out.append(Mark())
        return out

    def order(self, order: Order, now: float) -> List[Action]:
        """Take an order. It is answered exactly once."""
        out = self.tick(now)
        self._answer_next(out, "another order overtook it")
        if not order.active:
            if self.phase not in (CANCELLING, STOPPING):  # else: that stop answers this order, too
                patience = order.deadline if self._touched else max(order.deadline, now + self.stop_seconds)
                self._begin_stop(out, patience, "a stop was ordered", now)
            self._stop_orders.append(order.number)
        elif self.ending:
            self._answer(out, order.number, False, "the driver ends")
        elif order.deadline <= now:
            self._answer(out, order.number, False, "the order's deadline had passed when it was read")
        elif self.phase == IDLE:
            self._begin_start(out, order)
        elif self.phase == ACTIVE and order.epoch == self.epoch:
            self._answer(out, order.number, True, "it is active already")
        else:
            self._next = order
            if self.phase in MAY_RUN:
                self._begin_stop(out, now + self.stop_seconds, "another start was ordered", now)
        return out

    def lease(self, epoch: int, deadline: float, now: float) -> List[Action]:
        """Take a new deadline; one that comes after the old one has passed is too late."""
        out = self.tick(now)
        if self.phase in MAY_RUN and epoch == self.epoch:
            self.deadline, self.end = deadline, deadline + self.stop_seconds
        elif self._next is not None and epoch == self._next.epoch:
            self._next = replace(self._next, deadline=deadline)
        return out

    def lost(self, now: float) -> List[Action]:
        """The connection is gone, or was never made: nobody is left to answer to."""
        out = self.tick(now)
        self.connected = False
        self._start_order, self._next = None, None
        self._stop_orders.clear()
        if self.phase in MAY_RUN:
            self._begin_stop(out, now + self.stop_seconds, "the connection to batond was lost", now)
        elif self.phase == IDLE and self._stopped:
            out.append(Unmark())  # batond may have died before it could
        return out

    # --- what happens here ------------------------------------------------------------------------------------------------

    def terminate(self, now: float) -> List[Action]:
        """The process was told to end."""
        out = self.tick(now)
        self.ending = True
        self._answer_next(out, "the driver ends")
        if self.phase in MAY_RUN:
            self._begin_stop(out, now + self.stop_seconds, "the driver was told to end", now)
        elif self.phase == IDLE:
            if self._stopped:
                out.append(Unmark())
            out.append(Finish())
        return out

    def tick(self, now: float) -> List[Action]:
        """Look at the clock. It comes before anything else, since the process may have been frozen."""
        out: List[Action] = []
        if self.phase in MAY_RUN and now >= self.deadline:
            self._begin_stop(out, self.deadline + self.stop_seconds, "its lease ended", now)
        if self.phase in (CANCELLING, STOPPING):
            if not self._killed and now >= self._kill_at:
                self._killed = True
                out.append(Kill())
            elif now >= self._exit_at:
                out.append(Exit("the stop did not end in time"))
        return out

    def ended(self, ok: bool, message: str, now: float) -> List[Action]:
        """The trigger that was begun has ended."""
        out = [] if self.phase == STOPPING else self.tick(now)  # a stop that ended late has ended
        if self.phase == STARTING:
            self.phase = ACTIVE if ok else FAILED
            self._answer_start(out, ok, message)
        elif self.phase == CANCELLING:
            self._answer_start(out, False, f"its start was cancelled: {self.reason}")
            self.phase = STOPPING
            out.append(Trigger(False))
        elif ok:
            self._touched, self._stopped = False, True
            self._rest(out, True, message, now)
        elif not self._touched:  # what runs is not ours: batond and the journal are told
            self._rest(out, False, message, now)
        elif not self._killed:
            self._killed = True
            out += [Kill(), Trigger(False)]
        else:
            out.append(Exit("the stop failed"))
        return out

    def checked(self, ok: bool, message: str, now: float) -> List[Action]:
        """A check of the service has a result."""
        out = self.tick(now)
        if self.phase == ACTIVE and self.connected:
            out.append(Send({"type": "health", "ok": ok, "message": message[:MOST_MESSAGE]}))
        return out

    # --- steps ------------------------------------------------------------------------------------------------------------

    def _begin_start(self, out: List[Action], order: Order) -> None:
        self.phase, self.epoch = STARTING, order.epoch
        self.deadline, self.end = order.deadline, order.deadline + self.stop_seconds
        self._start_order, self._touched, self._stopped = order.number, True, False
        out.append(Trigger(True))

    def _begin_stop(self, out: List[Action], end: float, reason: str, now: float) -> None:
        """Stop so that nothing runs at ``end``, nor later than ``stop_seconds`` after the lease."""
        self.end = min(end, self.deadline + self.stop_seconds) if self.phase in MAY_RUN else end
        self.reason, self._killed, self._stopped = reason, False, False
        # Also a process that was frozen for long tries to stop before it gives up.
        self._exit_at = max(self.end - self.reserve, now + self.reserve)
        if self.phase == STARTING:
            self.phase = CANCELLING
            out.append(Cancel())
        else:
            self.phase = STOPPING
            out.append(Trigger(False))

    def _rest(self, out: List[Action], ok: bool, message: str, now: float) -> None:
        """A stop has ended."""
        self.phase = IDLE
        order, self._next = self._next, None
        starts = order is not None and order.deadline > now and not self.ending
        if ok and not starts and (self.own_marker or self.ending or not self.connected):
            out.append(Unmark())  # before anything is said of it
        for number in self._stop_orders:
            self._answer(out, number, ok, message)
        if not self._stop_orders and self.connected:
            out.append(Send({"type": "stopped", "message": self.reason, **({"ending": True} if self.ending else {})}))
        self._stop_orders.clear()
        if self.ending:
            out.append(Finish())
        elif order is not None and starts:
            self._begin_start(out, order)
        elif order is not None:
            self._answer(out, order.number, False, "its lease ended before the stop did")

    def _answer(self, out: List[Action], number: int, ok: bool, message: str) -> None:
        if self.connected:
            out.append(Send({"type": "done", "number": number, "ok": ok, "message": message[:MOST_MESSAGE]}))

    def _answer_start(self, out: List[Action], ok: bool, message: str) -> None:
        number, self._start_order = self._start_order, None
        if number is not None:
            self._answer(out, number, ok, message)

    def _answer_next(self, out: List[Action], why: str) -> None:
        order, self._next = self._next, None
        if order is not None:
            self._answer(out, order.number, False, why)
