# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""POST /batch: changes of many documents in one log entry, all or nothing."""
from __future__ import annotations

from typing import Any, Dict, List

from ...core.model import access
from ...core.model.documents import Change, check_name
from ...core.model.kinds import DOCUMENTS
from ...ground.problem import Problem
from .. import turns
from . import members, messages
from .backend import Backend
from .documents import allow
from .leases import submit

MOST_CHANGES = 1000
FEW = 50  # that are read without a turn of their own
ACTIONS = ("patch", "put", "create", "delete")
MEMBERS = ("Kind", "Key", "Param", "Action", "Body", "IfMatch", "IfUnset")


class Batch:
    """The handler of batches."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def handle(self, request: Any, scope: access.Scope) -> Any:
        """Serve POST /batch: {"Changes": [{Kind, Key, Param, Action, Body, IfMatch, IfUnset}]}; answers the revisions."""
        allow(request, "POST")
        raw = members.check(await messages.read_object(request), "Changes").get("Changes")
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
            changes.append(messages.tied(request, _change(item, scope)))
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
    if not isinstance(unset, bool) or match is not None and not isinstance(match, str):
        raise Problem(422, "bad_member", "IfUnset is true or false, IfMatch is a revision")
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
