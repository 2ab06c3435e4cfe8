# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream of events with real daemons: complete, in order, resumed without loss or repetition, over a change of active too."""

import asyncio
import json
import threading

import aiohttp
import pytest
import requests

from support.cluster import Cluster, until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("events"), 2, dcs="local") as made:
        yield made


@pytest.fixture
def call(cluster):
    return lambda method, path, body=None: cluster.call(cluster.active(), method, path, **({} if body is None else {"json": body}))


class Reader:
    """Reads a stream of server-sent events in a thread, from ``since``; ``seen`` grows."""

    def __init__(self, cluster, since=None, token=None, node=None, **query):
        node = node or cluster.active()
        if since:
            query["since"] = since
        headers = {"Authorization": f"Bearer {token or cluster.token}"}
        self.answer = requests.get(f"{node.url}/api/v3/events", params=query, headers=headers, stream=True, timeout=30)
        self.seen, self.begin, self.end = [], None, None
        if self.answer.status_code == 200:
            self._lines = self.answer.iter_lines()
            self.begin = self._block()["data"]["Cursor"]
            self.thread = threading.Thread(target=self._read, daemon=True)
            self.thread.start()

    def _block(self):
        block = {}
        for line in self._lines:
            text = line.decode()
            if not text and block:
                return block
            name, _colon, value = text.partition(": ")
            if name:
                block[name] = json.loads(value) if name == "data" else value
        return None

    def _read(self):
        try:
            while True:
                block = self._block()
                if block is None:
                    return
                if block.get("event") == "end":
                    self.end = block["data"]
                    return
                self.seen.append(block["data"])
        except (requests.RequestException, OSError, AttributeError):
            return

    def values(self):
        return [event["Patch"][0]["value"] for event in self.seen if event["Action"] == "patch"]


def write(call, numbers, profile="p"):
    for number in numbers:
        assert call("PUT", f"/profiles/{profile}/params/n", number).status_code == 200


def test_every_change_once_and_in_order_and_none_twice_after_coming_back(cluster, call):
    call("PUT", "/profiles/p", {"Name": "p"})
    first = Reader(cluster, key="p")
    write(call, range(10))
    until(lambda: len(first.seen) == 10, "ten events")
    assert first.values() == list(range(10))
    write(call, range(10, 20))
    second = Reader(cluster, since=first.seen[6]["Cursor"], key="p")
    until(lambda: len(second.seen) == 13, "those that were missed")
    assert second.values() == list(range(7, 20))
    other = Reader(cluster, since=first.begin, kinds="profiles", documents="yes")
    until(lambda: len(other.seen) == 20, "all of them, from the beginning")
    assert other.seen[3]["Document"]["Params"]["n"] == 19 and other.seen[3]["Key"] == "p", "the document is as it is now"


def test_a_change_of_active_loses_and_repeats_nothing(cluster, call):
    call("PUT", "/profiles/m", {"Name": "m"})
    reader, old = Reader(cluster, key="m"), cluster.active()
    write(call, range(5), "m")
    until(lambda: len(reader.seen) == 5, "five events")
    assert cluster.call(old, "POST", "/system/switch", json={}).status_code == 200
    until(lambda: cluster.active() not in (None, old), "another is active")
    reader.thread.join(20)
    assert reader.end is not None and reader.end["status"] in (307, 503), "told that this node does not serve any more"
    write(call, range(5, 10), "m")
    again = Reader(cluster, since=reader.seen[-1]["Cursor"], key="m")
    until(lambda: len(again.seen) == 5, "five more")
    assert reader.values() + again.values() == list(range(10))


def test_changes_of_one_batch_are_told_apart(cluster, call):
    reader = Reader(cluster, kinds="machines")
    create = [{"Kind": "machines", "Key": f"e{number}", "Action": "create", "Body": {}} for number in range(3)]
    assert call("POST", "/batch", {"Changes": create}).status_code == 200
    until(lambda: len(reader.seen) == 3, "three events")
    assert [event["Key"] for event in reader.seen] == ["e0", "e1", "e2"] and len({event["Revision"] for event in reader.seen}) == 1
    resumed = Reader(cluster, since=reader.seen[0]["Cursor"], kinds="machines")
    until(lambda: len(resumed.seen) == 2, "the rest of the entry")
    assert [event["Key"] for event in resumed.seen] == ["e1", "e2"]


def test_a_websocket_says_the_same(cluster, call):
    call("PUT", "/profiles/ws", {"Name": "ws"})

    async def read():
        headers = {"Authorization": f"Bearer {cluster.token}"}
        url = f"{cluster.active().url}/api/v3/events?key=ws"
        async with aiohttp.ClientSession(headers=headers) as session, session.ws_connect(url) as socket:
            begin = await socket.receive_json(timeout=10)
            await asyncio.get_running_loop().run_in_executor(None, write, call, range(3), "ws")
            return begin, [await socket.receive_json(timeout=10) for _number in range(3)]

    begin, events = asyncio.run(read())
    assert set(begin) == {"Cursor"} and [event["Patch"][0]["value"] for event in events] == [0, 1, 2]


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("since=x", 400, "a cursor is what"),
        ("since=%C2%B2.a.%C2%B2.%C2%B2", 400, "a cursor is what"),
        (f"since=1.a.{'9' * 150}.1", 400, "a cursor is what"),
        (f"since=1.a.{'9' * 16}.1", 410, "another one"),
        ("since=1.other.1.1", 410, "another one"),
        ("since=1.-.99999999.0", 410, "another one"),
        ("kinds=tokens", 400, "kinds is a list"),
    ],
)
def test_what_is_not_a_stream(call, query, status, says):
    answer = call("GET", f"/events?{query}")
    assert answer.status_code == status and says in answer.json()["detail"], answer.text


def test_a_profile_token_sees_its_profile_only_and_secrets_are_in_no_event(cluster, call):
    call("PUT", "/profiles/mine", {"Name": "mine"})
    token = call("POST", "/profiles/mine/token").json()["Token"]
    everything, mine = Reader(cluster), Reader(cluster, token=token)
    call("POST", "/profiles/mine/token")
    call("POST", "/locks/mine/acquire", {"Owner": "a"})
    write(call, [1], "p")
    write(call, [2], "mine")
    until(lambda: len(mine.seen) == 1 and len(everything.seen) == 3, "events")
    assert mine.values() == [2] and [event["Kind"] for event in everything.seen] == ["locks", "profiles", "profiles"]


def test_a_passive_streams_too_to_who_does_not_mind(cluster, call):
    passive = next(node for node in cluster.nodes.values() if node is not cluster.active())
    reader = Reader(cluster, node=passive, stale="ok", key="p")
    write(call, [77])
    until(lambda: reader.seen, "an event")
    assert reader.values() == [77]
