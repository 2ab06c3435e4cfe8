# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying one server's data to another, while it runs: in the server's own format, taken as a replica takes it.

The copy says where its history stands, so that who starts with it goes on from there.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any, List, Mapping

from .. import copies, copying
from ..checks import Need
from ..copies import IS_USED_WITHIN
from ..copying import Stands
from ..files import remove
from ..trouble import Trouble
from .instance import BESIDE, Instance
from .prepare import COPIES_ABOVE
from .protocol import Session

SILENT_FOR = 60.0  # seconds; a server that makes a copy says something each second
WRITTEN_WITHIN = 3600.0  # seconds in which a server has written its data anew
LOOK = 0.05


class Copies(copies.Copies):
    port = COPIES_ABOVE

    def __init__(self, instance: Instance, datastore: str, need: Need) -> None:
        super().__init__(instance, need)
        self.datastore = datastore
        self._taking: List[Session] = []

    # --- from here ----------------------------------------------------------------------------------------------------------

    def send(self, args: Mapping[str, Any], stands: Stands) -> None:
        """Copy this server to another."""
        wire = self._connect(args, stands)
        with wire, self._instance.session(BESIDE) as session:
            self._taking.append(session)
            try:
                for piece in session.copy(SILENT_FOR):
                    wire.put(copying.LENGTH.pack(len(piece)) + piece)
            finally:
                self._taking.remove(session)
            copying.finish(wire, IS_USED_WITHIN)

    def cut_off(self) -> None:
        """End all copies from here."""
        for session in list(self._taking):
            session.close()

    # --- to here ------------------------------------------------------------------------------------------------------------

    def _unpack(self, wire: copying.Wire) -> str:
        """Keep what comes where a server looks for it; it says itself how far it has come."""
        files = self._instance.files
        remove(files.incoming)
        files.incoming.mkdir()
        path = files.incoming / "dump.rdb"
        with open(path, "wb") as file:
            copying.take(wire, file)
        files.own(path, 0o600)
        files.own(files.incoming, 0o700)
        return ""

    def _settle(self, _came_to: str) -> None:
        """Start with the new data, and write all of it to where a server finds it that starts again."""
        instance, files = self._instance, self._instance.files
        instance.remember(own=None, forget=("freed",))
        files.is_copy = True
        try:
            instance.start()
        finally:
            files.is_copy = False
        files.write_settings(instance.spec)
        with instance.session(BESIDE) as session:
            session.ask("CONFIG", "SET", "appendonly", "yes")
            end = time.monotonic() + WRITTEN_WITHIN
            while not _is_written(session.info("persistence")):
                if time.monotonic() > end:
                    raise Trouble(f"{instance.id} has not written its data in {WRITTEN_WITHIN:g} s: look at its disk")
                time.sleep(LOOK)
        with contextlib.suppress(OSError):
            (files.data / "dump.rdb").unlink()


def _is_written(info: Mapping[str, str]) -> bool:
    """Return whether a server keeps all of its data, as it does from its start; Trouble where it can't."""
    if info.get("aof_last_bgrewrite_status") != "ok" or info.get("aof_last_write_status") != "ok":
        raise Trouble("the data can't be written: look at the server's log, and make room")
    return info.get("aof_rewrite_in_progress") == info.get("aof_rewrite_scheduled") == "0" and info.get("aof_enabled") == "1"
