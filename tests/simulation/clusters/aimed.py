# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules of a cluster: for each trouble that chance hardly makes, one that plays it. Each takes a seed, and raises Violation.

``run.py`` plays them beside the random ones; ``mutations`` says which rule each is for. The cluster is m1, m2, m3; h4 has no member.
"""

from __future__ import annotations

from baton.datastores.engine.engine import request
from baton.datastores.plans.galera import PLAN
from baton.ground.problem import Problem
from simulation.clusters.schedule import Schedule
from simulation.clusters.world import member
from simulation.datastores.checks import Violation
from simulation.datastores.stage import Stage

AIMED = {}


def aimed(schedule):
    AIMED[schedule.__name__] = schedule
    return schedule


class Scene(Stage, Schedule):
    """A cluster of three that is at rest; then nothing happens but what a schedule does."""

    plan = PLAN

    def __init__(self, seed, arbiters=0):
        super().__init__(seed, hosts=4, arbiters=arbiters)
        self.world.people = self._people
        self._until_at_rest()

    def _people(self, case):
        if self._asked is None:
            return super()._people(case) if self.healed or not case.whole.formed else False
        program, data = self._asked
        try:
            request(case, PLAN, program, "asked for", **data)
        except Problem:
            return False
        brought = [name for name in data["members"] if program in ("grow", "replace") and name not in case.whole.members]
        case.whole.members.update({name: member(int(name[1:])) for name in brought})
        self._asked = None
        return True

    def is_told(self, host, verb):
        return any(order.verb == verb for order in self.world.store.channels[host.name].orders.values())

    def alone(self, host):
        """Whether a server has applied what others, that go on with it, have only received: they are stalled."""
        have = set().union(*(other.server.log for other in self.hosts if other is not host))
        return set(self.world.checks.acknowledged).intersection(host.server.log) - have

    def goes_ahead(self, host):
        """Have a server alone have something on its disk that was acknowledged: it has applied what the others have only received."""
        for other in self.hosts:
            other.server.stalled = other is not host
        self.expect(lambda: self.alone(host))

    def lose_contact(self, host):
        """Nobody reaches a host, nor does its guest reach the manager."""
        self.reaches_nobody(host)
        for other in self.hosts:
            if other is not host:
                self.cut(host, other)

    def serves(self, *hosts):
        return all(host.server.serves for host in hosts) and self.whole.task is None

    @staticmethod
    def members_in(host):
        """Who is in the primary component that a host's server is in."""
        view = host.server.view
        return {server.id for server in view.members} if view is not None and view.primary else set()

    def given_up(self, *hosts):
        """People say that hosts never run again, and what they alone have is lost."""
        self.world.gone.update(host.name for host in hosts)
        self.world.checks.given_up()
        self.world.gone.clear()

    def forms_without(self, three):
        """All that is left dies, and people have it formed anew without one that is ahead, and is not reached."""
        one, two = self.hosts[:2]
        self.goes_ahead(three)
        self.lose_contact(three)
        self.expect(lambda: not self.world.store.channels[three.name].alive)
        for host in (one, two):
            host.server.kill()
        self.revive_without(three)

    def revive_without(self, three):
        """People ask again where the manager has not heard yet that nobody serves."""
        self.expect(lambda: self.whole.needs, 60)
        self.given_up(three)
        for _time in range(3):
            self.ask("revive", members=[], without=["m3"])
            if self.when(lambda: self.serves(*self.hosts[:2]), 20):
                return
        self.expect(lambda: False, 0)

    def comes_back(self, three):
        self.world.cut.clear()
        self.world.links.clear()
        three.start()
        self.ends()


@aimed
def all_die_and_one_alone_has_what_was_acknowledged(seed):
    scene = Scene(seed, arbiters=seed % 2)
    last = scene.hosts[1]
    scene.goes_ahead(last)
    for host in scene.hosts:
        host.power_off()
    scene.run_on(scene.random.uniform(0.1, 4))
    for host in scene.hosts:
        if host is not last:
            host.start()
    scene.run_on(scene.random.uniform(0.1, 12))
    scene.ends()


@aimed
def one_that_was_given_up_comes_back(seed):
    """It was ahead: what it has is thrown away, as people have said."""
    scene = Scene(seed)
    three = scene.hosts[2]
    scene.forms_without(three)
    three.power_off()
    scene.run_on(1)
    scene.comes_back(three)


@aimed
def one_that_was_given_up_runs_on_and_meets_the_others(seed):
    scene = Scene(seed)
    three = scene.hosts[2]
    scene.forms_without(three)
    scene.run_on(scene.random.uniform(0, 5))
    scene.comes_back(three)


@aimed
def one_that_was_given_up_comes_back_a_term_later(seed):
    """The others were formed once more meanwhile, further on than it ever was."""
    scene = Scene(seed)
    one, two, three = scene.hosts[:3]
    scene.forms_without(three)
    three.power_off()
    scene.expect(lambda: len(one.server.log) > len(three.server.log) + 5, 20)
    for host in (one, two):
        host.server.kill()
    scene.revive_without(three)
    scene.comes_back(three)


@aimed
def one_comes_into_the_group_unheard_and_has_most(seed):
    """All were formed anew; its guest can't say that it is in; then all die, and it alone has something."""
    scene = Scene(seed)
    for host in scene.hosts:
        host.server.kill()
    scene.expect(lambda: scene.whole.term == 2 and len([host for host in scene.hosts if host.server.serves]) == 2, 60)
    last = next(host for host in scene.hosts if not host.server.serves)
    scene.expect(lambda: last.server.is_in and last.server.group.endswith("-2"), 30)
    scene.reaches_nobody(last)
    scene.goes_ahead(last)
    for host in scene.hosts:
        host.server.kill()
    scene.run_on(8)
    scene.ends()


@aimed
def one_that_was_forgotten_runs_on_and_meets_the_others(seed):
    """Its guest is heard later than its server is."""
    scene = Scene(seed, arbiters=seed % 2)
    world, one = scene.world, scene.hosts[0]
    scene.lose_contact(one)
    scene.expect(lambda: not world.store.channels[one.name].alive and "m1" not in scene.members_in(scene.hosts[1]), 20)
    for _time in range(5):  # a third member joins anew meanwhile, or is not well yet
        scene.ask("shrink", members=["m1"])
        scene.expect(lambda: scene.whole.task is None, 320)
        if "m1" not in scene.whole.members:
            break
    scene.expect(lambda: "m1" not in scene.whole.members, 0)
    if scene.random.random() < 0.5:  # who was told is started anew
        scene.hosts[1].server.kill()
    world.links.clear()
    end = world.now + scene.random.uniform(5, 15)
    while world.now < end:
        scene.run_on(0.05)
        if "m1" in scene.members_in(scene.hosts[1]):
            raise Violation(f"D3: m1 was forgotten, and is in, at {world.now:.2f}")
    world.cut.clear()
    scene.ends()
    if one.server.ours or scene.whole.own.get("gone"):
        raise Violation(f"D3: m1 was forgotten, is heard, and was not wiped, at {world.now:.2f}")


@aimed
def all_others_die_while_one_leaves(seed):
    scene = Scene(seed)
    one, two, three = scene.hosts[:3]
    scene.goes_ahead(three)
    scene.ask("shrink", members=["m3"])
    scene.expect(lambda: scene.is_told(three, "halt"))
    for host in (one, two):
        host.server.kill()
    scene.run_on(10)
    scene.ends()


@aimed
def all_others_die_as_a_new_one_has_come_in(seed):
    """It has taken writes, and nobody has heard that it is in."""
    scene = Scene(seed)
    four = scene.hosts[3]
    scene.ask("grow", members=["m4"])
    scene.expect(lambda: four.server.is_in, 30)
    scene.reaches_nobody(four)
    scene.goes_ahead(four)
    for host in scene.hosts[:3]:
        host.server.kill()
    scene.run_on(scene.random.uniform(0, 12))
    scene.ends()


@aimed
def nobody_hears_that_the_group_was_formed(seed):
    """Its server takes writes, and its guest is gone for a while."""
    scene = Scene(seed)
    for host in scene.hosts:
        host.server.kill()
    scene.expect(lambda: scene.whole.term == 2, 30)
    by = next(host for host in scene.hosts if host.server.id == scene.whole.task.data["by"])
    scene.expect(lambda: by.server.serves)
    scene.world.cut.add(by.name)
    scene.expect(lambda: scene.whole.task is None, 30)
    scene.run_on(scene.random.uniform(0, 5))
    scene.ends()


@aimed
def a_member_freezes_and_thaws(seed):
    scene = Scene(seed, arbiters=seed % 2)
    host = scene.hosts[0]
    thaw = host.server.freeze()
    scene.run_on(scene.random.uniform(3.2, 6))
    thaw()
    scene.run_on(8)
    scene.ends()


@aimed
def an_arbiter_freezes_and_thaws(seed):
    """What its guest knows of it is old; the others have gone on without it, so that nobody more is taken out."""
    scene = Scene(seed, arbiters=1)
    one, three = scene.hosts[0], scene.hosts[2]
    thaw, life = three.server.freeze(), one.server.life
    scene.run_on(scene.random.uniform(4, 8))
    scene.ask("restart", members=["m1"])
    scene.run_on(scene.random.uniform(2, 20))
    if one.server.life != life or not one.server.up:
        raise Violation(f"D5: m1 is taken out while the arbiter is not in, at {scene.world.now:.2f}")
    thaw()
    scene.ends()


@aimed
def a_directory_has_what_is_not_ours(seed):
    scene = Scene(seed)
    four = scene.hosts[3]
    four.server.foreign, four.server.log = True, [1_000_000]
    scene.ask("grow", members=["m4"])
    scene.expect(lambda: scene.whole.task is None, 60)
    joined = {key for key, each in scene.whole.members.items() if each.joined}
    if four.server.log != [1_000_000] or joined != {"m1", "m2", "m3"} or "not ours" not in scene.whole.members["m4"].fault:
        raise Violation(f"D4: what is not ours was touched; {scene.whole.members['m4'].fault}")
    four.server.foreign, four.server.log = False, []
    scene.ends()


@aimed
def a_cluster_is_stopped_and_started(seed):
    scene = Scene(seed, arbiters=seed % 2)
    scene.ask("stop", members=["m1", "m2", "m3"])
    scene.expect(lambda: scene.whole.task is None, 60)
    scene.run_on(40)
    if any(host.server.up for host in scene.hosts):
        raise Violation("D3: people have stopped it, and it was started unasked")
    scene.ends()


@aimed
def a_cluster_is_deleted(seed):
    scene = Scene(seed)
    key, host = scene.world.main, scene.random.choice(scene.hosts[:3])
    host.guest.kill()
    scene.ask("delete", members=["m1", "m2", "m3"])
    scene.run_on(scene.random.uniform(0, 2))
    host.start()
    scene.expect(lambda: key not in scene.world.store.sets, 60)
    scene.ends()
