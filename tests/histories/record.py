# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients noted of a history, and what a judge says of it. Pure.

Every moment is in seconds on one clock, that of the machine on which all clients run.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

MOST_SHOWN = 240  # characters of an answer in a line


@dataclass
class Operation:
    """One thing that a client asked, from the first time that it was sent to the answer.

    ``what``: acquire, swap, … ``on``: the object, such as locks/door. ``ask``: what was asked, for the judges. ``request``: what
    was sent. ``outcome``: "ok" (2xx), "refused" (4xx), "not_applied", or "unknown": it may take effect at any time after ``call``.
    ``sent``: when the attempt that was answered was sent. ``doubtful``: an attempt before that one may have taken effect.
    ``tries``: the attempts before, for people. ``repeats``: the operation whose request was sent again, word for word.
    """

    client: str
    what: str
    on: str
    ask: Dict[str, Any]
    call: float
    request: Tuple[Any, ...] = ()
    back: float = math.inf
    sent: float = 0.0
    outcome: str = "unknown"
    status: int = 0
    answer: Any = None
    doubtful: bool = False
    node: str = ""
    etag: str = ""
    tries: List[str] = field(default_factory=list)
    repeats: "Optional[Operation]" = None

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"

    @property
    def code(self) -> str:
        """Return what a refusal calls itself, such as ``locked``."""
        kind = (
            self.answer.get("type", "")
            if self.status >= 400 and isinstance(self.answer, dict)
            else ""
        )
        return str(kind).rpartition(":")[2]

    def may_have_acted(self) -> bool:
        """Return whether it may have changed something, now or later."""
        return self.outcome in ("ok", "unknown") or self.doubtful

    def line(self) -> str:
        """Return the operation for people."""
        back = f"{self.back:8.3f}" if self.back < math.inf else "   never"
        sent = (
            f", the last time at {self.sent:.3f} after [{'; '.join(self.tries[:6])}]"
            if self.tries
            else ""
        )
        again = (
            f" (again what was asked at {self.repeats.call:.3f})"
            if self.repeats is not None
            else ""
        )
        said = "" if self.answer is None else json.dumps(self.answer)[:MOST_SHOWN]
        told = f"{self.outcome} {self.status or ''} {said}".strip()
        where = f" [{self.node}]" if self.node else ""
        return f"{self.call:8.3f} {back}  {self.client:12} {self.what} {json.dumps(self.ask)}{again}{sent} -> {told}{where}"


@dataclass
class Violation:
    """A promise that was broken: to whom it was made, what happened, and which operations tell so."""

    model: str
    promise: str
    on: str
    what: str
    told_by: List[Operation] = field(default_factory=list)


@dataclass
class Fault:
    """Something done to a node, from ``begin`` to ``end``."""

    begin: float
    end: float
    kind: str
    node: str


class History:
    """All operations of all clients, in the order in which they were first sent; and what was there in the end."""

    def __init__(self) -> None:
        self.operations: List[Operation] = []
        self.faults: List[Fault] = []
        self.events: Dict[str, List[Dict[str, Any]]] = {}  # what each reader of events saw
        self.final: Dict[str, Any] = {}
        self.found: List[Violation] = []  # what clients noticed themselves
        self.strict = False

    def add(self, operation: Operation) -> Operation:
        self.operations.append(operation)
        return operation

    def of(self, *what: str, on: Optional[str] = None) -> List[Operation]:
        """Return operations by what they are and on what, without repeated requests: those tell of the past."""
        return [
            one
            for one in self.operations
            if one.what in what and on in (None, one.on) and one.repeats is None
        ]

    def objects(self, *what: str) -> List[str]:
        """Return on what such operations were."""
        return sorted({one.on for one in self.operations if one.what in what})

    def about(self, on: str) -> List[str]:
        """Return the lines of all operations on an object, in order, with the faults between them."""
        lines, seen = [], None
        for one in self.operations:
            if one.what == "look" and one.on == on and one.answer == seen:
                continue  # it shows what the look before has shown
            if one.on == on or on in one.ask.get("about", ()):
                lines.append((one.call, one.line()))
                seen = one.answer if one.what == "look" else seen
        lines += [
            (one.begin, f"{one.begin:8.3f} {one.end:8.3f}  -- {one.kind}: {one.node}")
            for one in self.faults
        ]
        return [text for _moment, text in sorted(lines)]
