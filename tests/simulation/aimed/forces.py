# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules of what a person's force leaves behind: two histories, tails that nobody else has, tokens of both sides."""

from __future__ import annotations

from baton.core import events as ev
from baton.core.model.documents import Change
from baton.core.model.requests import Outcome
from simulation.aimed.scene import Scene, aimed


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
