# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where new instances come to."""

import pytest

from baton.client import pool as client_pool
from baton.client import pool as pool_of_clients
from baton.datastores.model.channel import Channel
from baton.datastores.model.documents import PoolHost
from baton.datastores.model.replica_set import Member, ReplicaSet
from baton.datastores.service.api import placement
from baton.ground.problem import Problem

NEEDS = placement.Needs("mariadb", "11.8", "1")
META = {"address": "192.0.2.1", "region": "eu", "flavors": {"1": {"ram": 512}, "2": {"ram": 4096}}, "datastores": {"mariadb": ["11.8"]}}


def pool(**hosts):
    return {name: PoolHost(name, {**META, **meta}, Channel(meta.pop("alive", True))) for name, meta in hosts.items()}


def carrying(**members):
    """Return a set a host: host → (flavor, port) of what it carries."""
    return [
        ReplicaSet(f"{host}{port}", members={"m": Member("m", host, own={"flavor": META["flavors"][flavor], "port": port})})
        for host, each in members.items() for flavor, port in each
    ]  # fmt: skip


def chosen(many, needs, hosts, sets=()):
    return [(place.host.name, place.port) for place in placement.choose(many, needs, hosts, sets)]


def test_the_host_whose_servers_have_the_least_memory_comes_first():
    sets = carrying(h1=[("2", 3306)], h2=[("1", 3306), ("1", 3307)])
    assert chosen(3, NEEDS, pool(h1={}, h2={}, h3={}), sets) == [("h3", 3306), ("h2", 3308), ("h1", 3307)]


def test_the_lowest_port_that_is_free_is_taken():
    assert chosen(1, NEEDS, pool(h1={}), carrying(h1=[("1", 3306), ("1", 3308)])) == [("h1", 3307)]


def test_a_region_is_kept_to():
    hosts = pool(h1={"region": "us"}, h2={})
    assert chosen(1, NEEDS._replace(region="us"), hosts) == [("h1", 3306)] and chosen(2, NEEDS, hosts)
    with pytest.raises(Problem, match="there is no region 'asia'; there are eu, us") as refused:
        chosen(1, NEEDS._replace(region="asia"), hosts)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("meta", "needs", "why"),
    [
        ({"alive": False}, NEEDS, "its guest is not heard"),
        ({"maintenance": True}, NEEDS, "is in maintenance"),
        ({"datastores": {"mariadb": ["10.11"]}}, NEEDS, "does not offer mariadb 11.8"),
        ({"datastores": None, "flavors": None}, NEEDS, "does not offer mariadb 11.8"),
        ({"flavors": {"2": {}}}, NEEDS, "can't carry flavor 1"),
        ({}, NEEDS._replace(apart=["h1"]), "has one of the set"),
    ],
)
def test_a_host_that_will_not_do_is_not_chosen_and_it_says_why(meta, needs, why):
    hosts = pool(h1=dict(meta), h2={})
    assert chosen(1, needs, hosts) == [("h2", 3306)]
    with pytest.raises(Problem) as refused:
        chosen(2, needs, hosts)
    assert refused.value.status == 422 and refused.value.detail == f"2 hosts are needed, and 1 can be had: h1 {why}"


def test_a_host_without_ports_is_full():
    full = carrying(h1=[("1", placement.FIRST_PORT + number) for number in range(placement.PORTS)])
    with pytest.raises(Problem, match="h1 has no port left"):
        chosen(1, NEEDS, pool(h1={}), full)


def test_people_may_say_what_is_gone_by():
    assert (placement.LOWEST_PORT, placement.HIGHEST_PORT) == (client_pool.LOWEST_PORT, client_pool.HIGHEST_PORT)


def test_ports_begin_where_the_host_says():
    begin = pool(h1={"port": 3406})
    assert chosen(1, NEEDS, begin) == [("h1", 3406)]
    assert chosen(1, NEEDS, begin, carrying(h1=[("1", 3306), ("1", 3406)])) == [("h1", 3407)]
    highest = pool(h1={"port": 55035})
    full = carrying(h1=[("1", 55035 + number) for number in range(placement.PORTS)])
    assert chosen(1, NEEDS, highest) == [("h1", 55035)]
    with pytest.raises(Problem, match="h1 has no port left"):
        chosen(1, NEEDS, highest, full)


@pytest.mark.parametrize("said", [None, "3406", True, 3406.0, 1023, 55036, [3406]])
def test_a_port_that_can_not_be_the_first_is_not_taken_for_it(said):
    assert chosen(1, NEEDS, pool(h1={"port": said})) == [("h1", 3306)]


@pytest.mark.parametrize(("begins", "was"), [(13306, 3306), (3306, 13306)])
def test_a_server_is_not_where_copies_of_another_are_taken(begins, was):
    assert chosen(1, NEEDS, pool(h1={"port": begins}), carrying(h1=[("1", was)])) == [("h1", begins + 1)]


def test_of_many_hosts_some_are_named():
    hosts = pool(**{f"h{number:03}": {"maintenance": True} for number in range(40)})
    with pytest.raises(Problem, match="and 28 more$"):
        chosen(1, NEEDS, hosts)
    with pytest.raises(Problem, match="the pool has no host yet"):
        chosen(1, NEEDS, {})


ROOMY = NEEDS._replace(room={"ram": 512, "volume": 10})


def test_what_a_host_carries_is_no_more_than_it_has_room_for():
    hosts = pool(h1={"ram": 4608, "volume": 20}, h2={"ram": 4607}, h3={"volume": 9}, h4={"ram": 4608})
    sets = carrying(h1=[("2", 3306)], h2=[("2", 3306)], h4=[("2", 3306)])
    assert chosen(2, ROOMY, hosts, sets) == [("h1", 3307), ("h4", 3307)]
    with pytest.raises(Problem) as refused:
        chosen(3, ROOMY, hosts, sets)
    assert "h2 has 511 of its 4607 MiB of ram left, and 512 are needed" in refused.value.detail
    assert "h3 has 9 of its 9 GiB of volume left, and 10 are needed" in refused.value.detail


def test_people_may_say_those_ports_that_are_taken_for_one():
    assert (pool_of_clients.LOWEST_PORT, pool_of_clients.HIGHEST_PORT) == (placement.LOWEST_PORT, placement.HIGHEST_PORT)


def test_a_host_that_says_no_limit_has_none():
    assert chosen(1, ROOMY, pool(h1={"ram": 0, "volume": 0}), carrying(h1=[("2", 3306)])) == [("h1", 3307)]


def test_a_host_that_has_less_than_it_carries_has_none_left():
    with pytest.raises(Problem, match="h1 has 0 of its 100 MiB of ram left"):
        chosen(1, ROOMY, pool(h1={"ram": 100}), carrying(h1=[("1", 3306)]))


@pytest.mark.parametrize("said", ["much", True, [1]])
def test_room_that_is_no_number_is_not_taken_for_any(said):
    with pytest.raises(Problem, match="which is no number of MiB"):
        chosen(1, ROOMY, pool(h1={"ram": said}))


# --- members of clusters ----------------------------------------------------------------------------------------------------

GALERA = placement.Needs("galera", "11.8", "1")


def galera(**hosts):
    return pool(**{name: {"datastores": {"galera": ["11.8"], "mariadb": ["11.8"]}, **meta} for name, meta in hosts.items()})


def of_clusters(**members):
    sets = carrying(**members)
    for whole in sets:
        whole.datastore = "galera"
    return sets


def each(wanted, hosts, sets=()):
    return [(place.host.name, place.port) for place in placement.choose_each(wanted, hosts, sets)]


@pytest.mark.parametrize(("begins", "was"), [(3306, 13306), (3306, 14306), (3306, 15306), (13306, 3306), (14306, 3306), (15306, 3306)])
@pytest.mark.parametrize(("wanted", "of"), [(GALERA, carrying), (GALERA, of_clusters), (NEEDS, of_clusters)])
def test_no_two_servers_of_a_host_meet_at_any_of_their_ports(wanted, of, begins, was):
    (place,) = placement.choose(1, wanted, galera(h1={"port": begins}), of(h1=[("1", was)]))
    taken = placement.ports_of("galera" if of is of_clusters else "mariadb", was)
    assert not {*placement.ports_of(wanted.datastore, place.port)} & {*taken} and place.port in (begins, begins + 1)


def test_a_member_of_a_cluster_has_all_its_ports_below_the_last_one():
    assert each([GALERA], galera(h1={"port": 53535})) == [("h1", 53535)]
    with pytest.raises(Problem, match="h1 says port 53536, and 53535 is the highest of galera"):
        each([GALERA], galera(h1={"port": 53536}))


def test_members_come_to_hosts_of_their_own_the_emptiest_first():
    hosts = galera(h1={}, h2={}, h3={}, h4={})
    assert each([GALERA] * 3, hosts, of_clusters(h1=[("2", 3306)])) == [("h2", 3306), ("h3", 3306), ("h4", 3306)]
    assert each([GALERA] * 3, hosts, carrying(h1=[("1", 3306)])) == [("h2", 3306), ("h3", 3306), ("h4", 3306)]
    with pytest.raises(Problem, match="5 hosts are needed, and 4 can be had"):
        each([GALERA] * 5, hosts)


def test_who_could_be_on_several_hosts_makes_room_for_who_could_not():
    hosts = galera(h1={}, h2={"flavors": {"1": {"ram": 512}}})
    assert each([GALERA, GALERA._replace(flavor="2")], hosts) == [("h2", 3306), ("h1", 3306)]
    with pytest.raises(Problem, match="2 hosts are needed, and 1 can be had: h2 can't carry flavor 2"):
        each([GALERA._replace(flavor="2")] * 2, hosts)


def test_all_for_whom_nobody_names_a_region_come_to_one_that_has_room():
    hosts = galera(h1={}, h2={}, h3={"region": "us"}, h4={"region": "us"}, h5={"region": "us"}, h6={"region": "asia"})
    assert each([GALERA] * 3, hosts) == [("h3", 3306), ("h4", 3306), ("h5", 3306)]
    assert each([GALERA] * 2 + [GALERA._replace(region="us")] * 2, hosts) == [
        ("h1", 3306), ("h2", 3306), ("h3", 3306), ("h4", 3306),
    ]  # fmt: skip
    with pytest.raises(Problem, match="no region has 4 hosts for members") as refused:
        each([GALERA] * 4, hosts)
    assert refused.value.status == 422 and "in which region it is to be" in refused.value.detail


def test_each_region_that_is_named_is_one_that_there_is():
    with pytest.raises(Problem, match="there is no region 'mars'; there are eu") as refused:
        each([GALERA, GALERA._replace(region="mars")], galera(h1={}, h2={}))
    assert refused.value.status == 400
    with pytest.raises(Problem, match="the pool has no host yet"):
        each([GALERA] * 3, {})


def test_a_large_pool_is_looked_at_once_in_each_region_for_all_that_need_the_same(monkeypatch):
    looks, against = [], placement._against
    monkeypatch.setattr(placement, "_against", lambda *args: looks.append(args[0].name) or against(*args))
    hosts = pool(**{f"h{number:04d}": {"region": ("eu", "us")[number % 2]} for number in range(1000)})
    places = placement.choose_each([NEEDS] * 3, hosts, [])
    assert len({place.host.name for place in places}) == 3 and len({place.host.region for place in places}) == 1
    assert len(looks) == len(hosts) * 3 // 2, "once to choose the region, and once more in that"
