# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the other nodes could not take over, since the store of the cluster record does not let them. Pure.

The store may answer the active, and a passive not: a firewall, a certificate or a user of its own. Each node says in its
Hello how the store is to it, so that those whom people ask know it before a failover needs it (I12).
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Set

from ..model.messages import Hello
from ..model.timing import NEVER
from .election import may_ever_lead
from .links import SAY_AGAIN, Links
from .standing import Standing

PATIENCE = 10.0  # seconds: an outage for all is seen by one sooner than by another
FORGET = 3 * SAY_AGAIN  # seconds without a word of it: the one that said that it is over was lost


class _Said(NamedTuple):
    text: str
    since: float
    last: float


class CutOff:
    """What one node knows of it."""

    def __init__(self, standing: Standing, links: Links) -> None:
        self.standing = standing
        self.links = links
        self._said = ""
        self._said_at = NEVER
        self._others: Dict[str, _Said] = {}
        self._noted: Set[str] = set()

    def tend(self, now: float) -> None:
        """Tell the others what has changed, and again while it lasts; note what lasts of theirs."""
        ours = self.standing.dcs.keeps_out
        if ours != self._said or (ours and now - self._said_at > SAY_AGAIN):
            self._said, self._said_at = ours, now
            self.links.hello_all(False, now)
        lasting = {name for name in self._others if not ours and self._lasts(name, now)}
        for name in sorted(lasting - self._noted):
            self.standing.state.note("warning", could_not(name, self._others[name].text))
        for name in sorted(self._noted - lasting):
            if not ours:
                self.standing.state.note("info", f"the store of the cluster record lets {name} take over again")
        if not ours:
            self._noted = lasting

    def heard(self, hello: Hello, now: float) -> None:
        """Another has said how the store is to it."""
        before = self._others.pop(hello.node, None)
        if hello.store:
            since = before.since if before is not None and now - before.last <= FORGET else now
            self._others[hello.node] = _Said(hello.store, since, now)

    def why_not(self, name: str, now: float) -> str:
        """Return why the store would not let a node take over, as far as it has said; ""."""
        if name == self.standing.config.node:
            return self.standing.dcs.keeps_out
        said = self._others.get(name)
        return said.text if said is not None and now - said.last <= FORGET else ""

    def error(self, now: float) -> str:
        """Return who could not take over although the store answers us, or ""."""
        names = [] if self.standing.dcs.keeps_out else [name for name in sorted(self._others) if self._lasts(name, now)]
        return "; ".join(could_not(name, self._others[name].text) for name in names)

    def _lasts(self, name: str, now: float) -> bool:
        """Whether it has lasted, with a node that is there and would take over else."""
        here, hello = self.standing, self.standing.peers.get(name)
        may_lead = name in here.record.nodes() and name != here.record.active and hello is not None and may_ever_lead(hello)
        there = name in here.linked and bool(self.why_not(name, now))
        return may_lead and there and now - self._others[name].since > PATIENCE


def could_not(name: str, text: str) -> str:
    """Return the sentence about a node that the store keeps out."""
    return f"{name} could not take over: {text}"
