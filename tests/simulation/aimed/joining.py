# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules of a pair that goes on while others join, are slow, restart, or are removed."""

from __future__ import annotations

import itertools

from baton.core import events as ev
from baton.core.model.messages import Ack
from baton.core.model.requests import Outcome
from simulation.aimed.scene import Scene, aimed


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
