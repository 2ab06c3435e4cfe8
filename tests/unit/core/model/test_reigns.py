# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of reigns: what lies on it, where another log leaves it, and what a force may have left behind."""

import pytest

from baton.core.model.log import NO_EPOCH, ORIGIN, Entry, Epoch, Log, Position
from baton.core.model.reigns import Reign, Reigns, strays

ONE, TWO, FORCED, OTHER = Epoch(1, "a"), Epoch(2, "b"), Epoch(3, "f"), Epoch(3, "g")
HISTORY = Reigns([Reign(TWO, 11), Reign(ONE, 1), Reign(FORCED, 21)])


def at(epoch, seq):
    return Position(epoch, seq)


@pytest.mark.parametrize(
    ("place", "answer"),
    [
        (ORIGIN, True), (at(ONE, 1), True), (at(ONE, 10), True), (at(ONE, 11), False), (at(TWO, 20), True), (at(TWO, 21), False),
        (at(FORCED, 99), True), (at(OTHER, 22), False), (at(Epoch(0, "z"), 0), True),
    ],
)  # fmt: skip
def test_a_position_is_on_the_history_if_its_reign_wrote_it(place, answer):
    assert HISTORY.holds(place) is answer


def test_what_is_older_than_all_that_is_kept_is_not_known():
    assert Reigns([Reign(TWO, 11)]).holds(at(ONE, 5)) is None
    assert Reigns([Reign(TWO, 11)]).holds(at(ONE, 15)) is False, "at that place another reign wrote"
    assert Reigns().holds(at(ONE, 5)) is None


def test_it_travels_as_json():
    assert Reigns.from_json(HISTORY.to_json()) == HISTORY


def test_a_log_leaves_it_where_its_entries_are_of_another_reign():
    log = Log()
    for seq in range(1, 15):
        log.append(Entry.make(seq, ONE if seq < 13 else OTHER, 0, {}))
    assert HISTORY.fork(log) == 10
    log.drop_through(12)
    assert HISTORY.fork(log) == 12, "what it has is all of another history"


@pytest.mark.parametrize(
    ("what", "applied", "end", "shared", "theirs", "answer"),
    [
        ("all of it is ours", at(ONE, 5), at(TWO, 15), True, FORCED, False),
        ("it committed what we have not", at(ONE, 12), at(ONE, 12), True, FORCED, True),
        ("its tail was left behind by a force", at(TWO, 15), at(TWO, 25), True, NO_EPOCH, True),
        ("the same, without a shared store", at(TWO, 15), at(TWO, 25), False, NO_EPOCH, True),
        ("its tail is of another epoch of that number", at(TWO, 15), at(OTHER, 25), True, OTHER, True),
        ("its tail is of a reign that committed nothing", at(TWO, 15), at(Epoch(4, "h"), 25), True, FORCED, False),
        ("the same, without a shared store", at(TWO, 15), at(Epoch(4, "h"), 25), False, FORCED, False),
        ("it comes after another force", at(TWO, 15), at(Epoch(4, "h"), 25), False, OTHER, True),
        ("an older version does not say whether", at(TWO, 15), at(Epoch(4, "h"), 25), False, None, True),
        ("its tail is ours", at(TWO, 15), at(FORCED, 25), True, FORCED, False),
    ],
)
def test_what_may_have_been_acknowledged_elsewhere(what, applied, end, shared, theirs, answer):
    assert strays(HISTORY, applied, end, FORCED, shared, theirs) is answer, what


def test_without_a_force_a_tail_was_never_acknowledged():
    assert not strays(Reigns([Reign(ONE, 1), Reign(TWO, 11)]), at(ONE, 5), at(ONE, 15), NO_EPOCH, False, NO_EPOCH)
