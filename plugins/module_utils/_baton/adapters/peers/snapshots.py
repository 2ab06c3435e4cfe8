# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying a snapshot between nodes: JSON lines over HTTP; a header, then documents, then remembered replies.

Decides nothing. The source sends its committed documents as of one entry; persistent values make that free.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any, Awaitable, Callable, Iterator, List, Sequence, Tuple

from ...core.model.document import Document
from ...core.model.reigns import Reigns
from ...core.model.stored import DocumentRow, Header, read_document, read_reply
from ...core.node import Node
from ...ground.form import read_json
from ...ground.values import MOST_BYTES, PIECE, dumps, pieces
from .. import turns
from ..aio import aiohttp, web
from ..disk.sqlite import Snapshot
from .links import Links

PATH = "/peer/v1/snapshot"
BATCH = 256  # replies
AT_ONCE = 1 << 20  # bytes of documents that are read before they are written
MOST_LINE = 13 * MOST_BYTES  # the largest document there can be, with every character escaped as two halves
InThread = Callable[..., Awaitable[Any]]  # a function and its arguments


def _line(value: Any) -> str:
    return dumps(value) + "\n"


async def serve(request: Any, links: Links, node: Node) -> Any:
    """Stream our committed documents to a peer."""
    if not links.allowed(request):
        return web.Response(status=403, text="wrong HA token or certificate\n")
    if node.leading is None or not node.leading.started:
        return web.Response(status=409, text="not active, or not yet\n")
    state = node.state
    applied = state.applied
    documents = state.heads.all()
    replies = state.replies.rows(applied.seq)
    header = {
        "cluster_id": state.cluster_id,
        "promised": list(state.promised),
        "position": [list(applied.epoch), applied.seq],
        "at": state.last_at,
        "forced": list(node.record.forced_epoch),
        "documents": len(documents),
        "replies": len(replies),
    }
    response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
    await response.prepare(request)
    await response.write(_line(header).encode())
    async for text in turns.each(_rows(documents)):
        if text:
            await response.write(text.encode())
    for start in range(0, len(replies), BATCH):
        await response.write("".join(_line(row) for row in replies[start : start + BATCH]).encode())
    await response.write_eof()
    return response


def _rows(documents: Sequence[Document]) -> Iterator[str]:
    """Yield the lines of documents in pieces."""
    gathered: List[str] = []
    size = 0
    for document in documents:
        row = [document.kind, document.key, document.revision, document.size]
        size += document.size + 100
        if document.size > PIECE:
            yield "".join(gathered)
            yield from pieces([*row, document.value])
            yield "\n"
            gathered, size = [], 0
            continue
        gathered.append(f"{dumps(row)[:-1]},{document.text}]\n")
        if size > PIECE:
            yield "".join(gathered)
            gathered, size = [], 0
    yield "".join(gathered)


async def copy(links: Links, url: str, node: str, make: Callable[[], Path], in_thread: InThread) -> Tuple[Header, Reigns]:
    """Fill the empty incarnation that ``make`` makes with a peer's snapshot; return its header, and the reigns that it tells of.

    ValueError when it is cut short, or is none. ``in_thread``: runs what writes to the disk, and waits for it.
    """
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
    async with links.session.get(url.rstrip("/") + PATH, headers=links.headers, ssl=links.tls, timeout=timeout) as response:
        if response.status != 200:
            raise ValueError(f"{node} answered {response.status}: {ascii((await response.text()).strip()[:200])}")
        lines = _lines(response.content)
        header = Header.read(_value(await _next(lines)))
        snapshot: Snapshot = await in_thread(lambda: Snapshot(make()))
        try:
            history = await _copy_documents(lines, header.documents, snapshot, in_thread)
            replies = [read_reply(_value(await _next(lines))) for _number in range(header.replies)]
            async for _line_too_many in lines:
                raise ValueError("the snapshot has more lines than it says")
            await in_thread(snapshot.finish, header, replies)
        finally:
            await in_thread(snapshot.close)
    return header, Reigns.of((value, revision) for _kind, _key, revision, _size, value in history)


async def _copy_documents(lines: Any, count: int, snapshot: Snapshot, in_thread: InThread) -> List[DocumentRow]:
    """Copy documents, some at a time: all of them would take a node as much memory as it has for them. Return the reigns among them."""
    history: List[DocumentRow] = []
    rows: List[DocumentRow] = []
    size = 0
    for _number in range(count):
        line = await _next(lines)
        row = read_document(_value(line))
        history += [row] if row[0] == "history" else []
        rows.append(row)
        size += len(line)
        if size > AT_ONCE:
            await in_thread(snapshot.add, rows)
            rows, size = [], 0
    await in_thread(snapshot.add, rows)
    return history


async def _next(lines: Any) -> bytes:
    try:
        line: bytes = await lines.__anext__()
    except StopAsyncIteration:
        raise ValueError("the snapshot was cut short") from None
    return line


def _value(line: bytes) -> Any:
    return read_json(line.decode("utf-8"))


async def _lines(content: Any) -> Any:
    """Yield whole lines of any length (the stream's own readline has a limit)."""
    rest: List[bytes] = []
    size = 0
    async for chunk in content.iter_any():
        *whole, last = chunk.split(b"\n")
        for piece in whole:
            yield b"".join([*rest, piece])
            rest.clear()
            size = 0
        rest.append(last)
        size += len(last)
        if size > MOST_LINE:
            raise ValueError(f"the snapshot has a line of more than {MOST_LINE >> 20} MiB")
    if any(rest):
        raise ValueError("the snapshot was cut short")
