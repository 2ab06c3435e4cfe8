# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real nodes: whoever was away for longer than the log reaches back comes again with a snapshot, and has everything."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from baton.core.replication.followers import WINDOW
from support.cluster import Cluster, until

LIMITS = ["--checkpoint-entries", "64", "--keep-entries", "128"]
AWAY = 400  # writes that push everything from before out of the log


@pytest.fixture
def pair(tmp_path):
    with Cluster(tmp_path, 2, options=LIMITS) as cluster:
        cluster.call(cluster.n1, "POST", "/profiles", json={"Name": "p"})
        yield cluster


def write(cluster, node, first=0, count=AWAY, threads=8):
    """Set params w/FIRST … with several connections."""

    def some(thread):
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {cluster.token}"
            for number in range(first + thread, first + count, threads):
                url = f"{node.url}/api/v3/profiles/p/params/w/{number}"
                assert session.put(url, json=number, timeout=30).status_code == 200

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(some, range(threads)))


def everything(cluster, node):
    """Return what a node has of profiles and files, without asking another."""
    kinds = {kind: cluster.call(node, "GET", f"/{kind}?stale=ok") for kind in ("profiles", "files")}
    return {kind: answer.json() for kind, answer in kinds.items() if answer.status_code == 200}


def same(cluster):
    until(lambda: everything(cluster, cluster.n2) == everything(cluster, cluster.n1), "n2 has what n1 has")


def incarnation(node):
    return (node.data / "CURRENT").read_text()


def test_who_was_away_for_too_long_copies_a_snapshot(pair):
    key = {"Idempotency-Key": "once"}
    assert pair.call(pair.n1, "POST", "/profiles", json={"Name": "deleted-meanwhile"}).status_code == 201
    assert pair.call(pair.n1, "PUT", "/files/f", data=b"before").status_code == 201
    until(lambda: everything(pair, pair.n2) == everything(pair, pair.n1), "n2 has all")
    pair.n2.stop()
    old = incarnation(pair.n2)
    assert pair.call(pair.n1, "DELETE", "/profiles/deleted-meanwhile").status_code == 204
    assert pair.call(pair.n1, "PUT", "/files/f", data=b"meanwhile").status_code == 200
    write(pair, pair.n1)
    assert pair.call(pair.n1, "PUT", "/profiles/p/params/once", json=1, headers=key).status_code == 200
    pair.n2.start().until("/in-sync")
    assert pair.n2.said("copying a snapshot from n1") and incarnation(pair.n2) != old
    same(pair)
    # n2 is as good as n1 now: it may lead, has the file, and remembers what was asked for once
    assert pair.n1.call("POST", "/system/switch", json={"to": "n2"}).status_code == 200
    pair.n2.until("/active")
    assert pair.call(pair.n2, "GET", "/files/f").content == b"meanwhile"
    again = pair.call(pair.n2, "PUT", "/profiles/p/params/once", json=1, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    pair.n1.until("/in-sync")
    write(pair, pair.n2, AWAY, 10)
    same(pair)


def test_who_was_frozen_for_too_long_copies_a_snapshot(pair):
    """The same process, the same connections: more was written than is sent ahead, and the log begins after its session."""
    old = incarnation(pair.n2)
    pair.n2.process.send_signal(signal.SIGSTOP)
    until(lambda: pair.n1.status()["in_sync"] == ["n1"], "n2 leaves")
    write(pair, pair.n1, count=WINDOW + AWAY)
    pair.n2.process.send_signal(signal.SIGCONT)
    until(lambda: sorted(pair.n1.status()["in_sync"]) == ["n1", "n2"], "n2 is back")
    assert incarnation(pair.n2) != old
    same(pair)


def test_an_active_that_starts_with_a_short_log_has_everything(pair):
    write(pair, pair.n1)
    pair.n2.kill()
    before = everything(pair, pair.n1)
    write(pair, pair.n1, AWAY)
    pair.n1.kill()
    pair.n1.start()
    pair.n2.start()
    pair.n1.until("/active")
    pair.n2.until("/in-sync")
    assert len(before["profiles"]) == 1
    assert len(everything(pair, pair.n1)["profiles"][0]["Params"]) == 2 * AWAY
    same(pair)


def test_a_snapshot_while_everybody_writes(pair):
    """The log moves on while the snapshot is copied, by more than it keeps."""
    pair.n2.stop()
    for number in range(30):
        body = {"Name": f"large-{number}", "Params": {"x": "x" * 1_000_000}}
        assert pair.call(pair.n1, "POST", "/profiles", json=body).ok
    write(pair, pair.n1)
    stop = threading.Event()
    rounds = []

    def writing():
        while not stop.is_set():
            write(pair, pair.n1, 0, 200)
            rounds.append(1)

    writer = threading.Thread(target=writing)
    writer.start()
    try:
        pair.n2.start().until("/in-sync")
    finally:
        stop.set()
        writer.join()
    assert rounds and pair.n2.said("copying a snapshot from n1")
    same(pair)


def test_killed_while_it_copies_a_snapshot(pair):
    """It starts with its old data, asks again, and leaves no litter; see test_data_directory.py for each step."""
    pair.n2.stop()
    old = {path.name for path in pair.n2.data.iterdir()}
    for number in range(30):
        assert pair.call(pair.n1, "POST", "/profiles", json={"Name": f"large-{number}", "Params": {"x": "x" * 1_000_000}}).ok
    write(pair, pair.n1)
    pair.n2.start()
    until(lambda: {path.name for path in pair.n2.data.iterdir()} - old - {"CURRENT.new"}, "the snapshot has its directory")
    pair.n2.kill()
    pair.n2.start().until("/in-sync")
    same(pair)
    directories = [path.name for path in pair.n2.data.iterdir() if (path / "baton.db").exists()]
    assert directories == [incarnation(pair.n2).strip()]


def test_a_snapshot_that_can_not_take_its_place_stops_the_node(pair):
    """Its data was closed by then: to go on would be to acknowledge what is not written."""
    pair.n2.stop()
    old = incarnation(pair.n2)
    write(pair, pair.n1)
    (pair.n2.data / "CURRENT.new").mkdir()
    pair.n2.start()
    until(lambda: pair.n2.process.poll() is not None, "n2 stops")
    assert pair.n2.process.returncode == 1 and pair.n2.said("can't put the snapshot in place") and incarnation(pair.n2) == old
    (pair.n2.data / "CURRENT.new").rmdir()
    pair.n2.start().until("/in-sync")
    same(pair)
