# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against a server that plays faults: lost replies, redirects, refusals, cut answers, strange servers."""

import email.utils
import hashlib
import os
import re
import socket
import subprocess
import time

import pytest

from baton.client.api import Client, ClientError, Connection, connection_from
from baton.client.failures import ServerClock
from support.scripted_server import Answer, ScriptedServer, problem

PROFILE = {"Name": "web", "Params": {}}
BUSY = problem(503, "no_active", "no node is active now; try again", outcome="not_applied")


def client(*urls, timeout=5.0, token="T0ken", ca=None):
    return Client(Connection(tuple(urls), token, ca, timeout))


def closed_url():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def failing(call, *args, **kwargs):
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    assert "\n" not in caught.value.message
    assert "T0ken" not in caught.value.message
    return caught.value


# --- repeating ------------------------------------------------------------------------------------------------------


def test_a_lost_reply_is_asked_for_again_with_the_same_key_and_deadline():
    with ScriptedServer(Answer(cut="before"), Answer(cut="before"), Answer(200, 1, {"ETag": '"3.7"'})) as server:
        answer = client(server.url).set_param("profiles", "web", "my/leader", "n1")
    assert (answer.status, answer.revision) == (200, "3.7")
    keys = {request.headers["Idempotency-Key"] for request in server.requests}
    deadlines = {request.headers["Baton-Deadline"] for request in server.requests}
    assert len(server.requests) == 3
    assert len(keys) == len(deadlines) == 1
    assert server.requests[0].path == "/api/v3/profiles/web/params/my/leader"
    assert server.requests[0].headers["Prefer"] == "return=minimal"


def test_each_change_has_a_key_of_its_own_unless_the_caller_gives_one():
    with ScriptedServer(Answer(204)) as server, client(server.url) as it:
        it.set_param("profiles", "web", "a", 1)
        it.set_param("profiles", "web", "a", 1)
        it.set_param("profiles", "web", "a", 1, key="mine")
        it.delete("profiles", "web")
    keys = [request.headers["Idempotency-Key"] for request in server.requests]
    assert len(set(keys)) == 4
    assert keys[2] == "mine"


def test_a_read_has_neither_key_nor_deadline():
    with ScriptedServer(Answer(200, PROFILE)) as server:
        client(server.url).get("profiles", "web")
    assert not {"Idempotency-Key", "Baton-Deadline", "Prefer"} & set(server.requests[0].headers)


def test_a_node_that_is_busy_is_asked_again():
    unknown = problem(503, "outcome_unknown", outcome="unknown")
    with ScriptedServer(BUSY, unknown, Answer(502, b"<html>"), Answer(201, PROFILE)) as server:
        assert client(server.url).create("profiles", PROFILE).body == PROFILE
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1


def test_when_time_runs_out_it_says_what_the_server_said_and_that_nothing_changed():
    with ScriptedServer(BUSY) as server:
        error = failing(client(server.url, timeout=0.3).create, "profiles", PROFILE)
    assert (error.kind, error.status, error.outcome, error.exit_status) == ("unavailable", 503, "not_applied", 3)
    assert error.retriable
    assert "no node is active now" in error.message


def test_when_time_runs_out_after_a_lost_reply_the_outcome_is_unknown():
    with ScriptedServer(Answer(cut="before")) as server:
        error = failing(client(server.url, timeout=0.3).create, "profiles", PROFILE)
    assert (error.kind, error.outcome) == ("unavailable", "unknown")
    assert "may or may not have taken effect" in error.message


def test_after_it_gave_up_the_deadline_that_it_sent_has_passed():
    with ScriptedServer(Answer(cut="before")) as server:
        failing(client(server.url, timeout=0.3).create, "profiles", PROFILE)
        assert all(float(request.headers["Baton-Deadline"]) <= time.time() for request in server.requests)


def test_an_answer_that_was_cut_off_is_asked_for_again():
    with ScriptedServer(Answer(200, PROFILE, cut="within"), Answer(200, PROFILE)) as server:
        assert client(server.url).get("profiles", "web").body == PROFILE
    assert len(server.requests) == 2


def test_a_silent_node_is_left_for_the_next_one():
    with socket.socket() as silent, ScriptedServer(Answer(200, PROFILE)) as server:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        it = client(f"http://127.0.0.1:{silent.getsockname()[1]}", server.url)
        assert it.request("GET", "/profiles/web", attempt=0.2).body == PROFILE


# --- which node -----------------------------------------------------------------------------------------------------


def test_urls_are_tried_in_order_and_the_one_that_worked_is_remembered():
    with ScriptedServer(BUSY, Answer(200, PROFILE)) as first, ScriptedServer(Answer(200, PROFILE)) as second:
        it = client(closed_url(), first.url, second.url)
        assert it.get("profiles", "web").url == second.url
        assert it.get("profiles", "web").url == second.url
    assert len(first.requests) == 1


def test_a_redirect_to_the_active_keeps_method_body_and_token_and_is_remembered():
    with ScriptedServer(Answer(200, PROFILE)) as active:
        location = {"Location": f"{active.url}/api/v3/profiles"}
        with ScriptedServer(problem(307, "not_active", headers=location)) as passive:
            it = client(passive.url)
            it.create("profiles", PROFILE)
            it.get("profiles", "web")
    assert len(passive.requests) == 1
    sent = active.requests[0]
    assert (sent.method, sent.json, sent.headers["Authorization"]) == ("POST", PROFILE, "Bearer T0ken")
    assert sent.headers["Idempotency-Key"] == passive.requests[0].headers["Idempotency-Key"]


def test_when_the_remembered_active_is_gone_the_configured_urls_are_tried():
    active = ScriptedServer(Answer(200, PROFILE, {"Connection": "close"})).__enter__()
    location = {"Location": f"{active.url}/api/v3/x"}
    with ScriptedServer(problem(307, "not_active", headers=location), Answer(200, PROFILE)) as passive:
        it = client(passive.url)
        assert it.get("profiles", "web").url == active.url
        active.__exit__()
        assert it.get("profiles", "web").url == passive.url


def test_nodes_that_point_at_each_other_are_given_up_in_time():
    with ScriptedServer(Answer(200)) as first:
        first.steps = [problem(307, "not_active", headers={"Location": f"{first.url}/api/v3/x"})]
        error = failing(client(first.url, timeout=0.3).get, "profiles", "web")
    assert "do not agree on who is active" in error.message


def test_the_error_of_an_active_that_is_down_says_who_named_it():
    down = closed_url()
    with ScriptedServer(problem(307, "not_active", headers={"Location": f"{down}/api/v3/x"})) as passive:
        error = failing(client(passive.url, timeout=0.3).get, "profiles", "web")
    assert f"{down}: connection refused (active according to {passive.url})" in error.message


@pytest.mark.parametrize("target", ["http://192.0.2.1:8092/api/v3/x", "ftp://127.0.0.1/", "", "https://u:p@127.0.0.1/api/v3/x"])
def test_a_redirect_that_would_give_the_token_away_is_not_followed(target):
    with ScriptedServer(problem(307, "not_active", headers={"Location": target})) as passive:
        error = failing(client(passive.url).get, "profiles", "web")
    assert "can't be followed" in error.message


def test_proxies_and_netrc_of_the_environment_are_not_used(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", closed_url())
    monkeypatch.setenv("no_proxy", "")
    with ScriptedServer(Answer(200, PROFILE)) as server:
        client(server.url).get("profiles", "web")
    assert server.requests[0].headers["Authorization"] == "Bearer T0ken"


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "exit_status"),
    [
        (400, "usage", 2), (401, "auth", 1), (403, "auth", 1), (404, "not_found", 1), (409, "conflict", 1),
        (412, "conflict", 1), (413, "usage", 2), (422, "usage", 2), (500, "server", 3),
    ],
)  # fmt: skip
def test_problems_become_errors_of_a_kind_and_are_not_repeated(status, kind, exit_status):
    with ScriptedServer(problem(status, "some_code", "what is wrong")) as server:
        error = failing(client(server.url).create, "profiles", PROFILE)
    assert (error.kind, error.exit_status, error.status, error.code) == (kind, exit_status, status, "some_code")
    assert "what is wrong" in error.message
    assert error.result()["msg"] == error.message
    assert len(server.requests) == 1


def test_a_lost_race_says_what_stands_there():
    refused = problem(409, "test_failed", operation=0, path="", found="n2", missing=False)
    with ScriptedServer(refused) as server:
        error = failing(client(server.url).swap_param, "profiles", "web", "my/leader", "none", "n1")
    assert error.message == "param 'my/leader' of profile 'web' is not \"none\": found \"n2\"; nothing was changed"
    assert error.problem["found"] == "n2"
    assert server.requests[0].json == [
        {"op": "test", "path": "", "value": "none"},
        {"op": "replace", "path": "", "value": "n1"},
    ]
    assert server.requests[0].headers["Content-Type"] == "application/json-patch+json"


def test_a_refused_token_is_tried_on_the_other_nodes_first():
    with ScriptedServer(problem(401, "bad_token", "unknown")) as stale, ScriptedServer(Answer(200, PROFILE)) as fresh:
        assert client(stale.url, fresh.url).get("profiles", "web").body == PROFILE


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, b"<html>", {"Content-Type": "text/html"}), Answer(200, b"<html>", {"Content-Type": "text/html"}),
        Answer(302, b"", {"Location": "/login"}), Answer(200, b"{", {"Content-Type": "application/json"}),
        Answer(500, {"error": "x"}), Answer(404, b'"x"', {"Content-Type": "application/problem+json"}),
    ],
)  # fmt: skip
def test_a_server_that_is_not_baton_is_named_as_such(answer):
    with ScriptedServer(answer) as server:
        error = failing(client(server.url).get, "profiles", "web")
    assert (error.kind, error.exit_status) == ("connection", 3)
    assert f"{server.url}: not a Baton server: it answered {answer.status}" in error.message


def test_no_connection_names_every_url_and_why():
    first, second = closed_url(), "http://localhost:1"
    error = failing(client(first, second, timeout=0.2).get, "profiles", "web")
    assert error.kind == "connection"
    assert f"{first}: connection refused; {second}: connection refused" in error.message


def test_control_characters_of_a_server_do_not_reach_the_terminal():
    with ScriptedServer(problem(400, "x", "bad\x1b[31m\nthing")) as server:
        assert failing(client(server.url).get, "profiles", "web").message.startswith("bad [31m thing")


@pytest.mark.parametrize("name", ["", "..", "a/../b", ".", "a//b", "a\nb"])
def test_a_name_that_would_mean_another_path_is_refused_here(name):
    it = client(closed_url())
    assert failing(it.delete, "profiles", name).kind == "usage"
    assert failing(it.files.delete, name).kind == "usage"


def test_names_are_quoted():
    with ScriptedServer(Answer(204)) as server:
        client(server.url).set_param("profiles", "a b?#%", "x/ä", 1)
    assert server.requests[0].path == "/api/v3/profiles/a%20b%3F%23%25/params/x/%C3%A4"


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x"])
def test_a_value_that_is_not_json_is_refused_here(value):
    assert failing(client(closed_url()).set_param, "profiles", "web", "x", value).kind == "usage"


# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def test_a_certificate_is_verified_against_the_given_ca(certificate):
    with ScriptedServer(Answer(200, PROFILE), certificate=certificate) as server:
        assert client(server.url, ca=certificate[0]).get("profiles", "web").body == PROFILE
        error = failing(client(server.url).get, "profiles", "web")
    assert error.kind == "connection"
    assert "its certificate is not trusted: self-signed certificate" in error.message.replace("self signed", "self-signed")
    assert "BATON_CA" in error.message
    assert len(server.requests) == 1


def test_a_name_that_is_not_in_the_certificate_is_refused(certificate):
    with ScriptedServer(Answer(200, PROFILE), certificate=certificate) as server:
        error = failing(client(server.url.replace("127.0.0.1", "localhost"), ca=certificate[0]).get, "profiles", "web")
    assert re.search("its certificate is not trusted: (Hostname mismatch|hostname 'localhost' doesn't match)", error.message)
    assert "use an address that the certificate is for" in error.message


def test_a_redirect_from_tls_to_plain_http_is_not_followed(certificate):
    with ScriptedServer(Answer(200, PROFILE)) as plain:
        location = {"Location": f"{plain.url}/api/v3/x"}
        with ScriptedServer(problem(307, "not_active", headers=location), certificate=certificate) as server:
            error = failing(client(server.url, ca=certificate[0]).get, "profiles", "web")
    assert "not encrypted" in error.message
    assert plain.requests == []


def test_https_to_a_server_without_tls_says_so():
    with ScriptedServer(Answer(200)) as server:
        error = failing(client(server.url.replace("http:", "https:")).get, "profiles", "web")
    assert "does not speak TLS" in error.message


# --- clocks ---------------------------------------------------------------------------------------------------------


def test_equal_clocks_need_no_correction():
    clock = ServerClock()
    clock.saw(email.utils.formatdate(1_700_000_000, usegmt=True), 1_700_000_000.2, 1_700_000_000.9)
    assert clock.offset == 0.0


@pytest.mark.parametrize("ahead", [-300.0, -3.5, 2.5, 86400.0])
def test_a_different_clock_is_corrected_to_the_safe_side(ahead):
    clock, sent, came = ServerClock(), 1_700_000_000.25, 1_700_000_000.5
    clock.saw(email.utils.formatdate(int(came + ahead), usegmt=True), sent, came)
    assert ahead - 1.5 <= clock.offset <= ahead


@pytest.mark.parametrize("date", [None, "", "tomorrow", "Tue, 99 Foo"])
def test_a_date_that_is_none_teaches_nothing(date):
    clock = ServerClock()
    clock.saw(date, 1.0, 2.0)
    assert clock.offset == 0.0


def test_a_server_whose_clock_is_ahead_is_asked_again_with_a_deadline_in_its_time():
    def refuse_the_past(request):
        late = float(request.headers["Baton-Deadline"]) < time.time() + 3600
        return problem(503, "deadline_passed", outcome="not_applied") if late else Answer(204)

    with ScriptedServer(refuse_the_past) as server:
        server.date = email.utils.formatdate(time.time() + 3600, usegmt=True)
        client(server.url).set_param("profiles", "web", "x", 1)
    assert len(server.requests) == 2


# --- waiting, merging, switching --------------------------------------------------------------------------------------


def test_waiting_goes_on_through_timeouts_and_lost_connections():
    waits = [problem(408, "wait_timeout", found="none", missing=False), Answer(cut="before"), BUSY, Answer(200, "n1")]
    with ScriptedServer(*waits) as server:
        assert client(server.url).wait("profiles", "web", "my/leader", "equals", "n1", timeout=60).body == "n1"
    assert all("wait=equals" in request.path and "value=%22n1%22" in request.path for request in server.requests)


def test_waiting_in_vain_is_a_conflict_that_names_what_is_there():
    with ScriptedServer(problem(408, "wait_timeout", found="none", missing=False)) as server:
        error = failing(client(server.url).wait, "profiles", "web", "my/leader", "equals", "n1", timeout=0.2)
    assert (error.kind, error.status) == ("conflict", 408)
    assert "waited 0.2 s in vain for: equals \"n1\"; found \"none\"" in error.message


def test_waiting_for_nobody_ends_in_time():
    error = failing(client(closed_url(), timeout=0.2).wait, "profiles", "web", timeout=0.2)
    assert error.kind == "connection"


def test_changed_means_different_from_now():
    with ScriptedServer(Answer(200, "n1"), Answer(200, "n2")) as server:
        client(server.url).wait("profiles", "web", "my/leader", "changed")
    assert "wait=differs&" in server.requests[1].path
    with ScriptedServer(Answer(200, PROFILE, {"ETag": '"1.5"'}), Answer(200, PROFILE)) as server:
        client(server.url).wait("profiles", "web", condition="changed")
    assert "wait=changed&" in server.requests[1].path
    assert "revision=1.5" in server.requests[1].path
    with ScriptedServer(problem(404, "not_found"), Answer(200, PROFILE)) as server:
        client(server.url).wait("profiles", "web", condition="changed")
    assert "wait=exists&" in server.requests[1].path


def test_a_merge_is_a_patch_of_the_revision_that_it_was_made_for():
    now = {"Name": "web", "Description": "old", "Params": {"a": 1, "b": {"c": 1}}}
    steps = [
        Answer(200, now, {"ETag": '"1.1"'}), problem(412, "revision_differs"),
        Answer(200, now, {"ETag": '"1.2"'}), Answer(200, now),
    ]  # fmt: skip
    with ScriptedServer(*steps) as server:
        changes = {"Description": "new", "Params": {"a": None, "b": {"d": {"e": None}}, "x": None}}
        client(server.url).merge("profiles", "web", changes)
    assert [request.headers.get("If-Match") for request in server.requests] == [None, '"1.1"', None, '"1.2"']
    assert server.requests[3].json == [
        {"op": "replace", "path": "/Description", "value": "new"},
        {"op": "remove", "path": "/Params/a"},
        {"op": "add", "path": "/Params/b/d", "value": {}},
    ]


def test_a_merge_with_a_base_tests_what_it_changes():
    with ScriptedServer(Answer(200, PROFILE)) as server:
        client(server.url).merge("profiles", "web", {"Params": {"a/b": 2}}, base={"Params": {"a/b": 1, "z": 0}})
    assert server.requests[0].json == [
        {"op": "test", "path": "/Params/a~1b", "value": 1},
        {"op": "replace", "path": "/Params/a~1b", "value": 2},
    ]


def ha(active, epoch, serving=True):
    return Answer(200, {"node": active, "role": "active", "serving": serving, "active": active, "epoch": {"number": epoch}})


def test_a_switch_whose_answer_is_lost_is_not_repeated_but_looked_after():
    with ScriptedServer(ha("n1", 1), Answer(cut="before"), ha("n1", 1), ha("n2", 2, False), ha("n2", 2)) as server:
        assert client(server.url).switch("n2")["active"] == "n2"
    assert [request.method for request in server.requests] == ["GET", "POST", "GET", "GET", "GET"]


def test_a_switch_that_is_refused_is_not_looked_after():
    with ScriptedServer(ha("n1", 1), problem(409, "not_in_sync", "n2 is not in sync")) as server:
        assert failing(client(server.url).switch, "n2").kind == "conflict"


def test_the_status_is_asked_of_the_active_when_a_passive_answers():
    with ScriptedServer(ha("n2", 2)) as active:
        seen = {"node": "n1", "role": "passive", "active": "n2", "active_url": active.url}
        with ScriptedServer(Answer(200, seen)) as passive:
            assert client(passive.url).cluster_status()["node"] == "n2"
            active.steps = [Answer(500, b"")]
            assert client(passive.url).cluster_status()["node"] == "n1"


def test_orders_to_one_node_need_one_url():
    assert failing(client("http://127.0.0.1:1", "http://127.0.0.1:2").become_active).kind == "usage"


# --- files ----------------------------------------------------------------------------------------------------------


class FileServer:
    """Serves one content with ranges; the first ``cuts`` downloads break off in the middle."""

    def __init__(self, content, cuts=0):
        self.content, self.cuts = content, cuts
        self.etag = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "Content-Type": "application/octet-stream"}

    def __call__(self, request):
        if request.method == "HEAD":
            return Answer(200, b"", {**self.etag, "Content-Length": str(len(self.content))})
        first = int(request.headers.get("Range", "bytes=0-")[6:-1])
        if first >= len(self.content):
            return problem(416, "bad_range")
        cut, self.cuts = ("within" if self.cuts else ""), max(0, self.cuts - 1)
        return Answer(206 if first else 200, self.content[first:], self.etag, cut=cut)


def test_a_download_that_breaks_off_is_continued_and_verified(tmp_path):
    content = os.urandom(3 << 20)
    with ScriptedServer(FileServer(content, cuts=2)) as server:
        client(server.url).files.download("iso/a b", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    ranges = [request.headers.get("Range") for request in server.requests if request.method == "GET"]
    assert ranges == [None, f"bytes={len(content) // 2}-", f"bytes={len(content) // 2 + len(content) // 4}-"]


def test_a_download_continues_what_an_earlier_one_left(tmp_path):
    content = os.urandom(1000)
    part = tmp_path / f".out.{hashlib.sha256(content).hexdigest()[:16]}.part"
    part.write_bytes(content[:600])
    with ScriptedServer(FileServer(content)) as server:
        client(server.url).files.download("a", str(tmp_path / "out"))
    assert server.requests[1].headers["Range"] == "bytes=600-"
    part.write_bytes(content)
    with ScriptedServer(FileServer(content)) as server:
        client(server.url).files.download("a", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == content


def test_a_damaged_download_leaves_no_file(tmp_path):
    source = FileServer(b"x" * 1000)
    source.content = b"y" * 1000
    with ScriptedServer(source) as server:
        error = failing(client(server.url).files.download, "a", str(tmp_path / "out"))
    assert "damaged" in error.message
    assert list(tmp_path.iterdir()) == []


def test_an_upload_is_repeated_from_its_beginning_after_a_lost_reply(tmp_path):
    (tmp_path / "f").write_bytes(b"content")
    steps = [problem(404, "not_found"), Answer(cut="before"), Answer(201, {})]
    with ScriptedServer(*steps) as server:
        assert client(server.url).files.upload(str(tmp_path / "f"), "iso/f")["Changed"] is True
    assert [request.body for request in server.requests] == [b"", b"content", b"content"]
    sent = server.requests[2].headers
    assert sent["X-Baton-Sha256"] == hashlib.sha256(b"content").hexdigest()
    assert sent["Idempotency-Key"] == server.requests[1].headers["Idempotency-Key"]


def test_a_file_that_stands_there_already_is_not_sent(tmp_path):
    (tmp_path / "f").write_bytes(b"content")
    with ScriptedServer(FileServer(b"content")) as server:
        assert client(server.url).files.upload(str(tmp_path / "f"), "f")["Changed"] is False
    assert [request.method for request in server.requests] == ["HEAD"]


# --- options --------------------------------------------------------------------------------------------------------


def test_options_win_over_baton_and_baton_over_classic_names(tmp_path):
    environ = {"RS_ENDPOINT": "https://rs:8092", "RS_TOKEN": "rs"}
    assert connection_from({}, environ) == Connection(("https://rs:8092",), "rs")
    environ.update(BATON_URL="https://a:8092/, b", BATON_TOKEN="baton")
    assert connection_from({}, environ) == Connection(("https://a:8092", "https://b"), "baton")
    (tmp_path / "token").write_text("from-file\n")
    given = {"url": ["https://[::1]:1/api/v3"], "token_file": str(tmp_path / "token"), "timeout": "7"}
    assert connection_from(given, environ) == Connection(("https://[::1]:1",), "from-file", None, 7.0)


def test_a_configuration_file_has_what_nothing_else_says(tmp_path):
    (tmp_path / "ca.pem").write_text("x")
    (tmp_path / "token").write_text("of-a-file\n")
    config = tmp_path / "baton/config.ini"
    config.parent.mkdir()
    config.write_text(
        f"[default]\nurl = https://a, https://b\ntoken_file = {tmp_path}/token\nca = {tmp_path}/ca.pem\ntimeout = 7\n"
        "[staging]\nurl = https://staging\ntoken = s%cret\n"
    )
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    usual = Connection(("https://a", "https://b"), "of-a-file", str(tmp_path / "ca.pem"), 7.0)
    assert connection_from({}, environ) == usual == connection_from({}, {"BATON_CONFIG": str(config)})
    staging = Connection(("https://staging",), "s%cret", str(tmp_path / "ca.pem"), 7.0)
    assert connection_from({"cluster": "staging"}, {**environ, "BATON_URL": "https://c"}) == staging
    assert connection_from({}, {**environ, "BATON_CLUSTER": "staging"}) == staging
    assert connection_from({}, {**environ, "BATON_CLUSTER": "staging", "BATON_URL": "https://c"}).urls == ("https://c",)
    assert connection_from({"url": "https://d", "cluster": "staging"}, environ).urls == ("https://d",)
    for options, more, says in (
        ({"cluster": "none"}, {}, "has no section 'none'; it has: default, staging"),
        ({}, {"BATON_CONFIG": "/nonexistent"}, "can't read the configuration /nonexistent: no such file"),
    ):
        assert says in failing(connection_from, options, {**environ, **more}).message
    config.write_text("[default]\nurl = https://a\ntokn = x\n")
    assert "section default: 'tokn' is not one of url, token" in failing(connection_from, {}, environ).message
    config.write_text("[default]\nurl = https://127.0.0.1:1\n[other]\ntokn = x\n")
    assert connection_from({}, environ).urls == ("https://127.0.0.1:1",), "what nobody uses is in nobody's way"
    away = {"HOME": str(tmp_path / "nowhere"), "BATON_CLUSTER": "staging"}
    says = f"the configuration {tmp_path}/nowhere/.config/baton/config.ini has no section 'staging'; it is not there"
    assert says in failing(connection_from, {}, away).message
    config.write_text("url = https://a\n")
    assert "can't read the configuration" in failing(connection_from, {}, environ).message


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "no address"), ({"url": "http://10.0.0.1"}, "unencrypted"), ({"url": "https://u:p@h"}, "user name"),
        ({"url": "https://h/x"}, "more than"), ({"url": "https://h:x"}, "not a URL"), ({"url": "ftp://h"}, "not a URL"),
        ({"url": "h", "token_file": "/nonexistent"}, "no such file"), ({"url": "h", "token": "a\nb"}, "characters"),
        ({"url": "h", "ca": "/nonexistent"}, "does not exist"), ({"url": "h", "timeout": "x"}, "timeout"),
    ],
)  # fmt: skip
def test_wrong_options_are_named(options, says):
    error = failing(connection_from, options, {})
    assert error.kind == "usage"
    assert says in error.message
