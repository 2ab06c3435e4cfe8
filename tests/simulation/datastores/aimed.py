# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules of a pool: for each trouble that chance hardly makes, one that plays it. Each takes a seed, and raises Violation.

``run.py`` plays them beside the random ones; ``mutations`` says which rule each is for. The set is m1, m2, m3, and m1 its source.
"""

from __future__ import annotations

from baton.datastores.engine.engine import cancel, request
from baton.datastores.plans.mariadb import PLAN
from simulation.datastores.checks import Violation
from simulation.datastores.schedule import Schedule
from simulation.datastores.stage import Stage
from simulation.datastores.world import SET

AIMED = {}


def aimed(schedule):
    AIMED[schedule.__name__] = schedule
    return schedule


class Scene(Stage, Schedule):
    """A pool of three hosts whose set is at rest, and m1 is the source; then nothing happens but what a schedule does."""

    plan = PLAN

    def __init__(self, seed):
        super().__init__(seed, hosts=3, lease=2.0)
        self.world.people = self._people
        self.cancels = False
        self._until_at_rest()
        if self.whole.source != "m1":
            self.ask("promote", candidate="m1")
            self.expect(lambda: self.whole.source == "m1" and self.whole.task is None, 20)
            self._until_at_rest()

    def _of_its_own(self, case):
        return super()._of_its_own(case) if self.healed else False

    def _of_all(self, case):
        if self.cancels and case.whole.task is not None:
            cancel(case, PLAN, "it was cancelled")
            self.cancels = False
            return True
        if self._asked is None:
            return False if self.healed and self.world.gone else super()._of_all(case)
        (program, data), self._asked = self._asked, None
        request(case, PLAN, program, "asked for", **data)
        return True

    def acknowledged_without(self, host):
        """Whether something was acknowledged that a server has not received."""
        return set(self.world.checks.acknowledged[SET]) - set(host.server.has())


@aimed
def an_old_source_goes_on_while_others_are_sealed(seed):
    """Its lease is ended by a person and it does not hear of it: what it writes then, one replica receives, and the other does not."""
    scene = Scene(seed)
    one, two, three = scene.hosts
    scene.reaches_nobody(one)
    scene.world.store.end_lease(one.name)
    scene.expect(lambda: scene.reported(two, "seal") and scene.reported(three, "seal"))
    scene.cut(one, two)
    scene.run_on(8)
    scene.ends()


@aimed
def a_replica_forgets_what_it_alone_had(seed):
    """It has acknowledged what waits to be applied, and is started anew; the source is gone, and the other replica was cut off."""
    scene = Scene(seed)
    one, two, three = scene.hosts
    scene.cut(one, two)
    three.server.stalled = True
    scene.expect(lambda: scene.acknowledged_without(two) and len(three.server.relay) > 3)
    one.power_off()
    three.server.kill()
    scene.run_on(12)
    scene.ends()


@aimed
def a_candidate_loses_what_it_has_received(seed):
    """It was sealed and chosen with what waits to be applied, and is started anew before it was."""
    scene = Scene(seed)
    one, two, three = scene.hosts
    scene.cut(one, two)
    three.server.stalled = True
    scene.expect(lambda: scene.acknowledged_without(two) and len(three.server.relay) > 3)
    one.power_off()
    scene.expect(lambda: scene.reported(three, "seal"))
    three.server.kill()
    scene.run_on(12)
    scene.ends()


@aimed
def a_quiet_source_is_opened_again_in_a_promotion(seed):
    """Its guest dies after it has said how far the source is, and the next one opens it: what is written then, the candidate has not."""
    scene = Scene(seed)
    one, two, three = scene.hosts
    scene.ask("promote", candidate="m3")
    scene.expect(lambda: scene.is_doing("promote", "catch up"))
    end = scene.whole.task.data["position"]
    thaw = three.guest.freeze()
    scene.when(lambda: f"1-1-{three.server.received}" == end, 2)
    scene.cut(one, three)
    one.guest.kill()
    scene.run_on(0.05)
    one.start()
    scene.when(lambda: scene.acknowledged_without(three), 1.2)
    thaw()
    scene.run_on(15)
    scene.ends()


@aimed
def an_order_is_tried_until_it_is_taken_back(seed):
    """A replica was told to follow a candidate that is gone for good before it has claimed its term; then the old source is back."""
    scene = Scene(seed)
    one, two, three = scene.hosts
    scene.cut(two, three)
    one.power_off()
    scene.expect(lambda: scene.is_doing("failover", "drain"))
    new, other = (two, three) if scene.whole.task.data["candidate"] == "m2" else (three, two)
    scene.expect(lambda: scene.reported(new, "drain") or scene.whole.source != "m1")
    new.guest.freeze()
    scene.expect(lambda: any(order.verb == "follow" for order in scene.world.store.channels[other.name].orders.values()))
    scene.run_on(0.3)
    new.power_off()
    scene.world.gone.add(new.name)
    scene.run_on(3)
    one.start()
    scene.run_on(3)
    scene.ends()


@aimed
def a_source_that_was_told_to_ask_nobody_dies_before_it_says_that_it_does(seed):
    scene = Scene(seed)
    one, two, three = scene.hosts
    for other in (two, three):
        scene.cut(one, other)
        other.guest.kill()
    scene.expect(lambda: one.server.writable and not one.server.acks)
    scene.reaches_nobody(one)
    scene.when(lambda: scene.acknowledged_without(two) and scene.acknowledged_without(three), 0.2)
    one.power_off()
    scene.run_on(0.5)
    for other in (two, three):
        other.start()
    scene.run_on(12)
    scene.ends()


@aimed
def a_guest_and_its_guard_die_and_know_nothing_after(seed):
    """Its lease is ended by a person meanwhile, so that another one takes over."""
    scene = Scene(seed)
    one = scene.hosts[0]
    one.guest.kill()
    one.guard.kill()
    scene.world.store.end_lease(one.name)
    scene.run_on(0.3)
    one.start()
    scene.run_on(8)
    scene.ends()


@aimed
def a_source_is_lost_while_it_is_restarted(seed):
    """The restart is cancelled, and its lease ended, as its guest hears of the order: the grant is gone when the server begins to stop."""
    scene = Scene(seed)
    one = scene.hosts[0]
    scene.ask("restart", members=["m1"])
    scene.expect(lambda: scene.world.store.channels[one.name].orders, 2)
    scene.run_on(scene.random.uniform(0, 0.05))
    scene.cancels = True
    scene.world.store.end_lease(one.name)
    scene.run_on(8)
    scene.ends()


@aimed
def a_replica_is_detached_and_serves(seed):
    """Its host is power-cycled meanwhile: whatever was done then, it is of one set, and its source there."""
    scene = Scene(seed)
    three = scene.hosts[2]
    scene.ask("detach", members=["m3"], set="n1")
    scene.run_on(scene.random.uniform(0, 1.5))
    three.power_off()
    scene.run_on(0.5)
    three.start()
    scene.run_on(8)
    of = next(key for key, whole in scene.world.store.sets.items() if "m3" in whole["members"])
    serves = three.server.writable and three.server.opened_for == of if of != SET else three.server.follows == "m1"
    if not serves:
        raise Violation(f"D3: m3 is of {of}, and is left alone")
    scene.ends()


@aimed
def a_source_comes_back_after_a_replica_that_counts_was_given_up(seed):
    """It is deleted by force while the source is away: what it has acknowledged the source alone has, and nobody takes its place."""
    scene = Scene(seed)
    one, two, three = scene.hosts
    scene.cut(one, three)
    scene.expect(lambda: scene.acknowledged_without(three))
    scene.lose(two)
    if scene.random.random() < 0.5:
        one.power_off()
    else:
        scene.reaches_nobody(one)
    scene.expect(lambda: scene.whole.needs and scene.whole.task is None, 20)
    scene.ask("delete", members=["m2"], force=True)
    scene.when(lambda: "m2" not in scene.whole.members, 30)
    scene.run_on(scene.random.uniform(0, 10))
    scene.world.cut.clear()
    one.start()
    scene.run_on(8)
    if "m2" in scene.whole.members:
        raise Violation("D3: m2 can't be deleted, although its host is gone for good")
    scene.ends()


@aimed
def a_source_and_a_replica_that_counts_are_gone_for_good(seed):
    """People say so of one after the other, and that another is to be the source with what it has."""
    scene = Scene(seed)
    one, two, three = scene.hosts
    scene.cut(one, three)
    scene.expect(lambda: scene.acknowledged_without(three))
    for host in (one, two):
        scene.lose(host)
    scene.expect(lambda: scene.whole.needs and scene.whole.task is None, 20)
    scene.ask("delete", members=["m2"], force=True)
    scene.when(lambda: "m2" not in scene.whole.members, 30)
    scene.run_on(scene.random.uniform(0, 5))
    if "m2" in scene.whole.members or three.server.writable:
        raise Violation(f"D3: m2 can't be deleted, or m3 took over unasked; {scene.whole.needs}")
    scene.world.checks.given_up(SET)
    scene.ask("eject")
    scene.expect(lambda: three.server.writable and scene.whole.task is None, 20)
    scene.ask("delete", members=["m1"], force=True)
    scene.expect(lambda: sorted(scene.whole.members) == ["m3"], 30)
    scene.ends()
