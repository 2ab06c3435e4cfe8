# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a store of the cluster record is to the rest: which there are (STORES), what each offers (RecordStore), how it is (Health)."""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple, Optional, Protocol, Tuple

from ...core.model.record import Record


class Kind(NamedTuple):
    """One that ``--dcs`` can name. ``usage``: as people write it; ``is_remote``: asked over a network, with certificates and secrets."""

    usage: str
    has_argument: bool = True
    is_remote: bool = False


STORES: Dict[str, Kind] = {
    "etcd": Kind("etcd:URL[,URL...]", is_remote=True),
    "local": Kind("local:PATH"),
    "manual": Kind("manual", has_argument=False),
}


class Health(NamedTuple):
    """Whether a store would take a swap (None: not known), what needs a person, in one line, or "", and whether it answers at all."""

    writable: Optional[bool] = None
    trouble: str = ""
    reachable: bool = True


Changed = Callable[[int, Optional[Record]], None]
Told = Callable[[Health], None]


class WontTake(ConnectionError):
    """The store refuses a swap, and would refuse it again: nothing was changed. The text says why, and what to do."""


class RecordStore(Protocol):
    """What every DCS back end offers; ``shared``: all nodes see one store. All calls may raise ConnectionError or OSError."""

    shared: bool

    @property
    def reachable(self) -> bool:
        """Whether the store has answered lately."""

    @property
    def last_contact(self) -> Optional[float]:
        """For how many seconds the store has not answered, None before it has. A file is asked when there is a reason to."""

    async def start(self, changed: Changed, health: Told = lambda _health: None) -> None:
        """Begin; where the store can be watched, ``changed`` is told (version, record); ``health`` is told of each change of that."""

    async def stop(self) -> None:
        """End all that ``start`` began."""

    async def read(self, proven: bool = False) -> Tuple[int, Optional[Record]]:
        """Return (version, record), or (-1, None) where there is none. Linearizable.

        ``proven``: only where a swap would be taken as well; may raise WontTake, after ``health`` was told.
        """

    async def swap(self, expected: int, version: int, record: Record) -> Tuple[bool, int]:
        """Compare-and-swap by version; return whether it happened and the version that stands now. May raise WontTake."""

    async def adopt(self, version: int, record: Record) -> None:
        """``manual``: keep a copy that a peer sent, if it is newer."""

    async def forget(self) -> None:
        """``manual``: drop our copy, which is of another cluster."""
