# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that goes into the core (events) and comes out of it (commands). Pure data.

The shell feeds events to ``Node.handle`` with the time they came in and carries out the commands in order.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from .document import Document
from .documents import Change
from .driver_options import Options
from .loaded import Loaded
from .log import NO_EPOCH, ORIGIN, Entry, Epoch, Position
from .messages import Message
from .problem import Problem
from .record import Record
from .reigns import NO_REIGNS, Reigns
from .replies import Row


@dataclass(frozen=True)
class Idempotency:
    """``key`` chosen by the client for one intent, and two digests, to notice a key that is used twice.

    ``fingerprint`` is of method, path and body, as every version makes it; ``asked`` is of who asks and
    on what conditions, too ("": not known).
    """

    key: str
    fingerprint: str
    asked: str = ""


@dataclass
class Saved:
    """What a data directory holds: the state that a node starts from."""

    incarnation: str
    cluster_id: str = ""
    promised: Epoch = NO_EPOCH
    noted: int = -1  # the record version noted before an unanswered promotion (M3)
    known: int = -1  # the newest record version seen
    cleared: int = -1  # the last epoch in which our drivers could have been started (I5)
    commit: int = 0
    checkpoint: Position = ORIGIN  # the position that ``documents`` stand at
    documents: List[Document] = field(default_factory=list)
    log_start: Position = ORIGIN
    entries: List[Entry] = field(default_factory=list)
    replies: Sequence[Row] = ()
    at: int = 0  # the log's time (ms) as of the checkpoint
    record: Optional[Record] = None  # as it was known last, in ``record_version``
    record_version: int = -1
    log_offset: Tuple[str, int] = ("", 0)  # in this boot of the machine: the log's time less the node's clock (ms)


# --- events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Started:
    """The process is up and its durable state was read."""


@dataclass(frozen=True)
class Tick:
    """Time passed; comes at least every quarter of a heartbeat. ``wall``: the wall clock in seconds, 0 where unknown."""

    wall: float = 0.0


@dataclass(frozen=True)
class Flush:
    """All events of this round are in: write and send what they made, as one batch."""


@dataclass(frozen=True)
class RecordRead:
    """What a linearizable read of the DCS, a peer (``manual``) or, ``watched``, the store by itself told."""

    version: int
    record: Optional[Record]
    watched: bool = False


@dataclass(frozen=True)
class SwapAnswer:
    """The reply to a Swap: True, False, or None when it is unknown whether it happened.

    ``refused``: why the store does not take it, in words for a person; this copy of it did not happen.
    """

    nonce: str
    done: Optional[bool]
    version: int = -1
    refused: str = ""


@dataclass(frozen=True)
class DcsHealth:
    """Whether the store would take a swap (None: not known), what needs a person, in one line, or "", and whether it answers at all."""

    writable: Optional[bool]
    trouble: str = ""
    reachable: bool = True


@dataclass(frozen=True)
class Received:
    node: str
    message: Message


@dataclass(frozen=True)
class LinkUp:
    node: str


@dataclass(frozen=True)
class LinkDown:
    node: str


@dataclass(frozen=True)
class Stored:
    """The Store with this id, and all before it, are on disk."""

    id: int


@dataclass(frozen=True)
class SnapshotFetched:
    """A snapshot of ``node`` is whole on our disk, as the new ``incarnation``, and not in use: is it wanted still?

    ``reigns`` and ``forced`` (NO_EPOCH: never, or the source's version does not say) tell the history that it is part of.
    """

    node: str
    incarnation: str
    cluster_id: str
    reigns: Reigns = NO_REIGNS
    forced: Epoch = NO_EPOCH


@dataclass(frozen=True)
class TwinSeen:
    """Another process answers under our own name; ``where``: its URL and host."""

    where: str


@dataclass(frozen=True)
class SnapshotInstalled:
    """A snapshot was put in place of the old data, as a new incarnation. ``loaded``: what it holds, where that has been made."""

    saved: Saved
    loaded: Optional[Loaded] = None


@dataclass(frozen=True)
class BlobStored:
    sha256: str


@dataclass(frozen=True)
class BlobUnavailable:
    """The content could not be copied. It is tried again as long as ``Following.awaited`` has it."""

    sha256: str


@dataclass(frozen=True)
class ReleaseNotice:
    """The reign ``epoch`` of ``node`` is over: its process is dead and its VIP is gone (M4). Authenticated by the shell.

    ``drivers``: nothing of its drivers runs any more, nor of those that it waited for.
    """

    node: str
    epoch: Epoch
    drivers: bool = False


@dataclass(frozen=True)
class Released:
    """The VIP is gone."""


@dataclass(frozen=True)
class VipHealth:
    """``unable``: why the VIP would not work on this node ("the VIP's interface eth0 has no carrier"), "" when it would."""

    unable: str


@dataclass(frozen=True)
class DiskRoom:
    """``low``: what is left on this node's disk is for its own writes."""

    low: bool


@dataclass(frozen=True)
class GoOn:
    """What came before it was done: go on with what was put off (Later)."""


@dataclass(frozen=True)
class Submit:
    """A client's change. ``wall`` and ``deadline`` are wall-clock seconds; ``blobs`` are file contents it names."""

    id: int
    changes: Tuple[Change, ...]
    wall: float = 0.0
    idempotency: Optional[Idempotency] = None
    deadline: Optional[float] = None
    blobs: Tuple[str, ...] = ()


@dataclass(frozen=True)
class KeepAlive:
    """A client wants its lease extended."""

    id: int
    lease: str


@dataclass(frozen=True)
class Operator:
    """A person's order: create | promote | give_up | switch | unschedule | pause | resume | remove | readmit.

    ``node``: whom it names; ``text``: reason, cluster id, or who pauses; ``at``: wall-clock seconds at which to switch, 0 for now.
    ``force``: even if something may be lost; of a switch: also to a node that would not serve in full.
    """

    id: int
    order: str
    node: str = ""
    text: str = ""
    force: bool = False
    at: float = 0.0


@dataclass(frozen=True)
class DriverHello:
    """A driver has connected. ``session`` names its connection, and is never used again."""

    session: int
    id: str
    options: Options


@dataclass(frozen=True)
class DriverGone:
    session: int


@dataclass(frozen=True)
class DriverDone:
    """A driver's answer to the DriverOrder ``number``."""

    session: int
    number: int
    ok: bool
    message: str


@dataclass(frozen=True)
class DriverStopped:
    """A driver stopped without an order; ``ending``: so does its process, in good order."""

    session: int
    message: str
    ending: bool = False


@dataclass(frozen=True)
class DriverHealth:
    """A driver has checked its service."""

    session: int
    ok: bool
    message: str


@dataclass(frozen=True)
class DriversExpected:
    """The drivers that are configured on this node, connected or not."""

    drivers: Dict[str, Options]


Event = Union[
    Started, Tick, Flush, RecordRead, SwapAnswer, DcsHealth, Received, LinkUp, LinkDown, Stored, SnapshotFetched,
    SnapshotInstalled, TwinSeen, BlobStored, BlobUnavailable, ReleaseNotice, Released, Submit, KeepAlive, Operator, DriverHello,
    DriverGone, DriverDone, DriverStopped, DriverHealth, DriversExpected, VipHealth,
    DiskRoom, GoOn,
]  # fmt: skip


# --- commands -------------------------------------------------------------------------------------------------------


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
    """Do a linearizable read of the record; answer with RecordRead."""


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
class Outcome:
    """A change is committed: the documents as it left them (None: deleted).

    ``said``: what an order's answer says beside them (coordination.answer); a repeat gets the same.
    """

    documents: Tuple[Optional[Document], ...]
    replayed: bool = False
    said: Optional[Dict[str, Any]] = None


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
    """Tell a driver to start or stop; answer with DriverDone. ``deadline``: see docs/driver-protocol.md."""

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
