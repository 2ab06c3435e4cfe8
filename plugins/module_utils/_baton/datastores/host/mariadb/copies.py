# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying one server's data to another, while it runs: mariadb-backup, unpacked where it arrives."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, Iterator, Mapping, Sequence, cast

from ...model import positions
from .. import copies, copying
from ..checks import Need
from ..copies import IS_USED_WITHIN, last_of
from ..copying import Stands
from ..files import remove
from ..runner import run
from ..sends import SENDS, limit_of, size_of
from ..trouble import Broken, Trouble
from .instance import ACKNOWLEDGES, CATCHES_UP, Instance, executable, ourselves
from .prepare import DATASTORE
from .source import make_user

NOT_COPIED = ("bin.", "relay.", "ib_logfile", "ibtmp", "galera.cache", "gcache")  # of its files
INFO = ("mariadb_backup_binlog_info", "xtrabackup_binlog_info")


class Copies(copies.Copies):
    """``options``: of mariadb-backup."""

    datastore = DATASTORE
    options: Sequence[str] = ()

    def __init__(self, instance: Instance, need: Need) -> None:
        super().__init__(instance, need)

    # --- from here ----------------------------------------------------------------------------------------------------------

    def send(self, args: Mapping[str, Any], stands: Stands) -> None:
        """Copy this server to another, which may follow it from then on, or its source."""
        instance, to = self._instance, str(args["to"])
        if instance.follow is None:
            self.let_in(to)
        wire = self._connect(args, stands)
        under_way = SENDS.begin(instance.id, to, limit_of(args), size_of(instance.files.data, *NOT_COPIED))
        with wire, under_way as sending, tempfile.TemporaryFile() as said, self._backup(said) as backup:
            copying.give(wire, cast(IO[bytes], backup.stdout), stands, sending)
            if backup.wait():
                raise Broken(f"mariadb-backup failed: {last_of(said)}")
            copying.finish(wire, IS_USED_WITHIN)

    def let_in(self, to: str) -> None:
        """Let who gets a copy follow this server. All others of the set learn of it as of any write."""
        instance = self._instance
        with instance.session(30.0) as session:
            session.ask("SET SESSION lock_wait_timeout=25")
            for role, locked in ((CATCHES_UP, False), (ACKNOWLEDGES, True)):
                make_user(session, role + to, instance.password, locked)

    @contextlib.contextmanager
    def _backup(self, said: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
        """Run mariadb-backup; what it says goes into a file, what it copies into its pipe."""
        files = self._instance.files
        work = files.run / f"backup-{threading.get_ident()}"
        remove(work)
        work.mkdir(mode=0o700)
        command = [
            executable("mariadb-backup"), f"--defaults-file={files.settings}", "--backup", "--stream=mbstream",
            f"--user={ourselves()}", f"--socket={files.socket}", f"--target-dir={work}", *self.options,
        ]  # fmt: skip
        try:
            with self._piped(command, work, said) as backup:
                yield backup
        finally:
            remove(work)

    # --- to here ------------------------------------------------------------------------------------------------------------

    def _unpack(self, wire: copying.Wire) -> str:
        files = self._instance.files
        self._unpacked_by(wire, [executable("mbstream"), "-x", "-C", str(files.incoming)])
        run([executable("mariadb-backup"), "--prepare", f"--target-dir={files.incoming}"], files.user, files.folder, IS_USED_WITHIN)
        return self._position(files.incoming)

    def _position(self, folder: Path) -> str:
        return copied_position(folder)

    def _settle(self, came_to: str) -> None:
        self._instance.start()
        with self._instance.session(10.0) as session:
            ours = session.text("@@global.gtid_slave_pos")  # of a replica's data, as it stands in them
            session.ask("SET GLOBAL gtid_slave_pos=%s", positions.joined(came_to, ours))


def copied_position(folder: Path) -> str:
    """Return how far a server had come of which a copy is: "" if it had written nothing."""
    for name in INFO:
        path = folder / name
        if path.exists():
            words = path.read_text(encoding="utf-8").strip().split("\t")
            return words[2].replace("\n", "") if len(words) > 2 else ""
    raise Trouble("the copy does not say how far it has come: it comes from a server that writes no binary log")
