# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of each thing a node keeps in memory, in bytes of JSON text. Pure.

The defaults fit a machine with 1 GiB: most documents take what they count for (sizes.py), and those that stand parsed some four
times their text (document.py).
"""
from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Dict, Mapping, Sequence

from ...ground.problem import Problem

MIB = 1 << 20
_SIZE = re.compile(r"([1-9][0-9]{0,8})([KMG])\Z", re.ASCII)
_UNITS = {"K": 1 << 10, "M": MIB, "G": 1 << 30}
LEAST = 64 << 10
NEARLY = 0.9


@dataclass(frozen=True)
class Limits:
    """``documents``: all that are stored; ``profile``: one, with its locks, barriers and leases.

    ``log``: entries in memory. ``replies``: what repeated requests are answered from.
    """

    documents: int = 256 * MIB
    profile: int = 32 * MIB
    log: int = 64 * MIB
    replies: int = 64 * MIB

    # The log's limit in parts; together they are less than all of it.

    @property
    def log_kept(self) -> int:
        """Stays after a checkpoint, so that a passive that was away needs no snapshot."""
        return self.log // 4

    @property
    def log_for_others(self) -> int:
        """May stay for those who are catching up."""
        return self.log // 2

    @property
    def log_to_checkpoint(self) -> int:
        """Applied since the last checkpoint makes the next one."""
        return self.log // 8

    @property
    def log_in_flight(self) -> int:
        """May wait for the disks of the in-sync members; then writes are refused."""
        return self.log // 4


NAMES = tuple(field.name for field in fields(Limits))


def read(given: Sequence[str]) -> Limits:
    """Return limits from texts such as ``log=128M``; ValueError says what is wrong."""
    values: Dict[str, int] = {}
    for text in given:
        name, _equals, size = text.partition("=")
        match = _SIZE.match(size)
        if name not in NAMES or match is None:
            raise ValueError(f"{text!r} is not NAME=SIZE, such as log=128M; NAME is one of {', '.join(NAMES)}")
        values[name] = int(match.group(1)) * _UNITS[match.group(2)]
        if values[name] < LEAST:
            raise ValueError(f"{text!r} is less than {LEAST >> 10}K")
    return Limits(**values)


def shown(size: int) -> str:
    """Return a size as people read it."""
    return f"{size / MIB:.0f} MiB" if size >= 10 * MIB else f"{size / 1024:.0f} KiB"


def full(name: str, limits: Limits, detail: str) -> Problem:
    """Return the 507 that names a limit."""
    size = shown(getattr(limits, name))
    return Problem(507, "storage_full", f"{detail}; the limit is {size} (--limit {name}=…)", limit=name, outcome="not_applied")


def nearly_full(kept: Mapping[str, int], limits: Limits) -> str:
    """Return what a person should know before writes are refused, "" when there is room."""
    part = kept["documents"] / limits.documents
    if part < NEARLY:
        return ""
    size = shown(limits.documents)
    return f"the documents take {part:.0%} of their {size}: delete some, or raise --limit documents=… before writes are refused"
