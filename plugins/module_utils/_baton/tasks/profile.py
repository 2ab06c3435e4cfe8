# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set, extend or remove a profile without touching what the task does not name."""
from __future__ import annotations

from typing import Any, Dict, List, Tuple

from ..client import Answer
from ..client_error import ClientError
from ..core.patch import pointer
from ..core.values import equal
from .common import Context, Result, spec

SPEC = spec(
    name={"type": "str", "required": True},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    description={"type": "str"},
    params={"type": "dict"},
    absent_params={"type": "list", "elements": "str"},
    meta={"type": "dict"},
)
Operations = List[Dict[str, Any]]


def run(context: Context) -> Result:
    params = context.params
    try:
        now: Dict[str, Any] = context.client.get("profiles", params["name"]).body
    except ClientError as error:
        if error.kind != "not_found":
            raise
        now = {}
    if params["state"] == "absent":
        return _remove(context, now)
    return _patch(context, now) if now else _create(context)


def _remove(context: Context, now: Dict[str, Any]) -> Result:
    changed = bool(now)
    if changed and not context.check:
        try:
            context.client.delete("profiles", context.params["name"])
        except ClientError as error:
            if error.kind != "not_found":
                raise
            changed = False  # another host was first
    return {"changed": changed, "profile": None, "diff": {"before": now or "", "after": ""}}


def _create(context: Context) -> Result:
    params = context.params
    wanted: Dict[str, Any] = {"Name": params["name"], "Params": params["params"] or {}, "Meta": params["meta"] or {}}
    wanted["Description"] = params["description"] or ""
    if context.check:
        return {"changed": True, "profile": wanted, "diff": {"before": "", "after": wanted}}
    try:
        made = context.client.create("profiles", wanted)
    except ClientError as error:
        if error.code != "exists":
            raise
        return _patch(context, context.client.get("profiles", params["name"]).body)  # another host was first
    return {"changed": True, "profile": made.body, "revision": made.revision, "diff": {"before": "", "after": made.body}}


def _patch(context: Context, now: Dict[str, Any]) -> Result:
    """Write only what differs, each member by itself: writers of other members are never in the way."""
    operations, before, after = _differences(context.params, now)
    result: Result = {"changed": bool(operations), "diff": {"before": before, "after": after}}
    if not operations:
        return {**result, "profile": now}
    if context.check:
        return {**result, "profile": _predicted(now, after)}
    answer: Answer = context.client.patch("profiles", context.params["name"], operations)
    return {**result, "profile": answer.body, "revision": answer.revision}


def _differences(params: Any, now: Dict[str, Any]) -> Tuple[Operations, Dict[str, Any], Dict[str, Any]]:
    operations: Operations = []
    before: Dict[str, Any] = {}
    after: Dict[str, Any] = {}
    if params["description"] is not None and params["description"] != now.get("Description"):
        operations.append({"op": "add", "path": "/Description", "value": params["description"]})
        before["Description"], after["Description"] = now.get("Description"), params["description"]
    for member, wanted in (("Params", params["params"]), ("Meta", params["meta"])):
        for name, value in sorted((wanted or {}).items()):
            standing = now.get(member, {})
            if name not in standing or not equal(standing[name], value):
                operations.append({"op": "add", "path": pointer((member, name)), "value": value})
                after.setdefault(member, {})[name] = value
                if name in standing:
                    before.setdefault(member, {})[name] = standing[name]
    for name in params["absent_params"] or ():
        if name in now.get("Params", {}):
            operations.append({"op": "remove", "path": pointer(("Params", name))})
            before.setdefault("Params", {})[name] = now["Params"][name]
            after.setdefault("Params", {})
    return operations, before, after


def _predicted(now: Dict[str, Any], after: Dict[str, Any]) -> Dict[str, Any]:
    predicted = dict(now)
    for member, value in after.items():
        predicted[member] = {**now.get(member, {}), **value} if isinstance(value, dict) else value
    return predicted
