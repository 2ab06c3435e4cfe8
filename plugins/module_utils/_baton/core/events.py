# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that goes into the core. Pure data.

The shell feeds events to ``Node.handle`` with the time they came in and carries out the commands (commands.py) in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Dict, Optional, Union

from .model.driver_options import Options
from .model.log import NO_EPOCH, Epoch
from .model.messages import Message
from .model.record import Record
from .model.reigns import NO_REIGNS, Reigns
from .model.requests import KeepAlive, Submit
from .model.saved import Saved
from .state.loaded import Loaded


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
    """What a linearizable read of the DCS, a peer (``manual``) or, ``watched``, the store by itself told.

    ``proven``: the store would have taken a swap at this moment.
    """

    version: int
    record: Optional[Record]
    watched: bool = False
    proven: bool = False


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


class Order(str, Enum):
    """What a person can order of a node."""

    CREATE = "create"
    PROMOTE = "promote"
    GIVE_UP = "give_up"
    SWITCH = "switch"
    UNSCHEDULE = "unschedule"
    PAUSE = "pause"
    RESUME = "resume"
    REMOVE = "remove"
    READMIT = "readmit"


@dataclass(frozen=True)
class Operator:
    """A person's order.

    ``node``: whom it names; ``text``: reason, cluster id, or who pauses; ``at``: wall-clock seconds at which to switch, 0 for now.
    ``force``: even if something may be lost; of a switch: also to a node that would not serve in full.
    """

    id: int
    order: Order
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
