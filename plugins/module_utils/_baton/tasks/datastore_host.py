# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a host in the pool, described as a task says, with a token for its guest in a file; or have it leave the pool."""
from __future__ import annotations

import os
from typing import Any, Dict, Optional, Tuple

from ..client import pool
from ..client.error import ClientError
from ..core.model.access import token_id
from . import token_file
from .common import Context, Result, spec
from .differences import bring_about

SPEC = spec(
    name={"type": "str", "required": True},
    address={"type": "str"},
    region={"type": "str"},
    flavors={"type": "dict"},
    datastores={"type": "dict"},
    ram={"type": "int"},
    volume={"type": "int"},
    port={"type": "int"},
    maintenance={"type": "bool"},
    path={"type": "path"},
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
)
Value = Dict[str, Any]
SAID = ("address", "region", "flavors", "datastores", "ram", "volume", "port", "maintenance")  # what people say of a host
TRIES = 5  # if others make it and take it away meanwhile
TOKEN = "token of its guest, in the file"


def run(context: Context) -> Result:
    if context.params["state"] == "absent":
        return _leave(context)
    wanted, path = _wanted(context), context.params["path"]
    kept = _kept(context)
    result, is_new = _described(context, wanted)
    if not path or kept is not None and not is_new:
        return {**result, "token_id": kept}
    with token_file.alone(path):
        return _with_token(context, result, path)


def _described(context: Context, wanted: Value) -> Tuple[Result, bool]:
    """Have the host in the pool as it is wanted; return what was done, and whether the host is new."""
    tries = TRIES
    while True:
        now = _find(context)
        try:
            return (_make(context, wanted), True) if now is None else (_change(context, now, wanted), False)
        except ClientError as error:
            tries -= 1
            if not tries or error.code != "exists" and error.kind != "not_found":
                raise  # else another was first


def _find(context: Context) -> Optional[Value]:
    try:
        return dict(context.client.get(pool.POOL, context.params["name"]).body)
    except ClientError as error:
        if error.kind != "not_found":
            raise
        return None


def _wanted(context: Context) -> Value:
    """Return what the task says of the host, as it is kept."""
    params = context.params
    said = {name: params[name] for name in SAID if params[name] is not None}
    if "address" in said:
        said["address"] = pool.checked_address(said["address"])
    if "flavors" in said:
        said["flavors"] = pool.checked_flavors(_numbers(said["flavors"]) if context.text_for_numbers else said["flavors"])
    for name in ("ram", "volume"):
        if said.get(name, 1) < 0:
            raise ClientError("usage", f"{name} is a number from 0, not {said[name]}")
    if "port" in said:
        pool.checked_port(said["port"])
    if "datastores" in said:
        said["datastores"] = pool.checked_datastores(said["datastores"])
    return said


def _numbers(flavors: Value) -> Value:
    """Return flavors whose sizes are numbers, where a template gave them as text."""
    return {
        key: {name: int(v) if name in pool.SIZES and isinstance(v, str) and v.isdecimal() else v for name, v in each.items()}
        if isinstance(each, dict) else each
        for key, each in flavors.items()
    }  # fmt: skip


def _make(context: Context, wanted: Value) -> Result:
    name = context.params["name"]
    if "address" not in wanted:
        raise ClientError("usage", f"{name} is not in the pool: give address, at which its servers are reached")
    meta = {"region": "", "flavors": pool.FLAVORS, "maintenance": False, **wanted}
    document = {"Name": name, "Meta": meta, "Params": {}}
    if not context.check:
        document = context.client.create(pool.POOL, document).body
    return {"changed": True, "host": pool.shown(document), "diff": {"before": {}, "after": {"Meta": meta}}}


def _change(context: Context, now: Value, wanted: Value) -> Result:
    now = {**now, "Meta": now["Meta"] if isinstance(now.get("Meta"), dict) else {}}
    news = {name: value for name, value in wanted.items() if value or now["Meta"].get(name)}  # empty and not said are the same
    result = bring_about(context, pool.POOL, now, {}, {"Meta": news}, None)
    return {"changed": result["changed"], "host": pool.shown(result["host"]), "diff": result["diff"]}


# --- the token -----------------------------------------------------------------------------------------------------------


def _kept(context: Context) -> Optional[str]:
    """Return the id of the token in the file if it opens what the guest needs.

    ClientError where it is good for something else, or nothing can be written there.
    """
    name, path = context.params["name"], context.params["path"]
    if not path:
        return None
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise ClientError("usage", f"can't write the token to {path}: there is no such directory")
    text = token_file.read(path)
    scope = _scope(context, text) if text else None
    if scope is not None and scope != {"kind": "guest", "name": name}:
        of = " ".join(str(each) for each in scope.values())
        raise ClientError("usage", f"{path} has a token that is good for something else ({of}): give each host a path of its own")
    return None if scope is None else token_id(text)


def _scope(context: Context, token: str) -> Optional[Value]:
    """Return what a token is for, None if it is not valid."""
    try:
        return dict(context.client.request("GET", "/tokens/self", headers={"Authorization": f"Bearer {token}"}).body["Scope"])
    except ClientError as error:
        if error.status != 401 and error.kind != "usage":
            raise
        return None


def _with_token(context: Context, result: Result, path: str) -> Result:
    """Have a token for the host's guest in the file."""
    kept = _kept(context)
    if kept is not None:  # another task was first
        return {**result, "token_id": kept}
    result = {**result, "changed": True, "token_id": None}
    result["diff"]["before"][TOKEN], result["diff"]["after"][TOKEN] = "", path
    if context.check:
        return result
    name = context.params["name"]
    made = context.client.create_token({"kind": "guest", "name": name}, description=f"of the guest of {name}")
    try:
        token_file.write(path, made["Token"])
    except ClientError:
        context.client.revoke_token(made["Id"])  # nobody has it
        raise
    return {**result, "token_id": made["Id"]}


# --- out of the pool -----------------------------------------------------------------------------------------------------


def _leave(context: Context) -> Result:
    """The token of the host's guest ends with the host; its file goes, too."""
    name, path = context.params["name"], context.params["path"]
    has_file = bool(path) and os.path.exists(path)
    if has_file:
        _kept(context)
    now = _find(context)
    is_there = now is not None and _removed(context, name)
    if has_file and not context.check:
        token_file.remove(path)
    before: Value = {"Meta": now["Meta"]} if now is not None and is_there else {}
    before.update({TOKEN: path} if has_file else {})
    return {"changed": is_there or has_file, "host": None, "token_id": None, "diff": {"before": before, "after": {}}}


def _removed(context: Context, name: str) -> bool:
    """Remove a host; return whether it was there still."""
    if context.check:
        pool.refuse_to_remove(context.client, name)
        return True
    try:
        pool.remove(context.client, name)
    except ClientError as error:
        if error.kind != "not_found":
            raise
        return False  # another was first
    return True
