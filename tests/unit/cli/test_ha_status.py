# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`batonctl ha status` against real clusters in which something is wrong, and `--watch`."""

import functools
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import requests

from support.cluster import HA_TOKEN, Cluster, free_port, until


def environ_of(*urls, token=HA_TOKEN):
    return {"PATH": os.environ["PATH"], "BATON_URL": ",".join(urls), "BATON_TOKEN": token}


@pytest.fixture
def asking(batonctl, monkeypatch):
    """Run batonctl with the nodes' secret at these URLs."""

    def ask(urls, *arguments):
        for name, value in environ_of(*urls).items():
            monkeypatch.setenv(name, value)
        return batonctl("--timeout", "5", *arguments)

    return ask


def nodes(run):
    """Return {node: row of the JSON output}."""
    return {item["id"]: item for item in json.loads(run.out)["nodes"]}


def test_a_passive_that_falls_behind_and_one_that_is_gone(tmp_path, asking):
    with Cluster(tmp_path, 2, "local") as cluster:
        urls = [node.url for node in cluster.nodes.values()]
        healthy = asking(urls, "ha", "status")
        assert healthy.status == 0 and "If n1 fails, n2 takes over by itself; the store is local." in healthy.out
        seen = nodes(asking(urls, "-o", "json", "ha", "status"))["n2"]
        assert seen["lag"] == {"entries": 0, "bytes": 0, "seconds": 0.0} and 0 <= seen["last_contact"] < 5
        cluster.n2.process.send_signal(signal.SIGSTOP)
        until(lambda: cluster.n1.status()["in_sync"] == ["n1"], "n2 has left the in-sync set")
        for number in range(3):
            assert cluster.call(cluster.n1, "POST", "/profiles", json={"Name": f"p{number}"}).status_code == 201
        until(lambda: nodes(asking(urls, "-o", "json", "ha", "status"))["n2"]["state"] == "Unreachable", "n2 is called unreachable")
        behind = asking(urls, "-o", "json", "ha", "status")
        lag = nodes(behind)["n2"]["lag"]
        assert behind.status == 1 and lag["entries"] >= 3 and lag["bytes"] > 100 and lag["seconds"] > 0
        metrics = requests.get(cluster.n1.url + "/metrics", timeout=5).text
        assert (
            f'baton_member_lag_entries{{node="n2"}} {lag["entries"]}' in metrics
            and 'baton_member_last_contact_seconds{node="n2"}' in metrics
        )
        told = asking(urls, "ha", "status")
        assert told.status == 1 and "n2 was last heard" in told.out and "No node can take over by itself" in told.out
        cluster.n2.process.send_signal(signal.SIGCONT)
        until(lambda: asking(urls, "ha", "status").status == 0, "n2 is in sync again")
        cluster.n2.kill()
        until(lambda: nodes(asking(urls, "-o", "json", "ha", "status"))["n2"]["state"] == "Unreachable", "n2 is called unreachable")


def test_an_active_that_was_killed_is_not_up(tmp_path, asking):
    with Cluster(tmp_path, 2, "manual") as cluster:
        assert "No node takes over by itself (the store is manual)" in asking([cluster.n2.url], "ha", "status").out
        cluster.n1.kill()
        until(lambda: nodes(asking([cluster.n2.url], "-o", "json", "ha", "status"))["n1"]["state"] == "Unreachable", "n1 is gone")
        told = asking([cluster.n1.url, cluster.n2.url], "ha", "status")
        assert told.status == 3 and told.out.startswith("No node is active: n1 was in epoch 1, and n2 has heard nothing from it for ")
        assert "if n1 is gone for good, `batonctl ha active --force`" in told.out
        row = next(line.split() for line in told.out.splitlines() if line.startswith("n1 ") and "http" in line)
        assert row[:6] == ["n1", "was", "active", "Unreachable", "yes", "no"]


def test_who_paused_is_kept_with_the_record(tmp_path, asking):
    with Cluster(tmp_path, 2, "local") as cluster:
        urls = [node.url for node in cluster.nodes.values()]
        assert asking(urls, "ha", "pause").status == 0
        told = asking(urls, "ha", "status")
        assert told.status == 1 and "Paused since 20" in told.out and "@" in told.out and "with the nodes' secret" in told.out
        token = cluster.call(cluster.n1, "POST", "/tokens", json={"Scope": {"kind": "admin"}, "Description": "of the ops team"}).json()
        paused = json.loads(asking(urls, "-o", "json", "ha", "status").out)
        assert cluster.n1.call("POST", "/system/pause", token["Token"], json={}).json() == {"paused": True}
        again = json.loads(asking(urls, "-o", "json", "ha", "status").out)
        assert (again["paused_by"], again["paused_at"]) == (paused["paused_by"], paused["paused_at"]), "the first one's pause stands"
        assert asking(urls, "ha", "switch", "--to", "n2").status == 0
        moved = json.loads(asking(urls, "-o", "json", "ha", "status").out)
        assert (moved["active"], moved["paused_by"], moved["paused_at"]) == ("n2", paused["paused_by"], paused["paused_at"])
        assert asking(urls, "ha", "resume").out.startswith("Resumed. If n2 fails, n1 takes over by itself")
        resumed = json.loads(asking(urls, "-o", "json", "ha", "status").out)
        assert (resumed["paused"], resumed["paused_by"], resumed["paused_at"]) == (False, None, None)
        cluster.n2.call("POST", "/system/pause", token["Token"], json={"by": "bob"})
        by = json.loads(asking(urls, "-o", "json", "ha", "status").out)["paused_by"]
        assert by == f"bob, with token {token['Id']} (of the ops team)"


def test_nobody_who_answers_is_one_line_and_an_exit_status_of_its_own(asking, node):
    silent = asking([f"http://127.0.0.1:{free_port()}"], "--timeout", "0.2", "ha", "status")
    assert (silent.status, silent.out) == (4, "") and silent.err.count("\n") == 1 and "connection refused" in silent.err
    refused = asking([node[0]], "-T", "wrong", "ha", "status")
    assert (refused.status, refused.out) == (4, "") and "unknown, expired or revoked" in refused.err
    assert asking([node[0]], "ha", "status", "--watch", "often").status == 2


@contextmanager
def watching(programs, folder, environ, *arguments):
    """Run `ha status --watch` as a program; gives what reads its output so far, and what ends it as Ctrl-C would."""
    out = folder / "out"
    with open(out, "wb") as file:
        command = [sys.executable, str(programs / "batonctl.pyz"), *arguments, "ha", "status", "--watch", "0.1"]
        # Who runs the tests in the background has Ctrl-C ignored, and that would be inherited.
        heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        process = subprocess.Popen(command, env=environ, stdout=file, stderr=subprocess.PIPE, text=True, preexec_fn=heard)

    def interrupt():
        process.send_signal(signal.SIGINT)
        return process.wait(20), process.stderr.read()

    try:
        yield out.read_text, interrupt
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def of(node):
    return environ_of(node[0], token=node[1].read_text().strip())


def test_watch_looks_again_until_it_is_interrupted(programs, node, tmp_path):
    with watching(programs, tmp_path, of(node)) as (shown, interrupt):
        until(lambda: shown().count("n1 is active in epoch") >= 3, "three looks")
        assert interrupt() == (130, "")
        assert "\x1b" not in shown(), "a file is no screen"


def test_watch_writes_a_line_of_json_a_look(programs, node, tmp_path):
    with watching(programs, tmp_path, of(node), "-o", "json") as (shown, interrupt):
        until(lambda: shown().count("\n") >= 3, "three looks")
        assert interrupt() == (130, "")
        assert {json.loads(line)["active"] for line in shown().splitlines()} == {"n1"}


def test_watch_goes_on_while_nobody_answers(programs, tmp_path):
    nowhere = environ_of(f"http://127.0.0.1:{free_port()}")
    with watching(programs, tmp_path, nowhere, "-o", "json", "--timeout", "0.2") as (shown, interrupt):
        until(lambda: shown().count("\n") >= 2, "two looks")
        assert interrupt() == (130, "")
        assert all("connection refused" in json.loads(line)["error"] for line in shown().splitlines())
