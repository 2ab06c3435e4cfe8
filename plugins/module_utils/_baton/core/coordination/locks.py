# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks with slots, readers beside one writer, and a fair queue: what an order does to documents. Pure.

A lock has Holders and a Queue, each by owner; one that nobody holds is no document. Holders are all Shared, any number of them, or none
is, and there are as many as the lock has Slots.
"""

from __future__ import annotations

import heapq
from typing import Dict, List, Optional

from ...ground.patch import pointer
from ...ground.problem import Problem
from ..model.document import Document
from ..model.documents import Change, Lookup
from .leases import FENCING, Moment, Value, check_id, check_lease, is_of_term, next_token

MOST_SLOTS = 100_000
FEW = 8  # holders that an answer is remembered with, or that are let in one by one


def acquire(change: Change, lookup: Lookup, moment: Moment) -> List[Change]:
    """body: Owner, Lease (None: until released), Slots (None: as it is, else 1), Shared, Queue (wait in line), Data, At."""
    check_id("lock", change.key, slashes=True)
    ask, old = change.body, lookup("locks", change.key)
    lock: Value = old.value if old is not None else {"Name": change.key, "Slots": ask["Slots"] or 1, "Holders": {}, "Queue": {}}
    if ask["Slots"] not in (None, lock["Slots"]):
        raise Problem(409, "slots_differ", f"lock {change.key!r} has {lock['Slots']} slots while somebody holds it, not {ask['Slots']}")
    check_lease(ask["Lease"], lookup)
    mine, shared = _entry(old, ask["Owner"]), bool(ask.get("Shared"))
    if old is not None and mine is not None:
        if shared != _is_shared(mine):
            has = "shared" if _is_shared(mine) else "alone"
            raise Problem(409, "shared_differs", f"{ask['Owner']!r} has lock {change.key!r} {has}; release it before you take it otherwise")
        return _change_lease(old, ask["Owner"], ask["Lease"])
    part = "Holders" if not lock["Queue"] and _has_room(lock["Slots"], lock["Holders"], shared) else "Queue"
    if part == "Queue" and not ask["Queue"]:
        raise locked(change.key, lock)
    token = next_token(lookup, moment)
    entry = {"Token": token, "Lease": ask["Lease"], "Data": ask["Data"], "At": ask["At"], **({"Shared": True} if shared else {})}
    changes = [Change(*FENCING, "put", {"Last": token})]
    if old is None:
        changes.append(Change("locks", change.key, "put", {**lock, part: {ask["Owner"]: entry}}))
    else:
        changes.append(Change("locks", change.key, "patch", [{"op": "add", "path": pointer((part, ask["Owner"])), "value": entry}]))
    if ask["Lease"] is not None:
        changes.append(_tie(change.key, ask["Owner"], ask["Lease"], token))
    return changes


def _is_shared(entry: Value) -> bool:
    return bool(entry.get("Shared"))


def _has_room(slots: int, holders: Dict[str, Value], shared: bool) -> bool:
    """Return whether one more may hold a lock beside ``holders``, who are all shared or none is."""
    if not holders:
        return True
    if _is_shared(next(iter(holders.values()))):
        return shared
    return not shared and len(holders) < int(slots)


def _change_lease(document: Document, owner: str, new: Optional[str]) -> List[Change]:
    """The owner has it already: it keeps its place and token, under the lease that it names now."""
    part = "Holders" if owner in document.value["Holders"] else "Queue"
    entry = document.value[part][owner]
    if entry["Lease"] == new:
        return []
    changes = [Change("locks", document.key, "patch", [{"op": "replace", "path": pointer((part, owner, "Lease")), "value": new}])]
    return [*changes, _tie(document.key, owner, new, entry["Token"])] if new is not None else changes


def _tie(key: str, owner: str, lease: str, token: int) -> Change:
    return Change("leases", lease, "tie", {"Kind": "locks", "Key": key, "Owner": owner, "Lease": lease, "Token": token})


def is_tied(tie: Value, lookup: Lookup) -> bool:
    """Return whether the owner that a lease points to has, or waits for, the lock under that lease, and since then."""
    entry = _entry(lookup("locks", tie["Key"]), tie["Owner"])
    return entry is not None and is_of_term(tie, entry)


def release(change: Change, lookup: Lookup, _moment: Moment) -> List[Change]:
    """body: Owner, Token (None: whichever). Only the owner's own entry goes; who waits longest gets the slot."""
    check_id("lock", change.key, slashes=True)
    document, owner = lookup("locks", change.key), change.body["Owner"]
    entry = _entry(document, owner)
    if document is None or entry is None:
        held = f"; held by {_names(document.value)}" if document is not None else ": nobody does"
        raise Problem(409, "not_held", f"{owner!r} neither holds nor waits for lock {change.key!r}{held}")
    if change.body["Token"] not in (None, entry["Token"]):
        raise Problem(409, "other_token", f"{owner!r} holds lock {change.key!r} with token {entry['Token']}, not {change.body['Token']}")
    return _leave(document, owner)


def _leave(document: Document, owner: str) -> List[Change]:
    """Take an owner out; as many of those who wait are let in, longest waiting first, as there is room for then."""
    lock = document.value
    part = "Holders" if owner in lock["Holders"] else "Queue"
    holders, queue = ({name: entry for name, entry in lock[of].items() if name != owner} for of in ("Holders", "Queue"))
    if not holders and not queue:
        return [Change("locks", document.key, "delete")]
    line = [(int(entry["Token"]), name) for name, entry in queue.items()]
    heapq.heapify(line)
    entering: List[str] = []
    while line and _has_room(lock["Slots"], holders, _is_shared(queue[line[0][1]])):
        entering.append(heapq.heappop(line)[1])
        holders[entering[-1]] = queue[entering[-1]]
    if len(entering) > FEW:  # readers: moved one by one, thousands of them would copy the lock as often
        left = {name: entry for name, entry in queue.items() if name not in holders}
        return [Change("locks", document.key, "put", {**lock, "Holders": holders, "Queue": left})]
    operations = [{"op": "remove", "path": pointer((part, owner))}]
    operations += [{"op": "move", "from": pointer(("Queue", name)), "path": pointer(("Holders", name))} for name in entering]
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
    """The lease of an owner is gone: so is his place."""
    document = lookup("locks", change.key)
    return _leave(document, change.body["Owner"]) if document is not None else []


def holds_lock(tie: Value, token: int, lookup: Lookup) -> bool:
    """Return whether what a lease is tied to is held (not only queued for) with this token."""
    document = lookup("locks", tie["Key"])
    entry = document.value["Holders"].get(tie["Owner"]) if document is not None else None
    return entry is not None and (entry["Lease"], entry["Token"]) == (tie["Lease"], token)


def shown(document: Optional[Document], name: str = "") -> Value:
    """Return a lock for people and modules, in the order of asking; one that nobody holds is not stored, and free."""
    if document is None:
        return {"Name": name, "Slots": None, "Holders": [], "Queue": []}
    queue: List[Value] = [{"Owner": owner, **entry} for owner, entry in document.value["Queue"].items()]
    queue.sort(key=lambda entry: int(entry["Token"]))
    return {"Name": document.key, "Slots": document.value["Slots"], "Holders": holders(document), "Queue": queue}


def answer(change: Change, before: Lookup, after: Lookup) -> Value:
    """Return what the owner is told of acquiring or releasing: where it stands, whether that is new and, of a few, who holds the lock."""
    owner, old, new = change.body["Owner"], before("locks", change.key), after("locks", change.key)
    where, was, now = standing(new, owner), _entry(old, owner), _entry(new, owner)
    keys = ("Token", "Lease")
    changed = where["Held"] != standing(old, owner)["Held"] or [(was or {}).get(k) for k in keys] != [(now or {}).get(k) for k in keys]
    few = new is None or len(new.value["Holders"]) <= FEW
    return {**where, "Changed": changed, **({"Holders": holders(new)} if few else {})}
