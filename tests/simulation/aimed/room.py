# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules of full disks: the role moves to where there is room, once, and stays where there is none.

Where a person decides, it stays, too.
"""

from __future__ import annotations

from baton.core.model.requests import Outcome
from baton.core.roles.room import STEADY
from simulation.aimed.scene import Scene, aimed
from simulation.aimed.vip import epoch, stays

SOON = 0.5  # seconds in which the role has moved


def refused(scene, host):
    """See that a change is refused for the full disk, and that reads go on."""
    answers = scene.write(host)
    scene.expect(lambda: answers, "a write has no answer")
    if isinstance(answers[0], Outcome) or answers[0].code != "disk_full":
        scene.fail(f"a change on a full disk was answered with {answers[0]}")
    if not host.node.serving(host.clock()):
        scene.fail(f"{host.name} does not serve reads")


def takes_over(scene, host, why, most=SOON):
    scene.expect(lambda: scene.world.active() is host, f"{host.name} does not take over: {why}", most)


@aimed
def the_disk_of_the_active_fills_up(seed):
    """The role goes at once to a node that has room, nothing is lost, and it stays there when the first one has room again."""
    scene = Scene(seed, 2 + seed % 2)
    n1, *others = scene.hosts
    full = scene.dice.sample(others, len(others) - 1)
    for host in full:
        host.room(False)
    scene.run(scene.dice.choice((0.1, 2)))
    before = epoch(scene)
    scene.writes(n1, 5)
    pending = [scene.write(n1) for _number in range(3)]
    n1.room(False)
    (roomy,) = [host for host in others if not host.full]
    takes_over(scene, roomy, "it has room")
    scene.expect(lambda: all(pending), "a write has no answer")
    scene.in_sync(*scene.hosts)
    scene.writes(roomy, 3)
    n1.room(True)
    stays(scene, roomy, STEADY + 3, "it has room")
    roomy.room(False)
    takes_over(scene, n1, "it has room again")
    scene.writes(n1, 1)
    if epoch(scene) != before + 2:
        scene.fail(f"the role moved {epoch(scene) - before} times")
    scene.nothing_lost(n1)


@aimed
def the_disk_of_a_passive_is_full(seed):
    """Nothing moves, writes go on; whoever dies, one with room follows; and with none left the full one serves reads."""
    scene = Scene(seed, 3)
    n1, *others = scene.hosts
    full = scene.dice.choice(others)
    (roomy,) = [host for host in others if host is not full]
    full.room(False)
    stays(scene, n1, 2, "it has room")
    scene.writes(n1, scene.dice.choice((1, 30)))
    answers = scene.order(n1, "switch", node=full.name)
    if not answers or answers[0].code != "unable":
        scene.fail("a switch to a full node is not refused")
    end = scene.dice.choice(("killed", "frozen", "cut off"))
    if end == "killed":
        n1.crash(notice=True)
    elif end == "frozen":
        n1.is_frozen = True
    else:
        scene.world.store.cut.add(n1.name)
        for other in others:
            scene.cut(n1, other)
    scene.expect(lambda: roomy.node.leading or full.node.leading, "nobody takes over")
    if full.node.leading is not None:
        scene.fail(f"{full.name} takes over with a full disk, {roomy.name} was there")
    scene.expect(lambda: scene.world.active() is roomy, f"{roomy.name} does not serve")
    scene.in_sync(roomy, full)
    scene.writes(roomy, 2)
    scene.quiet(roomy)
    roomy.crash(notice=scene.dice.random() < 0.5)
    scene.expect(lambda: scene.world.active() is full, "nobody takes over: reads are better than nothing")
    refused(scene, full)
    scene.nothing_lost(full)


@aimed
def all_disks_are_full(seed):
    """Nothing moves, reads are served; the first that has room again gets the role, once."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    scene.writes(n1, 3)
    n2.room(False)
    scene.run(scene.dice.choice((0.05, 1)))
    before = epoch(scene)
    n1.room(False)
    stays(scene, n1, 8, "nobody has room")
    refused(scene, n1)
    if scene.dice.random() < 0.5:
        n1.room(True)
        stays(scene, n1, STEADY + 3, "it has room")
        moved = 0
    else:
        n2.room(True)
        takes_over(scene, n2, "it has room", STEADY + 2)
        n1.room(True)
        stays(scene, n2, STEADY + 3, "it has room")
        moved = 1
    host = scene.world.active()
    scene.writes(host, 2)
    if epoch(scene) != before + moved:
        scene.fail(f"the role moved {epoch(scene) - before} times")
    scene.nothing_lost(host)


@aimed
def room_comes_and_goes(seed):
    """On both hosts in turn, every half second, every few, or every dozen: the role moves ever more seldom."""
    scene = Scene(seed, 2)
    before = epoch(scene)
    hosts = scene.dice.sample(scene.hosts, 2)
    least, spread = scene.dice.choice(((0.2, 0.5), (2, 2), (10, 5)))
    for _round in range(30):
        for host, other in (hosts, hosts[::-1]):
            host.room(False)
            other.room(True)
            scene.run(scene.dice.uniform(least, least + spread))
    moved = epoch(scene) - before
    if moved > 12:
        scene.fail(f"the role moved {moved} times in {scene.world.now:.0f} s")
    for host in hosts:
        host.room(True)
    stays(scene, scene.world.active(), 5, "all have room")
    scene.in_sync(*hosts)


@aimed
def a_disk_fills_up_while_the_store_is_out(seed):
    """I6: reads go on where they are until the store is back; then the role moves."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    if scene.dice.random() < 0.5:
        scene.world.store.down = True
    else:
        scene.world.store.cut.add(n1.name)
    scene.run(scene.dice.uniform(0.1, 1))
    n1.room(False)
    scene.served_all_along(n1, 8, "the store is out")
    refused(scene, n1)
    scene.world.store.down = False
    scene.world.store.cut.clear()
    takes_over(scene, n2, "the store is back", 2.0)
    scene.nothing_lost(n2)


@aimed
def a_disk_fills_up_where_a_person_decides(seed):
    """In a pause, and without a shared store, nothing moves before a person says so."""
    shared = seed % 2 == 0
    scene = Scene(seed, 2, shared=shared)
    n1, n2 = scene.hosts
    if shared:
        scene.ordered(n1, "pause")
    n1.room(False)
    stays(scene, n1, 5, "a person decides")
    refused(scene, n1)
    if shared and scene.dice.random() < 0.5:
        scene.ordered(n1, "resume")
    else:
        scene.ordered(n1, "switch", node="n2")
    takes_over(scene, n2, "a person said so", 2.0)
    scene.in_sync(n1, n2)


@aimed
def a_disk_fills_up_and_an_interface_dies(seed):
    """The VIP comes first: a full disk does not pull it to where it is dead, a dead interface gives it to a full disk, and once."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    before = epoch(scene)
    n2.interface(False)
    scene.run(0.3)
    n1.room(False)
    stays(scene, n1, 3, "the VIP is dead elsewhere")
    n2.interface(True)
    takes_over(scene, n2, "its VIP works, and it has room", 1.0)
    scene.in_sync(n1, n2)
    n2.interface(False)
    takes_over(scene, n1, "its VIP works", 1.0)
    stays(scene, n1, 3, "the VIP is dead elsewhere")
    refused(scene, n1)
    if epoch(scene) != before + 2:
        scene.fail(f"the role moved {epoch(scene) - before} times")
