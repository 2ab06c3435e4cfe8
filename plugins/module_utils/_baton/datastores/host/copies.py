# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying one server's data to another, while it runs: what is the same whatever the datastore.

What a server had before is kept aside until the new data answers, and is back if anything fails. A copy that breaks off leaves nothing.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any, Iterator, List, Mapping, Sequence, cast

from . import copying
from .checks import COPY_PORT, Need
from .copying import Stands
from .files import remove
from .runner import environment, identity
from .trouble import Trouble, one_line

IS_USED_WITHIN = 3600.0  # seconds in which a copy that was sent has been made a server


class Copies:
    """``datastore``: what must be here for a copy to be of use; ``port``: above the server's, where copies come; ``proves``: what is known
    of a server that has started with one.
    """

    datastore = ""
    port: int = COPY_PORT
    proves: Mapping[str, Any] = {"whole": True}

    def __init__(self, instance: Any, need: Need) -> None:
        self._instance, self._need = instance, need
        self._sends: List["subprocess.Popen[bytes]"] = []

    # --- from here ----------------------------------------------------------------------------------------------------------

    def send(self, args: Mapping[str, Any], stands: Stands) -> None:
        """Copy this server to another, which may follow it from then on, or its source."""
        raise NotImplementedError

    def let_in(self, to: str) -> None:
        """Let who gets a copy follow this server, whoever gives the copy."""
        raise NotImplementedError

    def cut_off(self) -> None:
        """End all copies from here: they may hold locks."""
        for program in list(self._sends):
            program.kill()

    def _connect(self, args: Mapping[str, Any], stands: Stands) -> copying.Wire:
        """Return a connection to who gets the copy."""
        files = self._instance.files
        tls = copying.context(False, files.certificate, files.key)
        return copying.connect(str(args["address"]), int(args["port"]) + self.port, tls, str(args["to"]), stands)

    @contextlib.contextmanager
    def _piped(self, command: Sequence[str], cwd: Path, said: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
        """Run what copies; what it says goes into a file, what it copies into its pipe."""
        program = subprocess.Popen(command, cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        self._sends.append(program)
        try:
            yield program
        finally:
            program.kill()
            program.wait()
            cast(IO[bytes], program.stdout).close()
            self._sends.remove(program)

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
        """Unpack what comes, and make it what a server can start with; return how far it has come, "" if it says that itself."""
        raise NotImplementedError

    def _unpacked_by(self, wire: copying.Wire, command: Sequence[str]) -> None:
        """Have a program put what comes where it is made a server."""
        files = self._instance.files
        remove(files.incoming)
        files.incoming.mkdir()
        files.own(files.incoming, 0o700)
        with tempfile.TemporaryFile() as said:
            unpack = subprocess.Popen(
                command, bufsize=0, cwd=files.folder, env=environment(), stdin=subprocess.PIPE, stdout=said, stderr=said,
                **identity(files.user),
            )  # fmt: skip
            try:
                with cast(IO[bytes], unpack.stdin) as pipe:
                    copying.take(wire, pipe)
                if unpack.wait():
                    raise Trouble("the copy can't be unpacked")
            except Trouble as trouble:
                raise type(trouble)(f"{trouble}: {last_of(said)}" if unpack.poll() else str(trouble)) from None
            finally:
                unpack.kill()
                unpack.wait()

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
            instance.remember(copied=True, forget=("swapping",), **self.proves)
        except Exception:
            self.roll_back()
            instance.remember(**{**before, "whole": False})
            raise

    def _settle(self, came_to: str) -> None:
        """Start with the new data, which came so far."""
        raise NotImplementedError

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


def last_of(said: IO[bytes]) -> str:
    """Return the last error that a program has said, or else its last line."""
    said.seek(max(0, said.seek(0, os.SEEK_END) - 65536))
    lines = [line for line in said.read().decode("utf-8", "replace").splitlines() if "previous errors" not in line]
    return next((line for line in reversed(lines) if "rror" in line), lines[-1] if lines else "it says nothing")
