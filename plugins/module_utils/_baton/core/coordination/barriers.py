# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Barriers: owners wait for each other until all have come, or until one says that it won't. Pure.

A barrier is used again and again; each time is a generation, numbered from 1. Who gives up breaks the generation: those who wait are told
so at once, those who come later when they come. A broken generation ends when all have come, when one who knows of it comes again, or
when one comes whose run began after it was broken: it means another meeting.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ...ground.patch import pointer
from ...ground.problem import Problem
from ..model.document import Document
from ..model.documents import Change, Lookup
from .leases import Moment, Value, check_id, check_lease

MOST_OWNERS = 100_000
NAMED = 5  # owners whose names a message has
KEPT = 8  # generations whose outcome is remembered, for those who ask late


def arrive(change: Change, lookup: Lookup, moment: Moment) -> List[Change]:
    """body: Owner, Count or Members (None: as it is), Lease (it counts only while that stands; or None), Generation, Age, At.

    Generation: what the owner was told when it came first, so that asking again is not coming again. Age: seconds since its run began.
    """
    check_id("barrier", change.key, slashes=True)
    ask, document = change.body, lookup("barriers", change.key)
    barrier: Value = document.value if document is not None else _new(change.key)
    number, owner = barrier["Generation"], ask["Owner"]
    if ask["Generation"] is not None:
        if ask["Generation"] > number:
            raise Problem(409, "no_generation", f"barrier {change.key!r} has no generation {ask['Generation']}: it was deleted meanwhile")
        if ask["Generation"] < number or owner in barrier["Arrived"]:
            return []
    elif barrier["Broken"] is not None and (owner in barrier["Arrived"] or _is_younger(barrier["Broken"], ask, moment)):
        barrier = _next(barrier, barrier["Broken"])
        number = barrier["Generation"]
    elif owner in barrier["Arrived"] and _is_younger(barrier["Arrived"][owner], ask, moment):
        # It came in an earlier run, which is gone, and maybe others with it. Whoever waits still asks again soon, and comes by that.
        barrier = {**barrier, "Arrived": {name: e for name, e in barrier["Arrived"].items() if not _is_younger(e, ask, moment)}}
    barrier = _sized(barrier, ask)
    if owner in barrier["Arrived"]:
        return []
    check_lease(ask["Lease"], lookup)  # not before: who asks how it ended is told, though its lease may have ended meanwhile
    arrived = {**barrier["Arrived"], owner: {"Lease": ask["Lease"], "At": ask["At"], "Clock": moment.at}}
    full = _is_full(barrier, arrived)
    if full:
        after = _next(barrier, barrier["Broken"] or {"Outcome": "opened", "Arrived": len(arrived)})
    else:
        after = {**barrier, "Arrived": arrived}
    changes = [_save(change.key, document, barrier, after, owner)]
    if ask["Lease"] is not None and not full:
        changes.append(Change("leases", ask["Lease"], "tie", _tie(change.key, owner, ask["Lease"], number)))
    return changes


def _is_full(barrier: Value, arrived: Value) -> bool:
    """Whether all have come. Who breaks a barrier for others by name need not be one of them, and does not come in anybody's stead."""
    if barrier["Members"] is None:
        return barrier["Count"] is not None and len(arrived) >= barrier["Count"]
    return len(arrived) >= len(barrier["Members"]) and all(name in arrived for name in barrier["Members"])


def _is_younger(than: Value, ask: Value, moment: Moment) -> bool:
    """Whether a run began after somebody came, or the generation was broken; by the log's time, whatever clocks its hosts have."""
    clock = than.get("Clock")
    return clock is not None and ask.get("Age") is not None and moment.at - ask["Age"] * 1000 > clock


def _new(key: str) -> Value:
    return {"Name": key, "Generation": 1, "Count": None, "Members": None, "Arrived": {}, "Broken": None, "Past": {}}


def _sized(barrier: Value, ask: Value) -> Value:
    """Return the barrier with the size that the owner says; while somebody waits, nobody may say another."""
    wanted, has = (ask["Count"], ask["Members"]), (barrier["Count"], barrier["Members"])
    if wanted != (None, None) and _by(*wanted) != _by(*has):
        if barrier["Arrived"] and has != (None, None):  # who breaks a new one need not say its size
            differs = _difference(barrier, ask)
            raise Problem(409, "barrier_differs", f"barrier {barrier['Name']!r} {_size(barrier)} while somebody waits, and {differs}")
        barrier = {**barrier, "Count": wanted[0], "Members": wanted[1]}
    if barrier["Count"] is None and barrier["Members"] is None:
        raise Problem(409, "no_size", f"barrier {barrier['Name']!r} is new: say how many it waits for (Count), or for whom (Members)")
    if barrier["Members"] is not None and ask["Owner"] not in barrier["Members"]:
        raise Problem(409, "not_a_member", f"{ask['Owner']!r} is not among those for whom barrier {barrier['Name']!r} waits")
    return barrier


def _by(count: Optional[int], members: Optional[List[str]]) -> Any:
    """Return a size that is the same for the same members in any order."""
    return (count, None if members is None else frozenset(members))


def _size(barrier: Value) -> str:
    return f"waits for {barrier['Count']}" if barrier["Count"] is not None else f"waits for {len(barrier['Members'])} by name"


def _difference(barrier: Value, ask: Value) -> str:
    """Say what an owner wants of a barrier that is another one."""
    wanted, has = ask["Members"], barrier["Members"]
    if wanted is None:
        return f"{ask['Owner']!r} for {ask['Count']}: give the same count"
    if has is None:
        return f"{ask['Owner']!r} for {len(wanted)} by name: give that count instead of members"
    more, fewer = _few([name for name in wanted if name not in set(has)]), _few([name for name in has if name not in set(wanted)])
    parts = [f"{verb} {names}" for verb, names in (("also for", more), ("not for", fewer)) if names]
    return f"{ask['Owner']!r} {' but '.join(parts)}: give the same members"


def _few(names: List[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} others" if len(names) > NAMED else "")


def _save(key: str, document: Optional[Document], before: Value, after: Value, owner: str) -> Change:
    """Write as little as possible: of a thousand who come, each adds itself only."""
    same = document is not None and before is document.value and after["Generation"] == before["Generation"]
    if not same:
        return Change("barriers", key, "put", after)
    return Change("barriers", key, "patch", [{"op": "add", "path": pointer(("Arrived", owner)), "value": after["Arrived"][owner]}])


def _next(barrier: Value, outcome: Value) -> Value:
    """End the generation."""
    past = {**barrier["Past"], str(barrier["Generation"]): outcome}
    kept = sorted(past, key=int)[-KEPT:]
    number = barrier["Generation"] + 1
    return {**barrier, "Generation": number, "Arrived": {}, "Broken": None, "Past": {name: past[name] for name in kept}}


def break_barrier(change: Change, lookup: Lookup, moment: Moment) -> List[Change]:
    """body: Owner, Why, Escape ("fail" or "continue": what the others shall do), Generation (None: the present one), and as for arrive."""
    check_id("barrier", change.key, slashes=True)
    ask, document = change.body, lookup("barriers", change.key)
    barrier: Value = document.value if document is not None else _new(change.key)
    if ask["Generation"] is None and barrier["Broken"] is not None and _is_younger(barrier["Broken"], ask, moment):
        barrier = _next(barrier, barrier["Broken"])
    if ask["Generation"] not in (None, barrier["Generation"]) or barrier["Broken"] is not None:
        return []
    if not barrier["Arrived"] and (ask["Count"], ask["Members"]) != (None, None):
        barrier = {**barrier, "Count": ask["Count"], "Members": ask["Members"]}
    outcome = {"Outcome": "broken", "By": ask["Owner"], "Why": ask["Why"], "Escape": ask["Escape"], "At": ask["At"], "Clock": moment.at}
    return [Change("barriers", change.key, "put", _broken(barrier, outcome))]


def _broken(barrier: Value, outcome: Value) -> Value:
    owner = outcome["By"]
    arrived = {**barrier["Arrived"], owner: barrier["Arrived"].get(owner, {"Lease": None, "At": outcome["At"]})}
    if _is_full(barrier, arrived):
        return _next(barrier, outcome)
    return {**barrier, "Arrived": arrived, "Broken": outcome}


def reset(change: Change, lookup: Lookup, _moment: Moment) -> List[Change]:
    """body: Owner, At. Those who wait are told so; the next to come begins a generation."""
    document = lookup("barriers", change.key)
    if document is None or not document.value["Arrived"] and document.value["Broken"] is None:
        return []
    barrier, ask = document.value, change.body
    why = {"Outcome": "broken", "By": ask["Owner"], "Why": "the barrier was reset", "Escape": "fail", "At": ask["At"]}
    return [Change("barriers", change.key, "put", _next(barrier, barrier["Broken"] or why))]


def is_tied(tie: Value, lookup: Lookup) -> bool:
    """Return whether the owner that a lease points to waits still, in that generation and under that lease."""
    document = lookup("barriers", tie["Key"])
    if document is None or document.value["Generation"] != tie["Generation"] or document.value["Broken"] is not None:
        return False
    entry = document.value["Arrived"].get(tie["Owner"])
    return entry is not None and entry["Lease"] == tie["Lease"]


def untie_arrival(change: Change, lookup: Lookup, moment: Moment) -> List[Change]:
    """The lease of one who waits is gone: it won't go on, so neither may the others."""
    document = lookup("barriers", change.key)
    why = "it stopped waiting: its lease ended"
    outcome = {"Outcome": "broken", "By": change.body["Owner"], "Why": why, "Escape": "fail", "At": moment.at // 1000, "Clock": moment.at}
    return [Change("barriers", change.key, "put", _broken(document.value, outcome))] if document is not None else []


def _tie(key: str, owner: str, lease: str, generation: int) -> Value:
    return {"Kind": "barriers", "Key": key, "Owner": owner, "Lease": lease, "Generation": generation}


def standing(document: Optional[Document], generation: int) -> Dict[str, Any]:
    """Return how a generation stands: {Generation, Outcome, Arrived, Missing, By, Why, Escape}.

    Outcome: "waits", "opened" or "broken"; "gone" when nobody knows any more. Missing: who has not come, where that is known by name.
    """
    answer: Dict[str, Any] = {"Generation": generation, "Outcome": "gone", "Arrived": None, "Missing": None}
    if document is None:
        return answer
    barrier = document.value
    if generation == barrier["Generation"]:
        missing = None if barrier["Members"] is None else [name for name in barrier["Members"] if name not in barrier["Arrived"]]
        answer.update(Outcome="waits", Arrived=len(barrier["Arrived"]), Missing=missing)
    answer.update(barrier["Past"].get(str(generation)) or (generation == barrier["Generation"] and barrier["Broken"]) or {})
    return {member: value for member, value in answer.items() if member != "Clock"}


def came(document: Optional[Document], owner: str) -> int:
    """Return the generation to which an owner came with the change that left ``document``."""
    if document is None:
        return 0
    number = int(document.value["Generation"])
    return number if owner in document.value["Arrived"] else number - 1  # the last to come ended it


def answer(change: Change, _before: Lookup, after: Lookup) -> Value:
    """Return what one is told who comes, or asks again: its generation, and how that stands."""
    document = after("barriers", change.key)
    found = standing(document, change.body["Generation"] or came(document, change.body["Owner"]))
    return {**found, "Missing": None} if found["Missing"] and len(found["Missing"]) > NAMED else found


def answer_end(change: Change, before: Lookup, after: Lookup) -> Value:
    return {"Changed": before("barriers", change.key) is not after("barriers", change.key)}
