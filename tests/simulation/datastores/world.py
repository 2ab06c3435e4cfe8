# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated pool: managers and guests with the real engine, plan and tenures, over a store, servers and links that a seed plays with.

Its hosts are one set's; a replica that is detached is a set of its own until people delete it.
"""

from __future__ import annotations

import heapq
import random
from functools import cache

from baton.datastores.engine.case import Times
from baton.datastores.guest import orders, tenure
from baton.datastores.model.channel import End, Report
from baton.datastores.model.channel import Server as Said
from baton.datastores.model.replica_set import Member, ReplicaSet
from simulation.datastores.checks import Checks
from simulation.datastores.managers import Manager
from simulation.datastores.servers import Process, Server
from simulation.datastores.store import Store

SET = "s"
DELAYS = (0.001, 0.003, 0.003, 0.01, 0.01, 0.05)
AT_ONCE = range(1, 31)  # so many transactions travel
FOREVER = float("inf")
NO_WORK = orders.Work([], [])
SPARE = 0.4  # seconds before its lease's end in which a guest closes a server


class World:
    """``hosts``: h1 … hN, on each of which there may be one server of the set, m1 … mN."""

    def __init__(self, seed, hosts=4, lease=2.0):
        self.random = random.Random(seed)
        self._bits, self._draw = self.random.getrandbits, self.random.random
        self.sweeps = random.Random(seed)  # of its own, so that all else is as it would be without
        self.now = 0.0
        self.times = Times(lease, most_failovers=1000)
        self._events, self._number = [], 0
        self.store = Store(ReplicaSet(SET), [f"h{n + 1}" for n in range(hosts)], self.times, lambda: self.now)
        self.checks = Checks(self)
        self.gone = set()  # hosts that do not come back
        self.main, self.gathers = SET, False  # the set to which all are to belong in the end
        self.hosts = {name: Host(self, name, self.random.uniform(0.95, 1.05)) for name in self.store.channels}
        self.servers = [host.server for host in self.hosts.values()]
        self.homes = {host.server.id: host for host in self.hosts.values()}  # where a server is
        self.managers = [Manager(self, self.random.uniform(0.95, 1.05))]
        self.links = {}  # (host, host) → whether servers reach each other; the store is reached from all but ``cut``
        self.cut = set()
        self.transactions = 0
        self.people = None  # who asks for something: called with each case, and returns whether they did
        self.after(0.1, self._replicate)
        self.after(0.1, self._write)
        self.after(0.1, self._tick)

    # --- time -------------------------------------------------------------------------------------------------------------

    def after(self, seconds, act, *args):
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, act, args))

    def run(self, until):
        events, look = self._events, self.checks.look
        while events and events[0][0] <= until:
            self.now, _number, act, args = heapq.heappop(events)
            act(*args)
            look()
        self.now = until

    def _tick(self):
        self.store.tick()
        self.after(0.05, self._tick)

    def add_manager(self):
        self.managers.append(Manager(self, self.random.uniform(0.95, 1.05)))

    def travel(self):
        """How long a message takes. Asked ten thousand times a seed, so this is random.choice and random.uniform in short."""
        which = self._bits(3)
        while which >= len(DELAYS):
            which = self._bits(3)
        return DELAYS[which] * (0.5 + 1.5 * self._draw())

    # --- servers and clients ------------------------------------------------------------------------------------------------

    def reach(self, one, other):
        return not self.links or self.links.get((one, other), True) and self.links.get((other, one), True)

    def _write(self):
        """A client writes to whoever takes it, and keeps what was acknowledged."""
        for server in self.servers:
            if server.writable:
                self.transactions += 1
                number, of = self.transactions, self.checks.acknowledged.setdefault(server.opened_for, [])
                server.write(number, lambda number=number, of=of: of.append(number))
        self.after(self.random.uniform(0.01, 0.06), self._write)

    def _replicate(self):
        """A little of what each replica has not received travels to it, and its acknowledgement back."""
        for replica in self.servers:
            if not replica.runs:
                continue
            if replica.follows:
                source = self.homes[replica.follows]
                if source.server.runs and self.reach(self.homes[replica.id].name, source.name):
                    self._stream(source.server, replica)
            if replica.relay and self.random.random() < 0.5:
                replica.apply(self.random.randint(1, 5))
        self.after(self.random.uniform(0.005, 0.02), self._replicate)

    def _stream(self, source, replica):
        position = replica.received
        if not source.goes_on_from(replica, position):
            return  # it has diverged: the source refuses it
        many = self.random.choice(AT_ONCE)
        if position < len(source.log):
            replica.relay += source.log[position : position + many]
            position = replica.received
        replica.whole = replica.whole or position >= replica.must_reach
        delay = self.travel()
        if source.commits:  # else nobody waits for an acknowledgement
            self.after(delay, source.deliver, source.life, source.acknowledged, replica.id, position)


@cache
def _said(runs, of, whole):
    return Said(runs, "" if runs else "it does not answer", of, whole)


class Host:
    """A pool host: its server, its guest and the guest's guard. ``journal`` is on its disk."""

    def __init__(self, world, name, rate):
        self.world, self.name, self.rate = world, name, rate
        self.server = Server(f"m{name[1:]}")
        self.guest, self.guard = Process(), Process()
        self.journal = {"set": SET, "follow": None, "had": None, "reports": {}, "terms": {}}
        self.deadline = float("-inf")  # what the guard was told, on this host's clock
        self.start()

    @property
    def clock(self):
        return self.world.now * self.rate

    @property
    def set(self):
        """Of which its server is, as far as the guest knows."""
        return self.journal["set"]

    def request(self, act, then=None):
        """Send something to the store: it may get lost, on its way or back. Runs ``then`` with what it answered."""
        world = self.world
        lost_its_way = world.random.random() < 0.01  # it arrives long after everybody has stopped to expect it
        world.after(world.random.uniform(0.5, 4) if lost_its_way else world.travel(), self._arrive, self.guest.life, act, then)

    def _arrive(self, life, act, then):
        world = self.world
        if self.name in world.cut or world.random.random() < 0.02:
            return
        found = act()
        if then is not None and world.random.random() >= 0.02:
            world.after(world.travel(), self.guest.deliver, life, then, found)

    def soon(self, seconds, act, *args):
        """Have the guest do something, unless it dies before."""
        self.world.after(seconds, self.guest.deliver, self.guest.life, act, *args)

    # --- life ---------------------------------------------------------------------------------------------------------------

    def start(self):
        if self.name in self.world.gone:
            return
        if not self.guest.up:
            self.guest.start()
            self.tenures = tenure.Tenures(SPARE, [self.set] if self.server.ours else [])
            self.orders = orders.Orders(self.journal["reports"], self.journal["terms"])
            self.starting, self.restarting, self.read_at, self.channel = False, "", 0.0, None
            self.soon(0.02, self._poll)
            self.soon(0.01, self._renew)
        if not self.guard.up:
            self.guard.start()
            self.deadline = FOREVER  # nobody has told it anything
            self._guard()

    def freeze(self):
        """Freeze all of it; return what thaws it, the guard first."""
        return [process.freeze() for process in (self.guard, self.server, self.guest)]

    def power_off(self):
        for process in (self.server, self.guest, self.guard):
            process.kill()

    def _guard(self):
        """The guard kills what takes writes beyond the time that the guest has told it."""
        if self.server.up and not self.server.read_only and self.clock >= self.deadline:
            self.server.kill()
        wait = 0.05
        if self.clock < self.deadline < FOREVER:
            wait = min(wait, max(0.005, (self.deadline - self.clock) / self.rate))
        self.world.after(wait, self.guard.deliver, self.guard.life, self._guard)

    # --- the guest's loop -----------------------------------------------------------------------------------------------------

    def _renew(self):
        sent = self.clock

        def answered(ok):
            if ok:
                self.tenures.renewed(sent, self.world.times.lease)
                self._tell_guard()

        self.request(lambda: self.world.store.renew(self.name), answered)
        self.soon(self.world.times.lease / 8, self._renew)

    def _tell_guard(self):
        if self.tenures.holds(self.set):
            self.deadline = self.tenures.until

    def _poll(self):
        self._carry_out(self.tenures.tick(self.clock))
        self._watch()
        self.request(self._look, self._seen)
        self.soon(self.world.random.uniform(0.02, 0.06), self._poll)

    def _look(self):
        return None if self.world.store.out else (self.world.now, self.world.store.channels[self.name])

    def _watch(self):
        """Start the server that should run."""
        server = self.server
        if server.ours and not server.up and not self.starting and not self.restarting:
            self.tenures.died(self.set)
            self.starting = True
            self.soon(self.world.random.uniform(0.1, 0.6), self._start_server)

    def _say(self, channel):
        said = {self.server.id: _said(self.server.runs, self.set, self.server.whole)} if self.server.ours else {}
        if channel.servers != said:
            self.request(lambda: self.world.store.servers(self.name, said))

    def _start_server(self):
        self.starting = False
        if not self.server.up:
            self.server.start()
            self._follow_again()

    def _follow_again(self):
        if self.journal["follow"] is not None:
            self._connect(self.journal["follow"])

    def _connect(self, source):
        server, other = self.server, self.world.homes[source].server
        server.must_reach = len(other.log)
        server.follows = source

    def _seen(self, found):
        if found is None or found[0] < self.read_at:  # answers may come in another order: who reads looks at the revision
            return
        before, (self.read_at, channel) = self.channel, found
        self.channel = channel
        self._say(channel)
        work = NO_WORK
        if channel.orders or channel is not before:
            work = self.orders.seen(channel)
            self.journal["terms"] = dict(self.orders.terms)
        self._carry_out(self.tenures.seen(channel, self.clock))
        for key, report in work.tell:
            self._tell(key, report)
        for key, order in work.begin:
            self.soon(self.world.random.uniform(0.005, 0.1), self._do, key, order)

    def _tell(self, key, report):
        self.request(lambda: self.world.store.report(self.name, key, report))

    def _do(self, key, order):
        """Do an order; one that is not done yet is looked at again. A restart goes on once it has begun."""
        report = self._carried_out(order) if self.restarting or self.orders.stands(key) else Report("it is taken back")
        if report is None:
            self.soon(0.03, self._do, key, order)
            return
        self.orders.ended(key, order, report)
        self.journal["reports"] = dict(self.orders.reports)
        if key in self.orders.reports:
            self._tell(key, report)

    def _carried_out(self, order):
        """Of which set it is changes with its adoption alone, and with a server that is made anew."""
        if order.set != self.set and not self.server.ours:
            self.journal["set"] = order.set
        elif order.set != self.set and order.verb == "adopt":
            if self.tenures.holds(self.set):
                return None
            self.journal["set"] = order.set
        elif order.set != self.set and order.verb != "wipe":
            return Report(f"it is of set {self.set}")
        return self._verb(order.verb, order.args)

    # --- tenures ----------------------------------------------------------------------------------------------------------------

    def _carry_out(self, commands):
        for command in commands:
            if isinstance(command, tenure.Claim):
                self.request(lambda c=command: self.world.store.claim(self.name, c.set, c.term))
            elif isinstance(command, tenure.Open):
                self.soon(self.world.random.uniform(0.001, 0.02), self._open, command.set, command.grant)
            elif isinstance(command, tenure.Close):
                self._close(command.set)
            else:
                position = f"1-1-{len(self.server.log)}" if self.server.runs and self.set == command.set else ""
                end = End(command.term, position)
                self.request(lambda c=command, end=end: self.world.store.end(self.name, c.set, end))

    def _open(self, key, grant):
        server = self.server
        if not self.tenures.may_open(key, grant, self.clock) or not server.runs or self.set != key:
            return
        self.journal["follow"], server.follows = None, ""
        if not server.apply(len(server.relay)):
            return
        self.tenures.opened(key, grant)
        self._tell_guard()
        server.read_only, server.acks, server.opened_for = False, frozenset(grant.counted), key
        if not grant.counted:
            server.release(len(server.log))
        self.world.checks.opened(server)
        life = self.guest.life
        self.world.transactions += 1
        marker = self.world.transactions
        server.write(marker, lambda: self.guest.deliver(life, self._say_opened, key, grant))

    def _say_opened(self, key, grant):
        channel_says = self.world.store.channels[self.name].opened.get(key)
        if channel_says != grant and self.tenures.may_open(key, grant, self.clock):
            self.request(lambda: self.world.store.opened(self.name, key, grant))
            self.soon(0.2, self._say_opened, key, grant)

    def _close(self, key):
        if self.set != key:  # it has no server of that set
            self.tenures.closed(key)
        elif self.server.frozen:
            life = self.server.life

            def kill():
                if self.server.life == life and not self.server.read_only:
                    self.server.kill()
                self.tenures.closed(key)

            self.soon(SPARE * 0.9 / self.rate, kill)
        else:
            self.server.close()
            self.tenures.closed(key)

    # --- verbs --------------------------------------------------------------------------------------------------------------------

    def _verb(self, verb, args):
        """Return the report, or None while it is not done."""
        server, world = self.server, self.world
        if verb == "prepare":
            server.ours = True
            if not server.up:
                server.start()
            return Report()
        if verb == "wipe":
            world.checks.wiped(server)
            server.wipe()
            self.journal.update(follow=None, had=None)
            return Report()
        if verb == "restart":
            return self._restart()
        if not server.runs:
            return None if verb in ("send", "receive", "follow") else Report("its server does not run")
        return getattr(self, f"_{verb}")(args)

    def _restart(self):
        """Stop the server, then start it: it takes writes until it has stopped, and is not opened until it is back."""
        if not self.restarting:
            self.restarting = "stopping"
            self._begin_restart()
            self.soon(self.world.random.choice((0.1, 0.3, 1.5)) * self.world.random.uniform(0.5, 1.5), self._stop_server)
        if self.restarting != "done":
            return None
        self.restarting = ""
        self.tenures.quiesce(self.set, False)
        return Report()

    def _begin_restart(self):
        self.tenures.quiesce(self.set, True)

    def _stop_server(self):
        self.server.kill()
        self.tenures.died(self.set)
        self.soon(self.world.random.uniform(0.05, 0.4), self._start_again)

    def _start_again(self):
        if not self.server.up:
            self.server.start()
            self._follow_again()
        self.restarting = "done"

    def _configure(self, _args):
        return Report(found={"restart": []})

    def _adopt(self, _args):
        return Report()

    def _send(self, _args):
        return Report()

    def _receive(self, args):
        source = next((each for each in self.world.servers if each.writable and each.opened_for == self.set), None)
        if source is None:
            return None
        if self.server.log:
            self.world.checks.rebuilt(self.server)
        self.server.close()
        self.server.log, self.server.relay, self.server.whole = list(source.log), [], True
        return Report()

    def _follow(self, args):
        source = self.world.homes[args["source"]]
        if not source.server.runs or not self.world.reach(self.name, source.name):
            return None
        if not source.server.goes_on_from(self.server, self.server.received):
            return Report(found={"apart": True})
        self.server.close()
        self.journal["follow"] = args["source"]
        self._connect(args["source"])
        return Report()

    def _seal(self, _args):
        server = self.server
        if self.journal["follow"] is not None:
            self.journal["follow"], self.journal["had"] = None, server.received if server.whole else None
        server.follows, had = "", self.journal["had"]
        return Report(found={"received": f"1-1-{server.received}", "had": None if had is None else f"1-1-{had}"})

    def _drain(self, args):
        if not self.server.apply(len(self.server.relay)):
            return None
        lost = len(self.server.log) < int(args["position"].rpartition("-")[2])
        return Report("it was started anew, and lost what it had received" if lost else "")

    def _quiesce(self, _args):
        self.tenures.quiesce(self.set, True)
        self.server.read_only = True
        return Report(found={"position": f"1-1-{len(self.server.log)}"})

    def _resume(self, _args):
        self.tenures.quiesce(self.set, False)
        return Report()

    def _reach(self, args):
        want = int(args["position"].rpartition("-")[2])
        if self.server.received < want or not self.server.apply(len(self.server.relay)):
            return None
        return Report()


def member(number):
    return Member(f"m{number}", f"h{number}")
