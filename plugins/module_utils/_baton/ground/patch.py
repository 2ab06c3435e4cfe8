# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Pointer and JSON Patch (RFC 6901, RFC 6902) on persistent values. Pure.

A patch copies the containers on its operations' paths, each once: what it costs depends on them, not on the size of the
document, and a patch that fails has changed nothing, since the old value is still there.
"""
from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .problem import Problem
from .values import MOST_BYTES, MOST_DEPTH, MOST_VALUES, Measure, Size, equal, measure, too_deep, too_large, too_many
from .work import MEASURED, OPERATION, PART, SHIFTED, Work

Path = Tuple[str, ...]
_INDEX = re.compile(r"(0|[1-9][0-9]{0,9})\Z", re.ASCII)
_BAD_ESCAPE = re.compile(r"~(?![01])")
MISSING = object()
MOST_PARTS = 2 * MOST_DEPTH  # of a pointer: a longer one leads nowhere
NEEDS = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("path", "from"),
    "copy": ("path", "from"),
    "test": ("path", "value"),
}


class Operation(NamedTuple):
    """One checked operation; ``number`` is its place in the client's patch, ``pointer`` what stands for ``path``."""

    number: int
    op: str
    path: Path
    source: Optional[Path]
    value: Any
    pointer: str


_OPERATION = Operation._make


def parse_pointer(text: Any) -> Path:
    """Return the reference tokens of a JSON Pointer; ValueError says what is wrong with it."""
    if not isinstance(text, str):
        raise ValueError("is not a string")
    if text == "":
        return ()
    if not text.startswith("/"):
        raise ValueError(f"{text[:200]!r} does not begin with '/'")
    if text.count("/") > MOST_PARTS:
        raise ValueError(f"{text[:60]!r}… has more than {MOST_PARTS} parts, and a document at most {MOST_DEPTH} levels")
    if _BAD_ESCAPE.search(text):
        raise ValueError(f"{text[:200]!r} has a '~' that is followed by neither 0 nor 1")
    parts = text[1:].split("/")
    if "~" not in text:
        return tuple(parts)
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def pointer(path: Sequence[str]) -> str:
    """Return the JSON Pointer for reference tokens."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _malformed(index: int, detail: str) -> Problem:
    return Problem(400, "malformed_patch", f"operation {index}: {detail}", operation=index)


def parse_patch(raw: Any, at: Path = (), work: Optional[Work] = None) -> List[Operation]:
    """Check a patch as a client sent it; paths become absolute below ``at``. Problem 400 names the operation.

    ``work`` pays for the operations, however they end: Problem 413 where they are too many.
    """
    if not isinstance(raw, list):
        raise Problem(400, "malformed_patch", "a patch is a JSON array of operations")
    if work is not None:
        work.spend(OPERATION * len(raw))
    reader = _Reader(at)
    return [reader.read(index, item) for index, item in enumerate(raw)]


class _Reader:
    """Reads operations whose pointers begin at ``at``; each pointer is taken apart once, since they repeat."""

    def __init__(self, at: Path) -> None:
        self._at = at
        self._above = pointer(at)
        self._known: Dict[str, Path] = {}

    def read(self, index: int, item: Any) -> Operation:
        if not isinstance(item, dict):
            raise _malformed(index, "is not an object")
        op = item.get("op")
        if not isinstance(op, str) or op not in NEEDS:
            raise _malformed(index, f"op is one of {', '.join(NEEDS)}, not {str(op)[:40]!r}")
        for member in NEEDS[op]:
            if member not in item:
                raise _malformed(index, f"{op} needs the member {member!r}")
        text = item["path"]
        path = self._path(index, text)
        source = self._path(index, item["from"]) if op == "move" or op == "copy" else None
        if op == "move" and source is not None and len(path) > len(source) and path[: len(source)] == source:
            raise _malformed(index, "a value can't be moved into itself")
        return _OPERATION((index, op, path, source, item.get("value"), self._above + text))

    def _path(self, index: int, text: Any) -> Path:
        path = self._known.get(text) if isinstance(text, str) else None
        if path is None:
            try:
                path = self._known[text] = self._at + parse_pointer(text)
            except ValueError as error:
                raise _malformed(index, f"the pointer {error}") from None
        return path


def find(root: Any, path: Sequence[str]) -> Any:
    """Return what stands at ``path``, or MISSING."""
    value = root
    for part in path:
        value = _below(value, part)
    return value


def _below(value: Any, part: str) -> Any:
    if isinstance(value, dict):
        return value.get(part, MISSING)
    if isinstance(value, list) and _INDEX.match(part) and int(part) < len(value):
        return value[int(part)]
    return MISSING


class Patch:
    """A value being patched: ``value`` is the newest state; the original stays as it was.

    ``size``: its estimated bytes, ``count``: how many values it has (of one that is not checked, any number). ``work`` pays
    for what is copied and measured. ``checked``: whether bounds are; they are where a change is evaluated, and nowhere else.

    A container that this patch has made is changed in place as long as it stands where it was made and nowhere else: below
    the one container, itself of this patch, that it was made for. What is copied, moved or taken out is never changed again.
    """

    def __init__(
        self, value: Any, size: int, base: Path = (), count: int = 0, work: Optional[Work] = None, checked: bool = True
    ) -> None:
        self.value = value
        self.size = size
        self.count = count
        self._is_counted = False  # here, and not only estimated by who asks
        self._work = work if work is not None else Work(None)
        self._checked = checked
        self._measure = Measure()
        self.unsure = False  # whether size and count are not known any more
        self._made: Dict[int, Tuple[Any, Any]] = {}  # id of a container → it, and for which one it was made
        self._base = base  # what error messages leave out of paths: the client does not see it

    def spend(self, steps: int) -> None:
        """Count steps that are done for this patch."""
        self._work.spend(steps)

    def apply(self, operation: Operation) -> None:
        """Apply one operation; Problem 409 when it does not fit what stands there, 413 when the result is too large."""
        op = operation.op
        source = operation.source
        self._work.spend(PART * (len(operation.path) if source is None else len(operation.path) + len(source)))
        if op == "test":
            self._test(operation)
        elif op == "add":
            self._grow(operation.value, len(operation.path))
            self._put(operation, operation.value)
        elif op == "remove":
            self._shrink(self._take(operation, operation.path))
        elif op == "replace":
            self._replace(operation)
        else:
            self._bring(operation, source or ())

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

    def _bring(self, operation: Operation, source: Path) -> None:
        """Move or copy what stands at ``source``."""
        value = self._get(operation, source)
        if operation.op == "copy":
            self._made.pop(id(value), None)
            self._grow(value, len(operation.path))
        elif source == operation.path:
            return
        else:
            self._take(operation, source)
            deeper = self._checked and len(operation.path) > len(source)
            if deeper and len(operation.path) + self._measured(value)[1] > MOST_DEPTH:
                raise too_deep()
        self._put(operation, value)

    def _put(self, operation: Operation, value: Any) -> None:
        """Set or insert a value that is counted already."""
        path = operation.path
        if not path:
            self._shrink(self.value)
            self.value = value
            return
        container, last = self._open(operation, path), path[-1]
        if isinstance(container, dict):
            old = container.get(last, MISSING)
            if old is MISSING:
                self.size += len(last) + 4
            else:
                self._made.pop(id(old), None)
                self._shrink(old)
            container[last] = value
        else:
            index = len(container) if last == "-" else self._index(operation, last, len(container))
            self._work.spend((len(container) - index) // SHIFTED)
            container.insert(index, value)

    def _replace(self, operation: Operation) -> None:
        path = operation.path
        if not path:
            self._grow(operation.value, 0)
            self._shrink(self.value)
            self.value = operation.value
            return
        container, last = self._inner(operation, path)
        old = container[last]
        self._grow(operation.value, len(path))
        self._shrink(old)
        self._made.pop(id(old), None)
        container[last] = operation.value

    def _take(self, operation: Operation, path: Path) -> Any:
        """Take out and return what stands at ``path``; its size is left to the caller, that of its name is not."""
        if not path:
            value, self.value = self.value, None
            self.size += 4
            self.count += 1
            return value
        container, last = self._inner(operation, path)
        value = container[last]
        self._made.pop(id(value), None)
        if isinstance(container, dict):
            self.size -= len(last) + 4
        else:
            self._work.spend((len(container) - last) // SHIFTED)
        del container[last]
        return value

    # --- helpers --------------------------------------------------------------------------------------------------------

    def _get(self, operation: Operation, path: Path) -> Any:
        value = find(self.value, path)
        if value is MISSING:
            raise self._absent(operation, path)
        return value

    def _absent(self, operation: Operation, path: Path) -> Problem:
        shown = pointer(path[len(self._base) :])
        detail = f"operation {operation.number}: {operation.op}: there is nothing at {shown!r}"
        return Problem(409, "path_missing", detail, operation=operation.number, path=shown)

    def _inner(self, operation: Operation, path: Path) -> Tuple[Any, Any]:
        """Return the container, now ours, and the key or index at which something stands at ``path``."""
        try:
            container = self._open(operation, path)
        except Problem as problem:
            if problem.code == "path_missing":
                raise self._absent(operation, path) from None
            raise
        last: Any = path[-1]
        if _below(container, last) is MISSING:
            raise self._absent(operation, path)
        return container, last if isinstance(container, dict) else int(last)

    def _index(self, operation: Operation, text: str, most: int) -> int:
        if not _INDEX.match(text) or int(text) > most:
            raise self._absent(operation, operation.path)
        return int(text)

    def _open(self, operation: Operation, path: Path) -> Any:
        """Return the container that the last part of ``path`` is in, made ours with all above it."""
        above: Any = None
        key: Any = None
        here, last = self.value, len(path) - 1
        for depth, part in enumerate(path):
            if not isinstance(here, (dict, list)):
                raise self._absent(operation, path if depth == last else path[:-1])
            made = self._made.get(id(here))
            if made is None or made[1] is not above:
                here = self._make(above, key, here)
            if depth == last:
                break
            below = _below(here, part)
            if below is MISSING:
                raise self._absent(operation, path[:-1])
            above, key, here = here, part if isinstance(here, dict) else int(part), below
        return here

    def _make(self, above: Any, key: Any, old: Any) -> Any:
        """Put a copy of a container in its place."""
        self._work.spend(len(old))
        new: Any = dict(old) if isinstance(old, dict) else list(old)
        self._made[id(new)] = (new, above)
        if above is None:
            self.value = new
        else:
            above[key] = new
        return new

    def _grow(self, value: Any, level: int) -> None:
        size, depth, count = self._measured(value)
        self.size += size + 1
        self.count += count
        if not self._checked:
            return
        if level + depth > MOST_DEPTH:
            raise too_deep()
        if self.size > MOST_BYTES:
            raise too_large()
        if self.count > MOST_VALUES:
            self._count_anew(count)

    def _count_anew(self, more: int) -> None:
        """Problem 413 where there are too many values, of which ``more`` are to come: ``count`` may be more than there are."""
        if self._is_counted:
            raise too_many()
        self._is_counted = True
        self.count = measure(self.value, MOST_VALUES)[2] + more
        if self.count > MOST_VALUES:
            raise too_many()
        self._work.spend(MEASURED * self.count)

    def _shrink(self, value: Any) -> None:
        try:
            size, _depth, count = self._measured(value)
        except Problem as problem:
            if problem.code != "too_many_values":
                raise
            self.unsure = True  # an older version took it
            return
        self.size -= size + 1
        self.count -= count

    def _measured(self, value: Any) -> Size:
        if not isinstance(value, (dict, list)):
            return measure(value)
        found = self._measure.known(value)
        if found is not None:
            return found
        changing = id(value) in self._made
        if not self._checked:
            found = self._measure.of(value, None, changing)
            self._work.spend(MEASURED * found[2])
            return found
        afford = self._work.left // MEASURED
        try:
            found = self._measure.of(value, min(afford, MOST_VALUES), changing)
        except Problem:
            self._work.spend(MEASURED * min(afford + 1, MOST_VALUES))
            raise
        self._work.spend(MEASURED * found[2])
        return found


def to_json(operations: Sequence[Operation]) -> List[Dict[str, Any]]:
    """Return operations as RFC 6902 JSON, with absolute paths."""
    result = []
    for item in operations:
        raw: Dict[str, Any] = {"op": item.op, "path": item.pointer}
        if item.source is not None:
            raw["from"] = pointer(item.source)
        if "value" in NEEDS[item.op]:
            raw["value"] = item.value
        result.append(raw)
    return result
