# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the cluster: uploads are streamed and verified, downloads are resumed and verified. Never whole in memory."""
from __future__ import annotations

import hashlib
import os
import time
from typing import Any, BinaryIO, Dict, List, Optional
from urllib.parse import quote

from .error import ClientError
from .failures import explain
from .transport import REQUESTS_ERROR, Answer, Call, Transport

if REQUESTS_ERROR is None:
    import requests

CHUNK = 1 << 18
PAUSE = 0.2  # seconds before an interrupted download goes on
SLOWEST = 1 << 20  # bytes a second that an upload gets time for


class Files:
    """Files below /api/v3/files; ``path`` is the name there, with slashes, without a leading one."""

    def __init__(self, transport: Transport, timeout: float) -> None:
        self._transport = transport
        self._timeout = timeout

    def _send(self, method: str, path: str, **call: Any) -> Answer:
        call.setdefault("total", self._timeout)
        return self._transport.send(Call(method, path, **call))

    def list(self, prefix: str = "") -> List[Dict[str, Any]]:
        """Return Path, Sha256, Size of all files whose path begins with ``prefix``."""
        return [*self._send("GET", "/files", query={"prefix": prefix} if prefix else {}).body]

    def info(self, path: str) -> Optional[Dict[str, Any]]:
        """Return Path, Sha256, Size, or None when there is no such file."""
        try:
            answer = self._send("HEAD", _file(path))
        except ClientError as error:
            if error.kind == "not_found":
                return None
            raise
        length = str(answer.raw.headers.get("Content-Length", ""))
        return {"Path": path, "Sha256": answer.revision or "", "Size": int(length) if length.isdigit() else None}

    def upload(self, source: str, path: str) -> Dict[str, Any]:
        """Store the local file ``source`` as ``path``; return Path, Sha256, Size, Changed (false: it stood there already)."""
        try:
            sha256, size = digest(source)
        except OSError as error:
            raise ClientError("usage", f"can't read {source}: {(error.strerror or '').lower()}") from None
        # Asking first finds the active node, so that the content is sent once, and saves an upload that changes nothing.
        known = self.info(path)
        stored: Dict[str, Any] = {"Path": path, "Sha256": sha256, "Size": size, "Changed": True}
        if known is not None and known["Sha256"] == sha256:
            return {**stored, "Changed": False}
        opened: List[BinaryIO] = []

        def body() -> Any:
            _close(opened)
            if size == 0:
                return b""
            opened.append(open(source, "rb"))  # noqa: SIM115
            return opened[-1]

        headers = {"Content-Type": "application/octet-stream", "X-Baton-Sha256": sha256}
        total = self._timeout + size / SLOWEST
        try:
            self._send("PUT", _file(path), headers=headers, open_body=body, total=total, attempt=total)
        except OSError as error:
            raise ClientError("usage", f"can't read {source}: {(error.strerror or '').lower()}") from None
        finally:
            _close(opened)
        return stored

    def download(self, path: str, target: str) -> Dict[str, Any]:
        """Fetch a file into ``target``, which appears whole and verified or not at all; return Path, Sha256, Size.

        What an interrupted download left beside ``target`` (…part) is continued. ``timeout`` counts from the last byte.
        """
        known = self.info(path)
        if known is None:
            raise ClientError("not_found", f"there is no file {path!r}", 404)
        sha256 = str(known["Sha256"])
        folder, name = os.path.split(os.path.abspath(target))
        part = os.path.join(folder, f".{name}.{sha256[:16]}.part")
        try:
            self._fill(path, sha256, known["Size"], part)
            found, size = digest(part)
            if found != sha256:
                os.unlink(part)
                raise ClientError("server", f"what came for {path!r} is damaged (its SHA-256 differs); try again", retriable=True)
            os.replace(part, target)
        except OSError as error:
            raise ClientError("usage", f"can't write {target}: {(error.strerror or '').lower()}") from None
        return {"Path": path, "Sha256": sha256, "Size": size}

    def _fill(self, path: str, sha256: str, size: Optional[int], part: str) -> None:
        last_byte = time.monotonic()
        while True:
            have = os.path.getsize(part) if os.path.exists(part) else 0
            headers = {"Range": f"bytes={have}-", "If-Range": f'"{sha256}"'} if have else {}
            try:
                answer = self._send("GET", _file(path), headers=headers, stream=True)
            except ClientError as error:
                if error.status == 416:  # nothing is left to fetch
                    return
                raise
            if answer.revision != sha256:
                answer.raw.close()
                raise ClientError("conflict", f"the file {path!r} was replaced while it was fetched; try again")
            try:
                with open(part, "ab" if answer.status == 206 else "wb") as file:
                    for chunk in answer.raw.iter_content(CHUNK):
                        file.write(chunk)
                        last_byte = time.monotonic()
                if size is None or os.path.getsize(part) >= size:
                    return
                reason = "the answer was cut off"
            except requests.RequestException as error:
                reason = explain(error)
            finally:
                answer.raw.close()
            if time.monotonic() - last_byte > self._timeout:
                raise ClientError("unavailable", f"{answer.url}: {reason}", retriable=True)
            time.sleep(PAUSE)

    def delete(self, path: str) -> None:
        self._send("DELETE", _file(path))


def digest(path: str) -> "tuple[str, int]":
    """Return SHA-256 (hex) and size of a local file."""
    sha, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            sha.update(chunk)
            size += len(chunk)
    return sha.hexdigest(), size


def _file(path: str) -> str:
    path = path.lstrip("/")
    if any(part in ("", ".", "..") for part in path.split("/")) or not path.isprintable():
        raise ClientError("usage", f"{path!r} is not the path of a file")
    return f"/files/{quote(path, safe='/')}"


def _close(opened: List[BinaryIO]) -> None:
    while opened:
        opened.pop().close()
