# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said while somebody waits: one line every twenty seconds, however often the server is asked meanwhile."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional

from .patience import Patience

MB = 10**6
EVERY = 20.0  # seconds
SLACK = 1.0  # a poll that ends so early counts as the one at the full time


class Progress:
    """The lines of one wait; ``say`` shows them (None: nobody listens)."""

    def __init__(self, say: Optional[Callable[[str], None]], patience: Patience) -> None:
        self._say, self._patience, self._next = say, patience, EVERY

    def tell(self, what: str) -> None:
        """Say what is waited for, if it is time to, and it is waited for still."""
        waited = self._patience.waited
        if self._say is None or waited < self._next - SLACK or waited >= self._patience.seconds:
            return
        self._next = ((waited + SLACK) // EVERY + 1) * EVERY
        self._say(f"{what}; waited {self._patience.so_far}")


def copied(task: Mapping[str, Any]) -> str:
    """Say how far the copies of a task of databases are, with a comma before it; "" where none is under way."""
    return "".join(f", {each['bytes'] / MB:.0f} of {each['of'] / MB:.0f} MB copied" for each in task.get("copies") or ())
