# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/events: every committed change, once and in order, as server-sent events or over a WebSocket.

The stream is the log: each change has a cursor (epoch, entry, place in the entry), and who comes back with the last one that it saw misses
nothing and sees nothing twice, at any node that has become active meanwhile. A cursor that the log does not know gets 410.
"""
from __future__ import annotations

import asyncio
import json
from typing import Any, AsyncIterator, Dict, List, NamedTuple, Optional, Tuple

from ...core.log import Entry, Epoch
from ...core.problem import Problem
from ..aio import web
from .backend import Backend
from .documents import allow

SHOWN = ("profiles", "machines", "params", "leases", "locks", "barriers", "files", "history")
ALIVE = 15.0  # seconds of silence after which a sign of life is sent
ALL = 1_000_000  # the place in an entry of which only the position is known
AT_ONCE = 256  # entries looked at between two breaths


class Cursor(NamedTuple):
    """What has been seen: ``place`` changes of entry ``seq`` as written in ``epoch``, and all before."""

    epoch: Epoch
    seq: int
    place: int

    def __str__(self) -> str:
        return f"{self.epoch.number}.{self.epoch.id or '-'}.{self.seq}.{self.place}"

    @classmethod
    def read(cls, text: str) -> "Cursor":
        number, _dot, rest = text.partition(".")
        name, seq, place = (rest.rsplit(".", 2) + ["", ""])[:3]
        if not (number.isdigit() and seq.isdigit() and place.isdigit() and name) or len(text) > 200:
            raise Problem(400, "bad_cursor", "a cursor is what an event had as Cursor; leave it out to begin now")
        return cls(Epoch(int(number), "" if name == "-" else name), int(seq), int(place))


class Events:
    """The handler of event streams."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def handle(self, request: Any, stale: bool) -> Any:
        """Serve GET /events?since=&kinds=&key=&documents=yes; a WebSocket when the request asks for one."""
        allow(request, "GET")
        self._backend.check_serving(stale)
        stream = _Stream(self._backend, request, stale)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request, stream)
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(f"id: {stream.cursor}\nevent: begin\ndata: {json.dumps({'Cursor': str(stream.cursor)})}\n\n".encode())
        async for event in stream.events():
            # The sign of life has the cursor, too: what was left out as not asked for is not to be looked through again.
            text = f"id: {stream.cursor}\n: alive\n\n" if event is None else f"id: {event['Cursor']}\ndata: {json.dumps(event)}\n\n"
            await response.write(text.encode())
        if stream.problem is not None:
            await response.write(f"event: end\ndata: {json.dumps(stream.problem.to_json())}\n\n".encode())
        return response

    async def _socket(self, request: Any, stream: "_Stream") -> Any:
        socket = web.WebSocketResponse(heartbeat=ALIVE)
        await socket.prepare(request)
        await socket.send_str(json.dumps({"Cursor": str(stream.cursor)}))
        reader = asyncio.ensure_future(_until_closed(socket))
        try:
            async for event in stream.events(reader):
                if event is not None:
                    await socket.send_str(json.dumps(event))
            if stream.problem is not None and not socket.closed:
                await socket.send_str(json.dumps(stream.problem.to_json()))
        finally:
            reader.cancel()
            await socket.close()
        return socket


async def _until_closed(socket: Any) -> None:
    async for _message in socket:
        pass


class _Stream:
    """What one reader has seen and has yet to see."""

    def __init__(self, backend: Backend, request: Any, stale: bool) -> None:
        self._backend, self._stale = backend, stale
        query = request.query
        kinds = [kind for kind in query.get("kinds", "").split(",") if kind]
        unknown = [kind for kind in kinds if kind not in SHOWN]
        if unknown:
            raise Problem(400, "bad_query", f"kinds is a list of {', '.join(SHOWN)}, not {unknown[0][:40]!r}")
        self._kinds, self._key = kinds or list(SHOWN), query.get("key")
        self._profile: Optional[str] = request["profile"]
        self._documents = query.get("documents") == "yes"
        since = query.get("since") or request.headers.get("Last-Event-ID")
        self.cursor = Cursor.read(since) if since else self._now()
        self.problem: Optional[Problem] = None
        self._check(bool(since))

    def _now(self) -> Cursor:
        log, commit = self._backend.log()
        position = log.position(commit)
        if position is None:
            raise Problem(503, "not_ready", "this node has no log yet; try again", outcome="not_applied")
        return Cursor(position.epoch, position.seq, whole(log.get(commit)))

    def _check(self, given: bool = False) -> None:
        """Raise Problem 410 unless the log goes on from the cursor; of one that was ``given``, its own entry may have changes to come."""
        log, commit = self._backend.log()
        position = log.position(self.cursor.seq)
        cut = given and self.cursor.seq == log.start.seq and self.cursor.place < ALL
        if self.cursor.seq > commit or position is None or position.epoch != self.cursor.epoch or cut:
            detail = "the log does not go back that far, or is another one: read what you need anew, then begin without a cursor"
            raise Problem(410, "cursor_gone", detail, cursor=str(self.cursor))

    async def events(self, closed: "Optional[asyncio.Future[None]]" = None) -> AsyncIterator[Optional[Dict[str, Any]]]:
        """Yield events, and None as a sign of life; end when the node stops serving (``problem`` says why) or ``closed`` is done."""
        wake = asyncio.Event()
        ends = [self._backend.on_commit(wake.set), self._backend.on_role_change(wake.set)]
        if closed is not None:
            closed.add_done_callback(lambda _future: wake.set())
        try:
            while closed is None or not closed.done():
                wake.clear()
                try:
                    self._backend.check_serving(self._stale)
                    found, more = self._next()
                except Problem as problem:
                    self.problem = problem
                    return
                for event in found:
                    yield event
                if more:
                    await asyncio.sleep(0)
                    continue
                try:
                    await asyncio.wait_for(wake.wait(), ALIVE)
                except asyncio.TimeoutError:
                    yield None
        finally:
            for finish in ends:
                finish()

    def _next(self) -> Tuple[List[Dict[str, Any]], bool]:
        """Return the events after the cursor, as many as fit between two breaths, and whether there are more."""
        self._check()
        log, commit = self._backend.log()
        entries = log.after(self.cursor.seq - 1, AT_ONCE) if self.cursor.seq > log.start.seq else log.after(self.cursor.seq, AT_ONCE)
        found: List[Dict[str, Any]] = []
        for entry in entries:
            if entry.seq > commit:
                return found, False
            first = self.cursor.place if entry.seq == self.cursor.seq else 0
            for index, effect in enumerate(entry.body.get("effects", ())):
                if index >= first and self._wanted(effect):
                    found.append(self._event(entry, index, effect))
            self.cursor = Cursor(entry.epoch, entry.seq, whole(entry))
        return found, len(entries) == AT_ONCE

    def _wanted(self, effect: Dict[str, Any]) -> bool:
        kind, key = effect["kind"], effect["key"]
        if self._profile is not None and (kind, key) != ("profiles", self._profile):
            return False
        return kind in self._kinds and self._key in (None, key)

    def _event(self, entry: Entry, index: int, effect: Dict[str, Any]) -> Dict[str, Any]:
        event: Dict[str, Any] = {"Cursor": str(Cursor(entry.epoch, entry.seq, index + 1)), "At": entry.at / 1000}
        event.update(Kind=effect["kind"], Key=effect["key"], Revision=entry.revision)
        if effect.get("delete"):
            event["Action"] = "delete"
        elif effect.get("ops") is not None:
            event.update(Action="patch", Patch=effect["ops"])
        else:
            event.update(Action="put", Value=effect.get("value"))
        if self._documents:
            document = self._backend.heads().committed(effect["kind"], effect["key"])
            event["Document"] = None if document is None else document.value
        return event


def whole(entry: Optional[Entry]) -> int:
    """Return the place of a cursor that has seen all of an entry."""
    return len(entry.body.get("effects", ())) if entry is not None else ALL
