# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token that all nodes' managers share ends when all nodes are in the run that removes it. Against a real node."""

import pytest
from rooms import AWAY, play, role

from support.cluster import Cluster
from support.plays import environ_of

HERE = {"n1": {}, "n2": {}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("manager"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def leave(cluster, tmp_path):
    """Run what ends the token; return whether it is good still, and what was said."""

    def leave(hosts, nodes, check=0):
        made = cluster.call(cluster.n1, "POST", "/tokens", json={"Scope": {"kind": "admin"}}).json()
        path = tmp_path / "datastores.token"
        path.write_text(made["Token"])
        tasks = [{"name": "Here", "ansible.builtin.ping": {}}, role("datastores", "revoke", baton_datastores_token_here=str(path))]
        said = play(tmp_path, hosts, tasks, {"baton": nodes}, check=check, environ=environ_of(cluster, tmp_path))
        is_good = cluster.n1.call("GET", "/tokens/self", made["Token"]).status_code == 200
        assert is_good == path.exists()
        return is_good, said

    return leave


def test_the_token_ends_with_the_last_manager(leave):
    assert leave(HERE, ["n1", "n2"])[0] is False


def test_the_token_stays_for_a_node_that_is_away(leave):
    is_good, said = leave({**HERE, "n3": AWAY}, ["n1", "n2", "n3"], check=4)
    assert is_good and "n3 may still run baton-datastores, so its token stays good: run this again for all nodes" in said
