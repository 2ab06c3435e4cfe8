# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks, their queue and fencing tokens, leases and what is tied to them: orders go in, documents come out."""

import pytest

from baton.core.coordination.leases import TOKENS_AN_EPOCH
from baton.core.coordination.locks import holders, standing
from baton.core.model.documents import Change
from baton.core.replication import client_leases
from baton.core.replication.client_leases import ClientLeases
from support.desk import Desk as Base
from support.desk import refused


class Desk(Base):
    def acquire(self, owner, lease=None, slots=None, queue=True, lock="l", shared=False):
        ask = {"Owner": owner, "Lease": lease, "Slots": slots, "Shared": shared, "Queue": queue, "Data": None, "At": 0}
        self.do(Change("locks", lock, "acquire", ask))
        return self.stands(owner, lock)

    def release(self, owner, token=None, lock="l"):
        self.do(Change("locks", lock, "release", {"Owner": owner, "Token": token}))

    def lock(self, lock="l"):
        return self.heads.committed("locks", lock)

    def stands(self, owner, lock="l"):
        return standing(self.lock(lock), owner)

    def held_by(self, lock="l"):
        return [entry["Owner"] for entry in holders(self.lock(lock))]


def test_one_holds_the_others_wait_in_order():
    desk = Desk()
    first = desk.acquire("a")
    assert first["Held"] and first["Position"] == 0
    assert desk.acquire("b") == {"Held": False, "Token": first["Token"] + 1, "Position": None, "Ahead": 0}
    assert desk.acquire("c")["Ahead"] == 1
    desk.release("a")
    assert desk.held_by() == ["b"] and desk.stands("c")["Ahead"] == 0
    desk.release("c")
    desk.release("b")
    assert desk.lock() is None


def test_who_does_not_wait_is_told_who_holds_it_and_changes_nothing():
    desk = Desk()
    desk.acquire("a")
    before = desk.lock()
    problem = refused("locked", desk.acquire, "b", queue=False)
    assert problem.detail == "lock 'l' is held by a" and problem.extra["holders"][0]["Owner"] == "a"
    assert desk.lock() == before


def test_acquiring_again_is_the_same_acquisition():
    desk = Desk()
    desk.grant("x")
    desk.grant("y")
    held = desk.acquire("a", "x")
    assert desk.acquire("a", "x") == held
    assert desk.acquire("a", "y") == held and desk.ties("x") == [] and len(desk.ties("y")) == 1
    desk.revoke("x")
    assert desk.stands("a") == held
    desk.revoke("y")
    assert desk.lock() is None


def test_slots():
    desk = Desk()
    for owner in "abc":
        desk.acquire(owner, slots=2)
    assert desk.held_by() == ["a", "b"] and desk.stands("c")["Ahead"] == 0
    refused("slots_differ", desk.acquire, "d", slots=3)
    desk.release("a")
    assert desk.held_by() == ["b", "c"] and desk.stands("b")["Position"] == 0


def test_only_the_owner_releases():
    desk = Desk()
    token = desk.acquire("a")["Token"]
    assert refused("not_held", desk.release, "b").detail == "'b' neither holds nor waits for lock 'l'; held by a"
    refused("other_token", desk.release, "a", token + 1)
    desk.release("a", token)
    refused("not_held", desk.release, "a")


def test_what_is_tied_to_a_lease_goes_with_it():
    desk = Desk()
    desk.grant("x")
    desk.acquire("a", "x")
    desk.acquire("a", "x", lock="other/lock")
    desk.acquire("b")
    desk.profile()
    desk.set("mine", 1, "x")
    desk.set("overwritten", 1, "x")
    desk.set("overwritten", 2)
    desk.revoke("x")
    assert desk.held_by() == ["b"] and desk.lock("other/lock") is None
    assert desk.heads.committed("profiles", "p").value["Params"] == {"overwritten": 2}
    refused("no_lease", desk.revoke, "x")
    refused("no_lease", desk.acquire, "a", "x")
    assert desk.do(Change("leases", "x", "expire", {"At": 0})) == []


def test_a_released_lock_is_not_another_owners_when_the_lease_goes():
    desk = Desk()
    desk.grant("x")
    desk.acquire("a", "x")
    desk.release("a")
    assert desk.ties("x") == []
    desk.acquire("a")
    desk.revoke("x")
    assert desk.held_by() == ["a"]


def test_tokens_grow_with_every_acquisition_and_over_a_force():
    desk = Desk(epoch=3)
    tokens = []
    for owner in "aba":
        tokens.append(desk.acquire(owner)["Token"])
        desk.release(owner)
    assert tokens == sorted(set(tokens)) and tokens[0] == 3 * TOKENS_AN_EPOCH + 1
    behind = Desk(epoch=4)  # a forced node that had missed all of it
    assert behind.acquire("a")["Token"] > tokens[-1]
    assert Desk(epoch=2**20).acquire("a")["Token"] < 2**53


def test_a_lease_guards_a_write():
    desk = Desk()
    desk.grant("x")
    token = desk.acquire("a", "x")["Token"]
    queued = desk.acquire("b", "x")["Token"]
    write = Change("profiles", "p", "put", {})
    desk.guarded("x", token, write)
    refused("lease_lost", desk.guarded, "x", queued, write)
    desk.release("a")
    refused("lease_lost", desk.guarded, "x", token, write)
    desk.guarded("x", queued, write)
    desk.revoke("x")
    assert "is gone" in refused("lease_lost", desk.guarded, "x", queued, write).detail


def test_a_grant_again_is_the_same_lease():
    desk = Desk()
    desk.grant("x")
    assert desk.grant("x") == []
    refused("exists", desk.grant, "x", owner="another")
    refused("bad_name", desk.grant, "not a name")
    refused("bad_name", desk.acquire, "a", lock="//")


def test_another_ttl_takes_nothing_from_its_owner():
    desk, leases = Desk(), ClientLeases(0.1, 2.0)
    leases.tick(True, desk.heads, 100.0)
    desk.grant("x", 10.0)
    leases.committed(desk.changed, 100.0)
    held = desk.acquire("a", "x")
    desk.grant("x", 20.0)
    leases.committed(desk.changed, 101.0)
    assert desk.stands("a") == held and len(desk.ties("x")) == 1
    assert leases.left("x", 101.0) == 20.0 and leases.keep("x", desk.heads, 102.0) == 20.0


def test_a_lease_lasts_its_time_and_a_bit_and_is_kept_alive():
    desk, leases = Desk(), ClientLeases(0.1, 2.0)
    assert leases.tick(True, desk.heads, 100.0) == []
    desk.grant("x")
    leases.committed(desk.changed, 100.0)
    assert leases.tick(True, desk.heads, 101.0) == [] and leases.left("x", 105.5) == 5.0
    assert leases.keep("x", desk.heads, 102.0) == 10.0 and leases.keep("y", desk.heads, 102.0) is None
    for moment in range(102, 113):
        assert leases.tick(True, desk.heads, float(moment)) == []
    assert leases.keep("x", desk.heads, 113.0) is None, "it is about to go"
    assert leases.tick(True, desk.heads, 113.0) == ["x"] and leases.tick(True, desk.heads, 114.0) == []
    assert leases.tick(True, desk.heads, 115.0) == ["x"], "the order to end it came to nothing"
    assert leases.keep("x", desk.heads, 115.5) is None and leases.left("x", 115.5) == 0.0, "nobody may rely on it any more"


@pytest.mark.parametrize("serving", [False, True])
def test_after_a_time_without_answers_every_lease_has_its_full_time(serving):
    desk, leases = Desk(), ClientLeases(0.1, 2.0)
    desk.grant("x")
    leases.tick(True, desk.heads, 100.0)
    leases.tick(serving, desk.heads, 101.0)
    assert leases.tick(True, desk.heads, 111.5 if serving else 102.0) == [], "frozen or without a lease in between"
    later = 111.5 if serving else 102.0
    for step in range(1, 11):
        assert leases.tick(True, desk.heads, later + step) == []
    assert leases.tick(True, desk.heads, later + 11.0) == ["x"]


def test_a_lease_whose_end_committed_while_time_stood_still_can_be_made_anew_and_kept():
    desk, leases = Desk(), ClientLeases(0.1, 2.0)
    desk.grant("x")
    for moment in range(100, 112):
        over = leases.tick(True, desk.heads, float(moment))
    assert over == ["x"]
    leases.tick(False, desk.heads, 112.0)
    desk.expire("x")
    leases.committed(desk.changed, 112.5)
    leases.tick(True, desk.heads, 113.0)
    desk.grant("x")
    leases.committed(desk.changed, 114.0)
    assert leases.left("x", 114.0) == 10.0 and leases.keep("x", desk.heads, 115.0) == 10.0


def test_of_thousands_of_leases_that_end_together_some_end_with_each_tick_the_oldest_first(monkeypatch):
    monkeypatch.setattr(client_leases, "MOST_WORK", 2 * client_leases.A_LEASE)
    desk, leases = Desk(), ClientLeases(0.1, 2.0)
    leases.tick(True, desk.heads, 100.0)
    for number, key in enumerate("edcba"):
        desk.grant(key, 1.0)
        leases.committed(desk.changed, 100.0 + number / 10)
    ended = []
    for moment in (101.6, 101.7, 101.8, 101.9):
        ended.append(leases.tick(True, desk.heads, moment))
        assert leases.keep("a", desk.heads, moment) is None, "none comes back to life because it waits for its end"
    assert ended == [["e", "d"], ["c", "b"], ["a"], []]


def test_a_new_active_can_be_asked_before_its_first_tick():
    desk, leases = Desk(), ClientLeases(0.1, 2.0)
    desk.grant("x")
    assert leases.keep("x", desk.heads, 100.0) == 10.0
    assert leases.tick(True, desk.heads, 100.1) == [] and leases.tick(True, desk.heads, 101.0) == []


def test_a_lease_that_is_gone_has_no_deadline():
    desk, leases = Desk(), ClientLeases(0.1, 2.0)
    leases.tick(True, desk.heads, 100.0)
    desk.grant("x")
    leases.committed(desk.changed, 100.0)
    desk.revoke("x")
    leases.committed(desk.changed, 101.0)
    assert leases.tick(True, desk.heads, 101.5) == [] and leases.keep("x", desk.heads, 101.5) is None and leases.left("x", 101.5) is None


# --- readers beside one writer --------------------------------------------------------------------------------------------


def test_readers_hold_a_lock_together_and_exclude_writers():
    desk = Desk()
    assert desk.acquire("r1", shared=True)["Held"] and desk.acquire("r2", shared=True)["Held"]
    assert not desk.acquire("w")["Held"]
    desk.release("r1")
    assert desk.held_by() == ["r2"]
    desk.release("r2")
    assert desk.held_by() == ["w"] and not desk.acquire("r3", shared=True)["Held"]


def test_a_reader_does_not_pass_a_writer_that_waits():
    desk = Desk()
    desk.acquire("r1", shared=True)
    desk.acquire("w")
    assert refused("locked", desk.acquire, "r2", queue=False, shared=True)
    desk.acquire("r2", shared=True)
    desk.acquire("r3", shared=True)
    desk.acquire("w2")
    desk.release("r1")
    assert desk.held_by() == ["w"]
    desk.release("w")
    assert desk.held_by() == ["r2", "r3"], "all who waited before the next writer"
    desk.release("r2")
    desk.release("r3")
    assert desk.held_by() == ["w2"]


def test_a_writer_that_leaves_the_line_lets_the_readers_behind_it_in():
    desk = Desk()
    desk.acquire("r1", shared=True)
    desk.grant("x")
    desk.acquire("w", "x")
    desk.acquire("r2", shared=True)
    desk.revoke("x")
    assert desk.held_by() == ["r1", "r2"]


def test_slots_are_for_those_who_do_not_share():
    desk = Desk()
    for owner in ("a", "b"):
        assert desk.acquire(owner, slots=2)["Held"]
    assert not desk.acquire("r1", shared=True)["Held"]
    desk.release("a")
    assert not desk.stands("r1")["Held"]
    desk.release("b")
    assert desk.held_by() == ["r1"]
    refused("shared_differs", desk.acquire, "r1")


def test_thousands_of_readers_are_let_in_at_once():
    """Not one after the other, each with a copy of the lock."""
    desk = Desk()
    desk.acquire("w")
    for number in range(50):
        desk.acquire(f"r{number}", shared=True)
    desk.acquire("w2")
    (effect,) = desk.do(Change("locks", "l", "release", {"Owner": "w", "Token": None}))
    assert effect.ops is None and desk.held_by() == [f"r{number}" for number in range(50)]
    assert desk.stands("w2")["Ahead"] == 0 and desk.stands("r7")["Position"] == 7


def test_an_answer_that_is_remembered_is_small():
    desk = Desk()
    desk.profile()
    for number in range(4):
        body = {"Owner": f"r{number}", "Lease": None, "Slots": None, "Shared": True, "Queue": True, "Data": "x" * 600, "At": 0}
        desk.do(Change("locks", "l", "acquire", body))
        assert number in (1, 2) or ("Holders" in desk.said) is (number == 0) and desk.said["Held"]
        ask = {"Candidate": f"{number}" * 600, "Seats": 9, "Vacant": None, "Lease": None, "At": 0}
        desk.do(Change("profiles", "p", "elect", ask, at=("Params", "row")))
        assert number in (1, 2) or ("Leaders" in desk.said) is (number == 0) and desk.said["Position"] == number
