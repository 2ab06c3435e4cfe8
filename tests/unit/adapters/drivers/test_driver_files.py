# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which drivers are expected: what their files say now or said last, until a person has one forgotten."""

import json
import os

import pytest

from baton.adapters.drivers.files import DriverFiles
from baton.core.model.driver_options import Options

DB = {"type": "systemd", "units": ["db"], "pre_active": True}


@pytest.fixture
def files(tmp_path):
    """A directory with the file of a driver ``db``, for which the VIP waits."""
    folder = tmp_path / "drivers"
    folder.mkdir()
    (folder / "db.json").write_text(json.dumps(DB))
    return folder


def opened(files):
    """What batond does when it starts."""
    found = DriverFiles(files, files.parent / "drivers.json")
    found.look()
    return found


def away(files):
    (files / "db.json").unlink()


def half(files):
    (files / "db.json").write_text('{"type": "systemd", "uni')


def empty(files):
    (files / "db.json").write_text("")


def wrong(files):
    (files / "db.json").write_text(json.dumps({**DB, "retries": -1, "pre_active": False}))


def no_folder(files):
    files.rename(files.with_name("elsewhere"))


def a_file_for_a_folder(files):
    no_folder(files)
    files.write_text("")


def a_pipe(files):
    away(files)
    os.mkfifo(files / "db.json")


def a_folder_for_a_file(files):
    away(files)
    (files / "db.json").mkdir()


DAMAGES = [away, half, empty, wrong, no_folder, a_file_for_a_folder, a_folder_for_a_file, a_pipe]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("restarted", [False, True])
def test_who_was_expected_is_expected_on_and_it_is_said_which_file_is_to_be_looked_at(damage, restarted, files):
    found = opened(files)
    assert found.drivers == {"db": Options(pre_active=True)} and found.troubles == []
    damage(files)
    if restarted:
        found = opened(files)
    else:
        assert not found.look(), "nothing to tell the core"
    assert found.drivers == {"db": Options(pre_active=True)}
    (text,) = found.troubles
    assert str(files) in text and "db" in text and ("still expected" in text or "counts" in text)


@pytest.mark.parametrize("damage", DAMAGES)
def test_looking_again_and_again_keeps_nothing_open(damage, files):
    found = opened(files)
    damage(files)
    before = len(os.listdir("/proc/self/fd"))
    for _look in range(3):
        found.look()
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_was_damaged_for_a_moment_is_said_no_longer_and_a_change_counts(files):
    found = opened(files)
    half(files)
    found.look()
    (files / "db.json").write_text(json.dumps({"type": "systemd", "units": ["db"]}))
    assert found.look() and found.drivers == {"db": Options()} and found.troubles == []


@pytest.mark.parametrize(
    "text, pre_active",
    [
        ("{", True),
        ("", True),
        ("[]", True),
        ("\0", True),
        ("[" * 100_000, True),
        ('{"retries": -1, "pre_active": true}', True),
        ('{"pre_active": "yes"}', True),
        ('{"retries": -1}', False),
        ('{"id": "web"}', False),
    ],
)
def test_of_one_that_was_never_right_the_vip_waits_unless_it_says_that_it_need_not(text, pre_active, files):
    (files / "db.json").write_text(text)
    found = opened(files)
    assert found.drivers == {"db": Options(pre_active=pre_active)}
    assert ("the VIP and the API wait for it" in found.troubles[0]) == pre_active
    assert opened(files).drivers == found.drivers, "a guess is not kept for what it said"


def test_a_name_that_no_driver_can_have_is_said(files):
    (files / "a b.json").write_text("{}")
    found = opened(files)
    assert sorted(found.drivers) == ["db"] and "give it another name" in found.troubles[0]


def test_a_driver_is_forgotten_when_a_person_says_so_and_its_file_is_gone(files):
    (files / "web.json").write_text("{}")
    found = opened(files)
    away(files)
    found.look()
    assert list(found.gone) == ["db"]
    assert found.look(forget=["db"]) and sorted(found.drivers) == ["web"] and found.troubles == []
    assert sorted(opened(files).drivers) == ["web"], "after a restart, too"


@pytest.mark.parametrize("damage", [half, no_folder])
def test_what_is_not_certainly_gone_is_not_forgotten(damage, files):
    found = opened(files)
    damage(files)
    found.look()
    assert not found.gone
    found.look(forget=["db"])
    assert sorted(found.drivers) == ["db"]


def test_a_file_that_is_back_is_not_forgotten(files):
    found = opened(files)
    away(files)
    found.look()
    (files / "db.json").write_text(json.dumps(DB))
    found.look(forget=found.gone)
    assert sorted(found.drivers) == ["db"] and found.troubles == []


def test_without_what_was_kept_it_goes_by_the_files(files):
    opened(files)
    (files.parent / "drivers.json").write_text("{")
    assert sorted(opened(files).drivers) == ["db"]
    away(files)
    (files.parent / "drivers.json").unlink()
    assert opened(files).drivers == {}


def test_a_disk_that_is_full_is_no_reason_to_stop(files):
    (files.parent / "drivers.json").mkdir()
    assert sorted(opened(files).drivers) == ["db"]


def test_without_a_directory_nobody_is_expected(tmp_path):
    found = DriverFiles(None, tmp_path / "drivers.json")
    assert not found.look() and found.drivers == {} and found.troubles == []
