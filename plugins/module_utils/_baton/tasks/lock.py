# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a lock, or one of its slots, for part of a play: fair, expiring, and with a fencing token."""
from __future__ import annotations

from typing import Any, Dict, List, Mapping

from ..locks import Locks
from .common import Context, Result, spec

SPEC = spec(
    name={"type": "str", "required": True},
    state={"type": "str", "choices": ["acquired", "released"], "default": "acquired"},
    owner={"type": "str"},
    slots={"type": "int"},
    ttl={"type": "str", "default": "10m"},
    lease={"type": "str"},
    data={"type": "raw"},
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "float", "default": 300.0},
)


def run(context: Context) -> Result:
    params = {**context.params, "owner": context.params["owner"] or context.host}
    locks = Locks(context.client)
    before = locks.show(params["name"])
    mine = next((entry for entry in before["Holders"] if entry["Owner"] == params["owner"]), None)
    if params["state"] == "released":
        return _release(context, params, locks, before)
    if context.check:
        after = _owners(before) if mine else [*_owners(before), params["owner"]]
        return _result(params, before, after, mine or {}, mine is not None or len(before["Holders"]) < (before["Slots"] or 1))
    wait = params["wait_timeout"] if params["wait"] else 0.0
    ttl = None if params["lease"] or params["ttl"] == "0" else params["ttl"]
    got = locks.acquire(params["name"], params["owner"], ttl, params["slots"], wait, params["data"], params["lease"], context.say)
    return _result(params, before, [entry["Owner"] for entry in got["Holders"]], got, True)


def _release(context: Context, params: Mapping[str, Any], locks: Locks, before: Dict[str, Any]) -> Result:
    known = any(entry["Owner"] == params["owner"] for entry in [*before["Holders"], *before["Queue"]])
    after = [owner for owner in _owners(before) if owner != params["owner"]]
    if known and not context.check:
        locks.release(params["name"], params["owner"])
    return _result(params, before, after, {}, False, known)


def _owners(lock: Mapping[str, Any]) -> List[str]:
    return [entry["Owner"] for entry in lock["Holders"]]


def _result(
    params: Mapping[str, Any], before: Mapping[str, Any], after: List[str], entry: Mapping[str, Any], held: bool, changed: Any = None
) -> Result:
    was_held = params["owner"] in _owners(before)
    return {
        "changed": held != was_held if changed is None else changed,
        "held": held,
        "owner": params["owner"],
        "token": entry.get("Token"),
        "position": entry.get("Position"),
        "lease": entry.get("Lease"),
        "holders": after,
        "diff": {"before": {"holders": _owners(before)}, "after": {"holders": after}},
    }
