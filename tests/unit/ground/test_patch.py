# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Patch on persistent values: the public suite, a differential test, and what a patch must never do."""

import copy

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baton.ground.patch import Patch, parse_patch
from baton.ground.problem import Problem
from baton.ground.values import Measure, equal, is_small, parse
from json_patch_suite import cases


def apply(document, operations):
    work = Patch(document, Measure().of(document)[0])
    for operation in parse_patch(operations):
        work.apply(operation)
    return work


@pytest.mark.parametrize("case", [case for _name, case in cases()], ids=[name for name, _case in cases()])
def test_public_suite(case):
    before = copy.deepcopy(case["doc"])
    if "error" in case:
        with pytest.raises(Problem) as caught:
            apply(case["doc"], case["patch"])
        assert caught.value.status in (400, 409)
    else:
        value = apply(case["doc"], case["patch"]).value
        if "expected" in case:
            assert equal(value, case["expected"])
    assert case["doc"] == before, "the original was changed"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "b/c", "d~e"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b/c", "d~e", "0"]), inner, max_size=3),
    max_leaves=8,
)
pointers = st.lists(st.sampled_from(["a", "b~1c", "d~0e", "0", "1", "-"]), max_size=3).map(lambda parts: "".join("/" + p for p in parts))
operations = st.lists(
    st.one_of(
        st.builds(lambda p, v, o: {"op": o, "path": p, "value": v}, pointers, json_values, st.sampled_from(["add", "replace", "test"])),
        st.builds(lambda p: {"op": "remove", "path": p}, pointers),
        st.builds(lambda p, f, o: {"op": o, "path": p, "from": f}, pointers, pointers, st.sampled_from(["move", "copy"])),
    ),
    max_size=4,
)


@settings(max_examples=600, deadline=None)
@given(json_values, operations)
def test_same_as_jsonpatch(document, patch):
    """Where both succeed they agree; what jsonpatch refuses we refuse, but for the cases below."""
    # jsonpatch accepts a removed root and a move of the root into a child; "-" it takes for an index past the end.
    if any(op["path"] == "" and op["op"] == "remove" or op.get("from") == "" for op in patch):
        return
    try:
        theirs = jsonpatch.apply_patch(document, patch)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError, IndexError):
        theirs = KeyError
    try:
        ours = apply(document, patch).value
    except Problem:
        ours = KeyError
    if ours is KeyError or theirs is KeyError:
        if any("-" in op["path"] or "-" in op.get("from", "") for op in patch):
            return
        assert ours is theirs, (ours, theirs)
    else:
        assert equal(ours, theirs), (ours, theirs)


@settings(max_examples=300, deadline=None)
@given(json_values, operations)
def test_size_is_that_of_the_result(document, patch):
    """The size is kept up to date by differences; it must not drift from what a fresh look would say."""
    try:
        work = apply(document, patch)
    except Problem:
        return
    assert abs(work.size - Measure().of(work.value)[0]) <= 2 * len(patch) + 2


def test_only_the_path_is_copied():
    document = {"a": {"x": [1, 2], "y": {"deep": {}}}, "b": {"big": list(range(1000))}}
    value = apply(document, [{"op": "replace", "path": "/a/x/0", "value": 9}]).value
    assert value["b"] is document["b"]
    assert value["a"]["y"] is document["a"]["y"]
    assert value["a"]["x"] == [9, 2] and document["a"]["x"] == [1, 2]


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ({"op": "add", "path": "/a"}, "value"),
        ({"op": "move", "path": "/a"}, "from"),
        ({"op": "spam", "path": "/a"}, "op is one of"),
        ({"op": "add", "path": "a", "value": 1}, "does not begin with"),
        ({"op": "add", "path": "/a~2", "value": 1}, "neither 0 nor 1"),
        ({"op": "add", "path": "/a~", "value": 1}, "neither 0 nor 1"),
        ({"op": "move", "from": "/a", "path": "/a/b"}, "into itself"),
        ("remove", "not an object"),
        ({"op": ["add"], "path": "/a", "value": 1}, "op is one of"),
        ({"op": "add", "path": 3, "value": 1}, "not a string"),
    ],
)
def test_malformed_operations_are_named(operation, text):
    with pytest.raises(Problem) as caught:
        parse_patch([{"op": "test", "path": "", "value": {}}, operation])
    assert caught.value.status == 400
    assert caught.value.detail.startswith("operation 1: ") and text in caught.value.detail
    assert caught.value.extra["operation"] == 1


@pytest.mark.parametrize("path", ["/l/01", "/l/-1", "/l/1e0", "/l/ 1", "/l/4", "/l/٣"])
def test_indexes_are_strict(path):
    with pytest.raises(Problem) as caught:
        apply({"l": [1, 2, 3]}, [{"op": "add", "path": path, "value": 0}])
    assert caught.value.status == 409


def test_true_is_not_one():
    for value, other in ((1, True), (0, False), ("1", 1), (None, False), ([1], [True]), ({"a": 1}, {"a": True})):
        assert not equal(value, other)
    assert equal(1, 1.0)


def test_failed_test_says_what_stands_there():
    with pytest.raises(Problem) as caught:
        apply({"a": {"b": 1}}, [{"op": "test", "path": "/a/b", "value": 2}])
    assert (caught.value.status, caught.value.extra) == (409, {"operation": 0, "path": "/a/b", "found": 1, "missing": False})


def test_shared_copies_do_not_explode():
    """Each copy doubles the document and costs nothing in memory: the size must be counted all the same."""
    bomb = [{"op": "copy", "from": "/a", "path": f"/a/c{n}"} for n in range(60)]
    with pytest.raises(Problem) as caught:
        apply({"a": {"x": "y" * 100}}, bomb)
    assert caught.value.status in (413, 422)


def test_nesting_is_limited():
    deeper = [{"op": "add", "path": "/a" * n, "value": {}} for n in range(1, 150)]
    with pytest.raises(Problem) as caught:
        apply({}, deeper)
    assert caught.value.code == "too_deep"


@pytest.mark.parametrize(
    "text",
    [b"{", b"NaN", b"[Infinity]", b"1e999", b"\xff", b'"\\ud800"', b"[" * 100_000, b"1" * 5000, b'{"a":' * 200 + b"1" + b"}" * 200],
)
def test_bad_json_is_a_problem(text):
    with pytest.raises(Problem) as caught:
        parse(text)
    assert caught.value.status in (400, 422)


def test_is_small():
    assert is_small({"a": ["b", 1, None]}, 100)
    assert not is_small({"a": "b" * 200}, 100)
    assert not is_small([0] * 1000, 100)
    assert not is_small({str(n): {} for n in range(1000)}, 100)
