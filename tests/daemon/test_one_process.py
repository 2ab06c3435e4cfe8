# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real nodes: a second batond on a directory in use is refused before it has touched anything."""

import os
import sqlite3
import subprocess
import sys
import threading

import pytest

from baton.daemon import main as daemon
from support.cluster import HA_TOKEN, Cluster, until
from support.programs import program


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("one"), 1, "local") as cluster:
        yield cluster


def second(node, *options):
    """Start a batond as ``node`` was started, with further options; return how it ended."""
    return run([*node.command, *options])


def run(command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **more)


@pytest.mark.parametrize("options", [(), ("--listen", "127.0.0.1:1")], ids=["same", "another"])
def test_the_second_is_refused_and_an_upload_to_the_first_goes_on(cluster, options):
    node, more, results = cluster.n1, threading.Event(), []

    def body():
        yield b"x" * (1 << 20)
        more.wait(60)
        yield b"y" * 10

    def put():
        results.append(cluster.call(node, "PUT", "/files/slow", data=body()))

    upload = threading.Thread(target=put)
    upload.start()
    try:
        until(lambda: os.listdir(node.data / "files" / "incoming"), "the upload is on its way")
        done = second(node, *options)
        lines = [line for line in done.stderr.splitlines() if "waiting for" not in line]
        who = f"batond: {node.data} is in use by another batond (pid {node.process.pid}): stop that"
        assert done.returncode == 2 and len(lines) == 1 and lines[0].startswith(who), done.stderr
    finally:
        more.set()
        upload.join()
    assert results[0].ok, results[0].text
    assert cluster.call(node, "GET", "/files/slow").content == b"x" * (1 << 20) + b"y" * 10


def test_not_even_a_secret_is_made_beside_one_that_runs(cluster):
    """Without --ha-token-file it would be made in the data directory, or beside the record."""
    node = cluster.n1
    at = node.command.index("--ha-token-file")
    command = [*node.command[:at], *node.command[at + 2 :], "--dcs", f"local:{node.data}/own/db"]
    before = sorted(os.listdir(node.data))
    done = run(command)
    assert done.returncode == 2 and "is in use" in done.stderr
    assert sorted(os.listdir(node.data)) == before


def test_stop_post_of_the_second_does_not_end_the_reign_of_the_first(cluster):
    """systemd runs it after each end, also that of a start which was refused."""
    node = cluster.n1
    until((node.data / "reign.json").exists, "there is a reign")
    command = [sys.executable, str(program("batond")), "stop-post"]
    environ = {**os.environ, "BATON_DATA_DIR": str(node.data)}
    done = run(command, env=environ)
    assert done.returncode == 0 and "in use by a batond that runs" in done.stderr, done.stderr
    assert (node.data / "reign.json").exists()


def test_a_start_right_after_a_kill(cluster):
    node = cluster.n1
    for _time in range(3):
        dying = node.process
        dying.kill()
        node.start()  # while the kernel still buries the other
        dying.wait()
        node.until("/active")
    assert node.call("GET", "/profiles", HA_TOKEN).status_code in (200, 403)


def test_a_disk_that_fails_at_the_start_is_told_in_one_line(monkeypatch, capsys):
    """SQLite needs room for a start: a full disk fails it before anything else of Baton has met the disk."""

    async def serve(_argv):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(daemon, "_serve", serve)
    assert daemon.main([]) == 1
    assert capsys.readouterr().err == "batond: the data directory can't be read (disk I/O error): is its disk full, or broken?\n"
