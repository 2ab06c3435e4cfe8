# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that comes out of the core: what the shell is to do, in this order. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from ..ground.problem import Problem
from .model.document import Document
from .model.log import Entry, Position
from .model.messages import Message
from .model.record import Record
from .model.replies import Row
from .model.requests import Outcome


@dataclass(frozen=True)
class Store:
    """Make durable in this order: cut the log after ``truncate_after``, append ``entries``, set ``meta``. Then say Stored.

    ``commit`` is the commit point as known now: kept where it costs nothing, so that a restart applies what it can.
    """

    id: int
    commit: int
    entries: Tuple[Entry, ...] = ()
    truncate_after: Optional[int] = None
    meta: Dict[str, Any] = field(default_factory=dict)

    @property
    def plain(self) -> bool:
        """Whether this appends entries and nothing else."""
        return bool(self.entries) and self.truncate_after is None and not self.meta


@dataclass(frozen=True)
class Checkpoint:
    """Write documents as of ``at`` and forget log entries up to ``log_start``. Never waited for."""

    at: Position
    documents: Sequence[Tuple[str, str, Optional[Document]]]
    replies: Sequence[Row]
    replies_after: int  # replies stamped before this (ms) are forgotten
    log_start: Position
    log_at: int = 0  # the log's time (ms)


@dataclass(frozen=True)
class Send:
    node: str
    message: Message


@dataclass(frozen=True)
class SendBack:
    """Send to one process of that name, on the link that it made to us: ours of that name may go to another."""

    node: str
    process: str
    message: Message


@dataclass(frozen=True)
class Connect:
    """Keep a link to this node; a changed URL replaces the old one."""

    node: str
    url: str


@dataclass(frozen=True)
class Disconnect:
    """Give up the link to this node, up or not; ``url`` "": whichever it is."""

    node: str
    url: str = ""


@dataclass(frozen=True)
class ReadRecord:
    """Do a linearizable read of the record; answer with RecordRead.

    ``proven``: only where a swap would be taken at this moment; else answer with DcsHealth.
    """

    proven: bool = False


@dataclass(frozen=True)
class Swap:
    """Compare-and-swap the record; ``expected`` is the version, -1 to create it. Answer with SwapAnswer."""

    expected: int
    version: int  # what the new version is to be where the node keeps the record itself (``manual``)
    record: Record


@dataclass(frozen=True)
class Adopt:
    """``manual`` only: keep this record, which a peer sent, as our copy; answer with RecordRead."""

    version: int
    record: Record


@dataclass(frozen=True)
class ForgetRecord:
    """``manual`` only: our copy is of a cluster that we left; the next Adopt takes any version."""


@dataclass(frozen=True)
class Reply:
    """Answer the Submit, KeepAlive or Operator with this id: an Outcome, a dictionary (not for Submit) or a Problem."""

    id: int
    result: Union[Outcome, Dict[str, Any], Problem]


@dataclass(frozen=True)
class Changed:
    """Documents that the committed head changed; for events, long-polls and caches."""

    seq: int
    documents: Sequence[Tuple[str, str, Optional[Document]]]


@dataclass(frozen=True)
class Lease:
    """The node may serve and hold the VIP until then; None: give it up now and say Released.

    ``free``: whoever held the VIP before has given it up for certain, so that nobody need be asked.
    """

    until: Optional[float]
    free: bool = False


@dataclass(frozen=True)
class Prepare:
    """The node may soon want the VIP: ask the network whether somebody has it."""


@dataclass(frozen=True)
class Later:
    """There is more to do than the loop is to be held for: let it do all else, and answer with GoOn."""


@dataclass(frozen=True)
class RoleChanged:
    role: str
    active: str
    active_url: str


@dataclass(frozen=True)
class FetchSnapshot:
    """Copy the documents of that node into a new incarnation, beside ours; answer with SnapshotFetched."""

    node: str


@dataclass(frozen=True)
class InstallSnapshot:
    """Put this incarnation in place of ours; answer with SnapshotInstalled. What is stored meanwhile is void."""

    incarnation: str


@dataclass(frozen=True)
class DropSnapshot:
    """Remove an incarnation that was fetched and is not wanted."""

    incarnation: str
    reason: str


@dataclass(frozen=True)
class Renounce:
    """Our disk is a copy of one that is in use: end, and begin anew with the same data under a new incarnation."""

    reason: str


@dataclass(frozen=True)
class FetchBlob:
    """Have this file content on disk, from that node if need be; answer with BlobStored."""

    sha256: str
    node: str


@dataclass(frozen=True)
class KeepTail:
    """Write these entries to a file for a person: they will not be part of the log any more."""

    entries: Tuple[Entry, ...]


@dataclass(frozen=True)
class Note:
    """A line for the journal."""

    level: str  # info | warning | error
    text: str


@dataclass(frozen=True)
class DriverWelcome:
    """The driver is taken; orders follow."""

    session: int


@dataclass(frozen=True)
class DriverOrder:
    """Tell a driver to start or stop; answer with DriverDone. ``deadline``: see docs/reference/driver-protocol.md."""

    session: int
    number: int
    active: bool
    epoch: int
    deadline: float


@dataclass(frozen=True)
class DriverLease:
    """Tell a driver until when it may run."""

    session: int
    epoch: int
    deadline: float


@dataclass(frozen=True)
class DropDriver:
    """Refuse a driver, or end its connection."""

    session: int
    reason: str


@dataclass(frozen=True)
class DriverMarker:
    """Keep a file that says that this driver may be running, or remove it."""

    driver: str
    running: bool


@dataclass(frozen=True)
class DriversCleared:
    """From now on only our own drivers can be running: whoever outlives this process may say when they have stopped."""


Command = Union[
    Prepare, Store, Checkpoint, Send, SendBack, Connect, Disconnect, ReadRecord, Swap, Adopt, Reply, Changed, Lease, RoleChanged,
    FetchSnapshot, InstallSnapshot, DropSnapshot, Renounce, FetchBlob, ForgetRecord, KeepTail, Note, DriverWelcome,
    DriverOrder, DriverLease, DropDriver, DriverMarker, DriversCleared, Later,
]  # fmt: skip
