# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people ask of members of a set: other parameters, a restart, another source, the ways out; and its cancelling."""

import pytest

from baton.datastores.model.channel import Channel, End, Grant, Server
from baton.datastores.model.replica_set import Member
from baton.ground.problem import Problem
from support.a_set import TIMES, Pool, asked, cancelled


def test_a_replica_that_is_deleted_counts_no_more_before_it_is_wiped():
    pool = Pool().ask("delete", members=["m3"])
    assert pool.step == ("delete", "release", False) and pool.channels["h1"].grants["s"].counted == ("m2",)
    assert pool.told("h3") == []
    pool.claim("h1")
    assert pool.told("h3") == ["wipe"]
    pool.answer("h3", "wipe")
    assert sorted(pool.whole.members) == ["m1", "m2"] and pool.whole.task is None


@pytest.mark.parametrize("why", ["the disk can't be written", "its guest is not heard"])
def test_a_replica_that_may_be_wiped_half_counts_no_more_and_can_be_deleted_again(why):
    pool = Pool().ask("delete", members=["m3"]).claim("h1")
    if why == "its guest is not heard":
        pool.dies("h3").on(6)
        pool.say("h3", alive=True)
        pool.on()
    else:
        pool.answer("h3", "wipe", why)
    member = pool.whole.members["m3"]
    assert pool.whole.task is None and (member.joined, member.status) == (False, "ERROR") and why in member.fault
    assert pool.channels["h1"].grants["s"].counted == ("m2",) and pool.told("h3") == []
    pool.ask("delete", members=["m3"]).answer("h3", "wipe")
    assert "m3" not in pool.whole.members


def test_a_source_with_replicas_is_not_deleted():
    pool = Pool().ask("delete", members=["m1"])
    assert pool.whole.task is None and "promote another" in pool.whole.history[-1]["why"]
    assert "s" in pool.channels["h1"].grants and pool.whole.needs == ""
    assert pool.whole.members["m1"].joined and pool.whole.members["m1"].status == "ACTIVE"


def test_the_last_server_takes_no_writes_before_it_is_wiped():
    pool = Pool(1).ask("delete", members=["m1"])
    assert pool.told("h1") == [] and "s" not in pool.channels["h1"].grants
    pool.say("h1", claims={}, ends={"s": End(1, "1-1-9")})
    pool.on()
    assert pool.told("h1") == ["wipe"]
    pool.answer("h1", "wipe")
    assert pool.whole.members == {} and pool.whole.task is None


def test_who_is_not_heard_is_deleted_by_force_alone():
    pool = Pool()
    pool.dies("h3")
    pool.claim("h1").ask("delete", members=["m3"]).on(4)
    assert pool.whole.task is not None  # who misses a lease may be heard again in a moment
    pool.on(2)
    assert "not heard" in pool.whole.history[-1]["why"] and "m3" in pool.whole.members
    pool.ask("delete", members=["m3"], force=True)
    assert sorted(pool.whole.members) == ["m1", "m2"]


def lost_with_its_source():
    """m1 is not heard any more, and m3 counts and is not heard either."""
    pool = Pool().dies("h3").dies("h1")
    assert pool.whole.task is None and "m3 may have acknowledged what the others lack" in pool.whole.needs
    assert pool.whole.needs.endswith("delete the replica by force if both are gone for good")
    return pool


def test_who_counts_and_is_gone_for_good_with_its_source_is_given_up_by_force():
    pool = lost_with_its_source().ask("delete", members=["m3"], force=True)
    assert pool.step == ("delete", "release", False) and "s" not in pool.channels["h1"].grants
    pool.on(TIMES.wait + 0.1)
    assert sorted(pool.whole.members) == ["m1", "m2"] and pool.whole.task is None
    assert (pool.whole.counted, pool.whole.confirmed) == (["m2"], [])
    assert "no replica counts, so that each may lack" in pool.on(10).whole.needs and "or eject it" in pool.whole.needs
    assert pool.whole.source == "m1"
    pool.say("h1", alive=True)
    assert pool.on().step == ("restore", "lead", False) and pool.channels["h1"].grants["s"].counted == ("m2",)


def test_where_nobody_is_left_who_counts_a_replica_goes_on_by_itself():
    """m3 was catching up when the source was lost together with m2, the only one that counted."""
    pool = Pool()
    pool.say("h3", servers={"m3": Server(True, whole=False)})
    pool.on()
    pool.say("h1", opened={"s": pool.channels["h1"].grants["s"]})
    pool.on()
    pool.dies("h2").dies("h1")
    pool.say("h3", servers={"m3": Server(True)})
    pool.ask("delete", members=["m2"], force=True).on(TIMES.wait + 0.1)
    assert sorted(pool.whole.members) == ["m1", "m3"] and pool.whole.counted == []
    assert pool.on(10).whole.needs.endswith("bring it back, or detach a replica, which goes on with what it has")
    pool.ask("eject")
    pool.on(3)
    pool.on(3)
    assert "no replica counts; bring m1 back, or detach one" in pool.latest[1]
    detached(pool).answer("h3", "seal", received="1-1-10", had="1-1-10").answer("h3", "drain")
    assert sorted(pool.whole.members) == ["m1"] and pool.whole.task is None


def test_without_force_the_source_is_waited_for_and_it_is_said_what_would_end_that():
    pool = lost_with_its_source().ask("delete", members=["m3"])
    assert pool.on(30).step == ("delete", "release", False) and "s" in pool.channels["h1"].grants
    pool.on(31)
    assert pool.whole.task is None and pool.whole.counted == ["m2", "m3"] and pool.whole.members["m3"].joined
    assert "by force, where both are gone for good" in pool.latest[1]


@pytest.mark.parametrize("back", ["h1", "h3"])
def test_who_is_back_before_it_was_given_up_is_waited_for_after_all(back):
    pool = lost_with_its_source().ask("delete", members=["m3"], force=True)
    pool.say(back, alive=True)
    pool.on()
    assert pool.whole.counted == ["m2", "m3"] and pool.whole.confirmed == ["m2", "m3"]
    assert pool.whole.task.program == {"h1": "restore", "h3": "failover"}[back]


def test_a_restart_is_done_when_its_guest_says_so():
    pool = Pool().ask("restart", members=["m2"])
    assert pool.told("h2") == ["restart"]
    pool.answer("h2", "restart")
    assert pool.whole.task is None and pool.whole.history[-1]["what"] == "restart is done"


def test_a_source_is_ejected_as_in_a_failover():
    pool = Pool().ask("eject")
    assert pool.told("h2") == ["seal"] and "s" not in pool.channels["h1"].grants


def test_a_server_that_is_restarted_has_the_parameters_of_its_member():
    pool = Pool()
    pool.whole.members["m2"].own = {"parameters": {"wait_timeout": 60}, "restart_required": True}
    pool.ask("restart", members=["m2"])
    (order,) = [order for order in pool.channels["h2"].orders.values() if order.verb == "restart"]
    assert order.args == {"parameters": {"wait_timeout": 60}}
    pool.answer("h2", "restart")
    assert pool.whole.members["m2"].own == {"parameters": {"wait_timeout": 60}}


def test_a_server_that_does_not_start_with_new_parameters_says_so_and_waits_for_others():
    pool = Pool()
    pool.whole.members["m2"].own = {"parameters": {"wait_timeout": 60}, "restart_required": True}
    pool.ask("restart", members=["m2"]).answer("h2", "restart", "it does not start with wait_timeout=60")
    member = pool.whole.members["m2"]
    assert member.own["restart_required"] and member.status == "ACTIVE" and "wait_timeout=60" in member.fault


def test_who_takes_new_parameters_while_it_runs_needs_no_restart():
    pool = Pool()
    for name in ("m2", "m3"):
        pool.whole.members[name].own = {"parameters": {"wait_timeout": 60}, "restart_required": True}
    pool.ask("configure", members=["m2", "m3"])
    (order,) = pool.channels["h2"].orders.values()
    assert (order.verb, order.args) == ("configure", {"parameters": {"wait_timeout": 60}})
    pool.answer("h2", "configure", restart=[]).answer("h3", "configure", restart=["back_log"])
    assert pool.whole.task is None
    assert [pool.whole.members[name].own.get("restart_required") for name in ("m2", "m3")] == [None, True]


def test_parameters_give_way_to_a_failover_and_come_with_the_next_start():
    pool = Pool()
    pool.whole.members["m2"].own = {"restart_required": True}
    asked(pool, "configure", members=["m2"]).on().dies("h1")
    assert pool.step == ("failover", "fence and seal", False) and pool.whole.members["m2"].own["restart_required"]


# --- a replica that becomes a set of its own --------------------------------------------------------------------------------


def detached(pool):
    return pool.ask("detach", members=["m3"], set="n", secrets={"replication": "new"})


def test_a_replica_that_is_detached_counts_no_more_is_sealed_and_is_of_one_set_only():
    pool = detached(Pool())
    assert pool.step == ("detach", "release", False) and pool.channels["h1"].grants["s"].counted == ("m2",) and pool.told("h3") == []
    pool.claim("h1")
    assert pool.told("h3") == ["seal"]
    pool.answer("h3", "seal", received="1-1-10", had="1-1-10")
    (order,) = [order for order in pool.channels["h3"].orders.values() if order.verb == "drain"]
    assert order.args == {"position": "1-1-10"} and pool.parted == []
    pool.answer("h3", "drain")
    (new,) = pool.parted
    assert sorted(pool.whole.members) == ["m1", "m2"] and pool.whole.task is None and pool.channels["h3"].orders == {}
    assert (new.id, sorted(new.members), new.source, new.term, new.secrets) == ("n", ["m3"], "", 0, {"replication": "new"})


def test_what_was_detached_is_adopted_before_it_is_a_source():
    pool = detached(Pool()).claim("h1").answer("h3", "seal", received="1-1-10", had="1-1-10").answer("h3", "drain")
    pool.whole = pool.parted[0]
    pool.on()
    (order,) = pool.channels["h3"].orders.values()
    assert (order.verb, order.set, order.args["secrets"]) == ("adopt", "n", {"replication": "new"}) and pool.channels["h3"].grants == {}
    pool.answer("h3", "adopt")
    grant = pool.channels["h3"].grants["n"]
    assert grant.term == 1 and grant.counted == ()
    pool.say("h3", claims={"n": 1}, claimed={"n": 1}, opened={"n": grant})
    pool.on()
    assert pool.whole.task is None and pool.whole.source == "m3" and pool.whole.needs == ""


def test_what_could_not_be_adopted_is_as_soon_as_its_guest_is_heard():
    pool = detached(Pool()).claim("h1").answer("h3", "seal", received="1-1-10", had="1-1-10").answer("h3", "drain")
    pool.whole = pool.parted[0]
    pool.on().say("h3", alive=False)
    pool.on().on(5)
    assert pool.whole.task is None and pool.latest == ("adopt has failed", "adopt: m3: its guest is not heard")
    pool.say("h3", alive=True)
    assert pool.on(4).told("h3") == ["adopt"]


def test_what_was_granted_and_not_claimed_first_is_waited_for():
    pool = detached(Pool()).claim("h1").answer("h3", "seal", received="1-1-10", had="1-1-10").answer("h3", "drain")
    pool.whole = pool.parted[0]
    pool.on().answer("h3", "adopt").say("h3", alive=False)
    pool.on().on(5)
    assert pool.whole.task is None and pool.whole.source == "m3" and pool.channels["h3"].grants["n"].term == 1


@pytest.mark.parametrize("who", ["m1", "m9"])
def test_who_is_no_replica_is_not_detached(who):
    pool = asked(Pool(), "detach", members=[who], set="n").on()
    assert pool.whole.task is None and f"{who} is no replica" in pool.latest[1] and len(pool.whole.members) == 3


def test_who_lost_what_it_had_received_is_not_detached_and_comes_back():
    pool = detached(Pool()).claim("h1").answer("h3", "seal", received="1-1-10", had="1-1-10")
    pool.answer("h3", "drain", "it lost what it had received")
    assert pool.parted == [] and pool.whole.members["m3"].joined and pool.whole.members["m3"].follows == 0
    assert "it lost what it had received" in pool.whole.members["m3"].fault
    assert pool.on(4).told("h3") == ["follow"]


@pytest.mark.parametrize("program", ["detach", "delete"])
def test_a_source_that_is_lost_is_followed_by_another_before_anybody_leaves(program):
    pool = asked(Pool(), program, members=["m3"], set="n").on().dies("h1")
    assert pool.step == ("failover", "fence and seal", False) and pool.whole.members["m3"].joined and pool.told("h3") == ["seal"]


@pytest.mark.parametrize(("program", "verb"), [("detach", "seal"), ("delete", "wipe")])
def test_what_gave_way_to_a_failover_is_done_after_it(program, verb):
    pool = asked(Pool(), program, members=["m3"], set="n").on().dies("h1")
    with pytest.raises(Problem, match=f"busy with {program}"):
        asked(pool, "promote", candidate="m3")
    for host in ("h2", "h3"):
        pool.answer(host, "seal", received="1-1-10", had="1-1-10")
    pool.on(TIMES.wait + 0.1).answer("h2", "drain").answer("h3", "follow").claim("h2").claim("h2")
    assert pool.step[0] == program and pool.whole.asked is None and pool.told("h3") == [verb]


def test_a_replica_whose_making_gave_way_is_made_after_that():
    pool = Pool(2)
    pool.channels["h3"] = Channel(True)
    asked(pool.on(), "replicate", members=["m3"])
    pool.whole.members["m3"] = Member("m3", "h3")
    pool.on().dies("h1")
    pool.answer("h3", "wipe").answer("h2", "seal", received="1-1-10", had="1-1-10").on(TIMES.wait + 0.1).answer("h2", "drain").claim("h2")
    assert pool.step == ("replicate", "prepare", False) and pool.whole.members["m3"].status == "BUILD"


def test_the_last_one_is_deleted_although_the_source_is_lost_by_that():
    pool = asked(Pool(1), "delete", members=["m1"]).on(0.5).on()
    assert pool.step == ("delete", "release", False) and pool.whole.needs == ""


def test_nobody_leaves_while_a_term_was_not_claimed():
    pool = Pool()
    pool.whole.term, pool.whole.counted = 2, []
    pool.say("h1", grants={"s": Grant(2, ("m2",), 2)}, claims={}, opened={})
    asked(pool, "detach", members=["m3"], set="n")
    pool.whole.paused = True
    assert pool.on().step == ("detach", "release", False) and pool.told("h3") == []


def test_nothing_of_a_task_that_has_ended_is_left_on_its_hosts():
    pool = Pool().ask("delete", members=["m3"]).claim("h1").answer("h3", "wipe")
    assert pool.channels["h3"].orders == {} == pool.channels["h3"].reports


def test_what_was_asked_for_is_cancelled_and_what_comes_next_waits_until_it_is_undone():
    pool = cancelled(asked(Pool().on(), "promote", candidate="m3").on())
    assert pool.step == ("promote", "quiesce", True)
    asked(pool, "delete", members=["m3"]).on()
    assert pool.step == ("promote", "quiesce", True) and pool.told("h1") == ["resume"]
    pool.answer("h1", "resume")
    assert pool.step == ("delete", "release", False)
    with pytest.raises(Problem, match="busy with delete"):
        asked(pool, "promote", candidate="m2")


def test_what_has_not_begun_is_cancelled_and_never_does():
    pool = cancelled(asked(Pool().on(), "promote", candidate="m3")).on()
    assert pool.whole.task is None and pool.whole.asked is None and pool.whole.history == []


def test_what_nobody_asked_for_is_not_cancelled():
    pool = cancelled(Pool().dies("h1"))
    assert pool.step == ("failover", "fence and seal", False)


def test_what_is_past_its_point_of_no_return_is_not_cancelled():
    pool = asked(Pool().on(), "promote", candidate="m3").on().answer("h1", "quiesce", position="1-1-20").answer("h3", "reach")
    pool.say("h1", claims={}, ends={"s": End(1, "1-1-20")})
    pool.on().answer("h3", "reach")
    assert pool.step == ("promote", "lead", False)
    with pytest.raises(Problem, match="can't be undone any more"):
        cancelled(pool)


def test_a_server_that_may_be_wiped_already_is_not_kept():
    pool = asked(Pool().on(), "delete", members=["m3"]).on().claim("h1")
    assert pool.told("h3") == ["wipe"]
    with pytest.raises(Problem, match="can't be undone any more"):
        cancelled(pool)
    assert pool.on().step == ("delete", "wipe", False)


def test_who_deletes_one_after_the_other_has_them_deleted_one_after_the_other():
    pool = asked(asked(Pool(4).on(), "delete", members=["m2"]).on(), "delete", members=["m2"])
    assert pool.whole.asked is None
    for name in ("m3", "m4", "m3"):
        asked(pool, "delete", members=[name])
    assert pool.whole.asked["data"] == {"members": ["m3", "m4"]}
    for program, data in (("delete", {"members": ["m1"], "force": True}), ("restart", {"members": ["m1"]})):
        with pytest.raises(Problem, match="busy with delete"):
            asked(pool, program, **data)
    pool.claim("h1").answer("h2", "wipe")
    assert (pool.whole.task.program, pool.whole.task.data["members"]) == ("delete", ["m3", "m4"])
