# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Left out: rules of forces, disks that were set back, the log's time, and a store that shows an older record (I3, I9)."""

from __future__ import annotations

import contextlib
import dataclasses

from baton.core import node
from baton.core.model import log_clock, reigns
from baton.core.replication import followers, following, leading
from baton.core.roles import doubt, record_view, snapshots, standing
from baton.core.state import state, submissions
from simulation.mutations.tools import replaced, seen_in


@contextlib.contextmanager
def _nobody_strays():
    with replaced(followers, "strays", lambda *_position: False), replaced(snapshots, "strays", lambda *_position: False):
        yield


@seen_in("a_force_and_a_long_log")
def a_snapshot_replaces_what_a_force_left_behind():
    return _nobody_strays()


@seen_in("one_forced_side_goes_on_without_a_force")
def only_the_number_of_a_forced_epoch_counts():
    def left_behind(message, epoch):
        return message.forced > epoch.number

    stack = contextlib.ExitStack()
    stack.enter_context(_nobody_strays())
    stack.enter_context(replaced(following.Following, "_left_behind", staticmethod(left_behind)))
    return stack


@seen_in("both_are_forced")
def two_reigns_of_one_number_give_the_same_tokens():
    return replaced(submissions, "tokens_above", lambda epoch, forced: epoch.number << 32)


@seen_in("a_manual_active_restarts_alone")
def a_restarted_manual_active_asks_whom_it_knows_to_be_committed():
    def unheard(self):
        here = self.standing
        return sorted(n for n in here.members() if n != here.config.node and n not in here.peers)

    return replaced(record_view.RecordView, "unheard", unheard)


@seen_in("forced_while_a_snapshot_is_installed")
def a_force_does_not_wait_for_a_snapshot():
    original = snapshots.Snapshots.record_read

    def record_read(self):
        original(self)
        self.standing.installing = False

    return replaced(snapshots.Snapshots, "record_read", record_read)


@seen_in("a_disk_below_the_floor")
def the_floor_is_not_checked():
    return replaced(state.State, "reaches_floor", lambda self, record: True)


@seen_in("the_floors_epoch")
def the_floor_is_a_number_only():
    return replaced(state.State, "reaches_floor", lambda self, record: self.log.end.seq >= record.floor)


@seen_in("the_active_lost_its_last_entries")
def a_restarted_active_does_not_ask_what_it_lost():
    return replaced(record_view.RecordView, "_recovered", lambda self, record, now: True)


@seen_in("strict_loses_its_passive_in_the_middle_of_a_write")
def strict_acknowledges_what_one_disk_has():
    original = submissions.Submissions.committed
    return replaced(submissions.Submissions, "committed", lambda self, promised: original(self, True))


@seen_in("replies_age_by_the_log")
def replies_age_by_the_wall_clock():
    def lean(self, now, wall):
        self._at, self._since = max(self._at, wall * 1000), now

    return replaced(log_clock.LogClock, "lean", lean)


@seen_in("replies_age_by_the_log")
def the_logs_time_stands_until_the_wall_clock_has_caught_up():
    def lean(self, now, wall):
        self._at, self._since = max(self._at, wall * 1000 if self._at == 0 else min(self._at + 1, wall * 1000)), now

    return replaced(log_clock.LogClock, "lean", lean)


@seen_in("the_store_is_rolled_back")
def an_older_record_is_believed_if_its_version_is_newer():
    return replaced(doubt.Doubt, "is_older", lambda self, version, record: version < self._state.known)


@seen_in("a_promotion_that_lands_after_a_restart")
def a_passive_follows_an_epoch_that_the_record_has_left_behind():
    original = node.Node._on_append

    promised = property(lambda self: dataclasses.replace(self.state.record, epoch=self.state.promised))

    def on_append(self, peer, message, now):
        with replaced(standing.Standing, "record", promised):
            original(self, peer, message, now)

    return replaced(node.Node, "_on_append", on_append)


@seen_in("a_force_that_got_no_further_than_its_note")
def the_record_stands_still_for_a_promotion_that_came_to_nothing():
    original = leading.Leading.hello

    def hello(self, message, now):
        original(self, dataclasses.replace(message, noted=-1), now)

    return replaced(leading.Leading, "hello", hello)


@seen_in("a_reign_that_committed_nothing")
def without_a_shared_store_every_unknown_tail_strays():
    original = reigns.strays

    def strays(history, applied, end, forced, shared, theirs):
        return original(history, applied, end, forced, shared, None)

    stack = contextlib.ExitStack()
    stack.enter_context(replaced(followers, "strays", strays))
    stack.enter_context(replaced(snapshots, "strays", strays))
    return stack


@seen_in("an_order_while_the_store_is_rolled_back")
def orders_are_taken_while_the_store_is_in_doubt():
    return replaced(doubt.Doubt, "stands", property(lambda self: False))


@seen_in("the_store_is_rolled_back")
def who_could_be_promoted_by_an_older_record_does_not_count():
    return replaced(leading.Leading, "counted", lambda self: self.followers.counted(self._ours()))


@seen_in("the_store_is_rolled_back")
def what_a_person_forced_from_an_older_record_is_doubted():
    return replaced(doubt.Doubt, "is_forced_anew", lambda self, version, record: False)


@seen_in("the_store_names_an_active_of_the_past")
def nobody_is_asked_whether_there_is_a_newer_epoch():
    return replaced(record_view.RecordView, "outruled", lambda self, record: "")


@seen_in("a_new_active_has_much_to_evaluate")
def who_has_evaluated_its_log_begins_although_the_role_is_anothers():
    def go_on(self, event, now):
        if self._becoming is not None:
            self._lead(self._becoming[0], now)

    return replaced(node.Node, "_go_on", go_on)


@seen_in("a_new_active_has_much_to_evaluate")
def a_reign_begins_with_what_is_evaluated():
    original = state.State.catch_up
    return replaced(state.State, "catch_up", lambda self, most: original(self, most) or True)
