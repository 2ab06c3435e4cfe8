# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions of MariaDB are numbers of domains; the server in them says nothing."""

import pytest

from baton.datastores.model.positions import contains, furthest, joined, parse


@pytest.mark.parametrize(
    ("text", "position"),
    [("", {}), (" ", {}), ("1-2-345", {1: 345}), ("0-1-7, 1-4294967295-9223372036854775807", {0: 7, 1: 9223372036854775807})],
)
def test_a_position_is_a_sequence_for_each_domain(text, position):
    assert parse(text) == position


@pytest.mark.parametrize("text", ["1", "1-2", "1-2-3-4", "a-2-3", "1-2-3,", "-1-2-3", "1-2-3,1-9-4", "1-2-٣", "1-2-" + "9" * 20])
def test_what_is_no_position_is_refused_in_one_line(text):
    with pytest.raises(ValueError) as refused:
        parse(text)
    assert "\n" not in str(refused.value)


def test_more_domains_than_anybody_has_are_refused():
    with pytest.raises(ValueError, match="more than 64"):
        parse(",".join(f"{domain}-1-1" for domain in range(65)))


def test_who_is_ahead_is_told_by_the_number():
    assert contains(parse("1-1-10"), parse("1-2-9")) and not contains(parse("1-2-9"), parse("1-1-10"))
    assert furthest({"a": parse("1-9-9"), "b": parse("1-1-10"), "c": parse("")}) == "b"


def test_of_several_that_are_equal_it_is_always_the_same_one():
    assert furthest({"b": parse("1-1-5"), "a": parse("1-2-5")}) == "a"


def test_where_each_lacks_something_nobody_is_chosen():
    with pytest.raises(ValueError, match="none of a, b has all"):
        furthest({"a": parse("1-1-5,2-1-1"), "b": parse("1-1-4,2-1-2")})


@pytest.mark.parametrize(
    ("texts", "position"),
    [
        ((), ""),
        (("", ""), ""),
        (("1-2-9", "1-3-10"), "1-3-10"),
        (("1-2-10", "1-3-10"), "1-2-10"),
        (("2-1-5, 1-2-9", "1-3-8"), "1-2-9,2-1-5"),
        (("1-2-3", "11-2-3"), "1-2-3,11-2-3"),
    ],
)
def test_who_has_all_of_several_positions_stands_at_the_furthest_of_each_domain(texts, position):
    assert joined(*texts) == position
