# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a document that nobody looks at the text alone is kept; whoever looks gets what was written."""

import json
import random

import pytest

from baton.core import commands as cmd
from baton.core.coordination.leases import part_of
from baton.core.model import documents as documents_module
from baton.core.model.document import MOST_PACKED, MOST_PARSED, Document, Parsed
from baton.core.model.documents import Change, apply_effect, effect_from_json, effect_to_json
from baton.core.model.log import Entry, Epoch
from baton.core.model.saved import Saved
from baton.core.state import state as state_module
from baton.core.state.heads import Heads
from baton.core.state.sizes import BESIDE
from baton.core.state.state import State
from baton.ground.problem import Problem
from baton.ground.values import dumps, measure
from baton.ground.work import PARSED, Work
from support.script import serving

VALUE = {"Name": "m\u00e9\U0001f600", "Params": {"a/b": [1, 1.0, 1e300, True, None, '"\\/\u2028'], "c": {}}, "Meta": {"2": {"1": -0.0}}}


def packed(kind="machines", key="m", value=None, revision="1.1"):
    value = VALUE if value is None else value
    return Document.of_text(kind, key, dumps(value), revision, measure(value)[0])


def heads_with(*documents, most=0):
    heads = Heads()
    heads.parsed.most = most
    heads.load(documents, 1)
    return heads


def put(heads, seq, key, value, kind="machines"):
    effect = effect_from_json({"kind": kind, "key": key, "value": value})
    heads.append(seq, f"1.{seq}", [effect])
    heads.commit(seq)
    return heads.committed(kind, key)


def written(heads):
    """The writer has made the texts that a checkpoint has."""
    for _kind, _key, document in heads.take_dirty():
        assert document is None or json.loads(document.text) == document.value


class TestDocument:
    def test_its_value_is_what_was_written_and_its_text_the_same_json(self):
        document = packed()
        assert document.is_packed and document.value == VALUE and dumps(document.value) == document.text == dumps(VALUE)
        assert Document("machines", "m", VALUE, "1.1", 9).text == dumps(VALUE)

    def test_who_only_looks_leaves_it_packed(self):
        heads = heads_with(packed(), most=1 << 20)
        document = heads.committed("machines", "m")
        assert document.peek() == VALUE and document.is_packed and len(heads.parsed) == 0
        assert document.value is document.value and not document.is_packed and len(heads.parsed) == 1

    def test_at_another_revision_it_is_the_same(self):
        for document in (packed(), Document("machines", "m", VALUE, "1.1", 9, 5)):
            other = document.at("1.2")
            assert (other.revision, other.value, other.size, other.count) == ("1.2", VALUE, document.size, document.count)
            assert document.revision == "1.1"

    @pytest.mark.parametrize("kind, size", [("locks", 10), ("leases", 10), ("tokens", 10), ("profiles", MOST_PACKED + 1)])
    def test_what_coordination_reads_and_what_is_large_stands_parsed(self, kind, size):
        heads = heads_with(Document(kind, "x", {"a": 1}, "1.1", size), Document.of_text(kind, "y", '{"a":1}', "1.1", size))
        for document in heads.list(kind):
            assert document.text == '{"a":1}' and not document.is_packed and not document.pack()
        assert len(heads.parsed) == 0

    def test_two_nodes_in_one_process_do_not_share_who_keeps_it(self):
        one = heads_with(packed(), most=1 << 20)
        other = heads_with(*one.all(), most=1 << 20)
        assert one.committed("machines", "m").value == VALUE
        assert other.committed("machines", "m").is_packed and (len(one.parsed), len(other.parsed)) == (1, 0)


class TestParsed:
    def test_what_is_read_is_bounded_the_first_go_first(self):
        value = {"Params": {"x": "y" * 1_000}}
        heads = heads_with(*(packed(key=f"m{n}", value=value) for n in range(100)), most=10_500)
        for number in range(100):
            assert heads.committed("machines", f"m{number}").value == value
            assert heads.parsed.size <= 10_500 + 1_100
        assert [d.key for d in heads.list("machines") if not d.is_packed] == sorted(f"m{n}" for n in range(90, 100))

    def test_what_is_written_stands_parsed_until_its_text_is_made(self):
        heads = heads_with(most=0)
        for number in range(20):
            put(heads, 2 + number, f"m{number}", {"Params": {"x": number}})
        assert not any(document.is_packed for document in heads.list("machines"))
        written(heads)
        heads.parsed.pack(100)
        assert all(document.is_packed for document in heads.list("machines")) and heads.parsed.size == 0
        assert [document.value["Params"]["x"] for document in heads.list("machines")] == sorted(range(20), key=str)

    def test_few_are_looked_at_at_once(self):
        heads = heads_with(most=0)
        for number in range(20):
            put(heads, 2 + number, f"m{number}", {"Params": {"x": number}})
        written(heads)
        heads.parsed.pack(5)
        assert sum(document.is_packed for document in heads.list("machines")) == 5

    def test_of_a_document_that_changes_all_the_time_only_the_newest_counts(self):
        heads = heads_with(most=1 << 20)
        for number in range(1, 500):
            put(heads, 1 + number, "m", {"Params": {"x": number}})
        assert len(heads.parsed) == 1 and heads.unwritten <= 2 * heads.committed("machines", "m").size
        written(heads)
        heads.parsed.pack(9)
        assert len(heads.parsed) == 1 and heads.parsed.size == heads.committed("machines", "m").size
        effect = effect_from_json({"kind": "machines", "key": "m", "delete": True})
        heads.append(501, "1.501", [effect])
        heads.commit(501)
        assert (len(heads.parsed), heads.parsed.size) == (0, 0)

    def test_who_has_one_that_was_replaced_still_gets_its_value(self):
        heads = heads_with(packed())
        old = heads.committed("machines", "m")
        put(heads, 2, "m", {"Params": {}})
        assert old.value == VALUE and old.is_packed and heads.committed("machines", "m").value == {"Params": {}}

    def test_what_is_held_stays_parsed(self):
        heads = heads_with(*(packed(key=f"m{n}") for n in range(10)))
        keys, held = [("machines", f"m{n}") for n in range(12)], []
        cost = PARSED * packed().cost
        assert heads.prepare(keys, 2 * cost, held) == 2 * cost and len(held) == 2
        while heads.prepare(keys, 2 * cost, held) >= 2 * cost:
            pass
        assert heads.steps_to_parse(keys) == 0 and len(held) == 10
        heads.parsed.release(held)
        assert heads.steps_to_parse(keys) == 10 * cost and held == [] and heads.parsed.size == 0

    def test_what_was_written_does_not_keep_what_was_read_parsed(self):
        value = {"Params": {"x": "y" * 1_000}}
        heads = heads_with(*(packed(key=f"r{n}", value=value) for n in range(50)), most=10_500)
        for number in range(200):
            put(heads, 2 + number, f"w{number}", {"Params": {"x": number}})
        for number in range(50):
            assert heads.committed("machines", f"r{number}").value == value
            assert heads.parsed.size <= 10_500 + 1_100

    def test_what_grows_counts_as_unwritten_by_as_much(self):
        heads = heads_with()
        for number in range(1, 50):
            put(heads, 1 + number, "m", {"Params": {"x": "y" * 1_000 * number}})
        assert heads.unwritten >= heads.committed("machines", "m").size > 49_000

    def test_a_text_that_is_much_longer_than_it_counts_is_not_kept(self):
        value = {"Params": {"x": [0.1234567890123456] * 10_000}}
        heads = heads_with(packed(key="read", value=value), most=0)
        put(heads, 2, "written", value)
        written(heads)
        heads.parsed.pack(9)
        for key in ("read", "written"):
            document = heads.committed("machines", key)
            assert not document.is_packed and document.known_text is None and document.value["Params"] == value["Params"]
            assert json.loads(document.text)["Params"] == value["Params"]
        assert len(heads.parsed) == 0

    def test_the_default_is_small_beside_all_documents(self):
        assert Parsed().most == MOST_PARSED <= 8 << 20


class TestChanges:
    def test_defaults_that_a_patch_looks_into_are_parsed_once_and_paid_for(self, monkeypatch):
        schema = {"Name": "a", "Schema": {"default": {"x": 1}, "description": "y" * 50_000}}
        heads = heads_with(packed(), *(packed("params", name, {**schema, "Name": name}) for name in "pqr"), most=0)
        looks = []
        monkeypatch.setattr(Document, "peek", lambda document: looks.append(document.key) or json.loads(document.text))
        body = [{"op": "test", "path": f"/Params/{name}/x", "value": 1} for name in "pqr" * 20]
        evaluation = heads.evaluate([Change("machines", "m", "patch", body)])
        assert sorted(name for name in looks if name != "m") == ["p", "q", "r"] and evaluation.work.spent > 3 * PARSED * 50_000

    def test_a_loaded_document_need_not_be_counted_to_be_patched(self, monkeypatch):
        large = {"Name": "large", "Params": {"x": list(range(30_000))}}
        heads = heads_with(packed(), packed(key="large", value=large))
        assert heads.committed("machines", "large").count >= 30_000
        monkeypatch.setattr(documents_module, "_measured", None)
        body = [{"op": "add", "path": "/Params/new", "value": 1}]
        evaluation = heads.evaluate([Change("machines", key, "patch", body) for key in ("m", "large")])
        heads.append(2, "1.2", [effect_from_json(effect_to_json(effect)) for effect in evaluation.effects])
        heads.commit(2)
        assert heads.committed("machines", "large").count >= 30_001

    def test_what_is_counted_too_high_is_counted_anew_before_it_is_refused(self):
        commas = {"Name": "m", "Params": {"x": "," * 60_000}}
        heads = heads_with(packed(value=commas))
        body = [{"op": "add", "path": f"/Params/n{part}", "value": list(range(49_000))} for part in range(3)]
        evaluation = heads.evaluate([Change("machines", "m", "patch", body)], most=None)
        more = [{"op": "add", "path": "/Params/more", "value": list(range(49_000))}]
        heads.append(2, "1.2", evaluation.effects, evaluation.documents)
        evaluation = heads.evaluate([Change("machines", "m", "patch", more)], most=None)
        assert evaluation.documents[0].count == 4 * 49_001 + 4
        heads.append(3, "1.3", evaluation.effects, evaluation.documents)
        with pytest.raises(Problem, match="200,000"):
            heads.evaluate([Change("machines", "m", "patch", [{**more[0], "path": "/Params/most"}])], most=None)

    def test_a_patch_of_a_packed_document_changes_its_text(self):
        heads = heads_with(packed())
        before = heads.committed("machines", "m").text
        body = [{"op": "replace", "path": "/Params/c", "value": 5}]
        evaluation = heads.evaluate([Change("machines", "m", "patch", body)])
        heads.append(2, "1.2", evaluation.effects, evaluation.documents)
        assert heads.committed("machines", "m").text == before
        heads.commit(2)
        written(heads)
        heads.parsed.pack(9)
        document = heads.committed("machines", "m")
        assert document.is_packed and document.revision == "1.2"
        assert document.text == dumps({**VALUE, "Params": {**VALUE["Params"], "c": 5}})

    def test_a_patch_that_changes_nothing_changes_nothing(self):
        heads = heads_with(packed(kind="profiles", key="m", value={"Name": "m", "Params": {"a": 1}}))
        itself = {"op": "move", "from": "/Params/a", "path": "/Params/a"}
        for body in ([{"op": "test", "path": "/Params/a", "value": 1}], [], [itself]):
            (effect,) = heads.evaluate([Change("profiles", "m", "patch", body)]).effects
            assert effect.ops == []
        with pytest.raises(Problem) as refused:
            heads.evaluate([Change("profiles", "m", "patch", [{"op": "test", "path": "/Params/a", "value": 2}])])
        assert refused.value.extra["found"] == 1 and heads.committed("profiles", "m").text == '{"Name":"m","Params":{"a":1}}'

    def test_a_document_that_goes_on_and_off_is_as_one_that_always_stands_parsed(self):
        for seed in range(60):
            dice = random.Random(seed)
            one, other = heads_with(most=0), heads_with(most=1 << 30)
            for seq in range(2, 60):
                changes = [_change(dice) for _number in range(dice.randint(1, 3))]
                outcomes = [_played(heads, seq, changes) for heads in (one, other)]
                assert outcomes[0] == outcomes[1], (seed, seq, changes)
                if dice.random() < 0.4:
                    written(one)
                    one.parsed.pack(dice.randint(0, 9))
            assert [_shown(d) for d in one.all()] == [_shown(d) for d in other.all()], seed
            assert one.sizes.all == other.sizes.all == sum(document.size + BESIDE for document in one.all())


def _shown(document):
    return document.kind, document.key, document.revision, document.size, dumps(document.value), document.text


def _change(dice):
    kind, key, param = dice.choice(("machines", "profiles")), dice.choice("ab"), dice.choice(("x", "y/z"))
    values = (0, 0.0, False, "", [1, {"\u00fc": None}], {}, {"b": 1, "a": 2}, {"a": 2, "b": 1})
    action = dice.choice(("put", "create", "delete", "patch", "patch", "patch"))
    if action in ("put", "create"):
        return Change(kind, key, action, {"Params": {param: dice.choice(values)}})
    if action == "delete":
        return Change(kind, key, "delete")
    operation = dice.choice(("add", "replace", "test", "remove"))
    raw = {"op": operation, "path": f"/Params/{param.replace('/', '~1')}"}
    return Change(kind, key, "patch", [{**raw, "value": dice.choice(values)} if operation != "remove" else raw])


def _played(heads, seq, changes):
    try:
        evaluation = heads.evaluate(changes)
    except Problem as problem:
        return problem.to_json()
    heads.append(seq, f"1.{seq}", evaluation.effects, evaluation.documents)
    changed = heads.commit(seq)
    return [effect_to_json(effect) for effect in evaluation.effects], [(k, key, d and _shown(d)) for k, key, d in changed]


class TestPassive:
    """Who applies what another has evaluated has to answer in time, however much of it has to be parsed first."""

    COUNT = 40

    def state(self):
        script = serving()
        documents = [packed(key=f"m{n}", value={"Uuid": f"m{n}", "Params": {"x": "y" * 1_000}}) for n in range(self.COUNT)]
        state = State(script.node.config, Saved("d", documents=documents), [])
        state.heads.parsed.most = 0
        return state

    def entry(self):
        patch = [{"op": "add", "path": "/Params/n", "value": 1}]
        effects = [{"kind": "machines", "key": f"m{n}", "ops": patch} for n in range(self.COUNT)]
        return Entry.make(1, Epoch(1, "e"), 0, {"effects": effects})

    def check(self, state):
        assert [d.value["Params"]["n"] for d in state.heads.list("machines")] == [1] * self.COUNT
        assert all(document.revision == "1.1" for document in state.heads.list("machines"))

    def test_an_entry_is_taken_at_once_and_applied_in_slices(self):
        state = self.state()
        why, steps = state.take(self.entry(), 5_000)
        assert why == "" and 5_000 <= steps < 8_000 and state.log.end.seq == 1
        calls = 0
        while state.commit < 1:
            state.apply(1, 5_000)
            calls += 1
        assert 5 < calls < 30
        self.check(state)

    def test_a_new_active_evaluates_in_slices_what_its_log_has_left(self):
        state = self.state()
        assert state.take(self.entry(), 0) == ("", 0)
        calls = 1
        while not state.catch_up(12_000):
            calls += 1
        assert 5 < calls < 30
        state.apply(1)
        self.check(state)

    def test_who_may_take_his_time_does(self):
        state = self.state()
        state.take(self.entry(), 1 << 60)
        state.apply(1)
        self.check(state)

    def test_what_is_given_up_holds_nothing(self):
        state = self.state()
        state.take(self.entry(), 5_000)
        assert sum(not document.is_packed for document in state.heads.list("machines")) > 0
        state.cut_after(0)
        assert all(document.is_packed for document in state.heads.list("machines"))

    def test_many_changed_documents_make_a_checkpoint_which_makes_their_texts(self, monkeypatch):
        monkeypatch.setattr(state_module, "UNWRITTEN", 30_000)
        state = self.state()
        state.take(self.entry(), 1 << 60)
        state.apply(1)
        (checkpoint,) = [command for command in state.out if isinstance(command, cmd.Checkpoint)]
        assert len(checkpoint.documents) == self.COUNT and state.heads.unwritten == 0
        for _kind, _key, document in checkpoint.documents:
            assert document.text
        state.heads.parsed.pack(100)
        assert all(document.is_packed for document in state.heads.list("machines"))
        self.check(state)


def test_a_lease_to_which_packed_documents_are_tied_ends_in_smaller_parts():
    value = {"Uuid": "m", "Params": {"x": "y" * 15_000}}
    ties = [{"Kind": "machines", "Key": f"m{n}", "Path": ["Params", "x"]} for n in range(500)]
    lease = Document("leases", "l", {"Ties": ties}, "1.1", 9)
    heads = heads_with(*(packed(key=f"m{n}", value=value) for n in range(500)))
    part, work = part_of(lease, heads.speculative)
    assert 50 < len(part) < 150 and work > 1_000


def test_an_effect_on_a_packed_document_is_one_on_its_value():
    effect = effect_from_json({"kind": "machines", "key": "m", "ops": [{"op": "remove", "path": "/Params"}]})
    after = apply_effect(packed(), effect, "1.2", Work(None))
    assert after.value == {name: VALUE[name] for name in ("Name", "Meta")} and after.text == dumps(after.value)
