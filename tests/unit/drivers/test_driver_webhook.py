# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver ``webhook``, against a real HTTP server."""

import threading

import pytest
from fake_batond import wait_for

from support.scripted_server import Answer, ScriptedServer


def bodies(server):
    return [request.json for request in server.requests]


def test_it_is_told_of_each_change(begin, tmp_path):
    (tmp_path / "token").write_text("secret-token\n")
    with ScriptedServer(Answer(204)) as server:
        file = {
            "type": "webhook",
            "url": f"{server.url}/hook?key=secret-key",
            "headers": {"X-Site": "a"},
            "token_file": str(tmp_path / "token"),
        }
        process, connection = begin(file)
        assert connection.start(epoch=7)["message"] == "the webhook answered 204"
        assert [(body["id"], body["node"], body["active"], body["epoch"]) for body in bodies(server)] == [
            ("it", "n1", False, 0),
            ("it", "n1", True, 7),
        ]
        request = server.requests[-1]
        assert (request.method, request.path) == ("POST", "/hook?key=secret-key")
        assert (request.headers["Authorization"], request.headers["X-Site"]) == ("Bearer secret-token", "a")
        assert request.json["at"] > 1_700_000_000
    assert connection.stop()["message"].startswith("the webhook was not reached: ")
    assert "secret" not in process.log


def test_a_hook_that_fails_is_only_a_message_and_is_tried_again(begin):
    with ScriptedServer(Answer(204), Answer(503), Answer(204)) as server:
        process, connection = begin({"type": "webhook", "url": server.url})
        answer = connection.start()
        assert (answer["ok"], answer["message"]) == (True, "the webhook answered 503; it is tried again")
        wait_for(lambda: len(server.requests) == 3, "another attempt")
        process.says("the webhook was called after all")
        assert [body["active"] for body in bodies(server)] == [False, True, True]


def test_what_is_past_is_not_told_again(begin):
    with ScriptedServer(Answer(204), Answer(503), Answer(204)) as server:
        _process, connection = begin({"type": "webhook", "url": server.url})
        connection.start()
        connection.stop()
        connection.start(epoch=2)
        assert [(body["active"], body["epoch"]) for body in bodies(server)[1:]] == [(True, 1), (False, 1), (True, 2)]


def test_a_required_hook_fails_the_start_but_never_a_stop(batond, launch):
    with ScriptedServer(Answer(503)) as server:
        launch({"type": "webhook", "url": server.url, "required": True}, batond.environment)
        connection = batond.connected()
        assert connection.stop()["ok"]
        assert connection.start() == {"type": "done", "number": 2, "ok": False, "message": "the webhook answered 503"}
        assert connection.stop()["ok"]


@pytest.mark.parametrize("required", [False, True])
def test_a_hook_that_is_not_there(required, begin):
    with ScriptedServer(Answer(204)) as server:
        url = server.url
    process, connection = begin({"type": "webhook", "url": f"{url}/secret", "required": required})
    assert connection.start()["ok"] is not required
    assert connection.stop()["ok"]
    assert "secret" not in process.log


def test_a_hook_that_hangs_does_not_keep_a_stop_waiting(begin):
    release = threading.Event()

    def hang(_request):
        release.wait(20)
        return Answer(204)

    with ScriptedServer(Answer(204), Answer(204), hang) as server:
        process, connection = begin({"type": "webhook", "url": server.url, "timeout": 60})
        connection.start()
        assert connection.stop(seconds=2)["ok"]
        release.set()
        assert process.process.poll() is None
