# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-polls: wait until a condition on a document holds, woken by commits, never by a timer alone."""
from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional, Tuple

from ...core.documents import Document
from ...core.patch import MISSING
from ...core.problem import Problem
from ...core.values import equal, parse
from .backend import Backend

CONDITIONS = ("exists", "absent", "changed", "equals", "differs")
DEFAULT_TIMEOUT = 30.0
MOST_TIMEOUT = 300.0


@dataclass(frozen=True)
class Condition:
    """``name`` is one of CONDITIONS; ``value`` for equals and differs, ``revision`` for changed."""

    name: str
    value: Any
    revision: str
    timeout: float

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Condition":
        """Read a condition from a query; Problem 400 says what is missing."""
        name = query["wait"]
        if name not in CONDITIONS:
            raise Problem(400, "bad_wait", f"wait is one of {', '.join(CONDITIONS)}, not {name[:40]!r}")
        value = None
        if name in ("equals", "differs"):
            if "value" not in query:
                raise Problem(400, "bad_wait", f"wait={name} needs value=<JSON>")
            value = parse(query["value"].encode("utf-8", "surrogatepass"), "value")
        if name == "changed" and not query.get("revision"):
            raise Problem(400, "bad_wait", "wait=changed needs revision=<the ETag you have, without quotes>")
        return cls(name, value, query.get("revision", "").strip('"'), _timeout(query.get("timeout")))

    def holds(self, document: Optional[Document], value: Any) -> bool:
        if self.name == "exists":
            return value is not MISSING
        if self.name == "absent":
            return value is MISSING
        if self.name == "changed":
            return (document.revision if document is not None else "") != self.revision
        if self.name == "equals":
            return value is not MISSING and equal(value, self.value)
        return value is MISSING or not equal(value, self.value)


def _timeout(text: Optional[str]) -> float:
    try:
        value = DEFAULT_TIMEOUT if text is None else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST_TIMEOUT:
        raise Problem(400, "bad_wait", f"timeout is a number of seconds from 0 to {MOST_TIMEOUT:g}")
    return value


Look = Callable[[Optional[Document]], Any]


async def wait_until(
    backend: Backend, kind: str, key: str, condition: Condition, look: Look, stale: bool
) -> Tuple[Optional[Document], Any]:
    """Return document and value once ``condition`` holds; Problem 408 has what stood there at the end of the time."""
    wake = asyncio.Event()
    ends = [backend.subscribe(kind, key, lambda _document: wake.set()), backend.on_role_change(wake.set)]
    loop = asyncio.get_running_loop()
    end = loop.time() + condition.timeout
    try:
        while True:
            wake.clear()
            if not stale:
                backend.check_serving()
            document = backend.heads().committed(kind, key)
            value = look(document)
            if condition.holds(document, value):
                return document, value
            try:
                await asyncio.wait_for(wake.wait(), max(0.0, end - loop.time()))
            except asyncio.TimeoutError:
                found = None if value is MISSING else value
                detail = f"waited {condition.timeout:g} s in vain for {kind[:-1]} {key!r}: {condition.name}"
                raise Problem(408, "wait_timeout", detail, found=found, missing=value is MISSING) from None
    finally:
        for finish in ends:
            finish()
