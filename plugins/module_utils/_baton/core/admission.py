# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may have a connection when there are not enough for all. Pure: a connection is any name here, and nobody is cut off.

Who has shown no token yet is a stranger, as everybody is at first. A stranger always gets in: where they are too many, the oldest of
them makes room, since whoever means well is a stranger for a moment only. Who has shown a token stays, and is refused where those of
the same rank are too many; what is left over for higher ranks is theirs alone.
"""

from __future__ import annotations

from typing import Any, Dict, Hashable, List, NamedTuple, Optional

from ..ground.problem import Problem

STRANGER, CLIENT, ADMIN, NODE = range(4)
NAMES = ("without a token", "with a token", "of admins", "of nodes")
MOST = 8192  # connections: what they cost in memory has to be bounded, too
OWN_FILES = 1024  # descriptors that are not for connections, where there are many
FOR_NODES = 32


class Limits(NamedTuple):
    """``total`` connections; of them ``strangers`` at most, and ``clients`` with tokens that are no admin's; ``known`` with any token
    but the nodes'. ``address_strangers`` and ``address_clients``: the same of one address.
    """

    total: int
    strangers: int
    address_strangers: int
    clients: int
    address_clients: int
    known: int

    @classmethod
    def of(cls, files: int) -> "Limits":
        """Return the limits of a process that may have so many descriptors."""
        total = max(64, min(MOST, files - min(OWN_FILES, files // 4)))
        strangers = total // 4
        known = total - strangers - min(FOR_NODES, total // 8)
        return cls(total, strangers, strangers // 2, total // 2, total // 4, known)


class Admission:
    """The connections that there are."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.counts = [0, 0, 0, 0]  # by rank
        self._ranks: Dict[Hashable, int] = {}
        self._addresses: Dict[Hashable, str] = {}
        self._strangers: Dict[str, Dict[Hashable, None]] = {}  # address → the oldest first
        self._clients: Dict[str, int] = {}  # address → how many

    @property
    def used(self) -> int:
        return len(self._ranks)

    @property
    def full(self) -> bool:
        """Whether nobody more gets in before somebody goes."""
        return self.used >= self.limits.total and not self.counts[STRANGER]

    def enter(self, name: Hashable, address: str) -> Optional[Any]:
        """Let a stranger in; return who goes for that, or None."""
        gone = self._who_goes(address)
        if gone is not None:
            self.leave(gone)
        self._ranks[name], self._addresses[name] = STRANGER, address
        self._strangers.setdefault(address, {})[name] = None
        self.counts[STRANGER] += 1
        return gone

    def _who_goes(self, address: str) -> Optional[Any]:
        mine = self._strangers.get(address, {})
        if len(mine) >= self.limits.address_strangers:
            return next(iter(mine))
        if self.counts[STRANGER] and (self.counts[STRANGER] >= self.limits.strangers or self.used >= self.limits.total):
            return next(iter(self._strangers[self.crowd()]))
        return None

    def knows(self, name: Hashable, rank: int) -> None:
        """Somebody has shown who it is; Problem 503 when those of its rank are too many. A higher rank stays with a connection."""
        before = self._ranks.get(name)
        if before is None or rank <= before:
            return
        address = self._addresses[name]
        full = self._full_for(rank, address, before)
        if full is not None:
            raise Problem(503, "too_many_connections", f"{full} are open already; close some, or ask later", outcome="not_applied")
        self._leave_rank(name, before, address)
        self._ranks[name] = rank
        self.counts[rank] += 1
        if rank == CLIENT:
            self._clients[address] = self._clients.get(address, 0) + 1

    def _full_for(self, rank: int, address: str, before: int) -> Optional[str]:
        limits, counts = self.limits, self.counts
        if rank == CLIENT and self._clients.get(address, 0) >= limits.address_clients:
            return f"{limits.address_clients} connections with a token from {address}"
        if rank == CLIENT and counts[CLIENT] >= limits.clients:
            return f"{limits.clients} connections with a token"
        if rank < NODE and before == STRANGER and counts[CLIENT] + counts[ADMIN] >= limits.known:
            return f"{limits.known} connections with a token"
        return None

    def leave(self, name: Hashable) -> None:
        """A connection is gone, or will be."""
        rank = self._ranks.pop(name, None)
        if rank is not None:
            self._leave_rank(name, rank, self._addresses.pop(name))

    def _leave_rank(self, name: Hashable, rank: int, address: str) -> None:
        self.counts[rank] -= 1
        if rank == STRANGER:
            del self._strangers[address][name]
            if not self._strangers[address]:
                del self._strangers[address]
        elif rank == CLIENT:
            self._clients[address] -= 1
            if not self._clients[address]:
                del self._clients[address]

    def crowd(self) -> str:
        """Return the address with most strangers, "" without any."""
        return max(self._strangers, key=lambda address: len(self._strangers[address]), default="")

    def names(self) -> List[Any]:
        return list(self._ranks)
