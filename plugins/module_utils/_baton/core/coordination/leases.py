# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases of clients and fencing tokens: what an order does to documents. Pure.

A lease is a document that points to what is tied to it: a lock, a seat, a place at a barrier, or a value (ties.py). When it goes, so do
they, each for itself. When it ends is not known here: see client_leases.py.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple
from zlib import crc32

from ...ground.problem import Problem
from ..model.document import Document
from ..model.documents import Change, Lookup, valid_name
from ..model.log import Epoch

FENCING = ("system", "fencing")  # the document that has the last token given out
TOKENS_AN_EPOCH = 1 << 32  # below 2^53 for two million changes of active
TOKENS_APART = 1 << 16  # between the first tokens of two reigns with one number
MOST_TTL = 86400.0
LEAST_TTL = 1.0
MOST_WORK = 1_000  # at once, in steps of about 15 µs
COPIED = 200  # entries of an object that such a step copies
PARSED = 1_500  # bytes of a document that it parses
Value = Dict[str, Any]


class Moment(NamedTuple):
    """When a request is evaluated. ``floor``: no fencing token at or below it is given; it grows with the epoch, so that tokens grow across
    a force, too. ``at``: the log's time in milliseconds.
    """

    floor: int = 0
    at: int = 0


NO_MOMENT = Moment()
Handler = Callable[[Change, Lookup, Moment], List[Change]]


def grant(change: Change, lookup: Lookup, moment: Moment) -> List[Change]:
    """body: Ttl (seconds), Owner, Profile (whose token made it, or None).

    The same owner again is the same lease, with the TTL that it says now: nothing tied to it goes.
    """
    check_id("lease", change.key)
    old = lookup("leases", change.key)
    if old is not None:
        if "Ending" in old.value:
            raise Problem(409, "exists", f"lease {change.key!r} is ending, which takes a moment, since much is tied to it; try again")
        if not is_same_owner(old, change):
            raise Problem(409, "exists", f"lease {change.key!r} exists already, with another owner; revoke it, or use another id")
        if old.value["Ttl"] == change.body["Ttl"]:
            return []
        return [Change("leases", change.key, "patch", [{"op": "replace", "path": "/Ttl", "value": change.body["Ttl"]}])]
    return [Change("leases", change.key, "put", {"Id": change.key, **change.body, "At": moment.at, "Ties": []})]


def is_same_owner(lease: Document, change: Change) -> bool:
    """Return whether who asks for a lease is the one who has it."""
    return bool((lease.value["Owner"], lease.value.get("Profile")) == (change.body["Owner"], change.body.get("Profile")))


def revoke(change: Change, lookup: Lookup, _moment: Moment) -> List[Change]:
    """End a lease. Of one to which much is tied this is a part; its end is ordered again until nothing is left (client_leases.py)."""
    lease = lookup("leases", change.key)
    if lease is None:
        raise no_lease(change.key)
    ties, _work = part_of(lease, lookup)
    freed = [Change(tie["Kind"], tie["Key"], "untie", tie) for tie in ties]
    ended = lease.value.get("Ending", 0) + len(ties)
    if ended == len(lease.value["Ties"]):
        return [*freed, Change("leases", change.key, "delete")]
    return [Change("leases", change.key, "patch", [{"op": "add", "path": "/Ending", "value": ended}]), *freed]


def part_of(lease: Document, lookup: Lookup) -> Tuple[Sequence[Value], int]:
    """Return the ties of a lease that are to be ended next, and what work that is: each may copy what it is tied to.

    ``Ending``: how many have been; a lease without it is not about to end.
    """
    ties, work = lease.value["Ties"][lease.value.get("Ending", 0) :], 0
    for number, tie in enumerate(ties):
        document = lookup(tie["Kind"], tie["Key"])
        work += 1 + (document.cost // PARSED if document is not None and document.is_packed else 0)
        work += _entries(document) // COPIED if work <= MOST_WORK else 0
        if work > MOST_WORK:
            return ties[: max(1, number)], work
    return ties, work


def _entries(document: Optional[Document]) -> int:
    """Return how many entries the objects have in which something can be tied."""
    value = document.value if document is not None else {}
    return len(value) + sum(len(value.get(name) or ()) for name in ("Params", "Holders", "Queue", "Arrived"))


def standing_lease(lease: str, lookup: Lookup) -> Optional[Document]:
    """Return a lease that is neither gone nor about to be."""
    document = lookup("leases", lease)
    return document if document is not None and "Ending" not in document.value else None


def expire(change: Change, lookup: Lookup, moment: Moment) -> List[Change]:
    """A revocation by the clock. body: At, when the lease that is over was granted; somebody may have been quicker, or made it anew."""
    lease = lookup("leases", change.key)
    return revoke(change, lookup, moment) if lease is not None and lease.value.get("At") == change.body["At"] else []


def check_lease(lease: Optional[str], lookup: Lookup) -> None:
    """Raise Problem 404 for a lease that is none."""
    if lease is not None and standing_lease(lease, lookup) is None:
        raise no_lease(lease)


def is_of_term(tie: Value, entry: Value) -> bool:
    """Return whether a tie is of the term in which something is held now; versions before this one did not say of which it is."""
    return (tie["Lease"], tie.get("Token", entry["Token"])) == (entry["Lease"], entry["Token"])


def tokens_above(epoch: Epoch, forced: bool) -> int:
    """Return what the fencing tokens of a reign are above: they grow with its number.

    ``forced``: the history had a force. Then another side may reign with the same number, and its tokens must be others.
    """
    apart = (crc32(epoch.id.encode()) & 0xFFFF) * TOKENS_APART if forced else 0
    return epoch.number * TOKENS_AN_EPOCH + apart


def next_token(lookup: Lookup, moment: Moment) -> int:
    last = lookup(*FENCING)
    return max(moment.floor, last.value["Last"] if last is not None else 0) + 1


def answer_grant(change: Change, after: Lookup) -> Value:
    """Return the lease as it was granted; what is tied to it is its own affair."""
    lease = after("leases", change.key)
    return {**lease.value, "Ties": []} if lease is not None else {}


def no_lease(key: str) -> Problem:
    return Problem(404, "no_lease", f"there is no lease {key[:140]!r}: it was revoked or has expired; what was tied to it is gone")


def check_id(what: str, name: str, slashes: bool = False) -> None:
    """Raise Problem 400 for a name that a lease or lock can't have."""
    if not valid_name(name, slashes):
        raise Problem(
            400, "bad_name", f"{name[:140]!r} can't name a {what}: use letters, digits and _ . : @ - (not first: . : @ -), at most 127"
        )
