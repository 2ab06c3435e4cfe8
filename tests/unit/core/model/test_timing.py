# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timing: what pages say of the profiles is what follows from them."""

import re

from baton.core.model.timing import PROFILES
from support.cluster import ROOT

DOCS = ROOT / "docs"
SLACK = 2.0  # J: seconds that the kernel is allowed to be late
STOP = 3.0  # D of the page on drivers


def cells(page, first):
    """Return the cells of the one row of a page's tables that begins with ``first``."""
    (row,) = [line for line in (DOCS / page).read_text().splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in row.split("|")[2:-1]]


def seconds(text):
    return float(re.fullmatch(r"([0-9.]+)( s)?", text)[1])


def test_the_table_of_profiles():
    for name, timing in PROFILES.items():
        assert [seconds(cell) for cell in cells("guides/failover.md", f"`{name}`")[:2]] == [timing.lease, timing.grace]


def test_for_how_long_two_can_hold_the_vip():
    works = cells("reference/vip.md", "killed, frozen or cut off, its guard works")
    frozen = cells("reference/vip.md", "batond and guard frozen in the same moment")
    for at, timing in enumerate((PROFILES["balanced"], PROFILES["fast"]), 1):
        late = timing.lease * (1 + timing.rate_error) - timing.grace * (1 - timing.rate_error)
        assert seconds(works[at]) == max(0.0, round(late + timing.guard_latency, 1))
        assert abs(seconds(frozen[at]) - (late + timing.valid + SLACK)) < 0.051


def test_for_how_long_a_successor_waits():
    (waits,) = cells("reference/driver-protocol.md", "frozen, cut off or without power")
    timing = PROFILES["balanced"]
    bound = max(timing.grace, (timing.lease + STOP) * (1 + timing.rate_error) / (1 - timing.rate_error))
    assert f"{bound:.1f} s with `balanced` and D = {STOP:g} s" in waits
