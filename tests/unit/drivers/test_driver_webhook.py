# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver ``webhook``, against a real HTTP server."""

import threading

import pytest
from fake_batond import boottime, wait_for

from support.certificates import Authority
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
        wait_for(lambda: len(server.requests) == 1, "the call of the first stop")
        assert connection.start(epoch=7)["message"] == "the webhook is called"
        process.says("the webhook answered 204")
        wait_for(lambda: len(server.requests) == 2, "the second call")
        assert [(body["id"], body["node"], body["active"], body["epoch"]) for body in bodies(server)] == [
            ("it", "n1", False, 0),
            ("it", "n1", True, 7),
        ]
        request = server.requests[-1]
        assert (request.method, request.path) == ("POST", "/hook?key=secret-key")
        assert (request.headers["Authorization"], request.headers["X-Site"]) == ("Bearer secret-token", "a")
        assert request.json["at"] > 1_700_000_000
    assert connection.stop()["ok"]
    process.says("the webhook was not reached: ")
    assert "secret" not in process.log


def test_a_hook_whose_certificate_is_revoked_is_not_told(begin, tmp_path):
    authority = Authority(tmp_path / "pki")
    authority.issue("hook", "127.0.0.1")
    authority.revoke("hook")
    with ScriptedServer(Answer(204), certificate=(tmp_path / "pki/hook.pem", tmp_path / "pki/hook.key")) as server:
        file = {"type": "webhook", "url": f"{server.url}/?key=secret-key", "ca": str(tmp_path / "pki/ca.pem")}
        process, _connection = begin(file)
        process.says("the webhook was not reached: its certificate is not trusted: certificate revoked")
        assert server.requests == [] and "secret" not in process.log


def test_the_token_is_the_copy_that_systemd_has_made(begin, tmp_path):
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "token_file").write_text("secret-token\n")
    with ScriptedServer(Answer(204)) as server:
        file = {"type": "webhook", "url": server.url, "token_file": "/nobody/but/root/reads/it"}
        begin(file, CREDENTIALS_DIRECTORY=str(tmp_path / "credentials"))
        wait_for(lambda: server.requests, "the call of the first stop")
        assert server.requests[0].headers["Authorization"] == "Bearer secret-token"


def test_a_hook_that_fails_is_only_a_message_and_is_tried_again(begin):
    with ScriptedServer(Answer(204), Answer(503), Answer(204)) as server:
        process, connection = begin({"type": "webhook", "url": server.url})
        wait_for(lambda: len(server.requests) == 1, "the call of the first stop")
        assert connection.start()["ok"]
        wait_for(lambda: len(server.requests) == 3, "another attempt")
        process.says("the webhook answered 503")
        assert [body["active"] for body in bodies(server)] == [False, True, True]


def test_what_is_past_is_not_told_again(begin):
    with ScriptedServer(Answer(204), Answer(503), Answer(204)) as server:
        _process, connection = begin({"type": "webhook", "url": server.url})
        for number, order in enumerate((connection.start, connection.stop, lambda: connection.start(epoch=2)), 1):
            wait_for(lambda number=number: len(server.requests) == number, "the call before")
            order()
        wait_for(lambda: len(server.requests) == 4, "the last call")
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


@pytest.fixture
def hanging():
    """A hook that answers when told to."""
    release = threading.Event()

    def hang(_request):
        release.wait(20)
        return Answer(204)

    with ScriptedServer(*[hang] * 9) as server:
        server.release = release.set
        yield server
        release.set()


def test_nothing_waits_for_a_hook_that_hangs(begin, hanging):
    process, connection = begin({"type": "webhook", "url": hanging.url, "timeout": 60})
    assert connection.start()["ok"] and connection.stop(seconds=2)["ok"] and connection.start(epoch=2)["ok"]
    assert "answered" not in process.log, "the orders were carried out before"
    wait_for(lambda: bodies(hanging) and bodies(hanging)[-1]["epoch"] == 2, "it is called all the same")


def test_a_driver_that_ends_has_its_last_word_but_does_not_wait_for_long(begin, hanging):
    process, connection = begin({"type": "webhook", "url": hanging.url, "timeout": 60})
    wait_for(lambda: bodies(hanging), "the call of the first stop")
    connection.start()
    wait_for(lambda: [body["active"] for body in bodies(hanging)] == [False, True], "both calls")
    assert process.terminate() == 0
    assert bodies(hanging)[-1]["active"] is False


def test_a_required_hook_may_take_longer_than_a_lease(batond, launch):
    release = threading.Event()

    def slow(_request):
        release.wait(20)
        return Answer(204)

    with ScriptedServer(Answer(204), slow) as server:
        launch({"type": "webhook", "url": server.url, "required": True}, batond.environment)
        connection = batond.connected()
        assert connection.stop()["ok"]
        first_lease = boottime() + 2
        number = connection.order(True, seconds=2)
        connection.lease()
        wait_for(lambda: len(server.requests) == 2 and boottime() > first_lease, "the call, and the end of the lease in which it began")
        release.set()
        assert connection.answered(number) == {"type": "done", "number": number, "ok": True, "message": "the webhook answered 204"}


def test_a_required_hook_that_hangs_does_not_keep_a_stop_for_longer_than_there_is_time(begin):
    release = threading.Event()

    def hang(_request):
        release.wait(20)
        return Answer(204)

    with ScriptedServer(Answer(204), Answer(204), hang) as server:
        process, connection = begin({"type": "webhook", "url": server.url, "timeout": 60, "required": True})
        connection.start()
        assert connection.stop(seconds=2)["ok"]
        release.set()
        assert process.process.poll() is None
