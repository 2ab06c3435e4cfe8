# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of Galera where something is lost on the way: what one alone has is kept, and what can't be done is not tried for ever."""

from dataclasses import replace

from baton.datastores.engine.case import Case
from baton.datastores.plans.group import goes_on_without, said_of, serves, unwell
from support.a_cluster import UUID, Cluster
from support.a_set import asked


def halted(pool, **at):
    for name, (seqno, group) in at.items():
        pool.answer(f"h{name[1:]}", "halt", uuid=UUID, seqno=seqno, group=group)
    return pool


def all_dead():
    return Cluster().dies_alone("m1", "m2", "m3").on().on(3.2)


def test_who_left_is_emptied_once_the_others_say_that_they_go_on_without_it():
    pool = Cluster(4).ask("shrink", members=["m4"])
    pool.answer("h4", "halt", uuid=UUID, seqno=9)
    assert pool.step == ("shrink", "leave", False), "they say that they are four"
    pool.dies_alone("m4").on()
    assert pool.step == ("shrink", "announce", False)


def test_who_left_while_all_others_died_stays_a_member():
    pool = Cluster(4).ask("shrink", members=["m4"])
    pool.dies_alone("m1", "m2", "m3", "m4").answer("h4", "halt", uuid=UUID, seqno=9)
    assert "m4 may have what they lack" in pool.whole.history[-1]["why"] and pool.whole.members["m4"].joined
    assert pool.on(3.2).step == ("revive", "halt", False) and pool.told("h4") == ["halt"]


def test_the_only_one_that_has_the_data_is_not_taken_out():
    pool = Cluster(3, 2).ask("restart", members=["m1"])
    assert pool.told("h1") == [] and "m1 is the only one that has the data" in pool.latest[1]


def test_one_that_came_into_the_group_unheard_is_not_passed_over():
    pool = all_dead()
    pool.whole.term, pool.whole.members["m1"].follows = 2, 2
    halted(pool, m1=(10, "c1-2"), m2=(12, "c1-2"), m3=(99, "c1-1"))
    assert pool.order("h2", "form").args["position"] == {"uuid": UUID, "seqno": 12}


def test_one_of_an_older_group_forms_the_next_if_what_it_has_is_of_all_and_furthest():
    pool = all_dead()
    pool.whole.formed["seqno"], pool.whole.own["formed_at"] = 20, {"2": 20}
    pool.whole.term = pool.whole.members["m1"].follows = 2
    halted(pool, m1=(15, "c1-2"), m2=(18, "c1-1"), m3=(21, "c1-1"))
    assert pool.order("h2", "form").args["position"] == {"uuid": UUID, "seqno": 18}, "m3 was further than where the group was formed"


def test_a_group_of_whose_forming_nobody_heard_is_ended():
    pool = halted(all_dead(), m1=(5, "c1-1"), m2=(6, "c1-1"), m3=(7, "c1-1"))
    pool.say("h3", alive=False)
    pool.on(6)
    assert pool.whole.task is None and "form was not undone" in pool.latest[1]
    pool.say("h3", alive=True)
    pool.serve(pool.whole.members["m3"], 1)
    pool.on(70)
    assert pool.step == ("revive", "halt", False) and pool.order("h3", "halt").args == {"idle": False}


def test_a_revival_that_failed_waits_whatever_else_is_begun_meanwhile():
    pool = all_dead()
    pool.answer("h1", "halt", "its disk is gone")
    asked(pool, "configure", members=["m2"]).on()
    assert pool.step[0] == "configure" and "its disk is gone" in pool.whole.needs
    assert pool.on(10).step[0] == "configure"


def test_a_cluster_that_is_not_made_is_not_formed_whoever_is_silent():
    pool = Cluster(3, new=True).ask("create", members=["m1", "m2", "m3"])
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "prepare")
    pool.joins("h1", "form", uuid=UUID, seqno=0)
    pool.say("h2", alive=False)
    for _time in range(5):
        pool.on(6)
    assert pool.whole.task is None and pool.whole.formed == {} and pool.on(100).whole.task is None


def test_who_was_away_for_several_terms_is_judged_by_the_first_that_it_missed():
    pool = halted(all_dead(), m1=(5, "c1-1"), m2=(3, "c1-1"), m3=(4, "c1-1"))
    pool.answer("h1", "form", uuid=UUID, seqno=5)
    assert pool.whole.own["formed_at"] == {"2": 5}
    pool.whole.term, pool.whole.formed["seqno"], pool.whole.own["formed_at"] = 3, 90, {"2": 5, "3": 90}
    pool.whole.members["m1"].follows = pool.whole.members["m2"].follows = 3
    pool.whole.task = None
    pool.all_serve("m3").dies_alone("m3").on(10)
    assert pool.order("h3", "join").args["formed"] == {"uuid": UUID, "seqno": 5}


def growing():
    """A fourth member was told to come in."""
    pool = Cluster().brings(4).ask("grow", members=["m4"])
    return pool.answer("h4", "prepare").on()


def test_a_new_one_that_was_in_when_all_others_died_stays():
    pool = growing()
    pool.dies_alone("m1", "m2", "m3").on().on(3.2)
    assert pool.step == ("grow", "add", True) and pool.told("h4") == ["halt"]
    pool.answer("h4", "halt", uuid=UUID, seqno=9, group="c1-1")
    assert pool.whole.members["m4"].joined and pool.step == ("revive", "halt", False) and pool.told("h4") == ["halt"]


def test_a_new_one_that_was_not_in_is_wiped():
    pool = growing()
    pool.dies_alone("m1", "m2", "m3").on().on(3.2)
    pool.answer("h4", "halt", uuid="", seqno=-1, group="")
    assert pool.told("h4") == ["wipe"]


def test_a_new_one_that_may_have_been_in_and_is_not_heard_is_waited_for():
    pool = growing()
    pool.dies_alone("m1", "m2", "m3").say("h4", alive=False)
    for _time in range(4):
        pool.on(6)
    assert pool.whole.task is None and "m4, whose guest is not heard, may have what others lack" in pool.whole.needs


def test_nobody_comes_into_a_cluster_that_was_not_made():
    pool = Cluster(3, new=True).brings(4).ask("grow", members=["m4"])
    pool.answer("h4", "prepare").answer("h4", "halt").answer("h4", "wipe")
    assert "the cluster was not made" in pool.latest[1]


def test_what_was_copied_is_of_this_term_whether_its_owner_comes_in_or_not():
    pool = Cluster().brings(4).ask("grow", members=["m4"])
    pool.answer("h4", "prepare").joins("h4", apart="it has no data")
    pool.answer("h4", "receive").on()
    assert pool.step == ("grow", "add", False) and pool.whole.members["m4"].follows == 1, "who sends has not said that it is done"


def test_an_arbiter_is_not_well_whose_view_is_older_than_that_of_the_others():
    """It is frozen: its log says what it was."""
    pool = Cluster(4, 1).numbered(m1=7, m2=7, m3=7, m4=7)
    case = Case(pool.whole, pool.channels, pool.now, pool.now, 1, pool.times, pool.silences)
    assert serves(case, case.member("m4"))
    pool.all_serve("m4").numbered(m1=8, m2=8, m3=8, m4=7)
    assert not serves(case, case.member("m4")) and "go on without it" in said_of(case, case.member("m4")).trouble
    assert unwell(case, ()).startswith("m4 is not well: it runs, and the others go on without it")
    assert goes_on_without(case, case.member("m4"))
    assert pool.on().whole.task is None, "it runs, and comes back by itself"
    pool.dies_alone("m3").numbered(m1=9, m2=9, m4=7)
    assert pool.on().unguarded.startswith("m3 is away")
    pool.numbered(m4=0)
    assert serves(case, case.member("m4")), "its guest is of an older Baton"


def test_an_arbiter_of_which_only_members_of_another_group_know_more_is_well():
    pool = Cluster(4, 1).numbered(m1=7, m2=7, m3=7, m4=7)
    (said,) = pool.channels["h3"].servers.values()
    pool.say("h3", servers={"m3": replace(said, view={**said.view, "number": 9, "uuid": "another"})})
    case = Case(pool.whole, pool.channels, pool.now, pool.now, 1, pool.times, pool.silences)
    assert serves(case, case.member("m4"))
