# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""File contents on disk, named by their SHA-256. Written beside, fsynced, then renamed: a blob that has its name is whole."""
from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import Any, BinaryIO, Iterable, List, NamedTuple, Optional

_SHA256 = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


class BlobInfo(NamedTuple):
    sha256: str
    size: int


def is_sha256(text: str) -> bool:
    return bool(_SHA256.match(text))


class Incoming:
    """A content on its way in; ``finish`` gives it its name, ``abort`` leaves nothing behind."""

    def __init__(self, store: "BlobStore") -> None:
        self._store = store
        self._path = store.incoming / secrets.token_hex(8)
        self._file: Any = open(self._path, "xb")  # noqa: SIM115  closed by finish or abort
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def finish(self, expected: Optional[str] = None) -> BlobInfo:
        """Make the content durable under its name; ValueError when it is not the ``expected`` one."""
        digest = self._hash.hexdigest()
        if expected is not None and digest != expected:
            self.abort()
            raise ValueError(f"the content has SHA-256 {digest}, not {expected}")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        target = self._store.path(digest)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(self._path, target)
        for folder in (target.parent, self._store.root):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        return BlobInfo(digest, self.size)

    def abort(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class BlobStore:
    """``root``/ab/abcdef… for contents; what was left half written by a crash is removed at the start."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self.incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        for stale in self.incoming.iterdir():
            stale.unlink()

    def path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def begin(self) -> Incoming:
        return Incoming(self)

    def open(self, sha256: str) -> BinaryIO:
        """Open a content for reading; FileNotFoundError when it is not here."""
        return open(self.path(sha256), "rb")

    def names(self) -> List[str]:
        return [path.name for folder in self.root.iterdir() if len(folder.name) == 2 for path in folder.iterdir()]

    def collect(self, referenced: Iterable[str]) -> int:
        """Remove contents that nothing refers to; return how many."""
        keep = set(referenced)
        unused = [name for name in self.names() if name not in keep]
        for name in unused:
            self.path(name).unlink(missing_ok=True)
        return len(unused)
