# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that the store of the cluster record does not let take over, as scripts: those who are asked know it before a failover."""

import pytest

from baton.core import commands as cmd
from baton.core import events as ev
from baton.core.model import messages
from baton.core.replication.dcs_health import SILENT
from baton.core.roles.cut_off import FORGET, PATIENCE
from baton.core.roles.links import SAY_AGAIN
from support.script import dies, meet_again, met, nodes, notes, passive, status, store_answers, three

OUT = ev.DcsHealth(None, "", reachable=False)
DENIED = "the user baton may not write the cluster record in etcd"


def said(script):
    return [send.message.store for send in script.of(cmd.Send) if isinstance(send.message, messages.Hello)]


@pytest.fixture
def pair():
    """n1 active, n2 in sync."""
    return met()


def lasts(script, **more):
    """n2 says it again and again; return what was noted."""
    found, end = [], script.now + PATIENCE + 1
    while script.now < end:
        meet_again(script, "n2", store=SILENT, **more)
        script.now += 0.5
        script.ack("n2")
        script.give(ev.Tick())
        found += notes(script)
    return found


@pytest.mark.parametrize(("health", "text"), [(OUT, SILENT), (ev.DcsHealth(False, DENIED), DENIED)])
def test_who_is_cut_off_says_so_at_once_and_again_until_it_is_over(health, text):
    script = passive(members=("n1", "n2"))
    script.give(health)
    assert said(script) == [text]
    script.now += SAY_AGAIN + 0.1
    script.give(ev.Tick())
    assert text in said(script)
    assert script.node.cut_off.why_not("n2", script.now) == text
    script.give(ev.DcsHealth(True))
    assert said(script) == [""] and script.node.cut_off.why_not("n2", script.now) == ""


def test_the_active_says_it_when_it_lasts_and_that_it_is_over(pair):
    meet_again(pair, "n2", store=SILENT)
    assert nodes(pair, "cut_off") == {"n1": None, "n2": SILENT} and not nodes(pair, "electable")["n2"]
    assert status(pair)["error"] is None, "it may be out for all"
    assert lasts(pair) == [f"n2 could not take over: {SILENT}"]
    assert status(pair)["error"] == f"n2 could not take over: {SILENT}"
    meet_again(pair, "n2")
    pair.give(ev.Tick())
    assert status(pair)["error"] is None and notes(pair) == ["the store of the cluster record lets n2 take over again"]


@pytest.mark.parametrize("force", [False, True])
def test_who_is_cut_off_is_given_the_role_by_no_order(pair, force):
    meet_again(pair, "n2", store=SILENT)
    pair.give(ev.Operator(7, "switch", node="n2", force=force))
    (reply,) = pair.of(cmd.Reply)
    assert reply.result.code == "cut_off"
    assert reply.result.detail == f"n2 could not take over: {SILENT}; choose another; nothing was changed"
    assert pair.node.serving(pair.now) and pair.node.leading.handover is None


def test_another_is_chosen_though_it_is_the_best_in_all_else():
    script = three(met())
    meet_again(script, "n2", store=SILENT, priority=9)
    meet_again(script, "n3")
    script.give(ev.Operator(7, "switch"))
    assert script.node.leading.handover.to == "n3"
    script.give(ev.Tick())


def test_a_dead_interface_gives_the_role_to_who_is_not_cut_off():
    script = three(met())
    meet_again(script, "n2", store=SILENT, priority=9)
    meet_again(script, "n3")
    script.ack("n2")
    script.ack("n3")
    dies(script)
    store_answers(script)
    assert script.node.leading.handover.to == "n3"


def test_an_outage_for_all_is_nobody_elses(pair):
    pair.give(OUT)
    assert lasts(pair) == [] and status(pair)["error"] is None


def test_what_is_not_said_again_is_over(pair):
    lasts(pair)
    pair.now += FORGET + 1
    pair.ack("n2")
    pair.give(ev.Tick())
    assert status(pair)["error"] is None and nodes(pair, "electable")["n2"]


def test_one_that_only_holds_a_copy_need_not_take_over(pair):
    assert lasts(pair, no_failover=True) == [] and status(pair)["error"] is None
