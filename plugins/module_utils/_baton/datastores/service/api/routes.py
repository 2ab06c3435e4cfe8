# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds what answers a request, by the segments of its path below the project. Pure."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

from ....ground.problem import Problem
from .errors import not_found


class Operation(NamedTuple):
    """``path``: segments; one that begins with a colon is a name. ``status``: of what is answered."""

    method: str
    path: Tuple[str, ...]
    answer: Callable[[Any, Any], Any]
    status: int = 200


def operation(method: str, path: str, answer: Callable[[Any, Any], Any], status: int = 200) -> Operation:
    return Operation(method, tuple(part for part in path.split("/") if part), answer, status)


class Routes:
    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = operations

    def find(self, method: str, parts: List[str]) -> Tuple[Operation, Dict[str, str]]:
        """Return the operation and the names of its path; Problem 404, or 405 where there is one of another method."""
        fitting = [(each, names) for each in self._operations for names in [_names(each.path, parts)] if names is not None]
        for each, names in fitting:
            if each.method == method or (method, each.method) == ("HEAD", "GET"):
                return each, names
        shown = "/".join(parts)[:100]
        if not fitting:
            raise not_found(f"there is nothing at /{shown} of a project")
        allowed = sorted({each.method for each, _names in fitting})
        raise Problem(405, "method_not_allowed", f"{method} is not for /{shown}; {', '.join(allowed)} is", allow=allowed)


def _names(path: Tuple[str, ...], parts: List[str]) -> "Dict[str, str] | None":
    if len(path) != len(parts) or any(not part for part in parts):
        return None
    names: Dict[str, str] = {}
    for wanted, part in zip(path, parts):
        if wanted.startswith(":"):
            names[wanted[1:]] = part
        elif wanted != part:
            return None
    return names
