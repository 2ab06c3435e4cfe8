# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of how far replicas are behind: coarsely, seldom for itself, at once with anything else."""

import pytest

from baton.datastores.guest.lag import EVERY, LEAST, Lags, coarse
from baton.datastores.model.channel import Server


def behind(waits, seconds=0, **more):
    return {"m1": Server(True, lag_bytes=waits, lag_seconds=seconds, **more)}


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ((None, None), (None, None)), ((0, 1), (0, 0)), ((LEAST - 1, 0), (0, 0)), ((LEAST, 2), (LEAST, 2)), ((100_000, 3), (98_304, 3)),
        ((1_000_000, 7), (786_432, 6)), ((5, None), (0, None)), ((0, 1000), (0, 768)),
    ],
)  # fmt: skip
def test_it_is_told_in_steps_and_a_little_is_none(found, told):
    server = coarse(Server(True, lag_bytes=found[0], lag_seconds=found[1]))
    assert (server.lag_bytes, server.lag_seconds) == told


def test_lag_alone_is_told_once_in_a_while_whatever_it_does():
    lags, stands, changes, now = Lags(), behind(0), 0, 100.0
    for look in range(4 * 60):
        now += 0.25
        told = lags.told(behind(LEAST << look % 7, look % 9), stands, now)
        changes, stands = changes + (told != stands), told
    assert 2 <= changes <= 60 / EVERY + 1


def test_nothing_is_told_while_there_is_none():
    lags, stands = Lags(), behind(0)
    assert all(lags.told(behind(look % 5 * 10_000, look % 2), stands, look * EVERY) == stands for look in range(20))


def test_what_else_is_news_is_told_at_once_and_the_lag_with_it():
    lags, stands = Lags(), behind(0)
    stands = lags.told(behind(LEAST), stands, 100.0)
    assert lags.told(behind(4 * LEAST), stands, 100.1) == stands
    stands = lags.told(behind(4 * LEAST, trouble="its disk is full"), stands, 100.2)
    assert stands == behind(4 * LEAST, trouble="its disk is full")
    assert lags.told({**stands, "m2": Server(True)}, stands, 100.3).keys() == {"m1", "m2"}
    assert lags.told({}, stands, 100.4) == {}
