# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules of disks that were set back: what they lack is known before they lead."""

from __future__ import annotations

from baton.core.model.messages import Ack
from simulation.aimed.scene import Scene, aimed


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
