# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules of the VIP's interfaces: the role moves to where one works, once, and stays where none does.

Where a person decides, it stays, too.
"""

from __future__ import annotations

from baton.core import events as ev
from baton.core.model.messages import Hello
from simulation.aimed.scene import Scene, aimed
from simulation.world import FULL


def epoch(scene):
    return scene.world.store.record.epoch.number


def stays(scene, host, seconds, why):
    """See that ``host`` serves all along in one epoch."""
    before = host.node.record.epoch
    scene.served_all_along(host, seconds, why)
    if host.node.record.epoch != before:
        scene.fail(f"the role went away from {host.name} and came back: {why}")


@aimed
def the_interface_of_the_active_dies(seed):
    """The role goes to an able node at once, nothing is lost, and it stays there until that one's interface dies, too."""
    scene = Scene(seed, scene_nodes(seed))
    n1, *others = scene.hosts
    unable = scene.dice.sample(others, len(others) - 1)
    for host in unable:
        host.interface(False)
    scene.run(scene.dice.choice((0.1, 2)))
    before = epoch(scene)
    scene.writes(n1, 5)
    pending = [scene.write(n1) for _number in range(3)]
    n1.interface(False)
    (able,) = [host for host in others if not host.unable]
    scene.expect(lambda: scene.world.active() is able, f"{able.name} does not take over", 1.0)
    scene.expect(lambda: all(pending), "a write has no answer")
    scene.in_sync(*scene.hosts)
    n1.interface(True)
    stays(scene, able, 6, "its VIP works")
    for here, there in ((able, n1), (n1, able)):
        here.interface(False)
        scene.expect(lambda there=there: scene.world.active() is there, f"{there.name} does not take over", 1.0)
        scene.in_sync(*scene.hosts)
        here.interface(True)
        scene.run(0.3)
    if epoch(scene) != before + 3:
        scene.fail(f"the role moved {epoch(scene) - before} times")
    scene.nothing_lost(able)


@aimed
def the_active_dies_and_one_interface_with_it(seed):
    """n1 is killed, frozen or cut off while the VIP of one of the others is dead: the other takes over."""
    scene = Scene(seed, 3)
    n1, *others = scene.hosts
    dead = scene.dice.choice(others)
    (able,) = [host for host in others if host is not dead]
    dead.interface(False)
    scene.writes(n1, scene.dice.choice((1, 30)))
    scene.run(0.3)
    end = scene.dice.choice(("killed", "frozen", "cut off"))
    if end == "killed":
        n1.crash(notice=True)
    elif end == "frozen":
        n1.is_frozen = True
    else:
        scene.world.store.cut.add(n1.name)
        for other in others:
            scene.cut(n1, other)
    scene.expect(lambda: able.node.leading or dead.node.leading, "nobody takes over")
    if dead.node.leading is not None:
        scene.fail(f"{dead.name} takes over without a VIP, {able.name} was there")
    scene.expect(lambda: scene.world.active() is able, f"{able.name} does not serve")
    scene.nothing_lost(able)


@aimed
def no_interface_works(seed):
    """Nothing moves while no VIP works; who is left takes over without one; and the first that works again gets the role, once."""
    scene = Scene(seed, 2)
    n1, n2 = scene.dice.sample(scene.hosts, 2)
    if scene.world.active() is not n1:
        scene.ordered(n2, "switch", node=n1.name)
        scene.in_sync(n1, n2)
    n2.interface(False)
    scene.run(scene.dice.choice((0.1, 1)))
    n1.interface(False)
    stays(scene, n1, 8, "no other VIP works")
    scene.writes(n1, 3)
    n1.crash(notice=scene.dice.random() < 0.5)
    scene.expect(lambda: scene.world.active() is n2, "nobody takes over: documents without a VIP are better than none")
    scene.nothing_lost(n2)
    n1.start()
    scene.in_sync(n1, n2)
    stays(scene, n2, 8, "no other VIP works")
    before = epoch(scene)
    n1.interface(True)
    scene.expect(lambda: scene.world.active() is n1, "the role does not go to where the VIP works", 1.0)
    scene.in_sync(n1, n2)
    n2.interface(True)
    stays(scene, n1, 3, "its VIP works")
    if epoch(scene) != before + 1:
        scene.fail(f"the role moved {epoch(scene) - before} times")
    scene.nothing_lost(n1)


def loses_the_store(scene, host):
    """It is out, or out of the reach of ``host``."""
    if scene.dice.random() < 0.5:
        scene.world.store.down = True
    else:
        scene.world.store.cut.add(host.name)


def finds_the_store(scene):
    scene.world.store.down = False
    scene.world.store.cut.clear()


@aimed
def an_interface_dies_while_the_store_is_out(seed):
    """I6: the service goes on where it is until the store is back; then the role moves."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    loses_the_store(scene, n1)
    scene.run(scene.dice.uniform(0.1, 1))
    n1.interface(False)
    scene.served_all_along(n1, 8, "the store is out")
    scene.writes(n1, 3)
    finds_the_store(scene)
    scene.expect(lambda: scene.world.active() is n2, "n2 does not take over", 2.0)
    scene.nothing_lost(n2)


@aimed
def a_switch_is_ordered_while_the_store_is_out(seed):
    """I6: nothing is given up for it; it is carried out once the store is back, or called off."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    loses_the_store(scene, n1)
    scene.run(scene.dice.uniform(0, 1))
    answers = scene.order(n1, "switch", node="n2")
    seconds = scene.dice.choice((2, 12))
    scene.served_all_along(n1, seconds, "the store is out")
    scene.writes(n1, 3)
    if bool(answers) != (seconds == 12):
        scene.fail(f"after {seconds} s the answer is {answers}")
    finds_the_store(scene)
    if not answers:
        scene.expect(lambda: scene.world.active() is n2, "n2 does not take over", 2.0)
        scene.nothing_lost(n2)
    elif answers[0].code != "switch_aborted" or "does not answer" not in answers[0].detail:
        scene.fail(f"the answer is {answers}")


@aimed
def a_switch_is_ordered_as_the_store_fills_up(seed):
    """I6: it shows the record, and nobody knows yet that it takes no swap, or n2 alone: that is found before anything is given up."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    scene.world.store.full = True
    if scene.dice.random() < 0.5:
        n2.give(ev.DcsHealth(False, FULL))
        scene.run(0.5)
    answers = scene.order(n1, "switch", node="n2", force=scene.dice.random() < 0.5)
    scene.world.store.shows(scene.world.store.version, scene.world.store.record)  # nodes look from time to time
    scene.served_all_along(n1, 2, "the store is full")
    if not answers or FULL not in answers[0].detail or "nothing was changed" not in answers[0].detail:
        scene.fail(f"the answer is {answers}")
    scene.writes(n1, 3)
    scene.world.store.has_room()
    scene.run(0.5)
    scene.ordered(n1, "switch", node="n2")
    scene.expect(lambda: scene.world.active() is n2, "n2 does not take over", 2.0)
    scene.nothing_lost(n2)


@aimed
def an_interface_dies_as_the_store_fills_up(seed):
    """Its VIP has stopped working, and documents are served until another can follow."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    scene.world.store.full = True
    n1.interface(False)
    scene.served_all_along(n1, 2, "the store is full")
    scene.world.store.has_room()
    scene.expect(lambda: scene.world.active() is n2, "n2 does not take over", 5.0)
    scene.nothing_lost(n2)


@aimed
def the_store_keeps_one_out(seed):
    """Who can not reach the store is given the role by no choice of ours, though it is the best in all else."""
    scene = Scene(seed, 3)
    n1, n2, n3 = scene.hosts
    out, other = (n2, n3) if scene.dice.random() < 0.5 else (n3, n2)
    scene.world.store.cut.add(out.name)
    out.give(ev.DcsHealth(None, "", reachable=False))
    scene.run(0.5)
    answers = scene.order(n1, "switch", node=out.name)
    scene.run(0.1)
    if not answers or answers[0].code != "cut_off":
        scene.fail(f"the answer is {answers}")
    if scene.dice.random() < 0.5:
        scene.ordered(n1, "switch")
    else:
        n1.interface(False)
    scene.expect(lambda: scene.world.active() is other, f"{other.name} does not take over", 3.0)
    scene.nothing_lost(other)


@aimed
def what_was_said_of_an_interface_is_lost(seed):
    """n2's works again, and n1 is never told: it asks."""
    scene = Scene(seed, 2)
    n1, n2 = scene.hosts
    n2.interface(False)
    scene.run(1)
    lost = scene.dice.choice((n1, n2))
    scene.world.drops = lambda source, target, message: source == lost.name and isinstance(message, Hello)
    if lost is n2:
        n1.interface(False)
        scene.run(0.1)
    n2.interface(True)
    scene.run(0.3)
    scene.world.drops = None
    n1.interface(False)
    scene.expect(lambda: scene.world.active() is n2, "n2 does not take over")
    scene.in_sync(n1, n2)
    stays(scene, n2, 2, "its VIP works")


@aimed
def an_interface_dies_where_a_person_decides(seed):
    """In a pause, and without a shared store, nothing moves before a person says so."""
    shared = seed % 2 == 0
    scene = Scene(seed, 2, shared=shared)
    n1, n2 = scene.hosts
    if shared:
        scene.ordered(n1, "pause")
    n1.interface(False)
    stays(scene, n1, 5, "a person decides")
    if shared and scene.dice.random() < 0.5:
        scene.ordered(n1, "resume")
    else:
        scene.ordered(n1, "switch", node="n2")
    scene.expect(lambda: scene.world.active() is n2, "n2 does not take over", 2.0)
    scene.in_sync(n1, n2)


def scene_nodes(seed):
    return 2 + seed % 2
