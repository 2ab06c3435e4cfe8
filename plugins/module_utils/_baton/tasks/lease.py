# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a lease, keep it alive, or end it and all that is tied to it."""
from __future__ import annotations

from typing import Any, Dict, Optional

from ..client.error import ClientError
from ..client.locks import Locks
from ..core.model.access import parse_ttl
from ..ground.problem import Problem
from .common import Context, Result, spec

SPEC = spec(
    id={"type": "str", "required": True},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    ttl={"type": "str", "default": "10m"},
    owner={"type": "str", "default": ""},
)


def run(context: Context) -> Result:
    params, locks = context.params, Locks(context.client)
    now = _find(locks, params["id"])
    if params["state"] == "absent":
        changed = now is not None
        if changed and not context.check:
            changed = locks.revoke(params["id"])
        return _result(changed, now, None)
    after = now
    if context.check:
        after = now or {"Id": params["id"], "Ttl": _seconds(params["ttl"]), "Owner": params["owner"], "Ties": [], "Left": None}
    else:
        locks.grant(params["id"], params["ttl"], params["owner"])
        after = _find(locks, params["id"])
    changed = now is None or (after is not None and after["Ttl"] != now["Ttl"])
    return _result(changed, now, after)


def _seconds(ttl: str) -> Optional[float]:
    try:
        return float(parse_ttl(ttl))
    except Problem:
        return None  # the server says what is wrong with it


def _find(locks: Locks, lease: str) -> Optional[Dict[str, Any]]:
    try:
        return locks.lease(lease)
    except ClientError as error:
        if error.code != "no_lease":
            raise
        return None


def _result(changed: bool, before: Optional[Dict[str, Any]], after: Optional[Dict[str, Any]]) -> Result:
    return {"changed": changed, "lease": after, "diff": {"before": _shown(before), "after": _shown(after)}}


def _shown(lease: Optional[Dict[str, Any]]) -> Any:
    return {name: lease[name] for name in ("Id", "Ttl", "Owner", "Ties")} if lease is not None else ""
