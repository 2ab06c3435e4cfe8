# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which orders a guest carries out: each once, one at a time for an instance, none that is taken back or of a term that is over. Pure."""
from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Set, Tuple

from ..model.channel import Channel, Order, Report


class Work(NamedTuple):
    """``begin``: orders to begin now; ``tell``: reports that the manager has not read."""

    begin: List[Tuple[str, Order]]
    tell: List[Tuple[str, Report]]


class Orders:
    """``journal``: reports of what was done in a life before this one, and ``terms`` the latest of each set; both are kept on disk."""

    def __init__(self, journal: Mapping[str, Report], terms: Mapping[str, int]) -> None:
        self.reports: Dict[str, Report] = dict(journal)
        self.terms: Dict[str, int] = dict(terms)
        self._standing: Mapping[str, Order] = {}
        self._busy: Dict[str, str] = {}  # instance → the order that is being carried out

    def seen(self, channel: Channel) -> Work:
        """Take note of what stands between the manager and us."""
        for order in channel.orders.values():
            self._learn(order.set, order.term)
        for key, grant in channel.grants.items():
            self._learn(key, grant.term)
        self._standing = channel.orders
        if not channel.orders:  # as it is most of the time
            self.reports = {}
            return Work([], [])
        self.reports = {key: report for key, report in self.reports.items() if key in channel.orders}
        begin: List[Tuple[str, Order]] = []
        waits: Set[str] = set(self._busy)
        for key, order in sorted(channel.orders.items()):
            if key not in self.reports and key not in channel.reports and order.instance not in waits:
                waits.add(order.instance)
                self._busy[order.instance] = key
                begin.append((key, order))
        return Work(begin, [(key, report) for key, report in sorted(self.reports.items()) if key not in channel.reports])

    def put_off(self, work: Work) -> None:
        """What was to begin can't be: it is looked at anew."""
        for _key, order in work.begin:
            self._busy.pop(order.instance, None)

    def _learn(self, key: str, term: int) -> None:
        if term > self.terms.get(key, 0):
            self.terms[key] = term

    def stands(self, key: str) -> bool:
        """Return whether an order is to be carried out still: looked at in the same moment in which something is done for it."""
        order = self._standing.get(key)
        return order is not None and order.term >= self.terms.get(order.set, 0)

    def ended(self, key: str, order: Order, report: Report) -> None:
        """An order was carried out, or failed; of one that does not stand any more nobody is told."""
        self._busy.pop(order.instance, None)
        if key in self._standing:
            self.reports[key] = report
