# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""File contents on disk: what is collected, and what stays although nothing names it.

Also what a full disk and a power cut leave.
"""

import asyncio
import threading
import time

import pytest

from baton.adapters.disk import files
from baton.adapters.disk.files import BlobStore
from baton.adapters.disk.reserve import DiskFull
from support.disk import full_at, steps


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


class Stream:
    """What aiohttp brings of a request; it may break off."""

    def __init__(self, *parts, error=None):
        self.parts, self.error = parts, error

    async def iter_chunked(self, _size):
        for part in self.parts:
            yield part
        if self.error is not None:
            raise self.error


def test_nothing_waits_for_the_disk_in_the_loop(tmp_path, monkeypatch):
    seen = {}

    def watched(module, name):
        real = getattr(module, name)

        def call(*arguments):
            seen.setdefault(name, set()).add(threading.current_thread())
            return real(*arguments)

        monkeypatch.setattr(module, name, call)

    store = BlobStore(tmp_path)
    for name in ("fsync", "replace", "unlink"):
        watched(files.os, name)
    watched(files.Incoming, "write")
    asyncio.run(store.receive(Stream(b"one ", b"two"), 7))
    with pytest.raises(ValueError, match="not 0000"):
        asyncio.run(store.receive(Stream(b"three"), expected="0" * 64))
    assert {"fsync", "replace", "write"} <= set(seen)
    assert threading.main_thread() not in set().union(*seen.values())


@pytest.mark.parametrize("error", [ConnectionResetError(), asyncio.CancelledError()])
def test_a_stream_that_breaks_off_leaves_nothing(tmp_path, error):
    store = BlobStore(tmp_path)
    with pytest.raises(type(error)):
        asyncio.run(store.receive(Stream(b"half", error=error)))
    assert list(store.incoming.iterdir()) == [] and store.names() == []


def test_a_content_that_would_eat_the_reserve_is_refused_before_and_while_it_comes(tmp_path):
    class Reserve:
        left = 1000

        def take(self, size):
            if size > self.left:
                raise DiskFull(28, "full")
            self.left -= size

    store = BlobStore(tmp_path, reserve=Reserve())
    with pytest.raises(DiskFull):
        asyncio.run(store.receive(Stream(b""), 1001))
    with pytest.raises(DiskFull):
        asyncio.run(store.receive(Stream(b"x" * 600, b"x" * 600)))
    assert list(store.incoming.iterdir()) == []


@pytest.mark.parametrize("size", [100, 100_000])  # the first is in a buffer until the upload ends
def test_an_upload_that_does_not_fit_leaves_nothing(tmp_path, size):
    store = BlobStore(tmp_path)
    incoming = store.begin()
    with full_at(size // 2), pytest.raises(OSError):
        try:
            incoming.write(b"x" * size)
        except OSError:
            incoming.abort()
            raise
        incoming.finish()
    assert list(store.incoming.iterdir()) == [] and store.names() == []


def test_a_content_is_here_once_its_name_is_durable(tmp_path, monkeypatch):
    seen = []
    store = BlobStore(tmp_path / "files")
    incoming = store.begin()
    incoming.write(b"content")
    digest = incoming._hash.hexdigest()
    order = steps(monkeypatch, tmp_path / "files", lambda: seen.append(store.has(digest)))
    incoming.finish()
    incoming, *others = order
    assert incoming[0] == "sync" and incoming[1].startswith("incoming/")
    assert others == [("name", f"{digest[:2]}/{digest}"), ("sync", digest[:2]), ("sync", ".")]
    assert seen == [False] * 3 and store.has(digest)


def test_names_that_a_killed_process_gave_are_made_durable_at_the_start(put, tmp_path, monkeypatch):
    _store, digest = put(b"content", 600)
    order = steps(monkeypatch, tmp_path)
    BlobStore(tmp_path)
    assert {("sync", digest[:2]), ("sync", ".")} <= set(order)
