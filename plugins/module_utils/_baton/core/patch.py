# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Pointer and JSON Patch (RFC 6901, RFC 6902) on persistent values. Pure.

An operation copies only the containers on its path: what it costs depends on them, not on the size of the document, and a
patch that fails has changed nothing, since the old value is still there.
"""
from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .problem import Problem
from .values import MOST_BYTES, MOST_DEPTH, Measure, equal, too_large

Path = Tuple[str, ...]
_INDEX = re.compile(r"(0|[1-9][0-9]{0,9})\Z", re.ASCII)
_BAD_ESCAPE = re.compile(r"~(?![01])")
MISSING = object()
NEEDS = {
    "add": ("value",),
    "remove": (),
    "replace": ("value",),
    "move": ("from",),
    "copy": ("from",),
    "test": ("value",),
}


class Operation(NamedTuple):
    """One checked operation; ``number`` is its place in the client's patch."""

    number: int
    op: str
    path: Path
    source: Optional[Path]
    value: Any


def parse_pointer(text: Any) -> Path:
    """Return the reference tokens of a JSON Pointer; ValueError says what is wrong with it."""
    if not isinstance(text, str):
        raise ValueError("is not a string")
    if text == "":
        return ()
    if not text.startswith("/"):
        raise ValueError(f"{text!r} does not begin with '/'")
    if _BAD_ESCAPE.search(text):
        raise ValueError(f"{text!r} has a '~' that is followed by neither 0 nor 1")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))


def pointer(path: Sequence[str]) -> str:
    """Return the JSON Pointer for reference tokens."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _malformed(index: int, detail: str) -> Problem:
    return Problem(400, "malformed_patch", f"operation {index}: {detail}", operation=index)


def parse_patch(raw: Any, at: Path = ()) -> List[Operation]:
    """Check a patch as a client sent it; paths become absolute below ``at``. Problem 400 names the operation."""
    if not isinstance(raw, list):
        raise Problem(400, "malformed_patch", "a patch is a JSON array of operations")
    return [_parse_operation(index, item, at) for index, item in enumerate(raw)]


def _parse_operation(index: int, item: Any, at: Path) -> Operation:
    if not isinstance(item, dict):
        raise _malformed(index, "is not an object")
    op = item.get("op")
    if not isinstance(op, str) or op not in NEEDS:
        raise _malformed(index, f"op is one of {', '.join(NEEDS)}, not {op!r}")
    for member in ("path",) + NEEDS[op]:
        if member not in item:
            raise _malformed(index, f"{op} needs the member {member!r}")
    try:
        path = at + parse_pointer(item["path"])
        source = at + parse_pointer(item["from"]) if op in ("move", "copy") else None
    except ValueError as error:
        raise _malformed(index, f"the pointer {error}") from None
    if op == "move" and source is not None and len(path) > len(source) and path[: len(source)] == source:
        raise _malformed(index, "a value can't be moved into itself")
    return Operation(index, op, path, source, item.get("value"))


def find(root: Any, path: Sequence[str]) -> Any:
    """Return what stands at ``path``, or MISSING."""
    value = root
    for part in path:
        if isinstance(value, dict):
            value = value.get(part, MISSING)
        elif isinstance(value, list):
            value = value[int(part)] if _INDEX.match(part) and int(part) < len(value) else MISSING
        else:
            return MISSING
        if value is MISSING:
            return MISSING
    return value


class Patch:
    """A value being patched: ``value`` is the newest state, ``size`` its estimated bytes; the original stays as it was."""

    def __init__(self, value: Any, size: int, base: Path = ()) -> None:
        self.value = value
        self.size = size
        self._measure = Measure(MOST_BYTES)
        self._base = base  # what error messages leave out of paths: the client does not see it

    def apply(self, operation: Operation) -> None:
        """Apply one operation; Problem 409 when it does not fit what stands there, 413 when the result is too large."""
        op = operation.op
        if op == "test":
            self._test(operation)
        elif op == "add":
            self._add(operation, operation.path, operation.value)
        elif op == "remove":
            self._remove(operation, operation.path)
        elif op == "replace":
            self._replace(operation)
        else:
            source = operation.source or ()
            value = self._get(operation, source)
            if op == "move":
                if source == operation.path:
                    return
                self._remove(operation, source)
            self._add(operation, operation.path, value)

    # --- operations -----------------------------------------------------------------------------------------------------

    def _test(self, operation: Operation) -> None:
        found = find(self.value, operation.path)
        if found is MISSING or not equal(found, operation.value):
            shown = pointer(operation.path[len(self._base) :])
            what = "there is nothing there" if found is MISSING else "another value stands there"
            raise Problem(
                409, "test_failed", f"operation {operation.number}: test of {shown or 'the whole value'!r} failed: {what}",
                operation=operation.number, path=shown, found=None if found is MISSING else found, missing=found is MISSING,
            )  # fmt: skip

    def _get(self, operation: Operation, path: Path) -> Any:
        value = find(self.value, path)
        if value is MISSING:
            raise self._absent(operation, path)
        return value

    def _absent(self, operation: Operation, path: Path) -> Problem:
        shown = pointer(path[len(self._base) :])
        detail = f"operation {operation.number}: {operation.op}: there is nothing at {shown!r}"
        return Problem(409, "path_missing", detail, operation=operation.number, path=shown)

    def _add(self, operation: Operation, path: Path, value: Any) -> None:
        self._grow(value, len(path))
        if not path:
            self._shrink(self.value)
            self.value = value
            return
        parents = self._parents(operation, path)
        parent, last = parents[-1], path[-1]
        if isinstance(parent, dict):
            if last in parent:
                self._shrink(parent[last])
            else:
                self.size += len(last) + 4
            new: Any = dict(parent)
            new[last] = value
        else:
            index = len(parent) if last == "-" else self._index(operation, parent, last, len(parent))
            new = parent[:index] + [value] + parent[index:]
        self._rebuild(parents, path, new)

    def _replace(self, operation: Operation) -> None:
        path = operation.path
        old = self._get(operation, path)
        self._grow(operation.value, len(path))
        self._shrink(old)
        if not path:
            self.value = operation.value
            return
        parents = self._parents(operation, path)
        parent = parents[-1]
        new: Any = dict(parent) if isinstance(parent, dict) else list(parent)
        new[path[-1] if isinstance(parent, dict) else int(path[-1])] = operation.value
        self._rebuild(parents, path, new)

    def _remove(self, operation: Operation, path: Path) -> None:
        self._shrink(self._get(operation, path))
        if not path:
            self.value, self.size = None, 4
            return
        parents = self._parents(operation, path)
        parent, last = parents[-1], path[-1]
        if isinstance(parent, dict):
            new: Any = dict(parent)
            del new[last]
            self.size -= len(last) + 4
        else:
            new = parent[: int(last)] + parent[int(last) + 1 :]
        self._rebuild(parents, path, new)

    # --- helpers --------------------------------------------------------------------------------------------------------

    def _parents(self, operation: Operation, path: Path) -> List[Any]:
        """Return the containers on the way to ``path``, the root first."""
        parents = [self.value]
        for part in path[:-1]:
            below = find(parents[-1], (part,))
            if below is MISSING:
                raise self._absent(operation, path[:-1])
            parents.append(below)
        if not isinstance(parents[-1], (dict, list)):
            raise self._absent(operation, path)
        return parents

    def _index(self, operation: Operation, parent: List[Any], text: str, most: int) -> int:
        if not _INDEX.match(text) or int(text) > most:
            raise self._absent(operation, operation.path)
        return int(text)

    def _rebuild(self, parents: List[Any], path: Path, new: Any) -> None:
        """Put ``new`` in place of the last parent, copying each container above it."""
        for depth in range(len(parents) - 2, -1, -1):
            parent = parents[depth]
            above: Any = dict(parent) if isinstance(parent, dict) else list(parent)
            above[path[depth] if isinstance(parent, dict) else int(path[depth])] = new
            new = above
        self.value = new

    def _grow(self, value: Any, level: int) -> None:
        size, depth = self._measure.of(value)
        if level + depth > MOST_DEPTH:
            raise Problem(422, "too_deep", f"the document would be nested deeper than {MOST_DEPTH} levels")
        self.size += size + 1
        if self.size > MOST_BYTES:
            raise too_large()

    def _shrink(self, value: Any) -> None:
        self.size -= self._measure.of(value)[0] + 1


def to_json(operations: Sequence[Operation]) -> List[Dict[str, Any]]:
    """Return operations as RFC 6902 JSON, with absolute paths."""
    result = []
    for item in operations:
        raw: Dict[str, Any] = {"op": item.op, "path": pointer(item.path)}
        if item.source is not None:
            raw["from"] = pointer(item.source)
        if "value" in NEEDS[item.op]:
            raw["value"] = item.value
        result.append(raw)
    return result
