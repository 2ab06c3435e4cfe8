# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log: positions, entries and the part of the log that is kept in memory. Pure.

An entry is identified by (epoch, seq), never by seq alone: two actives may have written different entries with one seq.
"""
from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ...ground import form
from ...ground.values import dumps

MOST_KEY = 4_096  # characters of the name of a document
MOST_FOUND = 100_000
MOST_OPERATIONS = 1_000_000
MOST_ENTRY = 15 << 20  # characters of an entry in a message: a body of 4 MiB takes 14 MiB at most
_RAW_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Epoch(NamedTuple):
    """A reign: ``number`` grows at every change of active, ``id`` tells apart two reigns that a force gave one number."""

    number: int
    id: str

    @classmethod
    def read(cls, raw: Any) -> "Epoch":
        """Raise ValueError for what is none."""
        return cls(*form.epoch(raw))


ALL = 1_000_000  # the place in an entry after all that it changes


class Position(NamedTuple):
    """A place in the log: the entry ``seq`` as written in ``epoch``."""

    epoch: Epoch
    seq: int

    @classmethod
    def read(cls, raw: Any) -> "Position":
        """Raise ValueError for what is none."""
        epoch, seq = form.fixed(raw, 2)
        return cls(Epoch.read(epoch), form.number(seq))

    @property
    def revision(self) -> str:
        """The revision of documents changed here: grows for ever and differs between reigns."""
        return f"{self.epoch.number}.{self.seq}"


NO_EPOCH = Epoch(0, "")
ORIGIN = Position(NO_EPOCH, 0)


@dataclass(frozen=True)
class Entry:
    """One change. ``text`` is the JSON body in ASCII, encoded once by the active; ``at`` is the log's time in ms.

    ``parsed`` is the body while it is soon to be looked at; of an old entry the text alone is kept.
    """

    seq: int
    epoch: Epoch
    at: int
    text: str
    parsed: Optional[Dict[str, Any]] = field(default=None, compare=False, repr=False)
    blobs: Sequence[str] = field(default=(), compare=False, repr=False)  # that must be on a disk before this is acknowledged there

    @classmethod
    def make(cls, seq: int, epoch: Epoch, at: int, body: Dict[str, Any]) -> "Entry":
        return cls(seq, epoch, at, dumps(body), body, _blobs(body))

    @classmethod
    def read(cls, seq: Any, epoch: Epoch, at: Any, text: Any, old: bool = False) -> "Entry":
        """Read what a link, a disk or a snapshot has of an entry; ValueError for what is none. ``old``: it is applied already."""
        body = _read_body(text)
        text = text if text.isascii() else dumps(body)  # as it was encoded first: one that is not ASCII takes more memory than it says
        return cls(form.number(seq, 1), epoch, form.number(at), text, None if old else body, _blobs(body))

    @property
    def body(self) -> Dict[str, Any]:
        return self.parsed if self.parsed is not None else dict(json.loads(self.text))

    @property
    def raw(self) -> str:
        """Return the JSON body with all that is not ASCII as it is."""
        return _RAW_ENCODE(self.body) if "\\u" in self.text else self.text

    @property
    def framed(self) -> int:
        """Return how many characters it takes in a message, all that is not ASCII escaped."""
        return len(self.text) + self.text.count("\\") + self.text.count('"')

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.seq)

    @property
    def revision(self) -> str:
        return self.position.revision


def _blobs(body: Dict[str, Any]) -> Sequence[str]:
    """Return the SHA-256 names of the file contents that an entry gives a name to."""
    values = (effect.get("value") for effect in body.get("effects", ()) if effect.get("kind") == "files")
    return tuple(value["Sha256"] for value in values if isinstance(value, dict) and "Sha256" in value)


def _read_body(text: Any) -> Dict[str, Any]:
    """Return the body of an entry; ValueError unless its effects can be applied and its names be kept."""
    if not isinstance(text, str):
        raise ValueError("an entry's text is a string with a JSON object")
    body: Dict[str, Any] = form.members(form.read_json(text))
    if text.count("[") + text.count("{") > form.MOST_DEEP and form.is_deep(body):
        raise ValueError("an entry is nested too deeply")
    for effect in form.items(body.get("effects", ()), MOST_OPERATIONS):
        _check_effect(form.members(effect))
    if "idem" in body:
        for part in form.fixed(body["idem"], 2):
            _key(part)
    _key(body.get("asked", ""))
    for pair in form.items(body.get("found", ()), MOST_FOUND):
        for part in form.fixed(pair, 2):
            _key(part)
    return body


def _check_effect(effect: Dict[str, Any]) -> None:
    kind = form.mark(effect.get("kind"))
    _key(effect.get("key"))
    if form.flag(effect.get("delete", False)):
        return
    if effect.get("ops") is not None:
        if not isinstance(effect["ops"], list):
            raise ValueError("ops is an array")
        if kind in _VALUES:
            raise ValueError(f"a document of kind {kind} is written as a whole")
    elif "value" not in effect:
        raise ValueError("an effect has ops, value or delete")
    else:
        check_value(kind, effect["value"])


def _key(raw: Any) -> str:
    return form.text(raw, MOST_KEY)


# Members of the cluster's own documents that every node reads by itself: file contents become paths, others go on links.
_VALUES: Dict[str, Dict[str, form.Reader]] = {
    "files": {"Sha256": form.sha256},
    "history": {"Epoch": lambda raw: form.number(raw, 0, form.MOST_EPOCH), "Id": form.mark},
    "nodes": {"Url": form.text},
}


def check_value(kind: str, value: Any) -> None:
    """Raise ValueError unless ``value`` may stand in a document."""
    form.members(value)
    for name, reader in _VALUES.get(kind, {}).items():
        form.take(form.members(value), name, reader)
    if kind == "history":
        form.take(value, "First", lambda raw: form.number(raw, 1), 1)


class Log:
    """The entries after ``start``, contiguous by seq. Older ones live on only in the documents."""

    def __init__(self, start: Position = ORIGIN) -> None:
        self.start = start
        self._entries: List[Entry] = []
        self._sizes: List[int] = [0]  # of all entries up to each, in characters, from one before the first

    @property
    def end(self) -> Position:
        return self._entries[-1].position if self._entries else self.start

    def get(self, seq: int) -> Optional[Entry]:
        index = seq - self.start.seq - 1
        return self._entries[index] if 0 <= index < len(self._entries) else None

    def position(self, seq: int) -> Optional[Position]:
        """Return the position of ``seq``, or None where the log has no entry (any more)."""
        if seq == self.start.seq:
            return self.start
        entry = self.get(seq)
        return entry.position if entry else None

    def append(self, entry: Entry) -> None:
        if entry.seq != self.end.seq + 1:
            raise ValueError(f"entry {entry.seq} does not follow {self.end.seq}")
        self._entries.append(entry)
        self._sizes.append(self._sizes[-1] + len(entry.text))

    def truncate_after(self, seq: int) -> List[Entry]:
        """Remove and return all entries after ``seq``."""
        index = max(0, seq - self.start.seq)
        tail = self._entries[index:]
        del self._entries[index:]
        del self._sizes[index + 1 :]
        return tail

    def drop_through(self, seq: int) -> None:
        """Forget entries up to ``seq``; ``start`` moves there."""
        position = self.position(seq)
        if position is None:
            return
        del self._entries[: seq - self.start.seq]
        del self._sizes[: seq - self.start.seq]
        self.start = position

    def forget_bodies(self, seq: int) -> None:
        """Keep the text alone of entries up to ``seq``."""
        for index in range(min(seq - self.start.seq, len(self._entries)) - 1, -1, -1):
            entry = self._entries[index]
            if entry.parsed is None:
                return
            self._entries[index] = Entry(entry.seq, entry.epoch, entry.at, entry.text, None, entry.blobs)

    def newest(self, size: int, through: int) -> int:
        """Return the seq after which the entries up to ``through`` have ``size`` characters at most."""
        last = min(max(0, through - self.start.seq), len(self._entries))
        return self.start.seq + bisect_left(self._sizes, self._sizes[last] - size, 0, last)

    def size(self, after: int, through: int) -> int:
        """Return how many characters the entries after ``after`` up to ``through`` have, as far as they are here."""
        first, last = (min(max(0, seq - self.start.seq), len(self._entries)) for seq in (after, through))
        return max(0, self._sizes[last] - self._sizes[first])

    def after(self, seq: int, most: int = 1 << 30, most_bytes: int = 1 << 60) -> List[Entry]:
        """Return entries that follow ``seq``: at most ``most``, and no more than ``most_bytes`` but at least one."""
        first = max(0, seq - self.start.seq)
        found: List[Entry] = []
        size = 0
        for index in range(first, min(first + most, len(self._entries))):
            entry = self._entries[index]
            size += len(entry.text)
            if found and size > most_bytes:
                break
            found.append(entry)
        return found
