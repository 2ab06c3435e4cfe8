# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bodies for clusters may say: each thing that they may not is refused in one line that names it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baton.datastores.service.api import wanted_clusters as wanted
from baton.datastores.service.api.wanted_clusters import NewMember
from baton.ground.problem import Problem

THREE = [{"flavorRef": "1", "volume": {"size": "1"}}] * 3
ARBITER = {"flavorRef": "1", "type": "arbiter"}


def body(member="cluster", **members):
    return json.dumps({member: members}).encode()


def new(**members):
    return wanted.new_cluster(body(**{"name": "c", **members}))


def test_both_dialects_ask_for_the_same():
    assert new(instances=THREE).members == new(size=3, flavorRef=1, volume={"size": 1}).members == [NewMember("data", "1", 1)] * 3
    found = new(nodes=[{"region": "a"}, {"region": "b"}, {"region": "c", "type": "arbiter"}], size="3", flavorRef="7", volume={"size": 2})
    assert found.members == [NewMember("data", "7", 2, "a"), NewMember("data", "7", 2, "b"), NewMember("arbiter", "7", None, "c")]


def test_what_one_member_says_is_for_it_alone():
    nodes = [{"flavorRef": "2", "name": "big"}, {"volume": {"size": 9}}, {}]
    found = new(nodes=nodes, flavorRef="1", volume={"size": 1}, region="a").members
    assert found == [NewMember("data", "2", 1, "a", "big"), NewMember("data", "1", 9, "a"), NewMember("data", "1", 1, "a")]


def test_an_arbiter_has_no_volume_and_the_flavor_of_the_others():
    assert new(instances=[*THREE[:2], {"type": ["arbiter"], "volume": {"size": 1}}]).members[2] == NewMember("arbiter", "1", None)


@pytest.mark.parametrize(("data", "arbiters"), [(2, 1), (3, 0), (4, 0), (3, 2), (14, 2), (16, 0)])
def test_an_odd_or_an_even_number_will_do(data, arbiters):
    assert len(new(instances=[THREE[0]] * data + [ARBITER] * arbiters).members) == data + arbiters


BAD = {
    "name is missing": {"name": ..., "instances": THREE},
    "name has at most 251 characters here": {"name": "x" * 252, "instances": THREE},
    "nobody says of how many members": {},
    "nobody says of how": {"instances": []},
    "instances and nodes are two ways": {"instances": THREE, "nodes": THREE},
    "size is 4, and instances has 3 items": {"size": 4, "instances": THREE},
    "size is a whole number from 1 to 16, not true": {"size": True, "flavorRef": "1"},
    "size is a whole number from 1 to 16, not 17": {"size": 17, "flavorRef": "1"},
    "instances is a list, not an object": {"instances": {}},
    "instances has 17 items; at most 16 are taken": {"instances": [THREE[0]] * 17},
    "a cluster has 3 members at least, not 2": {"instances": THREE[:2]},
    "a cluster has 3 members at least, not 1": {"size": 1, "flavorRef": "1"},
    "a cluster has 2 members with data at least, not 1": {"instances": [THREE[0], ARBITER, ARBITER]},
    "a cluster has fewer arbiters than members with data, not 2 beside 2": {"instances": [*THREE[:2], ARBITER, ARBITER]},
    "a cluster has at most 2 arbiters, not 3": {"instances": [*THREE, THREE[0], ARBITER, ARBITER, ARBITER]},
    "flavorRef is missing": {"size": 3},
    "flavorRef is missing: say": {"instances": [*THREE[:2], {}]},
    "an item of instances is an object, not 1": {"instances": [1, 2, 3]},
    "an item of instances has no member 'colour'": {"instances": [*THREE[:2], {"colour": 1}]},
    "type of an item of instances is data or arbiter, not 'query_router'": {"instances": [*THREE[:2], {"type": "query_router"}]},
    "type of an item of instances is data or arbiter, not a list": {"instances": [*THREE[:2], {"type": ["data", "arbiter"]}]},
    "type of an item of nodes is data or arbiter, not an object": {"nodes": [*THREE[:2], {"type": {}}]},
    "region and region_name differ": {"instances": [*THREE[:2], {"region": "a", "region_name": "b"}]},
    "nics is not for this service": {"instances": [*THREE[:2], {"nics": [{"network_id": "x"}]}]},
    "related_to is not for this service": {"instances": [*THREE[:2], {"related_to": "x"}]},
    "instances has the name 'a' twice": {"instances": [{"flavorRef": "1", "name": "a"}] * 3},
    "volume.size is a whole number": {"instances": [{"flavorRef": "1", "volume": {"size": "1.5"}}] * 3},
    "cluster has no member 'colour'": {"instances": THREE, "colour": "red"},
    "locality is anti-affinity": {"instances": THREE, "locality": "affinity"},
    "extended_properties is not for this service": {"instances": THREE, "extended_properties": {"num_mongos": 2}},
    "is to use database 'shop', which is not among databases": {
        "instances": THREE, "users": [{"name": "joe", "password": "x", "databases": [{"name": "shop"}]}],
    },
}  # fmt: skip


@pytest.mark.parametrize(("why", "members"), BAD.items(), ids=BAD)
def test_what_makes_no_sense_is_refused(why, members):
    given = {name: value for name, value in {"name": "c", **members}.items() if value is not ...}
    with pytest.raises(Problem) as refused:
        wanted.new_cluster(body(**given))
    assert refused.value.status == 400 and why in refused.value.detail and "\n" not in refused.value.detail


# --- nodes ------------------------------------------------------------------------------------------------------------------


def test_more_nodes_are_a_number_or_a_list():
    assert wanted.more_members(body("nodes", num=2)) == [NewMember()] * 2
    assert wanted.more_members(body("nodes", allocations=[{"region": "eu", "type": "arbiter"}])) == [NewMember("arbiter", region="eu")]


# --- actions ----------------------------------------------------------------------------------------------------------------


def action(**members):
    return wanted.action(json.dumps(members).encode())


def test_actions_are_read_as_trove_s_clients_and_the_draft_send_them():
    assert action(**{"reset-status": {}}) == action(reset_status={}) == ("reset_status", None)
    assert action(restart={}) == action(restart=None) == ("restart", None)
    assert action(grow=[{"flavorRef": 1, "volume": {"size": "1"}, "type": ["arbiter"], "related_to": None}]).what == [
        NewMember("arbiter", "1")
    ]
    assert action(shrink=[{"id": "a"}, {"id": "b"}]).what == ["a", "b"] and action(replace_node={"id": "a"}).what == "a"
    assert action(upgrade={"datastore_version": "11.8"}).what == "11.8"
    assert action(configuration_attach={"configuration_id": "x"}).what == "x" and action(configuration_detach={}).what is None
    assert action(start={}).what == action(start=None).what == [] and action(start={"without": ["a"], "force": True}).what == ["a"]


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({}, "one member"), ({"restart": {}, "stop": {}}, "one member"), ({"resize": {}}, "no action 'resize'"),
        ({"restart": {"hard": True}}, "restart takes nothing"), ({"stop": []}, "stop takes nothing"),
        ({"grow": []}, "it is empty"), ({"grow": {}}, "grow is a list"), ({"grow": [{"id": "x"}]}, "has no member 'id'"),
        ({"shrink": []}, "it is empty"), ({"shrink": ["x"]}, "is an object"), ({"shrink": [{}]}, "is a string, not null"),
        ({"shrink": [{"id": "x", "force": True}]}, "has no member 'force'"), ({"replace_node": {}}, "replace_node.id is a string"),
        ({"replace_node": [{"id": "x"}]}, "replace_node is an object"), ({"upgrade": {}}, "datastore_version"),
        ({"upgrade": {"datastore_version": 1.5}}, "datastore_version"), ({"configuration_attach": {}}, "configuration_id"),
        ({"start": {"without": ["a"]}}, "never run again"), ({"start": {"force": True}}, "goes with without"),
        ({"start": {"without": "a", "force": True}}, "is a list"), ({"start": {"force": 1}}, "true or false"),
    ],
)  # fmt: skip
def test_an_action_that_makes_no_sense_is_refused(members, why):
    with pytest.raises(Problem, match=why) as refused:
        action(**members)
    assert refused.value.status == 400


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["1", "x", "data", "arbiter"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from([*wanted.OF_A_MEMBER, "size", "id", "num", "allocations", "without", "force"]) | st.text(max_size=4),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(members=st.dictionaries(st.sampled_from(wanted.MEMBERS), VALUES, max_size=6), what=st.sampled_from(wanted.ACTIONS), value=VALUES)
def test_whatever_is_sent_is_taken_or_refused_in_one_line(members, what, value):
    for read, raw in (
        (wanted.new_cluster, body(**{"name": "x", "flavorRef": "1", **members})), (wanted.action, json.dumps({what: value}).encode()),
        (wanted.more_members, json.dumps({"nodes": value}).encode()),
    ):  # fmt: skip
        try:
            read(raw)
        except Problem as problem:
            assert problem.status in (400, 501) and "\n" not in problem.detail and len(problem.detail) < 600
