# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying a snapshot between nodes: JSON lines over HTTP; a header, then documents, then remembered replies.

Decides nothing. The source sends its committed documents as of one entry; persistent values make that free.
"""
from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple

from ..core.events import SnapshotFetched
from ..core.log import NO_EPOCH, Epoch
from ..core.node import Node
from ..core.reigns import Reigns
from .aio import aiohttp, web
from .peers import Links
from .sqlite import DocumentRow as Row

PATH = "/peer/v1/snapshot"
BATCH = 256


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


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
    for start in range(0, len(documents), BATCH):
        part = documents[start : start + BATCH]
        text = "".join(_line([d.kind, d.key, d.revision, d.size, d.value]) for d in part)
        await response.write(text.encode())
    for start in range(0, len(replies), BATCH):
        await response.write("".join(_line(row) for row in replies[start : start + BATCH]).encode())
    await response.write_eof()
    return response


def snapshot_fetched(node: str, incarnation: str, header: Dict[str, Any], documents: List[Row]) -> SnapshotFetched:
    """Return what the core is told of a snapshot; ValueError, TypeError or LookupError for what is none."""
    forced = header.get("forced", NO_EPOCH)  # a source of an older version does not say
    reigns = Reigns.of((value, revision) for kind, _key, revision, _size, value in documents if kind == "history")
    epoch = Epoch(int(forced[0]), str(forced[1]))
    return SnapshotFetched(node, incarnation, str(header["cluster_id"]), reigns, epoch)


async def fetch(links: Links, url: str, node: str) -> Tuple[Dict[str, Any], List[Row], List[Any]]:
    """Return header, documents and replies of a peer's snapshot; ValueError when it is cut short."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
    async with links.session.get(url.rstrip("/") + PATH, headers=links.headers, ssl=links.tls, timeout=timeout) as response:
        if response.status != 200:
            raise ValueError(f"{node} answered {response.status}: {(await response.text()).strip()[:200]}")
        lines = _lines(response.content)
        header = json.loads(await lines.__anext__())
        documents: List[Row] = []
        replies: List[Any] = []
        async for line in lines:
            value = json.loads(line)
            if len(documents) < header["documents"]:
                documents.append(tuple(value))
            else:
                replies.append(value)
    if len(documents) != header["documents"] or len(replies) != header["replies"]:
        raise ValueError("the snapshot was cut short")
    return header, documents, replies


async def _lines(content: Any) -> Any:
    """Yield whole lines of any length (the stream's own readline has a limit)."""
    rest = b""
    async for chunk in content.iter_any():
        pieces = (rest + chunk).split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            yield piece
    if rest:
        raise ValueError("the snapshot was cut short")
