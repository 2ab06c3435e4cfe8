# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a query selects among documents of which the text alone is there: the same as if all were parsed, a little at a time."""

import asyncio
import json
import random

import pytest

from baton.adapters.http import selection
from baton.adapters.http.selection import LOOKS, PLACES, Look
from baton.core.model.document import Document
from baton.core.model.documents import Change
from baton.core.state.heads import Heads
from baton.ground.values import dumps, measure
from support.cluster import eventually
from support.one_node import OneNode, put, served

TEXTS = ("", "x", "1", "1.0", "1e0", "1E0", "-0.0", "0", "true", "false", "null", "None", "nan", "inf", "é", "\U0001f600", '"', "\\",
         "a/b", "\n", "\x7f", "<", "12345678901234567890", "0.1", "100000.0", "1e+22", "[]", "{}", '"x"')  # fmt: skip
VALUES = (*TEXTS, 1, 1.0, -0.0, 0, 10**19, 1e22, 0.1, 1e5, True, False, None, [], {}, ["x"], {"Name": "x"}, float("inf"), float("nan"))
NAMES = ("Name", "", 'N"', "é", "Params", "a/b")


def packed(key, value):
    return Document.of_text("machines", key, dumps(value), "1.1", measure(value)[0])


def found(filters, documents):
    look, documents, found = Look(filters), iter(documents), []
    while not look.ended:
        found += look.some(documents)
    return found


def test_what_the_text_says_is_what_the_value_says():
    for name in NAMES:
        documents = [packed(str(number), {"before": {name: "x"}, name: value, "after": 1}) for number, value in enumerate(VALUES)]
        for text in TEXTS:
            filters = ((name, text),)
            wanted = [document.key for document in documents if Look(filters).holds(document)]
            assert [document.key for document in found(filters, documents)] == wanted, (name, text)
            assert all(document.is_packed for document in documents)


@pytest.mark.parametrize("seed", range(20))
def test_nested_members_and_several_filters(seed):
    dice = random.Random(seed)

    def value(depth):
        if depth and dice.random() < 0.5:
            return {name: value(depth - 1) for name in dice.sample(NAMES, 3)} if dice.random() < 0.7 else [value(depth - 1)]
        return dice.choice(VALUES)

    documents = [packed(str(number), {name: value(3) for name in dice.sample(NAMES, 4)}) for number in range(300)]
    for _number in range(40):
        filters = tuple((name, dice.choice(TEXTS)) for name in dice.sample(NAMES, dice.randint(0, 2)))
        assert found(filters, documents) == [document for document in documents if Look(filters).holds(document)]


def test_a_document_without_the_text_is_not_parsed(monkeypatch):
    documents = [packed(str(number), {"Name": f"host-{number}", "Params": {"Name": "host-7"}}) for number in range(100)]
    parsed = []
    monkeypatch.setattr(Document, "peek", lambda document: parsed.append(document.key) or json.loads(document.text))
    assert [document.key for document in found((("Name", "host-42"),), documents)] == ["42"] and parsed == ["42"]
    assert found((("Name", "nobody"),), documents) == [] and len(parsed) == 1
    assert len(found((), documents)) == 100 and len(parsed) == 1


def test_a_name_that_stands_in_many_places_is_not_looked_for_in_all():
    document = packed("m", {"a": [{"Name": 1}] * 1_000, "Name": "x"})
    assert found((("Name", "x"),), [document]) == [document] and found((("Name", "y"),), [document]) == []
    assert Look((("Name", "y"),)).may_hold(document)
    few = packed("m", {"a": [{"Name": 1}] * (PLACES - 2), "Name": "x"})
    assert not Look((("Name", "y"),)).may_hold(few)


def test_one_look_is_bounded():
    look = Look((("Name", "x"),))
    documents = iter([packed(str(number), {"Name": "x", "Params": {"p": "y" * 10_000}}) for number in range(100)])
    assert 10 < len(look.some(documents)) < 20 and not look.ended
    look = Look((("Name", "nobody"),))
    documents = iter([packed(str(number), {"Name": "x"}) for number in range(LOOKS)])
    assert look.some(documents) == [] and not look.ended
    for _turn in range(3):
        assert look.some(documents) == []
    assert look.ended


def test_many_filters_are_more_to_look_at():
    look = Look(tuple((f"k{number}", "1") for number in range(800)))
    documents = [packed(str(number), {f"k{n}": 1 for n in range(799)}) for number in range(50)]
    rest = iter(documents)
    look.some(rest)
    assert len(list(rest)) > 40, "four of them or so"


def test_long_texts_are_more_to_look_through():
    look = Look((("Name", "nobody"),))
    documents = iter([packed(str(number), {"Params": {"p": "y" * 60_000}}) for number in range(100)])
    assert look.some(documents) == [] and not look.ended


def test_a_name_may_begin_as_another_ends():
    document = packed("m", {"Name": "p", "a": 1, ":1,": "x"})
    assert found(((":1,", "x"),), [document]) == [document]


def machine(key, group):
    return put("machines", key, {"Group": group, "Params": {"n": 1, "a": 1.0, "t": "é"}})


def pack(node):
    node.heads.parsed.most = 0
    for document in node.heads.list("machines"):
        assert document.text
    node.heads.parsed.pack(1_000)
    node.heads.parsed.most = 1 << 20
    assert all(document.is_packed for document in node.heads.list("machines"))


@pytest.fixture
def play(tmp_path):
    """Return what runs a script ``(node, session) -> coroutine``: machines m0 … m9 are packed, the even ones in group g."""

    def run(script):
        async def whole():
            node = OneNode()
            async with served(node, tmp_path) as session:
                await node.at_once(*((machine(f"m{number}", "gh"[number % 2]),) for number in range(10)))
                pack(node)
                return await asyncio.wait_for(script(node, session), 30)

        return asyncio.run(whole())

    return run


async def get(session, path):
    async with session.get(path) as answer:
        return answer.status, await answer.text()


def test_lists_and_documents_are_answered_as_they_were_parsed(play):
    async def script(node, session):
        values = [document.peek() for document in node.heads.list("machines")]
        assert await get(session, "/api/v3/machines") == (200, dumps(values))
        assert await get(session, "/api/v3/machines?Group=g") == (200, dumps(values[::2]))
        assert await get(session, "/api/v3/machines?limit=2&offset=3") == (200, dumps(values[3:5]))
        assert await get(session, "/api/v3/machines/m3") == (200, dumps(values[3]))
        assert all(document.is_packed for document in node.heads.list("machines")), "nothing was parsed but to be looked at"
        assert await get(session, "/api/v3/machines/m3/params/t") == (200, dumps("é"))
        assert await get(session, "/api/v3/machines/m3/params") == (200, dumps(values[3]["Params"]))
        async with session.head("/api/v3/machines/m3") as answer:
            assert int(answer.headers["Content-Length"]) == len(dumps(values[3]))

    play(script)


def test_a_change_of_a_packed_document_is_seen_by_the_next_who_reads(play):
    async def script(node, session):
        patch = [{"op": "replace", "path": "/Params/n", "value": 2}]
        async with session.patch("/api/v3/machines/m0", json=patch) as answer:
            changed = await answer.json()
        assert changed["Params"] == {"n": 2, "a": 1.0, "t": "é"}
        assert json.loads((await get(session, "/api/v3/machines/m0"))[1]) == changed
        pack(node)
        assert await get(session, "/api/v3/machines/m0") == (200, dumps(changed))
        assert json.loads((await get(session, "/api/v3/machines"))[1])[0] == changed

    play(script)


def test_many_packed_documents_are_changed_at_once(play, monkeypatch):
    monkeypatch.setattr("baton.daemon.service.PARSED_AT_ONCE", 100)

    async def script(node, session):
        node.heads.parsed.most = 0
        patch = [{"op": "replace", "path": "/Params/n", "value": 2}]
        changes = [Change("machines", f"m{number}", "patch", patch) for number in range(10)]
        evaluate, keys, packed = node.heads.evaluate, [(change.kind, change.key) for change in changes], []
        monkeypatch.setattr(node.heads, "evaluate", lambda *given: packed.append(node.heads.steps_to_parse(keys)) or evaluate(*given))
        outcomes = await asyncio.gather(*(node.service.submit(changes) for _number in range(3)))
        assert packed == [0] * 3, "all are parsed before, in turns, and stay so"
        assert [document.value["Params"]["n"] for document in outcomes[0].documents] == [2] * 10
        assert len({document.revision for document in outcomes[0].documents}) == 1
        pack(node)

    play(script)


def test_more_is_not_parsed_for_one_request(play, monkeypatch):
    monkeypatch.setattr("baton.daemon.service.MOST_TO_PARSE", 100)

    async def script(node, session):
        patch = [{"op": "replace", "path": "/Params/n", "value": 2}]
        changes = [{"Kind": "machines", "Key": f"m{number}", "Action": "patch", "Body": patch} for number in range(10)]
        async with session.post("/api/v3/batch", json={"Changes": changes}) as answer:
            problem = await answer.json(content_type="application/problem+json")
        assert (answer.status, problem["type"]) == (413, "urn:baton:too_much_work") and "several batches" in problem["detail"]
        assert all(document.is_packed for document in node.heads.list("machines"))

    play(script)


def test_what_is_waited_for_at_once_is_bounded(play, monkeypatch):
    monkeypatch.setattr("baton.adapters.http.documents.MOST_SELECTIONS", 2)

    async def script(_node, session):
        async def wait(name):
            async with session.get(f"/api/v3/machines?Name={name}&wait=count&value=1&timeout=2") as answer:
                return answer.status

        answers = await asyncio.gather(*(wait(name) for name in ("a", "b", "c", "a")))
        assert sorted(answers) == [408, 408, 408, 429]
        assert await wait("c") == 408, "there is room again"

    play(script)


def test_what_changes_while_all_are_read_is_as_it_is_now(play, monkeypatch):
    monkeypatch.setattr(selection, "LOOKS", 4)

    async def script(node, _session):
        some = selection.Selection(node.service, "machines", (("Group", "g"),))
        some.enter()
        some._read()  # m0 and m1
        gone, left, came = Change("machines", "m4", "delete"), machine("m8", "h"), machine("m9", "g")
        await node.at_once((gone,), (left,), (came,), (machine("m5", "g"),), (Change("machines", "m0", "delete"),))
        await some.read()
        assert [document.key for document in some.answer()[1]] == ["m2", "m5", "m6", "m9"]
        await node.at_once((machine("m0", "g"),))
        assert [document.key for document in some.answer()[1]] == ["m0", "m2", "m5", "m6", "m9"]
        assert some.leave() and node.waiting == 0

    play(script)


def test_the_documents_found_in_vain_are_those_of_a_list(play):
    async def script(node, session):
        status, text = await get(session, "/api/v3/machines?wait=count&value=99&Group=g&timeout=0")
        problem = json.loads(text)
        assert status == 408 and (problem["code"] if "code" in problem else problem["type"]) == "urn:baton:wait_timeout"
        assert problem["found"] == json.loads((await get(session, "/api/v3/machines?Group=g"))[1]) and len(problem["found"]) == 5
        assert problem["missing"] is False and list(problem)[:4] == ["type", "title", "status", "detail"]

    play(script)


def test_others_in_the_place_of_all_are_read_in_turns_and_seen_when_all_are_read(play, monkeypatch):
    monkeypatch.setattr(selection, "LOOKS", 10)

    async def script(node, _session):
        chosen = selection.Selection(node.service, "machines", (("Group", "g"),))
        chosen.enter()
        await chosen.read()
        seen = []
        chosen.watch(lambda: seen.append(sorted(chosen.look()[1])))
        before = sorted(chosen.look()[1])
        others = Heads()
        others.load([packed(f"o{number}", {"Group": "g"}) for number in range(30)], 9)
        node.node.state.heads = others
        node.service.replaced()
        assert sorted(chosen.look()[1]) == before, "who waits sees what was there, and not what is read so far"
        chosen._saw("new", packed("new", {"Group": "g"}))
        chosen._saw("o29", packed("o29", {"Group": "h"}))
        chosen._saw("o28", None)
        await eventually(lambda: seen, "all are read")
        assert seen == [sorted(["new", *(f"o{number}" for number in range(28))])]
        assert [document.key for document in chosen.answer()[1]] == seen[0]
        chosen._saw("new", None)
        assert "new" not in seen[1]
        chosen.leave()

    play(script)
