# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sets that are gone have left with hosts: traces of claims, and how they ended. Pure.

They are read by who decides about that set alone, and its id never comes again. So they can be taken away once the set is not there *after*
they were read: the trace says that it was there before.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Collection, Dict, Set

from ..model.channel import Channel

TRACES = ("claimed", "opened", "ends")


def left_by_others(channel: Channel, known: Collection[str]) -> Set[str]:
    """Return ids of sets of which there are traces, and that are none of those that are known. What is granted or claimed is left alone."""
    return {*channel.claimed, *channel.opened, *channel.ends}.difference(known, channel.grants, channel.claims)


def without(channel: Channel, gone: Collection[str]) -> Channel:
    """Return a channel without the traces of sets that are gone."""
    left: Dict[str, Any] = {name: {key: value for key, value in getattr(channel, name).items() if key not in gone} for name in TRACES}
    return replace(channel, **left)
