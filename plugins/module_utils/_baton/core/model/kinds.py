# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of documents that there are. Routes, their description, tokens, batonctl and modules read it; nobody else lists them. Pure.

It travels with batonctl and with each module, so that it imports nothing of ours.
"""
from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Tuple


@dataclass(frozen=True)
class Kind:
    """``singular``: what people call one of them.

    Of what clients write as it is: ``identity`` is the member that repeats the key, ``members`` are what each has besides, with
    the values that a new one has. Others have no identity: they come of orders (locks), or the core notes them (seats).

    ``slashes``: keys may have them. ``makes_key``: who gives no key gets one. ``open_to``: whose tokens may use it besides an
    admin's; a viewer's reads all of it, a project's or profile's has what is named like it. ``by_orders``: it comes and changes
    by orders such as acquire, so that to delete it is an admin's. ``in_events``: streams of events show it. ``of_service``: a service of
    ours alone writes it, and says to people what there is; neither batonctl nor modules offer it.
    """

    name: str
    singular: str
    identity: str = ""
    members: Mapping[str, Any] = field(default_factory=dict)
    slashes: bool = False
    makes_key: bool = False
    open_to: Tuple[str, ...] = ()
    by_orders: bool = False
    in_events: bool = False
    of_service: bool = False

    @property
    def has_params(self) -> bool:
        return "Params" in self.members

    def new(self) -> Dict[str, Any]:
        """Return what a new document has besides its identity."""
        return {name: copy.copy(value) for name, value in self.members.items()}


_ALL = (
    Kind(
        "profiles", "profile", "Name", {"Description": "", "Meta": {}, "Params": {}}, open_to=("viewer", "project", "profile"),
        in_events=True,
    ),
    Kind(
        "machines", "machine", "Uuid", {"Name": "", "Meta": {}, "Params": {}, "Profiles": []}, makes_key=True, open_to=("viewer",),
        in_events=True,
    ),
    Kind("params", "param", "Name", {"Description": "", "Schema": {}}, slashes=True, open_to=("viewer",), in_events=True),
    # What orders make: see core/coordination.
    Kind("leases", "lease", open_to=("viewer",), in_events=True),
    Kind("locks", "lock", slashes=True, open_to=("viewer", "project", "profile"), by_orders=True, in_events=True),
    Kind("barriers", "barrier", slashes=True, open_to=("viewer", "project", "profile"), by_orders=True, in_events=True),
    Kind("files", "file", slashes=True, open_to=("viewer", "project"), in_events=True),
    Kind("tokens", "token"),
    # What the core notes.
    Kind("history", "reign", in_events=True),  # one for each change of active
    Kind("nodes", "node"),
    Kind("removed", "removed node"),
    Kind("system", "part of the system's state"),
    Kind("seats", "note of seats"),  # who won a param's seats, beside the param
    Kind("bound", "tie of a param"),  # to which lease a param is tied, beside the param
    # What datastores are made of: see docs/internals/datastores.md. They hold secrets.
    Kind("sets", "set", "Id", {"Set": {}}, in_events=True, of_service=True),
    Kind("configurations", "configuration", "Id", {"Configuration": {}}, of_service=True),
    Kind("pool", "host", "Name", {"Meta": {}, "Params": {}}, open_to=("guest",), in_events=True, of_service=True),
)  # fmt: skip
KINDS: Dict[str, Kind] = {kind.name: kind for kind in _ALL}
DOCUMENTS: Dict[str, Kind] = {kind.name: kind for kind in _ALL if kind.identity}  # what clients write as it is
OFFERED: Dict[str, Kind] = {name: kind for name, kind in DOCUMENTS.items() if not kind.of_service}  # to people
BY_ORDERS = tuple(kind.name for kind in _ALL if kind.by_orders)
IN_EVENTS = tuple(kind.name for kind in _ALL if kind.in_events)


def singular(kind: str) -> str:
    """Return what people call one of a kind, which may be of a newer version."""
    known = KINDS.get(kind)
    return known.singular if known is not None else kind


def open_to(who: str) -> Tuple[str, ...]:
    """Return the kinds that tokens of this scope may use."""
    return tuple(kind.name for kind in _ALL if who in kind.open_to)
