# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until a condition on a document holds, without polling, over changes of the active."""
from __future__ import annotations

import time
from typing import Any, Dict, Mapping, Optional, Tuple

from ..client.error import ClientError, short
from ..core.model.conditions import CONDITIONS, WITH_VALUE
from ..core.model.kinds import OFFERED, singular
from .common import Context, Result, spec

SPEC = spec(
    kind={"type": "str", "choices": [*OFFERED], "default": "profiles"},
    name={"type": "str"},
    param={"type": "str"},
    path={"type": "str"},
    condition={"type": "str", "choices": [*CONDITIONS], "default": "exists"},
    value={"type": "raw"},
    filter={"type": "dict"},
    stable_for={"type": "float", "default": 0.0},
    escape={"type": "str"},
    escape_profile={"type": "str"},
    wait_timeout={"type": "float", "default": 300.0},
)
REQUIRED_IF = [("condition", name, ("value",)) for name in WITH_VALUE]
MOST_STABLE = 240.0  # a server waits five minutes at most in one go
MOST_DIGITS = 15  # of a count; what is longer is refused as the text that it is
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
        value, revision = _wait(context, query, limit)
    except ClientError as error:
        if error.code == "escaped":
            escaped = error.problem.get("escape")
        elif error.status != 408:
            raise
        elif not context.check:
            raise ClientError(error.kind, error.message + _missing(context), 408, error.problem) from None
        if escaped is not None and not any(type(escaped) is type(go) and escaped == go for go in CONTINUE):
            message = f"{params['escape']} is {short(escaped)}: somebody told everybody who waits to fail"
            raise ClientError("conflict", message, error.status, error.problem) from None
        value = revision = None
    return {"changed": False, "value": value, "revision": revision, "escaped": escaped, "elapsed": round(time.monotonic() - began, 3)}


def _wait(context: Context, query: Mapping[str, str], limit: float) -> Tuple[Any, Optional[str]]:
    """Return what stands there as soon as the condition holds, and the revision.

    A machine that is given by its name is waited for, too, where there is none of that name yet.
    """
    client, params, end = context.client, context.params, time.monotonic() + limit
    kind, name, condition = params["kind"], params["name"] or "", params["condition"]
    try:
        key = client.key_of(kind, name)
    except ClientError as error:
        if error.kind != "not_found":
            raise
        if condition == "absent":
            return None, None
        key = _when_named(context, query, limit, error.message)
        condition = "exists" if condition == "changed" else condition  # it has appeared since the task began
        limit = max(0.0, end - time.monotonic())
    answer = client.wait(
        kind, key, params["param"], condition, _value(params), timeout=limit, more=query, progress=context.say,
        settled=0.0 if context.check else params["stable_for"],
    )  # fmt: skip
    return answer.body, answer.revision


def _value(params: Mapping[str, Any]) -> Any:
    """Return what the condition compares with. Before ansible-core 2.19 a template gives text: of a count it can only be the number."""
    value = params["value"]
    is_number = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS
    return int(value) if params["condition"] == "count" and is_number else value


def _when_named(context: Context, query: Mapping[str, str], limit: float, nobody: str) -> str:
    """Return the key of a machine as soon as there is one of the name. ``nobody``: what is said if there is none in time."""
    client, kind, name = context.client, context.params["kind"], context.params["name"]
    more = {"Name": name[5:], **{option: value for option, value in query.items() if option != "path"}}
    try:
        client.wait(kind, "", None, "count", 1, timeout=limit, more=more, progress=context.say)
    except ClientError as error:
        if error.status != 408:
            raise
        raise ClientError("conflict", f"{nobody} (waited {limit:g} s)", 408, error.problem) from None
    return client.key_of(kind, name)


def _missing(context: Context) -> str:
    """Say so if what was waited for in vain can't have come, since its document is not there."""
    kind, name = context.params["kind"], context.params["name"]
    if not name or name.startswith("Name:") or not context.params["param"]:
        return ""
    try:
        context.client.get(kind, name)
    except ClientError as error:
        return f": there is no {singular(kind)} {name!r}" if error.kind == "not_found" else ""
    return ""


def _check(params: Any) -> None:
    if not 0 <= params["stable_for"] <= MOST_STABLE:
        raise ClientError("usage", f"stable_for is a number of seconds, from 0 to at most {MOST_STABLE:g} seconds")
    if not params["name"] and (params["condition"] != "count" or params["param"] or params["path"]):
        raise ClientError("usage", f"name which of the {params['kind']} to wait for; without a name wait for their number (count)")
    if params["name"] and params["filter"]:
        raise ClientError("usage", "filter selects among all; it has no meaning with name")
