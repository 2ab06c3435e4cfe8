# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log's own time: it never jumps with a wall clock, never goes back, and leans towards the date."""

from dataclasses import replace

import pytest

from baton.core.model.config import NodeConfig
from baton.core.model.log_clock import LogClock
from baton.core.model.saved import Saved
from baton.core.model.timing import PROFILES
from baton.core.state.state import State

DATE = 1_700_000_000.0


def test_a_new_log_begins_with_the_date():
    clock = LogClock(0)
    clock.read(1.0)
    clock.lean(5.0, DATE)
    assert clock.read(5.0) == int(DATE * 1000)


@pytest.mark.parametrize("off", [660.0, 86_400.0, -86_400.0, 3e9])
def test_a_wall_clock_that_is_off_moves_it_a_little(off):
    clock = LogClock(int(DATE * 1000))
    clock.read(0.0)
    for tick in range(1, 601):
        clock.lean(float(tick), DATE + tick + off)
    passed = (clock.read(600.0) - DATE * 1000) / 1000
    assert 600 * 0.9 - 1 <= passed <= 600 * 1.1 + 1


def test_it_reaches_the_date():
    clock = LogClock(int(DATE * 1000))
    clock.read(0.0)
    for tick in range(1, 200):
        clock.lean(float(tick), DATE + tick + 7)
    assert abs(clock.read(199.0) - (DATE + 199 + 7) * 1000) < 50


def test_a_follower_goes_on_from_what_it_heard():
    clock = LogClock(1000)
    clock.hear(5000, 10.0)
    assert clock.read(12.5) == 7500
    clock.hear(4000, 12.5)
    assert clock.read(12.5) >= 5000, "it does not go back behind what it stood at"


@pytest.mark.parametrize("off", [3600.0, -3600.0])
def test_a_restart_moves_it_by_less_than_a_token_of_seconds_lasts(off):
    config = NodeConfig("n1", "", "n1", "", "", PROFILES["fast"], "p", boot="this boot")
    saved, out = Saved("i1", at=int(DATE * 1000)), []
    state = State(config, saved, out)
    for tick in range(1, 3000):
        now = tick / 10
        state.clock.lean(now, DATE + now + off)
        state.tell_time(now)
    stored = [command.meta["log_offset"] for command in out if "log_offset" in getattr(command, "meta", {})]
    again = State(config, replace(saved, log_offset=tuple(stored[-1])), [])
    again.tell_time(now + 5)
    assert abs(again.clock.read(now + 5) - state.clock.read(now + 5)) <= 1000
    assert len(stored) <= 120, "it is written down every few seconds at most"
