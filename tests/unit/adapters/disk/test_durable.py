# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files on a disk that fills up, and names in an order that a power cut can't turn round."""

import os

import pytest

from baton.adapters.disk.durable import make_directory, write_durably
from baton.adapters.disk.sqlite import DataDirectory
from baton.adapters.drivers.links import DriverLinks
from support.disk import full_at, steps

HALF, WHOLE = 50_000, "".join(f"line {number}\n" for number in range(10_000))


def test_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "record.json"
    write_durably(file, "old")
    with full_at(HALF), pytest.raises(OSError, match="record.json"):
        write_durably(file, WHOLE)
    assert file.read_text() == "old" and os.listdir(tmp_path) == ["record.json"]
    write_durably(file, WHOLE)
    assert file.read_text() == WHOLE and os.listdir(tmp_path) == ["record.json"]


def test_a_first_file_that_does_not_fit_is_not_there(tmp_path):
    with full_at(HALF), pytest.raises(OSError):
        write_durably(tmp_path / "tail-1-2-3.jsonl", WHOLE)
    assert os.listdir(tmp_path) == []


def test_what_a_crash_left_of_a_longer_file_is_not_mixed_in(tmp_path):
    (tmp_path / "CURRENT.new").write_text("x" * 1000)
    write_durably(tmp_path / "CURRENT", "short\n")
    assert (tmp_path / "CURRENT").read_text() == "short\n"


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_who_may_read_it_does_not_depend_on_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_durably(tmp_path / "secret", "s", 0o640)
    finally:
        os.umask(before)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o640


async def _start(links):
    try:
        await links.start()
    finally:
        await links.stop()


def test_a_cut_secret_is_never_used(tmp_path):
    """Of the drivers' secret, too, a part would be taken for the whole by the next start."""
    import asyncio

    links = DriverLinks(tmp_path / "run", "n1", 3.0, lambda event: None)
    with full_at(10), pytest.raises(OSError):
        asyncio.run(_start(links))
    assert os.listdir(tmp_path / "run") == ["running"]


def test_current_never_names_what_a_power_cut_takes_away(tmp_path, monkeypatch):
    order = steps(monkeypatch, tmp_path)
    directory = DataDirectory(tmp_path / "a" / "data")
    assert order == [("sync", "."), ("sync", "a")], "each new one is a name in the one above it"
    order.clear()
    incarnation = "00000000000000aa"
    directory.create(incarnation)
    directory.use(incarnation)
    current = order.index(("name", "a/data/CURRENT"))
    before, after = order[:current], order[current + 1 :]
    assert {("sync", f"a/data/{incarnation}"), ("sync", "a/data"), ("sync", "a")} <= set(before)
    assert before[-1] == ("sync", "a/data/CURRENT.new") and after == [("sync", "a/data")]


def test_a_directory_that_can_not_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError):
            make_directory(path)
