# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-polls on a node whose commits the test puts together: what was acknowledged is seen, and settled means unchanged."""

import asyncio
import json
from urllib.parse import quote

import pytest

from baton.adapters.http import waiting
from baton.core.model.document import Document
from baton.core.model.documents import Change
from baton.ground.problem import Problem
from support.one_node import OneNode, eventually, put, served, set_param, unset_param

PARAM = "/api/v3/profiles/p/params/state"


@pytest.fixture
def play(tmp_path):
    """Return what runs a script ``(node, session) -> coroutine`` on a node that has profile p and machine m."""

    def run(script):
        async def whole():
            node = OneNode()
            async with served(node, tmp_path) as session:
                await node.at_once((put("profiles", "p"), put("machines", "m")))
                return await asyncio.wait_for(script(node, session), 30)

        return asyncio.run(whole())

    return run


async def asked(node, session, path, **query):
    """Send a GET that waits; return its task, which gives (status, body), as soon as it waits."""
    before = node.waiting
    text = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in {"timeout": 20, **query}.items())

    async def get():
        async with session.get(f"{path}?{text}") as answer:
            body = await answer.read()
            return answer.status, json.loads(body) if body else None

    task = asyncio.ensure_future(get())
    await eventually(lambda: task.done() or node.waiting > before, "it waits")
    return task


async def status_of(session, path):
    async with session.get(path) as answer:
        return answer.status


def test_a_value_that_was_acknowledged_is_seen_though_the_next_came_with_the_same_commit(play):
    async def script(node, session):
        task = await asked(node, session, PARAM, wait="equals", value='"ready"')
        await node.at_once(*((set_param("p", "state", value),) for value in ("new", "ready", "gone")))
        assert await task == (200, "ready")
        assert node.waiting == 0

    play(script)


def test_so_is_a_param_that_was_unset_and_a_document_that_was_deleted_and_made_anew(play):
    async def script(node, session):
        await node.at_once((set_param("p", "state", 1),))
        unset = await asked(node, session, PARAM, wait="absent")
        gone = await asked(node, session, "/api/v3/profiles/p", wait="absent")
        await node.at_once((unset_param("p", "state"),), (set_param("p", "state", 2),))
        assert (await unset)[0] == 204 and not gone.done()
        delete = Change("profiles", "p", "delete")
        await node.at_once((delete,), (put("profiles", "p"),))
        assert (await gone)[0] == 204

    play(script)


def test_an_escape_that_was_set_and_taken_back_by_one_commit_ends_the_wait(play):
    async def script(node, session):
        task = await asked(node, session, PARAM, wait="exists", escape="stop")
        await node.at_once((set_param("p", "stop", 7),), (unset_param("p", "stop"),))
        status, body = await task
        assert (status, body["type"], body["escape"]) == (409, "urn:baton:escaped", 7)

    play(script)


def test_of_a_change_that_sets_both_the_escape_counts(play):
    async def script(node, session):
        for number in range(20):  # callbacks are a set: whatever their order
            await node.at_once((put("profiles", "p"),))
            task = await asked(node, session, PARAM, wait="exists", escape="stop")
            both = [{"op": "add", "path": f"/Params/{name}", "value": number + 1} for name in ("state", "stop")]
            await node.at_once((Change("profiles", "p", "patch", both),))
            assert (await task)[0] == 409

    play(script)


@pytest.mark.parametrize("between", [[2, 1], [None, 1], [2, 3, 1]])
def test_settled_begins_anew_with_each_change_though_the_value_is_back_with_the_same_commit(play, between):
    async def script(node, session):
        await node.at_once((set_param("p", "state", 1),))
        clock = asyncio.get_running_loop().time
        task = await asked(node, session, PARAM, wait="exists", settled=0.5)
        half = clock() + 0.25
        await eventually(lambda: clock() >= half, "half of the time is over")
        steps = [unset_param("p", "state") if value is None else set_param("p", "state", value) for value in between]
        await node.at_once(*((step,) for step in steps))
        changed = clock()
        assert await task == (200, 1)
        assert clock() - changed >= 0.5, "not before the time that it must stand"

    play(script)


def test_what_writes_the_value_that_stands_there_does_not_begin_it_anew(play):
    async def script(node, session):
        await node.at_once((set_param("p", "state", {"a": [1]}),))
        task = await asked(node, session, PARAM, wait="exists", settled=1, timeout=1)
        await node.at_once((set_param("p", "state", {"a": [1.0]}),), (set_param("p", "other", 1),))
        assert await task == (200, {"a": [1.0]})

    play(script)


def test_settled_for_the_whole_time_is_in_time_and_for_longer_never(play):
    async def script(node, session):
        await node.at_once((set_param("p", "state", 1),))
        for settled, status in ((0.3, 200), (0.31, 408), (300, 408)):
            task = await asked(node, session, PARAM, wait="exists", settled=settled, timeout=0.3)
            assert (await task)[0] == status, settled

    play(script)


@pytest.mark.parametrize("kind", ["profiles", "machines"])
def test_a_new_default_wakes_who_waits_for_a_param_that_is_not_set(play, kind):
    async def script(node, session):
        path = f"/api/v3/{kind}/{kind[0]}/params/state"
        task = await asked(node, session, path, wait="equals", value="2")
        set_only = await asked(node, session, path, wait="exists", default="no")
        await node.at_once(*((put("params", "state", {"Schema": {"default": value}}),) for value in (1, 2, 3)))
        assert await task == (200, 2)
        assert not set_only.done(), "a default is not set"
        gone = await asked(node, session, path, wait="absent")
        await node.at_once((Change("params", "state", "delete"),))
        assert (await gone)[0] == 204
        await node.at_once((set_param(kind[0], "state", 4, kind),))
        assert await set_only == (200, 4)

    play(script)


def test_a_number_that_was_reached_for_one_entry_is_seen_and_only_what_is_selected_counts(play):
    async def script(node, session):
        def machine(name, group="g"):
            return put("machines", name, {"Group": group})

        task = await asked(node, session, "/api/v3/machines", wait="count", value=2, Group="g")
        await node.at_once((machine("a"),), (machine("x", "h"),))
        assert not task.done()
        delete = Change("machines", "b", "delete")
        await node.at_once((machine("b"),), (delete,), (machine("a", "h"),))
        status, body = await task
        assert status == 200 and [found["Uuid"] for found in body] == ["a", "b"]
        again = await asked(node, session, "/api/v3/machines", wait="count", value=1, Group="g", timeout=0)
        assert (await again)[0] == 408 and (await again)[1]["found"] == []

    play(script)


def test_a_number_settles_when_no_selected_document_changes(play):
    async def script(node, session):
        clock = asyncio.get_running_loop().time
        task = await asked(node, session, "/api/v3/machines", wait="count", value=1, Name="", settled=0.5)
        half = clock() + 0.25
        await eventually(lambda: clock() >= half, "half of the time is over")
        await node.at_once((put("machines", "b"),), (Change("machines", "b", "delete"),))
        changed = clock()
        await node.at_once((put("machines", "z", {"Name": "not selected"}),))
        assert [found["Uuid"] for found in (await task)[1]] == ["m"]
        assert clock() - changed >= 0.5

    play(script)


def test_a_snapshot_in_place_of_all_documents_is_a_change(play):
    async def script(node, session):
        one = await asked(node, session, PARAM, wait="exists", stale="ok")
        some = await asked(node, session, "/api/v3/machines", wait="count", value=2, stale="ok")
        came = [Document("profiles", "p", {"Params": {"state": 5}}, "9.9", 9), Document("machines", "n", {}, "9.9", 9)]
        node.heads.load(came, 99)
        node.service.replaced()
        assert await one == (200, 5) and len((await some)[1]) == 2

    play(script)


def test_a_thousand_who_wait_are_asked_once_at_each_change_and_only_the_right_ones_wake(play, monkeypatch):
    asked_of = []
    holds = waiting.Condition.holds
    monkeypatch.setattr(waiting.Condition, "holds", lambda *given: asked_of.append(1) or holds(*given))

    async def script(node, session):
        session.connector._limit = 0  # aiohttp's hundred connections
        paths = (f"{PARAM}?timeout=60&wait=equals&value={number % 10 + 1}" for number in range(1000))
        tasks = [asyncio.ensure_future(status_of(session, path)) for path in paths]
        await eventually(lambda: node.waiting == 2000, "all wait")
        assert len(asked_of) == 1000
        await node.at_once((set_param("p", "state", 3),), (set_param("p", "unrelated", 1),))
        assert len(asked_of) == 1000 + 1000 + 900, "those who have found it are asked no more"
        assert [await task for task in tasks[2::10]] == [200] * 100 and sum(task.done() for task in tasks) == 100
        await node.at_once(*((set_param("p", "state", value),) for value in range(1, 11)))
        assert {await task for task in tasks} == {200} and node.waiting == 0

    play(script)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e9", "-0.001", "", "x", "300.1"])
@pytest.mark.parametrize("name", ["timeout", "settled"])
def test_what_is_no_time_is_refused(play, name, text):
    async def script(node, session):
        status, body = await (await asked(node, session, PARAM, wait="exists", **{name: text}))
        assert (status, body["type"]) == (400, "urn:baton:bad_wait")

    play(script)


class Elsewhere:
    """What a wait asks of a node that stops serving while it waits."""

    def __init__(self):
        self.problems = [None, Problem(307, "not_active", "n2 is active", location="http://n2")]

    def subscribe(self, _kind, _key, _look):
        return lambda: None

    def on_role_change(self, _wake):
        return lambda: None

    def check_serving(self, _stale=False):
        problem = self.problems.pop(0)
        if problem is not None:
            raise problem


def test_a_node_that_does_not_serve_any_more_does_not_say_how_a_wait_ended():
    with pytest.raises(Problem) as caught:
        asyncio.run(waiting.until(Elsewhere(), [("locks", "l")], lambda: None, 0.05))
    assert caught.value.status == 307
