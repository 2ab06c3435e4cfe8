# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large bodies and answers: whole, and made in pieces that take turns, so that the loop does other things in between."""

import asyncio
import gc
import json
import logging

import pytest

from baton.adapters import turns
from baton.adapters.http import messages
from baton.adapters.http.events import Texts
from baton.adapters.loop_watch import PERIOD, TOLD, LoopWatch
from baton.adapters.peers.snapshots import _lines, _rows
from baton.core.model.document import Document
from baton.ground.values import MOST_SENT
from support.one_node import OneNode, served

LARGE = {"rows": [{"n": n, "text": "é" * 20} for n in range(8_000)], "names": {f"k{n}": [n] for n in range(8_000)}}


def run(script):
    asyncio.run(script)


async def put(session, url, value):
    async with session.put(url, data=json.dumps(value)) as answer:
        assert answer.status in (200, 201, 204), await answer.text()
        return answer.headers["ETag"]


def test_a_large_value_is_answered_whole_and_head_says_how_long_it_is(tmp_path):
    async def script():
        async with served(OneNode(), tmp_path) as session:
            await session.post("/api/v3/profiles", data=b'{"Name": "p"}')
            url = "/api/v3/profiles/p/params/x"
            etag = await put(session, url, LARGE)
            async with session.get(url) as answer:
                text = await answer.text()
                assert answer.headers["ETag"] == etag and json.loads(text) == LARGE
            async with session.head(url) as answer:
                assert int(answer.headers["Content-Length"]) == len(text)
            async with session.get(url, headers={"If-None-Match": etag}) as answer:
                assert answer.status == 304

    run(script())


def test_a_refusal_shows_a_large_value_that_it_found(tmp_path):
    async def script():
        async with served(OneNode(), tmp_path) as session:
            await session.post("/api/v3/profiles", data=b'{"Name": "p"}')
            await put(session, "/api/v3/profiles/p/params/x", LARGE)
            body = json.dumps([{"op": "test", "path": "", "value": 1}])
            async with session.patch("/api/v3/profiles/p/params/x", data=body) as answer:
                problem = await answer.json(content_type="application/problem+json")
                assert (answer.status, problem["type"], problem["found"]) == (409, "urn:baton:test_failed", LARGE)

    run(script())


def test_a_refused_body_is_gone_with_its_answer(tmp_path):
    """Not at the next collection, which thousands of such requests may come before."""
    marked = {"text": "x" * 100_000, "mark": 12_345_678, "rows": [[1]]}

    async def script():
        async with served(OneNode(), tmp_path) as session:
            await session.post("/api/v3/profiles", data=b'{"Name": "p"}')
            gc.collect()
            gc.disable()
            try:
                for _number in range(5):
                    body = json.dumps([{"op": "test", "path": "", "value": marked}])
                    async with session.patch("/api/v3/profiles/p", data=body) as answer:
                        assert answer.status == 409
                kept = [item for item in gc.get_objects() if isinstance(item, dict) and item.get("mark") == 12_345_678]
                assert len(kept) - 1 <= 1, "ours, and at most the last one's"
            finally:
                gc.enable()

    run(script())


def test_too_many_values_are_refused_in_one_line_that_says_what_to_do(tmp_path):
    async def script():
        async with served(OneNode(), tmp_path) as session:
            await session.post("/api/v3/profiles", data=b'{"Name": "p"}')
            async with session.put("/api/v3/profiles/p/params/x", data=b"[" + b"0," * MOST_SENT + b"0]") as answer:
                problem = await answer.json(content_type="application/problem+json")
                assert (answer.status, problem["type"], problem["most"]) == (413, "urn:baton:too_many_values", MOST_SENT)
                assert "send it in several requests" in problem["detail"]

    run(script())


def test_lists_are_the_same_in_pieces_in_pages_and_filtered(tmp_path):
    async def script():
        async with served(OneNode(), tmp_path) as session:
            names = [f"m{n:04}" for n in range(2_500)]
            for first in range(0, len(names), 500):
                changes = [{"Kind": "machines", "Key": name, "Action": "create", "Body": {"Name": name, "even": int(name[1:]) % 2 == 0}}
                           for name in reversed(names[first : first + 500])]  # fmt: skip
                async with session.post("/api/v3/batch", data=json.dumps({"Changes": changes})) as answer:
                    assert answer.status == 200
                    assert [item["Key"] for item in (await answer.json())["Documents"]] == [change["Key"] for change in changes]

            async def listed(query=""):
                async with session.get(f"/api/v3/machines{query}") as answer:
                    return [item["Name"] for item in await answer.json()]

            assert await listed() == names
            assert await listed("?limit=3&offset=1000") == names[1000:1003]
            assert await listed("?even=true&limit=3&offset=1000") == names[2000:2006:2]
            assert await listed("?even=false") == names[1::2]
            async with session.delete("/api/v3/machines/m0001") as answer:
                assert answer.status in (200, 204)
            assert await listed("?limit=2") == ["m0000", "m0002"]

    run(script())


def test_a_large_event_comes_whole(tmp_path):
    async def script():
        async with served(OneNode(), tmp_path) as session:
            await session.post("/api/v3/profiles", data=b'{"Name": "p"}')
            async with session.get("/api/v3/events?documents=yes") as stream:
                await stream.content.readuntil(b"\n\n")
                await put(session, "/api/v3/profiles/p/params/x", LARGE)
                text = b""
                while not text.endswith(b"\n\n"):
                    text += await stream.content.readany()
                event = json.loads(text.partition(b"data: ")[2])
                assert event["Patch"][0]["value"] == LARGE and event["Document"]["Params"]["x"] == LARGE

    run(script())


def test_the_text_of_an_event_is_made_once_for_all_streams():
    async def script():
        texts = Texts()
        small = {"Cursor": "1.a.5.1", "Kind": "profiles", "Key": "p", "Patch": []}
        large = {**small, "Cursor": "1.a.6.1", "Patch": [LARGE]}
        for event in (small, large):
            one, gone, other = (asyncio.ensure_future(texts.of(dict(event))) for _reader in range(3))
            await asyncio.sleep(0)
            gone.cancel()
            assert await one is await other and await texts.of(event) is await one and json.loads(await one) == event
        now = {**small, "Document": {"n": 1}}
        assert json.loads(await texts.of(now)) == now and json.loads(await texts.of({"Cursor": "1.a.5.1"})) == {"Cursor": "1.a.5.1"}

    run(script())


def test_the_longest_stall_is_a_metric(tmp_path):
    async def script():
        async with served(OneNode(), tmp_path) as session, session.get("/metrics") as answer:
            text = await answer.text()
            assert "\nbaton_loop_longest_stall_seconds 0.000\n" in text and "\nbaton_loop_longest_cpu_seconds 0.000\n" in text

    run(script())


def test_large_work_takes_turns_and_others_run_in_between():
    async def script():
        done = []

        async def reader(name):
            async for piece in turns.each(iter(range(3))):
                done.append((name, piece))

        await asyncio.gather(reader("a"), reader("b"))
        assert done == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]

    run(script())


def test_who_leaves_while_waiting_for_a_turn_holds_up_nobody():
    async def script():
        ran = []
        first, gone, last = (asyncio.ensure_future(turns.take(lambda n=n: ran.append(n))) for n in range(3))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(first, last)
        assert ran == [0, 2]

    run(script())


class Slow(RuntimeError):
    pass


def test_a_turn_that_fails_is_over():
    async def script():
        def fail():
            raise Slow

        with pytest.raises(Slow):
            await turns.take(fail)
        assert await turns.take(lambda: 1) == 1

    run(script())


def test_documents_of_any_size_travel_in_a_snapshot():
    documents = [Document("k", str(n), {"v": "x" * size}, f"1.{n}", size + 10) for n, size in enumerate((5, 300_000, 70_000, 5, 5))]

    class Content:
        async def iter_any(self):
            data = "".join(_rows(documents)).encode()
            for at in range(0, len(data), 7_000):
                yield data[at : at + 7_000]

    async def script():
        rows = [json.loads(line) async for line in _lines(Content())]
        assert rows == [["k", d.key, d.revision, d.size, d.value] for d in documents]

    run(script())


def test_the_pieces_of_a_list_are_bounded():
    documents = [Document("k", str(n), {"v": "x" * 1_000}, "1.1", 1_010) for n in range(1_000)]
    texts = list(messages._list(documents))
    assert len(texts) > 10 and max(map(len, texts)) < 70_000 and json.loads("".join(texts)) == [d.value for d in documents]


def test_a_stall_is_measured_and_said_with_its_reason(caplog):
    watch = LoopWatch()
    with caplog.at_level(logging.WARNING):
        watch.note(TOLD / 2, 0.0, 1.0)
        assert not caplog.records and watch.longest == TOLD / 2
        watch.note(0.31, 0.29, 2.0)
        watch.note(0.2, 0.0, 3.0)  # shorter, and soon after
        watch.note(0.5, 0.01, 4.0)
    assert [record.getMessage() for record in caplog.records] == [
        "the event loop stood still for 0.31 s (0.29 s of CPU): a request was too large",
        "the event loop stood still for 0.50 s (0.01 s of CPU): the machine did not run this process, or its disk waited",
    ]
    assert watch.longest == 0.5


def test_a_loop_that_is_held_is_noticed():
    async def script():
        watch = LoopWatch()
        task = asyncio.ensure_future(watch.run())
        await asyncio.sleep(0)
        end = asyncio.get_running_loop().time() + 5 * PERIOD
        while asyncio.get_running_loop().time() < end:
            pass
        while not watch.longest:
            await asyncio.sleep(0)
        task.cancel()
        assert watch.longest > 3 * PERIOD and watch.cpu > 0

    run(script())
