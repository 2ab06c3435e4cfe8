# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Aimed schedules of drivers: files that are away, services that can't be stopped, orders that are a circle."""

from __future__ import annotations

import tempfile
from pathlib import Path

from baton.core.model.driver_options import Options
from baton.core.model.messages import Append
from simulation.aimed.scene import Scene, aimed


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
