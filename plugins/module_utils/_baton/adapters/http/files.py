# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/files: contents of any size, streamed to disk and replicated before their name is."""
from __future__ import annotations

import base64
import errno
import re
from typing import Any, Optional, Tuple

from ...core.model import access
from ...core.model.documents import Change
from ...ground.form import is_sha256
from ...ground.problem import Problem
from ..aio import SCOPE, web
from ..disk.files import CHUNK, BlobInfo, BlobStore
from . import messages, parameters
from .backend import Backend
from .leases import submit
from .operations import BYTES, CHANGING, HEAD, READING, Answer, Body, list_of, operation, ref

PATH = parameters.FILE_PATH
CONTENT = {"type": "string", "format": "binary"}
STORED = Answer("Stored", ref("File"), ("ETag!", "Idempotency-Replayed"))
FULL = (errno.ENOSPC, errno.EDQUOT)
_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,|$)", re.ASCII)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z", re.ASCII)


class Files:
    """Handlers of /files and of the peers' way to contents."""

    def __init__(self, backend: Backend, blobs: BlobStore) -> None:
        self._backend = backend
        self._blobs = blobs

    @operation(
        "GET", "/files", "listFiles", "List files", also=HEAD, takes=(parameters.STALE, parameters.PREFIX), refusals=READING,
        answers={200: Answer("Files, by path", list_of("File"))},
    )  # fmt: skip
    async def list(self, request: Any) -> Any:
        self._check_serving(request)
        prefix = request.query.get("prefix", "")
        seen = (item for item in self._backend.heads().list("files") if access.sees(request[SCOPE], "files", item.key))
        return await messages.answer_list(request, [document for document in seen if document.key.startswith(prefix)])

    def _check_serving(self, request: Any) -> None:
        if not messages.is_stale(request):
            self._backend.check_serving()

    @operation(
        "GET", "/files/{path...}", "getFile", "Read a content, or a range of it; its SHA-256 is its ETag", also=HEAD,
        takes=(PATH, parameters.STALE, parameters.RANGE, parameters.IF_RANGE, parameters.IF_NONE_MATCH),
        answers={
            200: Answer("The content", CONTENT, ("ETag!", "Accept-Ranges!"), BYTES),
            206: Answer("A part of the content", CONTENT, ("ETag!", "Accept-Ranges!", "Content-Range!"), BYTES),
            304: Answer("It has the ETag of If-None-Match still", headers=("ETag!",)),
        },
        refusals=(*READING, 404, 416),
    )  # fmt: skip
    async def read(self, request: Any, path: str) -> Any:
        self._check_serving(request)
        _check_path(path)
        document = self._backend.heads().committed("files", path)
        if document is None:
            raise Problem(404, "not_found", f"there is no file {path!r}")
        return await self.send(request, document.value["Sha256"])

    @operation(
        "DELETE", "/files/{path...}", "deleteFile", "Delete a file", takes=(PATH, parameters.IF_MATCH, *parameters.ORDERED),
        answers={204: Answer("Done", headers=("Idempotency-Replayed",))}, refusals=(*CHANGING, 404),
    )  # fmt: skip
    async def delete(self, request: Any, path: str) -> Any:
        _check_path(path)
        change = Change("files", path, "delete", if_match=messages.if_match(request))
        outcome = await submit(self._backend, request, change)
        return await messages.changed(request, None, None, 204, outcome.replayed)

    @operation(
        "PUT", "/files/{path...}", "putFile", "Store a content; it is on every in-sync node before its name is",
        takes=(PATH, parameters.IF_MATCH, parameters.ONLY_NEW, *parameters.ORDERED, parameters.SHA256, parameters.CONTENT_DIGEST),
        body=Body(CONTENT, medias=(BYTES,)), answers={200: STORED, 201: STORED}, refusals=CHANGING,
    )  # fmt: skip
    async def put(self, request: Any, path: str) -> Any:
        _check_path(path)
        self._backend.check_serving()
        expected = _expected(request)
        fence, deadline = messages.fence(request), messages.deadline(request)
        new = messages.only_new(request)
        text = messages.idempotency_key(request)
        blob = await self._receive(request, expected)
        # The body was streamed, so its hash stands for it.
        key = None if text is None else messages.identified(request, text, blob.sha256.encode(), blob.sha256[:32])
        outcome = await self._backend.store_file(path, blob, key, deadline, fence, messages.if_match(request), new)
        headers = {"ETag": f'"{blob.sha256}"'}
        if outcome.replayed:
            headers["Idempotency-Replayed"] = "true"
        answer = {"Path": path, "Sha256": blob.sha256, "Size": blob.size}
        return messages.respond(answer, 201 if outcome.said or new else 200, headers)

    async def _receive(self, request: Any, expected: Optional[str]) -> BlobInfo:
        """Write the body into the blob store; Problem 422 when it is not the content that was announced, 507 on a full disk."""
        try:
            return await self._blobs.receive(request.content, request.content_length or 0, expected)
        except ValueError as error:
            raise Problem(422, "digest_differs", f"{error}; nothing was stored") from None
        except OSError as error:
            if error.errno not in FULL:
                raise
            detail = "there is no room for it on this node's disk; nothing was stored"
            raise Problem(507, "disk_full", detail, outcome="not_applied") from None

    async def send(self, request: Any, sha256: str) -> Any:
        """Stream a content, or the part that Range asks for."""
        try:
            source = await self._blobs.run(self._blobs.open, sha256)
        except FileNotFoundError:
            raise Problem(404, "no_content", f"this node does not have the content {sha256[:12]} (yet)") from None
        with source:
            size = source.seek(0, 2)
            headers = {"ETag": f'"{sha256}"', "Accept-Ranges": "bytes"}
            if request.headers.get("If-None-Match") == headers["ETag"]:
                return web.Response(status=304, headers=headers)
            part = _range(request, size, headers["ETag"])
            first, count = part or (0, size)
            if part is not None:
                headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{size}"
            response = web.StreamResponse(status=206 if part else 200, headers=headers)
            response.content_type = "application/octet-stream"
            response.content_length = count
            await response.prepare(request)
            source.seek(first)
            while count > 0 and request.method != "HEAD":
                data = await self._blobs.run(source.read, min(CHUNK, count))
                if not data:
                    break
                count -= len(data)
                await response.write(data)
            await response.write_eof()
            return response

    async def blob(self, request: Any, sha256: str) -> Any:
        """Serve a content to another node by its name."""
        if not is_sha256(sha256):
            raise Problem(400, "bad_name", "a content is named by its SHA-256 in hexadecimal")
        return await self.send(request, sha256)


def _check_path(path: str) -> None:
    if any(part in ("", ".", "..") for part in path.split("/")) or len(path.encode("utf-8", "surrogateescape")) > 1024:
        raise Problem(400, "bad_path", "a file's path has no empty, '.' or '..' parts and at most 1024 bytes")


def _expected(request: Any) -> Optional[str]:
    """Return the SHA-256 that the client announced, in hexadecimal."""
    text, given = request.headers.get("X-Baton-Sha256"), request.headers.get("Content-Digest")
    if text is not None:
        text = text.strip().lower()
        if not is_sha256(text):
            raise Problem(400, "bad_digest", "X-Baton-Sha256 has 64 hexadecimal digits")
        return str(text)
    if given is None:
        return None
    digest = _DIGEST.search(given)
    if digest is None:  # of another kind, or none: it is not left out in silence that we can't verify it
        raise Problem(400, "bad_digest", "Content-Digest is sha-256=:<base64 of 32 bytes>:")
    return base64.b64decode(digest.group(1)).hex()


def _range(request: Any, size: int, etag: str) -> Optional[Tuple[int, int]]:
    """Return (first, count) of a single range, None for the whole; Problem 416 when it is outside."""
    text = request.headers.get("Range")
    if text is None or request.headers.get("If-Range", etag) != etag:
        return None
    found = _RANGE.match(text.strip())
    if found is None or found.group(1) == found.group(2) == "":
        return None  # RFC 9110: a range that is not understood is ignored
    start, end = found.groups()
    if start == "":
        count = min(int(end), size)
        first = size - count
    else:
        first = int(start)
        count = (min(int(end), size - 1) if end else size - 1) - first + 1
    if first >= size or count <= 0:
        raise Problem(416, "bad_range", f"the content has {size} bytes")
    return first, count
