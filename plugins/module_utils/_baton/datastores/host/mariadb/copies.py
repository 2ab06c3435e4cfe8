# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying one server's data to another, while it runs: mariadb-backup, unpacked where it arrives.

What a server had before is kept aside until the new data answers, and is back if anything fails.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, Iterator, List, Mapping, Sequence, cast

from .. import copying
from ..checks import COPY_PORT, Need
from ..copying import Stands
from ..files import remove
from ..runner import environment, identity, run
from ..trouble import Trouble, one_line
from .instance import ACKNOWLEDGES, CATCHES_UP, Instance, executable, ourselves
from .prepare import DATASTORE
from .source import make_user

IS_USED_WITHIN = 3600.0  # seconds in which a copy that was sent has been made a server
INFO = ("mariadb_backup_binlog_info", "xtrabackup_binlog_info")


class Copies:
    """``port``: above the server's, where copies come; ``options``: of mariadb-backup."""

    datastore: str = DATASTORE
    port: int = COPY_PORT
    options: Sequence[str] = ()

    def __init__(self, instance: Instance, need: Need) -> None:
        self._instance, self._need = instance, need
        self._sends: List["subprocess.Popen[bytes]"] = []

    # --- from here ----------------------------------------------------------------------------------------------------------

    def send(self, args: Mapping[str, Any], stands: Stands) -> None:
        """Copy this server to another, which may follow it from then on."""
        instance, to = self._instance, str(args["to"])
        self._let_in(to)
        tls = copying.context(False, instance.files.certificate, instance.files.key)
        port = int(args["port"]) + self.port
        wire = copying.connect(str(args["address"]), port, tls, to, stands)
        with wire, tempfile.TemporaryFile() as said, self._backup(said) as backup:
            copying.give(wire, cast(IO[bytes], backup.stdout), stands)
            if backup.wait():
                raise Trouble(f"mariadb-backup failed: {_last_of(said)}")
            copying.finish(wire, IS_USED_WITHIN)

    def _let_in(self, to: str) -> None:
        """Let who gets the copy follow this server."""
        instance = self._instance
        with instance.session(30.0) as session:
            session.ask("SET SESSION lock_wait_timeout=25")
            for role, locked in ((CATCHES_UP, False), (ACKNOWLEDGES, True)):
                make_user(session, role + to, instance.password, locked)

    def cut_off(self) -> None:
        """End all copies from here: they hold locks."""
        for backup in list(self._sends):
            backup.kill()

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
        backup = subprocess.Popen(command, cwd=work, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        self._sends.append(backup)
        try:
            yield backup
        finally:
            backup.kill()
            backup.wait()
            cast(IO[bytes], backup.stdout).close()
            self._sends.remove(backup)
            remove(work)

    # --- to here ------------------------------------------------------------------------------------------------------------

    def receive(self, args: Mapping[str, Any], stands: Stands) -> None:
        """Take a copy, and be it: what was here before goes once that answers. Trouble: all is as it was."""
        instance, files = self._instance, self._instance.files
        if not files.is_ours():
            raise Trouble(f"{instance.id} was not prepared on this host")
        remove(files.aside)
        if instance.memory.get("copied"):
            self._again()
            return
        self._need(self.datastore, str(args["version"]))
        tls = copying.context(True, files.certificate, files.key)
        with copying.listen(str(args["address"]), int(args["port"]) + self.port) as listener:
            wire = copying.accept(listener, tls, instance.id, stands)
        with wire:
            try:
                position = self._unpack(wire)
                if not stands():
                    raise Trouble("it is taken back")
                self._become({**instance.spec, **args}, position)
            except Exception as error:
                remove(files.incoming)
                with contextlib.suppress(Trouble):
                    wire.put_line({"problem": one_line(error)})
                raise
            with contextlib.suppress(Trouble):
                wire.put_line({"problem": ""})
        remove(files.aside)

    def _unpack(self, wire: copying.Wire) -> str:
        """Unpack what comes, and make it what a server can start with; return how far it has come."""
        files = self._instance.files
        remove(files.incoming)
        files.incoming.mkdir()
        files.own(files.incoming, 0o700)
        with tempfile.TemporaryFile() as said:
            unpack = subprocess.Popen(
                [executable("mbstream"), "-x", "-C", str(files.incoming)], bufsize=0,
                cwd=files.folder, env=environment(), stdin=subprocess.PIPE, stdout=said, stderr=said, **identity(files.user),
            )  # fmt: skip
            try:
                with cast(IO[bytes], unpack.stdin) as pipe:
                    copying.take(wire, pipe)
                if unpack.wait():
                    raise Trouble("the copy can't be unpacked")
            except Trouble as trouble:
                raise Trouble(f"{trouble}: {_last_of(said)}" if unpack.poll() else str(trouble)) from None
            finally:
                unpack.kill()
                unpack.wait()
        run([executable("mariadb-backup"), "--prepare", f"--target-dir={files.incoming}"], files.user, files.folder, IS_USED_WITHIN)
        return self._position(files.incoming)

    def _position(self, folder: Path) -> str:
        return copied_position(folder)

    def _become(self, spec: Mapping[str, Any], position: str) -> None:
        """Be a server with the new data."""
        instance, files = self._instance, self._instance.files
        before = dict(instance.memory)
        instance.stop()
        instance.remember(swapping=True)
        try:
            if files.data.exists():
                files.data.replace(files.aside)
            files.incoming.replace(files.data)
            instance.remember_spec(spec, follow=None)
            files.write(spec)
            self._settle(position)
            instance.remember(whole=True, copied=True, forget=("swapping",))
        except Exception:
            self.roll_back()
            instance.remember(**{**before, "whole": False})
            raise

    def _settle(self, came_to: str) -> None:
        """Start with the new data, which came so far."""
        self._instance.start()
        with self._instance.session(10.0) as session:
            session.ask("SET GLOBAL gtid_slave_pos=%s", came_to)

    def _again(self) -> None:
        """The copy was here already."""
        self._instance.start()

    def roll_back(self) -> None:
        """Have back what was here before a copy that has never answered: it failed, or the guest died meanwhile."""
        instance, files = self._instance, self._instance.files
        if not instance.memory.get("swapping"):
            return
        if instance.pid() is not None:
            instance.kill()
        if files.aside.exists():
            remove(files.data)
            files.aside.replace(files.data)
        instance.remember(forget=("swapping",))


def _last_of(said: IO[bytes]) -> str:
    """Return the last error that a program has said, or else its last line."""
    said.seek(max(0, said.seek(0, os.SEEK_END) - 65536))
    lines = said.read().decode("utf-8", "replace").splitlines()
    return next((line for line in reversed(lines) if "rror" in line), lines[-1] if lines else "it says nothing")


def copied_position(folder: Path) -> str:
    """Return how far a server had come of which a copy is: "" if it had written nothing."""
    for name in INFO:
        path = folder / name
        if path.exists():
            words = path.read_text(encoding="utf-8").strip().split("\t")
            return words[2].replace("\n", "") if len(words) > 2 else ""
    raise Trouble("the copy does not say how far it has come: it comes from a server that writes no binary log")
