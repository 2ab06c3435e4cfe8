# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No instance comes to a host that leaves the pool meanwhile: the manager's writes, and a host's removal, against a real node."""

import pytest

from baton.client import pool
from baton.client.api import Client, connection_from
from baton.client.error import ClientError
from baton.datastores.engine.case import Times
from baton.datastores.model.replica_set import Member, ReplicaSet
from baton.datastores.plans.mariadb import PLAN
from baton.datastores.service.store import Reign, Store
from baton.ground.problem import Problem
from support.cluster import Cluster


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("placed"), 1, "local") as cluster:
        with Client(connection_from({"url": [cluster.n1.url], "token": cluster.token}, {})) as client:
            yield client


@pytest.fixture
def store(client):
    for kind, identity in (("sets", "Id"), ("pool", "Name")):
        for each in client.list(kind):
            client.delete(kind, each[identity])
    for name in ("h1", "h2"):
        client.create("pool", {"Name": name, "Meta": {"address": "192.0.2.1"}})
    return Store(lambda: client, lambda: Reign({}, 1), {"mariadb": PLAN}, Times(2.0))


def place(store, host="h1"):
    member = Member("i1", host, own={"name": "db"})
    return store.create(ReplicaSet("s", members={"i1": member}), "create", "it was asked for", members=["i1"], candidate="i1")


def replicate(store, host="h2"):
    def change(case):
        case.whole.members["i2"] = Member("i2", host, own={"name": "db-1"})

    store.change("s", change)


def test_who_removes_a_host_sees_what_came_to_it_after_the_look(client, store):
    for name, comes in (("h1", place), ("h2", replicate)):
        seen = client.get("pool", name).revision
        comes(store)
        with pytest.raises(ClientError) as refused:
            client.delete("pool", name, seen)
        assert refused.value.status == 412
        with pytest.raises(ClientError, match=rf"{name} carries .*delete these instances first"):
            pool.remove(client, name)


def test_nothing_comes_to_a_host_that_has_left(client, store):
    pool.remove(client, "h1")
    with pytest.raises(Problem, match="has just left the pool") as refused:
        place(store)
    assert refused.value.status == 503 and client.list("sets") == []
    place(store, "h2")
    before = client.get("sets", "s").body
    with pytest.raises(Problem) as refused:
        replicate(store, "h1")
    assert refused.value.status == 503 and client.get("sets", "s").body == before
