# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Register a machine, and set what a task names of it: params, metadata, profiles; nothing else is touched."""
from __future__ import annotations

import uuid
from typing import Any, Dict, Optional

from ..client.error import ClientError
from .common import Context, Result, spec
from .differences import bring_about

SPEC = spec(
    name={"type": "str"},
    uuid={"type": "str"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    address={"type": "str"},
    description={"type": "str"},
    icon={"type": "str"},
    color={"type": "str"},
    meta={"type": "dict"},
    params={"type": "dict"},
    absent_params={"type": "list", "elements": "str"},
    profiles={"type": "list", "elements": "str"},
)
MEMBERS = {"address": "Address", "description": "Description", "profiles": "Profiles"}


def run(context: Context) -> Result:
    now = _find(context)
    if context.params["state"] == "absent":
        return _remove(context, now)
    return _patch(context, now) if now is not None else _create(context)


def _name(context: Context) -> str:
    return str(context.params["name"] or context.host)


def _find(context: Context) -> Optional[Dict[str, Any]]:
    """Return the machine, by its Uuid or else by its name."""
    if context.params["uuid"]:
        try:
            return dict(context.client.get("machines", context.params["uuid"]).body)
        except ClientError as error:
            if error.kind != "not_found":
                raise
            return None
    found = context.client.list("machines", Name=_name(context))
    if len(found) > 1:
        raise ClientError("conflict", f"{len(found)} machines are named {_name(context)!r}; give uuid")
    return found[0] if found else None


def _remove(context: Context, now: Optional[Dict[str, Any]]) -> Result:
    changed = now is not None
    if now is not None and not context.check:
        try:
            context.client.delete("machines", now["Uuid"])
        except ClientError as error:
            if error.kind != "not_found":
                raise
            changed = False  # another was first
    return {"changed": changed, "machine": None, "diff": {"before": now or "", "after": ""}}


def _create(context: Context) -> Result:
    params = context.params
    name = _name(context)
    key = params["uuid"] or str(uuid.uuid5(uuid.NAMESPACE_DNS, name))  # the same for all who register this name at once
    wanted: Dict[str, Any] = {"Uuid": key, "Name": name, "Meta": _meta(params), "Params": params["params"] or {}}
    wanted.update({member: params[option] for option, member in MEMBERS.items() if params[option] is not None})
    if context.check:
        return {"changed": True, "machine": wanted, "diff": {"before": "", "after": wanted}}
    try:
        made = context.client.create("machines", wanted)
    except ClientError as error:
        if error.code != "exists":
            raise
        return _patch(context, dict(context.client.get("machines", key).body))  # another was first
    return {"changed": True, "machine": made.body, "revision": made.revision, "diff": {"before": "", "after": made.body}}


def _meta(params: Any) -> Dict[str, Any]:
    named = {name: params[name] for name in ("icon", "color") if params[name] is not None}
    return {**(params["meta"] or {}), **named}


def _patch(context: Context, now: Dict[str, Any]) -> Result:
    params = context.params
    wanted: Dict[str, Any] = {member: params[option] for option, member in MEMBERS.items() if params[option] is not None}
    if params["uuid"] and params["name"]:
        wanted["Name"] = params["name"]
    inner = {"Params": params["params"], "Meta": _meta(params)}
    return bring_about(context, "machines", now, wanted, inner, params["absent_params"])
