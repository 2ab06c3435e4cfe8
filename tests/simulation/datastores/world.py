# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated pool: managers and guests with the real engine, plan and tenures, over a store, servers and links that a seed plays with.

Its hosts are one set's; a replica that is detached is a set of its own until people delete it.
"""

from __future__ import annotations

from functools import cache

from baton.datastores.engine.case import Times
from baton.datastores.guest import tenure
from baton.datastores.model.channel import End, Report
from baton.datastores.model.channel import Server as Said
from baton.datastores.model.replica_set import Member, ReplicaSet
from simulation.datastores.checks import Checks
from simulation.datastores.ground import Ground, Guest
from simulation.datastores.servers import Server

SET = "s"
AT_ONCE = range(1, 31)  # so many transactions travel
FOREVER = float("inf")
SPARE = 0.4  # seconds before its lease's end in which a guest closes a server


class World(Ground):
    """``hosts``: h1 … hN, on each of which there may be one server of the set, m1 … mN."""

    def __init__(self, seed, hosts=4, lease=2.0):
        super().__init__(seed, ReplicaSet(SET), hosts, Times(lease, most_failovers=1000))
        self.checks = Checks(self)
        self.main, self.gathers = SET, False  # the set to which all are to belong in the end
        self.hosts = {name: Host(self, name, self.random.uniform(0.95, 1.05)) for name in self.store.channels}
        self.servers = [host.server for host in self.hosts.values()]
        self.homes = {host.server.id: host for host in self.hosts.values()}  # where a server is
        self.add_manager()
        self.transactions = 0
        self.after(0.1, self._replicate)
        self.after(0.1, self._write)
        self.after(0.1, self.tick)

    # --- servers and clients ------------------------------------------------------------------------------------------------

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


BREAKS = Report("the copy broke off", {"broke": True})


@cache
def _said(runs, of, whole, follows):
    return Said(runs, "" if runs else "it does not answer", of, whole, *((0, 0) if follows else ()))


class Host(Guest):
    """A pool host: its server, its guest and the guest's guard. ``journal`` is on its disk."""

    def __init__(self, world, name, rate):
        super().__init__(world, name, rate)
        self.server = Server(f"m{name[1:]}")
        self.journal.update(set=SET, follow=None, had=None)
        self.start()

    @property
    def set(self):
        """Of which its server is, as far as the guest knows."""
        return self.journal["set"]

    # --- life ---------------------------------------------------------------------------------------------------------------

    def start(self):
        if self.name in self.world.gone:
            return
        if not self.guest.up:
            self.tenures = tenure.Tenures(SPARE, [self.set] if self.server.ours else [])
            self.starting, self.restarting = False, ""
            self.begin()
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

    def _renewed(self, sent):
        self.tenures.renewed(sent, self.world.times.lease)
        self._tell_guard()

    def _tell_guard(self):
        if self.tenures.holds(self.set):
            self.deadline = self.tenures.until

    def _watch(self):
        """Close what must be closed; start the server that should run."""
        self._carry_out(self.tenures.tick(self.clock))
        server = self.server
        if server.ours and not server.up and not self.starting and not self.restarting:
            self.tenures.died(self.set)
            self.starting = True
            self.soon(self.world.random.uniform(0.1, 0.6), self._start_server)

    def _say(self, channel):
        said = {self.server.id: _said(self.server.runs, self.set, self.server.whole, bool(self.server.follows))} if self.server.ours else {}
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

    def _settle(self, channel):
        self._carry_out(self.tenures.seen(channel, self.clock))

    def _stands(self, key):
        """A restart goes on once it has begun."""
        return self.restarting or self.orders.stands(key)

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

    def _admit(self, _args):
        return Report()

    def _receive(self, _args):
        """Whose copy it is stands in the order's id."""
        donor = self.world.homes[self.doing.rpartition(".")[2]]
        if not donor.server.runs or donor.set != self.set or not self.world.reach(self.name, donor.name):
            return None
        if self.world.breaks.random() < 0.1:
            return BREAKS
        if self.server.log:
            self.world.checks.rebuilt(self.server)
        self.world.checks.copied(donor.server)
        self.server.close()
        self.server.log, self.server.relay, self.server.whole = list(donor.server.log), [], True
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
