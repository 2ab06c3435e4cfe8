# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An RFC 7396 merge patch, expressed as RFC 6902 operations against a known document. Pure."""
from __future__ import annotations

from typing import Any, Dict, List

Operation = Dict[str, Any]


def merge_operations(base: Any, changes: Any, tests: bool = False) -> List[Operation]:
    """Return the operations that merge ``changes`` into ``base`` (null removes a member, objects merge, the rest replaces).

    With ``tests`` each change is preceded by a test of the member that it replaces or removes. What already stands as
    wanted gives no operation, but with ``tests`` its test.
    """
    operations: List[Operation] = []
    _merge("", base, changes, tests, operations)
    return operations


def _merge(path: str, base: Any, changes: Any, tests: bool, operations: List[Operation]) -> None:
    if isinstance(base, dict) and isinstance(changes, dict):
        for name, wanted in changes.items():
            below = f"{path}/{escaped(name)}"
            if name in base:
                _merge_member(below, base[name], wanted, tests, operations)
            elif wanted is not None:
                operations.append({"op": "add", "path": below, "value": _without_nulls(wanted)})
        return
    _merge_member(path, base, changes, tests, operations)


def _merge_member(path: str, old: Any, wanted: Any, tests: bool, operations: List[Operation]) -> None:
    if isinstance(old, dict) and isinstance(wanted, dict):
        _merge(path, old, wanted, tests, operations)
        return
    if tests:
        operations.append({"op": "test", "path": path, "value": old})
    if wanted is None:
        operations.append({"op": "remove", "path": path})
    elif type(old) is not type(wanted) or old != wanted or isinstance(wanted, (dict, list)):
        operations.append({"op": "replace", "path": path, "value": _without_nulls(wanted)})


def _without_nulls(value: Any) -> Any:
    """A merge patch that creates an object leaves out the members that it says are null (RFC 7396)."""
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return value


def escaped(name: str) -> str:
    """Return a member's name as a segment of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
