# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""POST /batch: changes of many documents in one log entry, all or nothing."""
from __future__ import annotations

from typing import Any, Dict, List, Sequence

from ...core.model import access
from ...core.model.documents import Change, check_name
from ...core.model.kinds import DOCUMENTS
from ...ground.problem import Problem
from .. import turns
from ..aio import SCOPE
from . import members, messages, parameters
from .backend import Backend
from .leases import submit
from .operations import CHANGING, Answer, Body, Schema, object_of, operation, ref

MOST_CHANGES = 1000
FEW = 50  # that are read without a turn of their own
ACTIONS = ("patch", "put", "create", "delete")
_MATCH = {"type": "string", "nullable": True, "description": "A revision, or * (it must exist)", "example": "3.42"}
_UNSET = {"type": "boolean", "default": False, "description": "Only if the param is unset, whatever its default (412)"}
_TIED = {"type": "boolean", "default": True, "description": "Whether what it sets goes with the lease of Baton-Lease, if there is one"}
_WHOLE = {
    "type": "object", "properties": {"Params": ref("Params"), "Schema": {"type": "object", "properties": {}, "additionalProperties": True}},
    "additionalProperties": True, "description": "A document, as its kind has it",
}  # fmt: skip


def _to_document(actions: Sequence[str], body: Schema, required: Sequence[str], text: str) -> Schema:
    kind = {"type": "string", "enum": [*DOCUMENTS]}
    named = {"Kind": kind, "Key": ref("ParamName"), "Action": {"type": "string", "enum": [*actions]}, "Body": body}
    return object_of({**named, "IfMatch": _MATCH, "Tied": _TIED}, ["Kind", "Key", *required], description=text)


def _to_param(action: str, body: Schema, required: Sequence[str], text: str) -> Schema:
    kind = {"type": "string", "enum": [name for name, known in DOCUMENTS.items() if known.has_params]}
    named = {"Kind": kind, "Key": ref("Name"), "Param": ref("ParamName"), "Action": {"type": "string", "enum": [action]}}
    needed = ["Kind", "Key", "Param", *required]
    return object_of({**named, "Body": body, "IfMatch": _MATCH, "IfUnset": _UNSET, "Tied": _TIED}, needed, description=text)


CHANGE = {
    "oneOf": [
        _to_document(["patch"], ref("Patch"), ["Body"], "Patch a document; patch is the Action of who names none"),
        _to_document(["put", "create"], _WHOLE, ["Action", "Body"], "Write a whole document"),
        _to_document(["delete"], {}, ["Action"], "Delete a document"),
        _to_param("patch", ref("Patch"), ["Body"], "Patch a param, whose value is the root"),
        _to_param("put", {}, ["Action", "Body"], "Set a param"),
        _to_param("delete", {}, ["Action"], "Unset a param"),
    ]
}
BATCH = {"Changes": {"type": "array", "items": CHANGE, "minItems": 1, "maxItems": MOST_CHANGES}}
EXAMPLE = {"Kind": "profiles", "Key": "web", "Param": "n", "Action": "put", "Body": 1}
_DOCUMENT = {
    "Kind": {"type": "string"},
    "Key": {"type": "string"},
    "Revision": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+$", "nullable": True},
}
LEFT = object_of({"Documents": {"type": "array", "items": object_of(_DOCUMENT, [*_DOCUMENT])}}, ["Documents"])
MEMBERS = ("Kind", "Key", "Param", "Action", "Body", "IfMatch", "IfUnset", "Tied")


class Batch:
    """The handler of batches."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @operation(
        "POST", "/batch", "batch", "Change many documents, all or nothing, in one log entry",
        takes=(*parameters.ORDERED, parameters.BATON_LEASE), refusals=(*CHANGING, 404),
        body=Body(object_of(BATCH, ["Changes"], example={"Changes": [EXAMPLE]})),
        answers={200: Answer("What each change left, in their order", LEFT, ("Idempotency-Replayed",))},
    )  # fmt: skip
    async def change(self, request: Any) -> Any:
        scope = request[SCOPE]
        raw = members.check(await messages.read_object(request), BATCH).get("Changes")
        if not isinstance(raw, list) or not 0 < len(raw) <= MOST_CHANGES:
            raise Problem(422, "bad_member", f"Changes is a list of 1 to {MOST_CHANGES} changes")
        if len(raw) <= FEW:
            changes = _changes(request, raw, scope)
        else:
            changes = await turns.take(lambda: _changes(request, raw, scope))
        outcome = await submit(self._backend, request, *changes)
        left = {(item.kind, item.key): item.revision for item in reversed(outcome.documents) if item is not None}
        documents = [
            {"Kind": change.kind, "Key": change.key, "Revision": left.get((change.kind, change.key))} for change in changes
        ]
        headers = {"Idempotency-Replayed": "true"} if outcome.replayed else {}
        return messages.respond({"Documents": documents}, 200, headers)


def _changes(request: Any, raw: List[Any], scope: access.Scope) -> List[Change]:
    changes: List[Change] = []
    for index, item in enumerate(raw):
        try:
            change = _change(item, scope)
            changes.append(messages.tied(request, change) if item.get("Tied", True) else change)
        except Problem as problem:
            problem.extra.setdefault("change", index)
            raise
    return changes


def _change(item: Any, scope: access.Scope) -> Change:
    if not isinstance(item, dict) or set(item) - set(MEMBERS):
        raise Problem(422, "bad_member", f"a change is an object with {', '.join(MEMBERS)}")
    kind, key, action = item.get("Kind"), item.get("Key"), item.get("Action", "patch")
    if kind not in tuple(DOCUMENTS) or not isinstance(key, str) or action not in ACTIONS:
        raise Problem(422, "bad_member", f"Kind is one of {', '.join(DOCUMENTS)}, Key a string, Action one of {', '.join(ACTIONS)}")
    param, unset, match = item.get("Param"), item.get("IfUnset", False), item.get("IfMatch")
    if param is not None and (not isinstance(param, str) or not DOCUMENTS[kind].has_params or action not in ("patch", "delete", "put")):
        raise Problem(422, "bad_member", "Param is a string, the name of a param of a profile or machine to put, patch or delete")
    if not isinstance(unset, bool) or not isinstance(item.get("Tied", True), bool) or match is not None and not isinstance(match, str):
        raise Problem(422, "bad_member", "IfUnset and Tied are true or false, IfMatch is a revision")
    if unset and param is None:
        raise Problem(422, "bad_member", "IfUnset goes with Param; a document that must not exist has the Action create")
    if action == "put" and "Body" not in item:
        raise Problem(422, "bad_member", "put needs Body, the value to set; Body null sets null")
    if not access.allows(scope, "DELETE" if action == "delete" else "PATCH", kind, key, "params" if param else ""):
        raise Problem(403, "forbidden", f"this token does not allow {action} on {kind}/{key}")
    check_name(kind, key)
    if param is None:
        return Change(kind, key, action, item.get("Body"), match)
    check_name("params", param)
    bodies: Dict[str, Any] = {
        "patch": item.get("Body"),
        "put": [{"op": "add", "path": "", "value": item.get("Body")}],
        "delete": messages.REMOVE,
    }
    return Change(kind, key, "patch", bodies[action], match, ("Params", param), unset)
