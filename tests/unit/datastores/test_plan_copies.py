# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gives a copy, and what is done when it breaks off: by the plan of MariaDB; clusters have the same."""

import pytest

from baton.datastores.model.channel import Server
from baton.datastores.model.replica_set import Member
from baton.datastores.plans.copies import GOES_ON
from support.a_set import Pool

BROKE = {"broke": True}


@pytest.fixture
def pool():
    """A source m1 in eu, m2 in us and m3 in eu that follow; m4 is to come, to us."""
    pool = Pool(4)
    new = pool.whole.members["m4"]
    pool.whole.members["m4"] = Member("m4", new.host)
    for key, region in (("m1", "eu"), ("m2", "us"), ("m3", "eu"), ("m4", "us")):
        pool.whole.members[key].own["region"] = region
    pool.whole.confirmed = pool.whole.counted = ["m2", "m3"]
    grant = pool.channels["h1"].grants["s"]
    pool.say("h1", grants={"s": grant.__class__(1, ("m2", "m3"), 1)}, opened={"s": grant.__class__(1, ("m2", "m3"), 1)})
    for key in ("m2", "m3"):
        pool.say(f"h{key[1]}", servers={key: Server(True, lag_bytes=0, lag_seconds=0)})
    pool.say("h4", servers={})
    pool.ask("replicate", members=["m4"])
    return pool.answer("h4", "prepare")


def giver(pool):
    """Return who is told to send."""
    return [key for key in ("m1", "m2", "m3") if "send" in pool.told(f"h{key[1]}")]


def order(pool, host, verb):
    return next(order for order in pool.channels[host].orders.values() if order.verb == verb)


def test_a_replica_of_the_region_gives_it_once_the_source_lets_the_new_one_in(pool):
    assert pool.told("h1") == ["admit"] and giver(pool) == []
    pool.answer("h1", "admit")
    assert giver(pool) == ["m2"] and pool.told("h4") == ["receive"]
    assert order(pool, "h2", "send").args["to"] == "m4" and order(pool, "h2", "send").args["limit"] == 100_000_000
    pool.answer("h2", "send").answer("h4", "receive")
    assert pool.step == ("replicate", "follow", False)


def test_rather_a_replica_elsewhere_than_the_source_elsewhere(pool):
    pool.say("h2", servers={"m2": Server(True, lag_bytes=9, lag_seconds=600)})  # far behind
    pool.answer("h1", "admit")
    assert giver(pool) == ["m3"]


def test_who_does_not_follow_gives_nothing(pool):
    for key in ("m2", "m3"):
        pool.say(f"h{key[1]}", servers={key: Server(True)})  # it does not hear its source
    pool.on()
    assert giver(pool) == ["m1"] and "admit" not in pool.told("h1")


def test_a_source_whose_guest_knows_no_such_order_gives_it_itself(pool):
    pool.answer("h1", "admit", problem="this guest knows no order 'admit'")
    assert giver(pool) == ["m1"] and pool.step == ("replicate", "copy", False)


def test_the_limit_of_the_set_is_told_and_another_one_while_it_is_copied(pool):
    pool.answer("h1", "admit")
    key = next(key for key, each in pool.channels["h2"].orders.items() if each.verb == "send")
    pool.whole.own["copy_limit"] = 5_000_000
    pool.on()
    assert pool.channels["h2"].orders[key].args["limit"] == 5_000_000


@pytest.mark.parametrize(("host", "verb"), [("h2", "send"), ("h4", "receive")])
def test_what_broke_off_begins_anew_from_another_one(pool, host, verb):
    pool.answer("h1", "admit")
    before = {*pool.channels["h4"].orders}
    pool.answer(host, verb, problem="the copy broke off: Connection reset by peer", **BROKE)
    assert pool.step == ("replicate", "copy", False) and giver(pool) == ["m3"] and pool.told("h4") == ["receive"]
    assert not before & {key for key, each in pool.channels["h4"].orders.items() if each.verb == "receive"}


def test_one_that_dies_gives_way_to_the_next(pool):
    pool.answer("h1", "admit")
    pool.dies("h2").on()
    assert giver(pool) == ["m3"] and pool.step == ("replicate", "copy", False)


def test_each_break_is_followed_by_a_longer_rest_and_the_fifth_is_the_last(pool):
    pool.answer("h1", "admit")
    for rest in (0.0, 3.0, 10.0, 30.0):
        (key,) = giver(pool)
        pool.answer(f"h{key[1]}", "send", problem="it broke off", **BROKE)
        if rest:
            pool.on(rest - 1.0)
            assert giver(pool) == [] and pool.told("h4") == []
            pool.on(1.0)
    (key,) = giver(pool)
    pool.answer(f"h{key[1]}", "send", problem="it broke off", **BROKE)
    assert pool.step[2] and "broke off 5 times" in pool.whole.task.fault


def test_a_problem_of_the_receiver_s_own_is_not_tried_again(pool):
    pool.answer("h1", "admit").answer("h4", "receive", problem="the copy can't be unpacked: No space left on device")
    assert pool.step[2] and "No space left" in pool.whole.task.fault


def test_what_is_there_is_there_though_its_giver_dies_before_it_says_so(pool):
    pool.answer("h1", "admit").answer("h4", "receive")
    assert pool.step == ("replicate", "copy", False)
    pool.dies("h2")
    assert pool.step == ("replicate", "follow", False)


def test_a_copy_that_goes_on_has_all_the_time_that_it_takes(pool):
    pool.answer("h1", "admit")
    for n in range(1, 40):
        pool.say("h2", servers={"m2": Server(True, lag_bytes=0, lag_seconds=0, sends={"m4": {"bytes": n, "of": 100}})})
        pool.on(GOES_ON + 1)
    assert pool.step == ("replicate", "copy", False)
    pool.on(7201)
    assert pool.step[2] and "did not answer" in pool.whole.task.fault
