# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules: for each fault that random schedules hardly meet, one that plays it. Each takes a seed and raises Violation.

``python tests/simulation/run.py`` plays them beside the random ones, ``--only NAME`` one of them; mutate.py says which rule each is for.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import tempfile
from pathlib import Path

from baton.core import events as ev
from baton.core import node
from baton.core.model.documents import Change
from baton.core.model.driver_options import Options
from baton.core.model.messages import Ack, Append
from baton.core.model.requests import Idempotency, Outcome
from baton.core.replication import following
from baton.core.roles import recovery
from baton.core.roles.twins import NOT_YET
from simulation.evil import Evil
from simulation.world import Disk, Host, Trouble, World

SCHEDULES = {}


def aimed(schedule):
    SCHEDULES[schedule.__name__] = schedule
    return schedule


class Scene:
    """A cluster that is up, and a client whose every acknowledged write is looked for at the end."""

    def __init__(self, seed, nodes=2, shared=True, start=None, trouble=None, drivers=False, calm=False, **config):
        """``start``: how many of the nodes are started, None for all. ``calm``: drivers have no troubles of their own, ever."""
        self.dice = random.Random(f"aimed {seed}")
        number = seed * 5 + 2 * drivers  # see has_drivers
        self.world = World(number, nodes, shared, trouble or Trouble(), **config)
        self.world.no_failover = set()
        self.ids = itertools.count(1)
        self.acknowledged = {}  # document → seq
        self.hosts = [self.world.hosts[f"n{number}"] for number in range(1, nodes + 1)]
        troubles = {host: host.drivers.troubles for host in self.hosts if host.drivers is not None and not calm}
        for host in self.hosts:
            host.rate = 1 + self.dice.uniform(-0.05, 0.05)
            if host.drivers is not None:
                host.drivers.troubles = 0.0  # those whose driver dies again and again would come up by chance only
        first = self.hosts[0]
        first.start()
        if not shared:
            self.run(0.1)
            first.give(ev.Operator(next(self.ids), "create", text="c1"))
        self.expect(self.world.active, "no cluster came up")
        for host in self.hosts[1:start]:
            host.start()
        self.in_sync(*self.hosts[:start])
        for host, often in troubles.items():
            host.drivers.troubles = often

    def run(self, seconds):
        self.world.run_until(self.world.now + seconds)

    def fail(self, text):
        self.world.checks.fail(f"{text}: {self.world.checks.describe()}")

    def expect(self, condition, text, most=25):
        """Run until ``condition()``; fail with ``text`` if it does not come true within ``most`` seconds."""
        if not self.world.run_while(lambda: not condition(), most):
            self.fail(text)

    def in_sync(self, *hosts):
        def joined():
            active = self.world.active()
            return active is not None and all(host.node.me in active.node.record.in_sync for host in hosts)

        self.expect(joined, f"{[host.name for host in hosts]} are not in sync")
        self.run(0.5)  # and know it

    def quiet(self, host):
        """Wait until ``host`` changes nothing in the record, so that it takes an order."""
        self.expect(lambda: host.node.leading is not None and host.node.leading.swap is None, f"{host.name} comes to no end")

    def alone(self, host, most=25):
        self.expect(lambda: host.node.record.in_sync == (host.node.me,), f"{host.name} is not alone in sync", most)

    def order(self, host, order, **more):
        """Give an order; return the list that its answer comes into."""
        number, answers = next(self.ids), []
        self.world.checks.others[number] = answers.append
        host.give(ev.Operator(number, order, **more))
        return answers

    def ordered(self, host, order, **more):
        """Give an order that is carried out."""
        answers = self.order(host, order, **more)
        self.expect(lambda: answers, f"{order} has no answer")
        if not isinstance(answers[0], dict):
            self.fail(f"{order} was refused: {answers[0]}")
        return answers[0]

    def write(self, host, key=None):
        """Write a document of its own (``key``: of the key's own); return the list that the answer comes into."""
        number, answers = next(self.ids), []
        name = key or f"w{number}"

        def answered(result):
            answers.append(result)
            if isinstance(result, Outcome):
                self.acknowledged[name] = int(result.documents[0].revision.partition(".")[2])

        self.world.checks.others[number] = answered
        idempotency = Idempotency(key, "f") if key else None
        host.give(ev.Submit(number, (Change("profiles", name, "create", {"Params": {"x": "y" * 200}}),), 0.0, idempotency))
        return answers

    def writes(self, host, count):
        """Write and see that all of it is acknowledged."""
        for _number in range(count):
            answers = self.write(host)
            self.expect(lambda answers=answers: answers, "a write has no answer")
            if not isinstance(answers[0], Outcome):
                self.fail(f"a write was refused: {answers[0]}")

    def changes(self, host, *changes):
        """Have changes made, each by a request of its own."""
        for change in changes:
            number, answers = next(self.ids), []
            self.world.checks.others[number] = answers.append
            host.give(ev.Submit(number, (change,), 0.0))
            self.expect(lambda answers=answers: answers, "a change has no answer")
            if not isinstance(answers[0], Outcome):
                self.fail(f"a change was refused: {answers[0]}")

    def keep(self, host, lease):
        """Keep a client's lease alive, if that is possible."""
        number = next(self.ids)
        self.world.checks.others[number] = lambda _answer: None
        host.give(ev.KeepAlive(number, lease))

    def cut(self, one, other, both=True):
        self.world.cut.add((one.name, other.name))
        if both:
            self.world.cut.add((other.name, one.name))

    def served_all_along(self, host, seconds, why, dark=0.0):
        """See that ``host`` serves for so long, with at most ``dark`` seconds without."""
        missed, end = 0.0, self.world.now + seconds
        while self.world.now < end:
            self.run(0.05)
            missed += 0.05 * (not host.node.serving(host.clock()))
            if missed > dark:
                self.fail(f"{host.name} does not serve: {why}")

    def nothing_lost(self, host):
        """See that ``host`` has every acknowledged write."""
        lost = [name for name in self.acknowledged if host.node.state.heads.committed("profiles", name) is None]
        if lost:
            self.fail(f"{len(lost)} of {len(self.acknowledged)} acknowledged writes are lost")


# --- what a force leaves behind -----------------------------------------------------------------------------------------------


@aimed
def a_force_and_a_long_log(seed):
    """n1 writes alone, n2 is forced and its log moves on past what it keeps: n1 comes back and loses nothing by itself."""
    scene = Scene(seed, shared=False, checkpoint_entries=20, keep_entries=20)
    scene.world.checks.forked, scene.world.checks.leases = True, False
    n1, n2 = scene.hosts
    n2.crash()
    scene.alone(n1)
    before = dict(scene.acknowledged)
    scene.writes(n1, scene.dice.randint(1, 50))
    alone = {name: seq for name, seq in scene.acknowledged.items() if name not in before}
    n1.crash()
    n2.start()
    scene.run(1)
    scene.ordered(n2, "promote", force=True)
    scene.expect(lambda: scene.world.active() is n2, "the forced one does not serve")
    scene.acknowledged = before
    scene.writes(n2, scene.dice.choice((3, 60)))
    disk = n1.disk
    n1.start()
    scene.run(8)
    _nothing_discarded(scene, n1, disk, alone)
    scene.nothing_lost(n2)


def _nothing_discarded(scene, host, disk, documents):
    if host.disk is not disk:
        scene.fail(f"{host.name} has replaced its disk, on which {len(documents)} acknowledged writes were")
    if host.node.me in scene.world.active().node.record.in_sync or not host.node.following.refused:
        scene.fail(f"{host.name} joins although its history differs")
    _kept(scene, host, disk, documents)


@aimed
def a_manual_active_restarts_alone(seed):
    """Somebody may have been forced meanwhile: it asks all whom it ever knew, also if its commit point lags."""
    scene = Scene(seed, 2, shared=False)
    n1, n2 = scene.hosts
    scene.writes(n1, scene.dice.choice((0, 3)))
    scene.cut(n1, n2)
    n1.crash()
    n1.disk.saved.commit = scene.dice.randint(0, n1.disk.saved.commit)
    n1.start()
    scene.run(6)
    if n1.node.serving(n1.clock()):
        scene.fail("n1 serves without having asked n2")
    scene.world.cut.clear()
    scene.in_sync(n1, n2)
    scene.nothing_lost(n1)


@aimed
def both_are_forced(seed):
    """Both sides are forced into one epoch number and write: no token is given twice, and nobody cuts the other's writes."""
    scene = Scene(seed, shared=False, checkpoint_entries=20, keep_entries=20)
    scene.world.checks.forked, scene.world.checks.leases = True, False
    n1, n2 = scene.hosts
    scene.cut(n1, n2)
    n1.crash()
    n1.start()
    scene.run(2)
    tokens, written = {}, {}
    for host in (n1, n2):
        scene.ordered(host, "promote", force=True)
        scene.expect(lambda host=host: host.node.serving(host.clock()), "the forced one does not serve")
        scene.acknowledged = {}
        scene.writes(host, scene.dice.choice((1, 3, 60)))
        written[host] = dict(scene.acknowledged)
        tokens[host] = _take_tokens(scene, host, 3)
    if set(tokens[n1]) & set(tokens[n2]):
        scene.fail(f"both sides have given the fencing tokens {sorted(set(tokens[n1]) & set(tokens[n2]))}")
    loser = scene.dice.choice((n1, n2))
    disk = loser.disk
    loser.crash()
    if scene.dice.random() < 0.5:
        disk.saved.commit = scene.dice.randint(disk.saved.checkpoint.seq, disk.saved.commit)  # known later than the entries are there
    loser.start()
    scene.world.cut.clear()
    scene.run(8)
    if loser.disk is not disk:
        scene.fail(f"{loser.name} has replaced its disk")
    _kept(scene, loser, disk, written[loser])


@aimed
def one_forced_side_goes_on_without_a_force(seed):
    """n1 and n2 are forced into one epoch number; on n1's side the role moves on to n3 before n2 is back."""
    scene = Scene(seed, 3, shared=False)
    scene.world.checks.forked, scene.world.checks.leases = True, False
    n1, n2, n3 = scene.hosts
    scene.writes(n1, 2)
    for host in (n1, n3):
        scene.cut(n2, host)
    n1.crash()
    n1.start()
    scene.run(2)
    written = {}
    for host in (n1, n2):
        scene.ordered(host, "promote", force=True)
        scene.expect(lambda host=host: host.node.serving(host.clock()), "the forced one does not serve")
        scene.acknowledged = {}
        scene.writes(host, scene.dice.choice((1, 3)))
        written[host] = dict(scene.acknowledged)
    scene.expect(lambda: n3.node.me in n1.node.record.in_sync, "n3 does not join n1")
    scene.run(0.5)
    scene.ordered(n1, "switch", node="n3")
    scene.expect(lambda: n3.node.serving(n3.clock()), "n3 does not take over")
    disk = n2.disk
    n2.crash()
    disk.saved.commit = scene.dice.randint(disk.saved.checkpoint.seq, disk.saved.commit)
    n2.start()
    scene.world.cut.clear()
    scene.run(8)
    if n2.disk is not disk:
        scene.fail("n2 has replaced its disk")
    _kept(scene, n2, disk, written[n2])


def _kept(scene, host, disk, documents):
    """See that what a host acknowledged is on its disk or in a file that it kept."""
    kept = {effect["key"] for tail in host.tails for entry in tail for effect in entry.body.get("effects", ())}
    here = kept | {d.key for d in disk.saved.documents}
    here |= {effect["key"] for entry in disk.saved.entries for effect in entry.body.get("effects", ())}
    if set(documents) - here:
        scene.fail(f"{len(set(documents) - here)} acknowledged writes of {host.name} are neither on its disk nor in a file")


def _take_tokens(scene, host, count):
    given = []
    for number in range(count):
        answers = []
        ask = {"Owner": f"o{number}", "Lease": "l", "Slots": count, "Queue": True, "Data": None, "At": 0}
        changes = (
            Change("leases", "l", "grant", {"Ttl": 60.0, "Owner": "o", "Profile": None}),
            Change("locks", "door", "acquire", ask),
        )
        request = next(scene.ids)
        scene.world.checks.others[request] = answers.append
        host.give(ev.Submit(request, changes))
        scene.expect(lambda answers=answers: answers, "the lock has no answer")
        if not isinstance(answers[0], Outcome):
            scene.fail(f"no lock: {answers[0]}")
        given = [entry["Token"] for entry in answers[0].documents[-1].value["Holders"].values()]
    return given


@aimed
def forced_while_a_snapshot_is_installed(seed):
    """A force that comes while the disk is being replaced names a disk that is about to go."""
    scene = Scene(seed, 2, checkpoint_entries=10, keep_entries=10)
    scene.world.checks.forked, scene.world.checks.leases = True, False
    n1, n2 = scene.hosts
    n2.crash()
    scene.alone(n1)
    scene.writes(n1, 40)
    n2.start()
    scene.expect(lambda: n2.installs, "n2 does not install a snapshot")
    n1.crash()
    answers = scene.order(n2, "promote", force=True)
    scene.run(scene.dice.uniform(0.0, 0.3))
    if scene.dice.random() < 0.5:
        n2.crash()
        n2.start()
    scene.run(8)
    if answers and isinstance(answers[0], dict):
        record = scene.world.store.record
        if record.active == "n2" and n2.node.me not in record.in_sync:
            scene.fail("n2 was forced, and refuses its own disk")
    scene.ordered(n2, "promote", force=True) if n2.node.leading is None else None
    scene.expect(lambda: scene.world.active() is n2, "n2 does not serve after a force")


# --- disks that are set back --------------------------------------------------------------------------------------------------


@aimed
def a_disk_below_the_floor(seed):
    """An in-sync passive's disk is set back behind what the record says was committed: it is not promoted, in no way."""
    scene = Scene(seed, scene_nodes(seed))
    n1, n2 = scene.hosts[:2]
    n2.back_up()
    scene.writes(n1, 30)
    scene.ordered(n1, "pause")
    scene.ordered(n1, "resume")
    n1.crash()
    n2.set_back(n2.copies[0])
    for host in scene.hosts[2:]:
        host.crash()
    n2.start()
    scene.run(6)
    for way in ("promote", "force"):
        answers = scene.order(n2, "promote", force=way == "force")
        scene.run(1)
        promised = answers and isinstance(answers[0], dict)
        if promised and (way == "promote" or "nothing" in answers[0].get("may_be_lost", "")):
            scene.fail(f"n2 was made active ({way}) without a word of what is lost")
        if not promised and n2.node.serving(n2.clock()):
            scene.fail("n2 serves with a disk that was set back")
        if way == "promote":
            n1.start()
            scene.expect(lambda: scene.world.active() is not None, "nobody serves though n1 has everything")
            scene.in_sync(n1, n2)
            scene.nothing_lost(scene.world.active())
            return


def scene_nodes(seed):
    return 2 + seed % 2


@aimed
def the_floors_epoch(seed):
    """A disk that was set back to entries which never committed reaches the floor by number only."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    scene.world.drops = lambda source, target, message: source == "n2" and isinstance(message, Ack)
    for _number in range(12):
        scene.write(n1)  # on both disks, and never acknowledged
    scene.run(0.3)
    n2.back_up()
    tail = n2.disk.saved.entries[-1].seq
    scene.world.drops = None
    n1.crash()
    n2.crash()
    n1.disk.saved.entries = n1.disk.saved.entries[: -len(n1.disk.saved.entries) // 2]
    n1.start()
    scene.cut(n1, n2)
    scene.expect(lambda: scene.world.active() is n1, "n1 does not serve")
    n2.start()
    scene.world.cut.clear()
    scene.in_sync(n1, n2)
    while n1.node.state.commit < tail + 5:
        scene.writes(n1, 1)
    scene.ordered(n1, "pause")
    scene.ordered(n1, "resume")
    floor = scene.world.store.record.floor
    n1.crash()
    copy = n2.copies[0]
    while len(copy.saved.entries) + copy.saved.log_start.seq < floor:  # as if that reign had written more
        last = copy.saved.entries[-1]
        copy.saved.entries.append(type(last)(last.seq + 1, last.epoch, last.at, last.text, last.body))
    n2.set_back(copy)
    n2.start()
    scene.run(8)
    if n2.node.serving(n2.clock()):
        scene.fail("n2 serves with a log that left the history before the floor")
    n1.start()
    scene.expect(lambda: scene.world.active() is not None, "nobody serves though n1 has everything")
    scene.nothing_lost(scene.world.active())


@aimed
def the_active_lost_its_last_entries(seed):
    """The active's disk lied: after a power cut its last entries are gone, and the passive's commit point lags."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    scene.writes(n1, 10)
    lost = scene.dice.randint(1, 6)
    n1.crash()
    n2.crash()
    entries = n1.disk.saved.entries
    n1.disk.saved.entries = entries[:-lost]
    n1.disk.saved.commit = min(n1.disk.saved.commit, n1.disk.saved.entries[-1].seq)
    n2.disk.saved.commit = min(n2.disk.saved.commit, n1.disk.saved.entries[-1].seq)
    for host in scene.dice.sample(scene.hosts, 2):
        host.start()
        scene.run(scene.dice.uniform(0, 0.3))
    scene.in_sync(n1, n2)
    scene.nothing_lost(scene.world.active())


# --- modes, time --------------------------------------------------------------------------------------------------------------


@aimed
def strict_loses_its_passive_in_the_middle_of_a_write(seed):
    scene = Scene(seed, 2, mode="strict", min_in_sync=2)
    n1, n2 = scene.hosts
    scene.writes(n1, 3)
    n2.crash()
    answers = scene.write(n1, key="k")
    scene.alone(n1)
    scene.run(1)
    if not answers or isinstance(answers[0], Outcome) or answers[0].extra.get("outcome") != "unknown":
        scene.fail(f"strict answers a write that one disk has with {answers}")
    again = scene.write(n1, key="k")
    scene.run(0.1)
    if again and getattr(again[0], "extra", {}).get("outcome") == "not_applied":
        scene.fail("a repeated write is said not to have been applied")
    n2.start()
    scene.in_sync(n1, n2)
    scene.writes(n1, 2)
    scene.nothing_lost(n1)


@aimed
def strict_keeps_what_cannot_be_kept_alive(seed):
    """Strict and one copy: no client lease can be kept alive, so none ends; and one that ended before is not ended twice."""
    scene = Scene(seed, 2, mode="strict", min_in_sync=2)
    n1, n2 = scene.hosts
    grant = {"Ttl": scene.dice.uniform(1, 4), "Owner": ""}
    scene.changes(n1, Change("leases", "kept", "grant", grant))
    scene.changes(n1, *(Change("locks", "door", "acquire", _wants(owner, "kept" if owner == "a" else None)) for owner in "ab"))
    end = scene.world.now + scene.dice.uniform(0, 3)
    while scene.world.now < end:
        scene.keep(n1, "kept")
        scene.run(0.2)
    n2.crash()
    while len(n1.node.record.in_sync) > 1:
        scene.keep(n1, "kept")
        scene.run(0.1)
    scene.run(scene.dice.uniform(0, 20))
    if "a" not in n1.node.state.heads.committed("locks", "door").value["Holders"]:
        scene.fail("a lock has changed hands while its holder could not keep it, with one copy")
    n2.start()
    scene.in_sync(n1, n2)
    scene.keep(n1, "kept")
    scene.expect(lambda: list(n1.node.state.heads.committed("locks", "door").value["Holders"]) == ["b"], "the lease never ends")


def _wants(owner, lease):
    return {"Owner": owner, "Lease": lease, "Slots": None, "Queue": True, "Data": None, "At": 0}


@aimed
def a_tie_that_cannot_be_undone(seed):
    """Under a lease a leader sits whose profile goes, and one whom a schema names: the lease ends all the same, and what else it has."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    default = {"Schema": {"default": "a"}}
    scene.changes(n1, Change("params", "boss", "put", default), Change("leases", "l", "grant", {"Ttl": 1.0, "Owner": ""}))
    seat = {"Candidate": "a", "Seats": None, "Vacant": "none", "Lease": "l", "At": 0}
    scene.changes(n1, *(Change("profiles", name, "elect", seat, at=("Params", "boss")) for name in ("gone", "stays")))
    scene.changes(n1, Change("locks", "door", "acquire", _wants("a", "l")))
    scene.changes(n1, Change("profiles", "gone", "delete"))
    if scene.dice.random() < 0.5:
        n1.crash(notice=True)
        scene.expect(lambda: scene.world.active() is n2, "n2 does not take over")

    def ended():
        heads = scene.world.active().node.state.heads
        boss = heads.committed("profiles", "stays").value["Params"]["boss"]
        return heads.committed("leases", "l") is None and heads.committed("locks", "door") is None and boss == "none"

    scene.expect(ended, "a lease does not end, or what is tied to it")


@aimed
def replies_age_by_the_log(seed):
    """The wall clocks of two hosts are far apart: over a failover a repeat is a repeat, and minutes later it is forgotten."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    n1.wall_off, n2.wall_off = scene.dice.choice(((0, 700), (0, 90_000), (80_000, 0), (-5_000, 5_000)))
    scene.run(1)
    first = scene.write(n1, key="once")
    scene.expect(lambda: first, "a write has no answer")
    n1.crash(notice=True)
    scene.expect(lambda: scene.world.active() is n2, "n2 does not take over")
    scene.writes(n2, 1)
    again = scene.write(n2, key="once")
    scene.expect(lambda: again, "a repeat has no answer")
    if not isinstance(again[0], Outcome) or not again[0].replayed:
        scene.fail(f"the repeat of a write is another write: {again[0]}")
    scene.run(900)
    scene.writes(n2, 1)
    if n2.node.state.replies.find("once") is not None:
        scene.fail("a reply is remembered after a quarter of an hour")


# --- a healthy pair goes on ---------------------------------------------------------------------------------------------------


@aimed
def a_joiner_with_an_old_stamp(seed):
    """n2 hears nothing any more while its last acks let it in: its grace is not to end before the lease that n1 gave itself."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    n1.rate, n2.rate = 0.91, 1.09
    n2.crash()
    scene.alone(n1)
    scene.order(n1, "pause")
    scene.run(1)
    scene.world.store.cut.add("n1")
    scene.order(n1, "resume")  # a swap that takes a while
    n2.start()
    scene.run(scene.dice.uniform(0.6, 1.0))
    heard = n1.node.leading.followers.by_node["n2"].stamp
    scene.expect(lambda: n1.node.leading.followers.by_node["n2"].stamp > heard, "n2 does not acknowledge", 2)
    scene.cut(n1, n2, both=False)
    scene.run(scene.dice.choice((0.3, 0.5, 0.6, 0.7, 0.8, 0.9)))
    scene.world.store.cut.clear()
    scene.run(0.6)
    scene.cut(n1, n2)
    scene.world.store.cut.add("n1")
    end = scene.world.now + 6
    while scene.world.now < end:
        scene.run(0.005)
        if all(host.node.serving(host.clock()) for host in scene.hosts):
            scene.fail("both serve")


@aimed
def a_slow_link(seed):
    """A passive that takes less than is written acknowledges late, all the time: it leaves before the lease ends."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    scene.world.bandwidth[("n1", "n2")] = scene.dice.choice((2_000, 5_000, 10_000))

    def write():
        scene.write(n1)
        scene.world.after(0.01, write)

    write()
    scene.served_all_along(n1, 15, "its passive is slow")
    scene.world.speed_up()
    scene.nothing_lost(n1)


@aimed
def a_passive_that_can_not_acknowledge(seed):
    """It comes back fast and says Hello, but no acknowledgement arrives: it is not taken for alive."""
    scene = Scene(seed, 2 + seed % 3)
    n1, n2 = scene.hosts[:2]
    scene.world.drops = lambda source, target, message: source == "n2" and isinstance(message, Ack)
    for _restart in range(4):
        n2.crash()
        n2.start()
        scene.served_all_along(n1, scene.dice.uniform(0.5, 2), "n2 says Hello, and acknowledges nothing")
    if n2.node.me in n1.node.record.in_sync:
        scene.fail("n2 is called in sync, and acknowledges nothing")


@aimed
def a_passive_restarts_while_the_store_is_out(seed):
    scene = Scene(seed, 2 + seed % 2)
    n1, n2 = scene.hosts[:2]
    scene.writes(n1, 3)
    scene.world.store.down = True
    n2.crash()
    scene.run(scene.dice.uniform(0.05, 0.8))
    n2.start()
    scene.served_all_along(n1, 10, "its passive was restarted while the store is out")
    scene.writes(n1, 3)
    scene.world.store.down = False
    scene.in_sync(n1, n2)
    scene.nothing_lost(n1)


@aimed
def a_joiner_dies_while_the_store_is_out(seed):
    """Whoever is not in the record yet never ends the lease."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    n2.crash()
    scene.alone(n1)
    scene.writes(n1, 3)
    scene.world.store.down = True
    n2.start()
    scene.run(scene.dice.uniform(0.0, 2))
    scene.world.bandwidth[("n1", "n2")] = scene.dice.choice((100, 10**9))
    scene.run(scene.dice.uniform(0.0, 2))
    n2.crash()
    scene.served_all_along(n1, 8, "a node that was about to join died")
    scene.writes(n1, 3)


@aimed
def a_join_is_cut_at_each_step(seed):
    """After so many messages between the two nothing more gets through: the active goes on, and the join ends well later."""
    scene = Scene(seed, 2, start=1, checkpoint_entries=10, keep_entries=10)
    n1, n2 = scene.hosts
    scene.writes(n1, scene.dice.choice((1, 40)))
    count = itertools.count()
    most = seed % 40
    scene.world.drops = lambda source, target, message: next(count) >= most
    n2.start()
    scene.served_all_along(n1, 6, "a join was cut", dark=2.5)  # in the record already: then a lease may end before the swap does
    scene.world.drops = None
    scene.in_sync(n1, n2)
    scene.writes(n1, 2)
    scene.nothing_lost(n1)


@aimed
def removed_stays_removed(seed):
    scene = Scene(seed, 3)
    n1, _n2, n3 = scene.hosts
    n3.crash()
    scene.expect(lambda: n1.node.record.member("n3") is None, "n3 is not shrunk away")
    n1.give(ev.LinkDown("n3"))
    _remove(scene, n1, "n3")
    n3.start()
    scene.run(6)
    active = scene.world.active()
    if active.node.record.member("n3") is not None or "n3" in active.node.standing.members():
        scene.fail("n3 was removed, and is back by itself")
    if "removed" not in n3.node.following.refused:
        scene.fail("n3 does not say that it was removed")
    n3.wipe()
    n3.start()
    scene.run(4)
    if scene.world.active().node.record.member("n3") is not None:
        scene.fail("n3 was removed, and is back by itself with another disk")
    answers = scene.order(scene.world.active(), "readmit", node="n3")
    scene.expect(lambda: answers and isinstance(answers[0], Outcome), "readmit is refused")
    scene.in_sync(*scene.hosts)


def _remove(scene, host, name):
    answers = scene.order(host, "remove", node=name)
    scene.expect(lambda: answers, "remove has no answer")
    if not isinstance(answers[0], Outcome):
        scene.fail(f"remove was refused: {answers[0]}")


# --- the store ----------------------------------------------------------------------------------------------------------------


@aimed
def a_request_is_repeated_to_the_next_active(seed):
    """Whether its answer came or not, it happens once."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    first = scene.write(n1, "once")
    scene.run(scene.dice.uniform(0, 0.2))
    n1.crash(notice=scene.dice.random() < 0.5)
    scene.expect(lambda: scene.world.active() is n2 and n2.node.serving(n2.clock()), "n2 does not take over")
    for _again in range(2):
        answers = scene.write(n2, "once")
        scene.expect(lambda answers=answers: answers, "the repeat has no answer")
        if not isinstance(answers[0], Outcome):
            scene.fail(f"the repeat was refused: {answers[0]}")
        revisions = {answer.documents[0].revision for answer in (*first, *answers) if isinstance(answer, Outcome)}
        if len(revisions) > 1:
            scene.fail(f"it happened more than once: {revisions}")
    if not answers[0].replayed:
        scene.fail("the second repeat is a new request")
    scene.nothing_lost(n2)


@aimed
def the_store_is_rolled_back(seed):
    """A restored store shows an old record: nobody is promoted by it, and nobody who knows better is taken out."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    store = scene.world.store
    version, record = store.version, store.record
    switched = scene.dice.random() < 0.5
    if switched:
        scene.ordered(n1, "switch", node="n2")
        scene.expect(lambda: scene.world.active() is n2, "n2 does not take over")
        n1, n2 = n2, n1
    known = scene.dice.random() < 0.5
    for order in ("pause", "resume") if known else ():  # n2 knows of newer ones, too
        scene.ordered(n1, order)
        scene.run(0.5)
    n2.crash()
    scene.alone(n1)
    scene.writes(n1, 5)
    newest = store.version, store.record
    # Some stores count on from where they were, others begin at a higher number.
    store.shows(version if scene.dice.random() < 0.5 else newest[0] + 100, record)
    scene.run(2)
    apart = scene.dice.random() < 0.5
    if apart:
        scene.cut(n1, n2)
    n2.start()
    if apart and not switched and not known:
        _never_two(scene, n1, n2)  # nothing can tell n2: but whoever it could follow stops first
        return
    end = scene.world.now + 8
    while scene.world.now < end:
        scene.run(0.05)
        if n2.node.serving(n2.clock()):
            scene.fail("n2 serves by a record that was restored, without what n1 has acknowledged")
    scene.world.cut.clear()
    if scene.dice.random() < 0.5:
        store.shows(store.version + 1000, newest[1])
    else:  # a person has the one that served last go on, from the record as it is, or from none
        if scene.dice.random() < 0.3:
            store.shows(-1, None)
            scene.run(3)
        scene.ordered(n1, "promote", force=True)
    scene.in_sync(n1, n2)
    if scene.world.active() is not n1:
        scene.fail("n1 does not come back")
    scene.expect(lambda: n2.node.in_sync() and not n2.node.trouble, "n2 does not see that all is well again")
    scene.nothing_lost(n1)


def _never_two(scene, n1, n2):
    scene.world.checks.forked = True
    end = scene.world.now + 8
    while scene.world.now < end:
        scene.run(0.02)
        if n1.node.serving(n1.clock()) and n2.node.serving(n2.clock()):
            scene.fail("two serve by two records")


@aimed
def the_store_names_an_active_of_the_past(seed):
    """n2 was active, fell, and missed a reign; the store is rolled back to the record that names n2."""
    scene = Scene(seed, 3)
    n1, n2, n3 = scene.hosts
    store = scene.world.store
    scene.ordered(n1, "switch", node="n2")
    scene.expect(lambda: scene.world.active() is n2, "n2 does not take over")
    scene.in_sync(*scene.hosts)
    version, record = store.version, store.record
    n2.crash(notice=True)
    scene.expect(lambda: scene.world.active() in (n1, n3), "nobody takes over")
    active = scene.world.active()
    scene.writes(active, 5)
    newest = store.version, store.record
    store.shows(scene.dice.choice((version, newest[0] + 100)), record)
    apart = scene.dice.random() < 0.5
    scene.world.checks.forked = apart  # then nothing tells it that its next epoch was given already
    for host in (n1, n3) if apart else ():
        scene.cut(n2, host)
    n2.start()
    scene.run(scene.dice.uniform(0.9, 1.8) if apart else 1)
    scene.world.cut.clear()
    for one, other in ((n1, "n2"), (n3, "n2"), (n2, "n1"), (n2, "n3")):
        one.give(ev.LinkDown(other))
        one.give(ev.LinkUp(other))
    end = scene.world.now + 15
    while scene.world.now < end:
        scene.run(0.05)
        if n2.node.serving(n2.clock()):
            scene.fail("n2 serves by a record that was restored, without what was acknowledged")
    store.shows(store.version + 1000, newest[1])
    scene.expect(lambda: scene.world.active() is active or active.node.trouble, "nobody serves after the store was mended")
    scene.nothing_lost(active)


@aimed
def an_append_of_the_past(seed):
    """Entries of an epoch that is over, which arrive late, change nothing."""
    scene = Scene(seed, 3)
    n1, n2, n3 = scene.hosts
    late = []
    scene.world.drops = lambda source, target, message: (
        source == "n1" and isinstance(message, Append) and bool(message.entries) and target == "n3" and not late.append(message)
    )
    scene.write(n1)
    scene.run(0.2)
    scene.world.drops = None
    n1.crash(notice=True)
    scene.expect(lambda: scene.world.active() in (n2, n3), "nobody takes over")
    scene.writes(scene.world.active(), 3)
    for message in late:
        for host in (n2, n3):
            host.give(ev.Received("n1", message))
    scene.writes(scene.world.active(), 3)
    scene.nothing_lost(scene.world.active())


# --- names and notes ----------------------------------------------------------------------------------------------------------


@aimed
def a_clone_of_the_active(seed):
    """The active's machine is cloned with all that could tell the two apart: the copy boots beside it, and never serves."""
    scene = Scene(seed, 2)
    scene.world.checks.leases, scene.world.checks.forked = False, True
    n1, n2 = scene.hosts
    scene.writes(n1, 3)
    clone = Clone(n1, n2)
    scene.writes(n1, 5)
    clone.start()
    end = scene.world.now + 15
    while scene.world.now < end:
        scene.run(0.02)
        if clone.node is not None and clone.node.serving(clone.clock()):
            scene.fail("the copy serves")
        if n1.node.serving(n1.clock()):
            scene.write(n1)
    if not clone.renounced:
        scene.fail("the copy does not give up the name of the disk that it was made from")
    scene.in_sync(n1, n2)
    scene.nothing_lost(n1)


@aimed
def the_image_of_a_passive_outlives_the_active(seed):
    """The active ends soon after it refused the image of its passive's disk: the passive takes over, and never the image."""
    scene = Scene(seed, 2)
    scene.world.checks.leases, scene.world.checks.forked = False, True
    n1, n2 = scene.hosts
    scene.writes(n1, 3)
    clone = Clone(n2, n1)
    scene.writes(n1, 5)
    clone.start()
    end = scene.world.now + 4
    while scene.world.now < end and not (clone.refused and scene.world.dice.random() < 0.02):
        scene.run(0.02)
        scene.write(n1)
    n1.crash()
    end = scene.world.now + 30
    while scene.world.now < end:
        scene.run(0.02)
        if clone.node is not None and clone.node.leading is not None:
            scene.fail("the image takes over without what was acknowledged since it was taken")
    if n2.node.leading is None:
        scene.fail("the passive does not take over")
    scene.nothing_lost(n2)


@aimed
def a_force_that_got_no_further_than_its_note(seed):
    """A node that is not in sync noted a promotion and was killed; nothing else changes the record: it joins all the same."""
    scene = Scene(seed, 2)
    scene.world.checks.leases = False
    n1, n2 = scene.hosts
    n2.crash()
    scene.alone(n1)
    scene.writes(n1, 3)
    scene.cut(n1, n2)
    n2.start()
    scene.run(1)
    scene.world.store.down = True
    scene.order(n2, "promote", force=True)
    scene.run(scene.dice.uniform(0.1, 1))
    n2.crash()
    n2.start()
    scene.run(0.5)
    scene.world.store.down = False
    scene.world.cut.clear()
    scene.in_sync(n1, n2)
    scene.nothing_lost(n1)


@aimed
def a_promotion_that_lands_after_a_restart(seed):
    """A passive's swap is on its way for seconds; it is killed, and restarted: it acknowledges nothing to the old active."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    store = scene.world.store
    scene.cut(n1, n2)
    store.cut.add("n1")
    store.next_is_late = True
    scene.expect(lambda: any(record.active == "n2" for record in store.under_way), "n2 does not try")
    n2.crash()
    n2.start()
    scene.world.cut.clear()
    for one, other in (("n1", "n2"), ("n2", "n1")):
        scene.world.relink(one, other)
    scene.run(8)
    store.cut.clear()
    scene.in_sync(n1, n2)
    scene.nothing_lost(scene.world.active())


@aimed
def drivers_that_a_passive_knows_of_but_not_that_it_is_committed(seed):
    """The last that n2 hears of a reign is that drivers may run in it: it waits for them, though it was never told of the commit."""
    scene = Scene(seed, 2, drivers=True)
    n1, _n2 = scene.hosts
    scene.run(3)
    n1.crash()

    def untold(source, _target, message):
        driving = n1.node.driving if n1.node is not None else None
        if source != "n1" or not isinstance(message, Append) or driving is None or driving._stated < 0:
            return False
        if message.commit >= driving._stated:
            scene.world.store.cut.add("n1")
        return "n1" in scene.world.store.cut

    scene.world.drops = untold
    n1.start()
    scene.run(14)


@aimed
def a_driver_that_dies_before_or_in_a_hand_over(seed):
    """What it leaves is killed late, within the reserve that batond keeps; its process comes back after that."""
    scene = Scene(seed, 2, drivers=True, calm=True)
    n1, n2 = scene.hosts
    services = n1.drivers.services.values()
    scene.expect(lambda: all(service.running and service.active_in > 0 for service in services), "its drivers do not start")
    service = scene.dice.choice(list(services))
    before = scene.dice.random() < 0.5
    if before:
        n1.drivers.cut(service)
        scene.run(scene.dice.uniform(0, 0.5))
    scene.quiet(n1)
    answers = scene.order(n1, "switch", node="n2")
    if not before:
        scene.expect(lambda: service.stopping, "it is not told to stop", 10)
        scene.run(scene.dice.uniform(0, 0.3))
        if service.stopping and service.session is not None:
            n1.drivers.cut(service)
    scene.expect(lambda: answers, "the switch does not end")
    scene.expect(lambda: n2.drivers.services[service.name].running, "it does not run on n2")


@aimed
def a_service_that_can_not_be_stopped(seed):
    """Its driver died, what that left could not be killed, and the next one says so: it must not run elsewhere as long as it runs here."""
    scene = Scene(seed, 2, drivers=True, calm=True)
    n1, n2 = scene.hosts
    services = n1.drivers.services
    scene.expect(lambda: all(service.running and service.active_in > 0 for service in services.values()), "its drivers do not start")
    service = services[scene.dice.choice(sorted(services))]
    scene.quiet(n1)
    service.stuck = True
    n1.drivers.cut(service)
    driver = n1.node.driving.drivers.by_id[service.name]
    if scene.dice.random() < 0.5:  # it is known before the order, or comes out during it
        scene.expect(lambda: driver.stuck, "nobody says that it does not stop")
        scene.run(scene.dice.uniform(0, 12))
    answers = scene.order(n1, "switch", node="n2")
    scene.expect(lambda: answers, "the switch does not end")
    if isinstance(answers[0], dict):
        scene.fail("the role was handed on")
    scene.run(scene.dice.uniform(0, 12))
    assert service.name in n1.drivers.markers, "the guard would say that nothing runs"
    service.stuck = False
    scene.expect(lambda: driver.phase == "active", "it does not run again")
    scene.quiet(n1)
    scene.ordered(n1, "switch", node="n2")
    scene.expect(lambda: n2.drivers.services[service.name].running, "it does not run on n2")


def _damage(scene, host, name):
    """Take a driver's file, or all of them, away, or leave half of one."""
    folder = host.drivers.folder
    what = scene.dice.choice(("away", "half", "folder", "never right"))
    if what == "away":
        (folder / "drivers" / f"{name}.json").unlink()
    elif what == "folder":
        (folder / "drivers").rename(folder / "elsewhere")
    else:
        host.drivers.write_file(name, 0.5)
    if what == "never right":
        (folder / "kept.json").unlink()


@aimed
def a_file_that_is_away_when_the_role_comes(seed):
    """The file of a driver for which the VIP waits is away or half written, perhaps over a restart: the VIP waits all the same."""
    scene = Scene(seed, 2, drivers=True, calm=True)
    n1, n2 = scene.hosts
    with tempfile.TemporaryDirectory() as folder:
        n2.drivers.keep_files(Path(folder))
        n2.crash()
        n2.start()
        scene.in_sync(n1, n2)
        db = n2.drivers.services["db"]
        db.away = True
        if db.session is not None:
            n2.drivers.cut(db)
        _damage(scene, n2, "db")
        if scene.dice.random() < 0.5 or not (Path(folder) / "kept.json").exists():
            n2.crash()
            n2.start()
            scene.in_sync(n1, n2)
        else:
            n2.drivers.look_at_files()
        scene.run(scene.dice.uniform(0, 1))
        scene.quiet(n1)
        scene.ordered(n1, "switch", node="n2")
        scene.run(12)
        db.away = False
        scene.expect(lambda: n2.node.serving(n2.clock()), "n2 does not serve although its driver is there")


@aimed
def drivers_whose_order_is_a_circle(seed):
    """Each file is right, but together they ask for what can't be: all start, and the service comes."""
    scene = Scene(seed, 2, drivers=True, calm=True)
    n1, n2 = scene.hosts
    services = n2.drivers.services
    n2.drivers.configured = scene.dice.random() < 0.5
    n2.crash()
    services["db"].options = Options(pre_active=True, after=("web",))
    n2.start()
    scene.in_sync(n1, n2)
    scene.run(3)
    scene.quiet(n1)
    scene.ordered(n1, "switch", node="n2")
    epoch = scene.world.store.record.epoch.number
    scene.expect(lambda: {service.active_in for service in services.values()} == {epoch}, "they wait for each other")
    scene.expect(lambda: n2.node.serving(n2.clock()), "n2 does not serve")


@aimed
def a_reign_that_committed_nothing(seed):
    """Without a shared store: what a crash left on another's disk alone was never acknowledged, and refuses nobody."""
    scene = Scene(seed, 2, shared=False)
    n1, n2 = scene.hosts
    n2.crash()
    scene.alone(n1)
    scene.writes(n1, 3)
    scene.cut(n1, n2)
    n2.start()
    scene.run(1.5)
    n1.crash()
    write, n1._write = n1._write, lambda: None  # its disk stands still in the reign that begins now
    scene.world.cut.clear()
    n1.start()
    scene.expect(lambda: n1.node.leading is not None or n1.queue, "n1 does not start again")
    n1._write = lambda: n1.node.leading is None and write()
    scene.run(1)
    n1.crash()
    n1._write = write
    n1.start()
    scene.in_sync(n1, n2)
    scene.nothing_lost(n1)


@aimed
def an_order_while_the_store_is_rolled_back(seed):
    """A switch or a pause would begin a swap that never ends: it is refused, and the service goes on."""
    scene = Scene(seed, 2)
    n1, _n2 = scene.hosts
    store = scene.world.store
    version, record = store.version, store.record
    for order in ("pause", "resume"):
        scene.ordered(n1, order)
        scene.run(0.3)
    store.shows(version, record)
    scene.run(scene.dice.choice((0, 0.1, 3)))
    answers = scene.order(n1, scene.dice.choice(("pause", "switch")))
    scene.run(1)
    if not answers:
        scene.fail("an order is not answered")
    scene.served_all_along(n1, 8, "a person gave an order")


class Clone(Host):
    """A second machine with the name and a copy of the disk of ``original``, linked with ``other`` only."""

    def __init__(self, original, other):
        super().__init__(original.world, original.name)
        self.other, self.renounced, self.refused = other, False, False
        self.disk = Disk(original.disk.read(), original.disk.record, set(original.disk.blobs))
        other._do_sendback = self._hear

    def start(self):
        relink, self.world.relink = self.world.relink, lambda source, target: None  # nobody notices that it starts
        super().start()
        self.world.relink = relink

    def _hear(self, command):
        """What ``other`` answers on the link that this one made."""
        if self.node is not None and command.process == self.node.config.process:
            self.refused = self.refused or command.message.detail != NOT_YET
            self._later(0.003, lambda: self.give(ev.Received(self.other.name, command.message)))

    def _do_send(self, command):
        if command.node == self.other.name:
            event = ev.Received(self.name, command.message)
            self.world.after(self.world.dice.uniform(0.001, 0.01), lambda: self.other.give(event))

    def _do_renounce(self, _command):
        self.renounced = True
        self.crash()


def _lied_to(seed, shared):
    """What a liar says all the time changes nothing: the same reign goes on, and nobody promised, took or cut anything for it."""
    scene = Scene(seed, 3, shared)
    first = scene.hosts[0]
    reign, version = first.node.record.epoch, first.node.state.version
    end = scene.world.now + 4
    liar = Evil(scene.world, seed, 0.01, lambda: scene.world.now < end)
    liar.act()
    while scene.world.now < end:
        scene.write(first)
        scene.run(0.3)
    if first.node.leading is None or first.node.record.epoch != reign or first.node.state.version != version:
        scene.fail(f"the reign {reign} did not outlive {liar.said} lies")
    for host in scene.hosts:
        if host.node.state.promised != reign:
            scene.fail(f"{host.name} has promised itself to {host.node.state.promised}")
        if any('"a":"evil' in entry.text for entry in host.node.state.log.after(host.node.state.log.start.seq)):
            scene.fail(f"{host.name} has taken what no active wrote")
    scene.in_sync(*scene.hosts)


@aimed
def a_peer_lies(seed):
    _lied_to(seed, True)


@aimed
def a_peer_lies_where_nodes_keep_the_record(seed):
    _lied_to(seed, False)


@aimed
def a_new_active_is_followed_at_once_by_who_has_not_read_of_it(seed):
    """The first words of a reign wait for the record: they are neither lost nor slow."""
    scene = Scene(seed, 3)
    first, second, third = scene.hosts
    scene.world.trouble = Trouble(stale_watches=1.0)  # what the store tells by itself comes seconds later
    first.crash(notice=True)
    began = scene.world.now
    scene.expect(scene.world.active, "nobody takes over")
    active = scene.world.active()
    other = third if active is second else second
    if scene.world.now - began > 1.5:
        scene.fail(f"it took {scene.world.now - began:.2f} s")
    if other.node.state.promised != active.node.record.epoch:
        scene.fail(f"{other.name} has not promised itself to {active.node.record.epoch}")
    scene.write(active)


# --- a log that is not evaluated yet ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _one_at_a_time():
    """Whoever follows, or becomes active, evaluates one entry at a time."""
    kept = node.APPLIED_AT_ONCE
    for module in (node, following, recovery):
        module.APPLIED_AT_ONCE = 1
    try:
        yield
    finally:
        for module in (node, following, recovery):
            module.APPLIED_AT_ONCE = kept


@aimed
def a_new_active_has_much_to_evaluate(seed):
    """It goes on answering meanwhile, and is active when it is done; or dies, or is cut off until another has the role."""
    with _one_at_a_time():
        scene = Scene(seed, 3)
        n1, *others = scene.hosts
        answers = [scene.write(n1) for _number in range(scene.dice.randint(250, 400))]
        scene.expect(lambda: all(answers), "a write has no answer")
        n1.crash(notice=scene.dice.random() < 0.7)
        scene.expect(lambda: any(host.node._becoming for host in others), "nobody has anything to evaluate")
        (next_one,) = [host for host in others if host.node._becoming]
        (third,) = [host for host in others if host is not next_one]
        what = scene.dice.choice(("nothing", "killed", "cut off", "forced"))
        if what == "killed":
            next_one.crash()
        elif what == "cut off":
            scene.world.store.cut.add(next_one.name)
            scene.cut(next_one, third)
            next_one.is_frozen = True  # it wakes up in the middle of it, when the role is another's
            scene.expect(lambda: third.node.leading, "nobody takes over")
            next_one.thaw()
        elif what == "forced":
            scene.world.checks.leases = False
            scene.order(third, "promote", force=True)
            for _moment in range(200):
                scene.run(0.005)
                if next_one.node.leading is not None and next_one.node.record.active != next_one.name:
                    scene.fail(f"{next_one.name} begins a reign that is another's")
        scene.expect(scene.world.active, "nobody serves")
        scene.world.cut.clear()
        scene.world.store.cut.clear()
        for host in scene.hosts:
            if host.node is None:
                host.start()
        scene.in_sync(*scene.hosts)
        scene.nothing_lost(scene.world.active())
