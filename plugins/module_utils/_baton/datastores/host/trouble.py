# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on a pool host, in one line for people: what is wrong, and what to do."""

from __future__ import annotations

MOST = 400  # characters of a line


class Trouble(Exception):
    """``str()`` is one line."""

    def __init__(self, line: str) -> None:
        super().__init__(one_line(line))


class ServerTrouble(Trouble):
    """What a server has answered, or that it has not."""

    @property
    def silent(self) -> bool:
        """Whether the server said nothing, or not yet: it may answer when it is asked again."""
        return False


def one_line(text: object) -> str:
    """Return text for a line of its own: what servers and the system say may have several."""
    line = " ".join(str(text).split())
    return line if len(line) <= MOST else line[: MOST - 1] + "…"
