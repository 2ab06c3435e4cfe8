# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Left out: rules of when a driver may start, and of what is waited for (I5)."""

from __future__ import annotations

import contextlib
import dataclasses

from baton.adapters.drivers import files as driver_files
from baton.core import node
from baton.core.drivers import drivers
from baton.core.model.driver_options import Options
from baton.core.roles import driver_duty as driving
from baton.core.state import heads
from simulation.mutations.tools import driven, replaced, seen_in


@driven
def drivers_start_as_soon_as_the_node_is_active():
    return replaced(driving.Driving, "_bound", lambda self, base, before: base)


@driven
def drivers_wait_for_the_grace_only():
    def bound(self, base, before):
        return base + self.standing.config.timing.grace * (1 - self.standing.config.timing.rate_error)

    return replaced(driving.Driving, "_bound", bound)


@driven
def the_role_is_given_away_while_drivers_run():
    return replaced(drivers.Drivers, "at_rest", lambda self, now: True)


@driven
def the_role_is_given_away_before_the_last_but_one_has_stopped():
    def at_rest(self, now):
        return not any(driver.runs(now) for driver in self.by_id.values())

    stack = contextlib.ExitStack()
    stack.enter_context(replaced(drivers.Drivers, "at_rest", at_rest))
    stack.enter_context(replaced(drivers.Drivers, "free_at", property(lambda self: drivers.NEVER)))
    return stack


@driven
def any_notice_says_that_drivers_have_stopped():
    original = node.Node._release_notice

    def release_notice(self, event, now):
        original(self, dataclasses.replace(event, drivers=True), now)

    return replaced(node.Node, "_release_notice", release_notice)


@driven
def drivers_start_before_others_know_that_there_are_any():
    return replaced(driving.Driving, "_is_stated", lambda self, leading, now: True)


@driven
def a_driver_is_started_before_it_has_stopped():
    original = drivers.Drivers._start_if_due

    def start_if_due(self, driver, now):
        if driver.phase == drivers.STOPPING:
            driver.phase = drivers.STOPPED
        original(self, driver, now)

    return replaced(drivers.Drivers, "_start_if_due", start_if_due)


@seen_in("a_service_that_can_not_be_stopped")
def a_driver_that_says_that_it_can_not_stop_is_taken_to_have_stopped():
    return replaced(drivers.Driver, "can_not_stop", property(lambda self: False))


@seen_in("a_driver_that_dies_before_or_in_a_hand_over")
def systemd_is_believed_to_kill_in_time():
    return replaced(drivers, "LATE", 0.0)


@seen_in("a_driver_that_dies_before_or_in_a_hand_over")
def a_driver_that_dies_in_a_stop_has_the_time_of_that_stop():
    original = drivers.Drivers.gone

    def gone(self, session, now):
        driver = self._of(session)
        stop_by = driver.stop_by if driver is not None and driver.phase == drivers.STOPPING else None
        original(self, session, now)
        if stop_by is not None:
            driver.stop_by = stop_by

    return replaced(drivers.Drivers, "gone", gone)


class _Everybody:
    def __contains__(self, name):
        return True


@seen_in("a_file_that_is_away_when_the_role_comes")
def a_file_that_is_gone_was_removed():
    original = driver_files.DriverFiles.look
    return replaced(driver_files.DriverFiles, "look", lambda self, forget=(): original(self, _Everybody()))


@seen_in("a_file_that_is_away_when_the_role_comes")
def what_files_said_is_forgotten_over_a_restart():
    return replaced(driver_files.DriverFiles, "_read_kept", lambda self: {})


@seen_in("a_file_that_is_away_when_the_role_comes")
def half_a_file_says_that_nobody_waits():
    original = driver_files._read

    def read(path):
        try:
            return original(path)
        except driver_files._Unreadable as error:
            error.guess = Options()
            raise

    return replaced(driver_files, "_read", read)


@seen_in("drivers_whose_order_is_a_circle")
def a_circle_counts_as_an_order():
    def order(options):
        before = {name: tuple(other for other in item.after if other in options) for name, item in options.items()}
        return before, []

    return replaced(drivers, "order", order)


@seen_in("drivers_that_a_passive_knows_of_but_not_that_it_is_committed")
def the_reign_before_is_looked_for_among_what_is_known_to_be_committed():
    original = driving.Driving._reign_before

    def reign_before(self):
        with replaced(heads.Heads, "list_speculative", heads.Heads.list):
            return original(self)

    return replaced(driving.Driving, "_reign_before", reign_before)


@driven
def the_vip_does_not_wait_for_drivers():
    return replaced(drivers.Drivers, "pre_active", lambda self: ())
