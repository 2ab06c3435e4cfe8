# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""File contents on disk: what is collected, and what stays although nothing names it."""

import time

import pytest

from baton.adapters.files import BlobStore


@pytest.fixture
def put(tmp_path):
    def put(data, keep):
        store = BlobStore(tmp_path, keep)
        incoming = store.begin()
        incoming.write(data)
        return store, incoming.finish().sha256

    return put


def test_what_is_named_stays(put):
    store, name = put(b"named", 0)
    assert store.collect({name}, time.monotonic()) == [] and store.has(name)
    assert store.collect(set(), time.monotonic()) == [name] and not store.has(name)
    assert list(store.incoming.iterdir()) == [] and store.names() == []


def test_what_came_lately_stays(put):
    store, name = put(b"fresh", 600)
    assert store.collect(set(), time.monotonic() + 599) == []
    assert store.collect(set(), time.monotonic() + 601) == [name]


def test_what_was_asked_for_lately_stays(put):
    store, name = put(b"asked for", 600)
    later = time.monotonic() + 601
    store._used.clear()
    store._opened -= 601
    assert store.has(name)
    assert store.collect(set(), later - 2) == []
    assert store.collect(set(), later) == [name]


def test_what_a_start_found_may_have_come_just_before(put, tmp_path):
    _store, name = put(b"before the start", 600)
    again = BlobStore(tmp_path, 600)
    assert again.collect(set(), time.monotonic() + 599) == []
    assert again.collect(set(), time.monotonic() + 601) == [name]


def test_what_is_found_while_the_collection_runs_stays(put):
    """The names were looked up; before the removal somebody asks for the content, and relies on the answer."""
    store, name = put(b"just in time", 0)
    as_of = time.monotonic()

    class Named(set):
        def __contains__(self, wanted):
            assert store.has(wanted)
            return False

    assert store.collect(Named(), as_of) == []
    assert store.has(name)


def test_what_is_being_received_is_no_content_yet(put):
    store, name = put(b"old", 0)
    incoming = store.begin()
    incoming.write(b"half of ")
    assert store.collect(set(), time.monotonic()) == [name]
    incoming.write(b"it")
    assert store.has(incoming.finish().sha256)
