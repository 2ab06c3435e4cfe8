# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drivers of one node: which is told to start or stop, when, in which order, and what follows from a failure. Pure.

I5: a start is ordered only when the stop before it has ended, or its time has passed; and only from ``clear_at`` on, when whoever
was active before can't run a driver any more (core/roles/driver_duty.py knows when that is).
"""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from ..commands import Command, DriverLease, DriverMarker, DriverOrder, DriverWelcome, DropDriver, Note
from ..model.driver_options import Options
from ..model.timing import NEVER
from .driver import ACTIVE, MISSING, PATIENCE, STARTING, STOPPED, STOPPING, Driver, trouble_of
from .order import circle_text, order

MOST_DRIVERS = 128
FOREVER = float("inf")
STEADY = 60.0  # seconds of being active after which failures of long ago are forgotten
MOST_BACKOFF = 30.0
STOP_AGAIN = 5.0  # seconds between orders to stop to a driver that can't
LATE = 0.5  # seconds by which systemd may end later than ``stop_seconds`` what a dead driver has left


class Drivers:
    """All drivers of a node. Every method takes what happened at ``now`` and appends to ``out`` what is to be done."""

    def __init__(self, stop_seconds: float, step: float, out: List[Command]) -> None:
        self.stop_seconds = stop_seconds
        self.out = out
        self.by_id: Dict[str, Driver] = {}
        self.epoch = 0
        self.until = NEVER  # drivers may run until then
        self.clear_at = NEVER
        self.cleared = True
        self.began = NEVER
        self.open = True  # the VIP and the API wait for no driver
        self.fail_over: Optional[Tuple[Driver, str]] = None  # the driver for which another node should be active, and why
        self._step = step
        self._announced = NEVER
        self._ended = NEVER  # when the lease ended that drivers had last
        self._ending: Optional[float] = None  # since when the role is being given up
        self._rest_at = NEVER
        self._number = 0
        self._sessions: Dict[int, str] = {}
        self._expected: Set[str] = set()
        self.circles: List[Tuple[str, ...]] = []  # drivers whose order is disregarded
        self._before: Dict[str, Tuple[str, ...]] = {}  # who has to be settled before each starts
        self._after: Dict[str, Tuple[str, ...]] = {}

    # --- the reign ------------------------------------------------------------------------------------------------------

    @property
    def free_at(self) -> float:
        """From when on the role may be given away, as far as others' drivers are concerned and those of an earlier process."""
        return max(self.clear_at, self._rest_at)

    @property
    def granted(self) -> bool:
        """Whether drivers may run, and are to."""
        return self.until > NEVER and self._ending is None

    def begin(self, epoch: int, clear_at: float, rest_at: float, now: float) -> None:
        """A reign begins: nothing may start before ``clear_at``; what an earlier process of ours has started may run until ``rest_at``."""
        self.epoch, self.began, self.clear_at, self.cleared, self._rest_at = epoch, now, clear_at, False, rest_at
        self.open, self.fail_over, self._announced = False, None, NEVER
        for driver in self.by_id.values():
            driver.failed, driver.retry_at, driver.attempts = "", NEVER, 0
            driver.missing_since = driver.asked_for_at = now
        self.advance(now)

    def clear(self, now: float) -> None:
        """Whoever was active before has said that its drivers have stopped."""
        self.clear_at = min(self.clear_at, now)

    def grant(self, until: float) -> None:
        """Drivers may run until ``until``."""
        self._ending = None
        self._renew(until)

    def _renew(self, until: float) -> None:
        self.until = until
        if until - self._announced >= self._step:
            self._announced = until
            for driver in self.by_id.values():
                if driver.may_run and driver.session is not None and driver.epoch == self.epoch:
                    self.out.append(DriverLease(driver.session, self.epoch, until))

    def revoke(self, until: float, now: float) -> None:
        """The role is given up: stop them. While the lease goes on (``until``) one after the other, where their order says so."""
        if self.until > NEVER:
            self._ending = now if self._ending is None else self._ending
            self.open = False
            if until > self.until:
                self._renew(until)

    def at_rest(self, now: float) -> bool:
        """Whether nothing runs here nor, as far as we are to wait for it, where the role was before."""
        return self.cleared and now >= self._rest_at and not any(driver.runs(now) for driver in self.by_id.values())

    # --- what drivers say -----------------------------------------------------------------------------------------------

    def expect(self, expected: Dict[str, Options], now: float, reigns: bool = False) -> None:
        """Take the drivers that are configured on this node, connected or not.

        One that is new while the node ``reigns`` is being installed: until it has connected no other node should take over for it.
        """
        for name in self._expected - set(expected):
            if name in self.by_id:
                self.by_id[name].removed = True
        self._expected = set(expected)
        for name, options in expected.items():
            if name not in self.by_id:
                self.by_id[name] = Driver(name, options, now)
                self.by_id[name].asked_for_at = FOREVER if reigns else now
            driver = self.by_id[name]
            driver.removed = False
            if driver.session is None:  # one that is connected knows best
                driver.options = options
        self._reorder()
        self.advance(now)

    def hello(self, session: int, name: str, options: Options, now: float) -> str:
        """Take a driver that has connected; return why not, or ""."""
        known = self.by_id.get(name)
        if known is not None and known.session is not None:
            return f"a driver {name!r} is connected already; give each an id of its own"
        if known is None and len(self.by_id) >= MOST_DRIVERS:
            return f"there are {MOST_DRIVERS} drivers already"
        if name in (*options.after, *options.before):
            return f"the order of drivers is a circle: {name} after {name}"
        driver = self.by_id.setdefault(name, Driver(name, options, now))
        driver.options, driver.session, driver.removed, driver.leaving, driver.failed = options, session, False, False, ""
        driver.retry_at = NEVER if driver.retry_at == FOREVER else driver.retry_at
        driver.asked_for_at = now if driver.asked_for_at == FOREVER else driver.asked_for_at
        self._sessions[session] = name
        self._reorder()
        self.out.append(DriverWelcome(session))
        self._stop(driver, now + self.stop_seconds, now)
        self.advance(now)
        return ""

    def gone(self, session: int, now: float) -> None:
        """A connection was lost: by contract the driver stops at once."""
        driver = self._of(session)
        if driver is None:
            return
        self._sessions.pop(session, None)
        if driver.may_run or driver.phase == STOPPING:  # its process may have died, in the middle of a stop, too
            driver.stop_by = max(driver.stop_by, now + self.stop_seconds + LATE)
        elif driver.phase == STOPPED:
            driver.stop_by = NEVER
        should = driver.may_run and now < self.until
        driver.session, driver.number, driver.failed = None, 0, ""
        driver.missing_since = driver.away_since = now
        driver.set(MISSING, now)
        if should:
            driver.failures += 1
            driver.message = "lost its connection"
            self._note("error", driver, driver.message)
            self._back_off(driver, driver.message, now)
        self.advance(now)

    def done(self, session: int, number: int, ok: bool, message: str, now: float) -> None:
        """Take the answer to an order; one that was overtaken is of no interest."""
        self.advance(now)  # the lease may have ended while a start went on, which is no failure
        driver = self._of(session)
        if driver is None or number != driver.number:
            return
        driver.number, driver.took, driver.message = 0, now - driver.ordered_at, message
        if driver.phase == STARTING:
            if ok:
                driver.failed = ""
                driver.set(ACTIVE, now)
                self._note("info", driver, f"is active after {driver.took:.2f} s")
            else:
                self._fail(driver, f"did not start: {message}", now)
        elif ok:
            self._stopped(driver, now)
        else:
            driver.failures += 1
            driver.stuck = message or "it does not say why"
            self._note("error", driver, f"did not stop: {message}")
            self.out.append(DriverMarker(driver.id, True))  # for the guard: an earlier process may have taken the marker away
        self.advance(now)

    def stopped(self, session: int, message: str, ending: bool, now: float) -> None:
        """A driver stopped by itself: its lease ended, or its service did, or its process is ``ending`` in good order."""
        self.advance(now)
        driver = self._of(session)
        if driver is None:
            return
        driver.leaving = ending
        if not driver.may_run:
            return
        driver.message = message
        driver.number = 0
        should = now < self.until and driver.epoch == self.epoch
        self._stopped(driver, now)
        if should and not ending:
            self._fail(driver, f"stopped by itself: {message}", now)
        self.advance(now)

    def health(self, session: int, ok: bool, message: str, now: float) -> None:
        """Take the result of a check."""
        self.advance(now)
        driver = self._of(session)
        if driver is None or driver.phase != ACTIVE:
            return
        driver.good, driver.bad = (driver.good + 1, 0) if ok else (0, driver.bad + 1)
        options = driver.options
        if driver.good >= options.healthy_after and driver.healthy is not True:
            if driver.healthy is False:
                self._note("info", driver, "is healthy again")
            driver.healthy, driver.failed, driver.retry_at = True, "", NEVER
        if driver.bad >= options.unhealthy_after and driver.healthy is not False:
            driver.healthy, driver.message = False, message
            self._fail(driver, f"is unhealthy: {message}", now)
        self.advance(now)

    def declined(self, driver: Driver, why: str, now: float) -> None:
        """Nobody takes over: go on trying here."""
        self._note("error", driver, f"no failover: {why}")
        driver.retry_at = driver.asked_for_at = now + MOST_BACKOFF

    # --- time -----------------------------------------------------------------------------------------------------------

    def advance(self, now: float) -> None:
        """Do what is due."""
        self.cleared = self.cleared or now >= self.clear_at
        if now >= self.until > NEVER:  # each driver knows, and stops by itself
            self._ended, self.until, self._announced, self.open = self.until, NEVER, NEVER, False
            for driver in self.by_id.values():
                driver.failed, driver.retry_at = "", NEVER  # what matters was said; from now on it should not run
        granted = self.granted
        for driver in list(self.by_id.values()):
            self._overdue(driver, now)
            if driver.may_run and driver.epoch != self.epoch:
                self._stop(driver, now + self.stop_seconds, now)
            elif driver.may_run and not granted:
                if self._in_haste(now) or not any(other.runs(now) for other in self.after(driver)):
                    # It stops when it is told to, and when its lease ends: whichever is first.
                    self._stop(driver, min(now, max(self.until, self._ended)) + self.stop_seconds, now)
            elif granted and self.cleared:
                self._start_if_due(driver, now)
            if driver.phase == MISSING and now >= driver.stop_by and driver.id not in self._expected and (driver.removed or not granted):
                del self.by_id[driver.id]
                self._reorder()
        if granted and not self.open:
            self.open = all(driver.settled(now) for driver in self.by_id.values() if driver.options.pre_active)

    def _in_haste(self, now: float) -> bool:
        return self.until == NEVER or self._ending is None or now - self._ending > self.stop_seconds

    def can_not_stop(self) -> List[Driver]:
        """Return those whose service may run here for as long as nobody sees to it, so that it must not be started elsewhere."""
        return [driver for driver in self.by_id.values() if driver.can_not_stop]

    def pre_active(self) -> Tuple[str, ...]:
        """Return the drivers that the VIP and the API wait for."""
        return tuple(sorted(driver.id for driver in self.by_id.values() if driver.options.pre_active))

    def waited_for(self, now: float) -> Tuple[str, ...]:
        """Return those of them that are still to come, () when they are waited for no longer."""
        names = self.pre_active()
        return () if self.open else tuple(name for name in names if not self.by_id[name].settled(now)) or names

    def _overdue(self, driver: Driver, now: float) -> None:
        if driver.phase == STARTING and driver.number and now - driver.ordered_at > driver.options.start_seconds:
            self._fail(driver, f"did not start within {driver.options.start_seconds:g} s", now)
        elif driver.phase == STOPPING and now >= driver.stop_by:
            if driver.number:
                self._drop(driver, f"did not stop within {self.stop_seconds:g} s", now)
            elif now - driver.ordered_at >= STOP_AGAIN:
                self._stop(driver, now + self.stop_seconds, now)
        elif driver.phase == ACTIVE and driver.attempts and not driver.failed and now - driver.changed_at > STEADY:
            driver.attempts = 0
        elif driver.phase == MISSING and now < self.until and now - driver.missing_since > PATIENCE and now >= driver.asked_for_at:
            driver.asked_for_at = now + MOST_BACKOFF
            self._fail(driver, "is not connected", now)

    def _start_if_due(self, driver: Driver, now: float) -> None:
        if driver.phase != STOPPED or driver.session is None or driver.leaving or now < driver.retry_at:
            return
        if not all(other.settled(now) for other in self.before(driver)):
            return
        driver.set(STARTING, now)
        driver.epoch = self.epoch
        driver.healthy, driver.bad, driver.good = None, 0, 0
        self.out.append(DriverMarker(driver.id, True))
        self._order(driver, True, self.until, now)

    def _stop(self, driver: Driver, stop_by: float, now: float) -> None:
        driver.set(STOPPING, now)
        driver.stop_by = stop_by
        driver.healthy = None
        self._order(driver, False, stop_by, now)

    def _order(self, driver: Driver, active: bool, deadline: float, now: float) -> None:
        if driver.session is not None:
            self._number += 1
            driver.number, driver.ordered_at = self._number, now
            self.out.append(DriverOrder(driver.session, self._number, active, self.epoch, deadline))

    def _stopped(self, driver: Driver, now: float) -> None:
        driver.stop_by, driver.stuck = NEVER, ""
        driver.set(STOPPED, now)
        self.out.append(DriverMarker(driver.id, False))

    def _drop(self, driver: Driver, why: str, now: float) -> None:
        """Its time is over: by contract nothing of it runs any more."""
        driver.failures += 1
        driver.message, driver.stuck = why, f"no answer within {self.stop_seconds:g} s"
        self._note("error", driver, why)
        if driver.session is not None:
            self._sessions.pop(driver.session, None)
            self.out.append(DropDriver(driver.session, why))
        driver.session, driver.number, driver.failed = None, 0, ""
        driver.missing_since = driver.away_since = now
        driver.set(MISSING, now)

    def _fail(self, driver: Driver, why: str, now: float) -> None:
        """It should run and does not, or not well."""
        driver.failures += 1
        driver.failed = why
        policy = driver.options.on_failure
        self._note("error", driver, why)
        if driver.may_run and (policy != "ignore" or driver.phase == STARTING):
            self._stop(driver, now + self.stop_seconds, now)
        if driver.phase == MISSING:
            if policy == "fail_over" and self.fail_over is None:
                self.fail_over = (driver, why)
        elif policy == "ignore":
            driver.retry_at = FOREVER
        else:
            self._back_off(driver, why, now)

    def _back_off(self, driver: Driver, why: str, now: float) -> None:
        """Try it again after a while that doubles; after too many tries another node should."""
        driver.retry_at = now + min(MOST_BACKOFF, 2.0 ** min(driver.attempts, 8))
        driver.attempts += 1
        if driver.options.on_failure == "fail_over" and driver.attempts > driver.options.retries and self.fail_over is None:
            self.fail_over = (driver, why)

    # --- order and questions ----------------------------------------------------------------------------------------------

    def _reorder(self) -> None:
        """Take the order that all of them ask for together."""
        self._before, circles = order({driver.id: driver.options for driver in self.by_id.values()})
        self._after = {name: tuple(other for other, before in self._before.items() if name in before) for name in self._before}
        for circle in circles:
            if circle not in self.circles:
                self.out.append(Note("error", circle_text(circle)))
        self.circles = circles

    def before(self, driver: Driver) -> Iterator[Driver]:
        """Yield those that must be settled before it starts."""
        return (self.by_id[name] for name in self._before[driver.id])

    def after(self, driver: Driver) -> Iterator[Driver]:
        """Yield those that must have ended before it stops."""
        return (self.by_id[name] for name in self._after[driver.id])

    def _of(self, session: int) -> Optional[Driver]:
        return self.by_id.get(self._sessions.get(session, ""))

    def _note(self, level: str, driver: Driver, text: str) -> None:
        self.out.append(Note(level, f"driver {driver.id} {text}"))

    def status(self, now: float, wall_offset: float) -> List[Dict[str, Any]]:
        """Return what the API shows; ``wall_offset``: wall clock minus the node's clock."""
        return [
            {
                "id": driver.id,
                "state": "failed" if driver.failed and driver.phase in (STOPPED, MISSING) else driver.phase,
                "connected": driver.session is not None,
                "healthy": driver.healthy,
                "epoch": driver.epoch or None,
                "message": trouble_of(driver, now) or driver.failed or driver.message or None,
                "failures": driver.failures,
                "last_change": round(driver.changed_at + wall_offset, 3),
                "seconds": None if driver.took is None else round(driver.took, 3),
                "options": driver.options.to_json(),
            }
            for _id, driver in sorted(self.by_id.items())
        ]
