# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's judge: what it must let pass, and each lie that it must notice."""

import pytest
from verdict import Operation, Violation, check_register, check_set


def swap(begin, end, old, new, outcome="ok"):
    return Operation("swap", begin, end, new, old, outcome)


def read(begin, end, value):
    return Operation("read", begin, end, value)


CHAIN = [swap(0, 1, "", "a"), swap(2, 3, "a", "b"), swap(4, 5, "b", "c")]


def test_a_plain_history_passes():
    assert check_register("r", "", [*CHAIN, read(1.5, 1.6, "a"), read(2, 4, "a"), read(2, 4, "b"), read(6, 7, "c")]) == 3


def test_what_happened_at_the_same_time_may_have_any_order():
    history = [swap(0, 9, "", "a"), swap(0, 9, "a", "b"), read(0, 1, ""), read(0, 2, "b"), read(3, 4, "b")]
    assert check_register("r", "", history) == 2


def test_an_unknown_write_may_have_happened_late_or_not_at_all():
    unknown = swap(0, 1, "", "a", "unknown")
    assert check_register("r", "", [unknown, read(2, 3, "")]) == 0
    assert check_register("r", "", [unknown, read(2, 3, ""), read(4, 5, "a")]) == 1
    assert check_register("r", "", [unknown, swap(5, 6, "a", "b", "unknown"), read(7, 8, "b")]) == 2


@pytest.mark.parametrize(
    ("history", "what"),
    [
        ([*CHAIN, swap(4, 5, "b", "d")], "both"),
        ([*CHAIN, read(6, 7, "b")], "can't have happened"),
        ([*CHAIN, read(3.5, 3.6, "a")], "can't have happened"),
        ([*CHAIN, read(1, 1.5, "b")], "can't have happened"),
        ([swap(0, 1, "", "a"), swap(2, 3, "", "b")], "both"),
        ([swap(0, 1, "", "a"), swap(2, 3, "lost", "b")], "never there"),
        ([*CHAIN, read(6, 7, "made up")], "no write left it there"),
        ([swap(0, 1, "", "a", "not_applied"), read(2, 3, "a")], "was not written"),
        ([swap(0, 1, "", "a", "not_applied"), swap(2, 3, "a", "b")], "was not written"),
        ([swap(0, 1, "", "a"), read(2, 3, "a"), read(4, 5, "")], "can't have happened"),
        ([swap(5, 6, "", "a", "unknown"), read(1, 2, "a")], "can't have happened"),
    ],
)
def test_lies_are_noticed(history, what):
    with pytest.raises(Violation, match=what):
        check_register("r", "", history)


def test_the_set():
    adds = {"1": "ok", "2": "unknown", "3": "not_applied", "4": "ok"}
    check_set(adds, {"1", "4"})
    check_set(adds, {"1", "2", "4"})
    with pytest.raises(Violation, match="1 acknowledged writes are lost: 4"):
        check_set(adds, {"1"})
    with pytest.raises(Violation, match="nothing was done: 3"):
        check_set(adds, {"1", "3", "4"})
    with pytest.raises(Violation, match="nobody wrote"):
        check_set(adds, {"1", "4", "5"})
