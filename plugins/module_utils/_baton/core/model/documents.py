# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents: names, defaults of params, and what a client's change does to one document. Pure.

A change is evaluated once, on the active, and becomes an Effect: free of tests and of look-ups in other documents, so that
every node that applies it gets the same document.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from ...ground import patch
from ...ground.patch import MISSING, Operation, Patch, Path
from ...ground.problem import Problem
from ...ground.values import MOST_BYTES, MOST_DEPTH, MOST_VALUES, measure, too_deep, too_large
from ...ground.work import LETTERS, MEASURED, NAME, PARSED, Work
from .document import Document
from .kinds import DOCUMENTS, singular


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


_PLAIN = r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,126}"
_NAME = re.compile(_PLAIN + r"\Z")
_PATH = re.compile(rf"{_PLAIN}(?:/{_PLAIN})*\Z")
MOST_PARAM_NAME = 255


def valid_name(name: str, slashes: bool = False) -> bool:
    """Return whether ``name`` may name a document (or a param, with ``slashes``)."""
    if not slashes:
        return bool(_NAME.match(name))
    return len(name) <= MOST_PARAM_NAME and bool(_PATH.match(name))


def check_name(kind: str, name: str) -> None:
    """Raise Problem 400 for a name that this kind does not allow."""
    known = DOCUMENTS.get(kind)
    if known is not None and not valid_name(name, known.slashes):
        raise _bad_name(known.singular, name)


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


def apply_effect(old: Optional[Document], effect: Effect, revision: str, work: Work) -> Optional[Document]:
    """Return the document after ``effect``, which was checked when it was made; DoesNotFit where it was made of another one.

    ``work`` counts what that takes.
    """
    try:
        return _apply(old, effect, revision, work)
    except Problem as problem:
        raise DoesNotFit(f"{effect.kind}/{effect.key}: {problem.detail}") from None


def _apply(old: Optional[Document], effect: Effect, revision: str, work: Work) -> Optional[Document]:
    if effect.delete:
        return None
    if effect.ops is None:
        size, _depth, count = measure(effect.value)
        work.spend(MEASURED * count)
        return Document(effect.kind, effect.key, effect.value, revision, size, count)
    if old is None:
        raise DoesNotFit(f"{effect.kind}/{effect.key} is patched, and does not exist")
    known = old.values
    patched = Patch(old.value, old.size, count=known, work=work, checked=False)
    for operation in patch.parse_patch(effect.ops, work=work):
        patched.apply(operation)
    count = max(1, patched.count) if known and not patched.unsure else 0
    return Document(effect.kind, effect.key, patched.value, revision, max(0, patched.size), count)


# --- evaluation ---------------------------------------------------------------------------------------------------------

Lookup = Callable[[str, str], Optional[Document]]


def evaluate(change: Change, lookup: Lookup, work: Optional[Work] = None) -> Tuple[Effect, Optional[Document]]:
    """Return what ``change`` does, and the document as it would stand (its revision is still the old one's or "").

    ``lookup`` gives documents of the head that is evaluated on; ``work`` has the bound of the request. Raises Problem and has
    changed nothing.
    """
    work = work if work is not None else Work()
    check_name(change.kind, change.key)
    old = lookup(change.kind, change.key)
    _check_match(change, old)
    if change.action == "delete":
        _must_exist(change, old)
        return Effect(change.kind, change.key, delete=True), None
    if change.action == "patch":
        return _evaluate_patch(change, _must_exist(change, old), lookup, work)
    if change.action == "create" and old is not None:
        raise Problem(409, "exists", f"{singular(change.kind)} {change.key!r} exists already; patch it, or use another name")
    value = _complete(change.kind, change.key, change.body, work)
    size, depth, count = measure(value, MOST_VALUES)
    if depth > MOST_DEPTH:
        raise too_deep()
    if size > MOST_BYTES:
        raise too_large()
    work.spend(MEASURED * count + size // LETTERS)
    effect = Effect(change.kind, change.key, value=value)
    return effect, Document(change.kind, change.key, value, old.revision if old else "", size, count)


def _measured(value: Any) -> Tuple[int, int]:
    """Return size and count of a document, which an older version may have let grow beyond all bounds."""
    try:
        size, _depth, count = measure(value, MOST_VALUES)
    except Problem:
        return MOST_BYTES, MOST_VALUES + 1
    return size, count


def _must_exist(change: Change, old: Optional[Document]) -> Document:
    if old is None:
        raise Problem(404, "not_found", f"there is no {singular(change.kind)} {change.key!r}")
    return old


def _check_match(change: Change, old: Optional[Document]) -> None:
    wanted = change.if_match
    if wanted is None or (old is not None and wanted in ("*", old.revision)):
        return
    if change.kind == "files":  # whose content is its ETag
        has = old.value["Sha256"] if old is not None else None
        if has != wanted:
            why = f"file {change.key!r} has another content" if has else f"there is no file {change.key!r}"
            raise Problem(412, "revision_differs", why, found=has)
        return
    now = f"its revision is {old.revision}" if old is not None else "it does not exist"
    found = old.revision if old is not None else None
    raise Problem(412, "revision_differs", f"{singular(change.kind)} {change.key!r} is not at revision {wanted}: {now}", found=found)


def _complete(kind: str, key: str, body: Any, work: Work) -> Any:
    """Return a whole document with the members that its kind always has."""
    if not isinstance(body, dict):
        raise Problem(422, "not_an_object", f"a {singular(kind)} is a JSON object")
    known = DOCUMENTS.get(kind)
    if known is None:
        return body
    value = {known.identity: key, **known.new(), **body}
    check_document(kind, key, value, work)
    return value


def check_document(kind: str, key: str, value: Any, work: Work) -> None:
    """Raise Problem 422 unless ``value`` may stand as document ``key`` of ``kind``."""
    if not isinstance(value, dict):
        raise Problem(422, "not_an_object", f"a {singular(kind)} is a JSON object")
    known = DOCUMENTS.get(kind)
    if known is None:
        return
    if value.get(known.identity) != key:
        raise Problem(422, "identity", f"{known.identity} is {key!r} and can't be changed; make another {singular(kind)} instead")
    if known.has_params:
        if not isinstance(value.get("Params"), dict):
            raise Problem(422, "bad_params", "Params is a JSON object")
        work.spend(NAME * len(value["Params"]))
        for name in value["Params"]:
            if not valid_name(name, True):
                raise _bad_name("param", name)
    if kind == "params" and not isinstance(value.get("Schema"), dict):
        raise Problem(422, "bad_schema", "Schema is a JSON object (a JSON Schema, with a default if you like)")


def default_of(name: str, lookup: Lookup) -> Any:
    """Return the default in a param's schema, or MISSING."""
    schema = lookup("params", name)
    return schema.value["Schema"].get("default", MISSING) if schema is not None else MISSING


def _evaluate_patch(change: Change, old: Document, lookup: Lookup, work: Work) -> Tuple[Effect, Document]:
    operations = patch.parse_patch(change.body, change.at, work)
    value = old.value  # once: asked again, it may be another one that is equal
    found = patch.find(value, change.at) if change.if_unset else MISSING
    if found is not MISSING:
        raise Problem(412, "exists", f"{patch.pointer(change.at)} is set already on {singular(change.kind)} {change.key!r}", found=found)
    patched = Patch(value, old.size, change.at, old.values or _counted(value, work), work)
    defaults = _Defaults(change, lookup)
    done: List[Operation] = []
    for operation in operations:
        done.extend(defaults.before(patched, operation))
        patched.apply(operation)
        if operation.op != "test":
            done.append(operation)
    done = defaults.after(patched, done)
    work.spend(defaults.written(done) // LETTERS)  # however small the operation, the log has all of it
    if patched.value is value or not done:
        return Effect(change.kind, change.key, ops=[]), old
    _check_touched(change, patched.value, done, work)
    effect = Effect(change.kind, change.key, ops=patch.to_json(done))
    size, count = _measured(patched.value) if patched.unsure else (max(0, patched.size), patched.count)
    return effect, Document(change.kind, change.key, patched.value, old.revision, size, count)


def _counted(value: Any, work: Work) -> int:
    """Return how many values a document has of which nobody knows."""
    count = _measured(value)[1]
    work.spend(MEASURED * count)
    return count


def _check_touched(change: Change, value: Any, done: List[Operation], work: Work) -> None:
    """Check the document as far as the operations could have spoilt it: a patch costs the same in a large document."""
    known = DOCUMENTS.get(change.kind)
    whole = any(len(item.path) < 2 or item.source is not None and len(item.source) < 2 for item in done)
    if whole or known is None:
        check_document(change.kind, change.key, value, work)
        return
    written = {item.path[1] for item in done if item.path[0] == "Params" and item.op != "remove"} if known.has_params else set()
    for name in written:
        if not valid_name(name, True):
            raise _bad_name("param", name)


class _Defaults:
    """Within a patch an unset param reads as its schema's default; if nothing else wrote it, it stays unset."""

    def __init__(self, change: Change, lookup: Lookup) -> None:
        known = DOCUMENTS.get(change.kind)
        self._used = known is not None and known.has_params
        self._lookup = lookup
        self._set: Dict[str, Any] = {}
        self._known: Dict[str, Any] = {}
        self._sizes: Dict[str, int] = {}  # of the schemas, in bytes

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
            default = self._default(path[1], work)
            if default is not MISSING and isinstance(patch.find(work.value, ("Params",)), dict):
                made.append(Operation(operation.number, "add", path[:2], None, default, patch.pointer(path[:2])))
                work.apply(made[-1])
                self._set[path[1]] = default
        return made

    def _default(self, name: str, work: Patch) -> Any:
        """Return ``default_of`` a param, looked up once; whoever has its schema parsed pays."""
        if name not in self._known:
            schema = self._lookup("params", name)
            if schema is not None and schema.is_packed:
                work.spend(PARSED * schema.cost)
            self._known[name] = default_of(name, self._lookup)
            self._sizes[name] = schema.size if schema is not None else 0
        return self._known[name]

    def after(self, work: Patch, done: List[Operation]) -> List[Operation]:
        """Unset what was only looked at."""
        touching = self._touching(done)
        needless = set()
        removals: List[Operation] = []
        for name, default in self._set.items():
            path = ("Params", name)
            if patch.find(work.value, path) is not default:
                continue
            if any(_sets(operation, path) for operation in touching[name][1:]):
                continue  # to the very default: a value that is set stays set, whatever becomes of the schema
            removal = Operation(0, "remove", path, None, None, patch.pointer(path))
            work.apply(removal)
            if len(touching[name]) == 1:
                needless.add(id(touching[name][0]))
            else:
                removals.append(removal)
        return [operation for operation in done if id(operation) not in needless] + removals if self._set else done

    def written(self, done: List[Operation]) -> int:
        """Return how many bytes of schemas whose defaults stay in a patch there are, about."""
        kept = {id(operation.value) for operation in done if operation.op == "add"} if self._set else set()
        return sum(self._sizes[name] for name, default in self._set.items() if id(default) in kept)

    def _touching(self, done: List[Operation]) -> Dict[str, List[Operation]]:
        """Return the operations that touch a param which was set here, by its name."""
        found: Dict[str, List[Operation]] = {name: [] for name in self._set}
        for operation in done if self._set else ():
            for name in {path[1] for path in (operation.path, operation.source or ()) if len(path) > 1 and path[0] == "Params"}:
                if name in found:
                    found[name].append(operation)
        return found


def _sets(operation: Operation, path: Path) -> bool:
    return operation.path == path and operation.op in ("add", "replace", "move", "copy")
