# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a lock, or one of its slots, or one lock for each of several things: fair, for as long as the run, with a fencing token."""
from __future__ import annotations

import hashlib
import re
import time
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..client.contender import MOST_MACHINE, machine_name, this_machine
from ..client.error import ClientError
from ..client.locks import MOST_NAMED, Keep, Locks, own_lease
from ..core.model.documents import valid_name
from ..run.notes import RunNotes
from .common import Context, Result, spec

SPEC = spec(
    name={"type": "str", "required": True},
    each={"type": "list", "elements": "str"},
    state={"type": "str", "choices": ["acquired", "released"], "default": "acquired"},
    owner={"type": "str"},
    slots={"type": "int"},
    shared={"type": "bool", "default": False},
    ttl={"type": "str"},
    lease={"type": "str"},
    data={"type": "raw"},
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "float", "default": 300.0},
)
MUTUALLY_EXCLUSIVE = [("slots", "shared")]
LOST = (
    "{owner} has lost lock {lock!r} meanwhile: its lease ended, or somebody broke the lock. What it protects may not have been protected; "
    "{now}"
)
ASKED, RELEASED, EACH = "asked", "released", "each"  # notes
NO_RUN = "10m"  # how long a lock is held where nobody can see the run end: on a host


def run(context: Context) -> Result:
    return _one(context, context.params["name"], context.host) if context.params["each"] is None else _each(context)


def _each(context: Context) -> Result:
    """Take, or release, a lock for each thing: in one order for all, so that no two wait for each other crosswise, and all or none."""
    params, locks, own = context.params, Locks(context.client), this_machine()
    things = sorted({machine_name(thing, True, "", own) for thing in params["each"]})
    end, found = time.monotonic() + params["wait_timeout"], {}
    for thing in things:
        left = max(0.0, end - time.monotonic())
        try:
            found[thing] = _one(replace(context, params={**params, "wait_timeout": left}), _lock_of(params, thing), thing)
        except ClientError:
            if params["state"] == "acquired":
                _give_back(context, locks, [(_lock_of(params, name), got["owner"]) for name, got in found.items() if got["changed"]])
            raise
    if params["state"] == "acquired":
        _note(context, params["name"], "", EACH)
    results = list(found.values())
    whole: Result = {
        "changed": any(result["changed"] for result in results),
        "held": params["state"] == "acquired" and all(result["held"] for result in results),
        "owner": params["owner"] or context.owner,
        "token": None,
        "tokens": {thing: result["token"] for thing, result in found.items()},
        "position": None,
        "lease": next((result["lease"] for result in results if result["lease"]), None),
        "holders": sorted({holder for result in results for holder in result["holders"]}),
    }
    if results and "diff" in results[0]:
        sides = {side: {_lock_of(params, t): result["diff"][side] for t, result in found.items()} for side in ("before", "after")}
        whole["diff"] = sides
    return whole


def _lock_of(params: Mapping[str, Any], thing: str) -> str:
    return f"{params['name']}/{in_a_name(thing)}"


def in_a_name(thing: str) -> str:
    """Return a thing, such as a host, as the part of a lock's name: as it is if it may be one, else its letters and some digits."""
    if valid_name(thing, slashes=True):
        return thing
    letters = re.sub(r"[^A-Za-z0-9_.:@-]", "-", thing).lstrip(".:@-")[:MOST_MACHINE] or "x"
    return f"{letters}@{hashlib.sha256(thing.encode()).hexdigest()[:8]}"


def _give_back(context: Context, locks: Locks, taken: List[Tuple[str, str]]) -> None:
    for name, owner in taken:
        _note(context, name, owner, RELEASED)
        try:
            locks.release(name, owner)
        except ClientError:
            pass  # what stopped us is told; what is left goes with its lease


def _one(context: Context, name: str, machine: str) -> Result:
    params = {**context.params, "owner": context.params["owner"] or context.owner_of(machine)}
    locks = Locks(context.client)
    before = locks.show(name) if context.check or context.diff else None
    if context.check and before is not None:
        return {**_foresee(context, params, name, before), "lease": _lease_of(context, name, params["owner"])}
    if params["state"] == "released":
        left = locks.release(name, params["owner"])
        after = _owners(left) if left is not None else _owners(locks.show(name)["Holders"])
        noted = _note(context, name, params["owner"], RELEASED)
        if left is None:
            _warn_of_release(context, name, params["owner"], noted, after)
        return _result(params, before, after, {}, False, left is not None)
    wait = params["wait_timeout"] if params["wait"] else 0.0
    ttl, keep = _held_for(context)
    _note(context, name, params["owner"], ASKED)
    got = locks.acquire(
        name, params["owner"], ttl, params["slots"], wait, params["data"], params["lease"], context.say, keep, params["shared"]
    )
    token = _note(context, name, params["owner"], f"{got['Token']}")
    if token.isdecimal() and int(token) != got["Token"]:
        context.warnings.append(LOST.format(lock=name, owner=params["owner"], now="it was taken anew"))
    elif token.isdecimal() and got["Changed"] and got["Lease"] != own_lease("lock", name, params["owner"]):
        locks.drop_unused(own_lease("lock", name, params["owner"]))  # the one under which we had it before now
    return _result(params, before, _owners(got["Holders"]), got, True, got["Changed"])


def _note(context: Context, lock: str, owner: str, what: Optional[str] = None) -> str:
    """Note what this run has of a lock: its fencing token, ASKED, RELEASED or EACH; return what was noted before, "" for nothing."""
    if context.play is None:
        return ""
    notes, name = RunNotes(context.play), ("lock", *sorted(context.client.connection.urls), lock, owner)
    before = notes.read(*name) or ""
    if what not in (None, before) and not (what == ASKED and before.isdecimal()):
        notes.write(str(what), *name)
    return before


def _warn_of_release(context: Context, lock: str, owner: str, noted: str, holders: List[str]) -> None:
    """Nothing was released. Say so if that is not what anybody would expect of the run."""
    by = ", ".join(holders[:MOST_NAMED])
    if noted.isdecimal():
        context.warnings.append(LOST.format(lock=lock, owner=owner, now=f"{by} has it now" if by else "nobody has it now"))
    elif context.params["each"] is None and _note(context, lock, "") == EACH:
        context.warnings.append(f"lock {lock!r} was taken for each of several things: nothing was released; give the same each here, too")
    elif not noted and by and context.play is not None:
        context.warnings.append(f"lock {lock!r} is held by {by}, and {owner} has not asked for it: nothing was released; give the owner")


def _held_for(context: Context) -> Tuple[Optional[str], Optional[Keep]]:
    """Return the time for which the lock is held, or what keeps it for as long as the run; neither: as long as its lease, or for ever."""
    params = context.params
    if params["lease"] or params["ttl"] == "0":
        return None, None
    if params["ttl"] is None and context.play is not None and context.play.started is not None:
        return None, context.run_lease.ensure
    return params["ttl"] or NO_RUN, None


def _foresee(context: Context, params: Mapping[str, Any], name: str, before: Dict[str, Any]) -> Result:
    """Who does not wait finds the lock as the hosts of this run that came before would have left it; who waits would have its turn."""
    with context.foreseen.of(f"lock {name}") as seen:
        others = [entry for entry in seen.get("held", ()) if entry["Owner"] != params["owner"]]
        if others and not params["wait"]:
            stand = [entry["Owner"] for entry in before["Holders"]]
            more = [entry for entry in others if entry["Owner"] not in stand]
            before = {**before, "Holders": [*before["Holders"], *more], "Slots": before["Slots"] or params["slots"]}
        result = _predicted(params, before)
        seen["held"] = [*others, {"Owner": params["owner"], "Shared": params["shared"]}] if result["held"] else others
    return result


def _lease_of(context: Context, lock: str, owner: str) -> Optional[str]:
    """Return the lease under which the lock would be held."""
    if context.params["state"] == "released" or context.params["lease"]:
        return context.params["lease"] if context.params["state"] == "acquired" else None
    ttl, keep = _held_for(context)
    if keep is not None and context.play is not None:
        return f"run-{context.play.id}"
    return own_lease("lock", lock, owner) if ttl is not None else None


def _predicted(params: Mapping[str, Any], before: Dict[str, Any]) -> Result:
    """Say what would happen; whether our turn would come in time nobody knows."""
    mine = next((entry for entry in before["Holders"] if entry["Owner"] == params["owner"]), None)
    holders = _owners(before["Holders"])
    if params["state"] == "released":
        after = [owner for owner in holders if owner != params["owner"]]
        return _result(params, before, after, {}, False, mine is not None or params["owner"] in _owners(before["Queue"]))
    held = mine is not None or not holders
    if not held and not before["Queue"]:
        shared = [bool(entry.get("Shared")) for entry in before["Holders"]]
        held = all(shared) if params["shared"] else not any(shared) and len(holders) < (before["Slots"] or 1)
    return _result(params, before, holders if mine else [*holders, params["owner"]], mine or {}, held, held and mine is None)


def _owners(entries: List[Dict[str, Any]]) -> List[str]:
    return [entry["Owner"] for entry in entries]


def _result(
    params: Mapping[str, Any], before: Optional[Mapping[str, Any]], after: List[str], entry: Mapping[str, Any], held: bool, changed: bool
) -> Result:
    result: Result = {
        "changed": changed,
        "held": held,
        "owner": params["owner"],
        "token": entry.get("Token"),
        "position": entry.get("Position"),
        "lease": entry.get("Lease"),
        "holders": after,
    }
    if before is not None:
        result["diff"] = {"before": {"holders": _owners(before["Holders"])}, "after": {"holders": after}}
    return result
