# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who must not come in: members that left while nobody heard their hosts, and whose servers may run still.

Such a server knows where the others are, and has the set's certificate and the name of the group: nothing of that changes when one
leaves. But Galera can be told to put a node out, for as long as that runs, by a number that it has from its start to its end. All members
know each other's numbers while they are in, so a guest takes note of them. Each member has to be told for itself; and it forgets when it
is started anew, or a day later.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Dict, Mapping, Tuple

from ..mariadb import sql
from ..trouble import Trouble
from .joining import View
from .node import Node
from .position import UUID

LOG = logging.getLogger("baton.guest")
AGAIN = 3600.0  # seconds until a server is told again: it forgets after a day
FAILED = 30.0  # seconds until it is tried again, where it could not be told
MOST = 64  # of whom we know the number
MEMBERS = "SELECT node_name, node_uuid FROM mysql.wsrep_cluster_members"
OPTIONS_ARE_VARIABLES = 1210  # what a server says whose provider's options are variables of their own, as from 11.8 on


class KeepingOut:
    """Of one server. In its memory: ``nodes``, by instance the number that it has had last in the group; in its spec: ``gone``, of whom
    we were told.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._told: Tuple[Any, ...] = ()  # in which life, view and state all was done last
        self._again = 0.0  # when it is to be done again

    def tend(self, seen: View) -> None:
        """See to it, where anything is another than it was; ``seen``: by the last look. Trouble where it can't be done."""
        gone = tuple((self._node.memory.get("spec") or {}).get("gone") or ())
        now, done = time.monotonic(), (self._node.life, seen.number, gone)
        if not seen.serves or self._told == done and now < self._again:
            return
        self._told, self._again = done, now + FAILED
        with self._node.session() as session:
            members = {str(row["node_name"]): str(row["node_uuid"]) for row in session.ask(MEMBERS)}
            self._learn(members)
            if len(members) != seen.size:
                self._told = ()  # it is about to change: we look again
            for name in gone:
                self._put_out(session, name, name in members)
        self._again = now + AGAIN

    def _learn(self, members: Mapping[str, str]) -> None:
        known: Dict[str, str] = self._node.memory.get("nodes") or {}
        news = {**{name: number for name, number in known.items() if name not in members}, **members}
        if news != known:
            self._node.remember(nodes=dict(list(news.items())[-MOST:]))

    def _put_out(self, session: sql.Session, name: str, is_in: bool) -> None:
        number = (self._node.memory.get("nodes") or {}).get(name, "")
        if not UUID.match(number):
            return  # it was never in with us; if it comes, we see it
        LOG.log(logging.WARNING if is_in else logging.INFO, "%s: %s has left, and is kept out", self._node.id, name)
        try:
            session.ask(f"SET GLOBAL wsrep_provider_options='evs.evict={number}'")
        except sql.SqlTrouble as error:
            if error.number != OPTIONS_ARE_VARIABLES:
                raise Trouble(f"{name}, which has left, could not be kept out by {self._node.id}: {error}") from None
            session.ask(f"SET GLOBAL wsrep_provider_evs_evict='{number}'")
