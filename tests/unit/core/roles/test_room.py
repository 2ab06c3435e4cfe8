# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node whose disk is full, as scripts: it hands its role to one that has room, is passed over, and everybody says so."""

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model import messages
from baton.core.model.log import ORIGIN, Position
from baton.core.roles.election import TURNS_FOR_FITTER
from baton.core.roles.links import SAY_AGAIN
from baton.core.roles.room import FORGET, FULL, OURS, STEADY, WAS_FULL
from support.script import (
    DEAD,
    GRACE,
    STAGGER,
    alive,
    dies,
    manual,
    meet,
    meet_again,
    met,
    nodes,
    notes,
    passive,
    serving,
    status,
    store_answers,
    three,
    tries,
    wire,
)


def fills(script):
    return script.give(ev.DiskRoom(True))


def empties(script):
    return script.give(ev.DiskRoom(False))


def said(script):
    return [(send.node, send.message.full) for send in script.of(cmd.Send) if isinstance(send.message, messages.Hello)]


def to(script):
    """To whom the role is on its way, None for nobody."""
    handover = script.node.leading.handover
    return handover.to if handover is not None else None


def passes(script, seconds):
    """Time passes in ticks; return all that was noted."""
    found, end = [], script.now + seconds
    while script.now < end:
        script.now += 0.25
        if script.node.leading is not None:
            script.ack("n2")
        script.give(ev.Tick())
        found += notes(script)
    return found


@pytest.fixture
def pair():
    """n1 active, n2 in sync; both have room."""
    return met()


class TestHandingOver:
    def test_it_begins_in_the_event_that_tells_of_the_full_disk(self, pair):
        fills(pair)
        assert said(pair) == [("n2", FULL)] and pair.of(cmd.ReadRecord)
        store_answers(pair)
        assert [lease.until for lease in pair.of(cmd.Lease)] == [None], "drained already: the VIP is given up at once"
        (swap,) = [c for c in pair.give(ev.Released()) if isinstance(c, cmd.Swap)]
        assert (swap.record.active, swap.record.reason) == ("n2", f"handed over by n1: {FULL}")

    def test_what_was_taken_before_is_committed_first(self, pair):
        pair.write(1)
        pair.give(ev.Flush())
        fills(pair)
        store_answers(pair)
        assert to(pair) == "n2" and not pair.of(cmd.Lease)
        pair.stored()
        pair.ack("n2")
        assert [lease.until for lease in pair.of(cmd.Lease)] == [None]
        assert [reply.id for reply in pair.of(cmd.Reply)] == [1]

    def test_who_asks_meanwhile_is_told_to_try_again_unless_the_store_is_silent(self, pair):
        fills(pair)
        pair.write(1)
        assert pair.of(cmd.Reply)[0].result.code == "switching"
        passes(pair, 1)
        pair.write(2)
        assert pair.of(cmd.Reply)[0].result.code == "disk_full"
        store_answers(pair)
        pair.write(3)
        assert to(pair) == "n2" and pair.of(cmd.Reply)[0].result.code == "switching"

    def test_while_the_store_is_silent_nothing_is_given_up(self, pair):
        fills(pair)
        for _tick in range(40):
            pair.now += 0.125
            pair.ack("n2")
            pair.give(ev.Tick())
            assert pair.node.serving(pair.now) and to(pair) is None
        assert status(pair)["error"] == f"{OURS}; the role moves to n2 as soon as the store of the cluster record answers"
        store_answers(pair)
        assert to(pair) == "n2"

    @pytest.mark.parametrize("other", [{"full": FULL}, {"full": WAS_FULL}, {"unable": DEAD}, {"no_failover": True}])
    def test_nothing_moves_where_nobody_would_serve_better(self, pair, other):
        meet_again(pair, "n2", **other)
        fills(pair)
        store_answers(pair)
        assert to(pair) is None and pair.node.serving(pair.now), "reads are served"
        assert f"{OURS}; no in-sync passive would serve better, so the role stays" in status(pair)["error"]
        pair.write(1)
        assert pair.of(cmd.Reply)[0].result.code == "disk_full"

    def test_it_moves_when_another_has_room(self, pair):
        meet_again(pair, "n2", full=FULL)
        fills(pair)
        store_answers(pair)
        meet_again(pair, "n2")
        assert pair.of(cmd.ReadRecord)
        store_answers(pair)
        assert to(pair) == "n2"

    def test_it_stays_where_there_is_room_again(self, pair):
        fills(pair)
        empties(pair)
        store_answers(pair)
        assert to(pair) is None and status(pair)["error"] is None

    def test_a_read_for_an_earlier_full_disk_does_not_count(self, pair):
        fills(pair)
        empties(pair)
        passes(pair, STEADY + 1)
        store_answers(pair)
        pair.now += 0.01
        fills(pair)
        assert to(pair) is None and pair.of(cmd.ReadRecord)

    def test_a_pause_keeps_the_role_and_its_end_moves_it(self, pair):
        pair.give(ev.Operator(7, "pause"))
        pair.settle(7)
        fills(pair)
        store_answers(pair)
        assert to(pair) is None
        assert "while paused: `batonctl ha switch --to n2`, or `batonctl ha resume`" in status(pair)["error"]
        pair.give(ev.Operator(8, "resume"))
        pair.settle(8)
        store_answers(pair)
        assert to(pair) == "n2"

    def test_without_a_store_a_person_decides_and_is_told_how(self):
        script = manual()
        fills(script)
        store_answers(script)
        assert to(script) is None
        assert status(script)["error"] == f"{OURS}; n2 could: move the role with `batonctl ha switch --to n2`"

    def test_one_with_room_is_chosen_before_one_of_higher_priority(self, pair):
        trio = three(pair)
        meet_again(trio, "n2", priority=9, full=FULL)
        fills(trio)
        store_answers(trio)
        assert to(trio) == "n3"

    def test_a_dead_interface_gives_the_role_to_one_without_room_rather_than_to_nobody(self, pair):
        """Through the VIP everybody reads; and the other way round nothing moves, so it does not come back."""
        meet_again(pair, "n2", full=FULL)
        dies(pair)
        store_answers(pair)
        assert to(pair) == "n2"

    def test_of_two_without_a_vip_the_one_with_room_gets_it(self, pair):
        meet_again(pair, "n2", unable=DEAD)
        dies(pair)
        fills(pair)
        store_answers(pair)
        assert to(pair) == "n2"
        (swap,) = [c for c in pair.give(ev.Released()) if isinstance(c, cmd.Swap)]
        assert swap.record.reason == f"handed over by n1: {FULL}"


class TestRoomThatComesAndGoes:
    def test_it_is_said_when_it_has_stood_for_a_while(self):
        script = passive()
        fills(script)
        empties(script)
        assert said(script) == [("n1", WAS_FULL)] and status(script)["error"] is None
        assert passes(script, STEADY - 0.25) == []
        assert passes(script, 0.5) == ["n2 has room for changes again"] and status(script)["disk_full"] is None

    def test_a_disk_that_fills_again_soon_has_to_have_room_for_longer(self):
        script, waits = passive(), []
        for _time in range(12):
            fills(script)
            empties(script)
            began = script.now
            while script.node.standing.full:
                passes(script, 0.25)
            waits.append(round(script.now - began))
        assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
        passes(script, FORGET + 1)
        fills(script)
        empties(script)
        passes(script, STEADY + 0.25)
        assert not script.node.standing.full, "that was long ago"

    def test_room_for_less_than_a_while_is_none(self):
        script = passive()
        for _time in range(20):
            fills(script)
            passes(script, 1)
            empties(script)
            assert passes(script, STEADY / 2) == []
        assert script.node.standing.full == WAS_FULL

    def test_the_active_takes_changes_at_once(self, pair):
        meet_again(pair, "n2", full=FULL)
        fills(pair)
        empties(pair)
        pair.write(1)
        assert not pair.of(cmd.Reply), "it is on its way"

    def test_a_role_that_moved_stays_where_there_is_room(self, pair):
        """Whoever lost it has room again: nothing moves while its successor has room, too."""
        meet_again(pair, "n2", full=WAS_FULL)
        passes(pair, 20)
        assert to(pair) is None and pair.node.serving(pair.now)


class TestElections:
    def test_a_full_node_waits_for_one_with_room_and_then_takes_over_all_the_same(self):
        script = passive("n2")
        meet(script, "n3")
        fills(script)
        script.now += GRACE + TURNS_FOR_FITTER * STAGGER - 0.01
        assert tries(script) is None
        script.now += 0.02
        promoted = tries(script)
        assert promoted.active == "n2" and promoted.reason.endswith(f"nobody took over who has room for changes (n2: {FULL})")

    def test_who_has_room_does_not_wait_for_a_full_one_whatever_its_log_and_priority(self):
        script = passive("n3")
        meet(script, "n2", full=FULL, priority=9, end=Position(ORIGIN.epoch, 7))
        script.now += GRACE + 0.01
        assert tries(script).active == "n3"

    def test_the_vip_comes_before_the_disk(self):
        script = passive("n3")
        meet(script, "n2", unable=DEAD)
        fills(script)
        script.now += GRACE + 0.01
        assert tries(script).active == "n3"

    def test_where_all_are_full_nobody_waits_for_longer(self):
        script = passive("n2")
        meet(script, "n3", full=FULL)
        fills(script)
        script.now += GRACE + 0.01
        assert tries(script).active == "n2"


class TestOrders:
    def test_a_switch_to_a_full_node_is_refused_with_the_reason(self, pair):
        meet_again(pair, "n2", full=FULL)
        for target in ("n2", ""):
            (reply,) = [c for c in pair.give(ev.Operator(7, "switch", target)) if isinstance(c, cmd.Reply)]
            assert (reply.result.status, reply.result.code) == (409, "unable")
            assert reply.result.detail == f"n2 would refuse changes: {FULL}; make room there, or choose another; nothing was changed"
        assert to(pair) is None

    def test_a_switch_to_nobody_in_particular_passes_it_over(self, pair):
        trio = three(pair)
        meet_again(trio, "n2", full=FULL, priority=9)
        trio.give(ev.Operator(7, "switch"))
        assert to(trio) == "n3"

    def test_an_active_that_ends_hands_over_to_it_rather_than_to_nobody(self, pair):
        meet_again(pair, "n2", full=FULL)
        pair.give(ev.Operator(7, "switch", force=True))
        assert to(pair) == "n2"


class TestWhatIsSaid:
    def test_a_full_disk_is_said_at_once_and_once(self, pair):
        meet_again(pair, "n2", full=FULL)
        fills(pair)
        assert said(pair) == [("n2", FULL)]
        fills(pair)
        assert not said(pair)

    def test_it_is_said_again_and_the_others_are_asked(self):
        script = serving()
        meet_again(script, "n2", full=FULL)
        fills(script)
        script.now += SAY_AGAIN + 0.1
        script.give(ev.Tick())
        sent = [s.message for s in script.of(cmd.Send) if isinstance(s.message, messages.Hello)]
        assert [(hello.full, hello.answer) for hello in sent] == [(FULL, True)]

    def test_an_older_version_says_nothing_of_it_and_has_room(self):
        hello = {**wire(), "full": FULL}
        assert messages.from_json(hello).full == FULL
        del hello["full"]
        assert messages.from_json(hello).full == ""

    @pytest.mark.parametrize("full", [None, True, ["x"], "x" * 201, "two\nlines"])
    def test_what_is_no_printable_line_is_no_hello(self, full):
        with pytest.raises(ValueError, match="printable line"):
            messages.from_json({**wire(), "full": full})

    def test_the_journal_says_it_on_both_sides(self, pair):
        meet_again(pair, "n2", full=FULL)
        assert notes(pair) == [f"n2 would refuse changes: {FULL}"]
        meet_again(pair, "n2", full=WAS_FULL)
        assert not notes(pair)
        meet_again(pair, "n2")
        assert notes(pair) == ["n2 has room for changes again"]
        fills(pair)
        assert notes(pair) == [f"n1 would refuse changes: {FULL}"]


class TestStatus:
    def test_the_active_says_that_after_the_next_failover_changes_are_refused(self, pair):
        meet_again(pair, "n2", full=FULL)
        assert status(pair)["error"] == (
            f"n2 would refuse changes: {FULL}; no passive would take changes now: if n1 fails, they are refused"
        )
        assert nodes(pair, "disk_full") == {"n1": None, "n2": FULL}
        assert nodes(pair, "electable") == {"n1": True, "n2": True}, "the last one would take over: reads are better than nothing"

    def test_with_another_that_has_room_only_the_full_one_is_named(self, pair):
        trio = three(pair)
        meet_again(trio, "n2", full=FULL)
        assert status(trio)["error"] == f"n2 would refuse changes: {FULL}"
        assert nodes(trio, "electable") == {"n1": True, "n2": False, "n3": True}

    def test_an_active_says_of_itself_what_becomes_of_the_role(self, pair):
        fills(pair)
        found = status(pair)
        assert (found["error"], found["disk_full"]) == (f"{OURS}; the role moves to n2", FULL)
        assert found["serving"] and nodes(pair, "electable") == {"n1": False, "n2": True}

    def test_a_passive_says_it_of_itself_and_of_others(self):
        script = passive()
        meet(script, "n3", full=FULL)
        fills(script)
        assert status(script)["error"] == f"{OURS}; n3 would refuse changes: {FULL}"

    def test_who_only_holds_a_copy_says_it_of_itself_alone(self, pair):
        meet_again(pair, "n2", full=FULL, no_failover=True)
        assert status(pair)["error"] is None
        script = passive(no_failover=True)
        fills(script)
        assert status(script)["error"] == OURS


def test_a_hand_over_that_is_called_off_is_not_begun_again_at_once(pair):
    pair.write(1)  # never acknowledged: it can't be drained
    fills(pair)
    store_answers(pair)
    assert to(pair) == "n2"
    while to(pair) is not None:
        alive(pair)
    store_answers(pair)
    assert to(pair) is None
