# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets a connection when there are not enough for all."""

import pytest

from baton.core.admission import ADMIN, CLIENT, NODE, Admission, Limits
from baton.ground.problem import Problem

LIMITS = Limits(total=20, strangers=6, address_strangers=4, clients=6, address_clients=3, known=10)


@pytest.fixture
def doors():
    return Admission(LIMITS)


def enter(doors, address, names):
    return [doors.enter(name, address) for name in names]


def test_strangers_get_in_as_long_as_there_is_room(doors):
    assert enter(doors, "a", [1, 2, 3]) == [None, None, None] and doors.used == 3


def test_the_oldest_stranger_of_an_address_makes_room_for_its_next_one(doors):
    assert enter(doors, "a", [1, 2, 3, 4, 5, 6]) == [None] * 4 + [1, 2] and doors.used == 4


def test_of_all_strangers_those_of_the_address_with_most_make_room(doors):
    enter(doors, "friend", ["f"])
    enter(doors, "a", [1, 2, 3, 4])
    assert enter(doors, "b", [5, 6, 7]) == [None, 1, 2]
    assert doors.counts[0] == LIMITS.strangers and doors.crowd() == "b"


def test_who_has_shown_a_token_never_makes_room(doors):
    enter(doors, "a", [1, 2, 3])
    doors.knows(1, CLIENT)
    doors.knows(2, ADMIN)
    assert enter(doors, "a", range(10, 20)).count(1) == 0 and doors.counts[1:3] == [1, 1]


def test_an_admin_gets_in_while_strangers_and_clients_hold_all_of_theirs(doors):
    for address in ("a", "b"):
        for number in range(3):
            doors.enter((address, number), address)
            doors.knows((address, number), CLIENT)
    enter(doors, "c", range(100))
    doors.enter("admin", "a")
    doors.knows("admin", ADMIN)
    doors.enter("node", "a")
    doors.knows("node", NODE)
    assert doors.counts[1:] == [6, 1, 1]


def test_clients_are_refused_where_those_of_an_address_or_all_are_too_many(doors):
    enter(doors, "a", [1, 2, 3, 4])
    for number in (1, 2, 3):
        doors.knows(number, CLIENT)
    with pytest.raises(Problem, match="3 connections with a token from a are open already") as refused:
        doors.knows(4, CLIENT)
    assert (refused.value.status, refused.value.extra["outcome"]) == (503, "not_applied")
    for number in range(10, 13):
        doors.enter(number, "b")
        doors.knows(number, CLIENT)
    doors.enter(20, "c")
    with pytest.raises(Problem, match="6 connections with a token are open already"):
        doors.knows(20, CLIENT)
    doors.leave(1)
    doors.knows(20, CLIENT)


def test_nodes_get_what_admins_have_left_over(doors):
    for number in range(LIMITS.known):
        doors.enter(number, "a")
        doors.knows(number, ADMIN)
    doors.enter("one more", "a")
    with pytest.raises(Problem, match="10 connections with a token"):
        doors.knows("one more", ADMIN)
    doors.knows("one more", NODE)


def test_a_rank_is_only_raised(doors):
    doors.enter(1, "a")
    doors.knows(1, ADMIN)
    doors.knows(1, CLIENT)
    assert doors.counts == [0, 0, 1, 0]
    doors.leave(1)
    doors.leave(1)
    assert doors.counts == [0, 0, 0, 0] and doors.used == 0


def test_it_is_full_when_nobody_can_make_room(doors):
    for number in range(LIMITS.total):
        doors.enter(number, "a")
        doors.knows(number, NODE)
    assert doors.full
    doors.leave(3)
    assert not doors.full


@pytest.mark.parametrize("files", [64, 256, 512, 1024, 2048, 65536, 1 << 20])
def test_what_is_for_connections_leaves_descriptors_for_the_rest(files):
    limits = Limits.of(files)
    assert limits.total <= max(64, files * 3 // 4) and limits.strangers + limits.known < limits.total
    assert limits.address_strangers < limits.strangers and limits.clients < limits.known + limits.strangers
