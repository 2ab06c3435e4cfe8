# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until a condition on a document holds, without polling, over changes of the active."""
from __future__ import annotations

import time
from typing import Any, Dict

from ..client_error import ClientError, short
from .common import Context, Result, spec

SPEC = spec(
    kind={"type": "str", "choices": ["profiles", "machines", "params"], "default": "profiles"},
    name={"type": "str"},
    param={"type": "str"},
    path={"type": "str"},
    condition={"type": "str", "choices": ["exists", "absent", "equals", "differs", "in", "count", "changed"], "default": "exists"},
    value={"type": "raw"},
    filter={"type": "dict"},
    stable_for={"type": "float", "default": 0.0},
    escape={"type": "str"},
    escape_profile={"type": "str"},
    wait_timeout={"type": "float", "default": 300.0},
)
REQUIRED_IF = [("condition", name, ("value",)) for name in ("equals", "differs", "in", "count")]
MOST_STABLE = 240.0  # a server waits five minutes at most in one go
CONTINUE = (0, False, "continue", "0")


def run(context: Context) -> Result:
    params = context.params
    _check(params)
    began = time.monotonic()
    query: Dict[str, str] = {name: params[name] for name in ("path", "escape", "escape_profile") if params[name]}
    query.update({name: str(value) for name, value in (params["filter"] or {}).items()})
    limit = 0.0 if context.check else params["wait_timeout"]
    escaped = None
    try:
        answer = context.client.wait(
            params["kind"], params["name"] or "", params["param"], params["condition"], params["value"], timeout=limit,
            more=query, progress=context.say, settled=0.0 if context.check else params["stable_for"],
        )  # fmt: skip
        value, revision = answer.body, answer.revision
    except ClientError as error:
        if error.code == "escaped":
            escaped = error.problem.get("escape")
        elif error.status != 408 or not context.check:
            raise
        if escaped is not None and not any(type(escaped) is type(go) and escaped == go for go in CONTINUE):
            message = f"{params['escape']} is {short(escaped)}: somebody told everybody who waits to fail"
            raise ClientError("conflict", message, error.status, error.problem) from None
        value = revision = None
    return {"changed": False, "value": value, "revision": revision, "escaped": escaped, "elapsed": round(time.monotonic() - began, 3)}


def _check(params: Any) -> None:
    if params["stable_for"] > MOST_STABLE:
        raise ClientError("usage", f"stable_for is at most {MOST_STABLE:g} seconds")
    if not params["name"] and (params["condition"] != "count" or params["param"] or params["path"]):
        raise ClientError("usage", f"name which of the {params['kind']} to wait for; without a name wait for their number (count)")
    if params["name"] and params["filter"]:
        raise ClientError("usage", "filter selects among all; it has no meaning with name")
