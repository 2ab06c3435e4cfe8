# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""drivers/contract.py: this goes in, that comes out; and what holds whatever goes in, in whichever order."""

import random

import pytest

from baton.drivers.contract import Cancel, Contract, Exit, Finish, Kill, Mark, Order, Send, Trigger, Unmark

START, STOP = Trigger(True), Trigger(False)


def done(number, ok, message=""):
    return Send({"type": "done", "number": number, "ok": ok, "message": message})


def connected():
    """A driver that has carried out the first order, to stop."""
    driver = Contract()
    driver.welcome(3.0)
    assert driver.order(Order(1, False, 5, 103.0), 100.0) == [STOP]
    assert driver.ended(True, "", 100.1) == [done(1, True)]
    return driver


def active(deadline=110.0):
    driver = connected()
    assert driver.order(Order(2, True, 5, deadline), 101.0) == [START]
    assert driver.ended(True, "up", 101.5) == [done(2, True, "up")]
    return driver


def test_a_start_lasts_as_long_as_its_lease_is_moved():
    driver = active(110.0)
    assert driver.lease(5, 112.0, 109.0) == []
    assert driver.tick(111.9) == []
    assert driver.tick(112.0) == [STOP]
    assert driver.ended(True, "", 112.3) == [Send({"type": "stopped", "message": "its lease ended"})]


def test_a_lease_of_another_epoch_moves_nothing():
    driver = active(110.0)
    assert driver.lease(6, 120.0, 109.0) == []
    assert driver.tick(110.0) == [STOP]


def test_a_stop_during_a_start_waits_for_its_end():
    driver = connected()
    driver.order(Order(2, True, 5, 110.0), 101.0)
    assert driver.order(Order(3, False, 5, 104.0), 101.0) == [Cancel()]
    assert driver.tick(101.5) == []
    assert driver.ended(False, "cancelled", 102.0) == [done(2, False, "its start was cancelled: a stop was ordered"), STOP]
    assert driver.ended(True, "", 102.5) == [done(3, True)]


def test_a_start_that_ends_well_although_it_was_cancelled_is_stopped_too():
    driver = connected()
    driver.order(Order(2, True, 5, 110.0), 101.0)
    driver.order(Order(3, False, 5, 104.0), 101.0)
    assert driver.ended(True, "up", 102.0)[1:] == [STOP]


def test_a_start_that_failed_waits_for_the_order_to_stop_and_its_lease_ends_too():
    for last in (lambda d: d.order(Order(3, False, 5, 107.0), 104.0), lambda d: d.tick(110.0)):
        driver = connected()
        driver.order(Order(2, True, 5, 110.0), 101.0)
        assert driver.ended(False, "no", 102.0) == [done(2, False, "no")]
        assert last(driver) == [STOP]


def test_what_was_frozen_looks_at_the_clock_first():
    assert connected().order(Order(2, True, 5, 110.0), 110.0) == [done(2, False, "the order's deadline had passed when it was read")]
    assert active(110.0).lease(5, 130.0, 111.0) == [STOP]
    driver = active(110.0)
    assert driver.order(Order(3, True, 6, 140.0), 111.0) == [STOP]
    assert driver.ended(True, "", 112.0) == [Send({"type": "stopped", "message": "its lease ended"}), START]
    driver = connected()
    driver.order(Order(2, True, 5, 110.0), 101.0)
    out = driver.ended(True, "up", 110.5)
    assert out[-2:] == [done(2, False, "its start was cancelled: its lease ended"), STOP]


def test_a_lost_connection_stops_and_removes_the_marker_and_answers_nobody():
    driver = active()
    assert driver.lost(105.0) == [STOP]
    assert driver.end == 108.0
    assert driver.ended(True, "", 105.5) == [Unmark()]


def test_a_lost_connection_during_a_start():
    driver = connected()
    driver.order(Order(2, True, 5, 110.0), 101.0)
    assert driver.lost(102.0) == [Cancel()]
    assert driver.ended(False, "", 102.1) == [STOP]
    assert driver.ended(True, "", 102.2) == [Unmark()]


def test_a_connection_lost_after_the_stop_removes_the_marker_for_a_batond_that_had_no_time_to():
    assert connected().lost(105.0) == [Unmark()]
    assert Contract().lost(105.0) == []  # never connected: it has no marker


def test_a_driver_that_makes_its_marker_removes_it_before_it_says_that_it_has_stopped():
    driver = connected()
    driver.welcome(3.0, own_marker=True)
    assert driver.mark(100.5) == [Mark()]
    driver.order(Order(2, True, 5, 110.0), 101.0)
    driver.ended(True, "up", 101.5)
    assert driver.order(Order(3, False, 5, 104.0), 102.0) == [STOP]
    assert driver.ended(True, "", 102.5) == [Unmark(), done(3, True)]


def test_the_marker_stays_for_the_start_that_follows_a_stop():
    driver = active()
    driver.own_marker = True
    assert driver.mark(102.0) == [Mark()]
    assert driver.order(Order(3, True, 6, 112.0), 102.0) == [STOP]
    assert driver.ended(True, "", 102.5)[-1] == START and driver.phase == "starting"
    driver.order(Order(4, False, 6, 106.0), 103.0)
    assert Unmark() in [*driver.ended(False, "", 103.1), *driver.ended(True, "", 103.2)]


def test_a_driver_that_ends_makes_no_marker_any_more():
    driver = active()
    driver.terminate(105.0)
    assert driver.mark(105.1) == []


def test_a_stop_that_takes_too_long_is_killed_and_then_left_to_systemd():
    driver = active(110.0)
    assert driver.tick(110.0) == [STOP]  # nothing may run at 113.0
    assert driver.tick(111.6) == []
    assert driver.tick(111.75) == [Kill()]
    assert driver.tick(111.9) == []
    assert [type(item) for item in driver.tick(112.0)] == [Exit]


def test_a_stop_that_failed_is_tried_once_more_with_force():
    driver = active()
    assert driver.order(Order(3, False, 5, 106.0), 103.0) == [STOP]
    assert driver.ended(False, "no", 103.1) == [Kill(), STOP]
    assert [type(item) for item in driver.ended(False, "no", 103.2)] == [Exit]
    driver = active()
    driver.order(Order(3, False, 5, 106.0), 103.0)
    driver.ended(False, "no", 103.1)
    assert driver.ended(True, "dead", 103.2) == [done(3, True, "dead")]


def test_a_stop_of_what_it_did_not_start_is_only_reported():
    driver = Contract()
    driver.welcome(3.0)
    driver.order(Order(1, False, 5, 103.0), 100.0)
    assert driver.ended(False, "no", 100.1) == [done(1, False, "no")]
    assert driver.lost(101.0) == []  # it may run: the marker stays


def test_a_process_that_was_frozen_for_long_tries_to_stop_before_it_gives_up():
    driver = active(110.0)
    assert driver.tick(150.0) == [STOP, Kill()]
    assert driver.tick(150.5) == []
    assert [type(item) for item in driver.tick(151.0)] == [Exit]


def test_a_stop_that_is_under_way_answers_an_order_to_stop():
    driver = active(110.0)
    assert driver.tick(110.0) == [STOP]
    assert driver.order(Order(3, False, 5, 113.0), 110.1) == []
    assert driver.ended(True, "", 110.5) == [done(3, True)]


def test_a_start_ordered_during_a_stop_begins_after_it():
    driver = active(110.0)
    driver.tick(110.0)
    assert driver.order(Order(3, True, 6, 112.0), 110.1) == []
    assert driver.lease(6, 114.0, 110.2) == []
    assert driver.ended(True, "", 112.5)[-1] == START
    assert (driver.epoch, driver.deadline) == (6, 114.0)
    driver = active(110.0)
    driver.tick(110.0)
    driver.order(Order(3, True, 6, 111.0), 110.1)
    assert driver.ended(True, "", 111.5)[-1] == done(3, False, "its lease ended before the stop did")


def test_a_start_while_active():
    driver = active(110.0)
    assert driver.order(Order(3, True, 5, 112.0), 105.0) == [done(3, True, "it is active already")]
    assert driver.order(Order(4, True, 6, 112.0), 105.0) == [STOP]  # the service has the fencing token of another reign
    assert driver.ended(True, "", 105.1)[-1] == START


def test_told_to_end():
    assert connected().terminate(105.0) == [Unmark(), Finish()]
    driver = active()
    assert driver.terminate(105.0) == [STOP]
    assert driver.order(Order(3, True, 6, 120.0), 105.1) == [done(3, False, "the driver ends")]
    stopped = Send({"type": "stopped", "message": "the driver was told to end", "ending": True})
    assert driver.ended(True, "", 105.5) == [Unmark(), stopped, Finish()]


def test_checks_count_only_while_active():
    driver = active(110.0)
    health = Send({"type": "health", "ok": False, "message": "HTTP 502"})
    assert driver.checked(False, "HTTP 502", 105.0) == [health]
    assert driver.checked(True, "", 110.0) == [STOP]
    assert driver.checked(True, "", 110.1) == []


def test_messages_are_cut():
    driver = connected()
    driver.order(Order(2, True, 5, 110.0), 101.0)
    assert len(driver.ended(False, "x" * 9999, 101.1)[0].frame["message"]) == 500


@pytest.mark.parametrize("seed", range(300))
def test_whatever_happens(seed):
    """Triggers never overlap; every order is answered once, unless the connection was lost; nothing is up without lease or marker."""
    dice = random.Random(seed)
    own, marked = seed % 2 == 0, False
    driver, now, running, up = Contract(), 100.0, None, False
    open_orders, answered, number, epoch = set(), set(), 0, 1
    driver.welcome(3.0, own)
    finished = False
    while not finished:
        now += dice.choice([0.0, 0.05, 0.3, 1.0, dice.random() * 6])
        event = dice.choice(["order", "order", "lease", "tick", "tick", "ended", "ended", "lost"])
        if number > 30 and running is None:
            event = "terminate"
        if event == "order":
            if not driver.connected:
                assert driver.phase == "idle" or running is not None
                if driver.phase != "idle":
                    continue  # session.py connects only then
                driver.welcome(3.0, own)
            number += 1
            epoch += dice.choice([0, 0, 1])
            open_orders.add(number)
            starts = dice.random() < 0.6
            out = driver.mark(now) if own and starts else []
            out += driver.order(Order(number, starts, epoch, now + dice.choice([-1.0, 0.5, 4.0])), now)
        elif event == "lease":
            out = driver.lease(epoch, now + 4.0, now)
        elif event == "ended":
            if running is None:
                continue
            active_one, running = running, None
            ok = dice.random() < 0.8
            up = active_one or (up and not ok)
            out = driver.ended(ok, "", now)
        elif event == "lost":
            if not driver.connected:
                continue
            open_orders.clear()
            out = driver.lost(now)
        else:
            out = getattr(driver, event)(now)
        assert sum(isinstance(item, Trigger) for item in out) <= 1
        for item in out:
            if isinstance(item, Trigger):
                assert running is None, "two at once"
                running = item.active
                assert not item.active or now < driver.deadline
                up = up or item.active
                assert marked or not (own and item.active)
            elif isinstance(item, Mark):
                marked = True
            elif isinstance(item, Unmark):
                assert not up and running is not True
                marked = False
            elif isinstance(item, Send) and item.frame["type"] == "done":
                assert item.frame["number"] in open_orders - answered
                answered.add(item.frame["number"])
                open_orders.discard(item.frame["number"])
            elif isinstance(item, (Exit, Finish)):
                finished = True
        if driver.phase == "idle":
            assert not open_orders and running is None
        if driver.phase in ("starting", "active", "failed"):
            assert now < driver.deadline
