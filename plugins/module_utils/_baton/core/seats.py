# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seats of leaders: a param that holds one candidate, or a list of N in the order of winning. Pure.

The param is the truth, so that people and scripts can read and swap it as any other. A document of kind ``seats`` beside it keeps
the fencing tokens. A candidate is any JSON value; of two objects with a Uuid only that is compared, since an address may change.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from .documents import Change, Document, Lookup, default_of
from .leases import FENCING, Value, check_lease, loosen, next_token
from .patch import MISSING, find, pointer
from .problem import Problem
from .values import equal

MOST_SEATS = 100_000


def same(a: Any, b: Any) -> bool:
    """Return whether two values stand for one candidate."""
    if isinstance(a, dict) and isinstance(b, dict) and "Uuid" in a and "Uuid" in b:
        return equal(a["Uuid"], b["Uuid"])
    return equal(a, b)


def leaders(value: Any, ask: Value) -> List[Any]:
    """Return who sits, in the order of winning. ``ask``: Seats (None: the param holds one candidate, not a list) and Vacant."""
    if value is MISSING or value is None or equal(value, ask["Vacant"]):
        return []
    if ask["Seats"] is None:
        return [value]
    if not isinstance(value, list):
        raise Problem(409, "not_seats", "this param holds one value, not a list of leaders: use another param, or give no number of seats")
    return list(value)


def elect(change: Change, lookup: Lookup, floor: int) -> List[Change]:
    """body: Candidate, Seats, Vacant, Lease (None: until resigned), At. Takes a seat, if one is free; else changes nothing."""
    ask = change.body
    if same(ask["Candidate"], ask["Vacant"]):
        raise Problem(422, "bad_candidate", "the candidate is the value that means an empty seat")
    check_lease(ask["Lease"], lookup)
    document = lookup(change.kind, change.key)
    value = _standing(document, change, lookup)
    sitting = leaders(value, ask)
    place = _place(sitting, ask["Candidate"])
    if place is None and len(sitting) >= (ask["Seats"] or 1):
        return []
    changes = [Change("profiles", change.key, "create", {})] if document is None and change.kind == "profiles" else []
    old = _entry(change, ask["Candidate"], lookup)
    if place is None or not equal(sitting[place], ask["Candidate"]):
        changes.append(_write(change, value, sitting, place))
    if place is not None and old is not None and old["Lease"] == ask["Lease"] and equal(old["Candidate"], ask["Candidate"]):
        return changes
    held = old if place is not None else None  # who won keeps the token, whatever else changes
    token = held["Token"] if held is not None else next_token(lookup, floor)
    if held is None:
        changes.append(Change(*FENCING, "put", {"Last": token}))
    entry = {"Candidate": ask["Candidate"], "Token": token, "Lease": ask["Lease"], "At": held["At"] if held else ask["At"]}
    sitting = [*sitting, ask["Candidate"]]
    changes.append(_note(change, [*_others(change, ask["Candidate"], sitting, lookup), entry]))
    if old is not None:
        changes += loosen(old["Lease"], _seat_tie(change, old["Candidate"], old["Lease"], ask), lookup)
    if ask["Lease"] is not None:
        changes.append(Change("leases", ask["Lease"], "tie", _seat_tie(change, ask["Candidate"], ask["Lease"], ask)))
    return changes


def _write(change: Change, value: Any, sitting: Sequence[Any], place: Optional[int]) -> Change:
    """Put the candidate into the param: at its place, or behind those who were faster."""
    ask, path = change.body, pointer(change.at)
    if ask["Seats"] is None:
        operation = {"op": "add", "path": path, "value": ask["Candidate"]}
    elif place is not None:
        operation = {"op": "replace", "path": f"{path}/{place}", "value": ask["Candidate"]}
    elif isinstance(value, list) and value:
        operation = {"op": "add", "path": f"{path}/-", "value": ask["Candidate"]}
    else:
        operation = {"op": "add", "path": path, "value": [ask["Candidate"]]}
    return Change(change.kind, change.key, "patch", [operation])


def resign(change: Change, lookup: Lookup, _floor: int) -> List[Change]:
    """body: Candidate, Seats, Vacant. Gives the seat back; who does not sit changes nothing."""
    ask = change.body
    value = _standing(lookup(change.kind, change.key), change, lookup)
    sitting = leaders(value, ask)
    place = _place(sitting, ask["Candidate"])
    if place is None:
        return []
    changes = [_empty(change.kind, change.key, change.at, place if ask["Seats"] is not None else None, ask["Vacant"])]
    old = _entry(change, ask["Candidate"], lookup)
    if old is not None:
        changes.append(_note(change, _others(change, ask["Candidate"], sitting, lookup)))
        changes += loosen(old["Lease"], _seat_tie(change, old["Candidate"], old["Lease"], ask), lookup)
    return changes


def untie_seat(change: Change, lookup: Lookup) -> List[Change]:
    """The lease of a leader is gone: so is the seat, unless it is held under another by now."""
    tie = change.body
    at = tuple(tie["Path"])
    asked = Change(change.kind, change.key, "untie", {"Seats": tie["Seats"], "Vacant": tie["Vacant"]}, at=at)
    value = _standing(lookup(change.kind, change.key), asked, lookup)
    try:
        sitting = leaders(value, asked.body)
    except Problem:
        return []  # somebody made another thing of the param
    place, old = _place(sitting, tie["Seat"]), _entry(asked, tie["Seat"], lookup)
    if place is None or old is None or old["Lease"] != tie["Lease"]:
        return []
    gone = _empty(change.kind, change.key, at, place if tie["Seats"] is not None else None, tie["Vacant"])
    return [gone, _note(asked, _others(asked, tie["Seat"], sitting, lookup))]


def _empty(kind: str, key: str, at: Sequence[str], place: Optional[int], vacant: Any) -> Change:
    if place is None:
        return Change(kind, key, "patch", [{"op": "replace", "path": pointer(tuple(at)), "value": vacant}])
    return Change(kind, key, "patch", [{"op": "remove", "path": f"{pointer(tuple(at))}/{place}"}])


def holds_seat(tie: Value, token: int, lookup: Lookup) -> bool:
    """Return whether the seat that a lease is tied to is held with this token."""
    at = tuple(tie["Path"])
    asked = Change(tie["Kind"], tie["Key"], "check", {"Seats": tie["Seats"], "Vacant": tie["Vacant"]}, at=at)
    entry = _entry(asked, tie["Seat"], lookup)
    if entry is None or (entry["Lease"], entry["Token"]) != (tie["Lease"], token):
        return False
    value = _standing(lookup(tie["Kind"], tie["Key"]), asked, lookup)
    return any(same(seat, tie["Seat"]) for seat in (value if isinstance(value, list) and tie["Seats"] is not None else [value]))


def token_of(document: Optional[Document], candidate: Any) -> Optional[int]:
    """Return the fencing token in a document of kind ``seats``."""
    for entry in document.value["Seats"] if document is not None else ():
        if same(entry["Candidate"], candidate):
            return int(entry["Token"])
    return None


def note_key(change: Change) -> str:
    """Return the key of the document that has the tokens."""
    return f"{change.kind}/{change.key}/{'/'.join(change.at[1:])}"


def _standing(document: Optional[Document], change: Change, lookup: Lookup) -> Any:
    value = MISSING if document is None else find(document.value, change.at)
    return default_of(change.at[1], lookup) if value is MISSING else value


def _place(sitting: Sequence[Any], candidate: Any) -> Optional[int]:
    return next((index for index, seat in enumerate(sitting) if same(seat, candidate)), None)


def _entries(change: Change, lookup: Lookup) -> List[Value]:
    document = lookup("seats", note_key(change))
    return list(document.value["Seats"]) if document is not None else []


def _entry(change: Change, candidate: Any, lookup: Lookup) -> Optional[Value]:
    return next((entry for entry in _entries(change, lookup) if same(entry["Candidate"], candidate)), None)


def _others(change: Change, candidate: Any, sitting: Sequence[Any], lookup: Lookup) -> List[Value]:
    """Return the notes of those who sit besides the candidate; whoever was put out of the param by hand is forgotten."""
    entries = [entry for entry in _entries(change, lookup) if not same(entry["Candidate"], candidate)]
    return [entry for entry in entries if _place(sitting, entry["Candidate"]) is not None]


def _note(change: Change, entries: List[Value]) -> Change:
    return Change("seats", note_key(change), "put", {"Seats": entries})


def _seat_tie(change: Change, candidate: Any, lease: Optional[str], ask: Dict[str, Any]) -> Value:
    return {
        "Kind": change.kind,
        "Key": change.key,
        "Path": list(change.at),
        "Seat": candidate,
        "Lease": lease,
        "Seats": None if ask["Seats"] is None else 0,  # a list or not; how many there are may change
        "Vacant": ask["Vacant"],
    }
