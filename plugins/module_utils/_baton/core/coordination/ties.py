# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tied to a lease, known by who set it and in which term, never by its value. Pure.

A tie in a lease only points; the truth stands with what it points to. A lock and a barrier name the lease themselves. For a param there
is a document beside it: of kind ``seats`` for those who were elected, of kind ``bound`` for a value. Whoever else sets the param ends both:
``settle`` sees to it at every change.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Set

from ...ground.patch import MISSING, find, parse_pointer, pointer
from ...ground.problem import Problem
from ...ground.values import equal, is_small
from ...ground.work import SETTLED, Work
from ..model.document import Document
from ..model.documents import Change, Effect, Lookup
from ..model.kinds import DOCUMENTS, singular
from . import barriers, locks, seats
from .leases import Moment, Value, no_lease, standing_lease

NOTES = ("seats", "bound")  # kinds of the documents beside a param
Noted = Callable[[str, str], Set[str]]  # kind and key of a document → params of it with a note beside them, or a few more
MOST_TIES = 10_000  # of one lease
FEW = 8  # ties that are not looked through, to see which are over
SMALL = 1000  # bytes of a value that a tie has, too


# --- the lease's side ---------------------------------------------------------------------------------------------------


def tie(change: Change, lookup: Lookup, _moment: Moment) -> List[Change]:
    """body: Kind and Key of what goes with the lease; Owner of a lock or arrival, Seat at a Path, or the Path of a value.

    Ties that are over are taken out each time their number has doubled, so that a lease is never more than twice as long as it must be,
    and where there are as many as there may be.
    """
    lease = standing_lease(change.key, lookup)
    if lease is None:
        raise no_lease(change.key)
    ties: List[Value] = lease.value["Ties"]
    if len(ties) >= MOST_TIES or len(ties) >= FEW and len(ties) & (len(ties) - 1) == 0:
        standing = [item for item in live(ties, lookup) if item != change.body]
        if len(standing) >= MOST_TIES:
            raise Problem(409, "too_many_ties", f"lease {change.key!r} has {len(standing)} ties, the most that one may have; use another")
        if len(standing) < len(ties):
            return [Change("leases", change.key, "patch", [{"op": "replace", "path": "/Ties", "value": [*standing, change.body]}])]
    return [Change("leases", change.key, "patch", [{"op": "add", "path": "/Ties/-", "value": change.body}])]


def live(ties: List[Value], lookup: Lookup) -> List[Value]:
    """Return the ties that stand, each once."""
    found: Dict[Any, Value] = {}
    for item in ties:
        if _stands(item, lookup):
            found.setdefault(_name(item), item)
    return list(found.values())


def _name(tie: Value) -> Any:
    """Return what is the same for ties to the same thing."""
    what = pointer(tie["Path"]) if "Path" in tie else tie["Owner"]
    return tie["Kind"], tie["Key"], what, "Seat" in tie, seats.identity(tie.get("Seat"))


def _stands(tie: Value, lookup: Lookup) -> bool:
    if tie["Kind"] == "locks":
        return locks.is_tied(tie, lookup)
    if tie["Kind"] == "barriers":
        return barriers.is_tied(tie, lookup)
    return seats.is_tied(tie, lookup) if "Seat" in tie else _is_bound(tie, lookup)


def untie(change: Change, lookup: Lookup, moment: Moment) -> List[Change]:
    """A lease is gone: so is this, if it is tied still."""
    tie = change.body
    if not _stands(tie, lookup):
        return []
    if change.kind == "locks":
        return locks.untie_lock(change, lookup)
    if change.kind == "barriers":
        return barriers.untie_arrival(change, lookup, moment)
    return seats.untie_seat(change, lookup) if "Seat" in tie else [_remove(tie)]


def _remove(tie: Value) -> Change:
    return Change(tie["Kind"], tie["Key"], "patch", [{"op": "remove", "path": pointer(tie["Path"])}])


def _is_bound(tie: Value, lookup: Lookup) -> bool:
    if "Lease" not in tie:  # as versions before this one tied it
        document = lookup(tie["Kind"], tie["Key"])
        return document is not None and equal(find(document.value, tie["Path"]), tie["Value"])
    bound = lookup("bound", seats.note_of(tie["Kind"], tie["Key"], tie["Path"][1]))
    return bound is not None and bound.value["Lease"] == tie["Lease"]


# --- the document's side ------------------------------------------------------------------------------------------------


def settle(
    change: Change, old: Optional[Document], new: Optional[Document], effect: Effect, lookup: Lookup, work: Work,
    noted: Optional[Noted] = None,
) -> List[Change]:  # fmt: skip
    """Return what a change of a document with params means for what is tied there: whom it puts out, what it ends, what it ties.

    ``work`` pays for each param. With ``noted`` it does not for many that go at once: of those, what is noted is looked at alone.
    """
    known = DOCUMENTS.get(change.kind)
    if known is None or not known.has_params:
        return []
    changes: List[Change] = []
    before, after = _params(old), _params(new)
    params = _set_by(effect, before, after)
    gone = params - after.keys()
    if noted is not None and len(gone) > FEW:
        params -= gone - noted(change.kind, change.key)
    work.spend(SETTLED * len(params))
    for param in sorted(params):
        changes += _left(change, param, after, lookup)
    if change.lease is not None:
        changes += _bind(change, new, lookup)
    return changes


def _set_by(effect: Effect, before: Dict[str, Any], after: Dict[str, Any]) -> Set[str]:
    """Return the params that an effect sets, be it to what they were. Who writes a whole document sets those that it changes."""
    if effect.ops is not None:
        paths = [parse_pointer(item["path"]) for item in effect.ops]
        paths += [parse_pointer(item["from"]) for item in effect.ops if item["op"] == "move"]
        if all(len(path) > 1 for path in paths):
            return {path[1] for path in paths if path[0] == "Params"}
    if not after:
        return set(before)
    return {name for name in {*before, *after} if not equal(before.get(name, MISSING), after.get(name, MISSING))}


def _params(document: Optional[Document]) -> Dict[str, Any]:
    found = find(document.value, ("Params",)) if document is not None else {}
    return found if isinstance(found, dict) else {}


def _left(change: Change, param: str, params: Dict[str, Any], lookup: Lookup) -> List[Change]:
    """The param was set: a value that was bound there is another's now, and only those who sit there still do."""
    key = seats.note_of(change.kind, change.key, param)
    changes = seats.put_out(key, params.get(param, MISSING), lookup)
    bound = lookup("bound", key)
    if bound is not None and not (change.lease == bound.value["Lease"] and change.at[1] == param):
        changes.append(Change("bound", key, "delete"))
    return changes


def _bind(change: Change, new: Optional[Document], lookup: Lookup) -> List[Change]:
    lease, path = str(change.lease), list(change.at)
    value, document = _params(new).get(path[1], MISSING), standing_lease(lease, lookup)
    if value is MISSING:
        where = f"{singular(change.kind)} {change.key!r}"
        raise Problem(404, "not_set", f"{pointer(path)} is not set on {where}, so it can't be tied to a lease")
    if document is None:
        raise no_lease(lease)
    key = seats.note_of(change.kind, change.key, path[1])
    # Versions before this one need the Value: by it they know what goes with the lease. Of a large one they keep what was tied.
    pointing = {"Kind": change.kind, "Key": change.key, "Path": path, "Lease": lease, "Value": value if is_small(value, SMALL) else None}
    # And they end a lease without ending what is bound to it: then it is to be tied to the next one of that name.
    if _is_bound(pointing, lookup) and any(_points_to(item, change) for item in document.value["Ties"]):
        return []
    return [Change("bound", key, "put", {"Lease": lease}), Change("leases", lease, "tie", pointing)]


def _points_to(tie: Value, change: Change) -> bool:
    return (tie["Kind"], tie["Key"], tie.get("Path"), "Seat" in tie) == (change.kind, change.key, list(change.at), False)
