# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large pool, simulated: ``python tests/simulation/large.py --clusters 300 --sets 50``, each of three on hosts of their own.

One manager, which does one thing after the other and takes its time for each, carries all of them. Everything is made; the host of one
source dies, then those of all others at once, and of a third of all clusters a host; then all come back. All promises are looked at as in
the schedules of one set and of one cluster, and nobody may wait three times as long for another source as one alone.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

importlib.import_module("conftest")  # makes the package ``baton`` importable

from baton.datastores.engine.case import Times  # noqa: E402
from baton.datastores.engine.engine import request  # noqa: E402
from baton.datastores.model.replica_set import ReplicaSet  # noqa: E402
from baton.datastores.plans import galera, mariadb  # noqa: E402
from simulation.clusters import world as clusters  # noqa: E402
from simulation.datastores import world as sets  # noqa: E402
from simulation.datastores.ground import Ground  # noqa: E402

THINKS, WRITES = 0.0001, 0.004  # seconds of the manager: to look at a set, and to write what it came to; as measured with a real one
PLANS = {"mariadb": mariadb.PLAN, "galera": galera.PLAN}
EACH = 3  # members
TIMES_ALONE = 3.0  # as long as all at once may take
MADE_WITHIN, WELL_WITHIN = 120.0, 60.0  # seconds, simulated


class OneManager(clusters.ClusterManager):
    """It carries on one set after the other, each by its plan."""

    of = "mariadb"  # the datastore that it is at

    @property
    def plan(self):
        return PLANS[self.of]

    def waits(self, whole):
        return super().waits(whole) if whole.datastore == "galera" else sets.Ground.manager.waits(self, whole)

    def _until(self, case):
        self.of = case.whole.datastore
        return super()._until(case)

    def _read(self):
        self._next(sorted(self.world.store.sets))

    def _next(self, keys):
        """Look at the first of these sets, then at the others."""
        if not keys:
            self._soon(0.05, self._read)
            return
        store, key = self.world.store, keys[0]
        before = store.revisions[key]
        self.of = store.sets[key]["datastore"]
        channels = {host: store.channels[host] for host in self.world.parts[key].names}
        rest = self.rests.get(key)
        is_as_it_was = rest is not None and rest[:2] == (before, channels)
        self._think(store.sets[key], channels, before)
        self._soon(THINKS if is_as_it_was else WRITES, self._next, keys[1:])


class Pool(Ground):
    """All hosts, the store and the manager. ``parts``: by set."""

    manager = OneManager

    def __init__(self, seed, many_clusters, many_sets):
        many = EACH * (many_clusters + many_sets)
        super().__init__(seed, ReplicaSet("c1", "galera"), many, Times(2.0, most_failovers=1000))
        self.store.sets.clear()
        self.store.revisions.clear()
        self.checks = self
        names, self.parts = iter(self.store.channels), {}
        for kind, how_many, letter in ((ClusterPart, many_clusters, "c"), (SetPart, many_sets, "s")):
            for number in range(1, how_many + 1):
                key = f"{letter}{number}"
                self.store.sets[key] = ReplicaSet(key, kind.datastore).to_json()
                self.store.revisions[key] = 0
                self.parts[key] = kind(self, key, [next(names) for _each in range(EACH)], seed + number)
        self.sets = [part for part in self.parts.values() if isinstance(part, SetPart)]
        self.clusters = [part for part in self.parts.values() if isinstance(part, ClusterPart)]
        write = self.store.commit
        self.store.commit = lambda whole, *args: self.parts[whole.id].commit(write, whole, *args)
        self.people = lambda case: self.parts[case.whole.id].wants(case)
        self.add_manager()
        self.after(0.1, self.tick)

    # --- as checks of all that its manager does -----------------------------------------------------------------------------

    def look(self):
        """Each part is looked at when something happens there."""

    def committed(self, whole):
        self.parts[whole.id].checks.committed(whole)

    def when(self, condition, seconds, what):
        end = self.now + seconds
        while not condition():
            assert self.now < end, f"{what}: not within {seconds} s{self.wrong()}"
            self.run(self.now + 0.1)
        return self.now

    def wrong(self):
        """Return what is amiss, as far as it is to be told."""
        found = [f"{key}: {'; '.join(part.checks.troubles())}" for key, part in self.parts.items() if part.checks.troubles()]
        return "".join(f"\n{each}" for each in found[:5])

    def are_well(self, seconds, what):
        """Wait until nothing is amiss with any of them, then look at all promises."""
        wrong = list(self.parts.values())

        def all_are():
            wrong[:] = [part for part in wrong if part.checks.troubles()]
            return not wrong

        took = self.when(all_are, seconds, what) - self.now
        for part in self.parts.values():
            part.checks.at_rest()
        return took


class Seen:
    """The store as far as it is about the hosts of one set, and that set."""

    def __init__(self, store, key, names):
        self._store, self._key, self._names = store, key, names
        self.commit = None  # the pool writes, and has each part look at it

    def __getattr__(self, name):
        return getattr(self._store, name)

    @property
    def channels(self):
        return {name: self._store.channels[name] for name in self._names}

    @property
    def sets(self):
        return {self._key: self._store.sets[self._key]}

    def read(self, key):
        whole, _channels, revision = self._store.read(key)
        return whole, self.channels, revision


class Shared(Ground):
    """A ground that is a part of a pool: what its own set does is of its own, time, store and manager are the pool's."""

    def __init__(self, seed, _whole, _hosts, times):
        super().__init__(seed, ReplicaSet("none"), 0, times)
        self.store = Seen(self.pool.store, self.key, self.names)

    @property
    def now(self):
        return self.pool.now

    @now.setter
    def now(self, _value):
        """Time is the pool's."""

    def after(self, seconds, act, *args):
        self.pool.after(seconds, self._act, act, args)

    def _act(self, act, args):
        act(*args)
        self.checks.look()

    def tick(self):
        """Leases end in the pool."""

    def add_manager(self):
        """The pool has one."""

    def commit(self, write, whole, *args):
        return write(whole, *args)


class Part:
    """What is in each world of one set."""

    def __init__(self, pool, key, names, seed):
        self.pool, self.key, self.names = pool, key, names
        super().__init__(seed)
        self.main = key

    @property
    def whole(self):
        return self.store.sets[self.key]

    def wants(self, case):
        """Have people make it."""
        numbers = [int(name[1:]) for name in self.names]
        if case.whole.task is not None or case.whole.asked is not None:
            return False
        wanted = self.next_of(case, numbers)
        if not wanted:
            return False
        program, new, more = wanted
        request(case, PLANS[self.datastore], program, "asked for", members=[f"m{number}" for number in new], **more)
        case.whole.members.update({f"m{number}": self.member(number) for number in new})
        return True


class ClusterPart(Part, clusters.World, Shared):
    datastore, member = "galera", staticmethod(clusters.member)

    def commit(self, write, whole, *args):
        return self.checks.watched(write)(whole, *args)

    def next_of(self, case, numbers):
        return ("create", numbers, {}) if not case.whole.members else None


class SetPart(Part, sets.World, Shared):
    datastore, member = "mariadb", staticmethod(sets.member)

    def next_of(self, case, numbers):
        if not case.whole.members:
            return "create", numbers[:1], {"candidate": f"m{numbers[0]}"}
        return ("replicate", numbers[1:], {}) if len(case.whole.members) == 1 and case.opened is not None else None

    @property
    def source(self):
        return self.homes[self.whole["source"]]

    def fails(self):
        """Have the source's host die; return when another one takes writes."""
        was, began = self.source, self.now
        was.power_off()
        return lambda: any(server.writable and server is not was.server for server in self.servers), began


def failed_over(pool, parts):
    """Have the hosts of the sources of these sets die at once; return how long each was without one, longest last."""
    left = [(part, *part.fails()) for part in parts]
    took = []

    def all_are():
        for item in [each for each in left if each[1]()]:
            left.remove(item)
            took.append(pool.now - item[2])
        return not left

    pool.when(all_are, WELL_WITHIN, "another source")
    return sorted(took)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clusters", type=int, default=300)
    parser.add_argument("--sets", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    began = time.monotonic()
    pool = Pool(args.seed, args.clusters, args.sets)
    pool.when(lambda: all(len(part.whole["members"]) == EACH for part in pool.parts.values()), MADE_WITHIN, "all are asked for")
    pool.are_well(MADE_WITHIN, "all are made")
    print(f"{args.clusters} clusters and {args.sets} sets on {len(pool.store.channels)} hosts are made after {pool.now:.1f} s", flush=True)
    alone = failed_over(pool, pool.sets[:1])[-1]
    for part in pool.clusters[::3]:
        part.homes[f"m{part.names[-1][1:]}"].power_off()
    took = failed_over(pool, pool.sets[1:])
    print(f"another source after {alone:.2f} s alone, {took[0]:.2f} to {took[-1]:.2f} s for {len(took)} at once", flush=True)
    assert took[-1] <= TIMES_ALONE * alone, "too long"
    for part in pool.parts.values():
        for host in part.hosts.values():
            host.start()
    pool.are_well(WELL_WITHIN, "all are well again")
    written = [part.checks.transactions for part in pool.parts.values()]
    assert all(written), "nobody writes"
    took = time.monotonic() - began
    print(f"all are well at {pool.now:.1f} s, {sum(written)} transactions acknowledged; that took {took:.0f} s", flush=True)


if __name__ == "__main__":
    main()
