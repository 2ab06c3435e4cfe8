# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks of the built-in drivers, against real commands and servers."""

import asyncio
import socket

import pytest

from baton.drivers.checks import make
from baton.drivers.session import Failed
from support.certificates import Authority
from support.scripted_server import Answer, ScriptedServer


def result(**check):
    """Return what is wrong, or None."""
    defaults = {"every": 2.0, "timeout": 2.0, **({"status": [], "ca": ""} if "http" in check else {})}
    try:
        return asyncio.run(make({**defaults, **check})({"PORT": "80"}, "/tmp"))
    except Failed as failed:
        return str(failed)


def test_a_command(tmp_path):
    assert result(command="true") is None
    assert result(command="exit 2") == "the check's command failed: exit status 2"
    assert result(command="kill -9 $$") == "the check's command failed: killed by SIGKILL"
    assert result(command="sleep 600", timeout=0.1) == "it took longer than 0.1 s and was killed"
    assert result(command="sleep 600 & true") is None
    assert result(command='test "$PORT" = 80 && test "$PWD" = /tmp') is None
    assert result(command="echo all is well; echo no route >&2; exit 1") == "the check's command failed: no route"


@pytest.mark.parametrize(
    ("status", "wanted", "good"), [(200, [], True), (302, [], True), (404, [], False), (404, [404], True), (200, [404], False)]
)
def test_http(status, wanted, good):
    with ScriptedServer(Answer(status, headers={"Location": "http://127.0.0.1:1/"})) as server:
        assert result(http=server.url, status=wanted) == (None if good else f"HTTP {status}")


def test_http_without_an_answer():
    with ScriptedServer(Answer(cut="before")) as server:
        assert result(http=server.url).startswith("no answer: ")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert result(http=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.1) == "no answer within 0.1 s"


def test_https_is_verified(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("n1", "127.0.0.1")
    with ScriptedServer(Answer(200), certificate=(tmp_path / "n1.pem", tmp_path / "n1.key")) as server:
        assert "CERTIFICATE_VERIFY_FAILED" in result(http=server.url)
        assert result(http=server.url, ca=str(tmp_path / "ca.pem")) is None
        assert result(http=server.url, ca=str(tmp_path / "nosuch")).startswith("no answer")


def test_https_with_a_revoked_certificate_is_not_healthy(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("n1", "127.0.0.1")
    with ScriptedServer(Answer(200), certificate=(tmp_path / "n1.pem", tmp_path / "n1.key")) as server:
        authority.revoke("n1")
        assert "certificate revoked" in result(http=server.url, ca=str(tmp_path / "ca.pem"))
        (tmp_path / "crl.pem").write_text("half a list")
        assert "the list of revoked certificates beside it" in result(http=server.url, ca=str(tmp_path / "ca.pem"))


def test_tcp():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert result(tcp=("127.0.0.1", port)) is None
    assert result(tcp=("127.0.0.1", port)).startswith("no connection: ")


def test_a_driver_reports_each_result(begin, tmp_path):
    check = {"command": "test -e good", "every": 0.1}
    _process, connection = begin({"type": "script", "start": "true", "stop": "true", "check": check})
    connection.start()
    assert connection.health() == {"type": "health", "ok": False, "message": "the check's command failed: exit status 1"}
    (tmp_path / "good").touch()
    while not connection.health()["ok"]:
        pass
