# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task changes of a profile or machine, member by member: writers of other members are never in the way."""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..client.error import ClientError
from ..core.model.kinds import DOCUMENTS, singular
from ..ground.patch import pointer
from ..ground.values import equal
from .common import Context, Result

Value = Dict[str, Any]


def differences(
    now: Mapping[str, Any], whole: Mapping[str, Any], inner: Mapping[str, Optional[Mapping[str, Any]]], absent: Optional[Sequence[str]]
) -> Tuple[List[Value], Value, Value]:
    """Return operations, and what they change as it was and as it will be.

    ``whole``: members that are set as they are; ``inner``: of Params and Meta, the members that are set; ``absent``: params to unset.
    """
    operations: List[Value] = []
    before: Value = {}
    after: Value = {}
    for member, value in whole.items():
        if member not in now or not equal(now[member], value):
            operations.append({"op": "add", "path": pointer((member,)), "value": value})
            before[member], after[member] = now.get(member), value
    for member, values in inner.items():
        for name, value in sorted((values or {}).items()):
            standing = now.get(member, {})
            if name not in standing or not equal(standing[name], value):
                operations.append({"op": "add", "path": pointer((member, name)), "value": value})
                after.setdefault(member, {})[name] = value
                if name in standing:
                    before.setdefault(member, {})[name] = standing[name]
    for name in absent or ():
        if name in now.get("Params", {}):
            operations.append({"op": "remove", "path": pointer(("Params", name))})
            before.setdefault("Params", {})[name] = now["Params"][name]
            after.setdefault("Params", {})
    return operations, before, after


def predicted(now: Mapping[str, Any], before: Value, after: Value) -> Value:
    """Return the document as it will be."""
    found = {**now, **after}
    for member in ("Params", "Meta"):
        if member in after:
            kept = {name: value for name, value in now.get(member, {}).items() if name not in before.get(member, {})}
            found[member] = {**kept, **after[member]}
    return found


def bring_about(
    context: Context, kind: str, now: Value, whole: Value, inner: Mapping[str, Optional[Mapping[str, Any]]], absent: Optional[Sequence[str]]
) -> Result:
    """Write what differs between ``now`` and what is wanted (see ``differences``); return a task's result."""
    key = now[DOCUMENTS[kind].identity]
    while True:
        operations, before, after = differences(now, whole, inner, absent)
        result: Result = {"changed": bool(operations), "diff": {"before": before, "after": after}}
        if not operations or context.check:
            return {**result, singular(kind): predicted(now, before, after)}
        try:
            answer = context.client.patch(kind, key, operations)
        except ClientError as error:
            if error.code != "path_missing":
                raise
            now = context.client.get(kind, key).body  # another host was first to unset the same param
        else:
            return {**result, singular(kind): answer.body, "revision": answer.revision}
