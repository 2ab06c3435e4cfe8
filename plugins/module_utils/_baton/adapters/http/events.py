# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/events: every committed change, once and in order, as server-sent events or over a WebSocket.

The stream is the log: each change has a cursor (epoch, entry, place in the entry), and who comes back with the last one that it saw misses
nothing and sees nothing twice, at any node that has become active meanwhile. A cursor that the log does not know gets 410.
"""
from __future__ import annotations

import asyncio
import json
import re
from functools import partial
from typing import Any, AsyncGenerator, Awaitable, Callable, Dict, List, NamedTuple, Optional, Tuple

from ...core.model import access
from ...core.model.kinds import IN_EVENTS
from ...core.model.log import ALL, Entry, Epoch
from ...ground.problem import Problem
from ...ground.values import dumps, is_small, pieces
from .. import turns
from ..aio import SCOPE, web
from . import messages, parameters
from .backend import Backend
from .operations import READING, Answer, operation
from .stays import STREAMS, Stays

ALIVE = 15.0  # seconds without an event after which a sign of life is sent, whatever is committed meanwhile
STALLED = 60.0  # seconds for which a client may take nothing of what it is sent
FAR = 2_000  # entries without an event after which it is sent sooner: the log keeps 8,192 for who comes back
AT_ONCE = 256  # entries looked at between two breaths
MOST_KEPT = 4 << 20  # characters of texts that others may ask for, too
LOOKS = 4_000  # changes in them: one batch has up to 1,000


_CURSOR = re.compile(r"([0-9]{1,16})\.([A-Za-z0-9_.:@-]{1,128})\.([0-9]{1,16})\.([0-9]{1,16})\Z", re.ASCII)


class Cursor(NamedTuple):
    """What has been seen: ``place`` changes of entry ``seq`` as written in ``epoch``, and all before."""

    epoch: Epoch
    seq: int
    place: int

    def __str__(self) -> str:
        return f"{self.epoch.number}.{self.epoch.id or '-'}.{self.seq}.{self.place}"

    @classmethod
    def read(cls, text: str) -> "Cursor":
        found = _CURSOR.match(text)
        if found is None:
            raise Problem(400, "bad_cursor", "a cursor is what an event had as Cursor; leave it out to begin now")
        number, name, seq, place = found.groups()
        return cls(Epoch(int(number), "" if name == "-" else name), int(seq), int(place))


class Events:
    """The handler of event streams."""

    def __init__(self, backend: Backend, stays: Stays, check_token: Callable[[Any], Any]) -> None:
        """``check_token`` raises Problem 401 as soon as the token of a request is not valid any more, which ends its stream."""
        self._backend, self._stays, self._check_token = backend, stays, check_token
        self._texts = Texts()

    @operation(
        "GET", "/events", "events",
        "Every committed change, once and in order: server-sent events, or a WebSocket when the request asks for one. It begins with "
        "its Cursor, and repeats that as a sign of life when there was no event for 15 s or 2,000 changes: id and a comment, or "
        '{"Cursor": …} over a WebSocket',
        takes=(
            parameters.SINCE, parameters.KINDS, parameters.KEY, parameters.WITH_DOCUMENTS, parameters.STALE, parameters.LAST_EVENT_ID,
        ),
        answers={200: Answer("A stream", {"type": "string"}, media="text/event-stream")}, refusals=(*READING, 410, 429),
    )  # fmt: skip
    async def stream(self, request: Any) -> Any:
        stale = messages.is_stale(request)
        self._backend.check_serving(stale)
        stream = _Stream(self._backend, request, stale, lambda: self._check_token(request))
        with self._stays.stay(request, STREAMS, stream.wake.set):
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._socket(request, stream)
            return await self._sent(request, stream)

    async def _sent(self, request: Any, stream: "_Stream") -> Any:
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        begin = json.dumps({"Cursor": str(stream.cursor)})
        await _taken(request, response.write(f"id: {stream.cursor}\nevent: begin\ndata: {begin}\n\n".encode()))
        events = stream.events()
        try:
            async for event in events:
                if event is None:  # with the cursor, too: what was left out as not asked for is behind the reader
                    text = f"id: {stream.cursor}\n: alive\n\n"
                else:
                    text = f"id: {event['Cursor']}\ndata: {await self._texts.of(event)}\n\n"
                await turns.alone(len(text))
                await _taken(request, response.write(text.encode()))
        finally:
            await events.aclose()
        if stream.problem is not None:
            end = json.dumps(stream.problem.to_json())
            await _taken(request, response.write(f"event: end\ndata: {end}\n\n".encode()))
        return response

    async def _socket(self, request: Any, stream: "_Stream") -> Any:
        # Nobody says anything to us, and what we say is not compressed: both would cost the loop what a client likes.
        socket = web.WebSocketResponse(heartbeat=ALIVE, compress=False, max_msg_size=4096)
        await socket.prepare(request)
        reader = asyncio.ensure_future(_until_closed(socket))
        events = stream.events(reader)

        async def say(value: Any) -> None:
            text = await self._texts.of(value)
            await turns.alone(len(text))
            await _taken(request, socket.send_str(text))

        try:
            await say({"Cursor": str(stream.cursor)})
            async for event in events:
                await say({"Cursor": str(stream.cursor)} if event is None else event)
            if stream.problem is not None and not socket.closed:
                await say(stream.problem.to_json())
        finally:
            reader.cancel()
            await events.aclose()
            await socket.close()
        return socket


class Texts:
    """The JSON of events, made once for all who read them: a thousand streams may wait for each."""

    def __init__(self) -> None:
        self._texts: Dict[str, str] = {}
        self._size = 0
        self._making: Dict[str, "asyncio.Task[str]"] = {}

    async def of(self, event: Dict[str, Any]) -> str:
        """Return the text of an event; that of a large one is made piece by piece."""
        shared = "Kind" in event and "Document" not in event  # a document is what it is at the moment
        cursor = event["Cursor"] if shared else ""
        text = self._texts.get(cursor)
        if text is not None:
            return text
        if is_small(event, turns.LARGE):
            text = dumps(event)
            self._keep(cursor, text)
            return text
        if not shared:
            return await _in_pieces(event)
        making = self._making.get(cursor)
        if making is None:
            making = self._making[cursor] = asyncio.ensure_future(_in_pieces(event))
            making.add_done_callback(partial(self._made, cursor))
        return await asyncio.shield(making)  # who leaves does not end it for the others

    def _made(self, cursor: str, making: "asyncio.Task[str]") -> None:
        del self._making[cursor]
        if not making.cancelled() and making.exception() is None:
            self._keep(cursor, making.result())

    def _keep(self, cursor: str, text: str) -> None:
        if self._size + len(text) > MOST_KEPT:
            self._texts.clear()
            self._size = 0
        if cursor:
            self._texts[cursor] = text
            self._size += len(text) + 200


async def _in_pieces(event: Dict[str, Any]) -> str:
    return "".join([piece async for piece in turns.each(pieces(event))])


async def _taken(request: Any, writing: Awaitable[Any]) -> None:
    """Write; cut the connection of a client that takes nothing for a while. It comes back with its cursor when it likes."""
    transport = request.transport
    timer = asyncio.get_running_loop().call_later(STALLED, transport.abort if transport is not None else lambda: None)
    try:
        await writing
    finally:
        timer.cancel()


async def _until_closed(socket: Any) -> None:
    async for _message in socket:
        pass


class _Stream:
    """What one reader has seen and has yet to see."""

    def __init__(self, backend: Backend, request: Any, stale: bool, check_token: Callable[[], Any]) -> None:
        self._backend, self._stale, self._check_token = backend, stale, check_token
        query = request.query
        kinds = [kind for kind in query.get("kinds", "").split(",") if kind]
        unknown = [kind for kind in kinds if kind not in IN_EVENTS]
        if unknown:
            raise Problem(400, "bad_query", f"kinds is a list of {', '.join(IN_EVENTS)}, not {unknown[0][:40]!r}")
        self._kinds, self._key = kinds or list(IN_EVENTS), query.get("key")
        self._scope = request[SCOPE]
        self._documents = query.get("documents") == "yes"
        since = query.get("since") or request.headers.get("Last-Event-ID")
        self.cursor = Cursor.read(since) if since else self._now()
        self.problem: Optional[Problem] = None
        self.wake = asyncio.Event()
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

    async def events(self, closed: "Optional[asyncio.Future[None]]" = None) -> AsyncGenerator[Optional[Dict[str, Any]], None]:
        """Yield events, and None as a sign of life whenever there was no event for ALIVE seconds or FAR entries.

        Ends when the node stops serving or the token ends (``problem`` says so), or ``closed`` is done.
        """
        loop, wake = asyncio.get_running_loop(), self.wake
        ends = [self._backend.on_commit(wake.set), self._backend.on_role_change(wake.set)]
        if closed is not None:
            closed.add_done_callback(lambda _future: wake.set())
        said, told = loop.time(), self.cursor.seq
        try:
            while closed is None or not closed.done():
                wake.clear()
                try:
                    self._backend.check_serving(self._stale)
                    self._check_token()
                    found, more = self._next()
                except Problem as problem:
                    self.problem = problem
                    return
                for event in found:
                    yield event
                silent = not found and (loop.time() - said >= ALIVE or self.cursor.seq - told >= FAR)
                if silent:
                    yield None
                if found or silent:
                    said, told = loop.time(), self.cursor.seq
                if more:
                    await asyncio.sleep(0)
                    continue
                timer = loop.call_at(said + ALIVE, wake.set)
                try:
                    await wake.wait()
                finally:
                    timer.cancel()
        finally:
            for finish in ends:
                finish()

    def _next(self) -> Tuple[List[Dict[str, Any]], bool]:
        """Return the events of the next entry that has some, and whether there may be more.

        One entry at a time: a reader who is slow to take them keeps no other entry in memory after the log has let it go.
        """
        self._check()
        log, commit = self._backend.log()
        after = self.cursor.seq - 1 if self.cursor.seq > log.start.seq else self.cursor.seq
        entries = log.after(after, min(AT_ONCE, commit - after))
        looked = 0
        for entry in entries:
            first = self.cursor.place if entry.seq == self.cursor.seq else 0
            effects = entry.body.get("effects", ())
            found = [self._event(entry, at, effect) for at, effect in enumerate(effects) if at >= first and self._wanted(effect)]
            self.cursor = Cursor(entry.epoch, entry.seq, whole(entry))
            looked += len(effects)
            if found or looked >= LOOKS:
                return found, self.cursor.seq < commit
        return [], self.cursor.seq < commit

    def _wanted(self, effect: Dict[str, Any]) -> bool:
        kind, key = effect["kind"], effect["key"]
        if not access.sees(self._scope, kind, key):
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
