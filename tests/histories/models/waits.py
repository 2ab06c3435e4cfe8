# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-polls: who waits is woken by what is acknowledged before the end of its time. Pure."""

from histories.models.terms import MARGIN
from histories.record import Violation

MODEL = "waits"
WOKEN = "a waiter is woken by what was acknowledged while it waited"
HOLDS = "a waiter is woken when its condition holds"


def judge(history):
    """Return who waited in vain for what was there, and who was woken for nothing."""
    found, adds = [], [one for one in history.of("add") if one.ok]
    for one in history.of("await", "await changed"):
        end = one.sent + one.ask["timeout"] - MARGIN
        in_time = [add for add in adds if add.back < end]
        if one.what == "await changed":
            in_time = [add for add in in_time if add.call > one.ask["after"]]
        needed = one.ask.get("count", 1)
        if one.code == "wait_timeout" and len(in_time) >= needed and in_time:
            last = max(in_time, key=lambda add: add.back)
            text = f"{one.client} waited in vain until {one.back:.3f}; what it waited for was acknowledged at {last.back:.3f} at the latest"
            found.append(Violation(MODEL, WOKEN, one.on, text, [last, one]))
        if one.ok and one.what == "await" and len(one.answer) < needed:
            found.append(
                Violation(
                    MODEL,
                    HOLDS,
                    one.on,
                    f"{one.client} was given {len(one.answer)} of {needed}",
                    [one],
                )
            )
    return found[:3]
