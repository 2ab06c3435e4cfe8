# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set, extend or remove a profile without touching what the task does not name."""
from __future__ import annotations

from typing import Any, Dict

from ..client.error import ClientError
from .common import Context, Result, spec
from .differences import bring_about

SPEC = spec(
    name={"type": "str", "required": True},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    description={"type": "str"},
    params={"type": "dict"},
    absent_params={"type": "list", "elements": "str"},
    meta={"type": "dict"},
)


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
    params = context.params
    whole = {} if params["description"] is None else {"Description": params["description"]}
    inner = {"Params": params["params"], "Meta": params["meta"]}
    return bring_about(context, "profiles", now, whole, inner, params["absent_params"])
