# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Datastores, versions, flavors, parameters, capabilities: what the pool has to offer."""

import uuid

import pytest

from support.datastores_api import message, served
from support.pool import Memory


def test_datastores_and_versions_are_found_by_name_and_id(api):
    (datastore,) = api.get("/datastores")["datastores"]
    assert datastore["name"] == "mariadb" and [each["name"] for each in datastore["versions"]] == ["10.11", "11.8"]
    newest = datastore["versions"][1]
    assert datastore["default_version"] == newest["id"] and uuid.UUID(newest["id"])
    assert api.get("/datastores/mariadb") == api.get(f"/datastores/{datastore['id']}") == {"datastore": datastore}
    assert api.get("/datastores/mariadb/versions") == {"versions": datastore["versions"]}
    assert api.get("/datastores/mariadb/versions/11.8") == api.get(f"/datastores/{datastore['id']}/versions/{newest['id']}")


def test_the_newest_version_is_by_number_and_of_any_host():
    pool = Memory(hosts=2)
    pool.meta["h1"]["datastores"], pool.meta["h2"]["datastores"] = {"mariadb": ["11.8", "9.1"]}, {"mariadb": ["10.11"], "mongodb": ["8.1"]}
    with served(pool) as api:
        names = {each["name"]: [version["name"] for version in each["versions"]] for each in api.get("/datastores")["datastores"]}
        assert names == {"mariadb": ["9.1", "10.11", "11.8"], "mongodb": ["8.1"]}
        response = api.ask("POST", "/instances", {"instance": {"name": "x", "flavorRef": "1", "datastore": {"type": "mongodb"}}})
        assert "not offered yet" in message(response, 501, "notImplemented")


def test_flavors_are_found_by_id_and_name(api):
    flavors = api.get("/flavors")["flavors"]
    assert [(each["id"], each["str_id"], each["name"]) for each in flavors] == [(1, "1", "small"), (2, "2", "large")]
    assert flavors[0]["ram"] == 512
    assert api.get("/flavors/2") == api.get("/flavors/large") == {"flavor": flavors[1]}
    assert api.get("/datastores/mariadb/versions/11.8/flavors") == {"flavors": flavors}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/datastores/oracle", "there is no datastore 'oracle'; there are mariadb"),
        ("/datastores/mariadb/versions/5.5", "mariadb has no version '5.5'; it has 10.11, 11.8"),
        ("/datastores/versions/5.5/parameters", "there is no version '5.5'"),
        ("/flavors/9", "there is no flavor '9'; there are 1, 2"),
        ("/datastores/mariadb/versions/11.8/parameters/colour", "mariadb has no parameter 'colour'"),
        ("/datastores/mariadb/versions/11.8/parameters/ssl_key", "mariadb has no parameter 'ssl_key'"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(api, path, why):
    assert why in message(api.ask("GET", path), 404, "itemNotFound")


@pytest.mark.parametrize(
    ("members", "status", "name"),
    [
        ({"datastore": {"type": "oracle"}}, 404, "itemNotFound"), ({"datastore": {"version": "5.5"}}, 404, "itemNotFound"),
        ({"flavorRef": "9"}, 404, "itemNotFound"), ({"region": "mars"}, 400, "badRequest"), ({"configuration": "c"}, 404, "itemNotFound"),
        ({"replica_of": "nobody"}, 404, "itemNotFound"),
    ],
)  # fmt: skip
def test_an_instance_of_what_is_not_there_is_not_made(api, members, status, name):
    message(api.ask("POST", "/instances", {"instance": {"name": "db", "flavorRef": "1", **members}}), status, name)
    assert api.pool.documents == {}


def test_a_replica_is_of_its_source_s_datastore_and_at_least_as_large(api):
    api.make(volume={"size": 5}, datastore={"type": "mariadb", "version": "10.11"})
    for members, why in (
        ({"datastore": {"version": "11.8"}}, "version of a replica is its source's, 10.11"),
        ({"volume": {"size": 4}}, "volume.size of a replica is 5 at least"),
    ):
        response = api.ask("POST", "/instances", {"instance": {"name": "r", "replica_of": "db", **members}})
        assert why in message(response, 400, "badRequest")
    body = {"instance": {"name": "r", "replica_of": "db", "flavorRef": "2", "volume": {"size": "6"}, "datastore": {"version": "10.11"}}}
    made = api.ask("POST", "/instances", body).json()["instance"]
    assert made["flavor"]["id"] == "2" and made["volume"]["size"] == 6 and made["datastore"]["version"] == "10.11"


def test_a_source_has_at_most_14_replicas():
    with served(Memory(hosts=18)) as api:
        api.make()
        api.replicate("db", many=14)
        response = api.ask("POST", "/instances", {"instance": {"name": "r", "replica_of": "db"}})
        assert "at most 14 replicas" in message(response, 413, "overLimit")


def test_parameters_say_what_they_take_and_who_sets_them(api):
    version = api.get("/datastores/mariadb/versions/11.8")["version"]
    listed = {each["name"]: each for each in api.get("/datastores/mariadb/versions/11.8/parameters")["configuration-parameters"]}
    assert listed["max_connections"] == {
        "name": "max_connections", "type": "integer", "min": 10, "max": 100_000, "restart_required": False, "read_only": False,
        "datastore_version_id": version["id"],
    }  # fmt: skip
    assert listed["server_id"]["read_only"] and listed["thread_stack"]["restart_required"] and "ssl_key" not in listed
    assert api.get(f"/datastores/versions/{version['id']}/parameters/max_connections") == listed["max_connections"]


def test_capabilities_say_what_clusters_lack(api):
    listed = {each["name"]: each for each in api.get("/datastores/mariadb/versions/11.8/capabilities")["capabilities"]}
    assert listed["replication"]["enabled"] is True and listed["replication"]["enabled_cluster"] is False
    assert api.get("/capabilities") == api.get("/datastores/mariadb/capabilities")


OF_THE_DRAFT = (
    "backup-create", "backup-list-instance", "configuration-attach", "configuration-detach", "configuration-instances", "resize-",
    "database-", "root-", "secgroup-", "user-",
)  # fmt: skip


def test_what_the_draft_of_clusters_names_clusters_have_not():
    with served(Memory(3, datastores={"galera": ["11.8"], "mariadb": ["11.8"]})) as api:
        for datastore in ("galera", "mariadb"):
            listed = {each["name"]: each for each in api.get(f"/datastores/{datastore}/capabilities")["capabilities"]}
            for word in OF_THE_DRAFT:
                named = [each for name, each in listed.items() if name.startswith(word)]
                assert named and not any(each["enabled_cluster"] for each in named)
        listed = api.get("/datastores/galera/versions/11.8/capabilities")["capabilities"]
        assert {each["name"] for each in listed if each["enabled_cluster"]} == {
            "volume_support", "clusters", "cluster_configurations", "databases", "users",
        }  # fmt: skip
        assert not any(each["enabled"] for each in listed)


def test_a_pool_without_hosts_says_so():
    with served(Memory(hosts=0)) as api:
        assert api.get("/datastores") == {"datastores": []} and api.get("/flavors") == {"flavors": []}
        text = message(api.ask("POST", "/instances", {"instance": {"name": "x", "flavorRef": "1"}}), 404, "itemNotFound")
        assert "no host of the pool offers one" in text
