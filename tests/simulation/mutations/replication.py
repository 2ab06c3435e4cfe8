# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Left out: rules of replication, leases and the in-sync set (M1-M6, I1-I4)."""

from __future__ import annotations

import contextlib
import dataclasses

from baton.core import events, node
from baton.core.model import replies
from baton.core.replication import followers, following, leading, swaps
from baton.core.roles import election, links, orders, record_view, standing
from baton.core.state import heads, state, submissions
from simulation.mutations.tools import replaced, seen_in


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
