# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elect one leader among hosts that may run at the same time under any number of controllers: a compare-and-patch loop."""
from __future__ import annotations

import time
from typing import Any, Dict, Tuple

from ..client_error import ClientError
from ..core.values import equal
from .common import Context, Result, spec

SPEC = spec(
    profile={"type": "str", "required": True},
    param={"type": "str", "default": "my/leader"},
    candidate={"type": "raw"},
    vacant={"type": "raw", "default": "none"},
    state={"type": "str", "choices": ["elected", "resigned"], "default": "elected"},
    eligible={"type": "bool", "default": True},
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "float", "default": 300.0},
)
UNSET = object()


def run(context: Context) -> Result:
    params = dict(context.params)
    params["candidate"] = params["candidate"] or context.host
    if equal(params["candidate"], params["vacant"]):
        raise ClientError("usage", "candidate and vacant are the same value, so nobody could tell a leader from an empty seat")
    if params["state"] == "resigned":
        return _resign(context, params)
    return _elect(context, params)


def _elect(context: Context, params: Dict[str, Any]) -> Result:
    """Take the seat if it is vacant; a race that is lost shows who has it."""
    end = time.monotonic() + params["wait_timeout"]
    while True:
        holder = _holder(context, params)
        if _is_leader(holder, params["vacant"]):
            return _result(params, holder, False)
        if not params["eligible"]:
            if not params["wait"] or context.check:
                return _result(params, holder, False)
            _wait_for_leader(context, params, max(0.1, end - time.monotonic()))
        elif context.check or _take(context, params, holder):
            return _result(params, params["candidate"], True, holder)


def _is_leader(holder: Any, vacant: Any) -> bool:
    return holder is not UNSET and holder is not None and not equal(holder, vacant)


def _holder(context: Context, params: Dict[str, Any]) -> Any:
    """Return who has the seat; UNSET when there is no such param, or no such profile."""
    try:
        return context.client.get_param("profiles", params["profile"], params["param"]).body
    except ClientError as error:
        if error.kind != "not_found":
            raise
        if error.code == "not_found" and params["state"] == "elected" and params["eligible"] and not context.check:
            _make_profile(context, params["profile"])
        return UNSET


def _make_profile(context: Context, name: str) -> None:
    try:
        context.client.create("profiles", {"Name": name}, want=False)
    except ClientError as error:
        if error.code != "exists":
            raise


def _take(context: Context, params: Dict[str, Any], holder: Any) -> bool:
    """Return whether we won the seat; False when somebody was faster."""
    client, profile, param, candidate = context.client, params["profile"], params["param"], params["candidate"]
    try:
        if holder is UNSET:
            client.add_param("profiles", profile, param, candidate)
        else:
            client.swap_param("profiles", profile, param, holder, candidate)
    except ClientError as error:
        if error.code not in ("test_failed", "path_missing", "exists"):
            raise
        return False
    return True


def _wait_for_leader(context: Context, params: Dict[str, Any], timeout: float) -> None:
    profile, param = params["profile"], params["param"]
    started = time.monotonic()
    context.client.wait("profiles", profile, param, "exists", timeout=timeout)
    left = max(0.1, timeout - (time.monotonic() - started))
    context.client.wait("profiles", profile, param, "differs", params["vacant"], timeout=left)


def _resign(context: Context, params: Dict[str, Any]) -> Result:
    holder = _holder(context, params)
    if holder is UNSET or not equal(holder, params["candidate"]):
        return _result(params, holder, False)
    if not context.check:
        try:
            context.client.swap_param("profiles", params["profile"], params["param"], holder, params["vacant"])
        except ClientError as error:
            if error.code != "test_failed":
                raise
            return _result(params, error.problem.get("found"), False)
    return _result(params, params["vacant"], True, holder)


def _result(params: Dict[str, Any], holder: Any, changed: bool, before: Any = None) -> Result:
    leader = holder if _is_leader(holder, params["vacant"]) else None
    was, now = _names(before, holder) if changed else _names(holder, holder)
    return {
        "changed": changed,
        "leader": leader,
        "is_leader": leader is not None and equal(leader, params["candidate"]),
        "candidate": params["candidate"],
        "diff": {"before": {params["param"]: was}, "after": {params["param"]: now}},
    }


def _names(before: Any, after: Any) -> Tuple[Any, Any]:
    return (None if before is UNSET else before), (None if after is UNSET else after)
