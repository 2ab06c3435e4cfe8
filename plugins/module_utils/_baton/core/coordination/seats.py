# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seats of leaders: a param that holds one candidate, or a list of N in the order of winning. Pure.

The param is the truth, so that people and scripts can read and swap it as any other. A document of kind ``seats`` beside it keeps
the fencing tokens of those who sit there since they were elected: who is put out of the param loses it (ties.py). A candidate is any
JSON value; of two objects with a Uuid only that is compared, since an address may change.
"""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

from ...ground.patch import MISSING, find, pointer
from ...ground.problem import Problem
from ...ground.values import equal
from ..model.document import Document
from ..model.documents import Change, Lookup, default_of
from .leases import FENCING, Moment, Value, check_lease, is_of_term, next_token

MOST_SEATS = 100_000
FEW = 8  # leaders that an answer is remembered with


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


def elect(change: Change, lookup: Lookup, moment: Moment) -> List[Change]:
    """body: Candidate, Seats, Vacant, Lease (None: until resigned), Run, At. Takes a seat, if one is free; else changes nothing."""
    ask = change.body
    if same(ask["Candidate"], ask["Vacant"]):
        raise Problem(422, "bad_candidate", "the candidate is the value that means an empty seat")
    check_lease(ask["Lease"], lookup)
    document = lookup(change.kind, change.key)
    sitting = leaders(_standing(document, change, lookup), ask)
    place, most = _place(sitting, ask["Candidate"]), ask["Seats"] or 1
    if (len(sitting) if place is None else place) >= most:
        return []
    changes = [Change("profiles", change.key, "create", {})] if document is None and change.kind == "profiles" else []
    is_set = document is not None and find(document.value, change.at) is not MISSING
    if place is None or not is_set or not equal(sitting[place], ask["Candidate"]):
        changes.append(_write(change, is_set, sitting, place))
    old = _entry(change, ask["Candidate"], lookup) if place is not None else None
    if old is not None and old["Lease"] == ask["Lease"] and equal(old["Candidate"], ask["Candidate"]):
        return changes
    token = old["Token"] if old is not None else next_token(lookup, moment)  # who won keeps the token, whatever else changes
    if old is None:
        changes.append(Change(*FENCING, "put", {"Last": token}))
    won = {"At": ask["At"], "Run": ask.get("Run")} if old is None else {"At": old["At"], "Run": old.get("Run")}
    entry = {"Candidate": ask["Candidate"], "Token": token, "Lease": ask["Lease"], **won}
    changes.append(Change("seats", note_key(change), "note", entry))
    if ask["Lease"] is not None:
        changes.append(_tie(change, entry))
    return changes


def note(change: Change, lookup: Lookup, _moment: Moment) -> List[Change]:
    """body: the entry of one who sits. Of thousands who are elected each writes itself only."""
    entry, document = change.body, lookup("seats", change.key)
    if document is None:
        return [Change("seats", change.key, "put", {"Seats": [entry]})]
    place = _place([other["Candidate"] for other in document.value["Seats"]], entry["Candidate"])
    operation = {"op": "add", "path": "/Seats/-"} if place is None else {"op": "replace", "path": f"/Seats/{place}"}
    return [Change("seats", change.key, "patch", [{**operation, "value": entry}])]


def put_out(key: str, value: Any, lookup: Lookup) -> List[Change]:
    """The param beside the note ``key`` was set to ``value``: only those who sit there still have their tokens."""
    document = lookup("seats", key)
    if document is None:
        return []
    there = set(map(identity, value)) if isinstance(value, list) else set()
    noted = document.value["Seats"]
    gone = [place for place, entry in enumerate(noted) if identity(entry["Candidate"]) not in there and not same(value, entry["Candidate"])]
    if len(gone) == len(noted):
        return [Change("seats", key, "delete")]
    if len(gone) > FEW:
        left = set(range(len(noted))).difference(gone)
        return [Change("seats", key, "put", {"Seats": [noted[place] for place in sorted(left)]})]
    return [Change("seats", key, "patch", [{"op": "remove", "path": f"/Seats/{place}"} for place in reversed(gone)])] if gone else []


def _write(change: Change, is_set: bool, sitting: Sequence[Any], place: Optional[int]) -> Change:
    """Put the candidate into the param: at its place, or behind those who were faster."""
    candidate, path = change.body["Candidate"], pointer(change.at)
    if change.body["Seats"] is None:
        operation = {"op": "add", "path": path, "value": candidate}
    elif not is_set or not sitting:
        row = list(sitting)
        row[len(row) if place is None else place :] = [candidate, *row[len(row) if place is None else place + 1 :]]
        operation = {"op": "add", "path": path, "value": row}
    elif place is not None:
        operation = {"op": "replace", "path": f"{path}/{place}", "value": candidate}
    else:
        operation = {"op": "add", "path": f"{path}/-", "value": candidate}
    return Change(change.kind, change.key, "patch", [operation])


def resign(change: Change, lookup: Lookup, _moment: Moment) -> List[Change]:
    """body: Candidate, Seats, Vacant. Gives the seat back; who does not sit changes nothing."""
    ask, document = change.body, lookup(change.kind, change.key)
    sitting = leaders(_standing(document, change, lookup), ask)
    place = _place(sitting, ask["Candidate"])
    if place is None or document is None:
        return []
    if find(document.value, change.at) is MISSING:  # the schema's default sits there
        others = [seat for index, seat in enumerate(sitting) if index != place] if ask["Seats"] is not None else ask["Vacant"]
        return [Change(change.kind, change.key, "patch", [{"op": "add", "path": pointer(change.at), "value": others}])]
    return [_empty(change.kind, change.key, change.at, place if ask["Seats"] is not None else None, ask["Vacant"])]


def untie_seat(change: Change, lookup: Lookup) -> List[Change]:
    """The lease of a leader is gone: so is the seat."""
    tie = change.body
    asked = Change(change.kind, change.key, "untie", {"Seats": tie["Seats"], "Vacant": tie["Vacant"]}, at=tuple(tie["Path"]))
    try:
        place = _place(leaders(_standing(lookup(change.kind, change.key), asked, lookup), asked.body), tie["Seat"])
    except Problem:
        return []  # somebody made another thing of the param
    if place is None:
        return []
    return [_empty(change.kind, change.key, asked.at, place if tie["Seats"] is not None else None, tie["Vacant"])]


def is_tied(tie: Value, lookup: Lookup) -> bool:
    """Return whether the leader that a lease points to sits under that lease, and since then."""
    entry = next((e for e in _noted(tie["Kind"], tie["Key"], tie["Path"], lookup) if same(e["Candidate"], tie["Seat"])), None)
    return entry is not None and is_of_term(tie, entry)


def _empty(kind: str, key: str, at: Sequence[str], place: Optional[int], vacant: Any) -> Change:
    if place is None:
        return Change(kind, key, "patch", [{"op": "replace", "path": pointer(tuple(at)), "value": vacant}])
    return Change(kind, key, "patch", [{"op": "remove", "path": f"{pointer(tuple(at))}/{place}"}])


def holds_seat(tie: Value, token: int, lookup: Lookup) -> bool:
    """Return whether the seat that a lease is tied to is held with this token. Versions before this one noted who was put out by hand."""
    document, noted = lookup(tie["Kind"], tie["Key"]), _noted(tie["Kind"], tie["Key"], tie["Path"], lookup)
    value = MISSING if document is None else find(document.value, tie["Path"])
    if not same(value, tie["Seat"]) and not (isinstance(value, list) and any(same(seat, tie["Seat"]) for seat in value)):
        return False
    return any(same(e["Candidate"], tie["Seat"]) and (e["Lease"], e["Token"]) == (tie["Lease"], token) for e in noted)


def identity(candidate: Any) -> Any:
    """Return what is equal, and hashes alike, for two values just when they are ``same``."""
    return ("Uuid", _plain(candidate["Uuid"])) if isinstance(candidate, dict) and "Uuid" in candidate else _plain(candidate)


def _plain(value: Any) -> Any:
    """Return the value itself where Python compares it as JSON has it, to which true is not 1."""
    if isinstance(value, dict):
        return ("members", frozenset((name, _plain(item)) for name, item in value.items()))
    if isinstance(value, list):
        return ("list", *map(_plain, value))
    return ("bool", value) if isinstance(value, bool) else value


def note_of(kind: str, key: str, param: str) -> str:
    """Return the key of the documents beside a param: the tokens of those who were elected, the lease to which the value is bound."""
    return f"{kind}/{key}/{param}"


def note_key(change: Change) -> str:
    return note_of(change.kind, change.key, "/".join(change.at[1:]))


def _standing(document: Optional[Document], change: Change, lookup: Lookup) -> Any:
    value = MISSING if document is None else find(document.value, change.at)
    return default_of(change.at[1], lookup) if value is MISSING else value


def _place(sitting: Sequence[Any], candidate: Any) -> Optional[int]:
    return next((index for index, seat in enumerate(sitting) if same(seat, candidate)), None)


def _noted(kind: str, key: str, path: Sequence[str], lookup: Lookup) -> List[Value]:
    document = lookup("seats", note_of(kind, key, "/".join(path[1:])))
    return list(document.value["Seats"]) if document is not None else []


def _entry(change: Change, candidate: Any, lookup: Lookup) -> Optional[Value]:
    noted = _noted(change.kind, change.key, change.at, lookup)
    return next((entry for entry in noted if same(entry["Candidate"], candidate)), None)


def _tie(change: Change, entry: Value) -> Change:
    ask = change.body
    tie = {
        "Kind": change.kind,
        "Key": change.key,
        "Path": list(change.at),
        "Seat": entry["Candidate"],
        "Lease": ask["Lease"],
        "Seats": None if ask["Seats"] is None else 0,  # a list or not; how many there are may change
        "Vacant": ask["Vacant"],
        "Token": entry["Token"],
    }
    return Change("leases", ask["Lease"], "tie", tie)


def answer(change: Change, before: Lookup, after: Lookup) -> Value:
    """Return what a candidate is told: {Elected, Position, Token, Run, Changed and, of a few, Leaders}.

    One who was not elected is told Since, too: when (unix seconds) the first of those who sit was.
    """
    told, sitting = standing(change, after)
    values = [_standing(look(change.kind, change.key), change, look) for look in (before, after)]
    notes = [look("seats", note_key(change)) for look in (before, after)]
    told["Changed"] = not equal(*values) or _values(notes[0]) != _values(notes[1])
    if sitting and not told["Elected"]:
        first = _entry(change, sitting[0], after)
        told["Since"] = first["At"] if first is not None else None  # None: somebody put it there by hand
    return {**told, "Leaders": sitting} if len(sitting) <= FEW else told


def standing(change: Change, lookup: Lookup) -> Tuple[Value, List[Any]]:
    """Return where a candidate stands, {Elected, Position, Token, Run}, and who sits."""
    ask = change.body
    sitting = leaders(_standing(lookup(change.kind, change.key), change, lookup), ask)
    place = _place(sitting, ask["Candidate"])
    if place is not None and place >= (ask["Seats"] or 1):
        place = None  # it sits beyond the seats that there are now
    entry = (_entry(change, ask["Candidate"], lookup) if place is not None else None) or {}
    return {"Elected": place is not None, "Position": place, "Token": entry.get("Token"), "Run": entry.get("Run")}, sitting


def _values(note: Optional[Document]) -> Any:
    return [(entry["Token"], entry["Lease"]) for entry in note.value["Seats"]] if note is not None else []
