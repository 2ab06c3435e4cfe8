# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying one server's data to another, while it runs: pg_basebackup, unpacked where it arrives.

The source sends, since the receiver is not told where its source is. The copy has all of the log that it needs, so that it starts without
its source; a slot, made first, keeps that and what comes after it.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any, Iterator, Mapping, cast

from .. import copies, copying
from ..checks import Need
from ..copies import IS_USED_WITHIN, last_of
from ..copying import Stands
from ..files import remove
from ..trouble import Trouble
from . import sql
from .instance import Instance, executable
from .prepare import DATASTORE
from .replica import keep_slot

LEFT_OUT = ("postgresql.conf", "pg_hba.conf", "pg_ident.conf", "postmaster.opts")  # ours lie beside the data


class Copies(copies.Copies):
    datastore = DATASTORE
    proves: Mapping[str, Any] = {}  # a server says itself when it has read all that lies there

    def __init__(self, instance: Instance, need: Need) -> None:
        super().__init__(instance, need)

    # --- from here ----------------------------------------------------------------------------------------------------------

    def send(self, args: Mapping[str, Any], stands: Stands) -> None:
        """Copy this server to another, which may follow it from then on."""
        self.let_in(str(args["to"]))
        wire = self._connect(args, stands)
        with wire, tempfile.TemporaryFile() as said, self._backup(said) as backup:
            copying.give(wire, cast(IO[bytes], backup.stdout), stands)
            if backup.wait():
                raise Trouble(f"pg_basebackup failed: {last_of(said)}")
            copying.finish(wire, IS_USED_WITHIN)

    def let_in(self, to: str) -> None:
        """Keep from here on what a replica needs that gets a copy now."""
        with self._instance.session(30.0, replication=True) as session:
            keep_slot(session, to)

    @contextlib.contextmanager
    def _backup(self, said: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
        """Run pg_basebackup; what it says goes into a file, what it copies into its pipe."""
        files, spec = self._instance.files, self._instance.spec
        command = [
            executable("pg_basebackup", str(spec["version"])), "--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast",
            "--no-manifest", f"--host={files.run}", f"--port={int(spec['port'])}", f"--username={sql.ADMIN}", "--no-password",
        ]  # fmt: skip
        with self._piped(command, Path("/"), said) as backup:
            yield backup

    # --- to here ------------------------------------------------------------------------------------------------------------

    def _unpack(self, wire: copying.Wire) -> str:
        """Unpack what comes; the server says itself how far it has come."""
        incoming = self._instance.files.incoming
        self._unpacked_by(wire, ["tar", "--extract", "--file=-", "--no-same-owner", f"--directory={incoming}"])
        if not (incoming / "backup_label").exists():
            raise Trouble("the copy is none: it does not say where it begins")
        for name in LEFT_OUT:
            remove(incoming / name)
        return ""

    def _settle(self, _came_to: str) -> None:
        self._instance.remember(forget=("reign", "spoilt", "adopting"))
        self._instance.start()
