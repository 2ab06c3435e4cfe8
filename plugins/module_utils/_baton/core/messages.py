# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes say to each other, and its JSON form. Pure.

Links are one-way, ordered while they last, and may lose everything at any moment: whatever matters is said again.

Two versions may speak with each other: a field or a message that one does not know is ignored there, and a message that
came later is sent to those only who ``speak`` it.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from .log import NO_EPOCH, Entry, Epoch, Position
from .record import Record
from .reigns import NO_REIGNS, Reigns

PROTOCOL = 1  # nodes of another one do not speak with each other at all
SPEAKS = 2  # 2: TailWanted, Tail; the log's time in Append
MOST_REASON = 200  # characters of why the VIP would not work on a node, or the store not let it take over


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
    speaks: int = 1  # what a version says that does not say it
    process: str = ""  # unique to the process: two that are alive at once under one name are told apart by it
    host: str = ""  # what people call the machine
    noted: int = -1  # the record version noted before a promotion that is not known to have failed (M3)
    last_forced: Epoch = NO_EPOCH  # the last epoch in its own log that began with a force
    twins: Tuple[str, ...] = ()  # what is known here of two processes under the receiver's name
    unable: str = ""  # why the VIP would not work there; "": it would, or a version says nothing of it
    store: str = ""  # why the store of the record would not let it take over; "": it would, or a version says nothing of it


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
    forced_id: str = ""
    at: int = 0  # the log's time (ms)


@dataclass(frozen=True)
class Ack:
    """Everything up to ``matched`` is on this disk and equals the active's log; ``blobs`` = no file content is missing."""

    epoch: Epoch
    incarnation: str
    matched: int
    stamp: float
    blobs: bool
    process: str = ""


@dataclass(frozen=True)
class Reject:
    """An Append that could not be taken. ``reason``: stale (a newer epoch is promised), gap (send from ``applied``), diverged."""

    epoch: Epoch
    incarnation: str
    reason: str
    promised: Epoch
    applied: Position
    process: str = ""


@dataclass(frozen=True)
class Refuse:
    """The receiver may not join; ``detail`` says why and what to do.

    ``code``: incompatible, diverged (``reigns`` is the sender's history), twin or removed.
    """

    code: str
    detail: str
    reigns: Reigns = NO_REIGNS


@dataclass(frozen=True)
class TailWanted:
    """Asked of an in-sync member before a reign begins: send what follows ``after`` in your log."""

    after: Position


@dataclass(frozen=True)
class Tail:
    """Entries after ``prev`` that the receiver may have lost."""

    prev: Position
    entries: Tuple[Entry, ...]


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


Message = Union[Hello, Append, Ack, Reject, Refuse, UseSnapshot, BlobWanted, BlobHeld, TakeOver, TailWanted, Tail]


class UnknownMessage(ValueError):
    """A message of a newer version: to be ignored."""


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


def _reason(raw: Any) -> str:
    if not isinstance(raw, str) or len(raw) > MOST_REASON or not raw.isprintable():
        raise ValueError(f"a reason is one printable line of at most {MOST_REASON} characters")
    return raw


# Fields that need more than JSON's own types: how they are read back.
_READ: Dict[str, Callable[[Any], Any]] = {
    "epoch": _epoch,
    "last_forced": _epoch,
    "promised": _epoch,
    "applied": _position,
    "end": _position,
    "prev": _position,
    "after": _position,
    "reigns": Reigns.from_json,
    "twins": lambda raw: tuple(str(item) for item in raw),
    "unable": _reason,
    "store": _reason,
    "record": _record,
    "entries": lambda raw: tuple(_read_entry(item) for item in raw),
}
_TYPES: Dict[str, Any] = {
    cls.__name__: cls
    for cls in (Hello, Append, Ack, Reject, Refuse, UseSnapshot, BlobWanted, BlobHeld, TakeOver, TailWanted, Tail)
}


def to_json(message: Message) -> Dict[str, Any]:
    """Return the JSON form: {"type": …, and one member a field}."""
    data: Dict[str, Any] = {"type": type(message).__name__}
    for name, value in vars(message).items():
        if isinstance(value, (Record, Reigns)):
            value = value.to_json()
        elif name == "entries":
            value = [_entry(entry) for entry in value]
        data[name] = value
    return data


def from_json(data: Dict[str, Any]) -> Message:
    """Read a message; raise UnknownMessage for a type that we do not know, ValueError for what is none."""
    try:
        kind = data["type"]
        if isinstance(kind, str) and kind not in _TYPES:
            raise UnknownMessage(kind[:40])
        cls = _TYPES[kind]
        names = cls.__dataclass_fields__
        values = {k: _READ[k](v) if k in _READ else v for k, v in data.items() if k in names}
        message: Message = cls(**values)
        return message
    except UnknownMessage:
        raise
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"not a message of this protocol: {error}") from error
