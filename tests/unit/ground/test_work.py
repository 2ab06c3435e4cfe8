# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change costs, in steps: each container is copied once, and what would hold up the others is refused. No timings."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model.documents import Change, effect_from_json, effect_to_json
from baton.core.model.log import ORIGIN, Entry, Epoch
from baton.core.model.messages import Append, TailWanted
from baton.core.state.heads import Heads
from baton.ground import values as values_module
from baton.ground.patch import MOST_PARTS, Patch, parse_patch
from baton.ground.problem import Problem
from baton.ground.values import MOST_SENT, MOST_VALUES, count_values, dumps, equal, measure, parse, pieces
from baton.ground.work import MOST_STEPS, Work
from support.script import Script, record


def steps(document, operations, most=None):
    """Return what patching takes."""
    work = Work(most)
    patched = Patch(document, *measure(document)[:1], work=work)
    for operation in parse_patch(operations, work=work):
        patched.apply(operation)
    return work.spent


def heads_with(**params):
    heads = Heads()
    heads.append(1, "1.1", heads.evaluate([Change("profiles", "p", "put", {"Params": params})]).effects)
    heads.commit(1)
    return heads


def refused(heads, *changes):
    with pytest.raises(Problem) as caught:
        heads.evaluate(changes)
    return caught.value


def patch(*operations, at=()):
    return Change("profiles", "p", "patch", list(operations), at=at)


# --- what is copied -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [
    {"op": "replace", "path": "/wide/k7/x", "value": 1},
    {"op": "add", "path": "/wide/new", "value": 1},
    {"op": "add", "path": "/list/-", "value": 1},
])  # fmt: skip
def test_a_container_is_copied_once_a_patch_and_not_once_an_operation(operation):
    document = {"wide": {f"k{n}": {"x": 0} for n in range(10_000)}, "list": [0] * 10_000}
    one, hundred = steps(document, [operation]), steps(document, [operation] * 100)
    assert one > 10_000 and hundred < 2 * one + 100 * 1_000


def test_what_was_copied_is_not_changed_with_its_copy():
    patch = [
        {"op": "add", "path": "/a/x/n", "value": 1},  # a and x are the patch's own now
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "add", "path": "/a/x/n", "value": 2},
        {"op": "add", "path": "/b/x/n", "value": 3},
        {"op": "move", "from": "/b/x", "path": "/a/y"},
        {"op": "copy", "from": "/a", "path": "/c"},
        {"op": "move", "from": "/a/y", "path": "/b/x"},
        {"op": "add", "path": "/b/x/n", "value": 4},
    ]
    work = Patch({"a": {"x": {}}}, 10)
    for operation in parse_patch(patch):
        work.apply(operation)
    assert work.value == {"a": {"x": {"n": 2}}, "b": {"x": {"n": 4}}, "c": {"x": {"n": 2}, "y": {"n": 3}}}


names = st.sampled_from(["/a", "/b", "/a/a", "/a/b", "/b/a", "/a/b/a", "/b/b/b", "/a/0", "/b/-", "/a/a/0", ""])
values = st.sampled_from([1, [], {}, [[]], {"a": {"b": []}}, {"a": {"a": {}}, "b": [1]}])
several = st.lists(
    st.one_of(
        st.builds(lambda p, v, o: {"op": o, "path": p, "value": v}, names, values, st.sampled_from(["add", "replace"])),
        st.builds(lambda p: {"op": "remove", "path": p}, names),
        st.builds(lambda p, f, o: {"op": o, "path": p, "from": f}, names, names, st.sampled_from(["move", "copy", "copy"])),
    ),
    max_size=14,
)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from([{"a": {"a": {}, "b": {"a": []}}, "b": {"a": [1]}}, {}, {"a": [[], {}], "b": {}}]), several)
def test_a_patch_does_what_its_operations_do_one_by_one(document, operations):
    """One value for all operations that fit, beside a new one for each: sharing must not show, in the values given neither."""
    given_before = copy.deepcopy((document, operations))
    work = Patch(document, 100, checked=False)
    single = document
    for raw in operations:
        try:
            (operation,) = parse_patch([raw])
            alone = Patch(copy.deepcopy(single), 100, checked=False)
            alone.apply(operation)
        except Problem:
            continue
        work.apply(operation)
        single = alone.value
        assert equal(work.value, single)
    assert (document, operations) == given_before


def test_what_was_evaluated_is_what_is_applied():
    heads = heads_with(x={"n": 1})
    evaluation = heads.evaluate([patch({"op": "add", "path": "/Params/x/n", "value": 2})])
    spent = heads.append(2, "1.2", evaluation.effects, evaluation.documents)
    (left,) = evaluation.documents
    assert spent == 0 and heads.speculative("profiles", "p").value is left.value


def test_others_apply_what_was_evaluated_and_come_to_the_same():
    heads, other = heads_with(x=[1]), heads_with(x=[1])
    evaluation = heads.evaluate([patch({"op": "add", "path": "/Params/x/0", "value": [{"a": "ä" * 50}, 7]}),
                                 patch({"op": "copy", "from": "/Params/x", "path": "/Params/y"})])  # fmt: skip
    heads.append(2, "1.2", evaluation.effects, evaluation.documents)
    other.append(2, "1.2", [effect_from_json(json.loads(json.dumps(effect_to_json(effect)))) for effect in evaluation.effects])
    one, two = heads.speculative("profiles", "p"), other.speculative("profiles", "p")
    assert (one.value, one.size, one.revision) == (two.value, two.size, two.revision)
    assert one.count == measure(one.value)[2]


# --- what is refused ------------------------------------------------------------------------------------------------------


def too_much(heads, *changes):
    problem = refused(heads, *changes)
    assert (problem.status, problem.code) == (413, "too_much_work")
    assert "3 million steps" in problem.detail and problem.extra["most"] == MOST_STEPS


def test_too_many_operations_are_refused_before_one_is_done():
    too_much(heads_with(), patch(*[{"op": "test", "path": "/nowhere", "value": 1}] * 100_000))


def test_shifting_a_long_list_again_and_again_is_refused():
    heads = heads_with(x=list(range(150_000)))
    heads.evaluate([patch(*[{"op": "add", "path": "/Params/x/0", "value": 0}] * 100)])
    too_much(heads, patch(*[{"op": "add", "path": "/Params/x/0", "value": 0}] * 2_000))


def test_copying_what_was_copied_and_changed_is_refused():
    heads = heads_with(x=[0] * 50_000)
    pair = [{"op": "copy", "from": "/Params/x", "path": "/Params/y"}, {"op": "add", "path": "/Params/x/-", "value": 1}]
    too_much(heads, patch(*pair * 500))


def test_the_changes_of_a_batch_have_one_bound():
    heads = heads_with(x=[0] * 50_000)
    one = patch(*[{"op": "add", "path": "/Params/x/0", "value": 0}] * 100)
    heads.evaluate([one] * 3)
    too_much(heads, *[one] * 100)


def machines(count, params):
    return [Change("machines", f"m{n}", "create", {"Params": dict.fromkeys(map(str, range(params)), 1)}) for n in range(count)]


def test_a_thousand_machines_are_made_at_once_and_params_without_end_are_not():
    heads_with().evaluate(machines(1_000, 10))
    too_much(heads_with(), *machines(1_000, 20))
    too_much(heads_with(), *machines(1, 20_000))


def grown(count, kind="profiles", key="p"):
    """Return heads with a document of so many params, made by several patches."""
    heads = Heads()
    commit(heads, [Change(kind, key, "create", {})])
    for first in range(0, count, 5_000):
        operations = [{"op": "add", "path": f"/Params/{number}", "value": 1} for number in range(first, first + 5_000)]
        commit(heads, [Change(kind, key, "patch", operations)], most=None)
    return heads


def commit(heads, changes, most=MOST_STEPS):
    made = heads.evaluate(changes, most=most)
    heads.append(heads.seq + 1, f"1.{heads.seq + 1}", made.effects, made.documents)
    heads.commit(heads.seq + 1)
    return made


@pytest.mark.parametrize(
    "change",
    [
        Change("profiles", "p", "delete"),
        Change("profiles", "p", "put", {"Params": {}}),
        Change("profiles", "p", "patch", [{"op": "replace", "path": "/Params", "value": {}}]),
    ],
)
def test_what_has_grown_can_be_made_smaller_in_one_request(change):
    """It can't be divided; a batch of such changes can."""
    commit(grown(40_000), [change])
    too_much(grown(40_000), change, *machines(1, 0))


def test_a_profile_goes_with_all_its_tokens_and_all_that_is_bound_to_its_params():
    heads = grown(5_000)
    tokens = [Change("tokens", f"t{number}", "put", {"Scope": {"kind": "profile", "name": "p"}}) for number in range(6_000)]
    commit(heads, tokens, most=None)
    commit(heads, [Change("bound", f"profiles/p/{number}", "put", {"Lease": "l"}) for number in range(5_000)], most=None)
    commit(heads, [Change("profiles", "p", "delete")])
    assert not heads.list("tokens") and not heads.list("bound") and not heads.list("profiles")


@pytest.mark.parametrize("committed", [True, False])
def test_notes_beside_params_go_with_them_and_those_of_others_stay(committed):
    heads = grown(5_000)
    notes = ["profiles/p/7", "profiles/p/a/b", "profiles/q/7"]
    made = heads.evaluate([
        Change("profiles", "p", "patch", [{"op": "add", "path": "/Params/a~1b", "value": "me"}]), Change("profiles", "q", "create", {}),
        *(Change("bound", note, "put", {"Lease": "l"}) for note in notes),
        *(Change("seats", note, "put", {"Seats": [{"Candidate": "me", "Token": 1}]}) for note in notes),
    ])  # fmt: skip
    heads.append(heads.seq + 1, "1.99", made.effects, made.documents)
    if committed:
        heads.commit(heads.seq + 1)
    gone = heads.evaluate([Change("profiles", "p", "put", {"Params": {}})])
    for note in notes:
        assert [gone.lookup(kind, note) is None for kind in ("bound", "seats")] == [note != "profiles/q/7"] * 2


def test_a_large_default_that_is_only_looked_at_costs_nothing():
    heads = heads_with()
    commit(heads, [Change("params", "big", "create", {"Schema": {"default": "x" * (1 << 20)}}), *machines(100, 0)])
    look = [{"op": "test", "path": "/Params/big", "value": "x" * (1 << 20)}]
    assert commit(heads, [Change("machines", f"m{n}", "patch", look) for n in range(100)]).work.spent < MOST_STEPS / 10


def test_a_large_default_that_many_small_operations_write_is_refused():
    """Each change has it in the log, and a batch of them would be a gibibyte."""
    heads = heads_with()
    made = heads.evaluate([Change("params", "big", "create", {"Schema": {"default": "x" * (1 << 20)}}), *machines(1_000, 0)])
    heads.append(2, "1.2", made.effects, made.documents)
    copy = [{"op": "copy", "from": "/Params/big", "path": "/Params/y"}]
    heads.evaluate([Change("machines", "m0", "patch", copy)])
    too_much(heads, *(Change("machines", f"m{n}", "patch", copy) for n in range(1_000)))


def test_a_long_pointer_is_refused():
    problem = refused(heads_with(), patch({"op": "test", "path": "/a" * (MOST_PARTS + 1), "value": 1}))
    assert problem.status == 400 and f"more than {MOST_PARTS} parts" in problem.detail
    long = [{"op": "test", "path": "/a" * MOST_PARTS, "value": 1}]
    assert refused(heads_with(), patch(*long)).status == 409


def test_a_document_has_so_many_values_and_no_more():
    heads = heads_with(x=[0] * (MOST_VALUES - 20_000))
    heads.evaluate([patch({"op": "add", "path": "/Params/y", "value": [0] * 19_000})])
    problem = refused(heads, patch({"op": "add", "path": "/Params/y", "value": [0] * 30_000}))
    assert (problem.status, problem.code) == (413, "too_many_values")
    heads.evaluate([patch({"op": "remove", "path": "/Params/x"}, {"op": "add", "path": "/Params/y", "value": [0] * 30_000})])


def test_what_an_older_version_let_grow_can_be_made_smaller():
    heads = Heads()
    heads.append(1, "1.1", [effect_from_json({"kind": "profiles", "key": "p", "value": {
        "Name": "p", "Description": "", "Meta": {}, "Params": {"x": [0] * (MOST_VALUES + 5)}}})])  # fmt: skip
    heads.commit(1)
    assert refused(heads, patch({"op": "add", "path": "/Params/y", "value": 1})).code == "too_many_values"
    evaluation = heads.evaluate([patch({"op": "remove", "path": "/Params/x"})])
    assert (evaluation.documents[0].count, evaluation.documents[0].size) == (5, measure(evaluation.documents[0].value)[0])


def test_an_entry_of_the_log_is_applied_whatever_it_takes():
    heads = heads_with(x=list(range(150_000)))
    effect = {"kind": "profiles", "key": "p", "ops": [{"op": "add", "path": "/Params/x/0", "value": 0}] * 3_000}
    assert heads.append(2, "1.2", [effect_from_json(effect)]) > MOST_STEPS
    assert len(heads.speculative("profiles", "p").value["Params"]["x"]) == 153_000


def test_params_with_schemas_are_looked_through_once():
    """Each default that a patch looks at was sought in all of its operations."""
    heads = Heads()
    names = [f"q{n}" for n in range(300)]
    schemas = [Change("params", name, "put", {"Schema": {"default": 0}}) for name in names]
    heads.append(1, "1.1", heads.evaluate([Change("profiles", "p", "put", {}), *schemas]).effects)
    heads.commit(1)
    tests = [{"op": "test", "path": f"/Params/{name}", "value": 0} for name in names]
    evaluation = heads.evaluate([patch(*tests)])
    assert evaluation.effects[0].ops == [] and evaluation.documents[0].value["Params"] == {}


# --- bodies ---------------------------------------------------------------------------------------------------------------


def test_a_body_has_so_many_values_and_no_more():
    assert len(parse(b"[" + b"0," * (MOST_SENT - 10) + b"0]")) == MOST_SENT - 9
    for body in (b"[" + b"0," * 2_000_000 + b"0]", b"[" + b"[]," * 1_000_000 + b"0]", b"[" + b'"",' * 1_000_000 + b"0]"):
        with pytest.raises(Problem) as caught:
            parse(body)
        assert (caught.value.status, caught.value.code) == (413, "too_many_values")


@pytest.mark.parametrize("text", ['[{,"' * 200_000, '"' * 300_000 + "," * 100_000,
                                  '\\"' * 100_000 + "[," * 100_000, "\\\\" * 50_000 + '"' + "," * 200_000,
                                  "," * 60_000 + "\\" * 2_000_001])
def test_what_a_string_is_of_does_not_count(text):
    assert parse(json.dumps(["x", text]).encode()) == ["x", text]


@pytest.mark.parametrize("value", [1, [], {}, [1, "a,b", {"x": [2, 3]}], {"a": 1, "b": {"c": "}{"}}, {"a": [[], [[]], 'x"y\\']}])
def test_values_are_counted_in_their_text(value):
    exact = measure(value)[2]
    assert exact <= count_values(json.dumps(value).encode(), exact - 1) <= 2 * exact


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["\\", '"', ",", "[", "x", '",']), max_size=60).map("".join), st.integers(1, 9))
def test_where_a_text_is_cut_to_be_counted_does_not_matter(text, piece):
    """What is escaped, and what is in a string, may begin in one piece and end in another."""
    data = json.dumps([text, [text, 0], {text: text}]).encode()
    with pytest.MonkeyPatch.context() as context:
        context.setattr(values_module, "PIECE", piece)
        assert count_values(data, 7) == 7 and count_values(data, 6) > 6 and count_values(data, 2) > 2


# --- writing --------------------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=60,
    ),
    st.integers(1, 200),
)
def test_the_pieces_of_a_text_are_the_text(value, most):
    assert "".join(pieces(value, most)) == dumps(value)


def test_pieces_are_small():
    value = {"a": [{"n": n, "text": "x" * 50} for n in range(5_000)], "b": list(range(50_000)), "c": {str(n): {} for n in range(5_000)}}
    assert max(map(len, pieces(value, 4_000))) < 9_000


def test_large_and_small_values_are_measured_alike():
    few = {"a": [1, "xyz", None, {"b": []}], "k": 10**30}
    many = [few] * 50
    size, depth, count = measure(few)
    assert measure(many) == (2 + 50 * (size + 1), depth + 1, 50 * count + 1)


# --- passives -------------------------------------------------------------------------------------------------------------


def behind(through):
    """A passive that has seven heavy entries in its log, of which it has evaluated some; those up to ``through`` are committed."""
    script = Script("n2")
    epoch = Epoch(1, "e1")
    long = {"kind": "profiles", "key": "p", "value": {"Name": "p", "Params": {"x": list(range(60_000))}}}
    heavy = {"kind": "profiles", "key": "p", "ops": [{"op": "add", "path": "/Params/x/0", "value": 0}] * 500}
    entries = tuple(Entry.make(n, epoch, n, {"effects": [long if n == 1 else heavy]}) for n in range(1, 8))
    script.give(ev.Started())
    script.give(ev.RecordRead(5, record(number=1)))
    script.give(ev.LinkUp("n1"))
    script.hello("n1", role="active")
    message = Append(epoch, "n2-disk", ORIGIN, entries, through, script.now, None, -1, 0)
    script.give(ev.Received("n1", message))
    script.stored()
    return script


def test_a_passive_applies_what_is_heavy_bit_by_bit_and_answers_meanwhile():
    script = behind(7)
    applied = []
    while script.node.state.commit < 7 and len(applied) < 20:
        applied.append(script.node.state.commit)
        script.give(ev.Tick())
    assert len(applied) >= 4 and applied == sorted(set(applied))
    assert len(script.node.state.heads.committed("profiles", "p").value["Params"]["x"]) == 63_000


# --- who becomes active ---------------------------------------------------------------------------------------------------


def given_the_role(script, number=2):
    """n1 hands the role over; return the record."""
    standing = record(active="n2", number=number, holder="n1")
    script.give(ev.RecordRead(5 + number, standing))
    return standing


def test_a_new_active_evaluates_what_is_heavy_bit_by_bit_before_it_begins():
    script = behind(2)
    given_the_role(script)
    parts = 0
    while script.of(cmd.Later):
        assert script.node.leading is None and script.node.role == "taking"
        parts += 1
        script.give(ev.Received("n1", TailWanted(ORIGIN)))  # all else goes on
        script.commands = [cmd.Later()]
        script.give(ev.GoOn())
    assert parts >= 3 and script.node.role == "active"
    assert len(script.node.state.heads.speculative("profiles", "p").value["Params"]["x"]) == 63_000


def test_with_nothing_to_evaluate_it_begins_at_once():
    script = behind(7)
    while script.node.state.commit < 7:
        script.give(ev.Tick())
    given_the_role(script)
    assert script.node.role == "active" and not script.of(cmd.Later)


@pytest.mark.parametrize("active", ["n1", "n2"])
def test_it_does_not_begin_a_reign_that_is_over_by_then(active):
    """The record has moved on while it evaluated: to another, or to a later reign of its own, which begins for itself."""
    script = behind(2)
    given_the_role(script)
    assert script.of(cmd.Later)
    script.give(ev.RecordRead(9, record(active=active, number=4, holder="n3")))
    for _round in range(9):
        script.give(ev.GoOn())
    if active == "n1":
        assert script.node.role == "passive"
    else:
        assert script.node.role == "active" and script.node.leading.epoch.number == 4
