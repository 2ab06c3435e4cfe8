# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One schedule: clients that compare and patch, an operator, and faults, all decided by a seed."""

from __future__ import annotations

import random

from baton.core import events as ev
from baton.core.model.documents import Change
from baton.core.model.requests import Idempotency, Outcome
from simulation.checks import Write
from simulation.clients import Keeper, Reader
from simulation.evil import Evil
from simulation.locks import LockClient, OnceClient, SeatClient
from simulation.world import Trouble, World

REGISTERS = ("a", "b")
LENGTH = 20.0
EVIL_EVERY = 4  # of so many schedules one has a peer that lies
ONCE_EVERY = 9  # of so many schedules one has clients that do something once


class Schedule:
    def __init__(self, seed):
        dice = random.Random(f"schedule {seed}")
        nodes = dice.choice((1, 2, 2, 2, 3, 3, 3, 3, 4, 5, 6, 7))
        shared = dice.random() < 0.7
        trouble = Trouble(
            loss=dice.choice((0, 0, 0.02, 0.1)),
            late_copies=dice.choice((0, 0, 0.02, 0.1)),
            lost_replies=dice.choice((0, 0.2, 0.5)),
            late_swaps=dice.choice((0, 0.1, 0.4)),
            stale_watches=dice.choice((0, 0, 0.3)),
            damage=dice.choice((0, 0, 0, 0.002)),
            fault_every=dice.choice((0.7, 1.5, 3.0)),
        )
        strict = {"mode": "strict", "min_in_sync": 2} if nodes > 1 and dice.random() < 0.15 else {}
        self.world = World(seed, nodes, shared, trouble, **strict)
        self.dice = self.world.dice
        self.requests = 0
        self.guess = dict.fromkeys(REGISTERS, "")
        self.faults = True
        self.clients_until = LENGTH
        self.switched_at = -100.0
        self.seats = seed % 13 == 0
        self.evil_every = random.Random(f"how evil {seed}").choice((0.02, 0.2, 1.0))
        self.interfaces = random.Random(f"interfaces {seed}") if seed % 3 == 1 else None
        self.disks = random.Random(f"disks {seed}") if seed % 7 == 3 else None
        self.forces = dice.random() < 0.2  # an operator who forces, after which leases promise nothing
        self.world.checks.leases = not self.forces

    # --- set up ---

    def run(self):
        world = self.world
        for host in world.hosts.values():
            host.start()
        if not world.shared:
            world.after(0.1, lambda: world.hosts["n1"].give(ev.Operator(self._id(), "create", text="c1")))
        if not world.run_while(lambda: world.active() is None, 60):
            world.checks.fail(f"no cluster came up: {world.checks.describe()}")
        self._make_document()
        for _client in range(self.dice.randint(1, 4)):
            self._client()
        self.readers = [Reader(self), Keeper(self)]
        for client in self.readers:
            client.step()
        for number in range(self.dice.choice((0, 2, 3))):
            (SeatClient if self.seats else LockClient)(self, number).step()
        for number in range(4 if world.seed % ONCE_EVERY == 0 else 0):
            OnceClient(self, 10 + number).step()
        world.after(self.dice.expovariate(1 / world.trouble.fault_every), self._fault)
        if self.interfaces is not None:
            self._fault_interface()
        if self.disks is not None:
            self._fault_room()
        if world.seed % EVIL_EVERY == 3:
            Evil(world, world.seed, self.evil_every, lambda: self.faults).act()
        world.run_until(world.now + LENGTH)
        self._mend()
        return world.checks

    def _id(self):
        self.requests += 1
        return self.requests

    def _make_document(self):
        world = self.world

        def make():
            host = world.active()
            if host is not None and host.node.state.heads.committed("profiles", "p") is None:
                change = Change("profiles", "p", "put", {"Params": dict.fromkeys(REGISTERS, "")})
                host.give(ev.Submit(self._id(), (change,), world.now))
            return not any(h.node and h.node.state.heads.committed("profiles", "p") for h in world.hosts.values())

        world.run_while(make, 20)

    # --- clients ---

    def _client(self):
        world = self.world
        if world.now > self.clients_until + 2 or not self.faults:
            return
        host = self.dice.choice(list(world.hosts.values()))
        register = self.dice.choice(REGISTERS)
        if host.node is not None and not host.is_frozen and host.node.leading is not None:
            document = host.node.state.heads.committed("profiles", "p")
            if document is not None and host.node.serving(host.clock()):
                self.world.checks.read(host, register)
            if document is not None:
                self._compare_and_patch(host, register, document.value["Params"].get(register, ""))
        world.after(self.dice.expovariate(20), self._client)

    def _compare_and_patch(self, host, register, expected):
        number = self._id()
        value = f"v{number}"
        floor = self.world.checks.floor.get(register, 0)
        if self.dice.random() < 0.15:
            expected = f"v{self.dice.randint(1, number)}"  # a wrong guess
        body = [
            {"op": "test", "path": f"/Params/{register}", "value": expected},
            {"op": "replace", "path": f"/Params/{register}", "value": value},
        ]
        key = Idempotency(f"key{number}", "f")
        self.world.checks.asked(number, Write(value, expected, register, self.world.now, floor))
        blobs = ()
        if self.dice.random() < 0.05:
            host.disk.blobs.add(f"blob{number}")
            blobs = (f"blob{number}",)
        request = ev.Submit(number, (Change("profiles", "p", "patch", body),), 0.0, key, None, blobs)
        host.give(request)
        if self.dice.random() < 0.2:
            self._repeat(number, request)

    def _repeat(self, number, request):
        """The client got no reply: the same request again, perhaps at another node."""

        def again():
            host = self.dice.choice(list(self.world.hosts.values()))
            if number in self.world.checks.open and host.node is not None and host.node.leading is not None:
                host.give(request)

        self.world.after(self.dice.uniform(0.01, 2), again)

    # --- faults ---

    def _fault(self):
        if not self.faults:
            return
        world, dice = self.world, self.dice
        host = dice.choice(list(world.hosts.values()))
        fault = dice.choice(
            ("crash", "crash", "cut", "cut", "one_way", "freeze", "heal", "heal", "switch", "switch", "promote", "outage", "wipe",
             "crash_active", "crash_active", "link", "snapshot", "power", "power", "freeze_active", "cut_active", "pause",
             "late_promotion", "late_promotion", "deadly_swap", "frozen_switch", "slow", "clock", "set_back", "remove", "restart_in_outage")
        )  # fmt: skip
        getattr(self, "_fault_" + fault)(host)
        world.after(dice.expovariate(1 / world.trouble.fault_every), self._fault)

    def _fault_crash(self, host):
        if host.node is not None:
            host.crash(notice=self.dice.random() < 0.7)
            self.world.after(self.dice.choice((0.05, 0.5, 2, 5)), lambda: host.node is None and host.start())

    def _fault_crash_active(self, host):
        self._fault_crash(self.world.active() or host)

    def _fault_freeze_active(self, host):
        self._fault_freeze(self.world.active() or host)

    def _fault_cut_active(self, host):
        self._fault_cut(self.world.active() or host)

    def _fault_late_promotion(self, host):
        """The active freezes or is cut off, from the store for longer; a passive tries, and its swap lands when the active is back."""
        host = self.world.active() or host
        self.world.store.next_is_late = True
        gone = self.dice.uniform(2.5, 4.5)
        if self.dice.random() < 0.4 and host.node is not None and not host.is_frozen:
            host.is_frozen = True
            life = host.life
            self.world.after(gone, lambda: host.life == life and host.thaw())
        else:
            self._fault_cut(host)
            self.world.after(gone, self.world.cut.clear)
            self.world.store.cut.add(host.name)
            self.world.after(gone + self.dice.uniform(1, 5), self.world.store.cut.clear)
        if self.dice.random() < 0.5:
            self.world.store.next_kills = True

    def _fault_deadly_swap(self, _host):
        """Whoever sends the next swap dies right after it."""
        self.world.store.next_kills = True

    def _fault_pause(self, host):
        host = self.world.active() or host
        host.give(ev.Operator(self._id(), "pause"))
        self.world.after(self.dice.uniform(1, 5), self._resume)

    def _resume(self):
        host = self.world.active()
        if host is not None:
            host.give(ev.Operator(self._id(), "resume"))

    def _fault_power(self, host):
        """All machines at once, or all but one; the survivor may be promoted before the others are back."""
        spared = self.dice.choice((None, host))
        for other in self.world.hosts.values():
            if other is not spared:
                self._fault_crash(other)
        # Whoever is back first, or never was gone, is made active: its disk has to be enough.
        for delay in (0.02, 0.15, 0.3):
            self.world.after(delay, lambda: self._fault_promote(host))

    def _fault_cut(self, host):
        for other in self.world.hosts:
            if other != host.name:
                self.world.cut.update({(host.name, other), (other, host.name)})

    def _fault_one_way(self, host):
        other = self.dice.choice(list(self.world.hosts))
        if other != host.name:
            self.world.cut.add((host.name, other))

    def _fault_heal(self, _host):
        self.world.cut.clear()

    def _fault_link(self, host):
        other = self.dice.choice(list(self.world.hosts.values()))
        if other is not host:
            host.give(ev.LinkDown(other.name))
            host.give(ev.LinkUp(other.name))

    def _fault_freeze(self, host):
        if host.node is not None and not host.is_frozen:
            host.is_frozen = True
            life = host.life
            self.world.after(self.dice.choice((0.3, 1.5, 4)), lambda: host.life == life and host.thaw())

    def _fault_outage(self, _host):
        kind = self.dice.random()
        if kind < 0.4:
            self.world.store.down = True
        elif kind < 0.5:
            self.world.store.full = True
        else:
            self.world.store.cut.update(name for name in self.world.hosts if self.dice.random() < 0.5)
        self.world.after(self.dice.uniform(0.5, 4), self._store_up)

    def _store_up(self):
        self.world.store.has_room()
        self.world.store.down = False
        self.world.store.cut.clear()

    def _fault_switch(self, _host):
        host = self.world.active()
        self.switched_at = self.world.now
        if host is not None:
            order = self.dice.choice(("switch", "switch", "give_up"))
            host.give(ev.Operator(self._id(), order, ""))
            if order == "give_up":
                self.world.after(self.dice.uniform(0.1, 1), self._promote_vacant)

    def _fault_frozen_switch(self, _host):
        """The active freezes somewhere in the middle of handing over: what it had not given up by then, it has until its lease ends."""
        host = self.world.active()
        if host is not None:
            host.give(ev.Operator(self._id(), "switch", ""))
            self.world.after(self.dice.uniform(0.001, 0.05), lambda: self._fault_freeze(host))

    def _promote_vacant(self):
        for host in self.world.hosts.values():
            if host.node is not None and not host.is_frozen and host.node.in_sync() and not host.node.record.active:
                host.give(ev.Operator(self._id(), "promote"))

    def _fault_promote(self, host):
        """By hand, at any time, of a node that believes to be in sync: safe where the store is shared."""
        if self.forces and self.world.shared and host.node is not None and not host.is_frozen and host.node.in_sync():
            host.give(ev.Operator(self._id(), "promote", force=True))

    def _fault_slow(self, host):
        """The way to one host takes few bytes a second for a while."""
        for other in self.world.hosts:
            self.world.bandwidth[(other, host.name)] = self.dice.choice((1_000, 5_000, 20_000))
        self.world.after(self.dice.uniform(1, 6), self.world.speed_up)

    def _fault_clock(self, host):
        """A wall clock is set, right or wrong."""
        host.wall_off = self.dice.choice((0, 0, 900, -900, 40_000))

    def _fault_interface(self):
        """The VIP's interface of a host dies or comes back, of the active above all; in every third schedule, beside the other faults."""
        if not self.faults:
            return
        dice = self.interfaces
        hosts = list(self.world.hosts.values())
        host = self.world.active() if dice.random() < 0.5 else dice.choice(hosts)
        if host is not None:
            host.interface(bool(host.unable))
        self.world.after(dice.expovariate(1 / dice.choice((0.1, 1, 3))), self._fault_interface)

    def _fault_room(self):
        """The disk of a host is full, or has room again, that of the active above all; in every seventh schedule, beside the others."""
        if not self.faults:
            return
        dice = self.disks
        host = self.world.active() if dice.random() < 0.5 else dice.choice(list(self.world.hosts.values()))
        if host is not None:
            host.room(host.full)
        self.world.after(dice.expovariate(1 / dice.choice((0.1, 1, 3))), self._fault_room)

    def _fault_restart_in_outage(self, host):
        self._fault_outage(host)
        self._fault_crash(host)

    def _fault_remove(self, host):
        """A host is taken out of service and out of the cluster, while it is not in sync."""
        active = self.world.active()
        if active is None or host is active or host.name in self.world.checks.outside or len(self.world.hosts) < 3:
            return
        if active.node.record.member(host.name) is not None:
            return
        host.crash()
        active.give(ev.LinkDown(host.name))
        number = self._id()
        self.world.checks.others[number] = lambda result: isinstance(result, Outcome) and self.world.checks.outside.add(host.name)
        active.give(ev.Operator(number, "remove", host.name))
        self.world.after(self.dice.choice((0.05, 1)), lambda: host.node is None and host.start())

    def _fault_set_back(self, host):
        """A passive comes back with the disk that it had before the record's floor: that is seen, whoever is there to see it."""
        for other in self.world.hosts.values():
            if other.node is not None and self.dice.random() < 0.5:
                other.back_up()
        record = self.world.store.record
        if not self.world.shared or record is None or host.name in (record.active, record.holder) or host.disk.saved.noted >= 0:
            return
        mine = host.disk.saved
        below = [c for c in host.copies if c.saved.incarnation == mine.incarnation and _end(c.saved) < record.floor and c.saved.noted < 0]
        if below and not self._last_copy(host, record):
            host.set_back(self.dice.choice(below))
            self.world.after(self.dice.choice((0.05, 1)), lambda: host.node is None and host.start())

    def _fault_wipe(self, host):
        """A disk is replaced: only ever while another in-sync disk survives (I1 promises no more)."""
        records = [other.disk.record for other in self.world.hosts.values()]
        record = self.world.store.record if self.world.shared else max(records, key=lambda item: item[0])[1]
        if record is None or host.name in (record.active, record.holder):
            return
        if self._last_copy(host, record):
            return
        host.wipe()
        self.world.after(self.dice.choice((0.05, 1)), lambda: host.node is None and host.start())

    def _last_copy(self, host, record):
        """Whether this may be the last disk that has every acknowledged write: I1 promises nothing without it."""
        others = [other for other in self.world.hosts.values() if other is not host and not other.damaged]
        disks = {(other.name, other.disk.saved.incarnation) for other in others}
        switching = any(h.node and h.node.leading and h.node.leading.handover for h in self.world.hosts.values())
        # Without a shared store the successor may be the only one who knows that it is one.
        switching = switching or (not self.world.shared and self.world.now < self.switched_at + 12)
        switching = switching or any(r.active != record.active for r in self.world.store.under_way)
        return switching or not disks.intersection(record.in_sync)

    def _fault_snapshot(self, host):
        """Let a log forget its beginning, so that who was away needs a snapshot."""
        if host.node is not None and host.node.leading is not None:
            state = host.node.state
            if state.commit > state.log.start.seq + 5 and state._checkpointed <= state.commit:
                state._checkpoint(state.commit)

    # --- the end ---

    def _mend(self):
        """Stop all faults; then the cluster must come back by itself, or by an operator where only a person may decide."""
        world = self.world
        self.faults = False
        world.cut.clear()
        world.speed_up()
        world.store.has_room()
        world.store.down = False
        world.store.cut.clear()
        world.trouble = Trouble()
        for host in world.hosts.values():
            if self.interfaces is not None:
                host.interface(self.interfaces.random() < 0.5)
            if self.disks is not None:
                host.room(self.disks.random() < 0.5)
            if host.drivers is not None:
                host.drivers.troubles = 0.0
            if host.node is None:
                host.start()
            elif host.is_frozen:
                host.thaw()
        world.run_until(world.now + 15)
        for _attempt in range(5):
            if world.active() is not None:
                break
            self._promote_vacant()  # the one thing left to a person; and with a pause, everything is
            world.run_until(world.now + 3)
            if world.active() is None and world.shared and world.store.record.paused:
                self._promote_any()
                world.run_until(world.now + 6)
        world.run_until(world.now + 3)
        world.checks.finish()

    def _promote_any(self):
        record = self.world.store.record
        for member in record.in_sync:
            host = self.world.hosts[member.node]
            if host.node is not None and host.node.in_sync():
                host.give(ev.Operator(self._id(), "promote", force=True))
                return


def _end(saved):
    return saved.entries[-1].seq if saved.entries else saved.log_start.seq
