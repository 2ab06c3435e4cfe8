# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures how long the VIP takes to come and go in each case; docs/reference/vip.md quotes it. Needs root.

Usage: python tests/lab/measure_vip.py [TRIALS]. Prints one line a case: least, median and most of the trials.
"""
from __future__ import annotations

import importlib
import select
import signal
import statistics
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Callable, List

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
importlib.import_module("conftest")  # makes the package importable as ``baton``, so it comes before the imports below

from netns import Host, Network, boottime  # noqa: E402
from test_vip_guard import Daemon  # noqa: E402

from baton.adapters.vip.netlink import AddressEvent, Monitor, Netlink  # noqa: E402

VIP = "192.0.2.10/24"
PROFILES = {"balanced": (2.0, 2), "fast": (0.4, 1)}  # lease, valid: see core/model/timing.py


class Watch:
    """Hears from the kernel when the VIP comes and goes on a host."""

    def __init__(self, host: Host) -> None:
        with host.entered():
            self.monitor = Monitor()
        self.ip = ip_address(VIP.partition("/")[0]).packed

    def wait(self, present: bool) -> float:
        """Return the moment of the next event of that kind."""
        while select.select([self.monitor], [], [], 30)[0]:
            for event in self.monitor.read() or []:
                if isinstance(event, AddressEvent) and event.address.ip == self.ip and event.present == present:
                    return boottime()
        raise AssertionError("nothing happened in 30 s")

    def skip(self) -> None:
        self.monitor.read()


def report(case: str, values: List[float]) -> None:
    least, middle, most = min(values), statistics.median(values), max(values)
    sys.stdout.write(f"{case:58} {least * 1000:9.2f} {middle * 1000:9.2f} {most * 1000:9.2f} ms  n={len(values)}\n")
    sys.stdout.flush()


def netlink(host: Host, trials: int) -> None:
    added, removed = [], []
    with host.entered(), Netlink() as kernel:
        link = kernel.link("eth0")
        if link is None:
            raise AssertionError("no eth0")
        ip = ip_address("192.0.2.20").packed
        for _trial in range(trials * 100):
            started = boottime()
            kernel.replace(link.index, ip, 2, "eth0:vip")
            added.append(boottime() - started)
            started = boottime()
            kernel.remove(link.index, ip)
            removed.append(boottime() - started)
    report("netlink: add", added)
    report("netlink: remove, and look that nothing is left", removed)


def coming(host: Host, watch: Watch, trials: int) -> None:
    takes, prepared, drops, starts = [], [], [], []
    for _trial in range(trials):
        started = boottime()
        daemon = Daemon(host)
        starts.append(boottime() - started)
        watch.skip()
        started = boottime()
        daemon.order("hold")
        takes.append(watch.wait(True) - started)
        daemon.wait_state("held")
        started = boottime()
        daemon.order("drop")
        drops.append(boottime() - started)
        daemon.order("prepare")
        daemon.wait_state("probing")
        daemon.wait_state("released")
        watch.skip()
        started = boottime()
        daemon.order("hold")
        prepared.append(watch.wait(True) - started)
        daemon.order("stop")
        daemon.process.kill()
    report("stand-in daemon and guard ready", starts)
    report("take: hold to address, with its probes", takes)
    report("take: hold to address, probed ahead (prepare)", prepared)
    report("drop: order to confirmation", drops)


def going(case: str, host: Host, watch: Watch, profile: str, trials: int, harm: Callable[[Daemon], float]) -> None:
    lease, valid = PROFILES[profile]
    values = []
    for _trial in range(trials):
        daemon = Daemon(host, VIP, lease=lease, valid=valid).take()
        guard = daemon.guard
        watch.skip()
        moment = harm(daemon)
        values.append(watch.wait(False) - moment)
        daemon.send(signal.SIGKILL)
        daemon.process.wait()
        try:
            daemon.send(signal.SIGKILL, guard)
        except ProcessLookupError:
            pass
    report(f"{profile} (lease {lease:g} s, V {valid} s): {case}", values)


def main(trials: int) -> int:
    sys.stdout.write(f"{'':58} {'least':>9} {'median':>9} {'most':>9}\n")
    with Network() as network:
        host = network.host("one", ["192.0.2.1/24"])
        watch = Watch(host)
        netlink(host, trials)
        coming(host, watch, trials)
        for profile in PROFILES:
            going("daemon killed", host, watch, profile, trials, lambda d: d.send(signal.SIGKILL))
            going("daemon frozen", host, watch, profile, trials, lambda d: d.send(signal.SIGSTOP))
            going("guard killed", host, watch, profile, trials, lambda d: d.send(signal.SIGKILL, d.guard))
            going("both frozen", host, watch, profile, trials, lambda d: d.send(signal.SIGSTOP, d.guard, d.pid))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
