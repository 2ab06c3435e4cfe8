# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the disk of a member has room left, asked beside all else: a disk that does not answer must not keep anybody from looking."""

from __future__ import annotations

import threading
import time

from ..mariadb.config import Files

SOON = 0.1  # seconds that are waited for it; else what it said before holds
LATE = 5.0  # seconds after which a disk that does not answer is said


class Room:
    def __init__(self, files: Files) -> None:
        self._files = files
        self._said, self._since = "", 0.0
        self._asked = threading.Event()  # once the last question is answered
        self._asked.set()

    def trouble(self) -> str:
        """Return that there is none, or that nobody knows; "" while there is some."""
        if self._asked.is_set():
            self._asked.clear()
            self._since = time.monotonic()
            threading.Thread(target=self._ask, daemon=True, name="room").start()
        if not self._asked.wait(SOON) and time.monotonic() - self._since > LATE:
            return f"the disk of {self._files.folder} does not answer: look at the host"
        return self._said

    def _ask(self) -> None:
        try:
            self._said = self._files.too_full()
        except OSError as error:
            self._said = f"{self._files.folder} can't be looked at: {error.strerror}"
        finally:
            self._asked.set()
