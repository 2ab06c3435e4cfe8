# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutations: each leaves out one rule of the protocol, and a schedule must notice. ``MUTATIONS``: name → the mutation."""

from simulation.mutations import coordination, drivers, histories, peers, places, replication


def _of(theme):
    """Return what a module defines as mutations: its public functions."""
    ours = {name: value for name, value in vars(theme).items() if getattr(value, "__module__", "") == theme.__name__}
    return {name: value for name, value in ours.items() if callable(value) and not name.startswith("_")}


MUTATIONS = {}
for _theme in (replication, coordination, drivers, histories, places, peers):
    MUTATIONS.update(_of(_theme))
