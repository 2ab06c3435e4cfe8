# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store that refuses changes, as scripts: it is said once, nothing is begun that needs it, and what was begun is called off."""

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model.messages import Ack
from baton.core.model.saved import Saved
from baton.ground.problem import Problem
from support.script import GRACE, LEASE, Script, hear, passive, record, serving, tries

FULL = "etcd is out of space"
LET_GO = 0.4  # seconds after which a swap is sent again


def texts(script, level):
    return [note.text for note in script.of(cmd.Note) if note.level == level]


def order(script, what, number=1, **more):
    """Give an order; return its answer, None while there is none."""
    script.give(ev.Operator(number, what, **more))
    replies = [reply.result for reply in script.of(cmd.Reply) if reply.id == number]
    return replies[0] if replies else None


def test_trouble_is_noted_once_and_its_end_when_it_is_proven():
    script = serving()
    script.give(ev.DcsHealth(False, FULL))
    assert texts(script, "error") == [FULL]
    script.give(ev.DcsHealth(False, FULL))
    assert texts(script, "error") == []
    script.give(ev.DcsHealth(None))
    assert texts(script, "info") == [], "that it is not known any more is no end of it"
    script.give(ev.DcsHealth(False, FULL))
    assert texts(script, "error") == [], "said already"
    script.give(ev.DcsHealth(True))
    assert texts(script, "info") == ["the store of the cluster record takes changes again"]


def test_a_passive_does_not_try_while_the_store_refuses_and_tries_once_it_takes_changes():
    script = passive(members=("n1", "n2"))
    script.give(ev.DcsHealth(False, FULL))
    script.now += GRACE + 1
    assert tries(script) is None
    script.give(ev.DcsHealth(True))
    assert tries(script).active == "n2"


def test_what_is_not_known_of_the_store_keeps_nobody_from_trying():
    script = passive(members=("n1", "n2"))
    script.give(ev.DcsHealth(None))
    script.now += GRACE + 1
    assert tries(script).active == "n2"


@pytest.mark.parametrize("what", ["switch", "give_up", "pause"])
def test_an_order_that_needs_the_store_is_refused_and_serving_goes_on(what):
    script = serving()
    script.give(ev.DcsHealth(False, FULL))
    answer = order(script, what)
    assert isinstance(answer, Problem) and answer.code == "store_refuses"
    assert answer.detail == f"{FULL}; nothing was changed"
    assert script.node.serving(script.now) and not script.of(cmd.Lease)


def test_a_node_is_not_made_active_by_a_store_that_refuses_not_even_by_force():
    script = passive(members=("n1", "n2"))
    script.give(ev.DcsHealth(False, FULL))
    script.now += GRACE + 1
    for force in (False, True):
        assert order(script, "promote", force=force).code == "store_refuses"
    assert script.node.role == "passive" and script.node.state.noted == -1


# --- refused in the middle ---


def switching():
    """n1, whose VIP is gone for a switch to n2, and the swap that gives the role away."""
    script = serving()
    script.give(ev.LinkUp("n2"))
    script.now += 0.01
    order(script, "switch", node="n2")
    script.give(ev.RecordRead(script.node.state.version, script.node.record, proven=True))
    script.ack("n2")
    script.give(ev.Released())
    (swap,) = script.of(cmd.Swap)
    assert swap.record.active == "n2" and not script.node.serving(script.now)
    return script, swap.record.nonce


def test_that_the_store_shows_the_record_is_not_enough_to_give_anything_up():
    script = serving()
    script.give(ev.LinkUp("n2"))
    script.now += 0.01
    assert order(script, "switch", number=7, node="n2") is None
    assert cmd.ReadRecord(proven=True) in script.of(cmd.ReadRecord)
    script.give(ev.RecordRead(script.node.state.version, script.node.record))
    assert script.node.serving(script.now) and not script.of(cmd.Lease), "it may be full all the same"
    script.give(ev.DcsHealth(False, FULL))
    (reply,) = script.of(cmd.Reply)
    assert reply.result.code == "switch_aborted" and reply.result.detail.endswith(f"{FULL}; nothing was changed")
    assert script.node.serving(script.now) and not script.of(cmd.Lease) and script.node.leading.handover is None


def test_a_switch_while_the_store_does_not_answer_costs_nothing_and_is_called_off():
    script = serving()
    script.give(ev.LinkUp("n2"))
    script.now += 0.01
    assert order(script, "switch", number=7, node="n2") is None
    asked = 0
    while not script.of(cmd.Reply):
        assert script.node.serving(script.now) and cmd.Lease(None) not in script.of(cmd.Lease)
        assert script.node.leading.refusal(script.now) is None, "writes are taken"
        script.now += LET_GO / 4
        script.ack("n2")
        asked += len(script.of(cmd.ReadRecord))
        script.give(ev.Tick())
    (reply,) = script.of(cmd.Reply)
    assert reply.result.code == "switch_aborted" and "does not answer; nothing was changed" in reply.result.detail
    assert asked > 2 and script.node.serving(script.now) and script.node.leading.handover is None


def test_a_switch_that_the_store_does_not_take_is_called_off_and_serving_goes_on():
    script, nonce = switching()
    script.give(ev.SwapAnswer(nonce, None, refused=FULL))
    (reply,) = script.of(cmd.Reply)
    assert reply.result.code == "switch_aborted" and FULL in reply.result.detail
    script.ack("n2")
    assert script.node.serving(script.now) and script.of(cmd.Lease)[-1].until is not None


def test_a_switch_of_which_one_copy_may_have_happened_is_not_called_off():
    script, nonce = switching()
    script.now += LET_GO
    script.ack("n2")
    script.give(ev.Tick())
    assert script.of(cmd.Swap), "another copy is sent"
    script.give(ev.SwapAnswer(nonce, None))
    script.give(ev.SwapAnswer(nonce, None, refused=FULL))
    assert not script.of(cmd.Reply) and not script.node.serving(script.now)


def promoting():
    """n2 on its way to be active after the silence of n1, and the nonce of its swap."""
    script = passive(members=("n1", "n2"))
    script.now += GRACE + 1
    return script, tries(script).nonce


def test_a_promotion_that_the_store_does_not_take_leaves_a_passive_that_acknowledges():
    script, nonce = promoting()
    assert script.node.state.noted >= 0
    script.give(ev.SwapAnswer(nonce, None, refused=FULL))
    assert texts(script, "error") == [f"not active: {FULL}"]
    assert script.node.role == "passive" and script.node.state.noted == -1
    hear(script)
    acks = [command for command in script.of(cmd.Send) if isinstance(command.message, Ack)]
    assert [ack.node for ack in acks] == ["n1"], "the active that was only slow is acknowledged again"


def test_a_promotion_whose_outcome_is_not_known_keeps_its_promise():
    script, nonce = promoting()
    script.give(ev.SwapAnswer(nonce, None))
    script.now += LET_GO
    script.give(ev.Tick())
    script.give(ev.SwapAnswer(nonce, None, refused=FULL))
    assert script.node.role == "taking" and script.node.state.noted >= 0


def test_a_promise_of_an_earlier_life_outlives_a_refused_promotion():
    saved = Saved("n2-disk", cluster_id="c1", noted=5, record=record(number=3), record_version=5, known=5)
    script = Script("n2", saved=saved)
    script.give(ev.Started())
    script.give(ev.RecordRead(5, record(number=3)))
    script.now += GRACE + LEASE
    script.give(ev.Operator(1, "promote", force=True))
    script.stored()
    (swap,) = script.of(cmd.Swap)
    script.give(ev.SwapAnswer(swap.record.nonce, None, refused=FULL))
    (reply,) = script.of(cmd.Reply)
    assert reply.result.code == "store_refuses"
    assert script.node.state.noted >= 0, "a swap that it sent then may still come to something"
