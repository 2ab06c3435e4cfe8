# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases of clients and fencing tokens: what an order does to documents. Pure.

A lease is a document that names what is tied to it: a lock, a seat, a place at a barrier, or a value. When it goes, so do they. Time is
not known here: see client_leases.py.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional
from zlib import crc32

from .documents import Change, Lookup, valid_name
from .log import Epoch
from .patch import MISSING, find, pointer
from .problem import Problem
from .values import equal

FENCING = ("system", "fencing")  # the document that has the last token given out
TOKENS_AN_EPOCH = 1 << 32  # below 2^53 for two million changes of active
TOKENS_APART = 1 << 16  # between the first tokens of two reigns with one number
MOST_TTL = 86400.0
LEAST_TTL = 1.0
Value = Dict[str, Any]
Handler = Callable[[Change, Lookup, int], List[Change]]


def grant(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """body: Ttl (seconds), Owner, Profile (whose token made it, or None).

    The same owner again is the same lease, with the TTL that it says now: nothing tied to it goes.
    """
    check_id("lease", change.key)
    old = lookup("leases", change.key)
    if old is not None:
        if (old.value["Owner"], old.value.get("Profile")) != (change.body["Owner"], change.body.get("Profile")):
            raise Problem(409, "exists", f"lease {change.key!r} exists already, with another owner; revoke it, or use another id")
        if old.value["Ttl"] == change.body["Ttl"]:
            return []
        return [Change("leases", change.key, "patch", [{"op": "replace", "path": "/Ttl", "value": change.body["Ttl"]}])]
    return [Change("leases", change.key, "put", {"Id": change.key, **change.body, "Ties": []})]


def revoke(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    lease = lookup("leases", change.key)
    if lease is None:
        raise no_lease(change.key)
    freed = [Change(tie["Kind"], tie["Key"], "untie", tie) for tie in lease.value["Ties"]]
    return [*freed, Change("leases", change.key, "delete")]


def expire(change: Change, lookup: Lookup, floor: int) -> List[Change]:
    """A revocation by the clock; somebody may have been quicker."""
    return revoke(change, lookup, floor) if lookup("leases", change.key) is not None else []


def tie(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """body: Kind and Key of what goes with the lease; Owner of a lock or arrival, Seat at a Path, or Path and Value."""
    lease = lookup("leases", change.key)
    if lease is None:
        raise no_lease(change.key)
    if change.body in lease.value["Ties"]:
        return []
    return [Change("leases", change.key, "patch", [{"op": "add", "path": "/Ties/-", "value": change.body}])]


def tie_value(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """Tie what stands at body["Path"] of a document now."""
    kind, key, path = change.body["Kind"], change.body["Key"], tuple(change.body["Path"])
    document = lookup(kind, key)
    value = MISSING if document is None else find(document.value, path)
    if value is MISSING:
        raise Problem(404, "not_set", f"{pointer(path)} is not set on {kind[:-1]} {key!r}, so it can't be tied to a lease")
    return [Change("leases", change.key, "tie", {"Kind": kind, "Key": key, "Path": list(path), "Value": value})]


def untie_value(change: Change, lookup: Lookup) -> List[Change]:
    """A value goes with its lease, unless it is another's by now."""
    tie = change.body
    document, path = lookup(change.kind, change.key), tuple(tie["Path"])
    standing = MISSING if document is None else find(document.value, path)
    if standing is MISSING or not equal(standing, tie["Value"]):
        return []
    return [Change(change.kind, change.key, "patch", [{"op": "remove", "path": pointer(path)}])]


def loosen(lease: Optional[str], tie: Value, lookup: Lookup) -> List[Change]:
    """Take something out of what is tied to a lease."""
    document = lookup("leases", lease) if lease is not None else None
    if document is None or tie not in document.value["Ties"]:
        return []
    path = f"/Ties/{document.value['Ties'].index(tie)}"
    return [Change("leases", document.key, "patch", [{"op": "remove", "path": path}])]


def check_lease(lease: Optional[str], lookup: Lookup) -> None:
    """Raise Problem 404 for a lease that is none."""
    if lease is not None and lookup("leases", lease) is None:
        raise no_lease(lease)


def tokens_above(epoch: Epoch, forced: bool) -> int:
    """Return what the fencing tokens of a reign are above: they grow with its number.

    ``forced``: the history had a force. Then another side may reign with the same number, and its tokens must be others.
    """
    apart = (crc32(epoch.id.encode()) & 0xFFFF) * TOKENS_APART if forced else 0
    return epoch.number * TOKENS_AN_EPOCH + apart


def next_token(lookup: Lookup, floor: int) -> int:
    last = lookup(*FENCING)
    return max(floor, last.value["Last"] if last is not None else 0) + 1


def no_lease(key: str) -> Problem:
    return Problem(404, "no_lease", f"there is no lease {key[:140]!r}: it was revoked or has expired; what was tied to it is gone")


def check_id(what: str, name: str, slashes: bool = False) -> None:
    """Raise Problem 400 for a name that a lease or lock can't have."""
    if not valid_name(name, slashes):
        raise Problem(
            400, "bad_name", f"{name[:140]!r} can't name a {what}: use letters, digits and _ . : @ - (not first: . : @ -), at most 127"
        )
