# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How batonctl shows things: JSON for scripts, tables and sentences for people. No requests, no decisions about exit statuses."""
from __future__ import annotations

import json
import re
import time
import unicodedata
from typing import Any, Iterable, Mapping, Optional, Sequence, TextIO

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
_COLOURS = {"Up": GREEN, "In-Sync": GREEN, "Syncing": YELLOW, "Connecting": YELLOW, "Refused": RED, "Unreachable": RED}
_ESCAPE = re.compile("\x1b\\[[0-9;]*m")
MOST_CELL = 60


class Painted(str):
    """Text of ours that holds colours; all other text is stripped of what could drive a terminal."""


class Output:
    """Writes results to ``stdout`` and everything else to ``stderr``. ``json``: results are JSON, and nothing else is."""

    def __init__(self, stdout: TextIO, stderr: TextIO, as_json: bool, environ: Mapping[str, str], prog: str) -> None:
        self.as_json = as_json
        self._out = stdout
        self._err = stderr
        self._prog = prog
        self._colour = stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self._screen = stdout.isatty() and environ.get("TERM") != "dumb"
        self.talks = stderr.isatty()

    def error(self, message: str) -> None:
        self._err.write(f"{self._prog}: {clean(message)}\n")

    def notice(self, message: str) -> None:
        """Tell a person who waits why it takes long."""
        self._err.write(f"{self._prog}: {clean(message)}\n")
        self._err.flush()

    def json(self, value: Any) -> None:
        self._out.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def done(self, value: Any, sentence: str) -> None:
        """Show the outcome of a change: ``value`` for scripts, a sentence for people."""
        if self.as_json:
            self.json(value)
        else:
            self.line(sentence)

    def script(self, text: str) -> None:
        """Write text of ours as it is."""
        self._out.write(text)

    def line(self, text: str = "") -> None:
        self._out.write(clean(text) + "\n")

    def redraw(self) -> None:
        """Begin a screen anew; no-op where the output is no screen."""
        if self._screen:
            self._out.write("\x1b[H\x1b[2J")

    def value(self, value: Any) -> None:
        """Show a JSON value: a string without quotes to people, everything else as JSON."""
        if self.as_json or not isinstance(value, str):
            self.json(value)
        else:
            self._out.write(value + "\n")

    def paint(self, text: str, *codes: str) -> str:
        text = clean(text)
        return Painted(f"\x1b[{';'.join(codes)}m{text}\x1b[0m") if self._colour and text else text

    def state(self, text: str) -> str:
        return self.paint(text, _COLOURS[text]) if text in _COLOURS else clean(text)

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[Any]], nothing: str) -> None:
        """Write a table; ``nothing`` is the sentence for an empty one."""
        cells = [[cell(value) for value in row] for row in rows]
        if not cells:
            self.line(nothing)
            return
        lines = [[self.paint(header, BOLD) for header in headers], *cells]
        widths = [max(width(line[column]) for line in lines) for column in range(len(headers))]
        for line in lines:
            padded = [text + " " * (size - width(text)) for text, size in zip(line, widths)]
            self._out.write("  ".join(padded).rstrip() + "\n")

    def members(self, value: Mapping[str, Any]) -> None:
        """Write an object as name and value, one a line."""
        rows = [(name, cell(member)) for name, member in value.items()]
        size = max((width(name) for name, _text in rows), default=0)
        for name, text in rows:
            self._out.write(f"{self.paint(clean(name), BOLD)}{' ' * (size - width(name))}  {text}".rstrip() + "\n")


def cell(value: Any) -> str:
    """Return a value as a table shows it, on one line."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Painted):
        return value
    if isinstance(value, str):
        return clean(value)
    text = json.dumps(value, ensure_ascii=False)
    return clean(text if len(text) <= MOST_CELL else text[: MOST_CELL - 1] + "…")


def clean(text: str) -> str:
    """Return text on one line, without what could drive a terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    plain = _ESCAPE.sub("", text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in plain)


def when(unix: Optional[float]) -> str:
    """Return a time in UTC, or "never"."""
    return "never" if unix is None else time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(unix))


def size(count: Optional[int]) -> str:
    """Return a size in bytes as people read it."""
    if count is None:
        return "-"
    amount, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount, units = amount / 1024, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "B" else f"{amount:.1f} {units[0]}"
