# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated Galera servers: what is on their disks, and what they are while they run.

As Galera was measured: what a server has applied is on its disk; what it has received and not applied is gone with its process. A
server that can't have what it lacks from another's cache ends. So does one that meets no primary component for long.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from simulation.datastores.servers import Process

SYNCED, JOINER, NOWHERE = "Synced", "Joiner", "Initialized"
FENCED_AFTER = 2.45  # seconds after it froze: 2.25 of its host's clock, and what a guard needs
NEVER = "it will never receive what it lacks"


@dataclass(eq=False)
class Server(Process):
    """On its disk: ``ours``, our marker; ``foreign``, what is not ours; ``data``, it has some; ``uuid``, of its history, "" where it is
    not known; ``log``, what it has applied: numbers of transactions, and one below zero for each view.

    While it runs: ``group``, its name; ``view``; ``state``; ``relay``, received in order and not applied; ``base``, of a joiner: where
    what it receives begins; ``cache``: from where on it can give others what they lack; one that ``remembers`` can do so when it is
    started again, too. ``ended``: why it ended by itself.
    """

    id: str
    host: str
    ours: bool = False
    foreign: bool = False
    arbiter: bool = False
    data: bool = False
    uuid: str = ""
    log: list = field(default_factory=list)
    group: str = ""
    view: object = None
    state: str = NOWHERE
    relay: list = field(default_factory=list)
    base: int = 0
    cache: int = 0
    remembers: bool = False
    knows: set = field(default_factory=set)
    told: dict = field(default_factory=dict)  # who was forgotten: id → its life then; it is put out
    ended: str = ""
    stalled: bool = False
    began: float = 0.0  # to look for a primary component
    fenced: float = float("inf")  # from when on it serves nothing that is stale: it was frozen in this view
    now: object = None  # a clock

    def __post_init__(self):
        super().__init__()

    def begin(self, group, knows, now):
        """Its process starts; it is in no view yet."""
        super().start()
        self.group, self.knows, self.ended = group, {self.host, *knows}, ""
        self.view, self.state, self.relay, self.stalled = None, NOWHERE, [], False
        self.began, self.fenced = now, float("inf")
        self.cache = self.cache if self.remembers else len(self.log)

    def kill(self):
        super().kill()
        self.view, self.state, self.relay = None, NOWHERE, []

    def freeze(self):
        if self.runs:
            self.fenced = self.now() + FENCED_AFTER
        return super().freeze()

    @property
    def is_in(self):
        """Whether it believes that it is in a primary component, with all that was written there."""
        return self.up and self.view is not None and self.view.primary and self.state == SYNCED

    @property
    def serves(self):
        return self.is_in and self.runs and not self.arbiter

    @property
    def received(self):
        return len(self.log) + len(self.relay)

    def has(self):
        return self.log + self.relay

    def apply(self, many):
        """Apply some of what was received; one that lacks what was before that can't."""
        if self.state != JOINER:
            self.log += self.relay[:many]
            del self.relay[:many]

    def wipe(self):
        self.kill()
        self.ours, self.data, self.uuid, self.log, self.cache = False, False, "", [], 0
