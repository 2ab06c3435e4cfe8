# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes say to each other, its JSON form, and what each field has to look like to be read. Pure.

Links are one-way, ordered while they last, and may lose everything at any moment: whatever matters is said again.

Two versions may speak with each other: a field or a message that one does not know is ignored there, and a message that
came later is sent to those only who ``speak`` it.
"""
from __future__ import annotations

import json
from dataclasses import MISSING, dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from ...ground import form
from .log import NO_EPOCH, Entry, Epoch, Position
from .record import Record
from .reigns import NO_REIGNS, Reigns

PROTOCOL = 1  # nodes of another one do not speak with each other at all
SPEAKS = 2  # 2: TailWanted, Tail; the log's time in Append
MOST_REASON = 200  # characters of why a node could not take over, or not serve in full
MOST_ENTRIES = 65_536  # in a message; links bound its bytes
MOST_FRAME = 16 << 20  # bytes of a message: a single entry (MOST_ENTRY), or some that are small, and what stands around them
RAW = 64 << 10  # characters of an entry from which it is said as it is, and not in ASCII
MOST_TWINS = 8


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
    full: str = ""  # why it would refuse changes for want of room on its disk; "": it would not, or a version says nothing of it


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


_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_RAW_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class UnknownMessage(ValueError):
    """A message of a newer version: to be ignored."""


def _entry(entry: Entry, raw: bool = False) -> List[Any]:
    return [entry.seq, entry.epoch.number, entry.epoch.id, entry.at, entry.raw if raw and len(entry.text) > RAW else entry.text]


def _read_entries(raw: Any) -> Tuple[Entry, ...]:
    """Read entries; almost always all of one epoch, so that it is read once."""
    found: List[Entry] = []
    of: Tuple[Any, Any] = (None, None)
    epoch = NO_EPOCH
    for item in form.items(raw, MOST_ENTRIES):
        seq, number, name, at, text = form.fixed(item, 5)
        if isinstance(number, bool) or (number, name) != of:  # true equals 1
            epoch, of = Epoch.read((number, name)), (number, name)
        found.append(Entry.read(seq, epoch, at, text))
    return tuple(found)


def _twins(raw: Any) -> Tuple[str, ...]:
    return tuple(form.line(item) for item in form.items(raw, MOST_TWINS))


def _version(raw: Any) -> int:
    return form.number(raw, -1)


# What each field looks like, in whatever message it stands; all that reads one may rely on it.
_FIELDS: Dict[str, form.Reader] = {
    "after": Position.read,
    "answer": form.flag,
    "applied": Position.read,
    "at": form.number,
    "blobs": form.flag,
    "cluster_id": form.name,
    "code": form.mark,
    "commit": form.number,
    "detail": lambda raw: form.line(raw, 4 * form.MOST_TEXT),  # which quotes others
    "end": Position.read,
    "entries": _read_entries,
    "epoch": Epoch.read,
    "forced": lambda raw: form.number(raw, 0, form.MOST_EPOCH),
    "forced_id": form.mark,
    "full": lambda raw: form.line(raw, MOST_REASON),
    "ha_id": lambda raw: form.text(raw, form.MOST_NAME),
    "host": form.name,
    "incarnation": form.incarnation,
    "last_forced": Epoch.read,
    "matched": lambda raw: form.number(raw, -1),
    "no_failover": form.flag,
    "node": form.node_id,
    "noted": _version,
    "prev": Position.read,
    "priority": lambda raw: form.number(raw, -form.MOST_NUMBER),
    "process": form.mark,
    "promised": Epoch.read,
    "protocol": form.number,
    "reason": form.mark,
    "record": form.optional(Record.from_json),
    "record_version": _version,
    "reigns": Reigns.from_json,
    "role": form.mark,
    "sha256": form.sha256,
    "speaks": form.number,
    "stamp": form.real,
    "store": lambda raw: form.line(raw, MOST_REASON),
    "system": form.name,
    "to": form.incarnation,
    "twins": _twins,
    "unable": lambda raw: form.line(raw, MOST_REASON),
    "url": form.url,
    "version": form.name,
}
_TYPES: Dict[str, Any] = {
    cls.__name__: cls
    for cls in (Hello, Append, Ack, Reject, Refuse, UseSnapshot, BlobWanted, BlobHeld, TakeOver, TailWanted, Tail)
}


def write(message: Message) -> str:
    """Return the frame of a message.

    What is not ASCII is escaped, but in a message with a large entry: escaped twice, its letters would be seven characters each, and
    hold the loop at both ends for many times as long.
    """
    if any(len(entry.text) > RAW for entry in getattr(message, "entries", ())):
        text = _RAW_ENCODE(to_json(message, True))
        try:
            text.encode("utf-8")
            return text
        except UnicodeEncodeError:
            pass  # half of a surrogate pair, which only ASCII can say
    return _ENCODE(to_json(message))


def to_json(message: Message, raw: bool = False) -> Dict[str, Any]:
    """Return the JSON form: {"type": …, and one member a field}. ``raw``: large entries are not in ASCII."""
    data: Dict[str, Any] = {"type": type(message).__name__}
    for name, value in vars(message).items():
        if isinstance(value, (Record, Reigns)):
            value = value.to_json()
        elif name == "entries":
            value = [_entry(entry, raw) for entry in value]
        data[name] = value
    return data


def read(text: str) -> Message:
    """Read a frame; raise UnknownMessage for a type that we do not know, ValueError for what is no message."""
    return from_json(form.read_json(text))


def from_json(data: Any) -> Message:
    """Read the JSON form of a message; raise as ``read`` does. Fields that we do not know are left out."""
    kind = form.take(form.members(data), "type", form.text)
    if kind not in _TYPES:
        raise UnknownMessage(kind[:40])
    cls = _TYPES[kind]
    names = cls.__dataclass_fields__
    missing = [name for name in names if name not in data and names[name].default is MISSING]
    if missing:
        raise ValueError(f"{kind} without {missing[0]}")
    try:
        values = {name: form.take(data, name, _FIELDS[name]) for name in names if name in data}
    except ValueError as error:
        raise ValueError(f"{kind}.{error}") from None
    message: Message = cls(**values)
    _check_whole(message)
    return message


def _check_whole(message: Message) -> None:
    """Raise ValueError where fields contradict each other."""
    if isinstance(message, (Append, Tail)):
        check_order(message.prev, message.entries)
    if isinstance(message, Append) and message.entries and message.entries[-1].epoch.number > message.epoch.number:
        raise ValueError("Append has an entry of a later epoch than its own")
    if isinstance(message, Hello) and message.applied.seq > message.end.seq:
        raise ValueError("Hello has applied more than its log has")


def check_order(prev: Position, entries: Sequence[Entry]) -> None:
    """Raise ValueError unless entries follow each other, and ``prev``; epochs never go back within a log."""
    seq, epoch = prev.seq, prev.epoch.number
    for entry in entries:
        if entry.seq != seq + 1 or entry.epoch.number < epoch:
            raise ValueError(f"entry {entry.seq} of epoch {entry.epoch.number} does not follow {seq} of {epoch}")
        seq, epoch = entry.seq, entry.epoch.number


def one_line(text: str) -> str:
    """Return a text as others take it: one printable line."""
    return "".join(c if c.isprintable() else " " for c in text)[:MOST_REASON]
