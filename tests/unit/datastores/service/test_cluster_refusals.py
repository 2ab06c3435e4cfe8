# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can't be done with clusters, and why: it is said before anything is begun, and all stays as it was."""

import pytest

from support.clusters_api import ARBITER, members, pool, trouble
from support.datastores_api import message, served
from support.pool import Memory


@pytest.fixture
def api():
    with served(pool()) as found:
        yield found


@pytest.fixture
def slow():
    with served(pool(lively=False)) as found:
        yield found


def test_a_busy_cluster_takes_nothing_else_and_names_its_task(slow):
    slow.make_cluster()
    assert "busy with create" in message(slow.ask("DELETE", "/clusters/c"), 422, "unprocessableEntity")
    for action, value in (("grow", [{}] * 9), ("stop", None), ("start", None), ("restart", None), ("configuration_detach", None)):
        assert "busy with create" in message(slow.act_on_cluster(action, value), 422, "unprocessableEntity")
    slow.pool.settle()
    slow.act_on_cluster("stop")
    keys = [{"id": each["id"]} for each in slow.cluster()["instances"]]
    before = dict(slow.pool.documents)
    for action, value in (("grow", [{}]), ("restart", None), ("upgrade", {"datastore_version": "11.8"}), ("replace_node", keys[0])):
        refused = message(slow.act_on_cluster(action, value), 400 if action == "upgrade" else 422, None)
        assert "busy with stop" in refused or action == "upgrade"
    assert slow.pool.documents == before


def test_who_is_no_member_can_not_leave(api):
    api.make_cluster(size=4)
    alone = api.make(datastore={"type": "mariadb"})
    for stranger in (alone["id"], "nobody", "db"):
        assert "is none of its members" in message(api.act_on_cluster("shrink", [{"id": stranger}]), 404, "itemNotFound")
        assert "is none of its members" in message(api.act_on_cluster("replace_node", {"id": stranger}), 404, "itemNotFound")
    first = members(api)["c-1"]["id"]
    assert "is named twice" in message(api.act_on_cluster("shrink", [{"id": first}, {"id": "c-1"}]), 400, "badRequest")
    assert api.cluster()["size"] == 4


@pytest.mark.parametrize(
    ("arbiters", "leaving", "why"),
    [
        (0, ["c-1"], "a cluster has 3 members at least, not 2"),
        (2, ["c-1", "c-2"], "a cluster has 2 members with data at least, not 1"),
        (2, ["c-1"], "a cluster has fewer arbiters than members with data, not 2 beside 2"),
    ],
)
def test_no_more_leave_than_a_cluster_can_do_without(api, arbiters, leaving, why):
    api.make_cluster(instances=[{"flavorRef": "1"}] * 3 + [{"flavorRef": "1", **ARBITER}] * arbiters)
    gone = [{"id": members(api)[name]["id"]} for name in leaving]
    assert why in message(api.act_on_cluster("shrink", gone), 400, "badRequest") and api.cluster()["size"] == 3 + arbiters


def test_a_majority_of_those_that_stay_serves(api):
    api.make_cluster(size=5)
    trouble(api, "c-1", "c-2")
    refused = message(api.act_on_cluster("shrink", [{"id": "c-3"}]), 422, "unprocessableEntity")
    assert "2 of 4 members serve" in refused and "c-1" in refused and "killed by signal 9" in refused
    assert message(api.act_on_cluster("shrink", [{"id": "c-3"}, {"id": "c-4"}]), 422, "unprocessableEntity")


def test_nobody_is_taken_out_while_another_one_is_not_well(api):
    api.make_cluster(size=5)
    trouble(api, "c-1")
    for action, value in (("restart", None), ("replace_node", {"id": "c-2"}), ("shrink", [{"id": "c-2"}])):
        assert "is not well: killed by signal 9" in message(api.act_on_cluster(action, value), 422, "unprocessableEntity")
    assert api.act_on_cluster("shrink", [{"id": "c-1"}]).status_code == 202


def test_without_a_majority_nothing_is_begun(api):
    api.make_cluster()
    trouble(api, "c-1", "c-2")
    for action, value in (("grow", [{}]), ("restart", None), ("replace_node", {"id": "c-1"}), ("shrink", [{"id": "c-1"}])):
        refused = message(api.act_on_cluster(action, value), 422, "unprocessableEntity")
        assert "1 of 3 members serve" in refused and "mend that first" in refused


def test_a_new_member_has_room_for_the_data_of_the_others(api):
    api.make_cluster(volume={"size": 5})
    assert "5 at least" in message(api.act_on_cluster("grow", [{"volume": {"size": 4}}]), 400, "badRequest")
    api.act_on_cluster("grow", [{"volume": {"size": 7}}, {}])
    assert [members(api)[name]["volume"]["size"] for name in ("c-4", "c-5")] == [7, 5]


def test_two_members_have_not_the_same_name(api):
    api.make_cluster(instances=[{"flavorRef": "1"}, {"flavorRef": "1", "name": "c-1"}, {"flavorRef": "1"}])
    assert sorted(members(api)) == ["c-1", "c-2", "c-3"]
    assert "has a member 'c-1' already" in message(api.act_on_cluster("grow", [{"name": "c-1"}]), 400, "badRequest")


@pytest.mark.parametrize(
    ("method", "path", "body", "why"),
    [
        ("PUT", "/instances/c-1", {"instance": {"name": "x"}}, "it keeps its name"),
        ("PUT", "/instances/c-1", {"instance": {"configuration": None}}, "configuration_detach of the cluster"),
        ("PUT", "/instances/c-1", {"instance": {"replica_of": None}}, "is a member of cluster c"),
        ("DELETE", "/instances/c-1", None, "DELETE /clusters/"),
        ("POST", "/instances/c-1/action", {"promote_to_replica_source": {}}, "all members take writes"),
        ("POST", "/instances/c-1/action", {"eject_replica_source": {}}, "replace_node"),
        ("POST", "/instances/c-1/action", {"detach": {}}, "follows nobody"),
        ("POST", "/instances/c-1/action", {"reset_status": {}}, "whose reset-status cancels it"),
        ("POST", "/instances", {"instance": {"name": "r", "replica_of": "c-1"}}, "members have no replicas"),
    ],
)
def test_what_is_not_for_one_member_says_what_to_use_instead(api, method, path, body, why):
    api.make_cluster()
    before = dict(api.pool.documents)
    assert why in message(api.ask(method, path, body), 422, "unprocessableEntity") and api.pool.documents == before


def test_datastores_have_either_clusters_or_instances(api):
    refused = api.ask("POST", "/instances", {"instance": {"name": "x", "flavorRef": "1", "datastore": {"type": "galera"}}})
    assert "POST /clusters makes one" in message(refused, 400, "badRequest")
    refused = api.ask("POST", "/clusters", {"cluster": {"name": "x", "flavorRef": "1", "size": 3, "datastore": {"type": "mariadb"}}})
    assert "clusters of mariadb are not offered; there are galera" in message(refused, 400, "badRequest")
    message(api.ask("GET", "/clusters/nobody"), 404, "itemNotFound")
    assert "clusters of shards" in message(api.act_on_cluster("add_shard"), 501, "notImplemented")


def test_a_pool_that_has_no_galera_says_what_it_has():
    with served(Memory()) as api:
        refused = message(api.ask("POST", "/clusters", {"cluster": {"name": "x", "flavorRef": "1", "size": 3}}), 404, "itemNotFound")
        assert "there is no datastore 'galera'; there are mariadb" in refused


def test_where_no_host_is_left_it_is_said_why_and_nothing_is_made():
    with served(pool(3)) as api:
        api.pool.meta["h2"]["maintenance"] = True
        body = {"cluster": {"name": "c", "flavorRef": "1", "size": 3}}
        refused = message(api.ask("POST", "/clusters", body), 422, "unprocessableEntity")
        assert refused == "3 hosts are needed, and 2 can be had: h2 is in maintenance" and api.get("/clusters") == {"clusters": []}
        api.pool.meta["h2"]["maintenance"] = False
        api.make_cluster()
        refused = message(api.act_on_cluster("grow", [{}]), 422, "unprocessableEntity")
        assert "h1 has one of the set" in refused and api.cluster()["size"] == 3
