# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated database servers: a binary log, a relay log that a restart throws away, and semi-synchronous commits.

As MariaDB was measured: a commit is in the log before it is acknowledged; a replica acknowledges what it has received, not what it has
applied; a server that is started again is read-only, and has lost what it had received and not applied.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class Process:
    """What can be killed, frozen and thawed. What is for it while it is frozen waits; a process that died hears nothing of it.

    ``runs``: it is up, and not frozen.
    """

    def __init__(self):
        self.up = self.runs = False
        self._freezes = 0  # who thaws it may not be the only one who froze it
        self.life = 0
        self._waiting = []

    def start(self):
        self.up, self.runs, self._freezes, self.life, self._waiting = True, True, 0, self.life + 1, []

    def kill(self):
        self.up, self.runs, self._freezes, self._waiting = False, False, 0, []

    def freeze(self):
        """Return what thaws it, but for who else has frozen it, and unless it has died meanwhile."""
        life = self.life
        self._freezes, self.runs = self._freezes + self.up, False
        return lambda: self.thaw(life)

    def thaw(self, life=None):
        if life not in (None, self.life) or not self.up:
            return
        self._freezes = max(0, self._freezes - 1)
        if self.frozen:
            return
        self.runs = True
        waiting, self._waiting = self._waiting, []
        for act, args in waiting:
            act(*args)

    @property
    def frozen(self):
        return self._freezes > 0

    def deliver(self, life, act, *args):
        if self.life != life:
            return
        if self.runs:
            act(*args)
        elif self.up:
            self._waiting.append((act, args))


@dataclass
class Server(Process):
    """``log``: transactions, by number; ``relay``: received, not applied; ``acks``: whose acknowledgements let a commit return;
    ``opened_for``: the set for which it took writes last; ``stalled``: it applies nothing for a while.
    """

    id: str
    log: list = field(default_factory=list)
    relay: list = field(default_factory=list)
    read_only: bool = True
    acks: frozenset = frozenset()
    follows: str = ""
    opened_for: str = ""
    stalled: bool = False
    whole: bool = True
    ours: bool = False  # there is our marker in its directory
    must_reach: int = 0  # entries that it needs to be whole again

    def __post_init__(self):
        super().__init__()
        self.commits = {}  # position → what is done when it has been acknowledged

    def start(self):
        super().start()
        self.whole = self.whole and not self.relay
        self.relay, self.read_only, self.acks, self.commits, self.follows = [], True, frozenset(), {}, ""
        self.stalled = False

    @property
    def writable(self):
        return self.runs and not self.read_only

    @property
    def received(self):
        return len(self.log) + len(self.relay)

    def has(self):
        return self.log + self.relay

    def goes_on_from(self, other, position):
        """Whether all that another has received, up to its position, is the beginning of our log.

        A number is written once, by one server, and comes to another one only behind what was before it: so the last one says it all.
        """
        if position == 0 or position > len(self.log):
            return position == 0
        return self.log[position - 1] == (other.relay or other.log)[-1]

    def write(self, number, then):
        """A client's transaction; ``then`` is called when its commit returns."""
        self.log.append(number)
        if self.acks:
            self.commits[len(self.log)] = then
        else:
            then()

    def acknowledged(self, replica, position):
        if replica in self.acks:
            self.release(position)

    def release(self, position):
        for at in sorted(at for at in self.commits if at <= position):
            self.commits.pop(at)()

    def close(self):
        """Take no writes; clients that wait are cut off, and know nothing."""
        self.read_only, self.commits = True, {}

    def wipe(self):
        self.kill()
        self.log, self.relay, self.ours, self.read_only, self.whole, self.must_reach, self.follows = [], [], False, True, True, 0, ""

    def apply(self, many):
        """Apply some of what was received; return whether nothing is left."""
        many = 0 if self.stalled else many
        self.log += self.relay[:many]
        del self.relay[:many]
        return not self.relay
