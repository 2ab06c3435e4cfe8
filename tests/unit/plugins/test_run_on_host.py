# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""run_on: host. Requests go out from the task's host; all else is as on the controller. tests/lab has a host that alone reaches the API."""

import contextlib
import json
import re
import socket
from pathlib import Path

import pytest

from support.certificates import Authority
from support.cluster import Cluster, until
from support.plays import Runs, environ_of, kill, said
from support.scripted_server import Answer, ScriptedServer

THERE = {"run_on": "host"}
PLAIN = """
from ansible.plugins.connection import local
DOCUMENTATION = local.DOCUMENTATION.replace("name: local", "name: plain")
class Connection(local.Connection):
    has_pipelining = False
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("there"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def runs(cluster, tmp_path):
    with Runs(cluster, tmp_path) as runs:
        yield runs


def leases(cluster):
    return {lease["Id"]: lease for lease in cluster.n1.call("GET", "/leases", cluster.token).json()}


WORK = [
    {"baton.ha.profile": {"name": "there", "params": {"n": 1}, **THERE}},
    {"baton.ha.leader_election": {"profile": "there", **THERE}, "register": "elected"},
    {"baton.ha.compare_and_patch": {"name": "there", "param": "n", "patch": [{"op": "test", "path": "", "value": 2}], **THERE},
     "register": "lost", "failed_when": "lost.msg is not search('found 1')"},
    {"baton.ha.wait_for": {"name": "there", "param": "n", "condition": "equals", "value": 1, **THERE}},
    {"baton.ha.once": {"name": "there", "module": "ansible.builtin.raw", "args": "echo done", **THERE}, "register": "once"},
    {"ansible.builtin.assert": {"that": ["elected.leader == 'web-1'", "once.done", "once.by is search('web-1, run')"]}},
]  # fmt: skip


@pytest.mark.parametrize("connection", ["local", "plain"])
def test_tasks_do_through_the_host_what_they_do_from_the_controller(cluster, runs, tmp_path, connection):
    (tmp_path / "plain.py").write_text(PLAIN)
    environ = environ_of(cluster, tmp_path, ANSIBLE_CONNECTION_PLUGINS=str(tmp_path))
    where = json.dumps({"ansible_connection": connection, "ansible_remote_tmp": str(tmp_path / "remote")})
    runs.run(WORK, options=["-e", where], environ=environ)
    left = [path for path in (tmp_path / "remote").rglob("*") if path.is_file()] if (tmp_path / "remote").exists() else []
    assert left == [], "what was sent stays nowhere"


def command_lines():
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            pass  # it has ended
    return found


def test_the_token_is_in_no_process_list(cluster, runs):
    run = runs.begin([{"baton.ha.wait_for": {"name": "later", "wait_timeout": 60, **THERE}}])
    lines = until(
        lambda: next((lines for lines in [command_lines()] if any(b"connection_to(order)" in line for line in lines)), None), "it asks"
    )
    assert not any(cluster.token.encode() in line for line in lines)
    cluster.n1.call("POST", "/profiles", cluster.token, json={"Name": "later"})
    said(run)


def test_what_goes_wrong_is_told_in_the_same_words(cluster, runs, tmp_path):
    authority = Authority(tmp_path / "pki")
    Authority(tmp_path / "other")
    authority.issue("n1", "192.0.2.9")
    certificate = (str(tmp_path / "pki/n1.pem"), str(tmp_path / "pki/n1.key"))
    with (
        socket.socket() as closed,
        socket.socket() as silent,
        ScriptedServer(Answer(), certificate=certificate) as tls,
        ScriptedServer(Answer(cut="before")) as cuts,
        ScriptedServer(Answer(200, {"Name": "p"}, cut="within")) as within,
        ScriptedServer(Answer(200, b"<html>")) as stranger,
    ):
        closed.bind(("127.0.0.1", 0))
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        wrong = {
            "refused": {"url": f"http://127.0.0.1:{closed.getsockname()[1]}"},
            "unknown": {"url": "https://nowhere.invalid:8092"},
            "silent": {"url": f"http://127.0.0.1:{silent.getsockname()[1]}"},
            "untrusted": {"url": tls.url, "ca": str(tmp_path / "other/ca.pem")},
            "another name": {"url": tls.url, "ca": str(tmp_path / "pki/ca.pem")},
            "no TLS": {"url": cuts.url.replace("http:", "https:")},
            "cut": {"url": cuts.url},
            "cut within": {"url": within.url},
            "stranger": {"url": stranger.url},
        }
        tasks = [
            {"baton.ha.profile_info": {"name": "p", "timeout": 2, "token": "of-nobody", "run_on": where, **options}, "ignore_errors": True}
            for name, options in wrong.items() for where in ("controller", "host")
        ]  # fmt: skip
        text = runs.run(tasks, environ=environ_of(cluster, tmp_path, ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default"))
    messages = re.findall(r'^fatal: .*"msg": "(.*?)"[,}]', text, re.MULTILINE)
    assert len(messages) == 2 * len(wrong), text
    for name, here, there in zip(wrong, messages[::2], messages[1::2]):
        assert here == there, name


def test_a_host_without_python_is_told_which_variable_helps(runs):
    task = {"baton.ha.profile_info": {"name": "p", **THERE}}
    text = runs.run([task], options=["-e", json.dumps({"ansible_python_interpreter": "/nowhere/python"})], check=2)
    assert "run_on is host, and Python on the host could not ask:" in text and "see ansible_python_interpreter" in text


def test_a_lock_through_the_host_lives_as_long_as_its_run(cluster, runs):
    take = {"baton.ha.lock": {"name": "far", **THERE}}
    run = runs.begin([take, runs.gate("held")])
    runs.reached("held")
    (lease,) = [name for name in leases(cluster) if name.startswith("run-")]
    seen = [20.0]

    def kept():
        seen.append(leases(cluster)[lease]["Left"])
        return seen[-1] > seen[-2] + 0.5

    until(kept, "a sign of life")
    kill(run)
    until(lambda: lease not in leases(cluster), "the run's end is told", 15)
    runs.open("held")


def test_a_revoked_certificate_is_refused_from_the_host_in_the_same_words(cluster, runs, tmp_path):
    good, revoked, half = (Authority(tmp_path / name) for name in ("good", "revoked", "half"))
    for authority in (good, revoked, half):
        authority.issue("n1", "127.0.0.1")
        (authority.folder / "ca.pem").write_text("# Äußerst vertrauenswürdig\n" + (authority.folder / "ca.pem").read_text())
    revoked.revoke("n1")
    (half.folder / "crl.pem").write_text((half.folder / "crl.pem").read_text()[:200])
    problem = Answer(401, {"detail": "unknown token"}, {"Content-Type": "application/problem+json"})
    tasks = []
    with contextlib.ExitStack() as servers:
        for authority in (good, revoked, half):
            certificate = (str(authority.folder / "n1.pem"), str(authority.folder / "n1.key"))
            url = servers.enter_context(ScriptedServer(problem, certificate=certificate)).url
            options = {"url": url, "ca": str(authority.folder / "ca.pem"), "name": "p", "timeout": 2, "token": "of-nobody"}
            tasks += [{"baton.ha.profile_info": {**options, "run_on": where}, "ignore_errors": True} for where in ("controller", "host")]
        text = runs.run(tasks, environ=environ_of(cluster, tmp_path, ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default"))
    messages = re.findall(r'^fatal: .*"msg": "(.*?)"[,}]', text, re.MULTILINE)
    assert len(messages) == 6, text
    assert messages[::2] == messages[1::2]
    assert "unknown token" in messages[0], "a list that does not have the certificate keeps nobody away"
    assert "its certificate is not trusted: certificate revoked" in messages[2]
    assert "crl.pem, the list of revoked certificates beside it" in messages[4]
