# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a cluster: what comes, what goes and in which order, and what is refused before anything is begun."""

from dataclasses import replace

import pytest

from baton.client.error import ClientError
from baton.tasks.datastore_group import ARBITER, DATA, Group, Member, Wanted, judge, plan


def cluster(*members, **more):
    return Group("c-1", "db", members, "10.11", **more)


def member(number, kind=DATA, region="eu", **more):
    return Member(f"m{number}", f"db-{number}", kind, region, **more)


THREE = cluster(member(1), member(2), member(3))


def lost(number, fault="its guest is not heard", **more):
    return member(number, status="ERROR", fault=fault, is_up=False, is_lost=True, **more)


def steps(now, **wanted):
    judge(Wanted("db", **wanted), now)
    return [step.text for step in plan(Wanted("db", **wanted), now)[0]]


def refusal(now, **wanted):
    with pytest.raises(ClientError) as caught:
        steps(now, **wanted)
    assert "\n" not in caught.value.message
    return caught.value.message


# --- how many -------------------------------------------------------------------------------------------------------------


def test_a_cluster_is_made_with_members_of_both_types():
    assert steps(Group(), size=2, arbiters=1) == ["make cluster db: db-1 (data), db-2 (data), db-3 (arbiter)"]
    members = {(ARBITER, "ap"): 1, (DATA, "eu"): 1, (DATA, "us"): 1}
    assert steps(Group(), members=members) == ["make cluster db: db-1 (data, eu), db-2 (data, us), db-3 (arbiter, ap)"]


def test_what_is_missing_is_added_at_once_by_names_that_nobody_has():
    assert steps(THREE, size=5) == ["add db-4 (data, eu), db-5 (data, eu)"]
    assert steps(cluster(member(1), member(2), member(9)), size=4, arbiters=1) == ["add db-10 (data, eu), db-11 (arbiter, eu)"]
    assert steps(THREE, size=3) == [] == steps(THREE)


def test_members_move_to_another_region_by_coming_before_others_go():
    moved = {(DATA, "eu"): 2, (DATA, "us"): 1}
    assert steps(THREE, members=moved) == ["add db-4 (data, us)", "take db-3 away"]
    assert steps(THREE, members={(DATA, "us"): 3}) == [
        "add db-4 (data, us), db-5 (data, us), db-6 (data, us)", "take db-3, db-2, db-1 away",
    ]  # fmt: skip


def test_who_is_not_well_goes_first_then_the_youngest_of_each_region():
    five = cluster(member(1), lost(2), member(3), member(4), member(5))
    assert steps(five, size=3) == ["take db-2, db-5 away"]
    spread = cluster(member(1), member(2, region="us"), member(3), member(4, region="us"), member(5), member(6, ARBITER, "us"))
    assert steps(spread, members={(DATA, "eu"): 2, (DATA, "us"): 1, (ARBITER, "us"): 1}) == ["take db-5, db-4 away"]
    assert steps(spread, arbiters=0) == ["take db-6 away"]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"size": 2}, "db would have 2 members with data and 0 arbiters; 3 in all is the least, since of fewer none can be lost"),
        ({"size": 1, "arbiters": 2}, "db would have 1 members with data and 2 arbiters; 2 with data is the least"),
        ({"size": 2, "arbiters": 2}, "2 arbiters are the most, and fewer than members with data: ask for fewer"),
        ({"arbiters": 3}, "2 arbiters are the most"),
        ({"size": 17}, "16 in all is the most: ask for fewer"),
        ({"members": {(DATA, "eu"): 2}}, "3 in all is the least"),
    ],
)
def test_what_no_cluster_can_be_is_refused_before_anything_is_begun(wanted, says):
    assert says in refusal(THREE, **wanted)


def test_without_a_region_nothing_is_added_to_members_in_several():
    spread = cluster(member(1), member(2, region="us"), member(3))
    says = "members of db are in eu, us: say with members how many there shall be in each region"
    assert says in refusal(spread, size=4) and steps(spread, size=3) == []


def test_nobody_leaves_whose_going_would_take_the_majority_with_it():
    four = cluster(member(1), replace(member(2), status="SHUTDOWN", is_up=False), lost(3), member(4))
    assert steps(four, size=3) == ["take db-3 away"]
    down = [replace(member(number), status="SHUTDOWN", fault="it ended", is_up=False) for number in (1, 2, 3)]
    five = cluster(*down, member(4), member(5))
    assert steps(five, size=3) == ["take db-3, db-2 away"]
    six = cluster(*down, replace(member(6), status="SHUTDOWN", is_up=False), member(4), member(5))
    says = "db-6 can't leave, since of those that stay 2 of 5 serve (db-1 is SHUTDOWN: it ended, "
    assert says in refusal(six, size=5) and "mend these first, or name them in replace" in refusal(six, size=5)


# --- who is replaced ------------------------------------------------------------------------------------------------------


def test_who_is_lost_is_replaced_before_anything_else():
    now = cluster(member(1), lost(2), member(3))
    assert steps(now, size=4, replace=frozenset({"m2"})) == ["replace db-2", "add db-4 (data, eu)"]
    then = plan(Wanted("db", replace=frozenset({"m2"})), now)[1]
    assert [each.name for each in then.members] == ["db-1", "db-3", ""] and all(each.is_up for each in then.members)
    assert steps(cluster(member(1), member(3), member(4)), replace=frozenset({"m2"})) == []


def test_who_could_not_be_made_leaves_and_another_comes():
    now = cluster(member(1), member(2), member(3), lost(4, "the disk is full", joined=False))
    assert steps(now, size=4, replace=frozenset({"m4"}), above=4) == ["take db-4 away", "add db-5 (data, eu)"]
    assert steps(now, size=4) == []


def test_a_cluster_that_never_came_to_be_is_known():
    now = cluster(*(lost(number, "no", joined=False) for number in (1, 2, 3)), fault="no")
    assert now.was_never_formed and not THREE.was_never_formed
    assert not cluster(lost(1), lost(2), lost(3), fault="no member serves").was_never_formed
    assert not replace(now, task={"name": "BUILDING"}).was_never_formed


# --- how they are ---------------------------------------------------------------------------------------------------------


def test_version_configuration_and_restart_come_in_an_order_that_restarts_least():
    old = cluster(replace(member(1), status="RESTART_REQUIRED"), member(2), member(3), configuration="a")
    upgrade = "upgrade db to 11.8, one member after the other"
    assert steps(old, version="11.8", rolling=True, restart="required") == [upgrade]
    assert steps(old, version="11.8", rolling=True, restart="always", configuration="") == [upgrade, "take its configuration off db"]
    assert steps(old, restart="required") == ["restart db, one member after the other"] == steps(old, restart="always")
    assert steps(old, version="11.8") == [] == steps(old, version="10.11", rolling=True, configuration="a")


def test_a_configuration_that_needs_a_restart_is_restarted_for():
    needs = {"configuration": "b", "restarting": frozenset({("", "b")})}
    now = cluster(member(1), member(2), member(3, ARBITER))
    assert plan(Wanted("db", **needs), now)[1].waiting == ["db-1", "db-2"]
    assert steps(now, **needs, restart="required") == ["change the configuration of db", "restart db, one member after the other"]
    assert steps(now, configuration="b", restart="required") == ["change the configuration of db"]


def test_it_is_restarted_once():
    assert plan(Wanted("db", restart="always"), THREE, frozenset({"c-1"}))[0] == []


def test_it_goes():
    assert steps(THREE, is_present=False) == ["take db away"] and steps(Group(), is_present=False) == []
