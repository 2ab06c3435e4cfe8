# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Barriers: all come or all are told, again and again."""

import pytest

from baton.core.coordination.barriers import KEPT, standing
from baton.core.model.documents import Change
from baton.ground.problem import Problem
from support.desk import Desk as Base


class Desk(Base):
    def arrive(self, owner, count=None, members=None, lease=None, generation=None, age=None):
        body = {"Owner": owner, "Count": count, "Members": members, "Lease": lease, "Generation": generation, "Age": age, "At": 0}
        return self.do(Change("barriers", "b", "arrive", body))

    def quit(self, owner, why="no", escape="fail", generation=None, count=None, age=None, members=None):
        body = {"Owner": owner, "Why": why, "Escape": escape, "Generation": generation, "Count": count, "Members": members}
        body.update(Age=age, At=0)
        return self.do(Change("barriers", "b", "break", body))

    def stands(self, generation):
        return standing(self.heads.committed("barriers", "b"), generation)


@pytest.fixture
def desk():
    return Desk()


def test_the_last_one_opens_it_for_all_and_it_can_be_used_again(desk):
    for generation in (1, 2, 3):
        desk.arrive("a", count=3)
        desk.arrive("b", count=3)
        assert desk.stands(generation)["Outcome"] == "waits" and desk.stands(generation)["Arrived"] == 2
        desk.arrive("c", count=3)
        assert desk.stands(generation)["Outcome"] == "opened" and desk.stands(generation)["Arrived"] == 3
    assert desk.stands(4)["Outcome"] == "waits"


def test_asking_again_is_not_coming_again(desk):
    desk.arrive("a", count=2)
    assert desk.arrive("a", count=2) == [] and desk.arrive("a", count=2, generation=1) == []
    desk.arrive("b", count=2)
    assert desk.arrive("a", count=2, generation=1) == [], "it opened meanwhile; a has not come to the second generation"
    assert desk.stands(2)["Arrived"] == 0


def test_a_barrier_for_members_by_name_says_who_is_missing(desk):
    desk.arrive("a", members=["a", "b", "c"])
    assert desk.stands(1)["Missing"] == ["b", "c"]
    with pytest.raises(Problem) as caught:
        desk.arrive("x", members=["a", "b", "c"])
    assert caught.value.code == "not_a_member"
    desk.arrive("b")
    desk.arrive("c", members=["a", "b", "c"])
    assert desk.stands(1)["Outcome"] == "opened"


def test_one_that_fails_releases_those_who_wait_and_those_who_come_later(desk):
    desk.arrive("a", count=3)
    desk.quit("b", "the disk is full")
    for _time in range(2):
        assert {**desk.stands(1), "At": 0} == {
            "Generation": 1, "Outcome": "broken", "Arrived": 2, "Missing": None, "By": "b", "Why": "the disk is full", "Escape": "fail",
            "At": 0,
        }  # fmt: skip
        assert desk.quit("a") == [], "the first reason stays"
    desk.arrive("c", count=3)
    assert desk.stands(1)["Why"] == "the disk is full" and desk.stands(2)["Outcome"] == "waits"


def test_one_that_fails_before_anybody_came(desk):
    desk.quit("b", count=2)
    desk.arrive("a", count=2)
    assert desk.stands(1)["Outcome"] == "broken" and desk.stands(2)["Arrived"] == 0


@pytest.mark.parametrize("size", [{"count": 3}, {"members": ["a", "b", "c"]}])
def test_one_that_fails_before_anybody_came_need_not_know_how_many_will(desk, size):
    desk.quit("b", "the disk is full")
    for owner in "ac":
        desk.arrive(owner, **size)
        assert (desk.said["Generation"], desk.said["Outcome"], desk.said["Why"]) == (1, "broken", "the disk is full")


@pytest.mark.parametrize("before", [[], ["a"]])
@pytest.mark.parametrize("said", [None, ["a", "b", "c"]])
def test_an_operator_who_breaks_it_does_not_come_in_the_stead_of_a_member(desk, before, said):
    for owner in before:
        desk.arrive(owner, members=["a", "b", "c"])
    desk.quit("operator", members=said)
    for owner in "bca"[: 3 - len(before)]:
        desk.arrive(owner, members=["a", "b", "c"])
        assert (desk.said["Generation"], desk.said["Outcome"], desk.said["By"]) == (1, "broken", "operator"), owner
    desk.arrive("a", members=["a", "b", "c"])
    assert (desk.said["Generation"], desk.said["Outcome"]) == (2, "waits"), "all have heard of it"


def test_who_knows_that_it_is_broken_and_comes_again_begins_anew(desk):
    desk.arrive("a", count=3)
    desk.quit("b")
    desk.arrive("a", count=3)
    assert desk.stands(1)["Outcome"] == "broken" and desk.stands(2) == {
        "Generation": 2, "Outcome": "waits", "Arrived": 1, "Missing": None,
    }  # fmt: skip


def test_a_reset_tells_those_who_wait(desk):
    desk.arrive("a", count=3)
    desk.do(Change("barriers", "b", "reset", {"Owner": "admin", "At": 0}))
    assert desk.stands(1)["Why"] == "the barrier was reset" and desk.stands(2)["Arrived"] == 0
    assert desk.do(Change("barriers", "b", "reset", {"Owner": "admin", "At": 0})) == []


def test_who_stops_waiting_without_a_word_breaks_it(desk):
    desk.grant("l")
    desk.arrive("a", count=3)
    desk.arrive("b", count=3, lease="l")
    desk.expire("l")
    assert desk.stands(1)["By"] == "b" and "lease ended" in desk.stands(1)["Why"]


def test_who_lost_its_lease_is_still_told_how_it_ended(desk):
    desk.grant("l")
    desk.arrive("b", count=3, lease="l")
    desk.expire("l")
    assert desk.arrive("b", count=3, lease="l", generation=1) == [] and desk.stands(1)["Outcome"] == "broken"
    with pytest.raises(Problem) as caught:
        desk.arrive("c", count=3, lease="l")
    assert caught.value.code == "no_lease", "but nobody comes under a lease that is none"


def test_a_lease_that_ends_after_the_barrier_opened_breaks_nothing(desk):
    desk.grant("l")
    desk.arrive("b", count=2, lease="l")
    desk.arrive("a", count=2)
    desk.arrive("b", count=2)
    desk.do(Change("leases", "l", "revoke"))
    assert desk.stands(2)["Outcome"] == "waits"


def test_all_must_agree_on_its_size_while_somebody_waits(desk):
    with pytest.raises(Problem) as caught:
        desk.arrive("a")
    assert caught.value.code == "no_size"
    desk.arrive("a", count=3)
    with pytest.raises(Problem) as caught:
        desk.arrive("b", count=2)
    assert caught.value.code == "barrier_differs" and "waits for 3" in caught.value.detail
    desk.arrive("b")
    desk.arrive("c")
    desk.arrive("a", count=1)
    assert desk.stands(2)["Outcome"] == "opened"


def test_old_generations_are_forgotten_and_that_is_said(desk):
    for _time in range(KEPT + 2):
        desk.arrive("a", count=1)
    assert desk.stands(1)["Outcome"] == "gone" and desk.stands(KEPT + 2)["Outcome"] == "opened"
    with pytest.raises(Problem) as caught:
        desk.arrive("a", generation=99)
    assert caught.value.code == "no_generation"


def test_of_many_who_come_each_writes_itself_only(desk):
    for number in range(50):
        effects = desk.arrive(f"o{number}", count=1000)
    assert len(effects) == 1 and len(effects[0].ops) == 1


def test_the_next_run_begins_anew_after_a_break(desk):
    desk.arrive("a", count=3, age=5)
    desk.quit("b", age=5)
    assert desk.stands(1)["Outcome"] == "broken"
    desk.at += 10_000
    desk.arrive("c", count=3, age=12)
    assert desk.stands(1)["Outcome"] == "broken" and desk.heads.committed("barriers", "b").value["Generation"] == 2, "all have heard of it"


def test_who_comes_late_is_told_and_whose_run_began_later_is_not(desk):
    desk.grant("l")
    desk.arrive("a", count=4, lease="l", age=5)
    desk.at += 1000
    desk.expire("l")
    desk.at += 10_000
    desk.arrive("b", count=4, age=11)
    assert desk.said["Outcome"] == "broken" and desk.said["Generation"] == 1 and "lease ended" in desk.said["Why"]
    desk.arrive("c", count=4, age=9)
    assert (desk.said["Generation"], desk.said["Outcome"], desk.said["Arrived"]) == (2, "waits", 1)
    desk.quit("d", age=1)
    assert desk.stands(2)["By"] == "d", "of this meeting, not of the one before"


def test_the_next_run_may_mean_others(desk):
    desk.arrive("a", count=3, age=1)
    desk.quit("a", age=1)
    desk.at += 5000
    desk.arrive("x", members=["x", "y"], age=2)
    assert desk.said["Missing"] == ["y"]


def test_members_in_another_order_are_the_same_members(desk):
    desk.arrive("a", members=["a", "b"])
    desk.arrive("b", members=["b", "a"])
    assert desk.stands(1)["Outcome"] == "opened"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"members": ["a", "b", "d", "e"]}, "'b' also for d, e but not for c: give the same members"),
        ({"members": ["a", "b"]}, "'b' not for c: give the same members"),
        ({"count": 3}, "'b' for 3: give the same count"),
    ],
)
def test_a_message_says_what_differs(desk, more, says):
    desk.arrive("a", members=["a", "b", "c"])
    with pytest.raises(Problem) as caught:
        desk.arrive("b", **more)
    assert caught.value.detail == f"barrier 'b' waits for 3 by name while somebody waits, and {says}"


def test_who_names_members_where_others_count_is_told_to_count(desk):
    desk.arrive("a", count=2)
    with pytest.raises(Problem) as caught:
        desk.arrive("b", members=["a", "b"])
    assert caught.value.detail.endswith("and 'b' for 2 by name: give that count instead of members")


def test_who_came_in_a_run_that_is_gone_is_not_waited_with(desk):
    for owner in "ab":
        desk.arrive(owner, count=4, age=5)
    desk.arrive("x", count=4, age=5)  # of another controller, which lives
    desk.at += 60_000  # the run of a and b was killed, and begun again
    for owner in "acd":
        desk.arrive(owner, count=4, age=2)
    assert (desk.said["Outcome"], desk.said["Arrived"]) == ("waits", 3), "b has not come in this run"
    desk.arrive("x", count=4, generation=1, age=65)  # it asks how it stands, and is there again
    assert desk.stands(1)["Outcome"] == "opened"


def test_who_asks_twice_in_one_run_is_one(desk):
    desk.arrive("a", count=2, age=5)
    desk.at += 1000
    assert desk.arrive("a", count=2, age=6) == [] and desk.stands(1)["Arrived"] == 1
