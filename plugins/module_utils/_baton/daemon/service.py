# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HTTP API asks of the node: futures for answers, subscriptions for changes, and who may be answered.

Adapter between requests and the core; it keeps no state of its own but who waits for what.
"""
from __future__ import annotations

import asyncio
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple, TypeVar

from ..adapters import turns
from ..adapters.disk.files import BlobInfo
from ..core.commands import Changed, Reply
from ..core.events import Event, Operator, Order
from ..core.model import access
from ..core.model.document import Document
from ..core.model.documents import Change
from ..core.model.log import Log
from ..core.model.requests import Idempotency, KeepAlive, Outcome, Submit
from ..core.node import Node
from ..core.state.heads import Heads
from ..core.state.submissions import TOO_FEW, not_applied, unknown
from ..ground.problem import Problem
from .status import Store, scheduled_switch, status_of

Callback = Callable[[str, Optional[Document]], None]
Made = TypeVar("Made")
MOST_TO_PARSE = 48 << 20  # steps: 16 MiB of text, which is all parsed while a request is evaluated
PARSED_AT_ONCE = 200_000  # steps (see work.py) of parsing that a request may take at once


class Service:
    """Implements the HTTP layer's Backend on top of one Node."""

    def __init__(self, node: Node, tell: Callable[[Event], None], clock: Callable[[], float]) -> None:
        self._node = node
        self._tell = tell
        self._clock = clock
        self._next_id = 0
        self._stopping = ""
        self._waiting: Dict[int, "asyncio.Future[Any]"] = {}
        self._parsing: Optional[asyncio.Lock] = None  # made in the loop: before Python 3.10 it belongs to that
        self._subscribers: Dict[Tuple[str, str], Set[Callback]] = {}
        self._role_callbacks: Set[Callable[[], None]] = set()
        self._commit_callbacks: Set[Callable[[], None]] = set()
        self._serving_waiters: List["asyncio.Future[None]"] = []
        self.vip: Optional[Callable[[], Dict[str, Any]]] = None
        self.vip_trouble: Callable[[], str] = lambda: ""
        self.dcs: Callable[[], Store] = lambda: Store("", True, None)
        self.driver_files: Callable[[], Sequence[str]] = tuple  # what is wrong with them
        self.stalls: Callable[[], Tuple[float, float]] = lambda: (0.0, 0.0)  # of the event loop, see loop_watch.py
        self.connections: Callable[[], Dict[str, Any]] = dict
        self.connections_trouble: Callable[[], str] = lambda: ""
        self.certificates: Dict[str, float] = {}  # file → when it ends, in unix seconds

    @property
    def node_id(self) -> str:
        return self._node.config.node

    # --- from the core --------------------------------------------------------------------------------------------------

    def reply(self, command: Reply) -> None:
        future = self._waiting.pop(command.id, None)
        if future is not None and not future.done():
            if isinstance(command.result, Problem):
                future.set_exception(command.result.with_traceback(None))  # which would keep what was evaluated
            else:
                future.set_result(command.result)

    def changed(self, command: Changed) -> None:
        for kind, key, document in command.documents:
            for callback in (*self._subscribers.get((kind, key), ()), *self._subscribers.get((kind, ""), ())):
                callback(key, document)
        for tell in tuple(self._commit_callbacks):
            tell()
        self._wake_serving()

    def replaced(self) -> None:
        """A snapshot took the place of all documents: tell who watches one what it is now, and who watches a kind with key ""."""
        for (kind, key), callbacks in list(self._subscribers.items()):
            document = self.heads().committed(kind, key) if key else None
            for callback in tuple(callbacks):
                callback(key, document)
        for tell in tuple(self._commit_callbacks):
            tell()

    def role_changed(self) -> None:
        for callback in tuple(self._role_callbacks):
            callback()
        self._wake_serving()

    def stop(self, why: str) -> None:
        """The process ends: nobody is left waiting."""
        self._stopping = why
        for number in list(self._waiting):
            detail = f"{why}; the change may or may not take effect: repeat it with the same Idempotency-Key"
            self.reply(Reply(number, Problem(503, "outcome_unknown", detail, outcome="unknown")))
        self.role_changed()

    # --- requests -------------------------------------------------------------------------------------------------------

    def _ask(self, make: Callable[[int], Event]) -> "asyncio.Future[Any]":
        self._next_id += 1
        future: "asyncio.Future[Any]" = asyncio.get_running_loop().create_future()
        self._waiting[self._next_id] = future
        self._tell(make(self._next_id))
        return future

    async def submit(
        self,
        changes: Sequence[Change],
        idempotency: Optional[Idempotency] = None,
        deadline: Optional[float] = None,
        blobs: Sequence[str] = (),
        large: bool = False,
    ) -> Outcome:
        """Change documents, all or nothing; return when the change is committed. Raises Problem.

        ``large``: to evaluate it takes a while, so that it waits for its turn; of others that shows.
        """

        def ask() -> "asyncio.Future[Any]":
            if self._node.leading is None:
                raise self._elsewhere()
            wall = time.time()
            future = self._ask(lambda number: Submit(number, tuple(changes), wall, idempotency, deadline, tuple(blobs)))
            future.add_done_callback(lambda done: done.cancelled() or done.exception())  # who asked may be gone by then
            return future

        if self._node.leading is None:
            raise self._elsewhere()
        keys = [(change.kind, change.key) for change in changes] if len(changes) > 1 else ()
        steps = self.heads().steps_to_parse(keys)
        if steps > MOST_TO_PARSE:
            raise Problem(413, "too_much_work", "these documents are too large to be changed all at once: send several batches")
        if steps >= PARSED_AT_ONCE:
            answer = await self._parsed_first(keys, ask)
        else:
            answer = await (turns.take(ask) if large else turns.brief(ask))
        try:
            outcome: Outcome = await answer
        finally:
            del answer  # a refusal leads back here by its traceback: with the future that has it, the body would stay until a collection
        return outcome

    async def _parsed_first(self, keys: Sequence[Tuple[str, str]], ask: Callable[[], Made]) -> Made:
        """Return what ``ask`` returns when the documents are parsed, taking turns: one request at a time has so many of them so."""
        if self._parsing is None:
            self._parsing = asyncio.Lock()
        async with self._parsing:
            heads = self.heads()
            held: List[Document] = []
            try:
                while await turns.take(lambda: heads.prepare(keys, PARSED_AT_ONCE, held)) >= PARSED_AT_ONCE:
                    pass
                return await turns.take(ask)
            finally:
                heads.parsed.release(held)

    async def keep_alive(self, lease: str) -> Dict[str, Any]:
        """Extend a client's lease; return its Id and Ttl. Raises Problem."""
        if self._node.leading is None:
            raise self._elsewhere()
        answer: Dict[str, Any] = await self._ask(lambda number: KeepAlive(number, lease))
        return answer

    def lease_left(self, lease: str) -> Optional[float]:
        """Return for how many seconds a client may still count on its lease; None when that is not known here."""
        leading = self._node.leading
        return leading.client_leases.left(lease, self._clock()) if leading is not None else None

    async def store_file(
        self,
        path: str,
        blob: BlobInfo,
        idempotency: Optional[Idempotency] = None,
        deadline: Optional[float] = None,
        fence: Sequence[Change] = (),
        if_match: Optional[str] = None,
        new: bool = False,
    ) -> Outcome:
        """Name a file content that is in our blob store; it reaches every in-sync node before the name commits.

        ``if_match``: the SHA-256 that the file must have; ``new``: there must be none of that name.
        """
        value = {"Path": path, "Sha256": blob.sha256, "Size": blob.size, "Modified": int(time.time())}
        change = Change("files", path, "create" if new else "put", value, if_match)
        return await self.submit([*fence, change], idempotency, deadline, [blob.sha256])

    def check_serving(self, stale: bool = False) -> None:
        """Raise Problem 307 or 503 unless this node may answer strong reads at this moment (or ``stale`` ones, until it stops)."""
        if self._stopping:
            raise not_applied("stopping", f"{self._stopping}; ask another node")
        if not stale and not self._node.serving(self._clock()):
            raise self._elsewhere()

    def check_copies(self) -> None:
        """Raise Problem 503 while the mode promises more copies than there are: what came by waiting may be on fewer disks."""
        if self._node.leading is not None and not self._node.leading.copies_promised():
            raise unknown("too_few_copies", TOO_FEW)

    def _elsewhere(self) -> Problem:
        node = self._node
        if node.leading is not None:
            refusal = node.leading.refusal(self._clock())
            return refusal or not_applied("switching", "the active role is moving to another node; try again")
        active = node.record.active
        url = node.record.active_url or node.standing.members().get(active, "")
        if active and active != node.config.node and url:
            return Problem(307, "not_active", f"{active} is active", location=url)
        return not_applied("no_active", node.trouble or "no node is active now; try again")

    def log_time(self) -> float:
        """Return the log's own time in seconds: what tokens age by, whatever the wall clock of a node says."""
        return self._node.state.clock.read(self._clock()) / 1000

    def heads(self) -> Heads:
        return self._node.state.heads

    def subscribe(self, kind: str, key: str, callback: Callback) -> Callable[[], None]:
        """Call back with key and document at each change of this document (key "": of one of the kind); returns what ends it.

        Of changes that were committed together each has its call, in order; the committed head is at the last of them by then.
        A call with key "" says that all of the kind may be others now.
        """
        callbacks = self._subscribers.setdefault((kind, key), set())
        callbacks.add(callback)

        def end() -> None:
            callbacks.discard(callback)
            if not callbacks and self._subscribers.get((kind, key)) is callbacks:
                del self._subscribers[(kind, key)]

        return end

    def on_commit(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after each commit; returns what ends it."""
        self._commit_callbacks.add(callback)
        return lambda: self._commit_callbacks.discard(callback)

    def log(self) -> Tuple[Log, int]:
        """Return the log and its last committed entry."""
        return self._node.state.log, self._node.state.commit

    def on_role_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._role_callbacks.add(callback)
        return lambda: self._role_callbacks.discard(callback)

    # --- orders ---------------------------------------------------------------------------------------------------------

    async def order(self, order: Order, node: str = "", text: str = "", force: bool = False, at: float = 0.0) -> Dict[str, Any]:
        """Give the node a person's order; return its answer. Raises Problem."""
        answer = await self._ask(lambda number: Operator(number, order, node, text, force, at))
        return answer if isinstance(answer, dict) else {}

    async def become_active(self, force: bool) -> Dict[str, Any]:
        return await self.order(Order.PROMOTE, force=force)

    async def become_passive(self, force: bool = False) -> Dict[str, Any]:
        return await self.order(Order.GIVE_UP, force=force)

    async def switch(self, to: str, reason: str = "", at: float = 0.0) -> Dict[str, Any]:
        """Move the active role now, or at a wall-clock time; return what stands then."""
        self._check_leading()
        answer = await self.order(Order.SWITCH, to, reason, at=at)
        return answer or {"scheduled": self.scheduled()}

    async def cancel_switch(self) -> None:
        self._check_leading()
        await self.order(Order.UNSCHEDULE)

    async def pause(self, paused: bool, by: str = "") -> Dict[str, Any]:
        """Stop promotions that nobody ordered, or allow them again; ``by``: who wants it, for people."""
        self._check_leading()
        return await self.order(Order.PAUSE if paused else Order.RESUME, text=by)

    def drivers(self) -> List[Dict[str, Any]]:
        """Return the drivers of this node."""
        return self._node.driving.drivers.status(self._clock(), self._node.config.wall_offset)

    def scheduled(self) -> Optional[Dict[str, Any]]:
        """Return the switch that is planned, or None."""
        return scheduled_switch(self._node)

    def history(self) -> List[Dict[str, Any]]:
        """Return who was active, since when and why, oldest first."""
        return sorted((document.value for document in self.heads().list("history")), key=lambda reign: int(reign["Epoch"]))

    def _check_leading(self) -> None:
        if self._node.leading is None:
            raise self._elsewhere()

    async def create_cluster(self, cluster_id: str) -> Dict[str, Any]:
        return await self.order(Order.CREATE, text=cluster_id)

    async def remove_node(self, node: str) -> Dict[str, Any]:
        if self._node.leading is None:
            raise self._elsewhere()
        return await self.order(Order.REMOVE, node)

    async def readmit_node(self, node: str) -> Dict[str, Any]:
        self._check_leading()
        return await self.order(Order.READMIT, node)

    async def make_admin(self, token: str) -> None:
        """Store the first token of a cluster (its hash)."""
        value = access.token_document(token, {"kind": "admin"}, int(self.log_time()), None)
        await self.submit([Change("tokens", access.token_id(token), "put", value)])

    # --- state ----------------------------------------------------------------------------------------------------------

    async def until_serving(self) -> None:
        while not self._node.serving(self._clock()):
            future: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()
            self._serving_waiters.append(future)
            await future

    def _wake_serving(self) -> None:
        waiters, self._serving_waiters = self._serving_waiters, []
        for future in waiters:
            if not future.done():
                future.set_result(None)

    def status(self) -> Dict[str, Any]:
        """Return the HA state as this node sees it (see the API's /system/ha)."""
        vip = self.vip() if self.vip is not None else None
        troubles = (self.vip_trouble(), *self.driver_files(), self.connections_trouble())
        status = status_of(self._node, self._clock(), vip, self.dcs(), self.certificates, troubles)
        return {**status, "connections": self.connections()}
