# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between the manager and the guest of one pool host: a document that both of them write, each its part. Pure.

The manager writes orders and grants, the guest all else. A claim is tied to the guest's lease and goes with it; it is written only where
the grant still stands, in one step. So the manager that takes a grant back where there is no claim knows that none will come.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

OUT = "Disconnected"  # the state of a member that has left its group, or was put out: it does not come back by itself


@dataclass(frozen=True)
class Order:
    """``verb``: one of the guest's; ``instance``: whose server. ``term``: of the set when it was ordered; the next one ends it.

    ``token``: the manager's, grows from one manager to the next.
    """

    verb: str
    instance: str
    set: str = ""
    term: int = 0
    token: int = 0
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What came of an order. ``problem``: why it failed, and what can be done; "" if it did not."""

    problem: str = ""
    found: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """What a guest says of a server unasked. ``up``: it runs and answers; ``trouble``: why it does not, in one line; ``set``: of which
    it is, as far as the guest knows. ``whole``: it is known to have all that it ever acknowledged; one that was started anew is not until
    it has caught up with its source. ``lag_bytes``: what a replica has received and not applied; ``lag_seconds``: how old that is; None
    where nobody knows, as while it does not hear its source, and of who follows nobody. ``view``: what a member of a cluster says of
    that, {"primary", "size", "state", "uuid"}. ``sends``: copies of its data that go out, {to whom: {"bytes", "of"}}: so many were
    sent, of about so many.
    """

    up: bool
    trouble: str = ""
    set: str = ""
    whole: bool = True
    lag_bytes: Optional[int] = None
    lag_seconds: Optional[int] = None
    view: Mapping[str, Any] = field(default_factory=dict)
    sends: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def sent(self, to: str) -> Tuple[int, int]:
        """Return how many bytes of a copy were sent to another, and of about how many; 0 and 0 where nobody sends."""
        found: Any = self.sends.get(to)
        sent, of = (found.get("bytes"), found.get("of")) if isinstance(found, dict) else (0, 0)
        return (sent, of) if isinstance(sent, int) and isinstance(of, int) else (0, 0)  # a guest may say anything


@dataclass(frozen=True)
class Grant:
    """That a server may take writes in a term. ``counted``: replicas of which one acknowledges before a commit returns.

    ``number``: no two grants of a set have one, so that a word about an older one, which arrives late, is known for that.
    """

    term: int
    counted: Tuple[str, ...] = ()
    number: int = 0


@dataclass(frozen=True)
class End:
    """The server takes no more writes for a term. ``position``: how far it came, "" if it could not be asked."""

    term: int
    position: str = ""


@dataclass(frozen=True)
class Channel:
    """``alive``: the guest's lease stands. By id of order: ``orders``, ``reports``. By instance: ``servers``. By set: ``grants``;
    ``claims``, the term; ``claimed``, the last one that ever was, written with the claim and tied to nothing; ``opened``, the grant by
    which the server takes writes, once one that counts has acknowledged something since, so that the furthest of them has all;
    ``ends``, the last that the guest has seen to. ``is_whole``: it has a list of what was ever claimed; else nobody knows.
    """

    alive: bool = False
    grants: Mapping[str, Grant] = field(default_factory=dict)
    claims: Mapping[str, int] = field(default_factory=dict)
    claimed: Mapping[str, int] = field(default_factory=dict)
    opened: Mapping[str, Grant] = field(default_factory=dict)
    ends: Mapping[str, End] = field(default_factory=dict)
    orders: Mapping[str, Order] = field(default_factory=dict)
    reports: Mapping[str, Report] = field(default_factory=dict)
    servers: Mapping[str, Server] = field(default_factory=dict)
    is_whole: bool = True

    def server(self, instance: str) -> Server:
        """Return what is known of a server; nothing is of one whose guest is silent."""
        found: Optional[Server] = self.servers.get(instance) if self.alive else None
        return found if found is not None else Server(False, "its guest is not heard" if not self.alive else "its guest knows none")
