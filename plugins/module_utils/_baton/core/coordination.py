# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases of clients, locks with slots and a fair queue, fencing tokens: what an order does to documents. Pure.

An order (a Change with one of ACTIONS) becomes plain changes, evaluated like any other, all or nothing. A lease is a document that
names what is tied to it; a lock has Holders and a Queue, each by owner. Time is not known here: see client_leases.py.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

from .documents import Change, Document, Lookup, valid_name
from .patch import MISSING, find, pointer
from .problem import Problem
from .values import equal

FENCING = ("system", "fencing")  # the document that has the last token given out
TOKENS_AN_EPOCH = 1 << 32  # below 2^53 for two million changes of active
MOST_TTL = 86400.0
LEAST_TTL = 1.0
MOST_SLOTS = 100_000
Value = Dict[str, Any]


def expand(change: Change, lookup: Lookup, floor: int) -> Optional[List[Change]]:
    """Return the changes that an order comes to (they may be orders, too), or None for a plain change.

    ``floor``: no fencing token at or below it is given; it grows with the epoch, so that tokens grow across a force, too.
    """
    handler = ACTIONS.get((change.kind, change.action)) or ACTIONS.get(("", change.action))
    return None if handler is None else handler(change, lookup, floor)


# --- leases -----------------------------------------------------------------------------------------------------------


def _grant(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """body: Ttl (seconds), Owner. The same owner again is the same lease, with the TTL that it says now: nothing tied to it goes."""
    check_id("lease", change.key)
    old = lookup("leases", change.key)
    if old is not None:
        if old.value["Owner"] != change.body["Owner"]:
            raise Problem(409, "exists", f"lease {change.key!r} exists already, with another owner; revoke it, or use another id")
        if old.value["Ttl"] == change.body["Ttl"]:
            return []
        return [Change("leases", change.key, "patch", [{"op": "replace", "path": "/Ttl", "value": change.body["Ttl"]}])]
    return [Change("leases", change.key, "put", {"Id": change.key, **change.body, "Ties": []})]


def _revoke(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    lease = lookup("leases", change.key)
    if lease is None:
        raise no_lease(change.key)
    freed = [Change(tie["Kind"], tie["Key"], "untie", tie) for tie in lease.value["Ties"]]
    return [*freed, Change("leases", change.key, "delete")]


def _expire(change: Change, lookup: Lookup, floor: int) -> List[Change]:
    """A revocation by the clock; somebody may have been quicker."""
    return _revoke(change, lookup, floor) if lookup("leases", change.key) is not None else []


def _tie(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """body: Kind, Key and either Owner (of a lock) or Path and Value of what goes when the lease does."""
    lease = lookup("leases", change.key)
    if lease is None:
        raise no_lease(change.key)
    if change.body in lease.value["Ties"]:
        return []
    return [Change("leases", change.key, "patch", [{"op": "add", "path": "/Ties/-", "value": change.body}])]


def _tie_value(change: Change, lookup: Lookup, floor: int) -> List[Change]:
    """Tie what stands at body["Path"] of a document now."""
    kind, key, path = change.body["Kind"], change.body["Key"], tuple(change.body["Path"])
    document = lookup(kind, key)
    value = MISSING if document is None else find(document.value, path)
    if value is MISSING:
        raise Problem(404, "not_set", f"{pointer(path)} is not set on {kind[:-1]} {key!r}, so it can't be tied to a lease")
    return [Change("leases", change.key, "tie", {"Kind": kind, "Key": key, "Path": list(path), "Value": value})]


def _untie(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """A lease is gone: so is what was tied to it, unless it is another's by now."""
    tie = change.body
    if "Owner" in tie:
        document = lookup("locks", change.key)
        entry = _entry(document, tie["Owner"])
        return _leave(document, tie["Owner"]) if document is not None and entry is not None and entry["Lease"] == tie["Lease"] else []
    document, path = lookup(change.kind, change.key), tuple(tie["Path"])
    standing = MISSING if document is None else find(document.value, path)
    if standing is MISSING or not equal(standing, tie["Value"]):
        return []
    return [Change(change.kind, change.key, "patch", [{"op": "remove", "path": pointer(path)}])]


def _check(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """If-Lease: the lease stands, and what has the token is held (not only queued for)."""
    lease, token = lookup("leases", change.key), change.body["Token"]
    for tie in lease.value["Ties"] if lease is not None else ():
        document = lookup("locks", tie["Key"]) if "Owner" in tie else None
        entry = document.value["Holders"].get(tie["Owner"]) if document is not None else None
        if entry is not None and (entry["Lease"], entry["Token"]) == (change.key, token):
            return []
    why = "is gone" if lease is None else f"does not hold anything with token {token}"
    raise Problem(412, "lease_lost", f"lease {change.key!r} {why}; nothing was changed: stop what you do under it")


def no_lease(key: str) -> Problem:
    return Problem(404, "no_lease", f"there is no lease {key[:140]!r}: it was revoked or has expired; what was tied to it is gone")


# --- locks ------------------------------------------------------------------------------------------------------------


def _acquire(change: Change, lookup: Lookup, floor: int) -> List[Change]:
    """body: Owner, Lease (None: until released), Slots (None: as it is, else 1), Queue (wait in line), Data, At."""
    check_id("lock", change.key, slashes=True)
    ask, old = change.body, lookup("locks", change.key)
    lock: Value = old.value if old is not None else {"Name": change.key, "Slots": ask["Slots"] or 1, "Holders": {}, "Queue": {}}
    if ask["Slots"] not in (None, lock["Slots"]):
        raise Problem(409, "slots_differ", f"lock {change.key!r} has {lock['Slots']} slots while somebody holds it, not {ask['Slots']}")
    if ask["Lease"] is not None and lookup("leases", ask["Lease"]) is None:
        raise no_lease(ask["Lease"])
    mine = _entry(old, ask["Owner"])
    if old is not None and mine is not None:
        return _change_lease(old, ask["Owner"], ask["Lease"], lookup)
    part = "Holders" if len(lock["Holders"]) < lock["Slots"] else "Queue"
    if part == "Queue" and not ask["Queue"]:
        raise locked(change.key, lock)
    token = _next_token(lookup, floor)
    entry = {"Token": token, "Lease": ask["Lease"], "Data": ask["Data"], "At": ask["At"]}
    changes = [Change(*FENCING, "put", {"Last": token})]
    if old is None:
        changes.append(Change("locks", change.key, "put", {**lock, part: {ask["Owner"]: entry}}))
    else:
        changes.append(Change("locks", change.key, "patch", [{"op": "add", "path": pointer((part, ask["Owner"])), "value": entry}]))
    if ask["Lease"] is not None:
        changes.append(Change("leases", ask["Lease"], "tie", _lock_tie(change.key, ask["Owner"], ask["Lease"])))
    return changes


def _change_lease(document: Document, owner: str, new: Optional[str], lookup: Lookup) -> List[Change]:
    """The owner has it already: it keeps its place and token, under the lease that it names now."""
    part = "Holders" if owner in document.value["Holders"] else "Queue"
    old = document.value[part][owner]["Lease"]
    if old == new:
        return []
    operation = {"op": "replace", "path": pointer((part, owner, "Lease")), "value": new}
    changes = [Change("locks", document.key, "patch", [operation]), *_loosen(document.key, owner, old, lookup)]
    if new is not None:
        changes.append(Change("leases", new, "tie", _lock_tie(document.key, owner, new)))
    return changes


def _lock_tie(key: str, owner: str, lease: str) -> Value:
    return {"Kind": "locks", "Key": key, "Owner": owner, "Lease": lease}


def _loosen(key: str, owner: str, lease: Optional[str], lookup: Lookup) -> List[Change]:
    """Take a lock out of what is tied to a lease."""
    document = lookup("leases", lease) if lease is not None else None
    tie = _lock_tie(key, owner, lease or "")
    if document is None or tie not in document.value["Ties"]:
        return []
    path = f"/Ties/{document.value['Ties'].index(tie)}"
    return [Change("leases", document.key, "patch", [{"op": "remove", "path": path}])]


def _next_token(lookup: Lookup, floor: int) -> int:
    last = lookup(*FENCING)
    return max(floor, last.value["Last"] if last is not None else 0) + 1


def _release(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """body: Owner, Token (None: whichever). Only the owner's own entry goes; who waits longest gets the slot."""
    document, owner = lookup("locks", change.key), change.body["Owner"]
    entry = _entry(document, owner)
    if document is None or entry is None:
        held = f"; held by {_names(document.value)}" if document is not None else ": nobody does"
        raise Problem(409, "not_held", f"{owner!r} neither holds nor waits for lock {change.key!r}{held}", holders=holders(document))
    if change.body["Token"] not in (None, entry["Token"]):
        raise Problem(409, "other_token", f"{owner!r} holds lock {change.key!r} with token {entry['Token']}, not {change.body['Token']}")
    return [*_leave(document, owner), *_loosen(change.key, owner, entry["Lease"], lookup)]


def _leave(document: Document, owner: str) -> List[Change]:
    lock = document.value
    others = len(lock["Holders"]) + len(lock["Queue"]) - 1
    if not others:
        return [Change("locks", document.key, "delete")]
    if owner in lock["Queue"]:
        return [Change("locks", document.key, "patch", [{"op": "remove", "path": pointer(("Queue", owner))}])]
    operations = [{"op": "remove", "path": pointer(("Holders", owner))}]
    if lock["Queue"]:
        first = min(lock["Queue"], key=lambda name: int(lock["Queue"][name]["Token"]))
        operations.append({"op": "move", "from": pointer(("Queue", first)), "path": pointer(("Holders", first))})
    return [Change("locks", document.key, "patch", operations)]


def _entry(document: Optional[Document], owner: str) -> Optional[Value]:
    if document is None:
        return None
    found = document.value["Holders"].get(owner) or document.value["Queue"].get(owner)
    return found if isinstance(found, dict) else None


def holders(document: Optional[Document]) -> List[Value]:
    """Return who holds a lock, in the order of winning: [{Owner, Token, Lease, Data, At}]."""
    if document is None:
        return []
    found = [{"Owner": owner, **entry} for owner, entry in document.value["Holders"].items()]
    return sorted(found, key=lambda entry: int(entry["Token"]))


def standing(document: Optional[Document], owner: str) -> Value:
    """Return where ``owner`` stands: {Held, Token, Position, Ahead}; Position among the holders, Ahead in the queue (else None)."""
    none = {"Held": False, "Token": None, "Position": None, "Ahead": None}
    entry = _entry(document, owner)
    if document is None or entry is None:
        return none
    held = owner in document.value["Holders"]
    others = document.value["Holders" if held else "Queue"].values()
    before = sum(other["Token"] < entry["Token"] for other in others)
    return {"Held": held, "Token": entry["Token"], "Position": before if held else None, "Ahead": None if held else before}


def locked(key: str, lock: Value) -> Problem:
    """Return the answer to one who does not get a lock."""
    document = Document("locks", key, lock, "", 0)
    return Problem(409, "locked", f"lock {key!r} is held by {_names(lock)}", holders=holders(document))


def _names(lock: Value) -> str:
    names = [entry["Owner"] for entry in holders(Document("locks", "", lock, "", 0))]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} others" if len(names) > 5 else "") or "nobody"


def check_id(what: str, name: str, slashes: bool = False) -> None:
    """Raise Problem 400 for a name that a lease or lock can't have."""
    if not valid_name(name, slashes):
        raise Problem(
            400, "bad_name", f"{name[:140]!r} can't name a {what}: use letters, digits and _ . : @ - (not first: . : @ -), at most 127"
        )


Handler = Callable[[Change, Lookup, int], List[Change]]
ACTIONS: Dict[Any, Handler] = {
    ("leases", "grant"): _grant,
    ("leases", "revoke"): _revoke,
    ("leases", "expire"): _expire,
    ("leases", "tie"): _tie,
    ("leases", "tie_value"): _tie_value,
    ("leases", "check"): _check,
    ("locks", "acquire"): _acquire,
    ("locks", "release"): _release,
    ("", "untie"): _untie,
}
