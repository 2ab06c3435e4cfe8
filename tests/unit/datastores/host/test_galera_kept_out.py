# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who was forgotten does not come back into a cluster of real servers: its own server runs on, and knows where the others are."""

import signal

import pytest

from baton.datastores.model.channel import OUT
from support.galera import ClusterPool, until


@pytest.fixture
def pool():
    """A cluster of three that have data, m1 to m3, and an arbiter, m4. Each has been looked at since all were in."""
    pool = ClusterPool()
    try:
        first = pool.first()
        pool.grow(first)
        pool.grow(first)
        arbiter = pool.member(kind="arbiter", region=1)
        arbiter.prepare()
        assert arbiter.join() == {}
        until(lambda: {seen(member).get("size") for member in pool.members[:3]} == {4}, "all are in")
        for member in pool.members:
            member.tend()
        yield pool
    finally:
        pool.end()


def seen(member):
    return member.server.look().view


def tell(members, *gone):
    for member in members:
        member.ok("announce", **{**member.pool.group(), "gone": [one.id for one in gone]})
        member.server.look()
        member.tend()


def sizes(*members):
    return {seen(member).get("size") for member in members}


def test_one_that_thaws_is_turned_away_by_all(pool):
    one, two, three, _arbiter = pool.members
    three.signal(signal.SIGSTOP)
    until(lambda: sizes(one, two) == {3}, "they go on without it")
    tell((one, two), three)
    three.signal(signal.SIGCONT)
    until(lambda: seen(three).get("state") == OUT, "it knows that it is out")
    assert sizes(one, two) == {3}
    two.reborn()
    assert two.memory["nodes"].keys() >= {one.id, two.id, three.id}
    assert two.ok("halt") and two.join() == {}, "others come and go as ever"


def test_one_that_is_in_again_before_anybody_was_told_is_put_out(pool):
    one, two, three, arbiter = pool.members
    tell((one, two), three, arbiter)
    until(lambda: sizes(one, two) == {2}, "both are out", members=(one, two))
    until(lambda: seen(three).get("state") == OUT and not arbiter.server.look().up, "they know that they are out")


def test_who_is_started_anew_keeps_it_out_as_before(pool):
    """Of the others only one was told, and that has forgotten it with its life."""
    one, two, three, arbiter = pool.members
    arbiter.signal(signal.SIGSTOP)
    until(lambda: sizes(one, two, three) == {3}, "they go on without it")
    tell((one,), arbiter)
    one.ok("halt")
    assert one.join() == {} and one.memory["spec"]["gone"] == [arbiter.id]
    one.server.look()
    one.tend()
    arbiter.signal(signal.SIGCONT)
    until(lambda: not arbiter.server.look().up, "it is out", members=(one,))
    assert sizes(one, two, three) == {3}
