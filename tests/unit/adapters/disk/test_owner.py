# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of a data directory is another disk: it gets a name of its own, whatever a crash comes between."""

import os
import shutil

import pytest

from baton.adapters.disk import owner
from baton.adapters.disk.sqlite import DataDirectory, load

OLD, NEW = "00000000000000aa", "00000000000000bb"


@pytest.fixture
def directory(tmp_path):
    found = DataDirectory(tmp_path / "data")
    found.create(OLD)
    found.use(OLD)
    return found


def test_our_own_stays_what_it_is(directory):
    assert owner.claim(directory.path, OLD, NEW) == (OLD, False)
    assert directory.current() == OLD


def test_one_of_an_older_version_is_taken_as_it_is(directory):
    (directory.path / OLD / owner.OWNER).unlink()
    assert owner.claim(directory.path, OLD, NEW) == (OLD, False)
    assert owner.claim(directory.path, OLD, NEW) == (OLD, False)


def test_a_copy_gets_a_name_of_its_own(directory, tmp_path):
    shutil.copytree(directory.path, tmp_path / "copy")
    copy = DataDirectory(tmp_path / "copy")
    assert owner.claim(copy.path, copy.current(), NEW) == (NEW, True)
    assert copy.current() == NEW and not (copy.path / OLD).exists() and load(copy.database(NEW), NEW).incarnation == NEW
    assert owner.claim(copy.path, NEW, OLD) == (NEW, False), "once"
    assert owner.claim(directory.path, OLD, NEW) == (OLD, False), "the original stays"


def test_the_disk_of_another_machine_is_a_copy(directory, tmp_path, monkeypatch):
    machine = tmp_path / "machine-id"
    machine.write_text("another\n")
    monkeypatch.setattr(owner, "_MACHINE", machine)
    assert owner.claim(directory.path, OLD, NEW) == (NEW, True)


def test_one_that_was_renounced_is_a_copy(directory):
    owner.disown(directory.path, OLD)
    assert owner.claim(directory.path, OLD, NEW) == (NEW, True)


@pytest.mark.parametrize("point", ["CLAIM", "rename", "OWNER", "CURRENT"])
def test_a_crash_in_between_is_finished_by_the_next_start(directory, monkeypatch, point):
    owner.disown(directory.path, OLD)
    rename, write = os.rename, owner.write_durably

    class Killed(BaseException):
        pass

    def renaming(old, new):
        rename(old, new)
        if point == "rename":
            raise Killed

    def writing(path, text):
        write(path, text)
        if path.name == point:
            raise Killed

    monkeypatch.setattr(owner.os, "rename", renaming)
    monkeypatch.setattr(owner, "write_durably", writing)
    with pytest.raises(Killed):
        owner.claim(directory.path, OLD, NEW)
    monkeypatch.undo()
    assert directory.current() == NEW
    assert owner.claim(directory.path, NEW, OLD) == (NEW, False)
