# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules of a store that shows an older record, and of what comes from the past."""

from __future__ import annotations

from baton.core import events as ev
from baton.core.model.messages import Append
from simulation.aimed.scene import Scene, aimed


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
