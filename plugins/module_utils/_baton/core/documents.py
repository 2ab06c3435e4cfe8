# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents: kinds, names, defaults of params, and what a client's change does to one document. Pure.

A change is evaluated once, on the active, and becomes an Effect: free of tests and of look-ups in other documents, so that
every node that applies it gets the same document.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from . import patch
from .patch import MISSING, Operation, Patch, Path
from .problem import Problem
from .values import MOST_DEPTH, Measure


@dataclass(frozen=True)
class Document:
    """``revision`` is "<epoch number>.<seq>" of the entry that wrote it; ``size`` an estimate of its JSON in bytes."""

    kind: str
    key: str
    value: Any
    revision: str
    size: int


@dataclass(frozen=True)
class Change:
    """What a client asks of one document.

    ``action``: create (409 if it exists), put (create or replace), patch (404 if absent), delete (404 if absent), or one of
    coordination.ACTIONS.
    ``body``: the whole value, or for patch the list of operations. ``if_match``: a revision, or "*" (must exist).
    ``at``: where in the document a patch's root stands, such as ("Params", "my/leader").
    ``if_unset``: nothing may stand there (412), which no operation of RFC 6902 can test.
    ``lease``: what stands there goes with this lease, as long as nobody else sets it (see ties.py).
    """

    kind: str
    key: str
    action: str
    body: Any = None
    if_match: Optional[str] = None
    at: Path = ()
    if_unset: bool = False
    lease: Optional[str] = None


@dataclass(frozen=True)
class Effect:
    """What a change came to: operations with absolute paths and no tests, or the whole ``value``, or ``delete``."""

    kind: str
    key: str
    ops: Optional[List[Any]] = None
    value: Any = None
    delete: bool = False


@dataclass(frozen=True)
class Kind:
    """``identity``: the member that repeats the key; ``members``: what a new document has besides."""

    identity: str
    members: Callable[[], Dict[str, Any]]
    has_params: bool = False
    slashes: bool = False


KINDS: Dict[str, Kind] = {
    "profiles": Kind("Name", lambda: {"Description": "", "Meta": {}, "Params": {}}, has_params=True),
    "machines": Kind("Uuid", lambda: {"Name": "", "Meta": {}, "Params": {}, "Profiles": []}, has_params=True),
    "params": Kind("Name", lambda: {"Description": "", "Schema": {}}, slashes=True),
}
INTERNAL = ("tokens", "files", "nodes", "removed", "system", "history", "seats", "bound")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,126}\Z", re.ASCII)
MOST_PARAM_NAME = 255


def valid_name(name: str, slashes: bool = False) -> bool:
    """Return whether ``name`` may name a document (or a param, with ``slashes``)."""
    if not slashes:
        return bool(_NAME.match(name))
    return len(name) <= MOST_PARAM_NAME and all(_NAME.match(part) for part in name.split("/"))


def check_name(kind: str, name: str) -> None:
    """Raise Problem 400 for a name that this kind does not allow."""
    known = KINDS.get(kind)
    if known is not None and not valid_name(name, known.slashes):
        raise _bad_name(kind[:-1], name)


def _bad_name(what: str, name: str) -> Problem:
    return Problem(
        400, "bad_name", f"{name[:140]!r} can't name a {what}: use letters, digits and _ . : @ - (not first: . : @ -), at most 127"
    )


def effect_to_json(effect: Effect) -> Dict[str, Any]:
    """Return the JSON form that a log entry carries."""
    raw: Dict[str, Any] = {"kind": effect.kind, "key": effect.key}
    if effect.delete:
        raw["delete"] = True
    elif effect.ops is not None:
        raw["ops"] = effect.ops
    else:
        raw["value"] = effect.value
    return raw


def effect_from_json(raw: Dict[str, Any]) -> Effect:
    return Effect(raw["kind"], raw["key"], raw.get("ops"), raw.get("value"), bool(raw.get("delete")))


def check_effects(raw: Sequence[Dict[str, Any]]) -> None:
    """Raise Problem, KeyError or TypeError for what this version could not apply: a newer one may have written it."""
    for effect in map(effect_from_json, raw):
        if effect.ops is not None:
            patch.parse_patch(effect.ops)


class DoesNotFit(ValueError):
    """An effect can't be applied to the documents that are here: whoever made it had others."""


def apply_effect(old: Optional[Document], effect: Effect, revision: str) -> Optional[Document]:
    """Return the document after ``effect``, which was checked when it was made; DoesNotFit where it was made of another one."""
    try:
        return _apply(old, effect, revision)
    except Problem as problem:
        raise DoesNotFit(f"{effect.kind}/{effect.key}: {problem.detail}") from None


def _apply(old: Optional[Document], effect: Effect, revision: str) -> Optional[Document]:
    if effect.delete:
        return None
    if effect.ops is None:
        return Document(effect.kind, effect.key, effect.value, revision, Measure().of(effect.value)[0])
    if old is None:
        raise DoesNotFit(f"{effect.kind}/{effect.key} is patched, and does not exist")
    work = Patch(old.value, old.size)
    for operation in patch.parse_patch(effect.ops):
        work.apply(operation)
    return Document(effect.kind, effect.key, work.value, revision, work.size)


# --- evaluation ---------------------------------------------------------------------------------------------------------

Lookup = Callable[[str, str], Optional[Document]]


def evaluate(change: Change, lookup: Lookup) -> Tuple[Effect, Optional[Document]]:
    """Return what ``change`` does, and the document as it would stand (its revision is still the old one's or "").

    ``lookup`` gives documents of the head that is evaluated on. Raises Problem and has changed nothing.
    """
    check_name(change.kind, change.key)
    old = lookup(change.kind, change.key)
    _check_match(change, old)
    if change.action == "delete":
        _must_exist(change, old)
        return Effect(change.kind, change.key, delete=True), None
    if change.action == "patch":
        return _evaluate_patch(change, _must_exist(change, old), lookup)
    if change.action == "create" and old is not None:
        raise Problem(409, "exists", f"{change.kind[:-1]} {change.key!r} exists already; patch it, or use another name")
    value = _complete(change.kind, change.key, change.body)
    size, depth = Measure().of(value)
    if depth > MOST_DEPTH:
        raise Problem(422, "too_deep", f"the document would be nested deeper than {MOST_DEPTH} levels")
    effect = Effect(change.kind, change.key, value=value)
    return effect, Document(change.kind, change.key, value, old.revision if old else "", size)


def _must_exist(change: Change, old: Optional[Document]) -> Document:
    if old is None:
        raise Problem(404, "not_found", f"there is no {change.kind[:-1]} {change.key!r}")
    return old


def _check_match(change: Change, old: Optional[Document]) -> None:
    wanted = change.if_match
    if wanted is None or (old is not None and wanted in ("*", old.revision)):
        return
    now = f"its revision is {old.revision}" if old is not None else "it does not exist"
    found = old.revision if old is not None else None
    raise Problem(412, "revision_differs", f"{change.kind[:-1]} {change.key!r} is not at revision {wanted}: {now}", found=found)


def _complete(kind: str, key: str, body: Any) -> Any:
    """Return a whole document with the members that its kind always has."""
    if not isinstance(body, dict):
        raise Problem(422, "not_an_object", f"a {kind[:-1]} is a JSON object")
    known = KINDS.get(kind)
    if known is None:
        return body
    value = {known.identity: key, **known.members(), **body}
    check_document(kind, key, value)
    return value


def check_document(kind: str, key: str, value: Any) -> None:
    """Raise Problem 422 unless ``value`` may stand as document ``key`` of ``kind``."""
    if not isinstance(value, dict):
        raise Problem(422, "not_an_object", f"a {kind[:-1]} is a JSON object")
    known = KINDS.get(kind)
    if known is None:
        return
    if value.get(known.identity) != key:
        raise Problem(422, "identity", f"{known.identity} is {key!r} and can't be changed; make another {kind[:-1]} instead")
    if known.has_params:
        if not isinstance(value.get("Params"), dict):
            raise Problem(422, "bad_params", "Params is a JSON object")
        for name in value["Params"]:
            if not valid_name(name, True):
                raise _bad_name("param", name)
    if kind == "params" and not isinstance(value.get("Schema"), dict):
        raise Problem(422, "bad_schema", "Schema is a JSON object (a JSON Schema, with a default if you like)")


def default_of(name: str, lookup: Lookup) -> Any:
    """Return the default in a param's schema, or MISSING."""
    schema = lookup("params", name)
    return schema.value["Schema"].get("default", MISSING) if schema is not None else MISSING


def _evaluate_patch(change: Change, old: Document, lookup: Lookup) -> Tuple[Effect, Document]:
    operations = patch.parse_patch(change.body, change.at)
    found = patch.find(old.value, change.at) if change.if_unset else MISSING
    if found is not MISSING:
        raise Problem(412, "exists", f"{patch.pointer(change.at)} is set already on {change.kind[:-1]} {change.key!r}", found=found)
    work = Patch(old.value, old.size, change.at)
    defaults = _Defaults(change, lookup)
    done: List[Operation] = []
    for operation in operations:
        done.extend(defaults.before(work, operation))
        work.apply(operation)
        if operation.op != "test":
            done.append(operation)
    done = defaults.after(work, done)
    if work.value is old.value or not done:
        return Effect(change.kind, change.key, ops=[]), old
    _check_touched(change, work.value, done)
    effect = Effect(change.kind, change.key, ops=patch.to_json(done))
    return effect, Document(change.kind, change.key, work.value, old.revision, work.size)


def _check_touched(change: Change, value: Any, done: List[Operation]) -> None:
    """Check the document as far as the operations could have spoilt it: a patch costs the same in a large document."""
    known = KINDS.get(change.kind)
    whole = any(len(path) < 2 for item in done for path in (item.path, item.source or item.path))
    if whole or known is None:
        check_document(change.kind, change.key, value)
        return
    for item in done:
        if known.has_params and item.path[0] == "Params" and item.op != "remove" and not valid_name(item.path[1], True):
            raise _bad_name("param", item.path[1])


class _Defaults:
    """Within a patch an unset param reads as its schema's default; if nothing else wrote it, it stays unset."""

    def __init__(self, change: Change, lookup: Lookup) -> None:
        known = KINDS.get(change.kind)
        self._used = known is not None and known.has_params
        self._lookup = lookup
        self._set: Dict[str, Any] = {}

    def before(self, work: Patch, operation: Operation) -> List[Operation]:
        """Set the params that ``operation`` looks into; return the operations that did it."""
        if not self._used:
            return []
        made: List[Operation] = []
        for path in (operation.source, operation.path):
            if path is None or len(path) < 2 or path[0] != "Params":
                continue
            writes_only = path is operation.path and len(path) == 2 and operation.op in ("add", "move", "copy")
            if writes_only or patch.find(work.value, path[:2]) is not MISSING:
                continue
            default = default_of(path[1], self._lookup)
            if default is not MISSING and isinstance(patch.find(work.value, ("Params",)), dict):
                made.append(Operation(operation.number, "add", path[:2], None, default))
                work.apply(made[-1])
                self._set[path[1]] = default
        return made

    def after(self, work: Patch, done: List[Operation]) -> List[Operation]:
        """Unset what was only looked at."""
        for name, default in self._set.items():
            path = ("Params", name)
            if patch.find(work.value, path) is not default:
                continue
            touching = [o for o in done if o.path[:2] == path or (o.source or ())[:2] == path]
            if any(_sets(operation, path) for operation in touching[1:]):
                continue  # to the very default: a value that is set stays set, whatever becomes of the schema
            removal = Operation(0, "remove", path, None, None)
            work.apply(removal)
            if len(touching) == 1:
                done = [o for o in done if o is not touching[0]]
            else:
                done = done + [removal]
        return done


def _sets(operation: Operation, path: Path) -> bool:
    return operation.path == path and operation.op in ("add", "replace", "move", "copy")
