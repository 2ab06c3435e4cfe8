# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slash at the end is no part of a name, and an empty segment within is refused: the same for every resource."""

import asyncio
import json

import aiohttp
import pytest
import yarl

from support.one_node import OneNode, served

SWAP = [{"op": "add", "path": "", "value": 1}]
EVERYWHERE = [
    ("GET", "/info", None),
    ("POST", "/profiles", {"Name": "web"}),
    ("GET", "/profiles", None),
    ("PUT", "/profiles/p", {}),
    ("GET", "/profiles/p", None),
    ("PATCH", "/profiles/p", []),
    ("GET", "/profiles/p/params", None),
    ("PUT", "/profiles/p/params/a/b", 1),
    ("POST", "/profiles/p/params/c", 1),
    ("PATCH", "/profiles/p/params/a/b", SWAP),
    ("GET", "/profiles/p/params/a/b", None),
    ("DELETE", "/profiles/p/params/a/b", None),
    ("GET", "/profiles/p/params/a/b", None),
    ("POST", "/profiles/p/elect", {"Param": "leader", "Candidate": "me"}),
    ("POST", "/profiles/p/resign", {"Param": "leader", "Candidate": "me"}),
    ("PUT", "/machines/m", {}),
    ("GET", "/machines", None),
    ("PUT", "/machines/m/params/x", 1),
    ("GET", "/machines/m/params/x", None),
    ("PUT", "/params/deep/name", {"Schema": {}}),
    ("GET", "/params/deep/name", None),
    ("GET", "/params", None),
    ("DELETE", "/params/deep/name", None),
    ("POST", "/leases", {"Id": "l", "Ttl": 60}),
    ("GET", "/leases", None),
    ("GET", "/leases/l", None),
    ("POST", "/leases/l/keepalive", None),
    ("POST", "/locks/a/b/acquire", {"Owner": "me"}),
    ("GET", "/locks", None),
    ("GET", "/locks/a/b", None),
    ("POST", "/locks/a/b/release", {"Owner": "me"}),
    ("DELETE", "/locks/a/b", None),
    ("POST", "/barriers/a/b/arrive", {"Owner": "me", "Count": 2}),
    ("GET", "/barriers", None),
    ("GET", "/barriers/a/b", None),
    ("POST", "/barriers/a/b/break", {"Owner": "me"}),
    ("POST", "/barriers/a/b/reset", {"Owner": "me"}),
    ("DELETE", "/barriers/a/b", None),
    ("POST", "/batch", {"Changes": [{"Kind": "profiles", "Key": "p", "Body": []}]}),
    ("GET", "/files", None),
    ("GET", "/files/iso/none", None),
    ("DELETE", "/files/iso/none", None),
    ("GET", "/tokens", None),
    ("DELETE", "/tokens/none", None),
    ("GET", "/events?since=x", None),
    ("GET", "/system/ha", None),
    ("GET", "/system/drivers", None),
    ("GET", "/system/history", None),
    ("DELETE", "/profiles/p", None),
    ("GET", "/openapi.json", None),
    ("GET", "/nothing", None),
]
OUTSIDE = ["/active", "/passive", "/in-sync", "/health", "/metrics", "/", "/nothing"]


@pytest.fixture
def play(tmp_path):
    """Return what asks a new node for each path as ``change`` makes it; gives the answers and the names of what is there then."""

    def run(change):
        async def whole():
            node, answers = OneNode(), []
            async with served(node, tmp_path) as api, aiohttp.ClientSession(headers=api.headers) as session:
                paths = [(method, f"/api/v3{path}", body) for method, path, body in EVERYWHERE]
                for method, path, body in [*paths, *(("GET", path, None) for path in OUTSIDE)]:
                    name, question, query = path.partition("?")
                    url = yarl.URL(str(api._base_url)[:-1] + change(name) + question + query, encoded=True)
                    data = None if body is None else json.dumps(body)
                    async with session.request(method, url, data=data) as answer:
                        text = await answer.text()
                        kind = json.loads(text)["type"] if answer.content_type == "application/problem+json" else ""
                        answers.append((method, name, answer.status, kind))
                return answers, sorted((document.kind, document.key) for document in node.heads.all())

        return asyncio.run(whole())

    return run


def test_a_slash_at_the_end_is_no_part_of_a_name(play):
    plain, left = play(lambda path: path)
    assert sum(status < 300 for _method, _path, status, _kind in plain) > 40
    slashed, left_too = play(lambda path: path + "/" if path != "/" else path)
    assert slashed == plain and left_too == left


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path + "//",
        lambda path: path + "%2F",
        lambda path: path + "/%2F",
        lambda path: path[: path.rindex("/")] + "/" + path[path.rindex("/") :],
        lambda path: path[: path.rindex("/") + 1] + "%2F" + path[path.rindex("/") + 1 :],
    ],
)
def test_an_empty_segment_is_refused_and_changes_nothing(play, spoil):
    answers, left = play(spoil)
    assert {(status, kind) for _method, _path, status, kind in answers} == {(400, "urn:baton:bad_path")}
    assert {kind for kind, _key in left} <= {"tokens", "nodes", "history", "system"}


def test_an_encoded_slash_within_a_name_with_slashes_is_a_slash(play):
    answers, _left = play(lambda path: path.replace("/a/b", "/a%2Fb").replace("/deep/name", "/deep%2Fname"))
    assert answers == play(lambda path: path)[0]
