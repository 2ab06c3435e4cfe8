# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a lock, or one of its slots, for part of a play: fair, expiring, and with a fencing token."""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..locks import Keep, Locks
from .common import Context, Result, spec

SPEC = spec(
    name={"type": "str", "required": True},
    state={"type": "str", "choices": ["acquired", "released"], "default": "acquired"},
    owner={"type": "str"},
    slots={"type": "int"},
    ttl={"type": "str"},
    lease={"type": "str"},
    data={"type": "raw"},
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "float", "default": 300.0},
)
NO_RUN = "10m"  # how long a lock is held where nobody can see the run end: on a host


def run(context: Context) -> Result:
    params = {**context.params, "owner": context.params["owner"] or context.owner}
    locks = Locks(context.client)
    before = locks.show(params["name"]) if context.check or context.diff else None
    if context.check and before is not None:
        return _predicted(params, before)
    if params["state"] == "released":
        left = locks.release(params["name"], params["owner"])
        after = _owners(left) if left is not None else _owners(locks.show(params["name"])["Holders"])
        return _result(params, before, after, {}, False, left is not None)
    wait = params["wait_timeout"] if params["wait"] else 0.0
    ttl, keep = _held_for(context)
    lease = params["lease"]
    got = locks.acquire(params["name"], params["owner"], ttl, params["slots"], wait, params["data"], lease, context.say, keep)
    return _result(params, before, _owners(got["Holders"]), got, True, got["Changed"])


def _held_for(context: Context) -> Tuple[Optional[str], Optional[Keep]]:
    """Return the time for which the lock is held, or what keeps it for as long as the run; neither: as long as its lease, or for ever."""
    params = context.params
    if params["lease"] or params["ttl"] == "0":
        return None, None
    if params["ttl"] is None and context.play is not None and context.play.started is not None:
        return None, context.run_lease.ensure
    return params["ttl"] or NO_RUN, None


def _predicted(params: Mapping[str, Any], before: Dict[str, Any]) -> Result:
    """Say what would happen; whether our turn would come in time nobody knows."""
    mine = next((entry for entry in before["Holders"] if entry["Owner"] == params["owner"]), None)
    holders = _owners(before["Holders"])
    if params["state"] == "released":
        after = [owner for owner in holders if owner != params["owner"]]
        return _result(params, before, after, {}, False, mine is not None or params["owner"] in _owners(before["Queue"]))
    held = mine is not None or len(holders) < (before["Slots"] or 1)
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
