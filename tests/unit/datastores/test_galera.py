# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of Galera, step by step: what guests say goes in, what they are told comes out."""

import pytest

from baton.datastores.model.channel import Channel, Server
from support.a_cluster import UUID, Cluster
from support.a_set import asked, cancelled


def created(arbiters=1):
    return Cluster(3, arbiters, new=True).ask("create", members=["m1", "m2", "m3"])


def test_at_rest_nothing_is_done():
    pool = Cluster().on()
    assert pool.whole.task is None and not pool.whole.needs and pool.whole.history == [] and not pool.unguarded


def test_a_cluster_is_formed_once_and_joined_one_by_one():
    pool = created()
    assert [pool.told(f"h{n}") for n in (1, 2, 3)] == [["prepare"]] * 3
    assert [pool.order(f"h{n}", "prepare").args["found"] for n in (1, 2, 3)] == [True, False, False]
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "prepare")
    assert pool.step == ("create", "form", False) and [pool.told(f"h{n}") for n in (1, 2, 3)] == [["form"], [], []]
    pool.joins("h1", "form", uuid=UUID, seqno=0)
    assert pool.whole.formed == {"uuid": UUID, "seqno": 0, "by": "m1"} and pool.whole.term == 1
    assert pool.told("h2") == ["join"] and pool.told("h3") == []
    pool.joins("h2", apart="it has no data")
    assert (pool.told("h1"), pool.told("h2"), pool.told("h3")) == (["send"], ["receive"], [])
    pool.answer("h1", "send").answer("h2", "receive").on()
    assert pool.told("h2") == ["join"]
    pool.joins("h2")
    assert pool.told("h3") == ["join"]
    pool.joins("h3")
    assert pool.whole.task is None and pool.latest == ("create is done", "")
    assert all(member.joined and member.status == "ACTIVE" for member in pool.whole.members.values())


def test_the_name_of_the_group_holds_its_term():
    pool = created()
    assert pool.order("h1", "prepare").args["cluster"] == "c1-1"
    assert pool.order("h2", "prepare").args["members"] == [{"address": f"10.0.0.{n}", "port": 3306} for n in (1, 2)]


def test_a_cluster_that_does_not_come_to_be_is_ended_in_good_order_and_wiped():
    pool = created()
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "prepare")
    pool.joins("h1", "form", uuid=UUID, seqno=0)
    pool.answer("h2", "join", "the disk is full")
    assert pool.step == ("create", "add", True) and [pool.told(f"h{n}") for n in (1, 2, 3)] == [["halt"]] * 3
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "halt")
    assert pool.step == ("create", "form", True)
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "halt")
    assert pool.step == ("create", "prepare", True)
    for n in (1, 2, 3):
        pool.answer(f"h{n}", "wipe")
    assert pool.whole.task is None and pool.whole.formed == {}
    assert {(member.status, member.joined) for member in pool.whole.members.values()} == {("ERROR", False)}
    assert "the disk is full" in pool.whole.members["m2"].fault


def test_a_member_that_fails_to_come_leaves_the_others_as_they_are():
    pool = Cluster().brings(4).ask("grow", members=["m4"])
    assert pool.told("h4") == ["prepare"] and pool.order("h4", "prepare").args["found"] is False
    pool.answer("h4", "prepare").answer("h4", "join", "port 13306 is taken")
    pool.answer("h4", "halt").answer("h4", "wipe")
    assert pool.whole.task is None and pool.whole.members["m4"].status == "ERROR"
    assert [pool.whole.members[name].status for name in ("m1", "m2", "m3")] == ["ACTIVE"] * 3
    assert [pool.told(f"h{n}") for n in (1, 2, 3)] == [[]] * 3


def test_who_serves_learns_where_all_are_once_one_has_come():
    pool = Cluster().brings(4).ask("grow", members=["m4"])
    pool.answer("h4", "prepare").joins("h4")
    assert pool.step == ("grow", "announce", False) and [pool.told(f"h{n}") for n in (1, 2, 3, 4)] == [["announce"]] * 4
    assert len(pool.order("h1", "announce").args["members"]) == 4


def test_a_copy_is_taken_from_the_same_region_and_from_the_next_when_that_one_dies():
    pool = Cluster(3)
    pool.whole.members["m3"].own["region"] = "us"
    pool.brings(4, region="us").ask("grow", members=["m4"])
    pool.answer("h4", "prepare").joins("h4", apart="it has no data")
    assert (pool.told("h3"), pool.told("h4")) == (["send"], ["receive"])
    pool.dies_alone("m3").on()
    assert (pool.told("h1"), pool.told("h3"), pool.told("h4")) == (["send"], [], ["receive"])


def test_members_leave_one_by_one_and_in_good_order():
    pool = Cluster(5).ask("shrink", members=["m4", "m5"])
    assert pool.told("h4") == ["halt"] and pool.told("h5") == []
    pool.dies_alone("m4").answer("h4", "halt", uuid=UUID, seqno=9)
    assert pool.told("h5") == ["halt"]
    pool.dies_alone("m4", "m5").answer("h5", "halt", uuid=UUID, seqno=10)
    assert pool.step == ("shrink", "announce", False)
    for n in (1, 2, 3):
        assert len(pool.order(f"h{n}", "announce").args["members"]) == 3
        pool.answer(f"h{n}", "announce")
    assert (pool.told("h4"), pool.told("h5")) == (["wipe"], ["wipe"])
    pool.answer("h4", "wipe").answer("h5", "wipe")
    assert sorted(pool.whole.members) == ["m1", "m2", "m3"] and pool.whole.task is None


def test_nobody_is_taken_out_while_another_one_is_not_well():
    pool = Cluster(4).dies_alone("m2").ask("shrink", members=["m4"])
    assert pool.told("h4") == [] and pool.step == ("shrink", "leave", False)
    pool.on(31)
    assert pool.latest[0] == "shrink has failed" and "m2 is not well" in pool.latest[1]
    assert pool.whole.members["m4"].joined


def test_one_whose_host_is_gone_is_replaced_without_it():
    pool = Cluster().cut("h3").brings(4).ask("replace", members=["m4"], leaves=["m3"])
    pool.answer("h4", "prepare").joins("h4", apart="it has no data")
    pool.answer("h1", "send").answer("h4", "receive").on()
    pool.joins("h4").cut("h3").on()
    assert pool.step == ("replace", "announce", False)
    for n in (1, 2, 4):
        pool.answer(f"h{n}", "announce")
    assert sorted(pool.whole.members) == ["m1", "m2", "m4"] and pool.whole.task is None


def test_one_that_nobody_hears_and_that_is_of_the_group_still_is_not_left_out():
    pool = Cluster(4)
    pool.say("h4", alive=False)
    pool.ask("shrink", members=["m4"]).on(10)
    assert "its guest is not heard" in pool.latest[1] and pool.whole.members["m4"].joined


def test_members_are_restarted_one_by_one_once_the_others_are_well():
    pool = Cluster().ask("restart", members=["m1", "m2", "m3"])
    assert [pool.told(f"h{n}") for n in (1, 2, 3)] == [["restart"], [], []]
    pool.dies_alone("m1").on()
    assert [pool.told(f"h{n}") for n in (1, 2, 3)] == [["restart"], [], []]
    pool.answer("h1", "restart")
    assert pool.told("h2") == [], "m1 does not serve yet"
    pool.all_serve().on()
    assert pool.told("h2") == ["restart"]
    pool.answer("h2", "restart").answer("h3", "restart")
    assert pool.whole.task is None and pool.latest[0] == "restart is done"


def test_one_that_has_ended_is_started_and_copied_only_if_it_must_be():
    pool = Cluster().dies_alone("m2").on()
    assert pool.step == ("rejoin", "add", False) and pool.told("h2") == ["join"]
    assert pool.order("h2", "join").args["formed"] is None
    pool.joins("h2")
    assert pool.whole.task is None
    pool.dies_alone("m2").on(4)
    pool.answer("h2", "join", apart="what it lacks is not there any more").on()
    assert pool.whole.members["m2"].follows == 0 and pool.told("h2") == ["receive"]
    pool.answer("h1", "send").answer("h2", "receive").on()
    assert pool.order("h2", "join").args["formed"] is None
    pool.joins("h2")
    assert pool.whole.task is None and pool.whole.members["m2"].follows == 1


def test_one_that_runs_and_has_lost_the_others_is_left_alone():
    pool = Cluster()
    pool.all_serve("m3")
    pool.serve(pool.whole.members["m3"], 1, primary=False)
    assert pool.on(100).whole.task is None


def test_one_that_the_others_have_put_out_is_ended_and_brought_back():
    pool = Cluster().all_serve("m3")
    view = {"primary": False, "size": 0, "state": "Disconnected", "uuid": UUID}
    pool.say("h3", servers={"m3": Server(False, "it was put out", view=view)})
    assert pool.on().step == ("rejoin", "add", False) and pool.told("h3") == ["join"]


def all_dead(many=3, arbiters=0):
    pool = Cluster(many, arbiters)
    return pool.dies_alone(*(key for key, member in pool.whole.members.items() if member.own["type"] == "data")).on()


def halted(pool, *seqnos, uuid=UUID):
    for number, seqno in enumerate(seqnos, 1):
        pool.answer(f"h{number}", "halt", uuid=uuid, seqno=seqno)
    return pool


def test_all_are_formed_anew_by_who_is_furthest_once_each_has_said_how_far_it_came():
    pool = all_dead()
    assert pool.whole.task is None, "a guest may have just begun"
    pool.on(3.2)
    assert pool.step == ("revive", "halt", False) and pool.order("h1", "halt").args == {"idle": True}
    halted(pool, 18441, 18442)
    assert pool.step == ("revive", "halt", False) and pool.whole.term == 1
    pool.answer("h3", "halt", uuid=UUID, seqno=9999)
    assert pool.told("h2") == ["form"] and pool.whole.term == 2
    order = pool.order("h2", "form")
    assert order.args["position"] == {"uuid": UUID, "seqno": 18442} and order.args["cluster"] == "c1-2" and order.term == 2
    pool.answer("h2", "form", uuid=UUID, seqno=18442).dies_alone("m1", "m3").on()
    assert pool.whole.formed == {"uuid": UUID, "seqno": 18442, "by": "m2"}
    assert pool.told("h1") == ["join"] and pool.order("h1", "join").args["formed"] == {"uuid": UUID, "seqno": 18442}
    pool.joins("h1")
    pool.dies_alone("m3").on()
    pool.joins("h3")
    assert pool.whole.task is None and {member.follows for member in pool.whole.members.values()} == {2}


def test_nobody_is_passed_over_who_may_be_further():
    pool = all_dead()
    pool.say("h3", alive=False)
    pool.on(60)
    assert pool.whole.task is None and "m3, whose guest is not heard, may have what others lack" in pool.whole.needs
    pool.say("h3", alive=True)
    pool.on()
    assert pool.step == ("revive", "halt", False) and not pool.whole.needs


def test_who_is_said_to_be_gone_for_good_is_passed_over_and_emptied_if_it_was_ahead():
    pool = all_dead()
    pool.say("h3", alive=False)
    asked(pool, "revive", members=[], without=["m3"]).on()
    halted(pool, 5, 7)
    pool.answer("h2", "form", uuid=UUID, seqno=7).dies_alone("m1", "m3")
    pool.say("h3", alive=True)
    pool.on()
    pool.joins("h1").dies_alone("m3").on()
    assert pool.order("h3", "join").args["formed"] == {"uuid": UUID, "seqno": 7}
    pool.answer("h3", "join", apart="it was ahead").on()
    assert pool.told("h3") == ["receive"]


@pytest.mark.parametrize(
    "answers, why",
    [
        ([(UUID, 5), (UUID, -1), (UUID, 7)], "m2 can't say how far it came"),
        ([(UUID, 5), ("another", 6), (UUID, 7)], "members have different histories"),
    ],
)
def test_a_doubtful_history_is_left_to_people(answers, why):
    pool = all_dead().on(3.2)
    for number, (uuid, seqno) in enumerate(answers, 1):
        pool.answer(f"h{number}", "halt", uuid=uuid, seqno=seqno)
    assert pool.whole.task is None and why in pool.whole.needs and pool.whole.term == 1
    assert pool.on(10).whole.task is None and pool.on(60).step == ("revive", "halt", False)


def test_one_that_serves_after_all_ends_the_revival():
    pool = all_dead().on(3.2)
    pool.answer("h1", "halt", "it serves")
    assert pool.whole.task is None and pool.whole.term == 1 and "it serves" in pool.whole.needs


def test_a_form_that_fails_is_undone_and_the_next_one_is_of_a_later_term():
    pool = all_dead().on(3.2)
    halted(pool, 5, 6, 7).answer("h3", "form", "its disk is full")
    assert pool.told("h3") == ["halt"]
    pool.answer("h3", "halt", uuid=UUID, seqno=7)
    assert pool.whole.task is None and "its disk is full" in pool.whole.needs
    halted(pool.on(70), 5, 6, 7)
    assert pool.order("h3", "form").term == 3


def test_those_who_are_parted_have_time_to_meet_again():
    pool = Cluster()
    for member in pool.whole.members.values():
        pool.serve(member, 1, primary=False)
    assert pool.on().on(20).whole.task is None
    assert pool.on(15).step == ("revive", "halt", False)


def test_who_is_left_alone_waits_for_nobody_to_meet():
    pool = Cluster().dies_alone("m1", "m2")
    pool.serve(pool.whole.members["m3"], 1, primary=False)
    assert pool.on().on(3.2).step == ("revive", "halt", False)


def test_a_cluster_that_people_have_stopped_stays_so_until_they_start_it():
    pool = Cluster(3, 1).ask("stop", members=["m1", "m2", "m3"])
    assert [pool.told(f"h{n}") for n in (1, 2, 3)] == [[], [], ["halt"]], "arbiters first"
    pool.answer("h3", "halt").answer("h1", "halt", uuid=UUID, seqno=5).answer("h2", "halt", uuid=UUID, seqno=6)
    pool.dies_alone("m1", "m2", "m3")
    assert pool.on(100).whole.task is None and pool.whole.own["stopped"] and not pool.whole.needs
    asked(pool, "revive", members=[], without=[]).on()
    halted(pool, 5, 6)
    pool.answer("h2", "form", uuid=UUID, seqno=6)
    assert "stopped" not in pool.whole.own and pool.whole.formed["by"] == "m2"


def test_a_stop_that_is_cancelled_brings_back_who_was_ended():
    pool = Cluster()
    asked(pool, "stop", members=["m1", "m2", "m3"]).on()
    pool.dies_alone("m1").answer("h1", "halt", uuid=UUID, seqno=5)
    cancelled(pool).on().on(3.2)
    assert "stopped" not in pool.whole.own and pool.step == ("rejoin", "add", False) and pool.told("h1") == ["join"]


def test_a_grow_gives_way_when_all_have_died():
    pool = Cluster().brings(4)
    asked(pool, "grow", members=["m4"]).on()
    pool.answer("h4", "prepare").dies_alone("m1", "m2", "m3").on().on(3.2)
    assert pool.step == ("grow", "add", True)
    pool.answer("h4", "halt").answer("h4", "wipe")
    assert pool.step == ("revive", "halt", False) and pool.whole.asked["program"] == "grow"


def test_a_cluster_is_deleted_whole():
    pool = Cluster(3, 1).ask("delete", members=["m1", "m2", "m3"])
    assert [pool.told(f"h{n}") for n in (1, 2, 3)] == [["wipe"]] * 3
    for n in (1, 2, 3):
        pool.dies_alone(f"m{n}").answer(f"h{n}", "wipe")
    assert pool.whole.members == {} and pool.whole.task is None


def test_it_is_said_when_one_more_loss_would_stop_the_rest():
    assert Cluster(3).unguarded == "" and Cluster(2).unguarded == "it has 2 members"
    assert Cluster(3).cut("h3").unguarded == "m3 is away: its guest is not heard"


def test_an_arbiter_neither_forms_nor_gives_copies():
    pool = Cluster(3, 1).dies_alone("m1", "m2").on().on(3.2)
    assert [pool.told(f"h{n}") for n in (1, 2, 3)] == [["halt"], ["halt"], []]
    halted(pool, 5, 5).answer("h1", "form", uuid=UUID, seqno=5).dies_alone("m2", "m3").on()
    assert pool.told("h2") == ["join"]
    pool.joins("h2", apart="it has no data")
    assert pool.told("h1") == ["send"]


def test_a_server_of_another_group_does_not_count_as_well():
    pool = Cluster(4)
    view = {"primary": True, "size": 1, "state": "Synced", "uuid": "another"}
    pool.say("h2", servers={"m2": Server(True, view=view)})
    pool.ask("shrink", members=["m4"])
    assert pool.told("h4") == []


def test_a_guest_that_says_nothing_of_its_view_is_no_member_that_serves():
    pool = Cluster()
    pool.channels["h1"] = Channel(True, servers={"m1": Server(True)})
    assert pool.on().step == ("rejoin", "add", False)


def test_one_that_has_not_come_back_into_the_group_is_not_restarted_into_it():
    pool = Cluster()
    pool.whole.members["m3"].follows = 0
    pool.ask("restart", members=["m3"]).on()
    assert pool.told("h3") != ["restart"] and any("m3 has not come back into the group yet" in each["why"] for each in pool.whole.history)


def test_where_a_group_may_have_begun_is_noted_before_its_forming_is_heard_of():
    pool = all_dead()
    pool.say("h2", alive=False)
    pool.say("h3", alive=False)
    asked(pool, "revive", members=[], without=["m2", "m3"]).on()
    halted(pool, 100)
    assert pool.told("h1") == ["form"] and pool.whole.own["formed_at"] == {"2": 100}
