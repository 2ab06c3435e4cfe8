# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tied to a lease is known by who set it, and in which term: never by what it is."""

import json

import pytest

from baton.core.coordination import leases, ties
from baton.core.coordination.seats import note_key
from baton.core.model.documents import Change
from baton.core.replication import client_leases
from baton.core.replication.client_leases import ClientLeases
from support.desk import Desk, deadlines, refused, token_of


@pytest.fixture
def desk():
    desk = Desk()
    desk.profile()
    for lease in ("A", "B"):
        desk.grant(lease)
    return desk


def elect(desk, candidate, param="boss", action="elect", **more):
    body = {"Candidate": candidate, "Seats": None, "Vacant": "none", "Lease": None, "At": 0, **more}
    desk.do(change(param, action, body))
    return desk.said


def change(param="boss", action="elect", body=None):
    return Change("profiles", "p", action, body, at=("Params", param))


def token(desk, candidate, param="boss"):
    return token_of(desk.heads.committed("seats", note_key(change(param))), candidate)


# --- values -------------------------------------------------------------------------------------------------------------


def test_a_value_belongs_to_the_last_lease_under_which_it_was_set(desk):
    desk.set("svc", "10.0.0.5", "A")
    desk.set("svc", "10.0.0.5", "B")
    desk.revoke("A")
    assert desk.param("svc") == "10.0.0.5"
    desk.revoke("B")
    assert desk.param("svc") is None


@pytest.mark.parametrize("value", ["idle", "busy"])
def test_what_somebody_else_has_set_stays_whatever_it_is(desk, value):
    for own in ("idle", "busy"):
        desk.set("state", own, "A")
    desk.set("state", value)
    assert desk.ties("A") == []
    desk.revoke("A")
    assert desk.param("state") == value


def test_a_value_that_was_set_anew_under_its_lease_goes_with_it(desk):
    for value in (1, True, 1.0, [1], "1"):
        desk.set("flag", value, "A")
    assert len(desk.stored("A")) == 1
    desk.expire("A")
    assert desk.param("flag") is None and desk.heads.list("bound") == []


def test_who_writes_into_a_value_has_set_it(desk):
    desk.set("row", {"a": 1}, "A")
    desk.do(Change("profiles", "p", "patch", [{"op": "add", "path": "/Params/row/b", "value": 2}]))
    desk.revoke("A")
    assert desk.param("row") == {"a": 1, "b": 2}


def test_who_moves_a_value_away_has_ended_it(desk):
    desk.set("here", 1, "A")
    desk.do(Change("profiles", "p", "patch", [{"op": "move", "from": "/Params/here", "path": "/Params/there"}]))
    desk.set("here", 1)
    desk.revoke("A")
    assert (desk.param("here"), desk.param("there")) == (1, 1)


def test_who_copies_a_value_has_set_the_copy_only(desk):
    desk.set("here", 1, "A")
    desk.do(Change("profiles", "p", "patch", [{"op": "copy", "from": "/Params/here", "path": "/Params/there"}]))
    desk.revoke("A")
    assert (desk.param("here"), desk.param("there")) == (None, 1)


def test_a_whole_document_sets_what_it_changes(desk):
    desk.set("same", 1, "A")
    desk.set("other", 1, "A")
    desk.profile(same=1, other=2)
    desk.revoke("A")
    assert desk.heads.committed("profiles", "p").value["Params"] == {"other": 2}


def test_a_profile_that_is_made_anew_is_tied_to_nothing(desk):
    desk.set("x", 1, "A")
    desk.do(Change("profiles", "p", "delete"))
    desk.profile(x=1)
    assert desk.ties("A") == []
    desk.revoke("A")
    assert desk.param("x") == 1


def test_a_value_is_tied_that_stands_there_already(desk):
    desk.set("x", 1)
    desk.do(Change("profiles", "p", "patch", [{"op": "test", "path": "", "value": 1}], at=("Params", "x"), lease="A"))
    desk.revoke("A")
    assert desk.param("x") is None


def test_only_what_is_set_can_be_tied_and_only_to_a_lease(desk):
    refused("no_lease", desk.set, "x", 1, "gone")
    desk.set("x", 1)
    refused("not_set", desk.set, "x", None, "A", "remove")
    assert desk.param("x") == 1 and desk.ties("A") == []


def test_a_lease_that_an_older_version_tied_a_value_to(desk):
    desk.set("x", 1)
    tie = {"Kind": "profiles", "Key": "p", "Path": ["Params", "x"], "Value": 1}
    desk.do(Change("leases", "A", "patch", [{"op": "add", "path": "/Ties/-", "value": tie}]))
    desk.revoke("A")
    assert desk.param("x") is None


def test_a_lease_that_an_older_version_ended_without_what_is_bound_to_it_ties_anew(desk):
    desk.set("x", 1, "A")
    desk.do(Change("profiles", "p", "patch", [{"op": "add", "path": "/Description", "value": "the value stays"}]))
    desk.do(Change("leases", "A", "delete"))
    desk.grant("A")
    desk.set("x", 2, "A")
    desk.revoke("A")
    assert desk.param("x") is None


# --- each tie ends for itself, and what is over is not kept ----------------------------------------------------------------


def test_a_tie_that_cannot_be_undone_keeps_neither_the_others_nor_the_lease(desk, monkeypatch):
    desk.set("stuck", 1, "A")
    desk.set("x", 1, "A")
    bad = Change("profiles", "p", "patch", [{"op": "remove", "path": "/Params/none/at/all"}])
    original = ties._remove
    monkeypatch.setattr(ties, "_remove", lambda tie: bad if tie["Path"][1] == "stuck" else original(tie))
    desk.expire("A")
    assert (desk.param("stuck"), desk.param("x")) == (1, None) and desk.heads.committed("leases", "A") is None


class TestMuchIsTied:
    """The end of a lease is work for each tie, and more where much else stands beside it: then it ends in parts."""

    @pytest.fixture
    def desk(self, desk, monkeypatch):
        monkeypatch.setattr(leases, "MOST_WORK", 10)
        desk.grant("l")
        for number in range(25):
            desk.set(f"p{number}", number, lease="l")
        return desk

    def left(self, desk):
        return len(desk.heads.committed("profiles", "p").value["Params"])

    def test_it_ends_in_parts(self, desk):
        desk.revoke("l")
        assert self.left(desk) == 15 and desk.heads.committed("leases", "l").value["Ending"] == 10
        desk.expire("l")
        desk.expire("l")
        assert self.left(desk) == 0 and desk.heads.committed("leases", "l") is None

    def test_meanwhile_it_is_as_good_as_gone(self, desk):
        ask = {"Owner": "o", "Lease": "l", "Slots": 1, "Shared": False, "Queue": False, "Data": None, "At": 1}
        desk.do(Change("locks", "k", "acquire", ask))
        token = desk.heads.committed("locks", "k").value["Holders"]["o"]["Token"]
        desk.revoke("l")
        refused("exists", desk.grant, "l")
        refused("no_lease", desk.set, "q", 1, lease="l")
        refused("lease_lost", desk.guarded, "l", token)

    def test_each_part_is_due_at_once_on_a_new_active_too(self, desk):
        clock = ClientLeases(0.1, 2.0)
        clock.tick(True, desk.heads, 100.0)
        desk.revoke("l")
        clock.committed(desk.changed, 100.0)
        assert clock.keep("l", desk.heads, 100.1) is None and clock.left("l", 100.1) == 0
        assert clock.tick(True, desk.heads, 100.1) == ["l"]
        other = ClientLeases(0.1, 2.0)
        assert other.tick(True, desk.heads, 500.0) == ["l"] and other.keep("l", desk.heads, 500.1) is None

    def test_where_much_stands_beside_it_a_part_is_smaller(self, desk):
        desk.profile(**{f"other{number}": 0 for number in range(leases.COPIED * 4)})
        for number in range(5):
            desk.set(f"again{number}", number, lease="l")
        ties = desk.stored("l")
        assert len(leases.part_of(desk.heads.committed("leases", "l"), desk.heads.committed)[0]) < min(len(ties), 4)

    def test_the_ends_of_many_leases_share_what_a_tick_may_do(self, desk, monkeypatch):
        monkeypatch.setattr(client_leases, "MOST_WORK", 14)
        clock = ClientLeases(0.1, 2.0)
        for moment in range(100, 111):
            assert clock.tick(True, desk.heads, float(moment)) == []
        ended = []
        while len(ended) < 6:
            ended.append(clock.tick(True, desk.heads, 111.5))
            for lease in ended[-1]:
                desk.expire(lease)
                clock.committed(desk.changed, 111.5)
        assert ended == [["A", "B"], ["l"], ["l"], ["l"], [], []], "a part of 10, and 2 for each lease"


def test_a_lease_ends_though_the_profile_is_gone(desk):
    elect(desk, "a", Lease="A")
    desk.set("x", 1, "A")
    desk.do(Change("profiles", "p", "delete"))
    desk.expire("A")
    assert desk.heads.committed("leases", "A") is None and desk.heads.list("seats") == []


def test_a_lease_ends_though_the_default_is_the_candidate(desk):
    desk.do(Change("params", "boss", "put", {"Schema": {"default": "a"}}))
    assert elect(desk, "a", Lease="A")["Elected"] and desk.param("boss") == "a", "who is elected is set, whatever the default"
    desk.expire("A")
    assert desk.param("boss") == "none" and desk.heads.committed("leases", "A") is None


def test_a_default_row_of_leaders_is_set_when_one_of_them_is_elected(desk):
    desk.do(Change("params", "row", "put", {"Schema": {"default": ["a", "b"]}}))
    assert elect(desk, "b", "row", Seats=3, Lease="A")["Position"] == 1 and desk.param("row") == ["a", "b"]
    elect(desk, "c", "row", Seats=3)
    desk.expire("A")
    assert desk.param("row") == ["a", "c"]
    elect(desk, "a", "row", "resign", Seats=3)
    assert desk.param("row") == ["c"]


def test_many_rewrites_leave_a_small_lease(desk):
    for number in range(500):
        desk.set("progress", f"{number} " + "v" * 1000, "A")
    assert len(json.dumps(desk.heads.committed("leases", "A").value)) < 1000


def test_ties_that_are_over_are_not_shown_and_do_not_pile_up(desk):
    for number in range(300):
        lock = Change("locks", f"l{number}", "acquire", {"Owner": "a", "Lease": "A", "Slots": None, "Queue": True, "Data": None, "At": 0})
        desk.do(lock)
        desk.do(Change("locks", f"l{number}", "delete"))
        assert desk.ties("A") == [] and len(desk.stored("A")) <= 2 * ties.FEW
    for number in range(100):
        desk.set(f"x{number}", 1, "A")
    assert len(desk.ties("A")) == 100 <= len(desk.stored("A")) <= 200
    desk.revoke("A")
    assert desk.heads.committed("profiles", "p").value["Params"] == {}


@pytest.mark.parametrize("most", [16, 20])
def test_a_lease_has_no_more_ties_than_it_may(desk, monkeypatch, most):
    monkeypatch.setattr(ties, "MOST_TIES", most)
    for number in range(most):
        desk.set(f"x{number}", 1, "A")
    refused("too_many_ties", desk.set, "more", 1, "A")
    assert desk.param("more") is None
    desk.set("x3", None, None, "remove")
    desk.set("more", 1, "A")


def test_a_fence_holds_whatever_else_its_lease_is_tied_to_and_was(desk):
    """Ties that are over are dropped now and then: never the one of the term that goes on."""

    def lock(action, key, **more):
        desk.do(
            Change("locks", key, action, {"Owner": "a", "Token": None, "Lease": "A", "Slots": None, "Queue": True, "Data": None, **more})
        )

    for number in range(40):
        lock("acquire", "l", At=number)
        held = desk.said["Token"]
        seat = elect(desk, "a", Lease="A")["Token"]
        lock("acquire", f"other{number}", At=number)
        desk.guarded("A", held)
        desk.guarded("A", seat)
        lock("release", "l")
        elect(desk, "a", action="resign")
    refused("lease_lost", desk.guarded, "A", held)


def test_the_order_to_end_a_lease_means_the_one_that_was_over(desk):
    leases = deadlines(desk)
    assert leases.tick(True, desk.heads, 101.0) == []
    over = desk.heads.committed("leases", "A").value["At"]
    desk.revoke("A")
    desk.at += 1
    desk.grant("A")
    assert desk.do(Change("leases", "A", "expire", {"At": over})) == [], "it was made anew before the order was carried out"


# --- seats --------------------------------------------------------------------------------------------------------------


def test_one_who_is_put_out_by_hand_and_comes_back_begins_a_new_term(desk):
    elect(desk, "a", Lease="A")
    first = token(desk, "a")
    desk.set("boss", "b")
    refused("lease_lost", desk.guarded, "A", first)
    desk.set("boss", "a")
    assert token(desk, "a") is None, "who was set by hand has no token"
    refused("lease_lost", desk.guarded, "A", first)
    assert elect(desk, "a", Lease="A")["Token"] > first
    refused("lease_lost", desk.guarded, "A", first)
    desk.guarded("A", token(desk, "a"))


def test_a_profile_that_is_made_anew_does_not_honour_an_old_token(desk):
    elect(desk, "a", Lease="A")
    first = token(desk, "a")
    desk.do(Change("profiles", "p", "delete"))
    assert desk.heads.list("seats") == []
    desk.profile(boss="a")
    refused("lease_lost", desk.guarded, "A", first)
    assert elect(desk, "a", Lease="A")["Token"] > first


def test_one_whom_an_older_version_saw_put_out_by_hand_has_no_token(desk):
    elect(desk, "a", Lease="A")
    held, note = token(desk, "a"), desk.heads.committed("seats", note_key(change()))
    desk.set("boss", "b")
    desk.do(Change("seats", note.key, "put", note.value))
    refused("lease_lost", desk.guarded, "A", held)


def test_candidates_that_look_alike_are_two(desk):
    for candidate in (1, True, "1"):
        assert elect(desk, candidate, "mix", Seats=5, Lease="A")["Elected"]
    desk.revoke("A")
    assert desk.param("mix") == []


def test_a_fenced_write_gives_the_writers_own_seat_up_and_no_other_follows(desk):
    elect(desk, "a", Lease="A")
    held = token(desk, "a")
    give_up = Change("profiles", "p", "patch", [{"op": "add", "path": "", "value": "none"}], at=("Params", "boss"))
    desk.guarded("A", held, give_up)
    take = Change("profiles", "p", "patch", [{"op": "add", "path": "", "value": "a"}], at=("Params", "boss"))
    refused("lease_lost", desk.guarded, "A", held, take)
    assert desk.param("boss") == "none"


def test_who_sits_beyond_the_seats_is_not_elected(desk):
    for candidate in "abc":
        elect(desk, candidate, "row", Seats=3)
    said = elect(desk, "c", "row", Seats=2)
    assert (said["Elected"], said["Position"], said["Token"], said["Changed"]) == (False, None, None, False)
    assert desk.param("row") == ["a", "b", "c"] and elect(desk, "b", "row", Seats=2)["Elected"]


def test_a_seat_knows_the_run_in_which_it_was_won(desk):
    assert elect(desk, "a", Run="r1")["Run"] == "r1"
    assert elect(desk, "a", Run="r2")["Run"] == "r1" and elect(desk, "b", Run="r2")["Run"] is None
    elect(desk, "a", action="resign")
    assert elect(desk, "a", Run="r3")["Run"] == "r3"


def test_what_an_election_says(desk):
    assert elect(desk, "a", Lease="A") == {
        "Elected": True, "Position": 0, "Token": token(desk, "a"), "Run": None, "Changed": True, "Leaders": ["a"]
    }  # fmt: skip
    assert not elect(desk, "a", Lease="A")["Changed"] and elect(desk, "a", Lease="B")["Changed"]
    lost = {"Elected": False, "Position": None, "Token": None, "Run": None, "Changed": False, "Leaders": ["a"]}
    assert elect(desk, "b") == {**lost, "Since": 0}
