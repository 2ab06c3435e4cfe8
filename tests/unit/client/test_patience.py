# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of waiting: seconds of the clock, of those that were to be."""

import pytest

from baton.client.patience import Patience


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("seconds", "after", "left", "so_far", "spent"),
    [
        (5, 0, 5, "0 s of 5 s", "5 s"),
        (5, 2, 3, "2 s of 5 s", "5 s"),
        (5, 5.2, 0, "5 s of 5 s", "5 s"),
        (5, 31, 0, "5 s of 5 s", "31 s"),
        (0.1, 0.1, 0, "0 s of 0.1 s", "0.1 s"),
        (297.18273, 20, 277.18273, "20 s of 297 s", "297 s"),
    ],
)
def test_nobody_has_waited_longer_than_the_clock_says(seconds, after, left, so_far, spent):
    clock = Clock()
    patience = Patience(seconds, clock)
    clock.now += after
    assert patience.left == pytest.approx(left)
    assert (patience.so_far, patience.spent) == (so_far, spent)
