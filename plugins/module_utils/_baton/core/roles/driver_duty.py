# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becoming active, reigning and giving up mean for the node's drivers, and what a failed driver means for the role. Pure.

A reign in which drivers may run says so in its history document (``DriverStop``, seconds), committed before the first start. So whoever
follows knows whether to wait, and for how long: max(G, (L+D)(1+r)/(1-r)) from when it last heard of the other, unless it is told that they
have stopped.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Tuple

from ...ground.problem import Problem
from ..commands import DriversCleared, DropDriver, RoleChanged
from ..drivers.driver import ACTIVE, Driver, why_kept
from ..drivers.trouble import troubles
from ..events import DriverDone, DriverGone, DriverHealth, DriverHello, DriversExpected, DriverStopped, Event, Tick  # fmt: skip
from ..model.document import Document
from ..model.documents import Change
from ..model.log import Epoch
from ..model.timing import NEVER
from ..replication.dcs_health import Asked
from ..replication.leading import Leading
from ..replication.swaps import Purpose
from .election import Election
from .standing import HANDED_OVER, Standing
from .succession import Succession


class Driving:
    """The node's side of its drivers. ``tend`` is called after every event of the node."""

    def __init__(self, standing: Standing, election: Election, succession: Succession) -> None:
        self.standing = standing
        self.election = election
        self.succession = succession
        self.drivers = succession.drivers
        self._base: Optional[float] = None  # when the one before us was last heard, None: it has said that its drivers have stopped
        self._followed: Optional[Tuple[str, Epoch]] = None  # whose drivers we wait for, and of which reign
        self._stated = -1  # the entry that says that drivers may run in this reign
        self._store = Asked(standing.out)  # a driver wants another node to be active
        self._seen: Tuple[Any, ...] = ()
        self._handlers: Dict[type, Callable[[Any, float], None]] = {
            DriverHello: self._hello, DriverGone: self._gone, DriverDone: self._done, DriverStopped: self._stopped,
            DriverHealth: self._health, DriversExpected: self._expected,
        }  # fmt: skip

    def take(self, event: Event, now: float) -> None:
        """Take an event of a driver."""
        self._handlers[type(event)](event, now)

    def error(self, now: float) -> str:
        """Return what drivers do to the service here, or would do to it if this node became active, or ""."""
        return "; ".join(troubles(self.drivers, self.standing.leading is not None, now))

    # --- becoming active --------------------------------------------------------------------------------------------------

    def promoting(self, vacant: bool, heard: float) -> None:
        """A promotion begins. The role was given up (``vacant``), or its holder may have had acknowledgements until ``heard``."""
        record = self.standing.record
        self._base = None if vacant or self.election.drivers_stopped(record) else heard
        self._followed = (record.active or record.holder, record.epoch)

    def _clear(self, how: str, before: Optional[Document], now: float) -> Tuple[float, float]:
        """Return from when on drivers may start in the reign that begins now, and until when those of an earlier process may run."""
        base, self._base = self._base, None
        # A late swap of an earlier process of ours may make us active, too: only who names himself has handed over.
        handed_over = how == HANDED_OVER and self.standing.record.holder not in ("", self.standing.config.node)
        if handed_over or before is None or "DriverStop" not in before.value:
            return now, now
        if how == Purpose.PROMOTE:
            return (now, now) if base is None else (self._bound(base, before),) * 2
        bound = self._bound(now, before)
        if before.value["Node"] == self.standing.config.node and self.standing.state.cleared == before.value["Epoch"]:
            # Only drivers of this node can be running; each is told to stop before it is told to start.
            return now, bound
        return bound, bound

    def _bound(self, base: float, before: Document) -> float:
        timing = self.standing.config.timing
        stop = max(self.standing.config.driver_stop, float(before.value["DriverStop"]))
        # The other one's clock may be slow, and ours fast.
        return base + max(timing.grace, (timing.lease + stop) * (1 + timing.rate_error) / (1 - timing.rate_error))

    def _reign_before(self) -> Optional[Document]:
        number = self.standing.record.epoch.number
        # We have on disk what was committed before the first start, but may not have heard that it is: all of our log counts.
        reigns = [document for document in self.standing.state.heads.list_speculative("history") if int(document.key) < number]
        return max(reigns, key=lambda document: int(document.key), default=None)

    def begin(self, leading: Leading, how: str, now: float) -> Dict[str, Any]:
        """A reign begins; return what its history document says of drivers."""
        before = self._reign_before()
        clear_at, rest_at = self._clear(how, before, now)
        self._stated = -1
        self.drivers.begin(leading.epoch.number, clear_at, rest_at, now)
        leading.pre_active = leading.waits_for = self.drivers.pre_active()
        if rest_at > now and before is not None:  # whoever follows us soon has to wait for those, too
            return {"DriverStop": max(self.standing.config.driver_stop, float(before.value["DriverStop"]))}
        return {"DriverStop": self.standing.config.driver_stop} if self.drivers.by_id else {}

    def notice(self, node: str, epoch: Epoch, now: float) -> None:
        """The one before us has stopped its drivers, after we became active; only that node may say so."""
        if (node, epoch) == self._followed:
            self._base = None
            if self.standing.leading is not None:
                self.drivers.clear(now)

    # --- reigning ---------------------------------------------------------------------------------------------------------

    def tend(self, event: Event, now: float) -> None:
        """Bring the drivers in line with the role. Most events change nothing for them."""
        leading, drivers = self.standing.leading, self.drivers
        if type(event) not in self._handlers and not isinstance(event, Tick) and (not drivers.by_id or self._view() == self._seen):
            return
        drivers.advance(now)
        if leading is not None and leading.reigning(now) and self._is_stated(leading, now):
            drivers.grant(leading.lease)
        elif leading is None or (leading.handover is not None and leading.handover.released):
            drivers.revoke(NEVER if leading is None else leading.lease, now)
        drivers.advance(now)
        if leading is not None:
            self._rule(leading, now)
        self._seen = self._view()

    def _view(self) -> Tuple[Any, ...]:
        """Return what of the role matters here, besides time."""
        leading = self.standing.leading
        if leading is None:
            return ()
        released = leading.handover is not None and leading.handover.released
        wish = self.drivers.fail_over
        seen = None if wish is None else (wish, leading.store_proven)
        return (leading, leading.started, leading.state.commit >= self._stated, released, leading.waits_for, self.drivers.clear_at, seen)

    def _rule(self, leading: Leading, now: float) -> None:
        """Let the reign follow its drivers."""
        drivers, state = self.drivers, self.standing.state
        if drivers.cleared and self._stated >= 0 and state.cleared != leading.epoch.number:
            state.cleared = leading.epoch.number
            state.store(meta={"cleared": state.cleared})
            self.standing.out.append(DriversCleared())
        if leading.serving(now) and not drivers.pre_active():
            drivers.open = True  # one that is added from now on is no reason to end the service
        waited_for, leading.pre_active, leading.waits_for = leading.waits_for, drivers.pre_active(), drivers.waited_for(now)
        if waited_for and not leading.waits_for:
            leading.advance(now)
            self.standing.out.append(RoleChanged("active", self.standing.config.node, self.standing.config.url))
        self.tell_rest(leading, now)
        self._consider_failover(leading, now)

    def tell_rest(self, leading: Leading, now: float) -> None:
        """Tell the reign, which may be giving its role away, whether its drivers have stopped."""
        stuck = self.drivers.can_not_stop()
        leading.released(now, self.drivers.at_rest(now), why_kept(stuck[0]) if stuck else "")

    def _consider_failover(self, leading: Leading, now: float) -> None:
        """Let another node take over for a driver that still does not run when the store has answered."""
        drivers = self.drivers
        if drivers.fail_over is not None and drivers.fail_over[0].phase == ACTIVE:
            drivers.fail_over = None
        if drivers.fail_over is None:
            self._store.forget()
        elif self._store.answered(leading.store_proven, now):
            (driver, why), drivers.fail_over = drivers.fail_over, None
            self._fail_over(leading, driver, why, now)

    def _is_stated(self, leading: Leading, now: float) -> bool:
        """Whether it is committed that drivers may run in this reign; if there are any, see to it."""
        if not self.drivers.by_id and self.drivers.cleared:
            return False
        key = str(leading.epoch.number)
        if self._stated < 0:
            document = self.standing.state.heads.speculative("history", key)
            if document is None:
                return False
            stop = max(self.standing.config.driver_stop, float(document.value.get("DriverStop", 0)))
            leading.put_document("history", key, {**document.value, "DriverStop": stop}, now)
            self._stated = self.standing.state.log.end.seq
            leading.flush(now)
        return self.standing.state.commit >= self._stated

    def _fail_over(self, leading: Leading, driver: Driver, why: str, now: float) -> None:
        """Hand the role over because of a driver, unless that was done too often already."""
        if self.standing.record.paused:
            self.drivers.declined(driver, "paused; it is tried again here, until `batonctl ha resume`", now)
            return
        options, wall = driver.options, self.standing.wall(now)
        standing = self.standing.state.heads.speculative("system", "failovers")
        past = {} if standing is None else dict(standing.value)
        recent = [at for at in past.get(driver.id, ()) if wall - at < options.failover_window]
        if len(recent) >= options.most_failovers:
            self.drivers.declined(driver, f"{len(recent)} in {options.failover_window:g} s already; it is tried again here", now)
            return
        try:
            to = self.succession.successor(now=now)
        except Problem as problem:
            self.drivers.declined(driver, problem.detail, now)
            return
        # Committed before the role moves, since a hand-over drains the log first: so it is counted by whoever is next.
        leading.submit_own(Change("system", "failovers", "put", {**past, driver.id: [*recent, round(wall, 3)]}), now)
        leading.hand_over(0, to, f"driver {driver.id} {why}", now, store_answers=True)

    # --- events -----------------------------------------------------------------------------------------------------------

    def _hello(self, event: DriverHello, now: float) -> None:
        why = self.drivers.hello(event.session, event.id, event.options, now)
        if why:
            self.standing.out.append(DropDriver(event.session, why))

    def _gone(self, event: DriverGone, now: float) -> None:
        self.drivers.gone(event.session, now)

    def _done(self, event: DriverDone, now: float) -> None:
        self.drivers.done(event.session, event.number, event.ok, event.message, now)

    def _stopped(self, event: DriverStopped, now: float) -> None:
        self.drivers.stopped(event.session, event.message, event.ending, now)

    def _health(self, event: DriverHealth, now: float) -> None:
        self.drivers.health(event.session, event.ok, event.message, now)

    def _expected(self, event: DriversExpected, now: float) -> None:
        self.drivers.expect(event.drivers, now, self.standing.leading is not None and self.standing.leading.started)
