# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare and patch documents or their params: of N hosts that try with one reference, one wins. Several are all or nothing."""
from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ..client.api import leased
from ..client.error import ClientError
from ..core.model.kinds import OFFERED, singular
from ..ground.patch import MISSING, Patch, find, parse_patch
from ..ground.problem import Problem
from ..ground.values import equal
from .common import Context, Result, spec

WHAT: Dict[str, Any] = {
    "kind": {"type": "str", "choices": [*OFFERED], "default": "profiles"},
    "name": {"type": "str"},
    "param": {"type": "str"},
    "expect": {"type": "raw"},
    "expect_unset": {"type": "bool"},
    "value": {"type": "raw"},
    "patch": {"type": "list", "elements": "dict"},
}
FENCE: Dict[str, Any] = {
    # Neither is required, and the number may be none, or the text of none: in check mode a lock returns no token.
    "lease": {"type": "str"},
    "token": {"type": "raw", "no_log": False},  # a number that only grows, no secret
}
EITHER = [("patch", "expect"), ("patch", "expect_unset"), ("patch", "value"), ("expect", "expect_unset")]
ITEM: Dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {**WHAT, "kind": {"type": "str", "default": "profiles"}, "name": {"type": "str", "required": True}},
    "mutually_exclusive": EITHER,
    "required_one_of": [("patch", "value"), ("patch", "expect", "expect_unset")],
}
SPEC = spec(
    **WHAT,
    batch=ITEM,
    lease={"type": "str"},
    only_under={"type": "dict", "options": FENCE},
    on_conflict={"type": "str", "choices": ["report", "fail"], "default": "report"},
)
MUTUALLY_EXCLUSIVE = EITHER + [("batch", name) for name in ("name", "patch", "value", "expect", "expect_unset")]
REQUIRED_ONE_OF = [("patch", "value", "batch"), ("patch", "expect", "expect_unset", "batch"), ("name", "batch")]
LOST = ("test_failed", "path_missing", "exists")  # what a server says to who came too late
NO_RACE = "; without a test operation nothing is compared, so this is no lost race: op add sets what is not there"
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z|true\Z|false\Z", re.ASCII)


Seen = Dict[str, Any]  # target → {real: what stood there, after: what would stand there}, each in a list, [] where nothing did


class Item(NamedTuple):
    """One change that is asked for: ``patch``, or ``value`` for a param that is ``expect`` (``unset``: that is not set)."""

    kind: str
    name: str  # the key of the document
    named: str  # as the task has it
    param: Optional[str]
    expect: Any
    unset: bool
    value: Any
    patch: Optional[List[Dict[str, Any]]]

    @property
    def operations(self) -> List[Dict[str, Any]]:
        if self.patch is not None:
            return self.patch
        if self.unset:
            return [{"op": "add", "path": "", "value": self.value}]
        return [{"op": "test", "path": "", "value": self.expect}, {"op": "replace", "path": "", "value": self.value}]

    @property
    def change(self) -> Dict[str, Any]:
        """Return the change as a batch has it."""
        change: Dict[str, Any] = {"Kind": self.kind, "Key": self.name, "Body": self.operations}
        if self.param:
            change["Param"] = self.param
        if self.unset:
            change.update(Action="put", Body=self.value, IfUnset=True)
        return change


def run(context: Context) -> Result:
    if not context.check:
        return _run(context)
    with context.foreseen.of("documents") as seen:
        return _run(context, seen)


def _run(context: Context, seen: Optional[Seen] = None) -> Result:
    """``seen``: check mode, and what other tasks of the run would have changed by now."""
    if context.params["batch"] is None:
        return _run_one(context, _item(context, context.params), seen)
    if context.params["lease"] is not None:
        raise ClientError("usage", "lease ties one param; it has no meaning with batch")
    return _run_batch(context, [_item(context, item) for item in context.params["batch"]], seen)


def _item(context: Context, params: Mapping[str, Any]) -> Item:
    if params["kind"] not in OFFERED:  # of a batch, whose items say it by themselves
        raise ClientError("usage", f"kind is one of {', '.join(OFFERED)}, not {params['kind']!r}")
    if not params["name"]:  # an expression may have come to nothing
        raise ClientError("usage", f"name is empty: say which of the {params['kind']} to change")
    if params["patch"] is None and not params["param"]:
        raise ClientError("usage", "expect and value compare one param: name it with param, or give patch")
    if params["expect_unset"] is False:
        raise ClientError("usage", "expect_unset is true or left out; what is set must be as expect says")
    patch = None if params["patch"] is None else list(params["patch"])
    unset = bool(params["expect_unset"])
    name = context.client.key_of(params["kind"], params["name"])
    item = Item(params["kind"], name, params["name"], params["param"], params["expect"], unset, params["value"], patch)
    return _typed(context, item, item.expect) or item  # an expected number: the text of another shall not take its place


# --- one ----------------------------------------------------------------------------------------------------------------


def _run_one(context: Context, item: Item, seen: Optional[Seen]) -> Result:
    if item.patch is None and seen is None:
        return _swap(context, item)
    before = _stands(context, item, seen)
    item = _typed(context, item, before) or item
    if item.patch is None and equal(before, item.value):
        return _result(before, before, False, True)
    after = _predict(item, before)
    if seen is not None:
        if isinstance(after, ClientError):
            _check_race(item, after)
            return _lost(context, item, before, after)
        _note(context, item, seen, after)
        return _result(before, after, not equal(before, after), True)
    try:
        revision = _send(context, item)
    except ClientError as error:
        if error.code not in LOST:
            raise
        _check_race(item, error)
        return _lost(context, item, before, error)
    if isinstance(after, ClientError):  # what stood there changed between the look and the patch
        after = _read(context, item)
    return {**_result(before, after, not equal(before, after), True), "revision": revision}


def _swap(context: Context, item: Item) -> Result:
    """Expect and value say all that a patch of one param could tell: one request does it."""
    try:
        revision = _send(context, item)
    except ClientError as error:
        if error.code not in LOST:
            raise
        found = _found(context, item, error)
        typed = _typed(context, item, found)
        if typed is not None:
            return _swap(context, typed)
        if equal(found, item.value):
            return _result(found, found, False, True)  # it stands there already
        return _lost(context, item, found, error)
    before = MISSING if item.unset else item.expect
    return {**_result(before, item.value, not equal(before, item.value), True), "revision": revision}


def _send(context: Context, item: Item) -> Any:
    client, under = context.client, _under(context.params)
    if item.unset:
        return client.add_param(item.kind, item.name, str(item.param), item.value, under=under).revision
    if item.param:
        return client.patch_param(item.kind, item.name, item.param, item.operations, under=under).revision
    return client.patch(item.kind, item.name, item.operations, want=False, under=under).revision


def _check_race(item: Item, error: ClientError) -> None:
    """Raise ClientError for a patch that can't be applied, if it compares nothing: then nobody was quicker, it is wrong."""
    compares = item.patch is None or any(operation.get("op") == "test" for operation in item.patch)
    if error.code == "path_missing" and not compares:
        raise ClientError("usage", error.message + NO_RACE, error.status, error.problem)


def _under(params: Mapping[str, Any]) -> Dict[str, str]:
    """Return the headers with which a change depends on leases."""
    fence = params["only_under"]
    if fence is None:
        return leased(params["lease"])
    missing = [name for name in ("lease", "token") if fence.get(name) in (None, "")]
    if missing:
        raise ClientError("usage", f"only_under has no {' and no '.join(missing)}: give both, as the task that took the lock returned them")
    if re.fullmatch("[0-9]+", f"{fence['token']}", re.ASCII) is None:
        raise ClientError("usage", "only_under.token is not a number: give the token that the task that took the lock returned")
    return leased(params["lease"], fence["lease"], int(fence["token"]))


def _read(context: Context, item: Item) -> Any:
    """Return what stands there, or MISSING; who expects nothing to be set does not take a default for it."""
    client = context.client
    if not item.param:
        return client.get(item.kind, item.name).body
    try:
        return client.get_param(item.kind, item.name, item.param, default=not item.unset).body
    except ClientError as error:
        if error.code != "not_set":
            raise
        return MISSING


def _stands(context: Context, item: Item, seen: Optional[Seen]) -> Any:
    """Return what stands there, in check mode after what was foreseen, unless it was really changed since then."""
    real, foreseen = _read(context, item), (seen or {}).get(_target(item))
    if foreseen is None or not equal(foreseen["real"], _listed(real)):
        return real
    return foreseen["after"][0] if foreseen["after"] else MISSING


def _note(context: Context, item: Item, seen: Seen, after: Any) -> None:
    seen[_target(item)] = {"real": _listed(_read(context, item)), "after": _listed(after)}


def _listed(value: Any) -> List[Any]:
    return [] if value is MISSING else [value]


def _target(item: Item) -> str:
    return json.dumps([item.kind, item.name, item.param])


def _found(context: Context, item: Item, error: ClientError) -> Any:
    """Return what was in the way."""
    if "found" not in error.problem:
        return _read(context, item)
    return MISSING if error.problem.get("missing") else error.problem["found"]


# --- several ------------------------------------------------------------------------------------------------------------


def _run_batch(context: Context, items: List[Item], seen: Optional[Seen] = None) -> Result:
    """All of them or none; the answer says which one was in the way."""
    items, before, after = _predict_all(context, items, seen)
    lost = next((index for index, value in enumerate(after) if isinstance(value, ClientError)), None)
    if seen is not None and lost is not None:
        _check_race(items[lost], after[lost])
        return {**_lost(context, items[lost], before[lost], after[lost]), "lost": lost}
    if seen is not None:
        for item, value in zip(items, after):
            _note(context, item, seen, value)
    if not context.check:
        try:
            context.client.batch([item.change for item in items], _under(context.params))
        except ClientError as error:
            if error.code not in LOST:
                raise
            number = int(error.problem.get("change", 0))
            _check_race(items[number], error)
            found = before[number] if error.code == "path_missing" else _found(context, items[number], error)
            typed = _typed(context, items[number], found)
            if typed is not None:
                return _run_batch(context, [*items[:number], typed, *items[number + 1 :]])
            return {**_lost(context, items[number], found, error), "lost": number}
        if lost is not None:  # what stood there changed between the look and the patch
            after = [_read(context, item) for item in items]
    changed = any(not equal(a, b) for a, b in zip(before, after))
    shown = _result([_plain(value) for value in before], [_plain(value) for value in after], changed, True)
    return {**shown, "lost": None}


def _predict_all(context: Context, items: List[Item], seen: Optional[Seen]) -> Tuple[List[Item], List[Any], List[Any]]:
    """Return the items, and what each finds and leaves; of several that change one thing, the later find what the earlier left."""
    stands: Dict[Any, Any] = {}
    typed, before, after = [], [], []
    for item in items:
        target = (item.kind, item.name, item.param)
        if target not in stands:
            stands[target] = _stands(context, item, seen)
        typed.append(_typed(context, item, stands[target]) or item)
        before.append(stands[target])
        after.append(_predict(typed[-1], before[-1]))
        if not isinstance(after[-1], ClientError):
            stands[target] = after[-1]
    return typed, before, after


# --- values -------------------------------------------------------------------------------------------------------------


def _typed(context: Context, item: Item, found: Any) -> Optional[Item]:
    """Return the item with numbers for their text, if that is why it would lose: what stands there is a number."""
    if not context.text_for_numbers or item.patch is not None or not isinstance(found, (bool, int, float)):
        return None
    typed = item._replace(expect=_number(item.expect), value=_number(item.value))
    holds = equal(found, typed.value if item.unset else typed.expect) or equal(found, typed.value)
    return typed if holds and typed != item else None


def _number(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) and NUMBER.match(text) else text


def _predict(item: Item, before: Any) -> Any:
    """Return what the patch would make of ``before`` (MISSING: nothing), or the ClientError that it would end with."""
    if item.unset and before is not MISSING:
        return ClientError("conflict", "it is set", 412, {"type": "urn:baton:exists", "found": before})
    at = ("Params", item.param) if item.param else ()
    whole = before if not item.param else {"Params": {} if before is MISSING else {item.param: before}}
    work = Patch(whole, 0, at)
    try:
        for operation in parse_patch(item.operations, at):
            work.apply(operation)
    except Problem as problem:
        if problem.status != 409:
            raise ClientError("usage", problem.detail, problem.status, problem.to_json()) from None
        return ClientError("conflict", problem.detail, 409, problem.to_json())
    return find(work.value, at)


# --- results ------------------------------------------------------------------------------------------------------------


def _result(before: Any, after: Any, changed: bool, won: bool) -> Result:
    diff = {"before": _shown(before), "after": _shown(after)}
    return {"changed": changed, "won": won, "found": _plain(before), "value": _plain(after), "diff": diff}


def _plain(value: Any) -> Any:
    return None if value is MISSING else value


def _shown(value: Any) -> Any:
    if value is MISSING:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _lost(context: Context, item: Item, before: Any, error: ClientError) -> Result:
    found = error.problem["found"] if "found" in error.problem else _plain(before)
    message = _why(item, before, error)
    if context.params["on_conflict"] == "fail":
        raise ClientError(error.kind, message, error.status, error.problem)
    return {
        "changed": False,
        "won": False,
        "found": found,
        "value": found,
        "operation": error.problem.get("operation"),
        "msg": message,
        "diff": {"before": _shown(before), "after": _shown(before)},
    }


def _why(item: Item, found: Any, error: ClientError) -> str:
    """Say in the user's words what was expected and what stood there."""
    if item.patch is not None:
        return error.message
    wanted = "unset" if item.unset else json.dumps(item.expect)
    stands = "not set" if found is MISSING else json.dumps(found)[:200]
    return f"param {item.param!r} of {singular(item.kind)} {item.named!r} is not {wanted} but {stands}; nothing was changed"
