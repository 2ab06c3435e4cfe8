# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters as the draft of Trove's wiki has them, call by call: size and nodes, regions, arbiters, replace, remove."""

import pytest

from support.datastores_api import message, served
from support.pool import Memory

REGIONS = ("eu", "us", "asia")


def pool(hosts=12, regions=REGIONS, **more):
    return Memory(hosts, datastores={"galera": ["10.11", "11.8"]}, regions=regions, **more)


@pytest.fixture
def api():
    with served(pool()) as found:
        yield found


def create(api, **members):
    body = {
        "name": "products", "datastore": {"type": "galera", "version": "10.11"}, "flavorRef": "1", "volume": {"size": 1}, **members,
    }  # fmt: skip
    return api.ask("POST", "/clusters", {"cluster": {name: value for name, value in body.items() if value is not ...}})


def made(api, *regions, **members):
    nodes = [{"region": region} for region in regions]
    response = create(api, size=len(nodes), nodes=nodes, **members)
    assert response.status_code == 200, response.text
    return response.json()["cluster"]


def add(api, num=..., allocations=...):
    given = {name: value for name, value in (("num", num), ("allocations", allocations)) if value is not ...}
    return api.ask("POST", "/clusters/products/nodes", {"nodes": given})


def regions_of(api):
    return [node["region"] for node in api.cluster("products")["nodes"]]


# --- the wiki's calls, in its order -----------------------------------------------------------------------------------------


def test_create_cluster():
    with served(pool(lively=False)) as api:
        values = {"configuration": {"name": "c", "values": {"wait_timeout": 60}, "datastore": {"type": "galera", "version": "10.11"}}}
        kept = api.ask("POST", "/configurations", values).json()["configuration"]
        cluster = made(api, "us", "eu", "asia", configuration=kept["id"])
        assert cluster["status"] == "BUILD" and cluster["name"] == "products" and cluster["size"] == 3
        assert {"id", "created", "updated", "links"} <= {*cluster} and cluster["datastore"]["type"] == "galera"
        assert (cluster["configuration"]["id"], cluster["flavor"]["id"], cluster["volume"]) == (kept["id"], "1", {"size": 1})
        assert [node["region"] for node in cluster["nodes"]] == ["us", "eu", "asia"] and all(node["id"] for node in cluster["nodes"])
        assert all("type" not in node for node in cluster["nodes"])


def test_create_cluster_without_nodes_puts_all_into_one_region(api):
    response = create(api, size=3)
    assert response.status_code == 200, response.text
    assert len(set(regions_of(api))) == 1


def test_show_cluster_has_members_in_full(api):
    made(api, "us", "eu", "asia")
    (listed,) = api.get("/clusters")["clusters"]
    shown = api.cluster("products")
    assert listed == shown and shown["status"] == "ACTIVE" and shown["size"] == 3
    assert [each["id"] for each in shown["instances"]] == [node["id"] for node in shown["nodes"]]
    assert all(each["hostname"] and each["ip"] and each["status"] == "ACTIVE" for each in shown["instances"])


def test_show_node(api):
    cluster = made(api, "us", "eu", "asia")
    node = api.get(f"/clusters/{cluster['id']}/nodes/{cluster['nodes'][0]['id']}")["node"]
    assert node["name"] == "products-1" and node["status"] == "ACTIVE" and len(node["ip"]) == 1 and node["volume"] == {"size": 1}
    assert node["flavor"]["id"] == "1" and {"created", "updated", "links"} <= {*node}
    assert node in api.get("/clusters/products/nodes")["nodes"] and len(api.get("/clusters/products/nodes?limit=2")["nodes"]) == 2
    assert "is none of its members" in message(api.ask("GET", "/clusters/products/nodes/other"), 404, "itemNotFound")


def test_add_nodes(api):
    made(api, "us", "eu", "asia")
    response = add(api, 2, [{"region": "us"}, {"region": "us"}])
    assert (response.status_code, response.content) == (202, b"") and regions_of(api) == ["us", "eu", "asia", "us", "us"]
    assert add(api, allocations=[{"region": "eu"}]).status_code == 202 and api.cluster("products")["size"] == 6


def test_add_nodes_without_allocations_needs_all_in_one_region(api):
    made(api, "us", "us", "us")
    assert add(api, 1).status_code == 202 and regions_of(api) == ["us"] * 4
    add(api, 1, [{"region": "eu", "type": "arbiter"}])
    refused = message(add(api, 1), 400, "badRequest")
    assert "are in several regions, eu, us: say of each new one where it is to be" in refused
    refused = message(add(api, 2, [{"region": "eu"}, {}]), 400, "badRequest")
    assert "are in several regions" in refused and api.cluster("products")["size"] == 5


def test_replace_node(api):
    cluster = made(api, "us", "eu", "asia")
    old = cluster["nodes"][1]
    response = api.act_on_cluster("replace_node", {"id": old["id"]}, "products")
    assert (response.status_code, response.content) == (202, b"")
    shown = api.cluster("products")
    assert old["id"] not in [node["id"] for node in shown["nodes"]] and sorted(regions_of(api)) == ["asia", "eu", "us"]
    new = shown["instances"][-1]
    assert (new["name"], new["region"], new["type"], new["volume"]) == ("products-4", "eu", "data", {"size": 1})


def test_replace_node_whose_host_is_gone(api):
    cluster = made(api, "us", "eu", "asia")
    old = cluster["instances"][0]
    api.pool.dies(old["hostname"])
    assert api.act_on_cluster("replace_node", {"id": old["id"]}, "products").status_code == 202
    shown = api.cluster("products")
    assert shown["serving"] == shown["size"] == 3 and old["id"] not in [each["id"] for each in shown["instances"]]


def test_remove_node(api):
    cluster = made(api, "us", "us", "eu", "asia")
    response = api.ask("DELETE", f"/clusters/products/nodes/{cluster['nodes'][0]['id']}")
    assert (response.status_code, response.content) == (202, b"") and regions_of(api) == ["us", "eu", "asia"]
    refused = message(api.ask("DELETE", f"/clusters/products/nodes/{cluster['nodes'][1]['id']}"), 400, "badRequest")
    assert "a cluster has 3 members at least, not 2" in refused
    message(api.ask("DELETE", "/clusters/products/nodes/nobody"), 404, "itemNotFound")


def test_create_arbiters(api):
    made(api, "us", "us", "us", "asia", "asia")
    response = add(api, 2, [{"region": "eu", "type": "arbiter"}, {"region": "eu", "type": "arbiter"}])
    assert (response.status_code, response.content) == (202, b"")
    shown = api.cluster("products")
    assert shown["size"] == 7
    arbiters = [{name: node[name] for name in ("region", "type")} for node in shown["nodes"] if "type" in node]
    assert arbiters == [{"region": "eu", "type": "arbiter"}] * 2
    assert [each["type"] for each in shown["instances"]] == ["data"] * 5 + ["arbiter"] * 2
    assert "at most 2 arbiters" in message(add(api, 1, [{"region": "eu", "type": "arbiter"}]), 400, "badRequest")


# --- what the wiki leaves open ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"size": 3, "nodes": [{"region": "us"}] * 2}, "size is 3, and nodes has 2 items"),
        ({"size": 2}, "a cluster has 3 members at least, not 2"),
        ({"nodes": [{"region": "us"}] * 2 + [{"region": "mars"}]}, "there is no region 'mars'; there are asia, eu, us"),
        ({"size": 3, "flavorRef": ...}, "flavorRef is missing"),
        ({}, "nobody says of how many members"),
    ],
)
def test_what_does_not_fit_is_refused(api, members, why):
    assert why in message(create(api, **members), 400, "badRequest") and api.pool.documents == {}


@pytest.mark.parametrize(
    ("num", "allocations", "why"),
    [
        (2, [{"region": "us"}], "num is 2, and allocations has 1 items"),
        (1, [{"region": "mars"}], "there is no region 'mars'"),
        (..., ..., "nobody says how many nodes"),
        (0, ..., "num is a whole number from 1 to 16"),
        (14, ..., "a cluster has at most 16 members, not 17"),
        (1, [{"region": "us", "type": "voter"}], "is data or arbiter, not 'voter'"),
    ],
)
def test_nodes_that_can_not_be_are_refused(api, num, allocations, why):
    made(api, "us", "us", "us")
    assert why in message(add(api, num, allocations), 400, "badRequest") and api.cluster("products")["size"] == 3


def test_a_region_without_a_host_left_says_why(api):
    made(api, "us", "us", "us", "us")
    refused = message(add(api, 1), 422, "unprocessableEntity")
    assert refused.startswith("a host is needed in region us, and none can be had: h1 has one of the set")


def test_where_no_region_has_room_for_all_each_is_to_name_its_own():
    with served(pool(hosts=6)) as api:
        refused = message(create(api, size=3), 422, "unprocessableEntity")
        assert "no region has 3 hosts" in refused and "say of each member in which region it is to be" in refused
        made(api, "us", "us", "eu")


def test_a_key_is_of_its_cluster(api):
    made(api, "us", "eu", "asia")
    other = made(api, "us", "eu", "asia", name="others")
    stranger = other["nodes"][0]["id"]
    message(api.ask("GET", f"/clusters/products/nodes/{stranger}"), 404, "itemNotFound")
    message(api.ask("DELETE", f"/clusters/products/nodes/{stranger}"), 404, "itemNotFound")
    for key, count in ((other["id"], 3), ("products", 3)):
        assert api.cluster(key)["size"] == count
