# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random documents and patches through the core, bombs among them.

Where ``jsonpatch`` defines an answer, too, it is the same; all that is ever raised is the core's own refusal; nothing that was
given is changed; a passive comes to the same document as the active; and no more is copied than the request has paid for.
"""

import json
import random

import jsonpatch

from baton.core.model.documents import Change, effect_from_json, effect_to_json
from baton.core.state.heads import Heads
from baton.ground.patch import Patch, parse_patch
from baton.ground.problem import Problem
from baton.ground.values import MOST_BYTES, MOST_DEPTH, MOST_VALUES, equal, measure, parse, pieces
from baton.ground.work import Work

NAMES = ("a", "a", "b", "b", "c", "0", "1", "", "a/b", "m~n", "é", "-", "Params", "x" * 40)
SCALARS = (None, True, False, 0, 1, -1, 1.0, 0.5, 10**30, "", "a", "1", "true", "é\u2028", "x" * 30)
REFUSALS = (400, 404, 409, 412, 413, 422)
THEIRS = (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError, IndexError, ValueError, AttributeError)


def value_of(pick, deep=3):
    """Return a random JSON value."""
    kind = pick.random()
    if deep == 0 or kind < 0.45:
        return pick.choice(SCALARS)
    if kind < 0.7:
        return [value_of(pick, deep - 1) for _item in range(pick.choice((0, 1, 2, 3, 6)))]
    return {name: value_of(pick, deep - 1) for name in pick.sample(NAMES, pick.choice((0, 1, 2, 3)))}


def pointers_in(value, at=""):
    """Return the pointers of all that a value has."""
    found = [at]
    items = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    for name, below in items:
        found += pointers_in(below, f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}")
    return found


def pointer_of(pick, known):
    if pick.random() < 0.95:
        return pick.choice(known) + pick.choice(("", "", "", "/-", "/0", "/new", "/a", "/b", "/01"))
    return pick.choice(("", "/", "/a~2", "a", "/a/-/b", "/-", "/0/0", "/" + "/".join(pick.choices(("a", "0", "b"), k=4))))


def operation_of(pick, known):
    op = pick.choice(("add", "add", "add", "remove", "replace", "replace", "move", "move", "copy", "copy", "copy", "test"))
    raw = {"op": op, "path": pointer_of(pick, known)}
    if op in ("move", "copy"):
        raw["from"] = pointer_of(pick, known)
    elif op != "remove":
        raw["value"] = value_of(pick, 2)
    return raw


def patch_of(pick, document, count):
    """Return a patch most of whose operations fit what those before them leave, and what they leave, if all of them fit.

    Each is applied by itself, to a copy: whatever several of them share in one patch must not show.
    """
    raw, now, fits = [], document, True
    for _try in range(4 * count):
        operation = operation_of(pick, pointers_in(now)[:200])
        alone = Patch(json.loads(json.dumps(now)), 0, checked=False)
        try:
            alone.apply(*parse_patch([operation]))
        except Problem:
            if pick.random() < 0.97:
                continue
            fits = False
        raw.append(operation)
        now = alone.value
        if len(raw) == count or not fits:
            break
    return raw, now if fits else None


def spoilt(pick, patch):
    """Return a patch that is none, sometimes."""
    if pick.random() < 0.05:
        return pick.choice((None, {}, "patch", 1, [patch], [None], [[]], patch + [{"op": "add"}], patch + [{"op": 1, "path": ""}]))
    if patch and pick.random() < 0.1:
        pick.choice(patch)[pick.choice(("op", "path", "from", "value"))] = pick.choice((None, 1, [], {}, "spam", "/a/a"))
    return patch


def bomb(pick):
    """Return (document, patch) that would take far more than it looks."""
    count = pick.choice((10, 100, 1_000))
    wide = {f"k{n}": n for n in range(pick.choice((10, 1_000)))}
    long = list(range(pick.choice((10, 2_000))))
    there_and_back = [{"op": "move", "from": "/a", "path": "/b"}, {"op": "move", "from": "/b", "path": "/a"}]
    nested = "/a" * pick.choice((5, 90, 120, 300))
    bombs = (
        (long, [{"op": "add", "path": "/0", "value": 0}] * count),
        (long, [{"op": "remove", "path": "/0"}] * count),
        ({"a": wide}, [{"op": "copy", "from": "/a", "path": f"/a/c{n}"} for n in range(min(count, 100))]),
        ({"a": long}, [item for _n in range(count) for item in (
            {"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/a/-", "value": 1})]),
        ({"a": wide}, there_and_back * (count // 2)),
        ({"a": wide, "b": wide}, [{"op": "test", "path": "/a", "value": wide}] * count),
        ({}, [{"op": "add", "path": "/a" * n, "value": {}} for n in range(1, 110)]),
        ({"a": {}}, [{"op": "add", "path": nested, "value": {}}] * count),
        ({"a": "x" * 100_000}, [{"op": "copy", "from": "/a", "path": f"/c{n}"} for n in range(300)]),
        ({"a": [[]] * 50}, [{"op": "copy", "from": "/a", "path": "/a/0"}] * 30),
    )  # fmt: skip
    return pick.choice(bombs)


class Counted(Patch):
    """Counts by itself what is copied."""

    copied = 0

    def _make(self, above, key, old):
        self.copied += len(old)
        return super()._make(above, key, old)


def ours(document, raw, most):
    """Return (value or the Problem, what is wrong in a line or None)."""
    work = Work(most)
    patched = None
    try:
        operations = parse_patch(raw, work=work)
        patched = Counted(document, measure(document)[0], count=measure(document)[2], work=work)
        for operation in operations:
            patched.apply(operation)
    except Problem as problem:
        if problem.status not in REFUSALS or "\n" in problem.detail or len(problem.detail) > 500:
            return problem, f"an odd refusal: {problem.status} {problem.detail!r}"
        if patched is not None and patched.copied > most:
            return problem, f"copied {patched.copied} of {most} before it was refused"
        return problem, None
    size, depth, count = measure(patched.value)
    if work.spent > most or patched.copied > work.spent:
        return patched.value, f"spent {work.spent} of {most}, copied {patched.copied}"
    if size > MOST_BYTES + 8 * len(raw) or count > MOST_VALUES or depth > MOST_DEPTH:
        return patched.value, f"a document of {size} bytes, {count} values, {depth} levels"
    if patched.count != count or abs(patched.size - size) > 2 * len(raw) + 2:
        return patched.value, f"size {patched.size} and count {patched.count} instead of {size} and {count}"
    return patched.value, None


def comparable(document, raw):
    """Whether jsonpatch says the same by the RFC: it has rules of its own for the root and for "-", and knows no bounds."""
    if not isinstance(document, (dict, list)) or not isinstance(raw, list):
        return False
    for item in raw:
        if not isinstance(item, dict) or not isinstance(item.get("path"), str) or not isinstance(item.get("from", ""), str):
            return False
        if item.get("from") == "" or item.get("path") == "" or "-" in item["path"] or "-" in item.get("from", ""):
            return False
    return True


def theirs(document, raw):
    try:
        return jsonpatch.apply_patch(document, raw)
    except THEIRS:
        return None


def both_nodes(document, raw):
    """Let an active evaluate the patch and a passive apply it; return what is wrong, or None."""
    active, passive = Heads(), Heads()
    begin = [{"kind": "profiles", "key": "p", "value": {"Name": "p", "Params": {"x": document}}}]
    for heads in (active, passive):
        heads.append(1, "1.1", [effect_from_json(item) for item in begin])
        heads.commit(1)
    try:
        evaluation = active.evaluate([Change("profiles", "p", "patch", raw, at=("Params", "x"))])
    except Problem:
        return None
    kept = [(effect, left) for effect, left in zip(evaluation.effects, evaluation.documents) if effect.ops]
    active.append(2, "1.2", [effect for effect, _left in kept], [left for _effect, left in kept])
    text = json.dumps([effect_to_json(effect) for effect, _left in kept])
    passive.append(2, "1.2", [effect_from_json(item) for item in json.loads(text)])
    one, two = active.speculative("profiles", "p"), passive.speculative("profiles", "p")
    if not equal(one.value, two.value) or list(one.value) != list(two.value) or (kept and one.size != two.size):
        return f"the active has {one.size} bytes, the passive {two.size}, equal: {equal(one.value, two.value)}"
    return None


def play(seed):
    """Play one; return None, or what was wrong in a line."""
    pick = random.Random(seed)
    bombed, left = pick.random() < 0.02, None
    if bombed:
        document, raw = bomb(pick)
    else:
        document = value_of(pick)
        raw, left = patch_of(pick, document, pick.choice((1, 2, 4, 8, 12)))
        kept = json.dumps(raw)
        raw = spoilt(pick, raw)
        if json.dumps(raw) != kept:
            left = None
    before = json.dumps([document, raw])
    value, wrong = ours(document, raw, pick.choice((2_000, 50_000, 3_000_000)))
    wrong = wrong or both_nodes(document, raw)
    if wrong is None and left is not None and not isinstance(value, Problem) and not equal(value, left):
        wrong = f"one by one the operations come to {str(left)[:200]}, as one patch to {str(value)[:200]}"
    if json.dumps([document, raw]) != before:
        return "what was given was changed"
    if wrong is None and not bombed and comparable(document, raw):  # it would copy a bomb's doublings
        expected = theirs(document, raw)
        refused = isinstance(value, Problem)
        if not refused and expected is not None and not equal(value, expected):
            wrong = f"jsonpatch comes to {str(expected)[:200]}, the core to {str(value)[:200]}"
        elif refused and value.status == 409 and expected is not None:
            wrong = f"jsonpatch comes to {str(expected)[:200]}, the core refuses: {value.detail}"
    if wrong is None and not isinstance(value, Problem) and measure(value)[2] < 2_000:
        text = "".join(pieces(value, pick.choice((1, 10, 1_000))))
        if not equal(parse(text.encode()), value):
            wrong = f"written in pieces it is another value: {text[:200]}"
    return None if wrong is None else f"{wrong}; document and patch: {before[:1_000]}"
