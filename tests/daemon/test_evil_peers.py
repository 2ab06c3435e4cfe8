# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who knows the nodes' secret and says what no node says: its link ends with one line, and nothing else happens."""

import asyncio
import json

import aiohttp
import pytest

from support.cluster import HA_TOKEN, Cluster, until

HELLO = {
    "type": "Hello", "node": "evil", "url": "http://127.0.0.1:9", "incarnation": "e" * 16, "ha_id": "baton", "cluster_id": "test",
    "version": "0.1.0", "system": "linux/x86_64", "role": "passive", "promised": [0, ""], "applied": [[0, ""], 0], "end": [[0, ""], 0],
    "record": None, "record_version": -1, "answer": False,
}  # fmt: skip


@pytest.fixture
def node(tmp_path):
    with Cluster(tmp_path, 1, "local") as cluster:
        yield cluster.n1


def say(node, *frames, name="evil", process="x"):
    """Return what comes back on a link on which these frames are said, until it ends (True) or nothing comes any more."""

    async def talk():
        headers = {"Authorization": f"Bearer {HA_TOKEN}", "X-Baton-Node": name, "X-Baton-Process": process}
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{node.url}/peer/v1/link", headers=headers) as link:
                for frame in frames:
                    await link.send_str(frame if isinstance(frame, str) else json.dumps(frame))
                answers = []
                while True:
                    try:
                        answer = await link.receive(0.5)
                    except asyncio.TimeoutError:
                        return answers, False
                    if answer.type is not aiohttp.WSMsgType.TEXT:
                        return answers, True
                    answers.append(json.loads(answer.data))

    return asyncio.run(talk())


def test_a_frame_that_is_none_ends_its_link_with_one_line_however_often_it_comes(node):
    for _again in range(5):
        for frame in ('{"type": []}', "[" * 100_000, json.dumps({**HELLO, "version": 5}), "{"):
            _answers, ended = say(node, frame)
            assert ended
    said = [line for line in node.log.read_text().splitlines() if "what this version does not understand" in line]
    assert len(said) == 1 and "evil" in said[0] and "link was ended" in said[0]
    assert node.probe("/active") and "Traceback" not in node.log.read_text()


def test_a_name_that_is_no_file_content_is_never_looked_for(node):
    say(node, HELLO, {"type": "BlobWanted", "sha256": "../../../../etc/passwd"})
    assert node.said("64 hexadecimal digits") and node.probe("/active")


def test_what_a_newer_version_says_is_answered_and_the_link_stays(node):
    answers, ended = say(node, {"type": "Sing", "song": [1]}, HELLO)
    assert {"type": "Ignored", "of": "Sing"} in answers and not ended


@pytest.mark.parametrize(("name", "process"), [("a/b", "x"), ("x" * 64, "x"), ("evil", "p" * 200)])
def test_a_name_that_no_node_can_have_gets_no_link(node, name, process):
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        say(node, name=name, process=process)
    until(lambda: node.said("refused a link from"), "it is said")


def test_many_urls_of_one_node_are_few_links(node):
    """Each would be a connection that is tried for ever."""
    say(node, *({**HELLO, "url": f"http://127.0.0.1:{number}"} for number in range(1, 60)))
    tried = {line.split("no link to ")[1].split(": ")[0] for line in node.log.read_text().splitlines() if "no link to http" in line}
    assert node.probe("/active") and len(tried) <= 20
