# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases: what is kept in time does not end, what is asked for is there, and what nobody keeps goes. Pure."""

from histories.models.terms import Leases, name_of
from histories.record import Violation

MODEL = "leases"
STANDS = "a lease that was kept in time stands"
MADE = "a lease that is asked for is granted"
UNDER = ("acquire", "elect", "arrive", "write", "batch")


def judge(history):
    """Return the leases that were said to be gone while they stood."""
    leases, found = Leases(history), []
    for one in history.of("grant", "keep", "peek", "ties", *UNDER):
        if one.code != "no_lease":
            continue
        if one.what == "grant":
            found.append(Violation(MODEL, MADE, one.on, f"404 at {one.back:.3f}", [one]))
            continue
        lease = (
            name_of(one)
            if one.what in ("keep", "peek", "ties")
            else one.ask.get("Lease") or one.ask.get("lease")
        )
        witness = leases.surely(lease, one.call, one.back) if lease else None
        if witness is not None:
            text = f"{lease} was said to be gone at {one.back:.3f}"
            found.append(Violation(MODEL, STANDS, f"leases/{lease}", text, [witness, one]))
    return found
