# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version is the same wherever it is said, and is set in all places at once."""

import shutil

import pytest
import yaml

from support.cluster import ROOT
from support.tools import load

versions = load("versions")
RELEASES = yaml.safe_load((ROOT / "changelogs/changelog.yaml").read_text())["releases"]


def test_all_places_say_the_same():
    assert len(set(versions.said().values())) == 1, versions.said()


def test_the_changelog_has_a_release_of_it():
    assert max(RELEASES, key=versions.numbers) == versions.said()["galaxy.yml"]


def test_it_is_set_everywhere_and_nothing_else_is_touched(tmp_path):
    for path in versions.PLACES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    old = versions.said()["galaxy.yml"]
    versions.say("98.7.6", tmp_path)
    assert set(versions.said(tmp_path).values()) == {"98.7.6"}
    versions.say(old, tmp_path)
    assert all(
        (tmp_path / path).read_bytes() == (ROOT / path).read_bytes() for path in versions.PLACES
    )


@pytest.mark.parametrize("text", ["", "1", "1.0", "1.0.0-rc1", "v1.0.0", "01.0.0", "1.0.0\n"])
def test_what_is_no_version_is_refused(text):
    with pytest.raises(ValueError, match="no version"):
        versions.numbers(text)


def test_versions_compare_as_numbers():
    assert versions.numbers("1.10.0") > versions.numbers("1.9.9")
