# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents of a kind that a query selects; for those who wait for a number of them, kept up to date change by change.

Which of them a list then has, and in what order, is decided in ``documents``.

All who wait for the same selection share one, so that a change costs the same however many documents and waiters there are.
"""
from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from ...core.model.document import Document
from ...ground.values import dumps, equal
from .. import turns
from .backend import Backend

Filters = Tuple[Tuple[str, str], ...]  # member of the document, and the text that it must be
LOOKS = 4_000  # at members of documents, in one turn
SCANNED = 4 << 20  # characters of them that are looked through in one turn
FEW = 4  # filters that are looked for in a text
PARSED = 128 << 10  # bytes of them that are parsed in one turn
PLACES = 8  # of a member's name in a document that are looked at
NO_JSON = ("nan", "inf", "-inf")  # numbers whose JSON, if they had one, would not be as Python shows them


class Look:
    """Finds the documents of which each of ``filters`` is true, parsing those alone whose text may say so.

    That text is always made by ``values.dumps``: what a member is stands in it, if at all, as it would be written here.
    """

    def __init__(self, filters: Filters) -> None:
        self.ended = False
        self._filters = filters
        self._texts = [(dumps(member) + ":", (dumps(text), text)) for member, text in filters if text not in NO_JSON][:FEW]

    def some(self, documents: Iterator[Document]) -> List[Document]:
        """Return those among the next documents, some at a time; ``ended`` as soon as there are no more."""
        found: List[Document] = []
        looks = scanned = parsed = 0
        while looks < LOOKS and scanned < SCANNED and parsed < PARSED:
            document = next(documents, None)
            if document is None:
                self.ended = True
                break
            looks += 2 + len(self._filters)
            scanned += len(document.known_text or "") * len(self._texts)
            if self.may_hold(document):
                parsed += document.cost if document.is_packed and self._filters else 0
                found += [document] if self.holds(document) else []
        return found

    def may_hold(self, document: Document) -> bool:
        """Return whether a document need be parsed to know: False is sure."""
        text = document.known_text
        return text is None or all(_may_have(text, name, values) for name, values in self._texts)

    def holds(self, document: Document) -> bool:
        """Return whether each of the filters is true of a document."""
        if not self._filters:
            return True
        value = document.peek()
        return all(_same(value.get(member), text) for member, text in self._filters)


def _may_have(text: str, name: str, values: Tuple[str, str]) -> bool:
    """Return whether one of ``values`` follows ``name`` in a JSON text, at any depth; True, too, where that takes long to find out."""
    at = text.find(name)
    for _number in range(PLACES):
        if at < 0:
            return False
        if text.startswith(values, at + len(name)):
            return True
        at = text.find(name, at + 1)  # a name may begin as the one before ends
    return True


def _same(value: Any, text: str) -> bool:
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    return value == text or (isinstance(value, (int, float)) and str(value) == text)


class Selection:
    """A subject of waits, as soon as ``read`` has ended. It follows the changes from the first ``enter`` to the last ``leave``."""

    def __init__(self, backend: Backend, kind: str, filters: Filters) -> None:
        self._backend, self._kind = backend, kind
        self._look = Look(filters)
        self._documents: Dict[str, Document] = {}
        self._found: Dict[str, Document] = {}  # to stand in their place, once all are read
        self._unread: Iterator[Document] = iter(())
        self._changed: Set[str] = set()  # while others are read yet
        self._reading = asyncio.Lock()
        self._again: Optional["asyncio.Task[None]"] = None
        self._changes = 0
        self._answer: Optional[Tuple[int, List[Document]]] = None  # made once for all who wait
        self._watchers: Set[Callable[[], None]] = set()
        self._here = 0
        self._end: Optional[Callable[[], None]] = None

    # --- for who waits ----------------------------------------------------------------------------------------------------

    def look(self) -> Tuple[Optional[Document], Any, Any]:
        return None, self._documents, self._changes

    def answer(self) -> Tuple[Optional[Document], List[Document]]:
        if self._answer is None or self._answer[0] != self._changes:
            self._answer = (self._changes, [self._documents[key] for key in sorted(self._documents)])
        return None, self._answer[1]

    def watch(self, tell: Callable[[], None]) -> Callable[[], None]:
        self._watchers.add(tell)
        return lambda: self._watchers.discard(tell)

    # --- following --------------------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """One more is here."""
        self._here += 1
        if self._end is None:
            self._begin()
            self._end = self._backend.subscribe(self._kind, "", self._saw)

    def leave(self) -> bool:
        """One has left; return whether nobody is here any more."""
        self._here -= 1
        if not self._here and self._end is not None:
            self._end()
            self._end = None
            if self._again is not None:
                self._again.cancel()
        return not self._here

    def _begin(self) -> None:
        self._found, self._changed, self._look.ended = {}, set(), False
        self._unread = iter(self._backend.heads().list(self._kind))

    async def read(self) -> None:
        """Look at all documents that there are, taking turns."""
        async with self._reading:
            while not self._look.ended:
                await turns.take(self._read)

    def _read(self) -> None:
        for document in self._look.some(self._unread):
            if document.key not in self._changed:
                self._found[document.key] = document
        if self._look.ended:
            self._documents, self._found = self._found, {}
            self._tell()

    def _saw(self, key: str, document: Optional[Document]) -> None:
        if not key:  # others are in the place of all: until they are read, who waits sees what was there before
            self._begin()
            self._again = asyncio.ensure_future(self.read())
        elif self._look.ended:
            if self._moved(key, document):
                self._tell()
        else:
            self._changed.add(key)
            self._found.pop(key, None)
            if document is not None and self._look.holds(document):
                self._found[key] = document

    def _tell(self) -> None:
        self._changes += 1
        for tell in tuple(self._watchers):
            tell()

    def _moved(self, key: str, document: Optional[Document]) -> bool:
        """Take a change; return whether it changed what is selected."""
        chosen = document is not None and self._look.holds(document)
        if not chosen and key not in self._documents:
            return False
        if document is None or not chosen:
            del self._documents[key]
            return True
        old, self._documents[key] = self._documents.get(key), document
        if old is not None and old.is_packed:
            old.parse()  # once for all selections: they share it, and let go of it now
        return old is None or not equal(old.peek(), document.value)
