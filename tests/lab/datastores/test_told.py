# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Are two writable servers, lost rows and gaps noticed, and nothing else taken for them?"""

import pytest
from told import Ack, elsewhere, gap, lost, overlap


def acks(*found):
    """Each (server, sent, received)."""
    return [Ack(sent, received, server, row) for row, (server, sent, received) in enumerate(found)]


ONE_AFTER_THE_OTHER = acks((1, 0.0, 0.1), (1, 0.2, 0.3), (2, 1.0, 1.1), (2, 1.2, 1.3))


def test_a_new_source_after_the_old_one_is_no_overlap():
    assert overlap(ONE_AFTER_THE_OTHER, 1, 1, -1.0) == 0.0


def test_a_write_that_the_old_source_takes_after_the_new_one_is():
    both = [*ONE_AFTER_THE_OTHER, *acks((1, 1.15, 1.5))]
    assert overlap(both, 1, 1, -1.0) == pytest.approx(0.4)


def test_an_old_source_that_goes_on_beside_the_new_one_is():
    both = acks((1, 0.0, 0.1), (2, 0.2, 0.3), (1, 0.31, 0.4), (2, 0.41, 0.5), (1, 0.51, 0.6), (2, 0.61, 0.7))
    assert overlap(both, 1, 1, -1.0) == pytest.approx(0.3)


def test_an_old_source_that_woke_up_is_although_it_was_silent_since_the_fault():
    """Its host froze in the moment in which we began to look."""
    woken = acks((2, 1.0, 1.1), (2, 1.2, 1.3), (1, 5.0, 5.1), (1, 5.2, 5.3))
    assert overlap(woken, 1, 1, 0.0) == pytest.approx(4.2)


def test_an_answer_that_was_asked_for_before_and_comes_late_proves_nothing():
    assert overlap([*ONE_AFTER_THE_OTHER, *acks((1, 0.9, 5.0))], 1, 1, -1.0) == 0.0


def test_who_takes_writes_without_being_meant_to_is_noticed():
    assert overlap(ONE_AFTER_THE_OTHER, 0, 1, -1.0) > 0.0


def test_a_source_that_is_meant_to_come_back_may():
    back = [*ONE_AFTER_THE_OTHER, *acks((1, 2.0, 2.1))]
    assert overlap(back, 2, 1, -1.0) == 0.0


def test_the_longest_time_without_an_answer_counts_with_both_ends():
    assert gap(ONE_AFTER_THE_OTHER, 0.0, 1.4) == pytest.approx(0.8)
    assert gap([], 0.0, 3.0) == 3.0


def test_elsewhere_is_what_was_asked_for_after_the_fault():
    assert elsewhere(ONE_AFTER_THE_OTHER, 0.5, 1) == pytest.approx(0.6)
    assert elsewhere(ONE_AFTER_THE_OTHER, 0.5, 2) is None


def test_what_was_acknowledged_and_is_not_there_is_lost():
    assert [ack.row for ack in lost(ONE_AFTER_THE_OTHER, {0, 1, 3, 77})] == [2]
