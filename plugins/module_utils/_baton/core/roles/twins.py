# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two processes under one node id: the clone of a disk, the copy of a configuration. One is refused, both are named. Pure.

Whoever spoke first and still speaks stays; a process that comes after it under the same name is refused. Everybody who sees
it says so, to the one whose name it is, too.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Set, Tuple

from ..commands import Command, Renounce
from ..model.config import NodeConfig
from ..model.messages import Hello
from ..model.record import Member
from ..state.state import State

REMEMBERED = 10.0  # seconds after which one that is not seen any more is forgotten
SUSPECT_FOR = 0.5  # seconds after which who still speaks is another process, and no echo
NOT_YET = "another process of this name has just spoken; say Hello again"
RENOUNCE_AFTER = 5.0  # seconds of being refused after which it can't be a predecessor that is not quite gone


class Twins:
    """What one node knows of them: node → (where the two are, when it was seen)."""

    def __init__(self, config: NodeConfig, state: State) -> None:
        self._config = config
        self._state = state
        self._seen: Dict[str, Tuple[str, float]] = {}
        self._suspects: Dict[str, Tuple[str, float]] = {}  # node → another process under its name, heard first then
        self._ended: Set[str] = set()  # nodes the link to which ended since they said Hello
        self._refused_since = self._refused_at = float("-inf")
        self._is_twin = False  # somebody has seen the other one of our name live, and nobody has taken us for the member since

    def check(self, hello: Hello, known: Optional[Hello], alive: bool, now: float) -> str:
        """Return why this Hello is refused, or "". ``known``: the node's last one; ``alive``: its process surely lives."""
        if hello.node == self._config.node:
            return self.beside(hello.node, where(hello.url, hello.host), now)
        other = known is not None and known.process != hello.process and bool(known.process and hello.process)
        if other and known is not None and alive and hello.node not in self._ended:
            process, since = self._suspects.get(hello.node, ("", now))
            if process != hello.process:
                self._suspects[hello.node] = (hello.process, now)
            if process != hello.process or now - since < SUSPECT_FOR:
                return NOT_YET  # a word of its predecessor that was overtaken, or its successor before we know of its end
            return self.seen(hello.node, f"{where(known.url, known.host)} and {where(hello.url, hello.host)}", now)
        self._ended.discard(hello.node)
        self._suspects.pop(hello.node, None)
        return ""

    def beside(self, node: str, other: str, now: float) -> str:
        """Another process has our own name; return what to say of it."""
        return self.seen(node, f"{where(self._config.url, self._config.host)} and {other}", now)

    def seen(self, node: str, places: str, now: float) -> str:
        """Keep what was seen, and say it once; return the text."""
        old = self._seen.get(node)
        text = _text(node, places)
        if old is None or old[0] != places or now - old[1] > REMEMBERED:
            self._state.note("error", text)
        self._seen[node] = (places, now)
        return text

    def link_down(self, node: str) -> None:
        self._ended.add(node)

    def of(self, node: str, now: float) -> Tuple[str, ...]:
        """Return what to tell a node of its own name."""
        return tuple(places for name, places in self.known(now).items() if name == node)

    def known(self, now: float) -> Dict[str, str]:
        """Return the names that two have now, and where these are."""
        self._seen = {node: item for node, item in self._seen.items() if now - item[1] <= REMEMBERED}
        return {node: places for node, (places, _at) in sorted(self._seen.items())}

    def error(self, now: float) -> str:
        """Return what is known of twins now, for people, or ""."""
        return "; ".join(_text(node, places) for node, places in self.known(now).items())

    def doubted(self, now: float) -> bool:
        """Whether others have said that another process has our name: then nothing is begun.

        That they fall silent takes nothing back: the other one may hold what was acknowledged since our disk was copied.
        """
        return self._is_twin or now - self._refused_at <= self._config.timing.lease

    def accepted(self) -> None:
        """The active takes us for the member of our name."""
        self._is_twin = False

    def refused(self, why: str, out: List[Command], now: float, known: bool) -> None:
        """We are the one that is refused. A copy of a disk that is in use must not be taken for that disk later.

        ``known``: by a node of the cluster; a stranger's word ends nothing.
        """
        if not known:
            return
        if now - self._refused_at > REMEMBERED:
            self._refused_since = now
        self._refused_at = now
        self._is_twin = self._is_twin or why != NOT_YET
        record, me = self._state.record, Member(self._config.node, self._state.incarnation)
        if now - self._refused_since > RENOUNCE_AFTER and record is not None and me in record.in_sync:
            self._refused_since = now
            out.append(Renounce(why))


def where(url: str, host: str) -> str:
    return f"{url} on {host}" if host else url


def _text(node: str, places: str) -> str:
    return f"two nodes call themselves {node}: {places}; give one of them another --node-id and an empty data directory"
