# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What those who only look are shown of a large pool, as scripts."""

import threading

import pytest

from baton.datastores.service.known import Known, place_of


def document(number):
    return {"Name": f"h{number}", "Number": number}


@pytest.fixture
def known():
    known = Known()
    for number in (2, 1):
        known.learn("pool", f"h{number}", f"1.{number}", document(number))
    known.read("pool", "1.2.1")
    return known


def names(values):
    return values and [value["Name"] for value in values]


def test_nothing_is_known_before_all_was_read():
    known = Known()
    known.learn("pool", "h1", "1.1", document(1), "1.1.1")
    assert known.values("pool", "1.1.1") is None
    known.read("pool", "1.1.1")
    assert names(known.values("pool", "1.1.1")) == ["h1"]
    known.forget()
    assert known.values("pool", "1.1.1") is None


def test_what_is_on_its_way_is_waited_for_once(known):
    assert names(known.values("pool", "1.2.1", 0)) == ["h1", "h2"]
    coming = threading.Timer(0.05, known.learn, ("pool", "h3", "1.3", document(3), "1.3.1"))
    coming.start()
    assert names(known.values("pool", "1.3.1", 10)) == ["h1", "h2", "h3"]
    coming.join()
    assert known.values("pool", "1.4.1", 0.01) is None
    assert known.values("pool", "1.4.1", 3600) is None  # it did not come in time once
    known.learn("pool", "h3", "1.4", None, "1.4.1")
    assert names(known.values("pool", "1.4.1", 0)) == ["h1", "h2"]


def test_a_half_of_what_changed_at_once_is_not_shown(known):
    known.learn("pool", "h1", "1.3", {"Name": "h1", "Number": 30}, "1.3.1")
    assert known.values("pool", "1.3.2", 0) is None
    known.learn("pool", "h2", "1.3", {"Name": "h2", "Number": 30}, "1.3.2")
    assert [value["Number"] for value in known.values("pool", "1.3.2", 0)] == [30, 30]


def test_what_is_read_late_is_not_taken_for_new():
    known = Known()
    known.learn("pool", "h1", "1.5", None, "1.5.1")  # it went while it was read
    known.learn("pool", "h1", "1.1", document(1))
    known.learn("pool", "h2", "1.6", document(6), "1.6.1")
    known.learn("pool", "h2", "1.2", document(2))
    known.read("pool", "1.4.1")
    assert known.values("pool", "1.6.1", 0) == [document(6)]
    known.learn("pool", "h1", "1.7", document(7), "1.7.1")
    assert known.values("pool", "1.7.1", 0) == [document(7), document(6)]


def test_where_an_event_stands_in_the_log():
    assert place_of("3.n1.example:8.42.7") == "3.42.7" and place_of("0.-.1.1") == "0.1.1"
