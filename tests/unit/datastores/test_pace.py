# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast copies may leave a host: each by its limit, all together by the host's."""

import pytest

from baton.datastores.guest.pace import BURST, Bucket, shares


@pytest.mark.parametrize(
    ("most", "limits", "found"),
    [
        (0, {"a": 10.0, "b": 0.0}, {"a": 10.0, "b": 0.0}),
        (100, {}, {}),
        (100, {"a": 0.0}, {"a": 100.0}),
        (100, {"a": 0.0, "b": 0.0}, {"a": 50.0, "b": 50.0}),
        (100, {"a": 10.0, "b": 0.0, "c": 0.0}, {"a": 10.0, "b": 45.0, "c": 45.0}),
        (100, {"a": 200.0, "b": 30.0}, {"a": 70.0, "b": 30.0}),
    ],
)
def test_what_one_does_not_want_the_others_have(most, limits, found):
    assert shares(most, limits) == found


def test_what_is_sent_never_exceeds_the_rate_but_for_a_burst():
    now, sent, bucket = 0.0, 0, Bucket(0.0)
    while now < 10.0:
        now += bucket.take(300, 1000.0, now)
        sent += 300
        assert sent <= 1000.0 * (now + BURST) + 1
    assert sent >= 9_900


def test_a_rest_saves_up_no_more_than_a_burst():
    bucket = Bucket(0.0)
    assert bucket.take(250, 1000.0, 60.0) == 0.0
    assert bucket.take(1000, 1000.0, 60.0) == 1.0


def test_a_limit_that_is_changed_is_the_limit_from_then_on():
    bucket = Bucket(0.0)
    assert bucket.take(1000, 1000.0, 0.0) == 1.0
    assert bucket.take(1000, 2000.0, 1.0) == 0.25
    assert bucket.take(10**9, 0.0, 1.25) == 0.0
    assert bucket.take(100, 1000.0, 1.25) == 0.1
