# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VIP's state machine: this goes in, that comes out. A small model plays kernel and clock; times are seconds."""
from __future__ import annotations

from dataclasses import replace
from typing import Any, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.core.vip import vip
from baton.core.vip.vip import (
    Add,
    Added,
    Announce,
    Claim,
    Drop,
    Exit,
    Failed,
    Found,
    Health,
    Hold,
    Leave,
    LinkUp,
    Look,
    Prepare,
    Probe,
    Released,
    Remove,
    Removed,
    Seen,
    Settings,
    Tell,
    Tick,
    Uncertain,
    Vip,
)

RIVAL = "02:00:00:00:00:99"
SETTINGS = Settings(
    valid=2, patience=3.0, renew_every=0.25, retry_every=0.1, probes=3, probe_gap=0.05, fresh=1.0,
    announce_at=(0.0, 0.1, 1.0), defend_every=1.0, forget=5.0,
)  # fmt: skip


class World:
    """A kernel that obeys, a clock that goes where it is told, and a record of what was ordered when."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.vip = Vip(settings)
        self.now = 100.0
        self.present = False
        self.twin = ""  # where another program has the address
        self.error = ""  # what the kernel answers to every Add and Remove, when not empty
        self.stall = 0.0  # for how long the guard freezes between its next Add and the system call
        self.orders: List[Tuple[float, Any]] = []
        self.send(Health("")).forget()

    def send(self, event: Any) -> "World":
        events = [event]
        while events:
            for order in self.vip.handle(self.now, events.pop(0)):
                self.orders.append((round(self.now, 3), order))
                answer = self.answer(order)
                if answer is not None:
                    events.append(answer)
        return self

    def answer(self, order: Any) -> Optional[Any]:
        if isinstance(order, (Add, Remove)) and self.error:
            return Failed(self.error)
        if isinstance(order, Add):
            self.now, self.stall = self.now + self.stall, 0.0
            self.present = True
            return Added()
        if isinstance(order, Remove):
            self.present, self.twin = False, ""
            return Removed()
        return Found(int(self.present), 1, self.twin) if isinstance(order, Look) else None

    def run(self, until: float) -> "World":
        """Let the time pass, with a Tick whenever one is due; a machine that is due for ever would spin its process."""
        last, repeated = 0.0, 0
        while True:
            wakeup = self.vip.next_wakeup()
            if wakeup is None or wakeup > until:
                break
            repeated = repeated + 1 if wakeup == last else 0
            last = wakeup
            if repeated > 3:
                raise AssertionError(f"due at {wakeup} again and again: {self.orders[-5:]}")
            self.now = max(self.now, wakeup)
            self.send(Tick())
        self.now = until
        return self

    def times(self, kind: type) -> List[float]:
        return [at for at, order in self.orders if isinstance(order, kind)]

    def told(self, kind: str) -> List[str]:
        return [order.text for _at, order in self.orders if isinstance(order, Tell) and order.kind == kind]

    def forget(self) -> "World":
        self.orders = []
        return self


def holder(deadline: float = 110.0) -> World:
    """Return a world in which the VIP was taken at 100.15, with nothing recorded yet."""
    world = World().send(Hold(deadline)).run(100.2)
    if world.vip.state != vip.HELD:
        raise AssertionError(world.orders)
    return world.forget()


# --- taking ---------------------------------------------------------------------------------------------------------


def test_take_probes_three_times_then_adds_and_announces_at_once() -> None:
    world = World().send(Hold(110)).run(100.16)
    assert world.orders == [
        (100.0, Tell("state", "probing 0 0")),
        (100.0, Probe()),
        (100.05, Probe()),
        (100.1, Probe()),
        (100.15, Add(2, fresh=True)),
        (100.15, Tell("state", "adding 0 0")),
        (100.15, Announce()),
        (100.15, Tell("state", "held 0 1")),
    ]


def test_announcements_are_repeated_over_seconds() -> None:
    world = World().send(Hold(110)).run(105)
    assert world.times(Announce) == [100.15, 100.25, 101.15]
    assert world.vip.announcements == 3


def test_prepared_take_needs_no_more_probes() -> None:
    world = World().send(Prepare()).run(100.5)
    assert world.times(Probe) == [100.0, 100.05, 100.1] and not world.times(Add)
    world.forget().send(Hold(110))
    assert world.times(Add) == [100.5] and not world.times(Probe)


def test_silence_that_is_too_old_does_not_count() -> None:
    world = World().send(Prepare()).run(101.2).forget().send(Hold(110)).run(101.3)
    assert world.times(Probe) and not world.times(Add)


def test_a_claim_after_the_silence_makes_it_worthless() -> None:
    world = World().send(Prepare()).run(100.5).send(Claim(RIVAL)).forget().send(Hold(110))
    assert world.times(Probe) == [100.5] and not world.times(Add)


def test_hold_during_prepared_probing_takes_at_its_end() -> None:
    world = World().send(Prepare()).run(100.08).send(Hold(110)).run(100.2)
    assert world.times(Probe) == [100.0, 100.05, 100.1]
    assert world.times(Add) == [100.15]


def test_an_answered_probe_waits_until_the_rival_is_silent() -> None:
    world = World().send(Hold(110))
    for moment in (100.02, 100.2, 100.4):
        world.run(moment).send(Claim(RIVAL))
    assert world.vip.state == vip.CONTESTED and not world.times(Add)
    assert world.told("conflict") == [RIVAL]
    world.run(101)
    assert world.times(Add)[0] == 100.6  # the round in which it answered last ends at 100.45; one more, in silence
    assert world.vip.state == vip.HELD


def test_patience_with_a_rival_ends() -> None:
    world = World().send(Hold(110))
    while world.now < 102.95:
        world.run(world.now + 0.05).send(Claim(RIVAL))
    assert not world.times(Add)
    world.run(103.05)
    assert world.times(Add)[0] == 103.0 and world.times(Announce)[0] == 103.0


def test_prepare_alone_never_adds_and_gives_up_with_patience() -> None:
    world = World().send(Prepare())
    while world.now < 110:
        world.run(world.now + 0.05).send(Claim(RIVAL))
    assert not world.times(Add) and world.vip.state == vip.RELEASED
    assert max(world.times(Probe)) <= 103


def test_a_deadline_that_ends_while_probing_takes_nothing() -> None:
    world = World().send(Hold(100.1)).run(105)
    assert not world.times(Add) and world.vip.state == vip.RELEASED and world.vip.next_wakeup() is None


def test_a_deadline_in_the_past_takes_nothing() -> None:
    world = World().send(Hold(99)).run(105)
    assert world.orders == [(100.0, Tell("state", "released 0 0"))]


# --- keeping --------------------------------------------------------------------------------------------------------


def test_renews_every_quarter_of_a_second_while_the_lease_is_renewed() -> None:
    world = holder().run(101.2)
    assert world.times(Add) == [100.4, 100.65, 100.9, 101.15]
    assert not world.times(Remove)


def test_every_hold_is_answered_with_the_state() -> None:
    world = holder().send(Hold(111))
    assert world.told("state") == ["held 0 1"]


def test_removed_by_somebody_while_held_comes_back_and_is_announced_again() -> None:
    world = holder().run(103).forget()
    world.present = False
    world.send(Found(0)).run(104.5)
    assert world.orders[0] == (103.0, Add(2)) and world.present
    assert world.times(Announce) == [103.0, 103.1, 104.0]


def test_lost_kernel_events_are_made_up_for_by_a_look() -> None:
    world = holder()
    world.present = False
    world.send(Uncertain())
    assert world.orders[0] == (100.2, Look()) and world.present


def test_our_own_renewals_coming_back_as_events_are_not_looked_at() -> None:
    assert not holder().send(Seen()).orders


def test_link_up_renews_and_announces_again() -> None:
    world = holder().run(103).forget().send(LinkUp()).run(104.1)
    assert world.times(Add)[0] == 103.0
    assert world.times(Announce) == [103.0, 103.1, 104.0]


def test_link_up_without_the_vip_does_nothing() -> None:
    assert not World().send(LinkUp()).orders


def test_a_rival_is_answered_with_announcements_at_a_limited_rate() -> None:
    world = holder(200).run(102).forget()
    for step in range(300):  # claims for three seconds, a hundred a second
        world.run(102 + step / 100).send(Claim(RIVAL))
    assert world.vip.conflicts == 3 and world.told("conflict") == [RIVAL] * 3
    assert world.times(Announce)[0] == 102.0
    assert len(world.times(Announce)) <= 3 * 3


def test_a_claim_right_after_our_answer_is_answered_later_so_that_the_last_word_is_ours() -> None:
    world = World(replace(SETTINGS, announce_at=(0.0, 0.1))).send(Hold(200)).run(102).forget()
    world.send(Claim(RIVAL)).run(102.5).send(Claim(RIVAL)).run(110)
    assert world.times(Announce) == [102.0, 102.1, 103.0, 103.1]


def test_a_failing_add_is_retried_and_told_once() -> None:
    world = World()
    world.error = "no such device"
    world.send(Hold(110)).run(101)
    assert world.told("error") == ["no such device"]
    assert len(world.times(Add)) > 3 and world.vip.state == vip.ADDING and not world.times(Announce)
    world.error = ""
    world.run(101.2)
    assert world.vip.state == vip.HELD and world.times(Announce)


def test_a_failing_renewal_means_not_held() -> None:
    world = holder()
    world.error = "no such device"
    world.run(100.5)
    assert world.vip.state == vip.ADDING and world.told("state")[-1] == "adding 0 2"


# --- whether it would work here ---------------------------------------------------------------------------------------

CUT = "the VIP's interface eth0 has no carrier"


def test_a_dead_interface_is_told_at_once_and_a_live_one_when_it_stays() -> None:
    world = World().send(Health(CUT))
    assert world.told("unable") == [CUT]
    world.run(100.5).send(Health("")).run(101.2).send(Health("")).run(101.4)
    assert world.told("unable") == [CUT]
    world.run(101.6)
    assert world.told("unable") == [CUT, ""] and world.vip.next_wakeup() is None


def test_an_interface_that_comes_and_goes_stays_dead() -> None:
    world = World()
    for second in range(100, 110):
        world.run(second).send(Health(CUT)).run(second + 0.5).send(Health(""))
    assert world.told("unable") == [CUT]
    assert world.run(111).told("unable") == [CUT, ""]


def test_a_new_guard_says_that_all_is_well() -> None:
    assert Vip(SETTINGS).handle(100.0, Health("")) == [Tell("unable", "")]


def test_an_address_that_can_not_be_added_makes_unable_also_after_the_role_went_elsewhere() -> None:
    world = World()
    world.error = "no such device"
    world.send(Hold(110)).run(100.6)
    assert not world.told("unable")
    world.run(100.8)
    assert world.told("unable") == ["no such device"]
    world.error = ""
    world.send(Drop(1)).run(104)
    assert world.told("unable") == ["no such device"], "nobody knows yet whether it would work now"
    assert world.run(106).told("unable") == ["no such device", ""]


def test_one_that_fails_each_time_it_is_tried_is_tried_ever_more_seldom() -> None:
    """Two nodes that both fail would else hand the role to and fro for ever."""
    world = World()
    world.error = "no such device"
    pauses = []
    for _time in range(4):
        world.send(Hold(world.now + 10)).run(world.now + 1).send(Drop(1)).forget()
        world.error = ""  # or the removal would fail, too
        began = world.run(world.now + 1).now
        while not world.told("unable"):
            world.run(world.now + 1)
        pauses.append(round(world.now - began))
        world.error = "no such device"
    assert [round(pause / SETTINGS.forget) for pause in pauses] == [1, 2, 4, 8]
    world.error = ""
    world.send(Hold(world.now + 10)).run(world.now + 1).send(Drop(2)).forget()
    world.error = "no such device"
    world.send(Hold(world.now + 10)).run(world.now + 1)
    world.error = ""
    world.send(Drop(3)).forget()
    assert world.run(world.now + SETTINGS.forget).told("unable") == [""], "it has worked in between"


def test_an_address_that_could_be_added_in_the_end_makes_able() -> None:
    world = World()
    world.error = "no such device"
    world.send(Hold(110)).run(101)
    world.error = ""
    assert world.run(102).told("unable") == ["no such device", ""] and world.told("error") == ["no such device", ""]


# --- several addresses, and twins of them -------------------------------------------------------------------------------


def test_an_address_that_is_missing_beside_another_is_added_again() -> None:
    world = holder().send(Seen(present=False))
    assert world.orders == [(100.2, Look())]
    world.forget().send(Found(1, 2))
    assert world.orders[0] == (100.2, Add(2)) and not world.orders[0][1].fresh


def test_a_first_time_adds_all_or_none() -> None:
    world = World()
    world.error = "no such device"
    world.send(Hold(110)).run(101)
    assert all(order.fresh for _at, order in world.orders if isinstance(order, Add))


def test_a_twin_beside_ours_is_told_and_stays_as_long_as_we_hold_it() -> None:
    world = holder()
    world.twin = "192.0.2.10/24 on eth1"
    world.send(Seen(ours=False)).run(101)
    assert world.told("twin") == ["192.0.2.10/24 on eth1"] and not world.times(Remove)
    world.send(Drop(1))
    assert world.told("twin") == ["192.0.2.10/24 on eth1", ""] and world.times(Remove) == [101.0]


def test_a_twin_that_appears_without_a_lease_is_removed() -> None:
    world = World()
    world.twin = "192.0.2.10/24 on eth1"
    world.send(Seen(ours=False))
    assert world.times(Remove) == [100.0] and not world.twin


def test_a_twin_alone_is_no_vip_to_adopt() -> None:
    world = World().send(Hold(110))
    world.twin = "192.0.2.10/24 on eth1"
    world.send(Found(0, 1, world.twin))
    assert not world.times(Add) and world.vip.state == vip.PROBING


# --- rivals that speak only when asked ----------------------------------------------------------------------------------


def test_while_it_is_held_the_network_is_asked_for_rivals() -> None:
    world = World().send(Hold(200, free=True)).run(131)
    assert world.times(Probe) == pytest.approx([100.15, 100.3, 100.6, 110.6, 120.6, 130.6])
    world.send(Drop(1)).forget().run(200)
    assert not world.times(Probe)


def test_a_rival_that_answers_is_counted_and_answered() -> None:
    world = World().send(Hold(200, free=True)).run(105).send(Claim(RIVAL))
    assert world.vip.conflicts == 1 and world.told("conflict") == [RIVAL] and world.times(Announce)[-1] == 105.0


# --- letting go -----------------------------------------------------------------------------------------------------


def test_removed_at_the_deadline_to_the_moment() -> None:
    world = holder(101).run(105)
    assert world.times(Remove) == [101.0] and not world.present
    assert max(world.times(Add)) < 101
    assert world.told("state")[-1].startswith("released") and world.vip.next_wakeup() is None


def test_a_renewal_that_was_carried_out_too_late_is_undone() -> None:
    # Frozen between the order and the system call: the kernel then creates the address anew, past the deadline.
    world = holder(101).run(100.8)
    world.stall = 0.7
    world.run(100.95)
    assert world.times(Remove) == [101.6] and not world.present


def test_waking_up_after_the_deadline_removes_and_adds_nothing() -> None:
    world = holder(101)
    world.now = 107.0
    world.send(Tick())
    assert world.orders[0] == (107.0, Remove()) and not world.times(Add)


@pytest.mark.parametrize("event", [Found(0), LinkUp(), Claim(RIVAL), Seen(), Uncertain(), Hold(101.0)])
def test_nothing_that_comes_after_the_deadline_adds_it_again(event: Any) -> None:
    world = holder(101)
    world.now = 101.0
    world.send(event).run(105)
    assert not world.times(Add) and not world.present and world.times(Remove)


def test_a_late_renewal_of_the_lease_is_no_gap() -> None:
    world = holder(101)
    world.now = 101.01
    world.send(Hold(103)).run(102)
    assert not world.times(Remove) and world.vip.state == vip.HELD


def test_drop_removes_at_once_and_says_so_with_its_number() -> None:
    world = holder().send(Drop(7))
    assert world.orders == [(100.2, Remove()), (100.2, Tell("state", "released 0 1")), (100.2, Tell("dropped", "7"))]
    assert not world.run(110).times(Add)


def test_drop_is_confirmed_only_after_the_removal() -> None:
    world = holder()
    world.error = "busy"
    world.send(Drop(7)).run(100.5)
    assert not world.told("dropped") and len(world.times(Remove)) > 2
    world.send(Hold(120)).run(100.7)
    assert not world.times(Add), "a hold does not overtake a drop"
    world.error = ""
    world.run(101)
    assert world.told("dropped") == ["7"]


def test_drop_without_the_vip_is_confirmed_too() -> None:
    world = World().send(Drop(1))
    assert world.told("dropped") == ["1"] and world.times(Remove)


def test_taken_again_after_a_drop() -> None:
    world = holder().send(Drop(1)).run(101).forget().send(Hold(110)).run(102)
    assert world.times(Probe) and world.vip.state == vip.HELD


def test_death_of_the_daemon_removes_at_once_then_releases_and_exits() -> None:
    world = holder().send(Leave("daemon died", notice=True)).send(Leave("socket closed", notice=True))
    assert world.orders == [
        (100.2, Remove()),
        (100.2, Tell("state", "released 0 1")),
        (100.2, Released("daemon died")),
        (100.2, Exit()),
    ]
    assert not world.send(Hold(120)).run(110).times(Add)


def test_told_to_end_there_is_no_release_notice() -> None:
    world = holder().send(Leave("SIGTERM"))
    assert not world.times(Released) and world.times(Exit) and world.times(Remove)


def test_no_release_notice_while_the_address_can_not_be_removed() -> None:
    world = holder()
    world.error = "not permitted"
    world.send(Leave("daemon died", notice=True)).run(120)
    assert not world.times(Released)
    assert world.times(Exit) == [100.2 + 2 + vip.SLACK]  # the kernel has dropped it by then


# --- what stands there without right --------------------------------------------------------------------------------


def test_a_stale_vip_at_the_start_is_removed() -> None:
    world = World()
    world.present = True
    world.send(Found(1))
    assert world.orders == [(100.0, Remove())] and not world.present


def test_a_vip_that_appears_without_a_lease_is_removed() -> None:
    world = World()
    world.present = True
    world.send(Seen())
    assert world.orders == [(100.0, Look()), (100.0, Remove())]


def test_an_event_about_an_address_that_is_gone_again_removes_nothing() -> None:
    assert World().send(Seen()).orders == [(100.0, Look())]


def test_a_vip_that_appears_while_only_probing_ahead_is_removed() -> None:
    world = World().send(Prepare())
    world.present = True
    world.send(Seen())
    assert world.times(Remove) and not world.times(Add)


def test_a_new_guard_adopts_the_vip_of_one_that_died_within_the_lease() -> None:
    world = World().send(Hold(110))
    world.present = True
    world.forget().send(Found(1))
    assert world.orders[0] == (100.0, Add(2)) and world.vip.state == vip.HELD
    assert not world.times(Remove) and world.times(Announce) == [100.0]


# --- the bound ------------------------------------------------------------------------------------------------------


def test_bound_for_two_holders() -> None:
    assert vip.two_holders_bound(lease=2, grace=3, valid=2) == pytest.approx(2.2 + 2 + 2 - 2.7)
    assert vip.two_holders_bound(lease=0.4, grace=0.6, valid=1) == pytest.approx(0.44 + 1 + 2 - 0.54)
    assert vip.two_holders_bound(lease=0.4, grace=60, valid=1) == 0


# --- any order of events --------------------------------------------------------------------------------------------

EVENTS = st.one_of(
    st.builds(Hold, st.floats(-1, 3)),
    st.sampled_from([Prepare(), Drop(1), Seen(), Uncertain(), LinkUp(), Claim(RIVAL), Tick()]),
    st.sampled_from(["vanish", "appear", "freeze", "stall", "break", "mend"]),
)


def play(world: World, pause: float, event: Any) -> None:
    """Let ``pause`` pass, then have the event happen to kernel, process or machine."""
    if event == "freeze":
        world.now += pause  # nobody runs: no Tick
        world.send(Tick())
        return
    world.run(max(world.now, world.now + pause))
    if event == "vanish":
        world.present = False
        world.send(Found(0))
    elif event == "appear":
        world.present = True
        world.send(Seen())
    elif event == "stall":
        world.stall = 0.7
    elif event in ("break", "mend"):
        world.error = "broken" if event == "break" else ""
    else:
        world.send(event)


@given(st.lists(st.tuples(st.floats(0, 1), EVENTS), max_size=40))
def test_the_vip_is_only_there_within_the_lease(script: List[Tuple[float, Any]]) -> None:
    world = World()
    deadline = 0.0
    for pause, event in script:
        if isinstance(event, Hold):
            event = Hold(world.now + pause + event.deadline)
        play(world, pause, event)
        if isinstance(event, (Hold, Drop)):
            deadline = event.deadline if isinstance(event, Hold) else world.now
        if not world.error:
            world.run(world.now + SETTINGS.retry_every + 0.001)
            assert not (world.present and world.now >= deadline)
    world.error, world.stall = "", 0.0
    world.run(world.now + 10)
    assert not world.present and world.vip.state == vip.RELEASED and world.vip.next_wakeup() is None
    world.send(Hold(world.now + 100)).run(world.now + SETTINGS.patience + 1)
    assert world.present and world.vip.state == vip.HELD, "it can always be taken again"
    world.send(Leave("end")).run(world.now + 10)
    assert not world.present and world.times(Exit)
