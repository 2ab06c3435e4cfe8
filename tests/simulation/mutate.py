# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave out one rule of the protocol at a time and see that the simulator notices: ``python tests/simulation/mutate.py``.

A simulator that finds nothing proves nothing unless it is known what it would find.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import itertools
import multiprocessing
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable

importlib.import_module("simulation.aimed_disk")
importlib.import_module("simulation.aimed_vip")

from baton.adapters.drivers import files as driver_files  # noqa: E402
from baton.core import events, node  # noqa: E402
from baton.core.coordination import actions as coordination  # noqa: E402
from baton.core.coordination import locks  # noqa: E402
from baton.core.drivers import drivers  # noqa: E402
from baton.core.model import documents, log_clock, record, reigns, replies  # noqa: E402
from baton.core.model.driver_options import Options  # noqa: E402
from baton.core.replication import client_leases, dcs_health, followers, following, handover, leading, swaps  # noqa: E402
from baton.core.roles import (  # noqa: E402  # noqa: E402
    able,
    candidacy,
    doubt,
    election,
    links,
    orders,
    record_view,
    room,
    snapshots,
    standing,
    succession,
    trust,
    twins,
)
from baton.core.roles import driver_duty as driving  # noqa: E402
from baton.core.state import heads, state, submissions  # noqa: E402
from simulation.aimed import SCHEDULES  # noqa: E402
from simulation.schedule import Schedule  # noqa: E402
from simulation.world import has_drivers  # noqa: E402

MOST_AIMED = 200
# The seed at which each that takes more than a few was caught first: where ``--seen`` begins. They move with every change of the
# simulator or the core; `make mutate` finds them anew.
SEEN = {
    "m1_unknown_swap_is_failure": 293,
    "m2_continues_its_epoch": 45,
    "m4_a_closed_link_is_a_release": 16,
    "m4_a_notice_of_any_epoch_counts": 91,
    "lease_counts_from_the_answer": 101,
    "grace_is_as_short_as_the_lease": 156,
    "a_restart_begins_no_grace": 57,
    "serves_without_a_lease": 36,
    "serves_before_the_others_know_the_epoch": 4,
    "hands_over_while_it_holds_the_vip": 17,
    "m6_joiner_counts_after_the_swap_only": 33,
    "client_leases_end_with_the_reign": 34,
    "client_leases_ignore_the_rate_of_clocks": 211,
    "a_seat_is_given_to_whoever_asks": 26,
    "drivers_start_as_soon_as_the_node_is_active": 17,
    "drivers_wait_for_the_grace_only": 32,
    "the_role_is_given_away_while_drivers_run": 22,
    "the_role_is_given_away_before_the_last_but_one_has_stopped": 187,
    "any_notice_says_that_drivers_have_stopped": 32,
    "drivers_start_before_others_know_that_there_are_any": 107,
    "the_vip_does_not_wait_for_drivers": 12,
}


@contextlib.contextmanager
def replaced(owner, name, value):
    old = owner.__dict__[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)


def driven(mutation):
    """Only schedules with drivers can notice it."""
    mutation.driven = True
    return mutation


def seen_in(schedule):
    """An aimed schedule is what notices it."""

    def mark(mutation):
        mutation.schedule = schedule
        return mutation

    return mark


def m1_only_new_members_count():
    def counted(self):
        return self.followers.counted([self.swap.record if self.swap else self.record])

    return replaced(leading.Leading, "counted", counted)


def m1_unknown_swap_is_failure():
    """The active goes on as if a swap without an answer had not happened."""
    original = leading.Leading.settled

    def answer(self, nonce, done, version, refused=""):
        if nonce != self.record.nonce:
            return [], None
        purpose = self.purpose if done is not None else "unknown"
        return [], swaps.Settled(bool(done), purpose, self.node, version, self.record if done else None)

    def settled(self, settled, now):
        if settled.purpose != "unknown":
            original(self, settled, now)
            return
        self.swap = None
        for follower in self.followers.by_node.values():
            follower.joining_from = None

    stack = contextlib.ExitStack()
    stack.enter_context(replaced(swaps.PendingSwap, "answer", answer))
    stack.enter_context(replaced(leading.Leading, "settled", settled))
    return stack


def m2_continues_its_epoch():
    original = record_view.RecordView.place

    def place(self, record, now):
        begun = []

        def start_epoch(here, now):
            here.state.promised = here.state.promised._replace(number=here.state.promised.number - 1)
            begun.append("start")

        with replaced(standing.Standing, "start_epoch", start_epoch):
            return original(self, record, now) or "".join(begun)

    return replaced(record_view.RecordView, "place", place)


@seen_in("a_promotion_that_lands_after_a_restart")
def m3_acknowledges_while_it_promotes():
    original = following.Following.append

    def append(self, peer, message, now):
        noted, self.state.noted = self.state.noted, -1
        original(self, peer, message, now)
        self.state.noted = noted

    def stored(self, store):
        noted, self.state.noted = self.state.noted, -1
        self._stored(store)
        self.state.noted = noted

    stack = contextlib.ExitStack()
    following.Following._stored = following.Following.stored
    stack.callback(delattr, following.Following, "_stored")
    stack.enter_context(replaced(following.Following, "append", append))
    stack.enter_context(replaced(following.Following, "stored", stored))
    stack.enter_context(replaced(node.Node, "_on_append", _on_append_in_any_role))
    return stack


def _on_append_in_any_role(self, peer, message, now):
    if self.leading is None and peer in self.standing.peers:
        self.following.append(peer, message, now)
        self.view.note_in_sync()
    elif self.leading is not None and message.epoch.number > self.leading.epoch.number:
        self.standing.step_down("a newer epoch")
    elif self.leading is not None:
        self.following.refuse_stale(peer, message.epoch)


@seen_in("a_promotion_that_lands_after_a_restart")
def m3_forgets_over_a_restart_that_it_promotes():
    original = state.State.store

    def store(self, entries=(), truncate_after=None, meta=None):
        kept = {name: value for name, value in (meta or {}).items() if name != "noted"}
        return original(self, entries, truncate_after, kept)

    return replaced(state.State, "store", store)


def m4_a_closed_link_is_a_release():
    original = node.Node.handle

    def handle(self, event, now):
        commands = original(self, event, now)
        if isinstance(event, events.LinkDown):
            commands += original(self, events.ReleaseNotice(event.node, self.record.epoch), now)
        return commands

    return replaced(node.Node, "handle", handle)


def m4_a_notice_of_any_epoch_counts():
    original = election.Election.release

    def release(self, peer, epoch, record, now, drivers=False):
        return original(self, peer, record.epoch, record, now, drivers)

    return replaced(election.Election, "release", release)


def lease_counts_from_the_answer():
    original = followers.Followers.ack

    def ack(self, peer, message, now):
        return original(self, peer, dataclasses.replace(message, stamp=now), now)

    return replaced(followers.Followers, "ack", ack)


def grace_is_as_short_as_the_lease():
    original = election.Election.due

    def due(self, record, heard, rank, now):
        return original(self, record, heard, rank, now + self.config.timing.grace - self.config.timing.lease * 0.9)

    return replaced(election.Election, "due", due)


def a_restart_begins_no_grace():
    return replaced(election.Election, "restart", lambda self, now: setattr(self, "since", -1e9))


def serves_without_a_lease():
    def serving(self, now):
        return self.started and not self.over and not self.waits_for

    return replaced(leading.Leading, "serving", serving)


def serves_before_the_others_know_the_epoch():
    original = leading.Leading.advance

    def advance(self, now):
        original(self, now)
        self.lease = max(self.lease, self._since + self.config.timing.lease)
        if self.durable >= self.start_seq:
            self.state.apply(max(self.state.commit, self.start_seq))

    init = leading.Leading.__init__

    def begin(self, config, state, names, history, now, free=False):
        init(self, config, state, names, history, now, free)
        self._since = now

    stack = contextlib.ExitStack()
    stack.enter_context(replaced(leading.Leading, "advance", advance))
    stack.enter_context(replaced(leading.Leading, "__init__", begin))
    return stack


def hands_over_while_it_holds_the_vip():
    original = leading.Leading.hand_over

    def hand_over(self, order, to, reason, now, store_answers=False):
        original(self, order, to, reason, now, store_answers)
        self.handover.released = self.handover.freed = True
        self._give_away(now)

    return replaced(leading.Leading, "hand_over", hand_over)


def m5_cuts_by_length():
    original = following.Following._take

    def take(self, peer, message, now):
        log, end = self.state.log, message.prev.seq + len(message.entries)
        if message.entries and log.end.seq > end >= log.start.seq:
            log.truncate_after(end)
            self.state.store(truncate_after=end)
        original(self, peer, message, now)

    return replaced(following.Following, "_take", take)


def m6_joiner_counts_after_the_swap_only():
    def grow(self, now):
        if self.swap or self.handover or not self.started:
            return
        for follower in self.followers.caught_up(self.counted(), now)[:1]:
            self.change_record("grow", follower.node, self.record.adding(follower.member), now)
            self.swap.record.__dict__["in_sync"] = self.record.in_sync + (follower.member,)

    def counted(self):
        return self.followers.counted([self.record])

    stack = contextlib.ExitStack()
    stack.enter_context(replaced(leading.Leading, "grow", grow))
    stack.enter_context(replaced(leading.Leading, "counted", counted))
    return stack


def heads_tests_see_the_committed_head():
    return replaced(heads.Heads, "speculative", heads.Heads.committed)


def heads_lost_race_answered_early():
    original = submissions.Submissions._wait

    def wait(self, seq, request, answer, wrote=False):
        original(self, seq if wrote else 0, request, answer, wrote)

    return replaced(submissions.Submissions, "_wait", wait)


def acknowledged_before_it_is_durable():
    original = following.Following.append

    def append(self, peer, message, now):
        original(self, peer, message, now)
        if self.active == peer:
            self._durable = self._matched
            self._ack()

    return replaced(following.Following, "append", append)


def active_answers_before_its_own_disk():
    original = leading.Leading.flush

    def flush(self, now):
        original(self, now)
        self.durable = self._stored_through

    return replaced(leading.Leading, "flush", flush)


@seen_in("a_request_is_repeated_to_the_next_active")
def repeated_request_is_a_new_one():
    return replaced(replies.Replies, "find", lambda self, key: None)


def promotes_who_is_not_in_sync():
    def force(self, order, rolled_back, now):
        self._keep(order, now)
        here = self.standing
        here.send_swap("promote", here.config.node, here.promoted().adding(here.me), now)

    stack = contextlib.ExitStack()
    stack.enter_context(replaced(orders.Orders, "_force", force))
    stack.enter_context(replaced(standing.Standing, "in_sync", lambda self: bool(self.record.cluster_id)))
    return stack


def client_leases_end_with_the_reign():
    def resume(self, heads, now):
        if not self._running:
            self._running = True
            self._ticked_at = now
            self._ttl = {document.key: document.value["Ttl"] for document in heads.list("leases")}
            self._deadline = dict.fromkeys(self._ttl, now)

    return replaced(client_leases.ClientLeases, "_resume", resume)


def client_leases_ignore_the_rate_of_clocks():
    original = client_leases.ClientLeases.__init__

    def shorter(self, rate_error, patience):
        original(self, 0.0, patience)

    return replaced(client_leases.ClientLeases, "__init__", shorter)


@seen_in("strict_keeps_what_cannot_be_kept_alive")
def client_leases_run_on_while_nobody_can_keep_them():
    original = client_leases.ClientLeases.tick

    def tick(self, serving, heads, now):
        return original(self, True, heads, now)

    return replaced(client_leases.ClientLeases, "tick", tick)


@seen_in("a_tie_that_cannot_be_undone")
def a_tie_that_cannot_be_undone_keeps_the_lease():
    def untie(self, change):
        one = coordination.ties.seats.untie_seat(change, self.lookup) if "Seat" in change.body else [documents.Change("x", "x", "delete")]
        self.run(one)

    return replaced(heads.Evaluation, "_untie", untie)


def a_lock_is_given_to_whoever_asks():
    original = locks.acquire

    def acquire(change, lookup, floor):
        changes = original(change, lookup, floor)
        return [item if item.action != "patch" or item.kind != "locks" else _into_holders(item) for item in changes]

    return _order("acquire", acquire)


@contextlib.contextmanager
def a_fence_is_never_looked_at():
    old = coordination.ACTIONS[("leases", "check")]
    coordination.ACTIONS[("leases", "check")] = lambda change, lookup, moment: []
    try:
        yield
    finally:
        coordination.ACTIONS[("leases", "check")] = old


@contextlib.contextmanager
def a_seat_is_given_to_whoever_asks():
    old = coordination.ACTIONS[("", "elect")]

    def elect(change, lookup, floor):
        empty = {"op": "add", "path": "/Params/my~1leader", "value": "none"}
        changes = old(change, lookup, floor)
        if changes or lookup(change.kind, change.key) is None:
            return changes
        taken = [documents.Change(change.kind, change.key, "patch", [empty]), change]
        return taken if lookup(change.kind, change.key).value["Params"]["my/leader"] != change.body["Candidate"] else []

    coordination.ACTIONS[("", "elect")] = elect
    try:
        yield
    finally:
        coordination.ACTIONS[("", "elect")] = old


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


@seen_in("a_joiner_with_an_old_stamp")
def m6_a_joiners_stamp_may_be_older_than_our_lease():
    def joined(self, now):
        waits = [f for f in self.by_node.values() if f.joining_from is not None]
        return [f for f in waits if f.matched >= f.joining_from and f.blobs and f.stamp + self.timing.lease > now]

    return replaced(followers.Followers, "joined", joined)


@seen_in("a_slow_link")
def shrinking_goes_by_what_was_heard():
    def answers(self, follower, now):
        return now - max(follower.heard, self.since) <= self.timing.silence

    return replaced(followers.Followers, "answers", answers)


@seen_in("a_passive_that_can_not_acknowledge")
def a_hello_proves_that_a_passive_is_there():
    return shrinking_goes_by_what_was_heard()


@seen_in("a_passive_restarts_while_the_store_is_out")
def a_restarted_passive_waits_for_the_store():
    original = state.State.load

    def load(self, saved):
        self.record, self.version = None, -1
        original(self, saved)

    return replaced(state.State, "load", load)


@seen_in("a_joiner_dies_while_the_store_is_out")
def a_join_is_begun_while_the_store_is_out():
    original = leading.Leading.grow

    def grow(self, now):
        self.record_seen = now
        original(self, now)

    return replaced(leading.Leading, "grow", grow)


@seen_in("a_joiner_dies_while_the_store_is_out")
def a_joiner_ends_the_lease():
    return replaced(leading.Leading, "_may_stand", lambda self, member: True)


@seen_in("removed_stays_removed")
def a_removed_node_comes_back_by_itself():
    return replaced(links, "removed", lambda state, name: False)


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


@seen_in("a_clone_of_the_active")
def who_is_called_a_twin_begins_all_the_same():
    return replaced(twins.Twins, "doubted", lambda self, now: False)


@seen_in("the_image_of_a_passive_outlives_the_active")
def who_was_called_a_twin_takes_over_when_it_hears_nothing_any_more():
    original = twins.Twins.doubted

    def doubted(self, now):
        self.accepted()
        return original(self, now)

    return replaced(twins.Twins, "doubted", doubted)


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


# --- a log that is not evaluated yet ---


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


# --- the VIP is where it works ---


@seen_in("the_interface_of_the_active_dies")
def the_role_stays_where_the_vip_is_dead():
    return replaced(able.Able, "tend", lambda self, now: None)


@seen_in("the_active_dies_and_one_interface_with_it")
def elections_do_not_look_at_the_vip():
    original = election._merit
    return replaced(election, "_merit", lambda fit, end, priority: original((True, fit[1]), end, priority))


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
    return replaced(dcs_health.Asked, "answered", lambda self, record_seen, now: True)


@seen_in("a_switch_is_ordered_while_the_store_is_out")
def an_order_does_not_ask_the_store():
    original = handover.Handover.__init__

    def init(self, order, to, reason, now, store=None):
        original(self, order, to, reason, now)

    return replaced(handover.Handover, "__init__", init)


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


# --- the role is where there is room ---


@seen_in("the_disk_of_the_active_fills_up")
def the_role_stays_where_the_disk_is_full():
    return replaced(able.Able, "_serves", property(lambda self: election.fitness(self.standing.unable, "")))


@seen_in("the_disk_of_a_passive_is_full")
def elections_do_not_look_at_the_disk():
    original = election._merit
    return replaced(election, "_merit", lambda fit, end, priority: original((fit[0], True), end, priority))


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
    return replaced(dcs_health.Asked, "answered", lambda self, record_seen, now: True)


@seen_in("a_disk_fills_up_and_an_interface_dies")
@contextlib.contextmanager
def room_comes_before_the_vip():
    def fitness(unable, full):
        return (not full, not unable)

    with replaced(election, "fitness", fitness), replaced(able, "fitness", fitness):
        yield


def _believes_frames(self, name, message, now):
    """A passive promises itself to whatever later epoch a frame has, as if a record had said so."""
    if self.leading is not None or name not in self.standing.peers:
        return
    if message.record is not None:
        self.view.news(name, message.record_version, message.record, now)
    if self.role == "passive" and not self.standing.installing and message.epoch.number >= self.record.epoch.number:
        self.following.append(name, message, now)


@seen_in("a_peer_lies")
def i11_a_frame_says_who_is_active():
    return replaced(node.Node, "_on_append", _believes_frames)


def i11_a_frame_says_who_is_active_among_other_faults():
    return replaced(node.Node, "_on_append", _believes_frames)


@seen_in("a_peer_lies")
def i11_the_epoch_alone_says_who_is_active():
    return replaced(trust.Trust, "is_active", lambda self, name, epoch: self.standing.record.epoch == epoch)


@seen_in("a_peer_lies")
def i11_an_active_steps_down_for_a_frame():
    original = node.Node._on_append

    def on_append(self, name, message, now):
        if self.leading is not None and message.epoch.number > self.leading.epoch.number:
            self.standing.step_down(f"{name} is active in epoch {message.epoch.number}")
        original(self, name, message, now)

    return replaced(node.Node, "_on_append", on_append)


@seen_in("a_peer_lies")
def i11_anybody_hands_out_snapshots():
    def on_use_snapshot(self, name, message, now):
        if self.leading is None:
            self.following.use_snapshot(name, message)

    return replaced(node.Node, "_on_use_snapshot", on_use_snapshot)


@seen_in("a_peer_lies_where_nodes_keep_the_record")
def i11_a_record_is_taken_from_anybody():
    return replaced(trust.Trust, "takes", lambda self, name, version, record: True)


@seen_in("a_new_active_is_followed_at_once_by_who_has_not_read_of_it")
def i11_a_later_epoch_is_not_asked_about():
    return replaced(trust.Trust, "ask", lambda self, why, now: None)


def _into_holders(change):
    body = [{**operation, "path": operation["path"].replace("/Queue/", "/Holders/")} for operation in change.body]
    return dataclasses.replace(change, body=body)


@contextlib.contextmanager
def _order(name, handler):
    old = coordination.ACTIONS[("locks", name)]
    coordination.ACTIONS[("locks", name)] = handler
    try:
        yield
    finally:
        coordination.ACTIONS[("locks", name)] = old


def _is_mutation(name, value):
    ours = callable(value) and getattr(value, "__module__", "") == __name__ and not isinstance(value, type)
    return ours and not name.startswith("_") and name not in ("replaced", "driven", "seen_in")


MUTATIONS = {name: value for name, value in list(globals().items()) if _is_mutation(name, value)}


class DoesNotFit(Exception):
    """What failed is the mutation itself: the code has changed beneath it."""


def seen(error):
    """Return what a schedule has noticed; DoesNotFit when that is the mutation itself."""
    if isinstance(error, (AttributeError, NameError, TypeError)):
        raise DoesNotFit(f"{type(error).__name__}: {error}")
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def caught(mutation, most, first):
    """Return (seed, what was seen) of the first schedule that fails under ``mutation``, or None."""
    if hasattr(mutation, "schedule"):
        return _caught_by(SCHEDULES[mutation.schedule], mutation, MOST_AIMED)
    seeds = (seed for seed in itertools.count(first) if has_drivers(seed) or not getattr(mutation, "driven", False))
    with mutation():
        for seed in itertools.islice(seeds, most):
            try:
                Schedule(seed).run()
            except Exception as error:
                return seed, seen(error)
    return None


def _caught_by(schedule, mutation, most):
    with mutation():
        for seed in range(1, most + 1):
            try:
                schedule(seed)
            except Exception as error:
                return seed, seen(error)
    return None


def outcome(work):
    """Return the name, what was seen (None: nothing), and why nothing could be."""
    name, most, first = work
    try:
        return name, caught(MUTATIONS[name], most, first), "NOT CAUGHT"
    except DoesNotFit as error:
        return name, None, f"DOES NOT FIT the code any more: {error}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=3000, help="seeds to try for each")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seen", action="store_true", help="begin shortly before the seed at which each was caught before: quick")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    missed = 0
    names = options.names or list(MUTATIONS)
    work = [(name, options.most, max(1, SEEN.get(name, 1) - 5) if options.seen else options.first_seed) for name in names]
    with multiprocessing.Pool(options.jobs) as pool:
        for name, found, why in pool.imap(outcome, work):
            missed += found is None
            print(f"{name:45} " + (f"caught by seed {found[0]:4}: {found[1][:110]}" if found else why), flush=True)
    print(f"{len(names) - missed} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
