# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease under which a run holds what it takes, and its keeper: a process that keeps it alive until the run ends.

For tasks on the controller. Every method raises ClientError and nothing else.
"""
from __future__ import annotations

import hashlib
import json
import os
import select
import subprocess
import sys
import time
from typing import Any, Callable, Dict, Optional, Tuple

from ..client.api import Client
from ..client.contender import Run, started_at
from ..client.error import ClientError, one_line
from ..client.locks import Locks
from .notes import notes_of
from .process_lock import exclusive, private_directory, try_exclusive

TTL = 20.0  # seconds that it lasts without its keeper; four signs of life
PATIENCE = 30.0  # seconds for a keeper to say that it is ready
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keep_run.py")


class RunLease:
    """The lease of one run in one cluster.

    ``keeper``: starts the keeper by its order and returns what that says, where a program on the controller would not reach the cluster.
    """

    def __init__(self, client: Client, run: Run, keeper: Optional[Callable[[Dict[str, Any]], str]] = None) -> None:
        self._client, self._run, self._keeper = client, run, keeper

    def ensure(self) -> Tuple[str, float]:
        """Make the lease, or keep it alive, and see to it that it has a keeper; return its id and TTL in seconds."""
        run = self._run
        if run.started is None or started_at(run.pid) != run.started:
            raise ClientError("usage", f"{run.label} has ended: nothing is taken for it any more")
        folder, lease = private_directory(), self._grant()
        connection = self._client.connection
        who = hashlib.sha256("\n".join([*sorted(connection.urls), connection.token, lease]).encode()).hexdigest()[:16]
        path = os.path.join(folder, f"{lease}-{who}")
        with exclusive(f"{path}.mutex"):
            alive = try_exclusive(f"{path}.keeper")
            if alive is not None:  # nobody has it, so there is no keeper
                os.close(alive)
                self._start(lease, path)
        return lease, TTL

    def _grant(self) -> str:
        lease = f"run-{self._run.id}"
        try:
            Locks(self._client).grant(lease, TTL, self._run.label)
        except ClientError as error:
            if error.code != "exists":
                raise
            # Made with a token of another scope, which a play may have for other tasks: this one has a lease of its own.
            lease += "-" + hashlib.sha256(f"{lease}\n{self._client.connection.token}".encode()).hexdigest()[:8]
            Locks(self._client).grant(lease, TTL, self._run.label)
        return lease

    def _start(self, lease: str, path: str) -> None:
        connection = self._client.connection
        order = {
            "urls": connection.urls, "token": connection.token, "ca": connection.ca, "lease": lease, "pid": self._run.pid,
            "started": self._run.started, "lock": f"{path}.keeper", "mutex": f"{path}.mutex",
            "notes": notes_of(self._run), "path": [entry for entry in sys.path if os.path.isabs(entry)],
        }  # fmt: skip
        said = self._run_program(lease, order) if self._keeper is None else self._keeper(order)
        if said != "ready":
            Locks(self._client).drop_unused(lease)
            raise _not_started(said)

    @staticmethod
    def _run_program(lease: str, order: Dict[str, Any]) -> str:
        """Start the keeper as a program; return what it says."""
        # The keeper outlives this task: it gets nothing of ours, so that whoever reads our output sees its end.
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_"))}
        try:
            process = subprocess.Popen(
                [sys.executable, PROGRAM, lease], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                cwd="/", env=environ, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return (error.strerror or "").lower()
        said = _said(process, json.dumps(order).encode() + b"\n")
        if said != "ready":
            process.kill()
            process.wait()
        return said


def _said(process: subprocess.Popen[bytes], order: bytes) -> str:
    """Give the keeper its order; return the line that it answers."""
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        return "it can't be spoken to"
    end, said = time.monotonic() + PATIENCE, b""
    with stdin, stdout:
        try:
            stdin.write(order)
            stdin.close()
        except OSError:
            return "it ended at once"
        while not said.endswith(b"\n"):
            if not select.select([stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                return f"it was not ready within {PATIENCE:g} s"
            more = os.read(stdout.fileno(), 4096)
            if not more:
                break
            said += more
    return one_line(said.decode(errors="replace"))[:300] or "it ended at once"


def _not_started(why: str) -> ClientError:
    return ClientError("usage", f"the process that keeps what this run holds could not be started: {why}; give ttl to do without it")
