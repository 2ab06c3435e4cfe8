# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node on which the VIP would not work, as scripts: it hands its role over, is passed over, and everybody says so."""

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model import messages
from baton.core.model.log import ORIGIN, Position
from baton.core.roles.able import PAUSE
from baton.core.roles.election import TURNS_FOR_FITTER
from baton.core.roles.links import SAY_AGAIN
from support.script import (
    CLOSED,
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
    passive,
    record,
    serving,
    status,
    store_answers,
    three,
    tries,
    wire,
)


def hellos(script):
    return [(send.node, send.message.unable) for send in script.of(cmd.Send) if isinstance(send.message, messages.Hello)]


@pytest.fixture
def pair():
    return met()


class TestHandingOver:
    def test_it_begins_in_the_event_that_tells_of_the_dead_interface(self, pair):
        dies(pair)
        assert hellos(pair) == [("n2", DEAD)] and pair.of(cmd.ReadRecord)
        store_answers(pair)
        assert [lease.until for lease in pair.of(cmd.Lease)] == [None], "drained already: the VIP is given up at once"
        (swap,) = [c for c in pair.give(ev.Released()) if isinstance(c, cmd.Swap)]
        assert (swap.record.active, swap.record.reason) == ("n2", f"handed over by n1: {DEAD}")

    def test_while_the_store_is_silent_nothing_is_given_up(self, pair):
        """I6: a hand-over whose swap comes to no end would stop the service for as long as the store is out."""
        dies(pair)
        for _tick in range(40):
            pair.now += 0.125
            pair.ack("n2")
            pair.give(ev.Tick())
            assert pair.node.serving(pair.now) and pair.node.leading.handover is None
        assert "as soon as the store of the cluster record answers" in status(pair)["error"]
        store_answers(pair)
        assert pair.node.leading.handover.to == "n2"

    def test_while_the_store_refuses_it_is_not_said_that_the_role_moves(self, pair):
        pair.give(ev.DcsHealth(False, "etcd is out of space"))
        dies(pair)
        store_answers(pair)
        assert pair.node.leading.handover is None
        assert "n2 could, but the role can't move while the store" in status(pair)["error"]
        pair.give(ev.DcsHealth(True, ""))
        store_answers(pair)
        assert pair.node.leading.handover.to == "n2"

    def test_what_an_earlier_read_showed_does_not_count(self, pair):
        store_answers(pair)
        pair.now += 0.01
        dies(pair)
        assert pair.node.leading.handover is None

    @pytest.mark.parametrize("other", [{"unable": CLOSED}, {"no_failover": True}])
    def test_nothing_moves_where_nobody_could_hold_it(self, pair, other):
        meet_again(pair, "n2", **other)
        dies(pair)
        pair.give(ev.Tick())
        assert not pair.of(cmd.ReadRecord)
        store_answers(pair)
        assert pair.node.leading.handover is None and pair.node.serving(pair.now)
        assert "the role stays" in status(pair)["error"]

    def test_it_moves_when_another_can(self, pair):
        meet_again(pair, "n2", unable=CLOSED)
        dies(pair)
        store_answers(pair)
        meet_again(pair, "n2")
        assert pair.of(cmd.ReadRecord)
        store_answers(pair)
        assert pair.node.leading.handover.to == "n2"

    def test_it_stays_where_it_works_again(self, pair):
        dies(pair)
        dies(pair, "")
        assert hellos(pair) == [("n2", "")]
        store_answers(pair)
        assert pair.node.leading.handover is None and status(pair)["error"] is None

    def test_nothing_moves_without_a_link_or_fresh_acknowledgements(self, pair):
        pair.give(ev.LinkDown("n2"))
        dies(pair)
        assert not pair.of(cmd.ReadRecord)
        pair.give(ev.LinkUp("n2"))
        pair.now += 1.01
        assert not [c for c in pair.give(ev.Flush()) if isinstance(c, cmd.ReadRecord)]
        pair.ack("n2")
        assert pair.of(cmd.ReadRecord)

    def test_a_pause_keeps_the_role_and_its_end_moves_it(self, pair):
        pair.give(ev.Operator(7, "pause"))
        pair.settle(7)
        dies(pair)
        store_answers(pair)
        assert pair.node.leading.handover is None
        assert "while paused: `batonctl ha switch --to n2`, or `batonctl ha resume`" in status(pair)["error"]
        pair.give(ev.Operator(8, "resume"))
        pair.settle(8)
        store_answers(pair)
        assert pair.node.leading.handover.to == "n2"

    def test_without_a_store_a_person_decides_and_is_told_how(self):
        script = manual()
        dies(script)
        store_answers(script)
        assert script.node.leading.handover is None
        assert "move the role with `batonctl ha switch --to n2`" in status(script)["error"]

    def test_while_a_change_is_under_way_it_waits_for_its_end(self, pair):
        meet(pair, "n3")
        pair.node.leading.change_record("touch", "n2", pair.node.record, pair.now)
        dies(pair)
        store_answers(pair)
        assert pair.node.leading.handover is None
        pair.settle(7)
        assert pair.of(cmd.ReadRecord)
        store_answers(pair)
        assert pair.node.leading.handover.to == "n2"

    def test_one_that_was_called_off_is_tried_again_after_a_pause(self, pair):
        pair.write(1)  # never acknowledged: it can't be drained
        dies(pair)
        store_answers(pair)
        assert pair.node.leading.handover is not None
        while pair.node.leading.handover is not None:
            alive(pair)
        assert "switch aborted: this node goes on being active" in [note.text for note in pair.of(cmd.Note)]
        began = pair.now
        while pair.node.leading.handover is None:
            alive(pair)
            store_answers(pair)
        assert PAUSE <= pair.now - began <= PAUSE + 1

    def test_one_that_was_carried_out_leaves_no_pause_behind(self, pair):
        dies(pair)
        store_answers(pair)
        pair.give(ev.Released())
        dies(pair, "")
        pair.settle(7)
        assert pair.node.role == "passive" and pair.node.record.active == "n2"
        back = pair.node.record
        back = record(number=back.epoch.number + 1, holder="n2", active="n1")
        pair.give(ev.RecordRead(8, back))
        pair.stored()
        meet_again(pair, "n2")
        pair.ack("n2")
        assert pair.node.serving(pair.now)
        dies(pair)
        store_answers(pair)
        assert pair.node.leading.handover.to == "n2"

    def test_another_is_tried_at_once(self, pair):
        trio = three(pair)
        trio.write(1)
        dies(trio)
        store_answers(trio)
        assert trio.node.leading.handover.to == "n2"
        trio.give(ev.LinkDown("n2"))
        trio.now += 0.6
        leaves(trio, "n2")
        assert trio.node.leading.handover is None
        store_answers(trio)
        assert trio.node.leading.handover.to == "n3"

    def test_the_best_of_the_able_gets_it(self, pair):
        trio = three(pair)
        meet_again(trio, "n2", priority=9, unable=CLOSED)
        dies(trio)
        store_answers(trio)
        assert trio.node.leading.handover.to == "n3"

    def test_who_has_it_although_unable_gives_it_on_and_not_back(self):
        """n2 has taken over from n1, whose interface is dead, too; it gives the role to n3 alone."""
        script = serving()
        meet_again(script, "n2", unable=CLOSED)
        script.ack("n2")
        dies(script)
        assert script.node.leading.handover is None
        trio = three(script)
        store_answers(trio)
        store_answers(trio)
        assert trio.node.leading.handover.to == "n3"


def leaves(script, name):
    """``name`` is not in sync any more."""
    state = script.node.state
    state.remember(state.version + 1, script.node.record.without(name))
    script.ack("n3", matched=0)
    script.give(ev.Tick())


class TestElections:
    def test_an_unable_node_waits_for_an_able_one_and_then_takes_over_all_the_same(self):
        script = passive("n2")
        meet(script, "n3")
        dies(script)
        script.now += GRACE + TURNS_FOR_FITTER * STAGGER - 0.01
        assert tries(script) is None
        script.now += 0.02
        promoted = tries(script)
        assert promoted.active == "n2" and promoted.reason.endswith(f"nobody took over who can hold the VIP (n2: {DEAD})")

    def test_an_able_node_does_not_wait_for_an_unable_one(self):
        script = passive("n3")
        meet(script, "n2", unable=DEAD, priority=9)
        script.now += GRACE + 0.01
        assert tries(script).active == "n3"

    def test_nor_for_one_whose_log_is_longer(self):
        """What it has beyond ours was acknowledged to nobody: else it would be on our disk."""
        script = passive("n3")
        meet(script, "n2", unable=DEAD, end=Position(ORIGIN.epoch, 7))
        script.now += GRACE + 0.01
        assert tries(script).active == "n3"

    def test_of_two_unable_ones_the_better_goes_first(self):
        script = passive("n2")
        meet(script, "n3", unable=DEAD, priority=9)
        dies(script)
        script.now += GRACE + 0.01
        assert tries(script) is None
        script.now += STAGGER
        assert tries(script) is not None

    def test_the_only_one_left_does_not_wait(self):
        script = passive(members=("n1", "n2"))
        dies(script)
        script.now += GRACE + 0.01
        assert tries(script).active == "n2"

    def test_after_a_release_notice_the_able_one_goes_first_too(self):
        script = passive("n2")
        meet(script, "n3")
        dies(script)
        notice = ev.ReleaseNotice("n1", script.node.record.epoch)
        script.give(notice)
        assert not script.of(cmd.ReadRecord)
        script.now += TURNS_FOR_FITTER * STAGGER
        script.give(ev.Tick())
        assert script.of(cmd.ReadRecord)

    def test_a_reign_that_begins_without_a_vip_ends_when_another_can(self):
        script = passive("n2")
        dies(script)
        script.now += GRACE + 0.01
        assert tries(script).active == "n2"
        script.settle(6)
        script.stored()
        meet_again(script, "n3")
        script.ack("n3")
        script.give(ev.Flush())
        script.stored()
        script.ack("n3")
        store_answers(script)
        assert script.node.leading.handover.to == "n3"


class TestOrders:
    def test_a_switch_to_an_unable_node_is_refused_with_the_reason(self, pair):
        meet_again(pair, "n2", unable=DEAD)
        for to in ("n2", ""):
            (reply,) = [c for c in pair.give(ev.Operator(7, "switch", to)) if isinstance(c, cmd.Reply)]
            assert (reply.result.status, reply.result.code) == (409, "unable")
            assert reply.result.detail.startswith(f"n2 can't hold the VIP: {DEAD}; repair that, or choose another")
        assert pair.node.leading.handover is None

    def test_a_switch_to_nobody_in_particular_passes_it_over(self, pair):
        trio = three(pair)
        meet_again(trio, "n2", unable=DEAD, priority=9)
        trio.give(ev.Operator(7, "switch"))
        assert trio.node.leading.handover.to == "n3"

    def test_an_active_that_ends_hands_over_to_it_rather_than_to_nobody(self, pair):
        meet_again(pair, "n2", unable=DEAD)
        pair.give(ev.Operator(7, "switch", force=True))
        assert pair.node.leading.handover.to == "n2"

    def test_a_switch_that_was_scheduled_is_called_off_at_its_time(self, pair):
        pair.give(ev.Operator(7, "switch", "n2", at=pair.now + 0.5))
        pair.give(ev.Flush())
        pair.stored()
        pair.ack("n2")
        meet_again(pair, "n2", unable=DEAD)
        pair.now += 0.6
        pair.give(ev.Tick())
        assert pair.node.leading.handover is None
        assert any("called off: n2 can't hold the VIP" in note.text for note in pair.of(cmd.Note))


class TestWhatIsSaid:
    def test_a_change_is_said_at_once_and_once(self, pair):
        dies(pair)
        assert hellos(pair) and not hellos_after(pair, ev.VipHealth(DEAD))
        assert hellos_after(pair, ev.VipHealth(CLOSED)) == [("n2", CLOSED)]
        assert hellos_after(pair, ev.VipHealth("")) == [("n2", "")]

    def test_a_dead_interface_is_said_again_and_the_others_are_asked(self):
        """What was lost on the way must not keep the role where it does not work."""
        script = serving()
        meet_again(script, "n2", unable=CLOSED)
        dies(script)
        script.now += SAY_AGAIN + 0.1
        script.give(ev.Tick())
        sent = [s.message for s in script.of(cmd.Send) if isinstance(s.message, messages.Hello)]
        assert [(hello.unable, hello.answer) for hello in sent] == [(DEAD, True)]

    def test_an_older_version_says_nothing_of_it_and_is_able(self):
        said = wire(unable=DEAD)
        assert messages.from_json(said).unable == DEAD
        del said["unable"]
        assert messages.from_json(said).unable == ""

    @pytest.mark.parametrize("unable", [None, 1, ["x"], "x" * 201, "two\nlines", "\x1b[31m"])
    def test_what_is_no_printable_line_is_no_hello(self, unable):
        with pytest.raises(ValueError, match="printable line"):
            messages.from_json({**wire(), "unable": unable})

    def test_what_we_say_is_a_printable_line_whatever_the_interface_is_called(self, pair):
        dies(pair, "eth\n" + 300 * "é")
        ((_node, said),) = hellos(pair)
        assert messages.from_json({**wire(), "unable": said}).unable == said

    def test_the_journal_says_it_on_both_sides(self, pair):
        dies(pair)
        assert [n.text for n in pair.of(cmd.Note)] == [f"n1 can't hold the VIP: {DEAD}"]
        dies(pair, "")
        assert [n.text for n in pair.of(cmd.Note)] == ["n1 can hold the VIP again"]
        meet_again(pair, "n2", unable=CLOSED)
        assert [n.text for n in pair.of(cmd.Note)] == [f"n2 can't hold the VIP: {CLOSED}"]
        meet_again(pair, "n2", unable=CLOSED)
        assert not pair.of(cmd.Note)
        meet_again(pair, "n2")
        assert [n.text for n in pair.of(cmd.Note)] == ["n2 can hold the VIP again"]


def hellos_after(script, event):
    script.give(event)
    return hellos(script)


class TestStatus:
    def test_a_pair_that_works_says_nothing(self, pair):
        found = status(pair)
        assert found["error"] is None and found["unable"] is None
        assert nodes(pair, "able") == {"n1": True, "n2": True} == nodes(pair, "electable")

    def test_the_active_says_that_the_next_failover_would_cost_the_vip(self, pair):
        meet_again(pair, "n2", unable=DEAD)
        assert status(pair)["error"] == (
            f"n2 can't hold the VIP: {DEAD}; no passive could hold the VIP now: if n1 fails, the VIP fails with it"
        )
        assert nodes(pair, "unable") == {"n1": None, "n2": DEAD} and nodes(pair, "able") == {"n1": True, "n2": False}

    def test_with_another_that_could_only_the_dead_one_is_named(self, pair):
        trio = three(pair)
        meet_again(trio, "n2", unable=DEAD)
        assert status(trio)["error"] == f"n2 can't hold the VIP: {DEAD}"
        assert nodes(trio, "electable") == {"n1": True, "n2": False, "n3": True}

    def test_the_last_one_is_electable_since_it_would_take_over(self, pair):
        meet_again(pair, "n2", unable=DEAD)
        assert nodes(pair, "electable") == {"n1": True, "n2": True}

    def test_an_active_that_can_not_hold_it_says_so_of_itself(self, pair):
        dies(pair)
        found = status(pair)
        assert found["unable"] == DEAD and found["error"] == f"n1 can't hold the VIP: {DEAD}; the role moves to n2"
        assert found["serving"], "documents without a VIP are better than none"
        assert nodes(pair, "electable") == {"n1": False, "n2": True}

    def test_a_passive_says_it_of_itself_and_of_others(self):
        script = passive()
        meet(script, "n3", unable=CLOSED)
        dies(script)
        assert status(script)["error"] == f"n2 can't hold the VIP: {DEAD}; n3 can't hold the VIP: {CLOSED}"

    def test_who_only_holds_a_copy_needs_no_vip(self, pair):
        meet_again(pair, "n2", unable=DEAD, no_failover=True)
        assert status(pair)["error"] is None
        script = passive(no_failover=True)
        dies(script)
        assert status(script)["error"] is None and status(script)["unable"] == DEAD

    def test_but_the_active_needs_one_whatever_it_was_told_to_be(self):
        script = serving(no_failover=True)
        meet_again(script, "n2", unable=CLOSED)
        dies(script)
        assert status(script)["error"].startswith(f"n1 can't hold the VIP: {DEAD}; no in-sync passive could either")
        script = passive()
        meet(script, "n1", role="active", unable=DEAD, no_failover=True)
        assert status(script)["error"] == f"n1 can't hold the VIP: {DEAD}"
