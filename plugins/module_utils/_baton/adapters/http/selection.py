# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents of a kind that a query selects; for those who wait for a number of them, kept up to date change by change.

All who wait for the same selection share one, so that a change costs the same however many documents and waiters there are.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from ...core.document import Document
from ...core.values import equal
from .backend import Backend

Filters = Tuple[Tuple[str, str], ...]  # member of the document, and the text that it must be


class Selection:
    """A subject of waits. It follows the changes while somebody watches it."""

    def __init__(self, backend: Backend, kind: str, filters: Filters) -> None:
        self._backend, self._kind, self._filters = backend, kind, filters
        self._values: Dict[str, Any] = {}
        self._changes = 0
        self._answer: Optional[Tuple[int, List[Any]]] = None  # made once for all who wait
        self._watchers: Set[Callable[[], None]] = set()
        self._end: Optional[Callable[[], None]] = None

    def look(self) -> Tuple[Optional[Document], Any, Any]:
        return None, self._values, self._changes

    def answer(self) -> Tuple[Optional[Document], List[Any]]:
        if self._answer is None or self._answer[0] != self._changes:
            self._answer = (self._changes, [self._values[key] for key in sorted(self._values)])
        return None, self._answer[1]

    def watch(self, tell: Callable[[], None]) -> Callable[[], None]:
        if self._end is None:
            self._read()
            self._end = self._backend.subscribe(self._kind, "", self._saw)
        self._watchers.add(tell)
        return lambda: self._leave(tell)

    def _leave(self, tell: Callable[[], None]) -> None:
        self._watchers.discard(tell)
        if not self._watchers and self._end is not None:
            self._end()
            self._end = None

    def _read(self) -> None:
        self._answer = None
        found = self._backend.heads().list(self._kind)
        self._values = {document.key: document.value for document in found if selected(document.value, self._filters)}

    @property
    def idle(self) -> bool:
        return not self._watchers

    def _saw(self, key: str, document: Optional[Document]) -> None:
        if not key:
            self._read()
        elif not self._moved(key, document):
            return
        self._changes += 1
        for tell in tuple(self._watchers):
            tell()

    def _moved(self, key: str, document: Optional[Document]) -> bool:
        """Take a change; return whether it changed what is selected."""
        chosen = document is not None and selected(document.value, self._filters)
        if not chosen and key not in self._values:
            return False
        if document is None or not chosen:
            del self._values[key]
        elif key in self._values and equal(self._values[key], document.value):
            return False
        else:
            self._values[key] = document.value
        return True


def selected(value: Dict[str, Any], filters: Filters) -> bool:
    """Return whether each of ``filters`` is true of a document."""
    return all(_same(value.get(member), text) for member, text in filters)


def _same(value: Any, text: str) -> bool:
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    return value == text or (isinstance(value, (int, float)) and str(value) == text)
