# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room that is kept on the disk: given up as it fills, made again as it empties."""

import errno
import os
from types import SimpleNamespace

import pytest

from baton.adapters.disk import reserve as disk_reserve
from baton.adapters.disk.reserve import DiskFull, DiskReserve
from baton.adapters.disk.sqlite import DataDirectory, Writer, load
from baton.core.commands import Checkpoint, Store
from baton.core.model.document import Document
from baton.core.model.log import ORIGIN, Entry, Epoch

EPOCH = Epoch(1, "e")
MIB = 1 << 20


class Disk:
    """A disk of 512 MiB of which ``others`` bytes are taken; the reserve's file counts as what it takes."""

    def __init__(self, monkeypatch, folder):
        self.folder, self.others, self.error = folder, 0, 0
        monkeypatch.setattr(disk_reserve.os, "statvfs", self.statvfs)
        monkeypatch.setattr(disk_reserve.os, "posix_fallocate", self.fallocate)

    def statvfs(self, _path):
        path = self.folder / "reserve"
        taken = self.others + (path.stat().st_size if path.exists() else 0)
        return SimpleNamespace(f_blocks=512, f_frsize=MIB, f_bavail=max(0, 512 - -(-taken // MIB)))

    def fallocate(self, handle, _offset, size):
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        os.truncate(handle, size)


@pytest.fixture
def disk(monkeypatch, tmp_path):
    return Disk(monkeypatch, tmp_path)


def held(disk):
    return (disk.folder / "reserve").exists()


def test_it_is_given_up_and_made_again(disk):
    reserve = DiskReserve(disk.folder)
    changes = []
    reserve.on_change = lambda: changes.append(reserve.low)
    assert held(disk) and not reserve.low and reserve.size == 32 * MIB
    disk.others = 470 * MIB
    assert reserve.look() and held(disk)
    disk.others = 475 * MIB  # 5 MiB are left beside it
    assert reserve.look() and not held(disk) and reserve.low
    disk.others = 460 * MIB
    assert reserve.look() and reserve.low, "room for the file, and little more"
    disk.others = 400 * MIB
    assert reserve.look() and held(disk) and not reserve.low
    assert changes == [True, False]


def test_it_is_given_up_for_one_large_write(disk):
    reserve = DiskReserve(disk.folder)
    disk.others = 460 * MIB  # 20 MiB beside it
    assert reserve.look(18 * MIB) and not held(disk) and reserve.low
    assert not reserve.look(60 * MIB)


def test_a_start_on_a_full_disk_has_its_place(disk):
    DiskReserve(disk.folder)
    disk.others = 480 * MIB
    reserve = DiskReserve(disk.folder)
    assert not held(disk) and reserve.low and reserve.look(30 * MIB)


def test_uploads_stop_sooner_than_changes(disk):
    reserve = DiskReserve(disk.folder)
    disk.others = 440 * MIB  # 40 MiB beside it
    reserve.take(8 * MIB)
    with pytest.raises(DiskFull):
        reserve.take(9 * MIB)
    assert not reserve.low


@pytest.mark.parametrize("error", [errno.EOPNOTSUPP, errno.EINVAL])
def test_where_a_place_can_t_be_held_there_are_marks_all_the_same(disk, error):
    disk.error = error
    reserve = DiskReserve(disk.folder)
    assert not held(disk) and not reserve.low
    disk.others = 500 * MIB
    assert reserve.look() and reserve.low


def test_what_can_t_be_written_at_all_is_told(disk):
    disk.error = errno.EROFS
    with pytest.raises(OSError, match="Read-only"):
        DiskReserve(disk.folder)


class TestWriter:
    """A checkpoint that the disk has no room for is made later: until then the log has what it would have written."""

    def run(self, disk, *steps):
        directory = DataDirectory(disk.folder)
        database = directory.create("a" * 16)
        writer = Writer(database, DiskReserve(disk.folder), lambda _id: None, lambda error: pytest.fail(repr(error)))
        for others, *jobs in steps:
            disk.others = others
            writer._write(jobs)
        writer._connection.close()
        return load(database, "a" * 16)

    def entry(self, seq):
        return Store(seq, seq, (Entry.make(seq, EPOCH, 0, {"effects": []}),))

    def checkpoint(self, seq, *documents):
        return Checkpoint(Entry.make(seq, EPOCH, 0, {}).position, documents, [], 0, Entry.make(seq, EPOCH, 0, {}).position)

    def document(self, key, number, size=MIB):
        return "profiles", key, Document("profiles", key, {"Name": key, "N": number}, f"1.{number}", size)

    def test_it_is_put_off_while_there_is_no_room(self, disk):
        large = self.checkpoint(2, self.document("a", 2, 30 * MIB))
        saved = self.run(disk, (0, self.entry(1)), (511 * MIB, self.entry(2), large), (511 * MIB, self.entry(3)))
        assert (saved.checkpoint, saved.documents) == (ORIGIN, [])
        assert [entry.seq for entry in saved.entries] == [1, 2, 3]

    def test_it_is_made_with_the_next_one(self, disk):
        saved = self.run(
            disk,
            (0, self.entry(1), self.entry(2), self.entry(3)),
            (511 * MIB, self.checkpoint(1, self.document("a", 1), self.document("b", 1, 30 * MIB), self.document("c", 1))),
            (511 * MIB, self.checkpoint(2, self.document("a", 2))),
            (0, self.checkpoint(3, ("profiles", "c", None))),
        )
        assert saved.checkpoint.seq == 3 and saved.entries == []
        assert {document.key: document.value["N"] for document in saved.documents} == {"a": 2, "b": 1}
