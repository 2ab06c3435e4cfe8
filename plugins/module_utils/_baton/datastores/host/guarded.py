# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's side of its guard: it is there, and knows until when which server may take writes. Synchronous, for one thread."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Callable, Optional

from .trouble import Trouble

ANSWER = 0.5  # seconds
BEGIN = 3.0  # seconds until a new guard listens


class Guarded:
    """``path``: of the guard's socket; ``start``: begins a guard that listens there, and that outlives us."""

    def __init__(self, path: Path, start: Callable[[], None]) -> None:
        self._path, self._start = path, start
        self._socket: Optional[socket.socket] = None

    def tell(self, pid: int, until: Optional[float]) -> None:
        """Have the guard know, or Trouble: then nothing may be opened on its account."""
        line = json.dumps({"pid": pid, "until": until}).encode() + b"\n"
        for _attempt in range(2):
            try:
                answer = json.loads(self._ask(line))
            except (OSError, ValueError):
                self._lose()
                continue
            if not answer.get("ok"):
                raise Trouble(f"the guard does not take it: {answer.get('problem')}")
            return
        raise Trouble("the guard does not answer: end it, and a new one is started")

    def _ask(self, line: bytes) -> bytes:
        if self._socket is None:
            self._socket = self._connect()
        self._socket.sendall(line)
        answer = b""
        while not answer.endswith(b"\n"):
            part = self._socket.recv(4096)
            if not part:
                raise OSError("it is gone")
            answer += part
        return answer

    def _connect(self) -> socket.socket:
        deadline, started = time.monotonic() + BEGIN, False
        while True:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            made.settimeout(ANSWER)
            try:
                made.connect(str(self._path))
                return made
            except (FileNotFoundError, ConnectionRefusedError):
                made.close()
                if time.monotonic() >= deadline:
                    raise
            if not started:
                self._start()
                started = True
            time.sleep(0.02)

    def _lose(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
