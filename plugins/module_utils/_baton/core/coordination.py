# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which order means what: leases, locks, seats and barriers. Pure.

An order (a Change with one of ACTIONS) becomes plain changes, evaluated like any other, all or nothing.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from . import barriers, leases, locks, seats
from .documents import Change, Lookup
from .problem import Problem


def expand(change: Change, lookup: Lookup, floor: int) -> Optional[List[Change]]:
    """Return the changes that an order comes to (they may be orders, too), or None for a plain change.

    ``floor``: no fencing token at or below it is given; it grows with the epoch, so that tokens grow across a force, too.
    """
    handler = ACTIONS.get((change.kind, change.action)) or ACTIONS.get(("", change.action))
    return None if handler is None else handler(change, lookup, floor)


def _untie(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """A lease is gone, and this was tied to it."""
    tie = change.body
    if change.kind == "locks":
        return locks.untie_lock(change, lookup)
    if change.kind == "barriers":
        return barriers.untie_arrival(change, lookup)
    return seats.untie_seat(change, lookup) if "Seat" in tie else leases.untie_value(change, lookup)


def _check(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """If-Lease: the lease stands, and what has the token is held."""
    lease, token = lookup("leases", change.key), change.body["Token"]
    for tie in lease.value["Ties"] if lease is not None else ():
        if tie["Kind"] == "locks" and locks.holds_lock(tie, token, lookup):
            return []
        if "Seat" in tie and seats.holds_seat(tie, token, lookup):
            return []
    why = "is gone" if lease is None else f"does not hold anything with token {token}"
    raise Problem(412, "lease_lost", f"lease {change.key!r} {why}; nothing was changed: stop what you do under it")


def _read(_change: Change, _lookup: Lookup, _floor: int) -> List[Change]:
    """Change nothing; the answer has the document as the request left it."""
    return []


ACTIONS: Dict[Any, leases.Handler] = {
    ("leases", "grant"): leases.grant,
    ("leases", "revoke"): leases.revoke,
    ("leases", "expire"): leases.expire,
    ("leases", "tie"): leases.tie,
    ("leases", "tie_value"): leases.tie_value,
    ("leases", "check"): _check,
    ("locks", "acquire"): locks.acquire,
    ("locks", "release"): locks.release,
    ("barriers", "arrive"): barriers.arrive,
    ("barriers", "break"): barriers.break_barrier,
    ("barriers", "reset"): barriers.reset,
    ("", "elect"): seats.elect,
    ("", "resign"): seats.resign,
    ("", "untie"): _untie,
    ("", "read"): _read,
}
