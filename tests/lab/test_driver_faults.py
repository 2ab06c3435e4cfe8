# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers of real daemons under faults: a service starts elsewhere once nothing of it can run here any more, and not before.

What comes after what is asserted, never how long it took: all hosts of the lab have one clock, on which the services say when they ran.
Nobody enforces a driver's deadline here as systemd does on real hosts.
"""

import json
import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from faults import drop, freeze
from holders import Holders, Services, service
from netns import wait_for
from nodes import ROOT, VIP, Driver, cluster_of, etcd_on

STOP = 2  # seconds: who waits until nothing can run any more waits for longer than the grace
LONG = 60  # seconds: nobody here waits until then
UNTIL_OPEN = "while ! test -e {gate}; do sleep 0.02; done; "


class Lab:
    """n1, which is active, and n2, with the driver ``web`` on each, and on n1 another one that reads its leases."""

    def __init__(self, stack, network, folder, stop=STOP, before_start="", before_stop="", **options):
        self.folder = folder
        self.services = stack.enter_context(Services(folder))
        _etcd, dcs = stack.enter_context(etcd_on(network, folder))
        self.nodes = stack.enter_context(cluster_of(network, folder, 2, [*dcs, "--driver-stop", str(stop)]))
        self.holders = stack.enter_context(Holders([node.host for node in self.nodes], VIP))
        self.web = []
        for node in self.nodes:
            start, stop = (" ".join(service(verb, node.name, folder)) for verb in ("start", "stop"))
            members = {"type": "script", "start": before_start + start, "stop": before_stop + stop, **options}
            self.web.append(Driver(node, "web", members))
        self._lease = folder / "n1.lease"
        reader = [Path(__file__).with_name("reader.py"), ROOT / "build/batond.pyz", self._lease]
        for driver in (*self.web, Driver(self.nodes[0], "reader", program=map(str, reader))):
            stack.callback(driver.end)
        self.wait_for(lambda: self.runs_on("n1") and self.web[1].state() == "stopped" and self._lease.exists())

    def wait_for(self, condition):
        return wait_for(condition, self.log, 30)

    def log(self):
        texts = "\n".join(f"--- {log.name}\n{log.read_text()}" for log in sorted(self.folder.glob("*.log")))
        return f"{texts}\n{self.services.runs}"

    def runs_on(self, name):
        return self.services.running() == [name]

    def never_twice(self):
        assert self.services.together() == 0, self.log()

    def started_after_the_bound(self):
        """The service starts on n2: assert that nothing of n1 was allowed to run any more."""
        started = self.wait_for(lambda: self.services.started("n2"))
        allowed = float(self._lease.read_text())  # perhaps for a little longer: not every lease is read
        assert started >= allowed + STOP, self.log()

    def back(self):
        """n1 comes back and takes its place."""
        first = self.nodes[0]
        self.wait_for(lambda: first.ok("/in-sync") and first.ok("/passive") and self.web[0].state() == "stopped")
        assert self.runs_on("n2"), self.log()


@pytest.fixture
def lab(network, tmp_path):
    with ExitStack() as stack:
        yield lambda **options: Lab(stack, network, tmp_path, **options)


def reason(node):
    return json.loads(node.curl("GET", "/api/v3/system/history")[1])[-1]["Reason"]


def test_a_killed_daemons_guard_waits_for_the_drivers_and_says_so(lab, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    it = lab(stop=LONG, before_stop=UNTIL_OPEN.format(gate=gate))
    first, second = it.nodes
    gate.unlink()
    first.process.kill()
    first.process.wait()
    over = "told 1 of 1 nodes that epoch 1 of n1 is over"
    it.wait_for(lambda: f"{over}\n" in first.log.read_text() and second.ok("/active") and it.holders.taken(second.host))
    assert it.services.running() == ["n1"], "its stop waits at the gate, and so does n2, which is active"
    assert "its drivers have stopped" not in first.log.read_text()
    gate.touch()
    it.wait_for(lambda: f"{over} and its drivers have stopped\n" in first.log.read_text())
    it.wait_for(lambda: it.runs_on("n2"))
    assert reason(second) == "n1 ended"
    it.never_twice()


def test_daemon_and_guard_killed_leave_no_word_so_the_bound_is_waited_for(lab):
    it = lab()
    first, second = it.nodes
    guard = first.guard()
    os.kill(guard, signal.SIGSTOP)  # or one would see the other die
    first.process.kill()
    first.process.wait()
    os.kill(guard, signal.SIGKILL)
    it.started_after_the_bound()
    assert "told" not in first.log.read_text()
    assert reason(second).startswith("n1 was silent for")
    it.never_twice()


def test_a_frozen_daemons_driver_stops_at_its_deadline(lab):
    it = lab()
    thaw = freeze([it.nodes[0].process.pid])
    it.started_after_the_bound()
    assert "stopping: its lease ended" in it.web[0].log.read_text()
    thaw()
    it.back()
    it.never_twice()


def test_daemon_and_driver_frozen_are_followed_no_sooner(lab):
    it = lab()
    thaw = freeze([it.nodes[0].process.pid, it.web[0].process.pid])
    it.started_after_the_bound()
    assert it.services.running() == ["n1", "n2"], "on a real host systemd's watchdog has ended that of n1 by now"
    thaw()
    it.back()
    assert "stopping: its lease ended" in it.web[0].log.read_text()


def test_two_nodes_cut_from_each_other_leave_the_service_where_it_is(lab):
    it = lab()
    first, second = it.nodes
    mend = drop(first.host, "output", f"ip daddr {second.address}")
    it.wait_for(lambda: json.loads(second.curl("GET", "/api/v3/system/ha")[1])["in_sync"] == ["n1"])
    mend()
    it.wait_for(lambda: second.ok("/in-sync"))
    assert [run.name for run in it.services.runs] == ["n1"] and it.runs_on("n1"), it.log()


def test_a_node_that_is_cut_off_stops_before_another_starts(lab):
    it = lab()
    host = it.nodes[0].host
    host.connected(False)
    it.started_after_the_bound()
    host.connected(True)
    it.back()
    it.never_twice()


def test_the_vip_is_taken_when_a_pre_active_driver_is_active(lab, tmp_path):
    gate = tmp_path / "gate"
    gate.touch()
    it = lab(before_start=UNTIL_OPEN.format(gate=gate), pre_active=True)
    first, second = it.nodes
    gate.unlink()
    assert first.curl("POST", "/api/v3/system/switch", {"to": "n2"})[0] == 200
    it.wait_for(lambda: it.web[1].state() == "starting")
    assert not second.holds() and not second.ok("/active")
    gate.touch()
    taken = it.wait_for(lambda: it.holders.taken(second.host))
    assert it.services.started("n2") < taken
    it.never_twice()
