# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is copied from another node: a snapshot of all documents, and contents of files; and which contents are of no use any more."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Callable, Set

from ..adapters.aio import aiohttp
from ..adapters.disk.files import BlobStore
from ..adapters.peers.links import Links
from ..adapters.peers.snapshots import copy
from ..adapters.resolver import reason
from ..core import commands as cmd
from ..core import events as ev
from ..core.node import Node
from .disk import Disk

LOG = logging.getLogger("baton")
AGAIN = 1.0  # seconds after a content that nobody had


class Copying:
    """Carries out what the core wants to have from others. ``replaced``: called when a snapshot stands in the place of all."""

    def __init__(
        self, node: Node, disk: Disk, blobs: BlobStore, links: Links, threads: ThreadPoolExecutor,
        tell: Callable[[ev.Event], None], replaced: Callable[[], None],
    ) -> None:  # fmt: skip
        self._node, self._disk, self._blobs, self._links = node, disk, blobs, links
        self._threads, self._tell, self._replaced = threads, tell, replaced
        self._loop = asyncio.get_running_loop()
        self._under_way: Set[str] = set()

    def _url_of(self, node: str) -> str:
        return self._links.url_of(node) or self._node.standing.members().get(node, "")

    # --- snapshots --------------------------------------------------------------------------------------------------------

    def fetch_snapshot(self, command: cmd.FetchSnapshot) -> None:
        if "snapshot" not in self._under_way:
            self._under_way.add("snapshot")
            self._loop.create_task(self._copy_snapshot(command.node))

    async def _copy_snapshot(self, node: str) -> None:
        incarnation, directory = secrets.token_hex(8), self._disk.directory
        run = partial(self._loop.run_in_executor, self._threads)
        try:
            header, reigns = await copy(self._links, self._url_of(node), node, partial(directory.create, incarnation), run)
            LOG.info("the snapshot of %s is here: %d documents at entry %d", node, header.documents, header.position.seq)
            self._tell(ev.SnapshotFetched(node, incarnation, header.cluster_id, reigns, header.forced))
        except (OSError, ValueError, LookupError, TypeError, sqlite3.Error, aiohttp.ClientError, asyncio.TimeoutError) as error:
            LOG.warning("no snapshot from %s: %s", node, reason(error))
            await self._loop.run_in_executor(self._threads, directory.tidy)
            self._under_way.discard("snapshot")

    def drop_snapshot(self, command: cmd.DropSnapshot) -> None:
        LOG.warning("the snapshot is not used: %s", command.reason)
        removing = self._loop.run_in_executor(self._threads, self._disk.directory.tidy)
        removing.add_done_callback(lambda _done: self._under_way.discard("snapshot"))

    def install_snapshot(self, command: cmd.InstallSnapshot) -> None:
        """Put a whole snapshot in place of our data. What the core stores from now on is dropped."""
        use = self._disk.give_way()

        async def install() -> None:
            saved, loaded = await use(command.incarnation, self._node.config.limits)
            self._under_way.discard("snapshot")
            self._tell(ev.SnapshotInstalled(saved, loaded))
            self._replaced()

        self._loop.create_task(install())

    # --- contents of files ------------------------------------------------------------------------------------------------

    def fetch_blob(self, command: cmd.FetchBlob) -> None:
        if self._blobs.has(command.sha256):
            self._loop.call_soon(self._tell, ev.BlobStored(command.sha256))
        elif command.sha256 not in self._under_way:
            self._under_way.add(command.sha256)
            self._loop.create_task(self._copy_blob(command.sha256, command.node))

    async def _copy_blob(self, sha256: str, node: str) -> None:
        try:
            while not self._blobs.has(sha256):
                source = self._url_of(self._node.following.active or node)
                try:
                    await self._links.fetch_blob(source, sha256, self._blobs)
                except (OSError, ValueError, aiohttp.ClientError, asyncio.TimeoutError) as error:
                    LOG.warning("can't copy file content %s yet: %s", sha256[:12], reason(error))
                    self._tell(ev.BlobUnavailable(sha256))
                    await asyncio.sleep(AGAIN)
                    if sha256 not in self._node.following.awaited():
                        return
        finally:
            self._under_way.discard(sha256)
        self._tell(ev.BlobStored(sha256))

    async def collect(self) -> None:
        """Remove file contents that are of no use any more, on each node by itself.

        A content stays as long as
        - a file names it, or an entry that the log still has: whoever follows from there needs it;
        - it is on its way: being received or copied, offered to us, or stored here while the passives are copying it;
        - it came, or a copy of it was asked for, less than ten minutes ago, or this process is younger than that.
        Nothing is removed while this node is neither the serving active nor in sync: its documents may not be the cluster's.
        """
        while True:
            await asyncio.sleep(self._blobs.keep / 2)
            now, named = time.monotonic(), self._node.contents()
            if named is None:
                continue
            try:
                removed = await self._loop.run_in_executor(self._threads, self._blobs.collect, named | self._under_way, now)
                if removed:
                    LOG.info("removed %d file contents that nothing names any more", len(removed))
            except OSError as error:
                LOG.warning("can't remove unused file contents: %s", error)
