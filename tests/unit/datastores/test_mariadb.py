# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of MariaDB, step by step: what guests say goes in, what they are told comes out."""

from dataclasses import replace

import pytest

from baton.datastores.engine.case import Case, Silences
from baton.datastores.model.channel import Channel, End, Grant, Server
from baton.ground.problem import Problem
from support.a_set import TIMES, Pool, asked


def test_at_rest_nothing_is_done():
    pool = Pool().on()
    assert pool.whole.task is None and not pool.whole.needs and pool.whole.history == []


def sealed(pool, m2="1-1-10", m3="1-1-9", had2="same", had3="same"):
    pool.answer("h2", "seal", received=m2, had=m2 if had2 == "same" else had2)
    return pool.answer("h3", "seal", received=m3, had=m3 if had3 == "same" else had3)


def test_a_source_that_is_gone_is_followed_by_who_has_all_once_its_time_is_over():
    pool = Pool().dies("h1")
    assert pool.step == ("failover", "fence and seal", False) and "s" not in pool.channels["h1"].grants
    assert pool.told("h2") == pool.told("h3") == ["seal"]
    sealed(pool)
    assert pool.step == ("failover", "fence and seal", False)  # it may take writes still, on a clock that is slow
    pool.on(TIMES.wait + 0.1)
    assert pool.step == ("failover", "drain", False) and pool.told("h2") == ["drain"] and pool.told("h3") == []
    pool.answer("h2", "drain")
    assert pool.channels["h2"].grants["s"] == Grant(2, ("m3",), 2) and pool.told("h3") == ["follow"]
    assert pool.whole.source == "m2" and pool.whole.confirmed == []
    pool.answer("h3", "follow").claim("h2")
    assert pool.whole.task is None and pool.whole.confirmed == ["m3"] and pool.latest == ("failover is done", "")


def test_a_source_that_says_that_it_is_over_is_not_waited_for():
    pool = Pool()
    pool.say("h1", servers={"m1": Server(False, "killed by signal 9")})
    pool.on()
    assert pool.step == ("failover", "fence and seal", False) and pool.whole.history[-1]["why"] == "m1 does not run: killed by signal 9"
    pool.say("h1", claims={}, ends={"s": End(1)})
    sealed(pool.on())
    assert pool.step == ("failover", "drain", False)


def test_an_end_of_an_older_term_is_no_proof():
    pool = Pool().dies("h1")
    pool.say("h1", ends={"s": End(0)})
    sealed(pool)
    assert pool.step == ("failover", "fence and seal", False)


def test_a_claim_that_comes_back_begins_the_time_anew():
    pool = Pool().dies("h1")
    sealed(pool)
    pool.on(TIMES.wait - 0.5)
    pool.say("h1", alive=True, claims={"s": 1})
    pool.on()
    pool.say("h1", alive=False, claims={})
    pool.on(1.0)
    assert pool.step == ("failover", "fence and seal", False)


def test_while_a_replica_that_counts_is_silent_nobody_takes_over_and_it_says_whom_it_needs():
    pool = Pool()
    pool.say("h3", alive=False)
    pool.dies("h1").on(60)
    assert pool.whole.task is None and pool.channels["h1"].grants
    assert "m3 may have acknowledged what the others lack" in pool.whole.needs


@pytest.mark.parametrize(
    ("had2", "had3", "why"),
    [(None, "same", "m2 was started anew"), ("same", None, "m3 was started anew"), ("same", "1-1-11", "none of m2, m3 has all")],
)
def test_what_a_replica_had_and_has_lost_keeps_all_from_taking_over(had2, had3, why):
    pool = Pool().dies("h1")
    sealed(pool, had2=had2, had3=had3)
    pool.on(TIMES.wait + 0.1)
    assert pool.whole.task is None and why in pool.latest[1] and pool.whole.source == "m1"


def test_a_paused_set_is_left_to_people_and_failovers_have_a_limit():
    pool = Pool()
    pool.whole.paused = True
    assert pool.dies("h1").whole.task is None and pool.whole.needs.endswith("it is paused; bring it back, or eject it")
    pool.whole.paused, pool.whole.failovers = False, [90.0, 95.0, 99.0]
    assert "3 failovers in 3600 s" in pool.on().whole.needs


def test_before_a_source_is_lost_it_is_known_whether_another_takes_its_place():
    pool = Pool()
    assert pool.unguarded == "" and Pool(1).unguarded == ""
    pool.whole.failovers = [90.0, 95.0]
    assert pool.unguarded == ""
    pool.whole.failovers = [90.0, 95.0, 100.5]  # the last by a manager whose clock is ahead
    assert pool.unguarded.startswith("3 failovers in 3600 s")
    pool.now += 3600
    assert pool.unguarded == ""
    pool.say("h2", alive=False)
    assert pool.unguarded.startswith("m2 may have acknowledged what the others lack")
    pool.say("h3", alive=False)
    assert pool.on().whole.needs == "" and pool.unguarded


def test_no_failover_is_begun_where_none_is_wanted_and_people_can_have_one():
    pool = Pool()
    pool.times = TIMES._replace(most_failovers=0)
    assert pool.unguarded == "no failover is begun unasked here"
    pool.dies("h1").on(10.0)
    assert pool.whole.task is None and pool.whole.needs.endswith(f"{pool.unguarded}; bring it back, or eject it")
    assert pool.ask("eject").step[0] == "eject"


def test_the_limit_is_of_a_window():
    pool = Pool()
    pool.times = TIMES._replace(most_failovers=1, failover_window=60.0)
    pool.whole.failovers = [pool.now - 30]
    assert pool.dies("h1").whole.task is None and "1 failovers in 60 s" in pool.whole.needs
    assert pool.on(31.0).whole.task.program == "failover"


def test_who_does_not_answer_is_not_waited_for_by_commits_and_counts_until_the_source_says_so():
    pool = Pool()
    pool.say("h3", alive=False)
    pool.on()
    grant = pool.channels["h1"].grants["s"]
    assert grant.counted == ("m2",) and pool.whole.counted == ["m2", "m3"]
    pool.say("h1", opened={"s": grant})
    assert pool.on().whole.counted == ["m2"] == pool.whole.confirmed


def test_a_source_that_asks_nobody_has_no_successor_from_the_moment_in_which_it_may_be_told():
    pool = Pool()
    pool.say("h2", alive=False)
    pool.say("h3", alive=False)
    pool.on()
    assert pool.channels["h1"].grants["s"].counted == () and pool.whole.confirmed == []


def test_a_promotion_that_is_asked_for_loses_no_time_and_takes_the_last_position():
    pool = Pool().ask("promote", candidate="m3")
    assert pool.told("h1") == ["quiesce"]
    pool.answer("h1", "quiesce", position="1-1-20")
    assert pool.told("h3") == ["reach"]
    pool.answer("h3", "reach")
    assert pool.step == ("promote", "retire", False) and "s" not in pool.channels["h1"].grants
    pool.say("h1", claims={}, ends={"s": End(1, "1-1-21")})
    pool.on()
    (order,) = [order for order in pool.channels["h3"].orders.values() if order.verb == "reach"]
    assert order.args["position"] == "1-1-21"
    pool.answer("h3", "reach").answer("h1", "follow").answer("h2", "follow").claim("h3")
    assert pool.whole.task is None and pool.whole.source == "m3" and pool.whole.confirmed == ["m2"] or pool.on().whole.source == "m3"


def test_a_promotion_whose_candidate_does_not_come_along_is_undone():
    pool = Pool().ask("promote", candidate="m3").answer("h1", "quiesce", position="1-1-20")
    pool.answer("h3", "reach", "it is 5 minutes behind")
    assert pool.step == ("promote", "quiesce", True) and pool.told("h1") == ["resume"]
    pool.answer("h1", "resume")
    assert pool.whole.task is None and pool.whole.source == "m1" and pool.whole.term == 1
    assert pool.latest == ("promote has failed", "catch up: m3: it is 5 minutes behind")


def test_a_source_that_ended_for_a_promotion_and_did_not_say_how_far_it_came_is_the_source_again():
    pool = Pool().ask("promote", candidate="m3").answer("h1", "quiesce", position="1-1-20").answer("h3", "reach")
    pool.say("h1", claims={}, ends={"s": End(1, "")})
    pool.on()
    assert pool.channels["h1"].grants["s"].term == 2 and pool.whole.source == "m1"


def test_a_step_that_nobody_answers_ends():
    pool = Pool().ask("promote", candidate="m3").on(10.1)
    assert pool.step == ("promote", "quiesce", True)
    pool.on(10.1)
    assert pool.whole.task is None and "m1 did not answer within 10 s" in pool.latest[1]


def test_a_rejoin_gives_way_to_a_failover():
    pool = Pool()
    pool.whole.members["m3"].follows = 0
    pool.on()
    assert pool.step == ("rejoin", "follow", False) and pool.told("h3") == ["follow"]
    pool.channels["h1"] = replace(pool.channels["h1"], opened={"s": pool.channels["h1"].grants["s"]})
    pool.on().dies("h1")
    assert pool.step == ("failover", "fence and seal", False) and "follow" not in pool.told("h3")


def test_orders_of_two_tasks_never_have_one_id():
    pool = Pool().ask("promote", candidate="m3")
    first = set(pool.channels["h1"].orders)
    pool.answer("h1", "quiesce", "no").answer("h1", "resume").on(5).ask("promote", candidate="m3")
    assert first and not first & set(pool.channels["h1"].orders)


def test_a_term_is_not_granted_before_the_last_one_is_over():
    pool = Pool()
    case = Case(pool.whole, pool.channels, 1.0, 1.0, 1, TIMES, Silences())
    with pytest.raises(ValueError, match="before term 1 is over"):
        case.grant(pool.whole.members["m2"], [])


def test_who_comes_back_with_what_nobody_has_is_copied_anew():
    pool = Pool()
    pool.whole.members["m3"].follows = 0
    pool.on().answer("h3", "follow", apart=True)
    assert pool.step == ("rejoin", "copy", False) and pool.told("h3") == ["receive"] and pool.told("h1") == ["send"]
    pool.answer("h1", "send").answer("h3", "receive")
    assert pool.told("h3") == ["follow"]
    pool.answer("h3", "follow")
    assert pool.whole.task is None and pool.whole.members["m3"].follows == 1


def test_who_can_not_come_back_keeps_nobody_else_away():
    pool = Pool()
    pool.whole.members["m2"].follows = pool.whole.members["m3"].follows = 0
    pool.on().answer("h2", "follow", "its disk is full")
    assert pool.told("h3") == ["follow"] and pool.whole.members["m2"].fault == "follow: m2: its disk is full"
    pool.answer("h3", "follow").on(5)
    assert pool.told("h2") == ["follow"]


def test_two_who_ask_at_once_are_not_served_both_and_the_second_hears_what_is_done():
    pool = asked(Pool().on(), "promote", candidate="m3")
    with pytest.raises(Problem, match="set s is busy with promote") as refused:
        asked(pool, "promote", candidate="m2")
    assert refused.value.status == 422
    assert pool.on().step == ("promote", "quiesce", False)
    with pytest.raises(Problem, match="set s is busy with promote"):
        asked(pool, "promote", candidate="m2")


def test_what_nobody_asked_for_gives_way_to_who_asks():
    pool = Pool()
    pool.whole.members["m3"].follows = 0
    asked(pool.on(), "promote", candidate="m2").on()
    assert pool.step == ("promote", "quiesce", False) and pool.told("h3") == []


def test_a_failover_gives_way_to_nobody_and_comes_before_what_was_asked_for():
    pool = Pool().dies("h1")
    with pytest.raises(Problem, match="busy with failover"):
        asked(pool, "promote", candidate="m2")
    other = asked(Pool(), "promote", candidate="m2").dies("h1")
    assert other.step == ("failover", "fence and seal", False) and other.whole.asked["program"] == "promote"


@pytest.mark.parametrize("candidate", ["m1", "m9", "m3"])
def test_who_does_not_follow_is_not_promoted(candidate):
    pool = Pool()
    pool.whole.members["m3"].follows, pool.whole.members["m3"].again_at = 0, pool.now + 2
    asked(pool, "promote", candidate=candidate).on()
    assert pool.whole.task is None and f"{candidate} does not follow m1, so that" in pool.latest[1]


def test_a_replica_that_has_what_the_new_source_has_not_is_not_taken_for_one_that_follows():
    pool = sealed(Pool().dies("h1")).on(TIMES.wait + 0.1).answer("h2", "drain").answer("h3", "follow", apart=True)
    assert pool.whole.members["m3"].follows == 1
    pool.claim("h2")
    assert pool.step == ("rejoin", "follow", False) and pool.told("h3") == ["follow"]


def test_a_term_whose_member_died_before_it_claimed_is_called_back_and_another_takes_over():
    pool = sealed(Pool().dies("h1"), m3="1-1-10").on(TIMES.wait + 0.1).answer("h2", "drain")
    assert pool.channels["h2"].grants["s"].term == 2
    pool.say("h2", alive=False)
    pool.on().on(5)
    assert "s" not in pool.channels["h2"].grants and pool.whole.source == "m1" and pool.whole.confirmed == ["m2", "m3"]
    assert "m2 may have acknowledged" in pool.whole.needs  # it is one of those who know


def test_a_term_that_was_claimed_is_not_called_back():
    pool = sealed(Pool().dies("h1")).on(TIMES.wait + 0.1).answer("h2", "drain")
    pool.say("h2", claimed={"s": 2}, alive=False)
    pool.on().on(5)
    assert pool.whole.source == "m2" and "no replica counts" in pool.whole.needs


@pytest.mark.parametrize("how", ["its document is gone", "its document has no list of claims"])
def test_a_source_of_which_nobody_knows_whether_it_claimed_is_not_taken_for_one_that_never_did(how):
    pool = Pool()
    pool.whole.before = {"source": "m3", "confirmed": [], "counted": []}
    if how == "its document is gone":
        del pool.channels["h1"]
    else:
        pool.channels["h1"] = Channel(False, is_whole=False)
    pool.on()
    assert pool.whole.task.program == "failover" and pool.whole.source == "m1"


def test_a_time_that_another_manager_s_clock_set_far_ahead_keeps_nobody_waiting():
    pool = Pool()
    pool.whole.not_before = pool.now + 3600
    pool.dies("h1")
    assert pool.whole.task.program == "failover"


def test_a_replica_that_was_started_anew_counts_once_it_has_caught_up():
    pool = Pool()
    pool.say("h3", servers={"m3": Server(True, whole=False)})
    pool.on()
    assert pool.channels["h1"].grants["s"].counted == ("m2",)
    pool.claim("h1").say("h3", servers={"m3": Server(True)})
    pool.on()
    assert pool.channels["h1"].grants["s"].counted == ("m2", "m3")
