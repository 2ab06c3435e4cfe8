# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before an active that was restarted begins its next reign: has an in-sync member entries that our disk has lost? Pure.

A disk that lies about fsync, or was set back a little, lacks entries that were acknowledged. Beginning a reign on it would
make the others cut theirs. So it hears the in-sync members first, and takes over what they have beyond its own end: what
was never acknowledged does no harm there.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Set

from ..commands import Command, Send
from ..model.log import Entry, Position
from ..model.messages import Hello, Tail, TailWanted
from ..model.record import Member, Record
from ..replication.following import APPLIED_AT_ONCE
from ..state.state import State

ASK_AGAIN = 0.3  # seconds
PATIENCE = 10.0  # seconds for all of it; then the reign begins with what is there


class Recovery:
    """The questions of one process that has been active before; ``silence``: seconds to wait for who does not speak."""

    def __init__(self, node: str, state: State, silence: float, now: float) -> None:
        self._node = node
        self._state = state
        self._silence = silence
        self._since = now
        self._asked_at: Dict[str, float] = {}
        self._apart: Set[str] = set()  # whose log does not contain our end

    def done(self, record: Record, peers: Mapping[str, Hello], out: List[Command], now: float) -> bool:
        """Whether the reign may begin; if not, ask for what we lack."""
        waited = now - self._since
        if waited > PATIENCE:
            return True
        others = [member for member in record.in_sync if member.node != self._node]
        heard = {m.node: peers[m.node] for m in others if _is_of(peers.get(m.node), m)}
        longer = [hello for hello in heard.values() if self._lacks(hello)]
        for hello in longer:
            if now - self._asked_at.get(hello.node, float("-inf")) > ASK_AGAIN:
                self._asked_at[hello.node] = now
                out.append(Send(hello.node, TailWanted(self._state.log.end)))
        return not longer and (len(heard) == len(others) or waited > self._silence)

    def _lacks(self, hello: Hello) -> bool:
        ours, theirs = self._state.log.end, hello.end
        longer = theirs.seq > ours.seq and theirs.epoch.number >= ours.epoch.number
        return longer and hello.speaks >= 2 and hello.node not in self._apart

    def take(self, node: str, tail: Tail, record: Record) -> bool:
        """Append what a member sent, if it follows our end; return whether it did."""
        log = self._state.log
        if record.member(node) is None or tail.prev != log.end:
            return False
        if not tail.entries:
            self._apart.add(node)
            return True
        fresh = [entry for entry in tail.entries if entry.epoch.number <= record.epoch.number]
        for number, entry in enumerate(fresh):
            if entry.seq != tail.prev.seq + 1 + number:
                return False
        taken: List[Entry] = []
        steps = 0
        for entry in fresh:
            why, done = self._state.take(entry, APPLIED_AT_ONCE - steps)
            steps += done
            if why:
                self._apart.add(node)
                self._state.note("error", f"not taken over from {node}: {why}")
                break
            taken.append(entry)
        if taken:
            self._state.store(taken)
            self._state.note("warning", f"took over {len(taken)} entries of {node} that this disk did not have")
            self._asked_at.pop(node, None)
        return bool(taken)


def tail_after(state: State, place: Position, most: int, most_bytes: int) -> Tail:
    """Return what follows ``place`` in our log; nothing where it is not part of it."""
    ours = state.log.position(place.seq)
    return Tail(place, tuple(state.log.after(place.seq, most, most_bytes)) if ours == place else ())


def _is_of(hello: object, member: Member) -> bool:
    return isinstance(hello, Hello) and hello.incarnation == member.incarnation
