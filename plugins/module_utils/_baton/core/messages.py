# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes say to each other, and its JSON form. Pure.

Links are one-way, ordered while they last, and may lose everything at any moment: whatever matters is said again.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from .log import Entry, Epoch, Position
from .record import Record

PROTOCOL = 1


@dataclass(frozen=True)
class Hello:
    """Said when a link comes up and when something in it changes; ``answer`` asks the other for its own."""

    node: str
    url: str
    incarnation: str
    ha_id: str
    cluster_id: str
    version: str
    system: str  # operating system and architecture, "linux/x86_64"
    role: str
    promised: Epoch
    applied: Position
    end: Position
    record: Optional[Record]
    record_version: int
    answer: bool
    protocol: int = PROTOCOL
    priority: int = 0
    no_failover: bool = False


@dataclass(frozen=True)
class Append:
    """Entries after ``prev``, or none: a heartbeat. ``stamp`` is the active's clock when it sent this."""

    epoch: Epoch
    to: str  # the receiver's incarnation: a disk that was replaced does not acknowledge for the old one
    prev: Position
    entries: Tuple[Entry, ...]
    commit: int
    stamp: float
    record: Optional[Record]
    record_version: int
    forced: int  # see Record.forced


@dataclass(frozen=True)
class Ack:
    """Everything up to ``matched`` is on this disk and equals the active's log; ``blobs`` = no file content is missing."""

    epoch: Epoch
    incarnation: str
    matched: int
    stamp: float
    blobs: bool


@dataclass(frozen=True)
class Reject:
    """An Append that could not be taken. ``reason``: stale (a newer epoch is promised), gap (send from ``applied``), diverged."""

    epoch: Epoch
    incarnation: str
    reason: str
    promised: Epoch
    applied: Position


@dataclass(frozen=True)
class Refuse:
    """The receiver may not join; ``detail`` says why and what to do."""

    code: str
    detail: str


@dataclass(frozen=True)
class UseSnapshot:
    """The log does not reach back to where the receiver is: fetch a snapshot, then say Hello again."""

    epoch: Epoch
    to: str


@dataclass(frozen=True)
class BlobWanted:
    """Fetch this file content now, because an entry that names it waits for you."""

    sha256: str


@dataclass(frozen=True)
class BlobHeld:
    incarnation: str
    sha256: str


@dataclass(frozen=True)
class TakeOver:
    """Ask the node that gave up the active role (``holder``) to hand it to the sender."""

    node: str
    incarnation: str


Message = Union[Hello, Append, Ack, Reject, Refuse, UseSnapshot, BlobWanted, BlobHeld, TakeOver]


def _entry(entry: Entry) -> List[Any]:
    return [entry.seq, entry.epoch.number, entry.epoch.id, entry.at, entry.text]


def _read_entry(raw: List[Any]) -> Entry:
    return Entry.read(int(raw[0]), Epoch(int(raw[1]), str(raw[2])), int(raw[3]), str(raw[4]))


def _position(raw: List[Any]) -> Position:
    return Position(Epoch(int(raw[0][0]), str(raw[0][1])), int(raw[1]))


def _epoch(raw: List[Any]) -> Epoch:
    return Epoch(int(raw[0]), str(raw[1]))


def _record(raw: Optional[Dict[str, Any]]) -> Optional[Record]:
    return None if raw is None else Record.from_json(raw)


# Fields that need more than JSON's own types: how they are read back.
_READ: Dict[str, Callable[[Any], Any]] = {
    "epoch": _epoch,
    "promised": _epoch,
    "applied": _position,
    "end": _position,
    "prev": _position,
    "record": _record,
    "entries": lambda raw: tuple(_read_entry(item) for item in raw),
}
_TYPES: Dict[str, Any] = {
    cls.__name__: cls for cls in (Hello, Append, Ack, Reject, Refuse, UseSnapshot, BlobWanted, BlobHeld, TakeOver)
}


def to_json(message: Message) -> Dict[str, Any]:
    """Return the JSON form: {"type": …, and one member a field}."""
    data: Dict[str, Any] = {"type": type(message).__name__}
    for name, value in vars(message).items():
        if isinstance(value, Record):
            value = value.to_json()
        elif name == "entries":
            value = [_entry(entry) for entry in value]
        data[name] = value
    return data


def from_json(data: Dict[str, Any]) -> Message:
    """Read a message; raise ValueError when it is not one of ours (a peer of an incompatible version)."""
    try:
        cls = _TYPES[data["type"]]
        names = cls.__dataclass_fields__
        values = {k: _READ[k](v) if k in _READ else v for k, v in data.items() if k in names}
        message: Message = cls(**values)
        return message
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"not a message of this protocol: {error}") from error
