# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seats of leaders: who asks gets one or learns who sits, keeps the order of winning, and loses it with the lease."""

import pytest

from baton.core.coordination import seats
from baton.core.coordination.leases import TOKENS_AN_EPOCH
from baton.core.coordination.seats import identity, note_key, same
from baton.core.model.documents import Change
from baton.ground.problem import Problem
from support.desk import Desk as Base
from support.desk import token_of

AT = ("Params", "my/leader")


class Desk(Base):
    def ask(self, action, candidate, seats=None, lease=None, vacant="none"):
        body = {"Candidate": candidate, "Seats": seats, "Vacant": vacant, "Lease": lease, "At": 0}
        return self.do(Change("profiles", "web", action, body, at=AT))

    def elect(self, candidate, **more):
        return self.ask("elect", candidate, **more)

    def value(self):
        return self.heads.committed("profiles", "web").value["Params"].get("my/leader")

    def token(self, candidate):
        return token_of(self.heads.committed("seats", note_key(Change("profiles", "web", "elect", at=AT))), candidate)


@pytest.fixture
def desk():
    return Desk()


def test_the_first_who_asks_wins_and_the_others_change_nothing(desk):
    desk.elect("a")
    assert desk.value() == "a" and desk.elect("b") == [] and desk.elect("a") == [] and desk.value() == "a"


def test_n_seats_in_the_order_of_winning(desk):
    for name in "abcde":
        desk.elect(name, seats=3)
    assert desk.value() == ["a", "b", "c"]
    assert desk.elect("b", seats=3) == [], "who has a seat keeps it"
    desk.ask("resign", "a", seats=3)
    assert desk.value() == ["b", "c"]
    desk.elect("e", seats=3)
    desk.elect("a", seats=3)
    assert desk.value() == ["b", "c", "e"]


def test_tokens_grow_with_every_seat_that_is_won_and_stay_with_who_sits(desk):
    desk.elect("a", seats=2)
    desk.elect("b", seats=2)
    first, second = desk.token("a"), desk.token("b")
    assert TOKENS_AN_EPOCH < first < second
    desk.elect("a", seats=2)
    assert desk.token("a") == first
    desk.ask("resign", "a", seats=2)
    assert desk.token("a") is None
    desk.elect("a", seats=2)
    assert desk.token("a") > second


@pytest.mark.parametrize("empty", ["none", None, "the schema's default"])
def test_an_empty_seat_has_many_spellings(desk, empty):
    desk.do(Change("profiles", "web", "create", {"Params": {"my/leader": empty}} if empty in ("none", None) else {}))
    if empty not in ("none", None):
        desk.do(Change("params", "my/leader", "create", {"Schema": {"default": "none"}}))
    desk.elect("a")
    assert desk.value() == "a"
    desk.ask("resign", "a")
    assert desk.value() == "none" and desk.ask("resign", "a") == []


def test_of_objects_with_a_uuid_only_that_counts(desk):
    desk.elect({"Name": "n1", "Uuid": "u1", "Address": "192.0.2.1"}, seats=2)
    desk.elect({"Name": "n2", "Uuid": "u2", "Address": "192.0.2.2"}, seats=2)
    token = desk.token({"Uuid": "u1"})
    desk.elect({"Name": "n1", "Uuid": "u1", "Address": "192.0.2.9"}, seats=2)
    assert [seat["Address"] for seat in desk.value()] == ["192.0.2.9", "192.0.2.2"] and desk.token({"Uuid": "u1"}) == token


def test_a_seat_goes_with_its_lease_and_the_others_stay(desk):
    for name in "abc":
        desk.grant(name)
        desk.elect(name, seats=3, lease=name)
    desk.do(Change("leases", "b", "revoke"))
    assert desk.value() == ["a", "c"] and desk.token("b") is None and desk.token("c") is not None
    desk.elect("b", seats=3)
    assert desk.value() == ["a", "c", "b"]


def test_a_seat_for_one_is_empty_when_its_lease_is_gone(desk):
    desk.grant("l")
    desk.elect("a", lease="l")
    desk.expire("l")
    assert desk.value() == "none"


def test_another_lease_takes_the_seat_over_and_the_old_one_no_longer_matters(desk):
    desk.grant("old")
    desk.grant("new")
    desk.elect("a", lease="old")
    token = desk.token("a")
    desk.elect("a", lease="new")
    assert desk.token("a") == token and desk.ties("old") == []
    desk.do(Change("leases", "old", "revoke"))
    assert desk.value() == "a"
    desk.do(Change("leases", "new", "revoke"))
    assert desk.value() == "none"


def test_who_was_put_out_by_hand_loses_nothing_more_when_his_lease_ends(desk):
    desk.grant("l")
    desk.elect("a", lease="l")
    desk.do(Change("profiles", "web", "patch", [{"op": "replace", "path": "", "value": "b"}], at=AT))
    desk.do(Change("leases", "l", "revoke"))
    assert desk.value() == "b"
    desk.elect("b")
    assert desk.token("b") is not None, "who was put in by hand gets a token when he asks"


def test_a_write_guarded_by_a_seat(desk):
    desk.grant("l")
    desk.elect("a", lease="l", seats=1)
    token = desk.token("a")
    desk.guarded("l", token)
    for lease, number in (("l", token + 1), ("other", token)):
        with pytest.raises(Problem) as caught:
            desk.guarded(lease, number)
        assert caught.value.code == "lease_lost"
    desk.ask("resign", "a", seats=1)
    with pytest.raises(Problem):
        desk.guarded("l", token)


def test_what_is_refused_changes_nothing(desk):
    desk.elect("a")
    for more, code in (({"seats": 2}, "not_seats"), ({"lease": "gone"}, "no_lease")):
        with pytest.raises(Problem) as caught:
            desk.elect("b", **more)
        assert caught.value.code == code and desk.value() == "a"
    with pytest.raises(Problem):
        desk.elect("none")


def test_whoever_stands_for_one_candidate_has_one_identity():
    values = [None, True, False, 0, 1, 1.0, 1.5, "1", "", "u", [], [1], [1.0], [True], [[]], {}, {"a": 1}, {"a": 1.0}, {"a": True}]
    values += [
        {"b": [1], "a": 1},
        {"a": 1, "b": [1.0]},
        {"Uuid": "u"},
        {"Uuid": "u", "Name": "n"},
        {"Uuid": 1},
        {"Uuid": 1.0},
        {"Uuid": True},
    ]
    for one in values:
        for other in values:
            assert (identity(one) == identity(other)) is same(one, other), (one, other)
            assert not same(one, other) or hash(identity(one)) == hash(identity(other))


@pytest.mark.parametrize("candidate", [str, lambda number: {"Name": f"n{number}", "Uuid": f"u{number}"}])
def test_of_many_who_are_elected_each_writes_itself_only(desk, candidate, monkeypatch):
    """And looks at each of the others a few times only, not at each for each."""
    desk.elect(candidate(0), seats=500)
    looked, original = [], seats.same
    monkeypatch.setattr(seats, "same", lambda a, b: looked.append(1) or original(a, b))
    for number in range(1, 100):
        effects = desk.elect(candidate(number), seats=500)
        assert [len(effect.ops or "a") for effect in effects if effect.kind != "system"] == [1, 1], effects
        assert len(looked) < 10 * number + 20
        looked.clear()
    effects = desk.ask("resign", candidate(50), seats=500)
    assert [effect.ops for effect in effects if effect.kind == "seats"] == [[{"op": "remove", "path": "/Seats/50"}]]
    assert desk.token(candidate(50)) is None and desk.token(candidate(51)) is not None
    desk.do(Change("profiles", "web", "patch", [{"op": "add", "path": "", "value": [candidate(3), candidate(70)]}], at=AT))
    assert [desk.token(candidate(number)) is not None for number in (3, 4, 70, 99)] == [True, False, True, False]
    assert len(looked) < 10 * 100
