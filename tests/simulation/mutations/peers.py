# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Left out: rules of what a peer is believed (I11), and of two that have one name."""

from __future__ import annotations

from baton.core import node
from baton.core.roles import trust, twins
from simulation.mutations.tools import replaced, seen_in


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
