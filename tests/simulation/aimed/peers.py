# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules of peers: two of one name, liars, and a new active whose first words come before the record."""

from __future__ import annotations

from baton.core import events as ev
from baton.core.roles.twins import NOT_YET
from simulation.aimed.scene import Scene, aimed
from simulation.evil import Evil
from simulation.world import Disk, Host, Trouble


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
