# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One document at one revision, and which documents stand parsed. Pure.

A parsed JSON value takes Python about four times the memory of its text, so that of a document that nobody looks at the text alone
is kept, and its value is parsed where it is asked for.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any, List, Optional

from ...ground.values import PIECE, dumps, pieces
from .kinds import DOCUMENTS

MOST_PACKED = PIECE  # bytes: a larger document stands parsed, since to parse one takes too long for one who only looks at it
MOST_TEXT = 2 * PIECE  # characters: numbers and letters that are escaped take more than they are counted for
MOST_PARSED = 4 << 20  # bytes of JSON text
LOOKS = 4  # at documents that could be packed, for each that is parsed


class Document:
    """``revision`` is "<epoch number>.<seq>" of the entry that wrote it; ``size`` an estimate of its JSON in bytes.

    ``count``: how many values it has; 0 where nobody has counted yet. Nobody changes a document, or its value.
    """

    __slots__ = ("kind", "key", "revision", "size", "count", "_value", "_text", "_home", "_long")

    def __init__(self, kind: str, key: str, value: Any, revision: str, size: int, count: int = 0) -> None:
        self.kind, self.key, self.revision, self.size, self.count = kind, key, revision, size, count
        self._value = value  # None: there is a text
        self._text: Optional[str] = None
        self._home: Optional[Parsed] = None
        self._long = False  # its text is

    @classmethod
    def of_text(cls, kind: str, key: str, text: str, revision: str, size: int) -> "Document":
        """Return a document of which ``text`` is what ``values.dumps`` makes of its value."""
        document = cls(kind, key, None, revision, size)
        document._text, document._long = text, len(text) > MOST_TEXT
        return document

    def __repr__(self) -> str:
        return f"Document({self.kind!r}, {self.key!r}, {self.revision!r}, {self.size})"

    @property
    def packable(self) -> bool:
        """Whether its text alone may be kept."""
        stands_parsed = self.kind not in DOCUMENTS  # coordination reads it all the time
        return self.size <= MOST_PACKED and not stands_parsed and not self._long

    @property
    def cost(self) -> int:
        """How many characters are parsed when it is, as far as that is known."""
        return self.size if self._text is None else len(self._text)

    @property
    def is_packed(self) -> bool:
        """Whether to ask for its value means to parse it."""
        return self._value is None

    @property
    def value(self) -> Any:
        """The JSON value. Asked twice, it may be another one that is equal."""
        value = self._value
        if value is None:
            value = self.peek()
            if self._home is not None:
                self._value = value
                self._home.add(self)
        return value

    def parse(self) -> None:
        """Have its value from now on, until it is packed."""
        self._value = self.peek()

    def peek(self) -> Any:
        """Return the value, and don't keep it if it had to be parsed: for who looks at many."""
        value = self._value
        return json.loads(self._text) if value is None and self._text is not None else value

    @property
    def text(self) -> str:
        """The JSON text, as ``values.dumps`` makes it. Another thread may ask for it, too."""
        value, text = self._value, self._text  # in this order: who packs it goes the other way
        if text is not None:
            return text
        if not self.packable:
            return dumps(value) if self.size < PIECE else "".join(pieces(value))
        text = dumps(value)
        self._long = len(text) > MOST_TEXT
        if not self._long:
            self._text = text
        return text

    def write(self) -> None:
        """Make the text, if it is to be kept. Another thread may do it."""
        if self.packable:
            _made = self.text

    @property
    def known_text(self) -> Optional[str]:
        """The JSON text if nobody needs to make it."""
        return self._text

    def at(self, revision: str) -> "Document":
        """Return the same with another revision."""
        other = Document(self.kind, self.key, self._value, revision, self.size, self.count)
        other._text, other._long = self._text, self._long
        return other

    def kept_by(self, home: "Parsed") -> "Document":
        """Return it as one whose value, once parsed, ``home`` keeps; another one, if it is somebody else's."""
        document = self if self._home is None else self.at(self.revision)
        document._home = home
        return document

    def leave(self) -> None:
        """Another document has taken its place: who has it still gets its value, and nobody keeps that for him."""
        if self._home is not None:
            self._home.remove(self)
            self._home = None

    def unpacked(self) -> "Document":
        """Return one that has its value for good."""
        if self._value is not None:
            return self
        other = Document(self.kind, self.key, self.peek(), self.revision, self.size, self.values)
        other._long = self._long
        return other

    @property
    def values(self) -> int:
        """How many values it has; or, where nobody has counted them, at least as many as that: each but the first follows one of these."""
        if self.count or self._text is None:
            return self.count
        return 1 + sum(map(self._text.count, ",[{"))

    def is_kept_by(self, home: "Parsed") -> bool:
        return self._home is home

    def pack(self) -> bool:
        """Forget the value if there is a text; return whether there is."""
        if self._text is None:
            return False
        self._value = None
        return True


class Parsed:
    """The documents of one node that may be packed and are not, those parsed or written first before others.

    While they have more than ``most`` bytes, those that have a text are packed. Those that have none were written since the last
    checkpoint, which makes their texts: nobody waits for one here.
    """

    def __init__(self, most: int = MOST_PARSED) -> None:
        self.most = most
        self.size = 0  # of those with a text
        self._documents: "OrderedDict[Document, None]" = OrderedDict()
        self._unwritten: "OrderedDict[Document, None]" = OrderedDict()

    def __len__(self) -> int:
        return len(self._documents) + len(self._unwritten)

    def take_in(self, document: Document) -> Document:
        """Return the document as it is to be kept from now on."""
        if not document.packable:
            return document.unpacked()
        document = document.kept_by(self)
        if not document.is_packed:
            self.add(document)
        return document

    def add(self, document: Document) -> None:
        """Keep the value of a document."""
        if document.known_text is None:
            self._unwritten[document] = None
        elif document not in self._documents:
            self._documents[document] = None
            self.size += document.size
        self.pack(LOOKS)

    def hold(self, document: Document, held: List[Document]) -> None:
        """Parse a document, and let it stand so until those ``held`` are released."""
        document.parse()
        self.remove(document)
        held.append(document)

    def release(self, held: List[Document]) -> None:
        """Treat what was held as all others; ``held`` is empty then."""
        for document in held:
            if document.is_kept_by(self):
                self.add(document)
        held.clear()

    def remove(self, document: Document) -> None:
        """Keep it no more."""
        self._unwritten.pop(document, None)
        if document in self._documents:
            del self._documents[document]
            self.size -= document.size

    def pack(self, looks: int) -> None:
        """Pack until the others fit, looking at no more than ``looks`` of those that have no text yet, and of those that have one."""
        for _look in range(min(looks, len(self._unwritten))):
            document, _none = self._unwritten.popitem(last=False)
            if document.known_text is not None:
                self._documents[document] = None
                self.size += document.size
            elif document.packable:  # or it has turned out to be long, and stands parsed
                self._unwritten[document] = None
        for _look in range(looks):
            if self.size <= self.most or not self._documents:
                return
            document = next(iter(self._documents))
            document.pack()
            self.remove(document)
