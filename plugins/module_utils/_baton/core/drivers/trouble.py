# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What drivers do to the service now, or would do to it after the next failover: a line for people each, with what to look at. Pure.

I12: a driver that is expected and is not there, or can't stop, is said where it would be started next, too.
"""
from __future__ import annotations

from typing import List

from .driver import PATIENCE, Driver, trouble_of
from .drivers import Drivers
from .order import circle_text


def troubles(drivers: Drivers, leads: bool, now: float) -> List[str]:
    """Return what is wrong on this node, which ``leads`` or may lead next."""
    found = [circle_text(circle) for circle in drivers.circles]
    waited_for = drivers.waited_for(now) if leads and drivers.granted else ()
    for name, driver in sorted(drivers.by_id.items()):
        why = trouble_of(driver, now)
        if name in waited_for and drivers.cleared and not why and now - max(drivers.began, drivers.clear_at) > PATIENCE:
            why = _not_yet(drivers, driver, now)
        if why:
            found.append(f"{_with_consequence(driver, why, leads, name in waited_for)}; {_where_to_look(driver)}")
    return found


def _not_yet(drivers: Drivers, driver: Driver, now: float) -> str:
    first = [other.id for other in drivers.before(driver) if not other.settled(now)]
    if first and not driver.may_run:
        return f"starts after {', '.join(first)}"
    return "is starting still" if driver.may_run else f"is {driver.phase}"


def _with_consequence(driver: Driver, why: str, leads: bool, waited_for: bool) -> str:
    if leads and driver.can_not_stop:
        why += ", so the role can't be handed on"
    if waited_for:
        return f"the VIP and the API wait for driver {driver.id}, which {why}"
    if leads:
        return f"driver {driver.id} {why}"
    then = "the VIP and the API wait for it" if driver.options.pre_active else "its service does not start"
    return f"driver {driver.id} {why}: if this node becomes active, {then}"


def _where_to_look(driver: Driver) -> str:
    return f"see `{'systemctl status' if driver.session is None else 'journalctl -u'} baton-driver@{driver.id}`"
