# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules: for each fault that random schedules hardly meet, one that plays it. Each takes a seed and raises Violation.

``python tests/simulation/run.py`` plays them beside the random ones, ``--only NAME`` one of them. ``mutations`` says which rule
each is for.
"""

from simulation.aimed import forces, joining, peers, requests, room, services, set_back, store, vip
from simulation.aimed.scene import SCHEDULES

__all__ = ["SCHEDULES", "forces", "joining", "peers", "requests", "room", "services", "set_back", "store", "vip"]
