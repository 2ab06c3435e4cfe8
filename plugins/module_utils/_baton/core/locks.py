# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks with slots and a fair queue: what an order does to documents. Pure.

A lock has Holders and a Queue, each by owner; one that nobody holds is no document.
"""

from __future__ import annotations

from typing import List, Optional

from .documents import Change, Document, Lookup
from .leases import FENCING, Value, check_id, check_lease, loosen, next_token
from .patch import pointer
from .problem import Problem

MOST_SLOTS = 100_000


def acquire(change: Change, lookup: Lookup, floor: int) -> List[Change]:
    """body: Owner, Lease (None: until released), Slots (None: as it is, else 1), Queue (wait in line), Data, At."""
    check_id("lock", change.key, slashes=True)
    ask, old = change.body, lookup("locks", change.key)
    lock: Value = old.value if old is not None else {"Name": change.key, "Slots": ask["Slots"] or 1, "Holders": {}, "Queue": {}}
    if ask["Slots"] not in (None, lock["Slots"]):
        raise Problem(409, "slots_differ", f"lock {change.key!r} has {lock['Slots']} slots while somebody holds it, not {ask['Slots']}")
    check_lease(ask["Lease"], lookup)
    mine = _entry(old, ask["Owner"])
    if old is not None and mine is not None:
        return _change_lease(old, ask["Owner"], ask["Lease"], lookup)
    part = "Holders" if len(lock["Holders"]) < lock["Slots"] else "Queue"
    if part == "Queue" and not ask["Queue"]:
        raise locked(change.key, lock)
    token = next_token(lookup, floor)
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
    changes = [Change("locks", document.key, "patch", [operation]), *loosen(old, _lock_tie(document.key, owner, old or ""), lookup)]
    if new is not None:
        changes.append(Change("leases", new, "tie", _lock_tie(document.key, owner, new)))
    return changes


def _lock_tie(key: str, owner: str, lease: str) -> Value:
    return {"Kind": "locks", "Key": key, "Owner": owner, "Lease": lease}


def release(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """body: Owner, Token (None: whichever). Only the owner's own entry goes; who waits longest gets the slot."""
    document, owner = lookup("locks", change.key), change.body["Owner"]
    entry = _entry(document, owner)
    if document is None or entry is None:
        held = f"; held by {_names(document.value)}" if document is not None else ": nobody does"
        raise Problem(409, "not_held", f"{owner!r} neither holds nor waits for lock {change.key!r}{held}", holders=holders(document))
    if change.body["Token"] not in (None, entry["Token"]):
        raise Problem(409, "other_token", f"{owner!r} holds lock {change.key!r} with token {entry['Token']}, not {change.body['Token']}")
    return [*_leave(document, owner), *loosen(entry["Lease"], _lock_tie(change.key, owner, entry["Lease"] or ""), lookup)]


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


def untie_lock(change: Change, lookup: Lookup) -> List[Change]:
    """The lease of an owner is gone: so is his place, unless he is there under another lease by now."""
    owner, document = change.body["Owner"], lookup("locks", change.key)
    entry = _entry(document, owner)
    return _leave(document, owner) if document is not None and entry is not None and entry["Lease"] == change.body["Lease"] else []


def holds_lock(tie: Value, token: int, lookup: Lookup) -> bool:
    """Return whether what a lease is tied to is held (not only queued for) with this token."""
    document = lookup("locks", tie["Key"])
    entry = document.value["Holders"].get(tie["Owner"]) if document is not None else None
    return entry is not None and (entry["Lease"], entry["Token"]) == (tie["Lease"], token)
