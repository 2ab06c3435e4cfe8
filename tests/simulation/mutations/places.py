# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Left out: rules of where the role goes: where the VIP works, and where there is room."""

from __future__ import annotations

import contextlib
import dataclasses

from baton.core.model import record
from baton.core.replication import dcs_health, handover, leading
from baton.core.roles import able, candidacy, cut_off, election, room, standing, succession
from simulation.mutations.tools import replaced, seen_in


@seen_in("the_interface_of_the_active_dies")
def the_role_stays_where_the_vip_is_dead():
    return replaced(able.Able, "tend", lambda self, now: None)


@seen_in("the_active_dies_and_one_interface_with_it")
def elections_do_not_look_at_the_vip():
    original = election._merit
    return replaced(election, "_merit", lambda fit, end, priority: original(fit._replace(holds_vip=True), end, priority))


@seen_in("no_interface_works")
def who_can_not_hold_the_vip_never_takes_over():
    original = candidacy.Candidacy.may_try
    return replaced(candidacy.Candidacy, "may_try", lambda self, now: not self.standing.unable and original(self, now))


@seen_in("no_interface_works")
def the_role_is_handed_to_who_can_not_hold_the_vip_either():
    def said(self, before, hello):
        object.__setattr__(hello, "unable", "")

    return replaced(able.Able, "heard", said)


@seen_in("an_interface_dies_while_the_store_is_out")
def a_dead_interface_gives_the_role_away_while_the_store_is_out():
    return replaced(dcs_health.Asked, "answered", lambda self, proven, now: True)


@seen_in("a_switch_is_ordered_while_the_store_is_out")
def an_order_does_not_ask_the_store():
    original = handover.Handover.__init__

    def init(self, order, to, reason, now, store=None):
        original(self, order, to, reason, now)

    return replaced(handover.Handover, "__init__", init)


@seen_in("a_switch_is_ordered_as_the_store_fills_up")
def that_the_store_shows_the_record_is_enough_for_an_order():
    original = leading.Leading.seen
    return replaced(leading.Leading, "seen", lambda self, proven, now: original(self, True, now))


@seen_in("an_interface_dies_as_the_store_fills_up")
def that_the_store_shows_the_record_is_enough_to_move():
    original = dcs_health.Asked.answered
    return replaced(dcs_health.Asked, "answered", lambda self, proven, now: original(self, now if self.since else proven, now))


@seen_in("the_store_keeps_one_out")
def the_role_is_handed_to_who_is_cut_off_from_the_store():
    return replaced(cut_off.CutOff, "why_not", lambda self, name, now: "")


@seen_in("what_was_said_of_an_interface_is_lost")
def what_became_of_an_interface_is_said_once():
    return replaced(able, "SAY_AGAIN", float("inf"))


@seen_in("an_interface_dies_where_a_person_decides")
def a_dead_interface_moves_the_role_in_a_pause():
    unpaused = property(lambda self: dataclasses.replace(self.state.record or record.NO_RECORD, paused=False))
    original = able.Able._may_begin

    def may_begin(self, reign):
        with replaced(standing.Standing, "record", unpaused):
            return original(self, reign)

    return replaced(able.Able, "_may_begin", may_begin)


@seen_in("an_interface_dies_where_a_person_decides")
def a_dead_interface_moves_the_role_without_a_shared_store():
    original = able.Able._may_begin

    def may_begin(self, reign):
        config = self.standing.config
        self.standing.config = dataclasses.replace(config, shared=True)
        try:
            return original(self, reign)
        finally:
            self.standing.config = config

    return replaced(able.Able, "_may_begin", may_begin)


@seen_in("the_disk_of_the_active_fills_up")
def the_role_stays_where_the_disk_is_full():
    return replaced(able.Able, "_serves", property(lambda self: election.fitness(self.standing.unable, "")))


@seen_in("the_disk_of_a_passive_is_full")
def elections_do_not_look_at_the_disk():
    original = election._merit
    return replaced(election, "_merit", lambda fit, end, priority: original(fit._replace(has_room=True), end, priority))


@seen_in("the_disk_of_a_passive_is_full")
def who_has_no_room_never_takes_over():
    original = candidacy.Candidacy.may_try
    return replaced(candidacy.Candidacy, "may_try", lambda self, now: not self.standing.full and original(self, now))


@seen_in("the_disk_of_a_passive_is_full")
def orders_do_not_look_at_the_disk():
    original = succession.Succession._check_candidate
    return replaced(succession.Succession, "_check_candidate", lambda self, to, reign, unfit: original(self, to, reign, True))


@seen_in("all_disks_are_full")
def the_role_is_handed_to_a_full_disk_too():
    def said(self, before, hello):
        object.__setattr__(hello, "full", "")

    return replaced(room.Room, "heard", said)


@seen_in("room_comes_and_goes")
def room_counts_as_soon_as_it_is_there():
    return replaced(room, "STEADY", 0.0)


@seen_in("room_comes_and_goes")
def a_disk_that_fills_again_and_again_waits_for_no_longer():
    return replaced(room, "FORGET", 0.0)


@seen_in("a_disk_fills_up_while_the_store_is_out")
def a_full_disk_gives_the_role_away_while_the_store_is_out():
    return replaced(dcs_health.Asked, "answered", lambda self, proven, now: True)


@seen_in("a_disk_fills_up_and_an_interface_dies")
@contextlib.contextmanager
def room_comes_before_the_vip():
    def fitness(unable, full):
        return election.Fitness(not full, not unable)

    with replaced(election, "fitness", fitness), replaced(able, "fitness", fitness):
        yield
