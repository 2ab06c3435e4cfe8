# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying one server's data to another, while it runs: pg_basebackup, unpacked where it arrives.

The source sends, since the receiver is not told where its source is. The copy has all of the log that it needs, so that it starts without
its source; a slot, made first, keeps that and what comes after it. What a server had before is kept aside until the new data answers,
and is back if anything fails.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from typing import IO, Any, Iterator, List, Mapping, cast

from .. import copying
from ..checks import COPY_PORT, Need
from ..copying import Stands
from ..files import remove
from ..runner import environment, identity, reason
from ..trouble import Trouble, one_line
from . import sql
from .instance import Instance, executable
from .prepare import DATASTORE
from .replica import keep_slot

IS_USED_WITHIN = 3600.0  # seconds in which a copy that was sent has been made a server
LEFT_OUT = ("postgresql.conf", "pg_hba.conf", "pg_ident.conf", "postmaster.opts")  # ours lie beside the data


class Copies:
    def __init__(self, instance: Instance, need: Need) -> None:
        self._instance, self._need = instance, need
        self._sends: List["subprocess.Popen[bytes]"] = []

    # --- from here ----------------------------------------------------------------------------------------------------------

    def send(self, args: Mapping[str, Any], stands: Stands) -> None:
        """Copy this server to another, which may follow it from then on."""
        instance, to = self._instance, str(args["to"])
        with instance.session(30.0, replication=True) as session:
            keep_slot(session, to)
        tls = copying.context(False, instance.files.certificate, instance.files.key)
        wire = copying.connect(str(args["address"]), int(args["port"]) + COPY_PORT, tls, to, stands)
        with wire, tempfile.TemporaryFile() as said, self._backup(said) as backup:
            copying.give(wire, cast(IO[bytes], backup.stdout), stands)
            if backup.wait():
                raise Trouble(f"pg_basebackup failed: {_said(said)}")
            copying.finish(wire, IS_USED_WITHIN)

    def cut_off(self) -> None:
        """End all copies from here."""
        for backup in list(self._sends):
            backup.kill()

    @contextlib.contextmanager
    def _backup(self, said: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
        """Run pg_basebackup; what it says goes into a file, what it copies into its pipe."""
        files, spec = self._instance.files, self._instance.spec
        command = [
            executable("pg_basebackup", str(spec["version"])), "--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast",
            "--no-manifest", f"--host={files.run}", f"--port={int(spec['port'])}", f"--username={sql.ADMIN}", "--no-password",
        ]  # fmt: skip
        backup = subprocess.Popen(command, cwd="/", env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        self._sends.append(backup)
        try:
            yield backup
        finally:
            backup.kill()
            backup.wait()
            cast(IO[bytes], backup.stdout).close()
            self._sends.remove(backup)

    # --- to here ------------------------------------------------------------------------------------------------------------

    def receive(self, args: Mapping[str, Any], stands: Stands) -> None:
        """Take a copy, and be it: what was here before goes once that answers. Trouble: all is as it was."""
        instance, files = self._instance, self._instance.files
        if not files.is_ours():
            raise Trouble(f"{instance.id} was not prepared on this host")
        remove(files.aside)
        if instance.memory.get("copied"):
            instance.start()
            return
        self._need(DATASTORE, str(args["version"]))
        tls = copying.context(True, files.certificate, files.key)
        with copying.listen(str(args["address"]), int(args["port"]) + COPY_PORT) as listener:
            wire = copying.accept(listener, tls, instance.id, stands)
        with wire:
            try:
                self._unpack(wire)
                if not stands():
                    raise Trouble("it is taken back")
                self._become({**instance.spec, **args})
            except Exception as error:
                remove(files.incoming)
                with contextlib.suppress(Trouble):
                    wire.put_line({"problem": one_line(error)})
                raise
            with contextlib.suppress(Trouble):
                wire.put_line({"problem": ""})
        remove(files.aside)

    def _unpack(self, wire: copying.Wire) -> None:
        """Unpack what comes."""
        files = self._instance.files
        remove(files.incoming)
        files.incoming.mkdir()
        files.own(files.incoming, 0o700)
        with tempfile.TemporaryFile() as said:
            unpack = subprocess.Popen(
                ["tar", "--extract", "--file=-", "--no-same-owner", f"--directory={files.incoming}"], bufsize=0,
                cwd=files.folder, env=environment(), stdin=subprocess.PIPE, stdout=said, stderr=said, **identity(files.user),
            )  # fmt: skip
            try:
                with cast(IO[bytes], unpack.stdin) as pipe:
                    copying.take(wire, pipe)
                if unpack.wait():
                    raise Trouble("the copy can't be unpacked")
            except Trouble as trouble:
                raise Trouble(f"{trouble}: {_said(said)}" if unpack.poll() else str(trouble)) from None
            finally:
                unpack.kill()
                unpack.wait()
        if not (files.incoming / "backup_label").exists():
            raise Trouble("the copy is none: it does not say where it begins")
        for name in LEFT_OUT:
            remove(files.incoming / name)

    def _become(self, spec: Mapping[str, Any]) -> None:
        """Start with the new data."""
        instance, files = self._instance, self._instance.files
        before = dict(instance.memory)
        instance.stop()
        instance.remember(swapping=True)
        try:
            if files.data.exists():
                files.data.replace(files.aside)
            files.incoming.replace(files.data)
            instance.remember_spec(spec, follow=None)
            instance.remember(forget=("reign", "spoilt", "adopting"))
            files.write(spec)
            instance.start()
            instance.remember(copied=True, forget=("swapping",))
        except Exception:
            self.roll_back()
            instance.remember(**{**before, "whole": False})
            raise

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


def _said(file: IO[bytes]) -> str:
    file.seek(max(0, file.seek(0, os.SEEK_END) - 65536))
    return reason(file.read().decode("utf-8", "replace"))
