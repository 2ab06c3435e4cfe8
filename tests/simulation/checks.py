# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold in every simulated history. A violation raises ``Violation``; the seed replays it.

I1: every acknowledged write stays in the committed log. I2: no two different entries are ever committed at one place.
I3: of the acknowledged compare-and-patches of one document each found the value that the one before it left, and nothing
that was answered is older than what was acknowledged before the question. I4: no two hosts hold the VIP at once, and no two
clients believe at once that they hold a lock. I5: see drivers.py. At the end the role is where the VIP works and the disk has room.
"""

from __future__ import annotations

from dataclasses import dataclass

from baton.core.model.requests import Outcome
from baton.core.roles.able import PAUSE
from baton.ground.problem import Problem
from simulation.locks import Believers, Works


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass
class Write:
    """One request of a client. ``position``: the seq of its entry once acknowledged."""

    value: str
    expected: str
    register: str
    asked_at: float
    floor: int  # the newest acknowledged seq on this register when it was asked
    position: int = 0


class Checks:
    def __init__(self, world):
        self.world = world
        self.committed = {}  # seq → position, as any node committed it
        self.values = {}  # (register, value) → the entry that wrote it, once committed anywhere
        self.highest = {}  # host → commit that was checked
        self.open = {}  # request id → Write
        self.acknowledged = []
        self.floor = {}  # register → newest acknowledged seq
        self.refused = 0
        self.unknown = 0
        self.epochs = {}
        self.lost_races = 0
        self.reads = 0
        self.drivers = 0  # starts of drivers
        self.others = {}  # request id → who is told the result
        self.believers = Believers(self)
        self.works = Works(self)
        self.forked = False  # two histories, by a person's force or a store that was restored
        self.outside = set()  # hosts that a person has to help: they need not be in sync at the end
        self.leases = True  # what leases promise ends with a force

    def fail(self, text):
        raise Violation(f"seed {self.world.seed}, t={self.world.now:.3f}: {text}")

    # --- the log ---

    def after_event(self, host):
        node = host.node
        if node is None:
            return
        state = node.state
        key = (host.name, state.incarnation, host.life)
        done = self.highest.get(key, state.log.start.seq)
        if state.commit <= done:
            return
        for seq in range(done + 1, state.commit + 1):
            position = state.log.position(seq)
            if position is None:
                continue
            entry = state.log.get(seq)
            for effect in entry.body.get("effects", ()) if entry is not None else ():
                for op in effect.get("ops") or () if (effect["kind"], effect["key"]) == ("profiles", "p") else ():
                    self.values[(op["path"].rpartition("/")[2], op["value"])] = seq
            known = self.committed.setdefault(seq, position)
            if known != position and not self.forked:
                self.fail(f"{host.name} committed {position} where {known} was committed")
        self.highest[key] = state.commit

    def record_written(self, record):
        known = self.epochs.setdefault(record.epoch.number, record.epoch.id)
        if known != record.epoch.id and not self.forked:
            self.fail(f"epoch {record.epoch.number} was given twice")

    # --- leases ---

    def driver_starts(self, host, service):
        """I5: a service starts only where and when nothing of it runs, here or elsewhere."""
        self.drivers += 1
        for other in self.world.hosts.values():
            if other.drivers.services[service.name].running:
                self.fail(f"driver {service.name} starts on {host.name} while it runs on {other.name}: {self.describe()}")

    def vip(self, host, taken=False):
        """``host`` may hold the VIP from now on: nobody else's guard may still leave it in place."""
        if taken and host.drivers is not None and host.drivers.configured:
            for service in host.drivers.services.values():
                if service.options.pre_active and service.active_in != host.node.record.epoch.number:
                    self.fail(f"{host.name} takes the VIP before its driver {service.name} was active")
        for other in self.world.hosts.values():
            if self.leases and other is not host and other.vip_until > other.clock():
                left = other.vip_until - other.clock()
                self.fail(f"{host.name} takes the VIP while {other.name} may hold it for {left:.3f} s: {self.describe()}")

    def read(self, host, register):
        """A strong read: no older than what was acknowledged before it was asked."""
        document = host.node.state.heads.committed("profiles", "p")
        if document is None or not self.leases:
            return
        self.reads += 1
        value = document.value["Params"].get(register, "")
        place = self.values.get((register, value), 0) if value else 0
        if place < self.floor.get(register, 0):
            self.fail(f"{host.name} serves {register}={value!r} of entry {place}; entry {self.floor[register]} was acknowledged before")

    # --- clients ---

    def asked(self, number, write):
        self.open[number] = write

    def reply(self, host, command):
        answered = self.others.pop(command.id, None)
        if answered is not None:
            answered(command.result)
            return
        write = self.open.pop(command.id, None)
        if write is None:
            return
        result = command.result
        if isinstance(result, Outcome):
            document = result.documents[0]
            write.position = int(document.revision.partition(".")[2])
            self._check_copies(host, write)
            if document.value["Params"].get(write.register) != write.value:
                self.fail(f"the answer to {write} has another value: {document.value}")
            self._acknowledge(write)
        elif isinstance(result, Problem) and result.status == 409 and result.code == "test_failed":
            self.lost_races += 1
            self._check_found(write, result.extra.get("found"))
        elif isinstance(result, Problem) and result.extra.get("outcome") == "unknown":
            self.unknown += 1
        else:
            self.refused += 1

    def _check_copies(self, host, write):
        """Mode strict: what is acknowledged is on as many disks as were promised."""
        record = host.node.record
        copies = [h for h in self.world.hosts.values() if _has(h.disk.saved, write.position)]
        lately = self.world.now - self.world.destroyed_at < 5  # a disk that had it may be gone by now
        if record.mode == "strict" and len(copies) < record.min_in_sync and not lately:
            self.fail(f"strict acknowledged {write}, which {len(copies)} of {record.min_in_sync} disks have")

    def _acknowledge(self, write):
        if write.position not in self.committed:
            self.fail(f"acknowledged {write}, which nobody has committed")
        if write.position <= write.floor:
            self.fail(f"{write} took effect before a write that was acknowledged before it was asked")
        self.acknowledged.append(write)
        self.floor[write.register] = max(self.floor.get(write.register, 0), write.position)

    def _check_found(self, write, found):
        """A lost race must have met a value that is committed by now, no older than what was acknowledged, and not its own."""
        if found == write.value:
            self.fail(f"{write} lost against itself: a lost reply that looks like a lost race")
        place = self.values.get((write.register, found))
        if found and place is None:
            self.fail(f"the lost race of {write} saw {found}, which is not committed")
        if place is not None and place < write.floor:
            self.fail(f"the lost race of {write} saw {found} (entry {place}), older than entry {write.floor}")

    # --- the end ---

    def finish(self):
        """After everything was mended: all nodes agree, and every acknowledged write is there, in order."""
        active = self.world.active()
        if active is None:
            self.fail(f"nobody serves at the end: {self.describe()}")
        state = active.node.state
        for seq, position in self.committed.items():
            mine = state.log.position(seq)
            if seq > state.log.start.seq and mine != position:
                self.fail(f"entry {position} was committed; the active has {mine}")
        self._check_in_sync(active)
        self._check_able(active)
        if state.commit < max(self.committed, default=0):
            self.fail(f"the active ends at {state.commit}, {max(self.committed)} was committed")
        self._check_chains(state)

    def _check_in_sync(self, active):
        """With nothing in their way, all who run have joined: a cluster that never does proves nothing of joining."""
        for host in self.world.hosts.values():
            if host.node is None or active.node.state.heads.committed("removed", host.name) is not None:
                continue
            if host.node.me not in active.node.record.in_sync:
                self.fail(f"{host.name} is not in sync at the end: {self.describe()}")
            missing = {document.value["Sha256"] for document in host.node.state.heads.list("files")} - host.disk.blobs
            if missing:
                self.fail(f"{host.name} is in sync without the contents {missing}")
        for name in self.outside:
            if name in active.node.standing.members():
                self.fail(f"{name} was removed, and is back by itself: {self.describe()}")

    def _check_able(self, active):
        """With nothing in the way, the role is where the VIP works, if it works anywhere, and of those where there is room."""
        if not self.world.shared or active.node.record.paused:
            return
        for host in self.world.hosts.values():
            may = host.node is not None and host.node.me in active.node.record.in_sync and not host.node.config.no_failover
            room = may and host.node.able.room
            # Room that has just come back does not count yet.
            there = may and not host.node.standing.full and host.clock() - room._said > PAUSE + 1
            if may and (not host.unable, there) > (not active.unable, not active.full):
                self.fail(f"{active.name} is active at the end, {host.name} would serve better: {self.describe()}")

    def _check_chains(self, state):
        """Replay the log: every acknowledged compare-and-patch found just what it expected."""
        values = {}  # empty where the log no longer has the beginning: then the first value is unknown
        whole = state.log.start.seq == 0
        at = {}
        for entry in state.log.after(state.log.start.seq):
            for effect in entry.body.get("effects", ()):
                for op in effect.get("ops") or () if (effect["kind"], effect["key"]) == ("profiles", "p") else ():
                    register = op["path"].rpartition("/")[2]
                    at[entry.seq] = (register, values.get(register, "" if whole else None), op["value"])
                    values[register] = op["value"]
        for write in self.acknowledged:
            if write.position <= state.log.start.seq:
                continue
            found = at.get(write.position)
            if found is None or found[1] not in (write.expected, None) or found[::2] != (write.register, write.value):
                self.fail(f"acknowledged {write}; the log has {found}")
        seen = [value for _register, _old, value in at.values()]
        if len(seen) != len(set(seen)):
            self.fail("a write took effect twice")

    def describe(self):
        lines = []
        for host in self.world.hosts.values():
            node = host.node
            if node is None:
                lines.append(f"{host.name}: down")
                continue
            lines.append(
                f"{host.name}: {node.role} trouble={node.trouble!r} refused={node.following.refused!r} "
                f"promised={node.state.promised} end={node.state.log.end} commit={node.state.commit} noted={node.state.noted} "
                f"version={node.state.version} swap={node.swap and node.swap.purpose} "
                f"unable={node.standing.unable!r} full={node.standing.full!r} "
                f"reign={node.leading and (node.leading.counted(), node.leading.followers.by_node, node.leading.trouble)}"
            )
        record = self.world.store.record if self.world.shared else {h.name: h.disk.record for h in self.world.hosts.values()}
        return "\n  ".join(["", *lines, f"record: {record}"])


def _has(saved, seq):
    return (saved.entries[-1].seq if saved.entries else saved.log_start.seq) >= seq
