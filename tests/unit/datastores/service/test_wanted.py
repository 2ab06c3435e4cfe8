# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bodies for instances may say: each thing that they may not is refused in one line that names it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baton.datastores.service.api import wanted
from baton.ground.problem import Problem


def body(**members):
    return json.dumps({"instance": members}).encode()


def new(**members):
    return wanted.new_instance(body(**{"name": "db", "flavorRef": "1", **members}))


@pytest.mark.parametrize("name", ["x", "x" * 255, "größer", "数据库", "a b", "-1", "🐬"])
def test_names_may_be_short_long_and_of_any_letters(name):
    assert new(name=name).name == name


@pytest.mark.parametrize("size", [1, "1", 65536, "00012"])
def test_sizes_may_be_texts(size):
    assert new(volume={"size": size, "type": None}).volume == int(size)


@pytest.mark.parametrize(("flavor", "found"), [("1", "1"), (1, "1"), ("http://127.0.0.1/v1.0/demo/flavors/7", "7"), ("small", "small")])
def test_flavors_are_ids_names_and_addresses(flavor, found):
    assert new(flavorRef=flavor).flavor == found


def test_what_clients_send_without_meaning_anything_by_it_is_taken():
    assert new(access={"is_public": False}, nics=[], locality=None, replica_of=None, datastore={"type": "mariadb", "version": None})
    assert wanted.new_instance(body(name="r", replica_of="x", replica_count=14, access={"is_public": False})).many == 14


BAD = {
    "name is missing": {"name": ...},
    "name is a string, not null": {"name": None},
    "name is a string, not a list": {"name": []},
    "name is a string, not 7": {"name": 7},
    "name has 1 to 255 characters, not 0": {"name": ""},
    "name has 1 to 255 characters, not 256": {"name": "x" * 256},
    "name has characters that can't be shown": {"name": "a\nb"},
    "begins or ends with a space": {"name": " x"},
    "flavorRef is missing": {"flavorRef": ...},
    "flavorRef is a string, not true": {"flavorRef": True},
    "flavorRef is a string, not an object": {"flavorRef": {}},
    "volume is an object, not 5": {"volume": 5},
    "volume.size is missing": {"volume": {}},
    "volume.size is a whole number from 1 to 65536, not true": {"volume": {"size": True}},
    "volume.size is a whole number from 1 to 65536, not 1.5": {"volume": {"size": 1.5}},
    "volume.size is a whole number from 1 to 65536, not 0": {"volume": {"size": 0}},
    "volume.size is a whole number from 1 to 65536, not -1": {"volume": {"size": -1}},
    "volume.size is a whole number from 1 to 65536, not '65537'": {"volume": {"size": "65537"}},
    "volume.size is a whole number from 1 to 65536, not '1 '": {"volume": {"size": "1 "}},
    "volume.size is a whole number from 1 to 65536, not null": {"volume": {"size": None}},
    "a number of many digits": {"volume": {"size": 10**40}},
    "volume has no member 'colour'": {"volume": {"size": 1, "colour": 1}},
    "volume.type is not for this service": {"volume": {"size": 1, "type": "ssd"}},
    "instance has no member 'colour'": {"colour": "red"},
    "datastore is an object": {"datastore": "mariadb"},
    "datastore.type is a string": {"datastore": {"type": []}},
    "datastore has no member": {"datastore": {"kind": "mariadb"}},
    "region and region_name differ": {"region": "a", "region_name": "b"},
    "region is a string": {"region": 5},
    "nics is not for this service": {"nics": [{"network_id": "x"}]},
    "availability_zone is not for this service": {"availability_zone": "nova"},
    "restorePoint is not for this service": {"restorePoint": {"backupRef": "x"}},
    "access is not for this service": {"access": {"is_public": True}},
    "locality is anti-affinity": {"locality": "affinity"},
    "replica_count goes with replica_of": {"replica_count": 2},
    "replica_count is a whole number from 1 to 14, not 15": {"replica_of": "x", "replica_count": 15},
    "replica_count is a whole number from 1 to 14, not 0": {"replica_of": "x", "replica_count": 0},
    "replica_count is a whole number from 1 to 14, not true": {"replica_of": "x", "replica_count": True},
    "databases can't be given for a replica": {"replica_of": "x", "databases": [{"name": "x"}]},
    "name has at most 253 characters here": {"replica_of": "x", "replica_count": 2, "name": "x" * 254},
    "slave is an object": {"slave": "x"},
    "slave.of is missing": {"slave": {}},
    "slave.read_only is true": {"slave": {"of": "x", "read_only": False}},
    "slave.read_only is true or false, not 1": {"slave": {"of": "x", "read_only": 1}},
    "replica_of and slave.of differ": {"slave": {"of": "x"}, "replica_of": "y"},
    "databases is a list, not an object": {"databases": {}},
    "databases has 65 items": {"databases": [{"name": f"x{n}"} for n in range(65)]},
    "databases has 'x' twice": {"databases": [{"name": "x"}, {"name": "x"}]},
    "an item of databases is an object": {"databases": ["x"]},
    "the name of one of databases is a string, not null": {"databases": [{}]},
    "'a`b' can't be the name of a database": {"databases": [{"name": "a`b"}]},
    "'a@b' can't be the name of a user": {"users": [{"name": "a@b", "password": "x"}]},
    "character_set is a word": {"databases": [{"name": "x", "character_set": "utf8; DROP"}]},
    "the password of user 'joe' is a string": {"users": [{"name": "joe"}]},
    "password of user 'joe' is a string of 1 to 128": {"users": [{"name": "joe", "password": "a\nb"}]},
    "host of user 'joe' is an address": {"users": [{"name": "joe", "password": "x", "host": "x' OR"}]},
    "users has 'joe@%' twice": {"users": [{"name": "joe", "password": "x"}, {"name": "joe", "password": "y"}]},
    "is to use database 'shop', which is not among databases": {
        "users": [{"name": "joe", "password": "x", "databases": [{"name": "shop"}]}]
    },
}


@pytest.mark.parametrize(("why", "members"), BAD.items(), ids=BAD)
def test_what_makes_no_sense_is_refused(why, members):
    given = {name: value for name, value in {"name": "db", "flavorRef": "1", **members}.items() if value is not ...}
    with pytest.raises(Problem) as refused:
        wanted.new_instance(body(**given))
    assert refused.value.status == 400 and why in refused.value.detail and "\n" not in refused.value.detail


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["1", "x", "of", "name"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([*wanted.MEMBERS, "size", "type", "of", "read_only", "password", "host", "version", "is_public"])
        | st.text(max_size=4),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(members=st.dictionaries(st.sampled_from(wanted.MEMBERS), VALUES, max_size=6))
def test_whatever_is_sent_is_taken_or_refused_in_one_line(members):
    for read, raw in ((wanted.new_instance, {"name": "x", "flavorRef": "1", **members}), (wanted.change, members)):
        try:
            read(body(**raw))
        except Problem as problem:
            assert problem.status in (400, 501) and "\n" not in problem.detail and len(problem.detail) < 600


# --- changes and actions ----------------------------------------------------------------------------------------------------


def test_only_null_detaches_and_takes_a_configuration_off():
    assert wanted.change(body(replica_of=None)) == wanted.Change(detach=True) == wanted.change(body(slave_of=None))
    assert wanted.change(body(configuration=None)) == wanted.Change(configuration="")
    assert wanted.change(body(name="x", configuration="c")) == wanted.Change("x", "c")


BAD_CHANGES = {
    "says nothing to change": {},
    "replica_of is null": {"replica_of": "an-id"},
    "can't be changed at once": {"replica_of": None, "configuration": "c"},
    "instance has no member 'volume'": {"volume": 1},
    "name is a string": {"name": 1},
    "access is not for this service": {"access": {"allowed_cidrs": ["10.0.0.0/8"]}},
}


@pytest.mark.parametrize(("why", "members"), BAD_CHANGES.items(), ids=BAD_CHANGES)
def test_a_change_that_makes_no_sense_is_refused(why, members):
    with pytest.raises(Problem, match=why) as refused:
        wanted.change(body(**members))
    assert refused.value.status == 400


def test_an_upgrade_is_not_offered():
    with pytest.raises(Problem, match="make a new one") as refused:
        wanted.change(body(datastore_version="11.9"))
    assert refused.value.status == 501


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ({}, "one member"), ({"restart": {}, "detach": {}}, "one member"), ({"resize": {}}, "no action 'resize'"),
        ({"restart": {"hard": True}}, "restart takes nothing"), ({"restart": False}, "restart takes nothing"),
    ],
)  # fmt: skip
def test_an_action_is_one_of_those_that_there_are(raw, why):
    with pytest.raises(Problem, match=why) as refused:
        wanted.action(json.dumps(raw).encode())
    assert refused.value.status == 400
