# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which order means what: leases, locks, seats and barriers. Pure.

An order (a Change with one of ACTIONS) becomes plain changes, evaluated like any other, all or nothing.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence

from ...ground.problem import Problem
from ...ground.values import is_small
from ..model.documents import Change, Lookup
from . import barriers, leases, locks, seats, ties, tokens
from .leases import Handler, Moment, Value

MOST_SAID = 2000  # bytes: half a million answers are remembered


def expand(change: Change, lookup: Lookup, moment: Moment) -> Optional[List[Change]]:
    """Return the changes that an order comes to (they may be orders, too), or None for a plain change."""
    handler = ACTIONS.get((change.kind, change.action)) or ACTIONS.get(("", change.action))
    return None if handler is None else handler(change, lookup, moment)


def answer(changes: Sequence[Change], before: Lookup, after: Lookup) -> Optional[Value]:
    """Return what the answer to a request says beside the documents that it left, so that a repeat gets the same; None: nothing.

    ``before`` and ``after``: the documents without and with the request's changes.
    """
    asked = [change for change in changes if change.action != "check"]
    change = asked[0]
    handler = ANSWERS.get((change.kind, change.action)) or ANSWERS.get(("", change.action))
    if handler is not None:
        said = handler(change, before, after)
        return said if is_small(said, MOST_SAID) else {name: item for name, item in said.items() if name not in ("Leaders", "Holders")}
    made = change.action == "put" and len(asked) == 1 and before(change.kind, change.key) is None
    return {"Created": True} if made else None


def _check(change: Change, lookup: Lookup, _moment: Moment) -> List[Change]:
    """If-Lease: the lease stands, and what has the token is held."""
    lease, token = leases.standing_lease(change.key, lookup), change.body["Token"]
    for tie in lease.value["Ties"] if lease is not None else ():
        if tie.get("Token", token) != token:
            continue
        if tie["Kind"] == "locks" and locks.holds_lock(tie, token, lookup):
            return []
        if "Seat" in tie and seats.holds_seat(tie, token, lookup):
            return []
    why = "is gone" if lease is None else f"does not hold anything with token {token}"
    raise Problem(412, "lease_lost", f"lease {change.key!r} {why}; nothing was changed: stop what you do under it")


ACTIONS: Dict[Any, Handler] = {
    ("leases", "grant"): leases.grant,
    ("leases", "revoke"): leases.revoke,
    ("leases", "expire"): leases.expire,
    ("leases", "tie"): ties.tie,
    ("leases", "check"): _check,
    ("locks", "acquire"): locks.acquire,
    ("locks", "release"): locks.release,
    ("barriers", "arrive"): barriers.arrive,
    ("barriers", "break"): barriers.break_barrier,
    ("barriers", "reset"): barriers.reset,
    ("seats", "note"): seats.note,
    ("tokens", "make"): tokens.make,
    ("tokens", "expire"): tokens.expire,
    ("", "elect"): seats.elect,
    ("", "resign"): seats.resign,
    ("", "untie"): ties.untie,
}
ANSWERS: Dict[Any, Callable[[Change, Lookup, Lookup], Value]] = {
    ("leases", "grant"): lambda change, _before, after: leases.answer_grant(change, after),
    ("locks", "acquire"): locks.answer,
    ("locks", "release"): locks.answer,
    ("barriers", "arrive"): barriers.answer,
    ("barriers", "break"): barriers.answer_end,
    ("barriers", "reset"): barriers.answer_end,
    ("", "elect"): seats.answer,
    ("", "resign"): seats.answer,
}
