# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a token, keep one in a file fresh, or revoke one. Where a file is given, the secret is nowhere else."""
from __future__ import annotations

import os
import time
from typing import Any, Dict, Optional

from ..client.api import scope_of
from ..client.error import ClientError
from ..core.model.access import OF_ONE, parse_ttl, token_id
from ..ground.problem import Problem
from . import token_file
from .common import Context, Result, spec

SPEC = spec(
    profile={"type": "str"},
    project={"type": "str"},
    viewer={"type": "bool", "default": False},
    guest={"type": "str"},
    ttl={"type": "str"},
    description={"type": "str", "default": ""},
    path={"type": "path"},
    refresh_before={"type": "str", "default": "1h"},
    id={"type": "str"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
)

SHOWN = "the token stands in the result, where callbacks and logs show it: give path, which keeps it in a file, or no_log on the task"


def run(context: Context) -> Result:
    params = context.params
    text = token_file.read(params["path"])
    if params["state"] == "absent":
        return _revoke(context, params["id"] or (token_id(text) if text else None))
    scope = scope_of(params["profile"], params["project"], params["viewer"], params["guest"])
    now = _known(context, token_id(text)) if text else None
    if now is not None and now["Scope"] == scope and _lasts(now, params["refresh_before"]):
        return _result(False, now["Id"], now["Expires"], scope, now, now)
    if context.check:
        if scope["kind"] in OF_ONE:
            context.client.get(OF_ONE[scope["kind"]], scope["name"])  # without it there would be no token
        return _result(True, None, None, scope, now, {"Scope": scope})
    made = context.client.create_token(scope, params["ttl"], params["description"])
    shown = _result(True, made["Id"], made["Expires"], scope, now, {"Id": made["Id"], "Scope": scope})
    if not params["path"]:
        context.warnings.append(SHOWN)
        return {**shown, "token": made["Token"]}
    try:
        token_file.write(params["path"], made["Token"])
    except ClientError:
        context.client.revoke_token(made["Id"])  # nobody has it
        raise
    return shown


def _known(context: Context, key: str) -> Optional[Dict[str, Any]]:
    return next((item for item in context.client.tokens() if item["Id"] == key), None)


def _lasts(token: Dict[str, Any], refresh_before: str) -> bool:
    try:
        left = 0 if refresh_before == "0" else parse_ttl(refresh_before)
    except Problem as problem:
        raise ClientError("usage", f"refresh_before: {problem.detail}") from None
    return token["Expires"] is None or token["Expires"] - time.time() > left


def _revoke(context: Context, key: Optional[str]) -> Result:
    path = context.params["path"]
    if key is None and not path:
        raise ClientError("usage", "say which token to revoke: id, or path of the file that has it")
    now = _known(context, key) if key is not None else None
    changed = now is not None or bool(path and os.path.exists(path))
    if changed and not context.check:
        if now is not None:
            context.client.revoke_token(now["Id"])
        if path:
            token_file.remove(path)
    return _result(changed, key, None, now["Scope"] if now else None, now, None)


def _result(changed: bool, key: Optional[str], expires: Optional[int], scope: Any, before: Any, after: Any) -> Result:
    diff = {"before": _shown(before), "after": _shown(after)}
    return {"changed": changed, "id": key, "expires": expires, "scope": scope, "token": None, "diff": diff}


def _shown(token: Optional[Dict[str, Any]]) -> Any:
    return {name: token[name] for name in ("Id", "Scope") if name in token} if token else ""
