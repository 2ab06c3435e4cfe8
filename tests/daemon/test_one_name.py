# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real nodes: two of one name, of which one is refused and both are named; and a name that was removed and stays so."""

import shutil

import pytest
import requests

from support.cluster import Cluster, free_port, until


@pytest.fixture
def pair(tmp_path):
    with Cluster(tmp_path, 2, "local") as cluster:
        yield cluster


def twin_of(cluster, node, copied):
    """A second process with the name of ``node``, on another port; with a copy of its data, or none."""
    name, port = node.name, free_port()
    twin = cluster.add(f"{name}-twin", port)
    twin.command[twin.command.index("--node-id") + 1] = name
    if copied:
        shutil.copytree(node.data, twin.data, ignore=shutil.ignore_patterns("run"))
    return twin


def epochs_and_members(node):
    status = node.status()
    return status["epoch"]["number"], status["in_sync"], node.log.read_text().count("leaving the in-sync set")


@pytest.mark.parametrize("copied", [True, False], ids=["clone of its disk", "copy of its configuration"])
def test_a_second_passive_of_one_name_is_refused_and_both_are_named(pair, copied):
    before = epochs_and_members(pair.n1)
    twin = twin_of(pair, pair.n2, copied).start()
    both = until(lambda: pair.n1.status()["error"], "the active says so")
    assert pair.n2.url in both and twin.url in both and "n2" in both
    assert pair.n1.said(both), "so does its journal"
    until(lambda: twin.status()["error"], "the one that is refused says so, too")
    until(lambda: pair.n2.status()["error"], "and the one that stays")
    metrics = requests.get(pair.n1.url + "/metrics", timeout=10).text
    assert "baton_trouble 1" in metrics
    (line,) = [line for line in metrics.splitlines() if line.startswith("baton_duplicate_node{")]
    assert 'node="n2"' in line and pair.n2.url in line and twin.url in line and line.endswith(" 1")
    assert pair.call(pair.n1, "POST", "/profiles", json={"Name": "p"}).ok
    assert epochs_and_members(pair.n1) == before
    twin.stop()
    until(lambda: pair.n1.status()["error"] is None, "it is over")


@pytest.mark.parametrize("copied", [True, False], ids=["clone of its disk", "copy of its configuration"])
def test_a_second_active_of_one_name_never_serves(pair, copied):
    epoch = pair.n1.status()["epoch"]
    twin = twin_of(pair, pair.n1, copied).start()
    until(lambda: twin.status()["error"], "it says why")
    both = until(lambda: pair.n1.status()["error"], "the active says so")
    assert twin.url in both
    assert pair.n1.probe("/active") and not twin.probe("/active") and pair.n1.status()["epoch"] == epoch


def test_a_restart_is_no_twin(pair):
    for _restart in range(3):
        pair.n2.kill()
        pair.n2.start().until("/in-sync")
    assert "call themselves" not in pair.n1.log.read_text()


def test_what_is_removed_stays_removed(pair):
    pair.n2.stop()
    until(lambda: pair.n1.status()["in_sync"] == ["n1"], "n2 has left the in-sync set")
    until(lambda: pair.call(pair.n1, "DELETE", "/system/nodes/n2").status_code == 204, "n2 is removed")
    pair.n2.start()
    until(lambda: "readmit n2" in (pair.n2.status()["error"] or ""), "n2 says why it does not join")
    status = pair.n1.status()
    assert status["in_sync"] == ["n1"] and status["removed"] == ["n2"] and [node["id"] for node in status["nodes"]] == ["n1"]
    assert pair.call(pair.n1, "PUT", "/system/nodes/n3").status_code == 404
    assert pair.call(pair.n1, "PUT", "/system/nodes/n2").status_code == 204
    pair.n2.until("/in-sync")
