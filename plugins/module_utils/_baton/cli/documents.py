# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl profiles, machines, params, …: whole documents, of each kind that there is. Their params and metadata are in params.py."""
from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple

from ..client.error import ClientError
from ..core.model.kinds import OFFERED, singular
from . import params
from .common import Context, add_group, add_verb, json_of, key_of, key_word, object_of, value_of
from .output import cell


def add(groups: Any) -> None:
    """Add a group for each kind to the root's subparsers."""
    for kind, known in OFFERED.items():
        verbs = add_group(groups, kind, f"show and change {kind}" + (" (schemas and defaults)" if kind == "params" else ""))
        _add_documents(verbs, kind)
        if known.has_params:
            params.add(verbs, kind)


def _add_documents(verbs: Any, kind: str) -> None:
    key, one = key_word(kind), singular(kind)
    add_verb(verbs, "list", list_all, f"list all {kind}", kind=kind)
    show = add_verb(verbs, "show", show_one, f"show a {one}", kind=kind)
    show.add_argument("name", metavar=key, help="Name:NAME finds a machine by its name" if kind == "machines" else None)
    create = add_verb(verbs, "create", create_one, f"create a {one}; fails if it exists", kind=kind)
    create.add_argument("body", metavar="NAME|JSON|-", help="a name, a JSON object, or - to read one from stdin")
    if kind != "params":
        update = add_verb(verbs, "update", update_one, f"merge a JSON object into a {one} (RFC 7396)", kind=kind, takes_ref=True)
        update.add_argument("name", metavar=key)
        update.add_argument("body", metavar="JSON", help="an object; null removes a member; - reads stdin")
        patch = add_verb(verbs, "patch", patch_one, f"apply a JSON Patch (RFC 6902) to a {one}, all or nothing", kind=kind)
        patch.add_argument("name", metavar=key)
        patch.add_argument("body", metavar="JSON", help="an array of operations; - reads stdin")
    destroy = add_verb(verbs, "destroy", destroy_one, f"delete a {one}", kind=kind)
    destroy.add_argument("name", metavar=key)


def list_all(context: Context) -> None:
    kind = context.args.kind
    found = context.client.list(kind)
    if context.out.as_json:
        context.out.json(found)
        return
    headers, rows = _TABLES[kind](found) if kind in _TABLES else _plain(kind, found)
    context.out.table(headers, rows, f"There are no {kind}.")


def _plain(kind: str, found: List[Dict[str, Any]]) -> Tuple[List[str], List[List[Any]]]:
    """Return a table of the members that are texts."""
    known = OFFERED[kind]
    names = [known.identity, *(name for name, value in known.members.items() if isinstance(value, str))]
    return [name.upper() for name in names], [[document.get(name) or None for name in names] for document in found]


def _profiles(found: List[Dict[str, Any]]) -> Tuple[List[str], List[List[Any]]]:
    rows = [[d["Name"], len(d.get("Params") or {}), d.get("Description") or ""] for d in found]
    return ["NAME", "PARAMS", "DESCRIPTION"], rows


def _machines(found: List[Dict[str, Any]]) -> Tuple[List[str], List[List[Any]]]:
    rows = [[d.get("Name"), d["Uuid"], d.get("Address"), ", ".join(map(str, d.get("Profiles") or [])) or None] for d in found]
    return ["NAME", "UUID", "ADDRESS", "PROFILES"], rows


def _params(found: List[Dict[str, Any]]) -> Tuple[List[str], List[List[Any]]]:
    rows = []
    for document in found:
        schema = document.get("Schema") or {}
        default = json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else None
        rows.append([document["Name"], schema.get("type"), default, document.get("Description") or ""])
    return ["NAME", "TYPE", "DEFAULT", "DESCRIPTION"], rows


_TABLES = {"profiles": _profiles, "machines": _machines, "params": _params}


def show_one(context: Context) -> None:
    answer = context.client.get(context.args.kind, key_of(context))
    if context.out.as_json:
        context.out.json(answer.body)
        return
    value = dict(answer.body)
    below = {name: value.pop(name) for name in ("Params", "Meta") if name in value}
    context.out.members({**value, "Revision": answer.revision})
    for name, members in below.items():
        if members:
            context.out.line()
            context.out.table([name.upper(), "VALUE"], [[k, _json(v)] for k, v in sorted(members.items())], "")


def _json(value: Any) -> str:
    return cell(value) if isinstance(value, (dict, list)) else json.dumps(value, ensure_ascii=False)


def create_one(context: Context) -> None:
    kind, text = context.args.kind, context.args.body
    plain = text != "-" and text.lstrip()[:1] not in ("{", "[", '"')
    value = value_of(text) if plain else json_of(text, f"the {singular(kind)}")
    if not isinstance(value, dict):
        value = {"Name": text if plain else value}
    answer = context.client.create(kind, value)
    name = answer.body[OFFERED[kind].identity] if isinstance(answer.body, dict) else value.get(OFFERED[kind].identity, "")
    context.out.done(answer.body, f"Created {singular(kind)} {name}.")


def update_one(context: Context) -> None:
    kind, changes = context.args.kind, object_of(context.args.body, "the update")
    key = key_of(context)
    if context.has_ref:
        answer = context.client.merge(kind, key, changes, base=object_of(context.args.ref, "the reference"))
    else:
        answer = context.client.merge(kind, key, changes)
    context.out.done(answer.body, f"Updated {singular(kind)} {key}.")


def patch_one(context: Context) -> None:
    kind, operations = context.args.kind, json_of(context.args.body, "the patch")
    if not isinstance(operations, list):
        raise ClientError("usage", "the patch must be a JSON array of operations")
    key = key_of(context)
    answer = context.client.patch(kind, key, operations)
    context.out.done(answer.body, f"Patched {singular(kind)} {key}.")


def destroy_one(context: Context) -> None:
    kind, key = context.args.kind, key_of(context)
    context.client.delete(kind, key)
    context.out.done({OFFERED[kind].identity: key}, f"Deleted {singular(kind)} {key}.")
