# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API of datastores stands on: documents in the cluster, which one manager at a time writes.

All of it is synchronous and may take its time; handlers call it in a thread.
"""
from __future__ import annotations

from typing import Any, Callable, ContextManager, Dict, List, Optional, Protocol, TypeVar

from ...engine.case import Case, Times
from ...model.documents import PoolHost
from ...model.replica_set import ReplicaSet

T = TypeVar("T")


class Backend(Protocol):
    """``service/store.py`` is one over a cluster."""

    @property
    def times(self) -> Times:
        """Return the manager's."""

    def sets(self) -> List[ReplicaSet]:
        """Return the sets of all projects."""

    def hosts(self) -> Dict[str, PoolHost]:
        """Return the pool, by name."""

    def create(self, whole: ReplicaSet, program: str, why: str, **data: Any) -> ReplicaSet:
        """Write a new set and have ``program`` begin with it; Problem 409 if there is one of its id."""

    def change(self, set_id: str, change: Callable[[Case], T]) -> T:
        """Have ``change`` change a set as it stands, again if somebody else was faster, and return what it returns.

        Problem 404 where there is none. Where ``change`` raises a Problem nothing is written.
        """

    def configurations(self) -> List[Dict[str, Any]]:
        """Return the configurations of all projects."""

    def put_configuration(self, value: Dict[str, Any], create: bool) -> None:
        """Write a configuration under its "id"."""

    def delete_configuration(self, id: str) -> None:
        """Take a configuration away."""

    def scope(self, token: str) -> Optional[Dict[str, Any]]:
        """Return what a token is for, such as {"kind": "project", "name": "demo"}; None for one that is not valid."""

    def lock(self) -> ContextManager[Any]:
        """One at a time chooses hosts and ports while it has this."""
