# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is told when it is made, and the names it gives: constant while the process lives. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .limits import Limits
from .log import Epoch
from .record import Record, manual_version
from .timing import Timing


@dataclass(frozen=True)
class NodeConfig:
    """``shared``: the DCS is one store for all nodes (local, etcd); else each node keeps its copy (manual).

    ``process`` is unique to this process (random, from the shell): names made from it are never made twice.
    """

    node: str
    url: str
    ha_id: str
    version: str
    system: str
    timing: Timing
    process: str
    shared: bool = True
    may_create: bool = False  # a shared store without a record, and no data here: make the cluster
    mode: str = "available"
    min_in_sync: int = 1
    discard: bool = False
    no_failover: bool = False  # never made active, by itself or by a switch
    priority: int = 0  # among equally caught-up candidates the highest goes first
    checkpoint_entries: int = 4_096  # applied since the last checkpoint make the next one
    keep_entries: int = 8_192  # stay in the log after a checkpoint, so that a passive that was away needs no snapshot
    most_entries: int = 65_536  # may stay for those who are catching up
    limits: Limits = Limits()  # and in bytes
    driver_stop: float = 3.0  # seconds that our drivers have to stop (D)
    host: str = ""  # what people call the machine: for messages
    boot: str = ""  # names the boot of the machine in which the node's clock runs; "": unknown
    wall_offset: float = 0.0  # wall clock minus the node's clock when the process started: dates in the history


class Names:
    """Names for swaps and epochs, unique over all processes that ever run."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._count = 0

    def nonce(self) -> str:
        self._count += 1
        return f"{self._process}-{self._count}"

    def epoch_after(self, epoch: Epoch) -> Epoch:
        return Epoch(epoch.number + 1, self.nonce())


def next_version(version: int, old: Record, new: Record) -> int:
    """Return the version that ``new`` gets where nodes keep the record themselves; it outweighs every older epoch's."""
    if new.epoch.number != old.epoch.number:
        return manual_version(new.epoch, 0)
    return version + 1
