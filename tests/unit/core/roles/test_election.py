# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a passive becomes active by itself, as scripts: silence, its turn, release notices, pauses; and what is kept of it."""

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model.log import Epoch
from baton.core.model.record import Record
from support.script import EPOCH, GRACE, LEASE, STAGGER, Script, hear, meet, passive, record, tries


def test_after_a_full_grace_of_silence_it_tries():
    script = passive(members=("n1", "n2"))
    script.now += GRACE - 0.01
    assert tries(script) is None
    script.now += 0.02
    promoted = tries(script)
    assert (promoted.active, promoted.epoch.number, promoted.nodes()) == ("n2", 4, {"n2"})


def test_every_word_of_the_active_begins_the_grace_anew():
    script = passive(members=("n1", "n2"))
    script.now += GRACE - 0.01
    hear(script)
    script.now += GRACE - 0.01
    assert tries(script) is None


def test_while_the_store_is_silent_nothing_is_noted_so_that_a_healed_link_costs_nothing():
    """I6: a passive that had noted a promotion would be deaf to the active until the store is back."""
    script = passive(members=("n1", "n2"))
    script.now += GRACE + 0.1
    assert script.give(ev.Tick()) and script.of(cmd.ReadRecord) and not script.of(cmd.Store)
    hear(script)
    script.give(ev.RecordRead(5, script.standing))
    assert not script.of(cmd.Store) and script.node.role == "passive"


def test_the_second_waits_for_its_turn():
    first, second = passive("n2"), passive("n3")
    for script, other in ((first, "n3"), (second, "n2")):
        meet(script, other)
        script.now += GRACE + 0.01
    assert tries(first) is not None and tries(second) is None
    second.now += STAGGER
    assert tries(second) is not None


@pytest.mark.parametrize("other", [{"priority": 1}, {"no_failover": True, "priority": 1}])
def test_priority_decides_among_equals_and_who_may_never_lead_is_not_waited_for(other):
    script = passive("n2")
    meet(script, "n3", **other)
    script.now += GRACE + 0.01
    assert (tries(script) is None) == ("no_failover" not in other)


def test_who_is_not_electable_never_tries():
    for script in (passive(no_failover=True), passive(members=("n1", "n3")), passive(shared=False)):
        script.now += 10 * GRACE
        assert tries(script) is None, script.node.config


def test_a_pause_stops_it():
    script = passive()
    script.give(ev.RecordRead(6, record(members=("n1", "n2", "n3"), number=3, paused=True)))
    script.now += 10 * GRACE
    assert tries(script) is None and not script.of(cmd.Store)


def test_a_pause_whose_end_nobody_could_tell_of_is_looked_up():
    script = passive(members=("n1", "n2"))
    script.give(ev.RecordRead(6, record(number=3, paused=True)))
    script.now += 10 * GRACE
    script.give(ev.Tick())
    assert script.of(cmd.ReadRecord)
    script.give(ev.RecordRead(7, record(number=3)))
    script.give(ev.Tick())
    script.now += 1
    script.give(ev.Tick())
    assert script.of(cmd.ReadRecord)
    script.give(ev.RecordRead(7, record(number=3)))
    script.stored()
    assert script.of(cmd.Swap)


def test_a_restart_and_a_lost_swap_begin_a_full_grace():
    script = Script("n2")
    script.standing = record(number=3)
    script.give(ev.Started())
    script.give(ev.RecordRead(5, script.standing))
    script.now += GRACE - 0.01
    assert tries(script) is None
    script.now += 0.02
    assert tries(script) is not None
    script.give(ev.RecordRead(6, record(number=4)))
    assert script.node.role == "passive"
    script.standing = script.node.record
    script.now += GRACE - 0.01
    script.give(ev.Tick())
    assert not script.of(cmd.ReadRecord)


def test_a_release_notice_of_this_reign_skips_the_grace_and_the_search_for_another_holder():
    """M4."""
    script = passive(members=("n1", "n2"))
    script.give(ev.ReleaseNotice("n1", EPOCH))
    assert script.of(cmd.ReadRecord)
    script.give(ev.RecordRead(5, script.standing))
    script.stored()
    script.settle(6)
    script.stored()
    assert [(lease.until, lease.free) for lease in script.of(cmd.Lease)][-1] == (script.now + LEASE, True)


@pytest.mark.parametrize(("node", "epoch"), [("n1", Epoch(2, "e2")), ("n1", Epoch(3, "x")), ("n3", EPOCH)])
def test_a_notice_of_another_reign_or_node_means_nothing(node, epoch):
    script = passive()
    assert not script.give(ev.ReleaseNotice(node, epoch)) and tries(script) is None


def test_after_mere_silence_the_network_is_asked_who_holds_the_vip():
    script = passive(members=("n1", "n2"))
    script.now += GRACE + 0.1
    assert tries(script) is not None
    script.settle(6)
    script.stored()
    assert [lease.free for lease in script.of(cmd.Lease)] == [False]


def test_a_closed_link_is_not_a_release():
    script = passive()
    script.give(ev.LinkDown("n1"))
    assert tries(script) is None


def test_the_history_says_who_and_why():
    script = passive(members=("n1", "n2"), wall_offset=1000.0)
    script.give(ev.ReleaseNotice("n1", EPOCH))
    script.give(ev.RecordRead(5, script.standing))
    script.stored()
    script.settle(6)
    script.stored()
    (kept,) = script.node.state.heads.list("history")
    assert kept.key == "4" and kept.value["Node"] == "n2" and kept.value["Reason"] == "n1 ended"
    assert kept.value["At"] == script.now + 1000


class TestOrders:
    """n1 active, n2 in sync."""

    @pytest.fixture
    def pair(self):
        script = Script()
        script.give(ev.Started())
        script.hello("n2")
        script.give(ev.RecordRead(5, record()))
        script.settle(6)
        script.stored()
        meet(script, "n2")
        script.ack("n2")
        script.give(ev.Flush())
        script.stored()
        script.ack("n2")
        return script

    def test_pause_is_part_of_the_record(self, pair):
        (swap,) = [c for c in pair.give(ev.Operator(7, "pause")) if isinstance(c, cmd.Swap)]
        assert swap.record.paused and swap.record.epoch == pair.node.record.epoch
        pair.settle(7)
        assert [reply.result for reply in pair.of(cmd.Reply)] == [{"paused": True}] and pair.node.serving(pair.now)

    def test_a_switch_to_who_may_never_lead_is_refused(self, pair):
        meet(pair, "n2", no_failover=True)
        for to in ("n2", ""):
            (reply,) = [c for c in pair.give(ev.Operator(7, "switch", to)) if isinstance(c, cmd.Reply)]
            assert reply.result.status == 409 and pair.node.leading.handover is None

    def test_a_scheduled_switch_happens_once_at_its_time(self, pair):
        pair.give(ev.Operator(7, "switch", "n2", "window", at=pair.now + 0.5))
        pair.give(ev.Flush())
        pair.stored()
        pair.ack("n2")
        assert pair.node.state.heads.committed("system", "switch").value["To"] == "n2"
        pair.give(ev.Tick())
        assert pair.node.leading.handover is None
        pair.now += 0.6
        pair.give(ev.Tick())
        assert pair.node.leading.handover.to == "n2" and pair.node.state.heads.speculative("system", "switch") is None
        assert not pair.of(cmd.Lease), "its own deletion is drained first"

    def test_a_schedule_in_the_past_is_refused_and_one_can_be_cancelled(self, pair):
        (reply,) = [c for c in pair.give(ev.Operator(7, "switch", "n2", at=pair.now - 1)) if isinstance(c, cmd.Reply)]
        assert reply.result.code == "in_the_past"
        pair.give(ev.Operator(8, "switch", "n2", at=pair.now + 9))
        pair.give(ev.Operator(9, "unschedule"))
        assert pair.node.state.heads.speculative("system", "switch") is None


def test_who_paused_ends_with_the_pause_though_an_older_version_passes_it_on():
    passed_on = {**Record("c", Epoch(3, "e"), "n1", ()).to_json(), "paused": False, "paused_by": "alice", "paused_at": 7}
    assert (Record.from_json(passed_on).paused_by, Record.from_json(passed_on).paused_at) == ("", 0)
    stands = Record.from_json({**passed_on, "paused": True})
    assert (stands.paused_by, stands.paused_at) == ("alice", 7) and stands.to_json()["paused_by"] == "alice"
