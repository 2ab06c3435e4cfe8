# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""If-Lease: what is done under a term is done while it lasts, and not after. Pure."""

import math

from histories.models.terms import Leases, over, terms
from histories.record import Violation

MODEL = "fences"
LATE = "nothing is acknowledged under a term that is known to be over"
EARLY = "who still holds may write"
CHANGES = (
    "write",
    "batch",
    "grant",
    "elect",
    "acquire",
    "release",
    "resign",
    "hand_back",
    "arrive",
    "revoke",
    "make",
)


def judge(history):
    """Return what was wrongly acknowledged, and what was wrongly refused."""
    leases, found, known = Leases(history), [], {}
    for one in history.of(*CHANGES):
        fence = one.ask.get("fence")
        if fence is None:
            continue
        on = fence["on"]
        if on not in known:
            known[on] = terms(history, leases, on)
        term = next((term for term in known[on] if term.token == fence["token"]), None)
        if term is None:
            continue
        end = min(over_but_for(history, leases, term, one), succeeded(history, known[on], term))
        if one.ok and one.call > end:
            text = f"acknowledged at {one.back:.3f} under the term of {term.owner}, which was over at {end:.3f}"
            found.append(Violation(MODEL, LATE, on, text, [term.told_by, one]))
        if one.code == "lease_lost" and term.begin < one.call and one.back < min(end, term.end):
            text = f"refused at {one.back:.3f}, though {term.owner} held it until {term.end:.3f}"
            found.append(Violation(MODEL, EARLY, on, text, [term.told_by, one]))
    return found


def over_but_for(history, leases, term, one):
    """Return when the term was known to be over; what ``one`` itself ended does not count."""
    end = over(history, leases, term)
    return math.inf if end == one.back else end


def succeeded(history, held, term):
    """Return when a client was told that it holds the same thing now, with a higher token and alone."""
    first = history.of("acquire", "elect", on=term.on)[0]
    if (first.ask.get("Slots") or first.ask.get("Seats") or 1) > 1 or term.shared:
        return math.inf
    return min(
        (other.begin for other in held if other.token > term.token and not other.shared),
        default=math.inf,
    )
