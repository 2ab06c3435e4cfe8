# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare and patch one document, or one param of it: of N hosts that try with one reference, one wins."""
from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping

from ..client_error import ClientError
from ..core.patch import Patch, parse_patch
from ..core.problem import Problem
from ..core.values import equal
from .common import Context, Result, spec

SPEC = spec(
    kind={"type": "str", "choices": ["profiles", "machines", "params"], "default": "profiles"},
    name={"type": "str", "required": True},
    param={"type": "str"},
    expect={"type": "raw"},
    value={"type": "raw"},
    patch={"type": "list", "elements": "dict"},
    on_conflict={"type": "str", "choices": ["report", "fail"], "default": "report"},
)
MUTUALLY_EXCLUSIVE = [("patch", "expect"), ("patch", "value")]
REQUIRED_ONE_OF = [("patch", "value")]
REQUIRED_TOGETHER = [("expect", "value")]


def run(context: Context) -> Result:
    params = context.params
    if params["patch"] is None and not params["param"]:
        raise ClientError("usage", "expect and value compare one param: name it with param, or give patch")
    before = _read(context)
    operations = params["patch"]
    if operations is None:
        if equal(before, params["value"]):
            return _result(context, before, before, False, True)
        operations = [
            {"op": "test", "path": "", "value": params["expect"]},
            {"op": "replace", "path": "", "value": params["value"]},
        ]
    after = _predict(before, operations)
    if context.check:
        won = not isinstance(after, ClientError)
        return _lost(context, before, after) if isinstance(after, ClientError) else _result(context, before, after, True, won)
    try:
        revision = _patch(context, operations)
    except ClientError as error:
        if error.code not in ("test_failed", "path_missing"):
            raise
        return _lost(context, before, error)
    if isinstance(after, ClientError):  # what stood there changed between the look and the patch
        after = _read(context)
    return {**_result(context, before, after, not equal(before, after), True), "revision": revision}


def _read(context: Context) -> Any:
    client, params = context.client, context.params
    if not params["param"]:
        return client.get(params["kind"], params["name"]).body
    try:
        return client.get_param(params["kind"], params["name"], params["param"]).body
    except ClientError as error:
        if error.code != "not_set":
            raise
        return None


def _patch(context: Context, operations: List[Dict[str, Any]]) -> Any:
    client, params = context.client, context.params
    if params["param"]:
        return client.patch_param(params["kind"], params["name"], params["param"], operations).revision
    return client.patch(params["kind"], params["name"], operations, want=False).revision


def _predict(before: Any, operations: List[Dict[str, Any]]) -> Any:
    """Return what the patch would make of ``before``, or the ClientError that it would end with."""
    work = Patch(before, 0)
    try:
        for operation in parse_patch(operations):
            work.apply(operation)
    except Problem as problem:
        if problem.status != 409:
            raise ClientError("usage", problem.detail, problem.status, problem.to_json()) from None
        return ClientError("conflict", problem.detail, 409, problem.to_json())
    return work.value


def _result(context: Context, before: Any, after: Any, changed: bool, won: bool) -> Result:
    return {"changed": changed, "won": won, "found": before, "value": after, "diff": {"before": _shown(before), "after": _shown(after)}}


def _shown(value: Any) -> Any:
    return value if isinstance(value, dict) else {"value": value}


def _lost(context: Context, before: Any, error: ClientError) -> Result:
    found = error.problem.get("found", before)
    message = _why(context.params, found, error)
    if context.params["on_conflict"] == "fail":
        raise ClientError(error.kind, message, error.status, error.problem)
    return {
        "changed": False,
        "won": False,
        "found": found,
        "value": found,
        "operation": error.problem.get("operation"),
        "msg": message,
        "diff": {"before": _shown(before), "after": _shown(before)},
    }


def _why(params: Mapping[str, Any], found: Any, error: ClientError) -> str:
    """Say in the user's words what was expected and what stood there."""
    if params["patch"] is not None:
        return error.message
    wanted, stands = json.dumps(params["expect"]), json.dumps(found)[:200]
    return f"param {params['param']!r} of {params['kind'][:-1]} {params['name']!r} is not {wanted} but {stands}; nothing was changed"
