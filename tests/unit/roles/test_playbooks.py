# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks where the first hosts of the group are away: through whoever answers, real daemons on loopback."""

import json
import os
import sys

import pytest
from rooms import AWAY, run

from support.cluster import ROOT, Cluster, until
from support.programs import program

PLAYBOOKS = ROOT / "playbooks"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("playbooks"), 3, "local") as cluster:
        yield cluster


@pytest.fixture
def play(cluster, tmp_path):
    """Run a playbook on a host that is away, and on one for each node; each speaks with its own node alone, as the role's do."""
    (tmp_path / "batonctl").write_text(f'#!/bin/sh\nexec {sys.executable} {program("batonctl")} "$@"\n')
    (tmp_path / "batonctl").chmod(0o755)
    hosts = {"gone": {**AWAY, "url": "http://127.0.0.1:1"}, **{name: {"url": node.url} for name, node in cluster.nodes.items()}}
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"baton": {"hosts": hosts}}))
    own = {
        "BATON_URL": "{{ hostvars[baton_speaker | default(inventory_hostname)].url }}",
        "BATON_TOKEN_FILE": str(cluster.folder / "ha.token"),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }

    def play(name, check=0, **values):
        return run(tmp_path, inventory, PLAYBOOKS / name, check, baton_local_environment=own, ansible_become=False, **values)

    return play


def test_a_switch_goes_through_whoever_answers_and_says_who_does_not(cluster, play):
    cluster.n1.kill()
    until(lambda: len(cluster.n3.status()["in_sync"]) == 2 and cluster.n3.status()["active"] in ("n2", "n3"), "one took over")
    before = cluster.n3.status()["active"]
    other = "n3" if before == "n2" else "n2"
    said = play("switch.yml", baton_to=other)
    assert f"active was {before} " in said and f", is {other} " in said
    assert "in sync: n2, n3; these hosts did not answer: gone, n1" in said
    assert cluster.nodes[other].status()["active"] == other
    assert "n1 is not in sync, so nothing was changed; in sync are: n2, n3" in play("switch.yml", 2, baton_to="n1")


def test_without_any_answer_nothing_is_done_and_all_are_named(cluster, play):
    for node in cluster.nodes.values():
        node.stop()
    try:
        assert "no node answers, so nothing was changed: gone, n1, n2, n3; is batond running there?" in play("switch.yml", 2)
    finally:
        for node in cluster.nodes.values():
            node.start()


def test_a_secret_that_not_every_node_would_learn_is_not_renewed(play, tmp_path):
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/ha.token").write_text("now\n")
    assert "nothing was changed, because these hosts do not answer: gone" in play("renew_tokens.yml", 2)
    assert sorted(path.name for path in (tmp_path / "pki").iterdir()) == ["ha.token"]
