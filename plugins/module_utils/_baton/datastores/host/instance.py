# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server as the guest's loop has it: what is going on with it, and threads in which that is done.

What is done with a server is done one after the other, but what takes long, and to close it: that never waits.
"""
from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, Dict, Mapping, Optional, Protocol, Sequence

from ..model.channel import Report, Server

THREADS = ("hands", "long", "close", "looks", "mark", "life")


class Hands(Protocol):
    """A server of some datastore: see server.py. Everything may raise Trouble. ``may``: whether it is right still, looked at in the
    moment in which it is opened; whoever closes it comes before or after that.

    ``by_quorum``: its cluster says whether it takes writes, and no grant; orders alone start it, since it must not come back to a cluster
    that is no more. ``fence``: for so many seconds it may go on after a look that it has answered, 0: for ever; ``has_answered``: whether
    it has the last one, whatever it said.
    """

    @property
    def by_quorum(self) -> bool: ...
    @property
    def fence(self) -> float: ...
    @property
    def has_answered(self) -> bool: ...
    def is_ours(self) -> bool: ...
    def pid(self) -> Optional[int]: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def look(self) -> Server: ...
    def open(self, counted: Sequence[str], may: Callable[[], bool]) -> None: ...
    def mark(self, term: int, number: int) -> None: ...
    def close(self, timeout: float) -> None: ...
    def position(self) -> str: ...
    def do(self, verb: str, args: Any, stands: Callable[[], bool]) -> Optional[Report]: ...
    def tend(self) -> bool: ...


def kind_of(args: Mapping[str, Any]) -> Dict[str, Any]:
    """Return of which datastore an instance is that an order makes, to be remembered: one that names a group is of a cluster.

    ``type``: of a member, data or arbiter.
    """
    datastore = args.get("datastore") or ("galera" if args.get("cluster") else "mariadb")
    return {"datastore": str(datastore), **({"type": str(args["type"])} if args.get("type") else {})}


class Instance:
    """``set``: of which it is. ``busy``: the verb that is being done; ``seen``: how it was found last.

    ``may_be_open``: its process may take writes. One that we have not opened since it began does not: it is read-only at rest.
    """

    def __init__(self, name: str, whole: str, hands: Hands) -> None:
        self.name, self.set, self.hands = name, whole, hands
        self.busy = ""
        self.pid = hands.pid()
        self.may_be_open = self.pid is not None
        self.seen = Server(False, "it was not looked at yet")
        self.ends = 0  # so many orders have begun, or are over, that may end it
        self.is_opening = self.is_closing = self.is_looked_at = self.is_watched = False
        self.look_at = 0.0  # when it is looked at again
        self.starts = 0  # in a row that did not hold
        self.may_start = 0.0
        self._threads = {thread: ThreadPoolExecutor(1, f"{thread}-{self.name[:8]}") for thread in THREADS}

    async def run(self, thread: str, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads[thread], partial(work, *args))

    def end(self) -> None:
        for thread in self._threads.values():
            thread.shutdown(wait=False)
