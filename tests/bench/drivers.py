# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a service is away, and for how long it runs on two hosts at once, beside keepalived's notify scripts. Needs root.

The same service (tests/lab/service.py) is started and stopped by Baton's script driver and by ``notify_master``, ``notify_backup``,
``notify_fault`` and ``notify_stop``. A client asks it through the VIP every 2 ms; its outage is the longest time without an answer.
The service itself says when it begins and ends. Every trial begins with one service, on the host with the VIP.
"""

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from failover import FAULTS, VIP, Baton, Keepalived, print_heads, print_line  # first: it makes the lab importable
from holders import Client, Services, service
from netns import Network, boottime, require_root, wait_for, wait_until
from nodes import Driver

SETTLE = 3.0  # seconds watched after the client is answered by the other host
ALL_FAULTS = (*FAULTS[:-1], "cut beyond", FAULTS[-1])
NOTIFY = (("master", "start"), ("backup", "stop"), ("fault", "stop"), ("stop", "stop"))


class BatonWithDriver(Baton):
    """A script driver on each node, which has ``stop_seconds`` to stop."""

    def __init__(self, profile, stop_seconds):
        super().__init__(profile, "--driver-stop", f"{stop_seconds:g}")

    def start(self, stack, network, folder):
        super().start(stack, network, folder)
        self.drivers = []
        for node in self.nodes:
            start, stop = (" ".join(service(verb, node.name, folder)) for verb in ("start", "stop"))
            driver = Driver(node, "echo", {"type": "script", "start": start, "stop": stop})
            stack.callback(driver.end)
            self.drivers.append(driver)

    def ready(self):
        return super().ready() and sorted(str(driver.state()) for driver in self.drivers) == ["active", "stopped"]


class KeepalivedWithScripts(Keepalived):
    """The service in the notify scripts."""

    def scripts(self, host):
        return "\n  ".join(f'notify_{event} "{" ".join(service(verb, host.name, self.folder))}"' for event, verb in NOTIFY)

    def hurt(self, fault):
        host, mend = self.active(), super().hurt(fault)
        if fault != "killed":
            return mend
        # Nobody else would stop it.
        return lambda: (host.run(*service("stop", host.name, self.folder)), mend())


def trial(side, client_host, services, fault):
    """Return (the client's outage, fault to the start on the other host, how long both ran), in seconds, and whether both still ran."""

    def ready():
        return side.ready() and services.running() == [getattr(side.active(), "host", side.active()).name]

    wait_for(ready, lambda: f"{side.name} is ready: {services.running()}, {[host.addresses() for host in side.hosts]}", 60)
    first = services.running()[0]
    second = next(host.name for host in side.hosts if host.name != first)
    with Client(client_host, VIP) as client:
        wait_for(lambda: len(client.answers) > 100 and client.said == first, "the service answers", 30)
        began = boottime()
        mend = side.hurt(fault)
        started = wait_for(lambda: services.started(second, began), f"{side.name}: {fault}: started on {second}", 30)
        wait_for(lambda: client.said == second, f"{side.name}: {fault}: {second} answers", 30)
        wait_until(boottime() + SETTLE)
        ended = boottime()
        outage, together, both = client.outage(began), services.together(began, ended), len(services.running()) > 1
        mend()
    return (outage, started - began, together), both


def run(side, folder, trials):
    """Print a line for each fault."""
    with Network() as network, ExitStack() as stack:
        services = stack.enter_context(Services(folder))
        side.start(stack, network, folder)
        client_host = network.host("client", ["192.0.2.70/24"])
        for fault in ALL_FAULTS:
            found, both = zip(*(trial(side, client_host, services, fault) for _number in range(trials)))
            print_line(side, fault, found, f"{sum(both)} of {trials}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--sides", default="", help="only those whose name contains this")
    options = parser.parse_args()
    require_root()
    print(f"In ms, {options.trials} trials each: the client's outage; from the fault to the service's start on the other host; how long")
    print(f"it ran on both, watched until {SETTLE:g} s after the other host answered; and in how many trials it ran on both even then.")
    print("'killed' is kill -9 of batond or of all keepalived processes; 'cut off' takes the carrier, 'cut beyond' does not.\n")
    print_heads("outage", "started there", "ran on both")
    for side in (BatonWithDriver("balanced", 3), BatonWithDriver("fast", 1), KeepalivedWithScripts(1, 2), KeepalivedWithScripts(0.1, 3)):
        if options.sides in side.name:
            with tempfile.TemporaryDirectory(prefix="baton-drivers-") as folder:
                run(side, Path(folder), options.trials)


if __name__ == "__main__":
    main()
