# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare and patch documents or their params: of N hosts that try with one reference, one wins. Several are all or nothing."""
from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Tuple

from ..client import leased
from ..client_error import ClientError
from ..core.patch import Patch, parse_patch
from ..core.problem import Problem
from ..core.values import equal
from .common import Context, Result, spec

ONE: Dict[str, Any] = {
    "kind": {"type": "str", "choices": ["profiles", "machines", "params"], "default": "profiles"},
    "name": {"type": "str", "required": True},
    "param": {"type": "str"},
    "expect": {"type": "raw"},
    "value": {"type": "raw"},
    "patch": {"type": "list", "elements": "dict"},
}
FENCE: Dict[str, Any] = {
    "lease": {"type": "str", "required": True},
    "token": {"type": "int", "required": True, "no_log": False},  # a number that only grows, no secret
}
SPEC = spec(
    kind={"type": "str", "choices": ["profiles", "machines", "params"], "default": "profiles"},
    name={"type": "str"},
    param={"type": "str"},
    expect={"type": "raw"},
    value={"type": "raw"},
    patch={"type": "list", "elements": "dict"},
    batch={"type": "list", "elements": "dict", "options": ONE},
    lease={"type": "str"},
    only_under={"type": "dict", "options": FENCE},
    on_conflict={"type": "str", "choices": ["report", "fail"], "default": "report"},
)
MUTUALLY_EXCLUSIVE = [("patch", "expect"), ("patch", "value"), ("batch", "name"), ("batch", "patch"), ("batch", "value")]
REQUIRED_ONE_OF = [("patch", "value", "batch"), ("name", "batch")]
REQUIRED_TOGETHER = [("expect", "value")]


def run(context: Context) -> Result:
    if context.params["batch"] is None:
        return _run_one(context)
    if context.params["lease"] is not None:
        raise ClientError("usage", "lease ties one param; it has no meaning with batch")
    return _run_batch(context)


def _run_one(context: Context) -> Result:
    params = context.params
    operations = _operations(params)
    if params["patch"] is None and not context.check:
        return _swap(context, operations)
    before = _read(context, params)
    if params["patch"] is None and equal(before, params["value"]):
        return _result(before, before, False, True)
    after = _predict(before, operations)
    if context.check:
        won = not isinstance(after, ClientError)
        return _lost(params, params, before, after) if isinstance(after, ClientError) else _result(before, after, True, won)
    try:
        revision = _patch(context, operations)
    except ClientError as error:
        if error.code not in ("test_failed", "path_missing"):
            raise
        return _lost(params, params, before, error)
    if isinstance(after, ClientError):  # what stood there changed between the look and the patch
        after = _read(context, params)
    return {**_result(before, after, not equal(before, after), True), "revision": revision}


def _swap(context: Context, operations: List[Dict[str, Any]]) -> Result:
    """Expect and value say all that a patch of one param could tell: one request does it."""
    params = context.params
    try:
        revision = _patch(context, operations)
    except ClientError as error:
        if error.code != "test_failed":
            raise
        found = error.problem.get("found")
        if error.problem.get("missing") or not equal(found, params["value"]):
            return _lost(params, params, found, error)
        return _result(found, found, False, True)  # it stands there already
    changed = not equal(params["expect"], params["value"])
    return {**_result(params["expect"], params["value"], changed, True), "revision": revision}


def _operations(params: Mapping[str, Any]) -> List[Dict[str, Any]]:
    if params["patch"] is not None:
        return list(params["patch"])
    if not params["param"]:
        raise ClientError("usage", "expect and value compare one param: name it with param, or give patch")
    return [{"op": "test", "path": "", "value": params["expect"]}, {"op": "replace", "path": "", "value": params["value"]}]


def _read(context: Context, params: Mapping[str, Any]) -> Any:
    client = context.client
    if not params["param"]:
        return client.get(params["kind"], params["name"]).body
    try:
        return client.get_param(params["kind"], params["name"], params["param"]).body
    except ClientError as error:
        if error.code != "not_set":
            raise
        return None


def _under(params: Mapping[str, Any]) -> Dict[str, str]:
    """Return the headers with which a change depends on leases."""
    fence = params["only_under"] or {}
    return leased(params["lease"], fence.get("lease"), fence.get("token"))


def _patch(context: Context, operations: List[Dict[str, Any]]) -> Any:
    client, params = context.client, context.params
    if params["param"]:
        return client.patch_param(params["kind"], params["name"], params["param"], operations, under=_under(params)).revision
    return client.patch(params["kind"], params["name"], operations, want=False, under=_under(params)).revision


def _run_batch(context: Context) -> Result:
    """All of them or none; the answer says which one was in the way."""
    items = context.params["batch"]
    operations = [_operations(item) for item in items]
    before, after = _predict_all(context, items, operations)
    lost = next((index for index, value in enumerate(after) if isinstance(value, ClientError)), None)
    if context.check and lost is not None:
        return {**_lost(items[lost], context.params, before[lost], after[lost]), "lost": lost}
    if not context.check:
        changes = [{"Kind": i["kind"], "Key": i["name"], "Body": ops, **_param_of(i)} for i, ops in zip(items, operations)]
        try:
            context.client.batch(changes, _under(context.params))
        except ClientError as error:
            if error.code not in ("test_failed", "path_missing"):
                raise
            number = int(error.problem.get("change", 0))
            return {**_lost(items[number], context.params, before[number], error), "lost": number}
        if lost is not None:  # what stood there changed between the look and the patch
            after = [_read(context, item) for item in items]
    return {**_result(before, after, any(not equal(a, b) for a, b in zip(before, after)), True), "lost": None}


def _predict_all(context: Context, items: List[Dict[str, Any]], operations: List[List[Dict[str, Any]]]) -> Tuple[List[Any], List[Any]]:
    """Return what each finds and leaves; of several that change one thing, the later find what the earlier left."""
    stands: Dict[Any, Any] = {}
    before, after = [], []
    for item, steps in zip(items, operations):
        target = (item["kind"], item["name"], item["param"])
        if target not in stands:
            stands[target] = _read(context, item)
        before.append(stands[target])
        after.append(_predict(before[-1], steps))
        if not isinstance(after[-1], ClientError):
            stands[target] = after[-1]
    return before, after


def _param_of(item: Mapping[str, Any]) -> Dict[str, str]:
    return {"Param": item["param"]} if item["param"] else {}


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


def _result(before: Any, after: Any, changed: bool, won: bool) -> Result:
    return {"changed": changed, "won": won, "found": before, "value": after, "diff": {"before": _shown(before), "after": _shown(after)}}


def _shown(value: Any) -> Any:
    return value if isinstance(value, dict) else {"value": value}


def _lost(item: Mapping[str, Any], params: Mapping[str, Any], before: Any, error: ClientError) -> Result:
    found = error.problem.get("found", before)
    message = _why(item, found, error)
    if params["on_conflict"] == "fail":
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
