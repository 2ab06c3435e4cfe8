# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The markers of drivers, in a directory in which their users may write."""

import os
import threading

import pytest

from baton.adapters.driver_links import DriverLinks
from baton.core import events as ev


def a_pipe(path):
    os.mkfifo(path)


def a_folder(path):
    path.mkdir()


def a_link(path):
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("thing", [a_pipe, a_folder, a_link])
def test_what_stands_in_place_of_a_marker_stops_nobody(thing, tmp_path, caplog):
    links = DriverLinks(tmp_path, "n1", 3.0, lambda event: None)
    links.running.mkdir()
    thing(links.running / "db")
    marking = threading.Thread(target=links.mark, args=(ev.DriverMarker("db", True),), daemon=True)
    marking.start()
    marking.join(10)
    assert not marking.is_alive() and "db can't be made" in caplog.text
