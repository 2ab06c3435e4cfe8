# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that are set back, and stores that are, as scripts: nobody is made active by what is older than was acknowledged."""

from dataclasses import replace

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model.log import ORIGIN, Entry, Epoch, Position
from baton.core.model.messages import Tail, TailWanted
from baton.core.model.saved import Saved
from baton.ground.problem import Problem
from support.script import GRACE, Script, meet, passive, record, serving, tries

EPOCH = Epoch(1, "e1")


def log(count, epoch=EPOCH, name="n1", **more):
    """What a disk holds whose log has ``count`` entries of one epoch."""
    entries = [Entry.make(seq, epoch, 0, {"effects": []}) for seq in range(1, count + 1)]
    return Saved(f"{name}-disk", cluster_id="c1", promised=epoch, entries=entries, **more)


class TestFloor:
    def test_a_passive_below_it_does_not_try(self):
        script = passive(members=("n1", "n2"))
        script.standing = record(members=("n1", "n2"), number=3, floor=7)
        script.give(ev.RecordRead(5, script.standing))
        script.now += GRACE * 3
        assert tries(script) is None

    def test_an_entry_of_another_reign_does_not_reach_it(self):
        script = Script("n2", saved=log(9, Epoch(2, "lost"), "n2"))
        script.give(ev.Started())
        script.give(ev.RecordRead(5, record(number=3, floor=7, floor_epoch=Epoch(2, "committed"))))
        assert "set back" in script.node.trouble

    @pytest.mark.parametrize(("force", "code"), [(False, "set_back"), (True, None)])
    def test_by_order_it_is_refused_and_a_force_says_what_is_lost(self, force, code):
        script = passive(members=("n1", "n2"))
        script.give(ev.RecordRead(6, record(members=("n1", "n2"), number=3, floor=7)))
        script.now += GRACE * 2
        script.give(ev.Operator(1, "promote", force=force))
        if not force:
            assert script.of(cmd.Reply)[0].result.code in (code, "not_ready")
            return
        script.stored()
        (swap,) = script.of(cmd.Swap)
        assert swap.record.in_sync == (script.node.me,) and swap.record.forced == swap.record.epoch.number
        script.give(ev.SwapAnswer(swap.record.nonce, True, 7))
        assert "acknowledged after entry" in script.of(cmd.Reply)[0].result["may_be_lost"]

    def test_a_reign_below_it_is_a_bug_and_ends_the_process(self):
        script = Script()
        script.give(ev.Started())
        script.node.state.remember(5, record(members=("n1",), floor=7))
        with pytest.raises(ValueError, match="below the floor"):
            script.node._lead("start", script.now)


class TestRecovery:
    def start(self, ours=5, **more):
        script = Script(saved=log(ours, **more))
        script.give(ev.Started())
        script.give(ev.RecordRead(5, record(number=1)))
        assert not script.of(cmd.Swap), "n2 has not been heard"
        return script

    def test_a_restarted_active_waits_for_the_others_a_moment_and_no_longer(self):
        script = self.start()
        script.now += script.node.config.timing.silence + 0.1
        script.give(ev.RecordRead(5, record(number=1)))
        assert script.of(cmd.Swap)

    def test_it_takes_over_what_it_lost(self):
        script = self.start(5)
        meet(script, "n2", promised=EPOCH, end=Position(EPOCH, 8), applied=Position(EPOCH, 3), speaks=2)
        (ask,) = [c.message for c in script.of(cmd.Send) if isinstance(c.message, TailWanted)]
        assert ask.after == Position(EPOCH, 5)
        entries = tuple(Entry.make(seq, EPOCH, 0, {"effects": []}) for seq in (6, 7, 8))
        script.give(ev.Received("n2", Tail(ask.after, entries)))
        assert [entry.seq for store in script.of(cmd.Store) for entry in store.entries] == [6, 7, 8]
        assert script.of(cmd.Swap)

    @pytest.mark.parametrize("sent", [(7, 8), (6, 8)])
    def test_entries_that_do_not_follow_are_not_taken(self, sent):
        script = self.start(5)
        meet(script, "n2", promised=EPOCH, end=Position(EPOCH, 8), speaks=2)
        entries = tuple(Entry.make(seq, EPOCH, 0, {"effects": []}) for seq in sent)
        script.give(ev.Received("n2", Tail(Position(EPOCH, 5), entries)))
        assert script.node.state.log.end.seq == 5

    def test_an_older_version_is_not_asked(self):
        script = self.start(5)
        meet(script, "n2", promised=EPOCH, end=Position(EPOCH, 8))
        assert not [c for c in script.of(cmd.Send) if isinstance(c.message, TailWanted)] and script.of(cmd.Swap)

    def test_whoever_asks_without_being_the_active_of_the_record_gets_nothing(self):
        script = passive("n2", members=("n1", "n2", "n3"))
        script.give(ev.Received("n3", TailWanted(ORIGIN)))
        assert not script.of(cmd.Send)
        script.give(ev.Received("n1", TailWanted(ORIGIN)))
        assert isinstance(script.of(cmd.Send)[0].message, Tail)


class TestOlderRecords:
    def doubt(self, script, version, shown):
        """The store goes on showing it."""
        script.give(ev.RecordRead(version, shown))
        script.now += 1.5
        return script.give(ev.RecordRead(version, shown))

    def test_a_passive_that_promised_a_newer_epoch_does_not_believe_it(self):
        script = passive(members=("n1", "n2"))
        script.standing = record(members=("n1", "n2"), number=2)
        self.doubt(script, 99, script.standing)
        assert "older" in script.node.trouble
        script.now += GRACE * 2
        assert not script.give(ev.Tick()) or not script.of(cmd.Swap)

    def test_an_epoch_beside_ours_is_not_believed_either(self):
        script = passive(members=("n1", "n2"))
        self.doubt(script, 99, replace(record(members=("n1", "n2"), number=3), epoch=Epoch(3, "other")))
        assert script.node.trouble

    def test_the_active_needs_whoever_could_be_promoted_by_it(self):
        script = serving()
        active = script.node
        self.doubt(script, 3, record(members=("n1", "n2", "n9"), number=1))
        assert {member.node for member in active.leading.counted()} == {"n2", "n9"}
        script.ack("n2")
        script.now += active.config.timing.lease
        script.ack("n2")
        assert not active.serving(script.now), "n9 may be active by now"
        assert "older" in active.leading.error(script.now)


def test_what_was_known_of_the_record_is_enough_to_follow_but_not_to_begin():
    kept = record(members=("n1", "n2"), number=3)
    script = Script("n2", saved=Saved("n2-disk", cluster_id="c1", promised=kept.epoch, known=5, record=kept, record_version=5))
    script.give(ev.Started())
    assert script.node.role == "passive"
    script = Script("n1", saved=Saved("n1-disk", cluster_id="c1", promised=kept.epoch, known=5, record=kept, record_version=5))
    script.give(ev.Started())
    meet(script, "n2")
    assert script.node.role == "starting" and not script.of(cmd.Swap)


def test_a_problem_names_what_to_do():
    with pytest.raises(Problem, match="--force"):
        script = passive(members=("n1", "n2"))
        script.node.state.remember(6, record(members=("n1", "n2"), number=3, floor=7))
        script.node.orders._check_floor()
