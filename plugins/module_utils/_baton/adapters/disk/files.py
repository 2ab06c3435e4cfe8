# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""File contents on disk, named by their SHA-256. Written beside, fsynced, then renamed: a blob that has its name is whole."""
from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import AbstractSet, Any, BinaryIO, Callable, Dict, List, NamedTuple, Optional, Set, TypeVar

from ...ground.form import is_sha256
from .durable import make_directory, sync_directory
from .reserve import DiskReserve

CHUNK = 256 << 10
THREADS = 4  # that wait for the disk
Found = TypeVar("Found")


class BlobInfo(NamedTuple):
    sha256: str
    size: int


class Incoming:
    """A content on its way in; ``finish`` gives it its name, ``abort`` leaves nothing behind. One thread at a time."""

    def __init__(self, store: "BlobStore", size: int = 0) -> None:
        store.check_room(size)
        self._store = store
        self._lock = threading.Lock()
        self._path = store.incoming / secrets.token_hex(8)
        self._file: Any = open(self._path, "xb")  # noqa: SIM115  closed by finish or abort
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Take the next part; DiskFull, OSError."""
        with self._lock:
            self._store.check_room(len(data))
            self._file.write(data)
            self._hash.update(data)
            self.size += len(data)

    def finish(self, expected: Optional[str] = None) -> BlobInfo:
        """Make the content durable under its name; ValueError when it is not the ``expected`` one.

        Nothing is left of it after any error.
        """
        try:
            with self._lock:
                digest = self._hash.hexdigest()
                if expected is not None and digest != expected:
                    raise ValueError(f"the content has SHA-256 {digest}, not {expected}")
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                self._store.place(self._path, digest)
        except BaseException:
            self.abort()
            raise
        return BlobInfo(digest, self.size)

    def abort(self) -> None:
        """Leave nothing behind, not even on a full disk, where closing fails, too."""
        with self._lock:
            with suppress(OSError):
                self._path.unlink()
            with suppress(OSError):
                self._file.close()


class BlobStore:
    """``root``/ab/abcdef… for contents; what was left half written by a crash is removed at the start.

    ``keep``: seconds that a content stays after it came or was asked for, whether or not something names it by then.
    ``reserve``: keeps room on the disk for what is no content. ``run`` does in a thread what waits for the disk.
    """

    def __init__(self, root: Path, keep: float = 600.0, reserve: Optional[DiskReserve] = None) -> None:
        self.root = root
        self.keep = keep
        self._reserve = reserve
        self._threads = ThreadPoolExecutor(THREADS, "baton-contents")
        self._opened = time.monotonic()  # what was there before may have come at the last moment
        self._used: Dict[str, float] = {}
        self._hidden: Set[str] = set()  # on their way in or out: a power cut might still take their name away
        self._lock = threading.Lock()  # of the two above; never held while the disk is waited for
        self._moving = threading.Lock()  # between a content that comes again, and its removal
        self.incoming = root / "incoming"
        make_directory(self.incoming)
        for stale in self.incoming.iterdir():
            stale.unlink()
        for folder in (*self._folders(), root, root.parent):
            sync_directory(folder)  # a process that was killed may have given a name and no more

    def path(self, sha256: str) -> Path:
        """Return where a content stands, or would; ValueError for what is no SHA-256, wherever it came from."""
        if not is_sha256(sha256):
            raise ValueError(f"{ascii(sha256[:80])} does not name a content")
        return self.root / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether a content is here; if so, it stays for ``keep`` seconds at least."""
        with self._lock:
            found = is_sha256(sha256) and sha256 not in self._hidden and self.path(sha256).is_file()
            if found:
                self._used[sha256] = time.monotonic()
        return found

    def place(self, path: Path, sha256: str) -> None:
        """Give a whole content its name. Others find it (``has``) once the name is durable."""
        target = self.path(sha256)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with self._moving:
            with self._lock:
                self._used[sha256] = time.monotonic()
                if not target.is_file():
                    self._hidden.add(sha256)
            os.replace(path, target)
        for folder in (target.parent, self.root):
            sync_directory(folder)
        with self._lock:
            self._hidden.discard(sha256)

    def begin(self, size: int = 0) -> Incoming:
        """Begin to take a content, of ``size`` bytes if that is known; DiskFull, OSError."""
        return Incoming(self, size)

    def check_room(self, size: int) -> None:
        """Raise DiskFull where a content must not take ``size`` bytes more."""
        if self._reserve is not None:
            self._reserve.take(size)

    async def run(self, work: Callable[..., Found], *arguments: Any) -> Found:
        """Do in a thread what waits for the disk."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def receive(self, stream: Any, size: int = 0, expected: Optional[str] = None) -> BlobInfo:
        """Store what an aiohttp stream brings. ValueError: it is not the ``expected`` content; DiskFull, OSError: no room."""
        incoming = await self.run(self.begin, size)
        try:
            async for data in stream.iter_chunked(CHUNK):
                await self.run(incoming.write, data)
            return await self.run(incoming.finish, expected)
        except BaseException:
            await asyncio.shield(self.run(incoming.abort))
            raise

    def open(self, sha256: str) -> BinaryIO:
        """Open a content for reading; FileNotFoundError when it is not here."""
        return open(self.path(sha256), "rb")

    def names(self) -> List[str]:
        return [path.name for folder in self._folders() for path in folder.iterdir()]

    def _folders(self) -> List[Path]:
        return [folder for folder in self.root.iterdir() if len(folder.name) == 2]

    def collect(self, named: AbstractSet[str], as_of: float) -> List[str]:
        """Remove the contents that were not ``named`` at ``as_of`` (time.monotonic) and not used lately; return which."""
        before = as_of - self.keep
        removed = [name for name in self.names() if name not in named and self._remove(name, before)]
        with self._lock:
            self._used = {name: at for name, at in self._used.items() if at > before}
        return removed

    def _remove(self, name: str, before: float) -> bool:
        """Remove a content unless it was used since ``before``. Out of sight first: freeing a large file takes its time."""
        gone = self.incoming / secrets.token_hex(8)
        with self._moving:
            with self._lock:
                if self._used.get(name, self._opened) > before:
                    return False
                self._hidden.add(name)
            try:
                os.replace(self.path(name), gone)
            finally:
                with self._lock:
                    self._hidden.discard(name)
        gone.unlink()
        return True
