# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long clients of the VIP are without it, beside keepalived on the same hosts. ``make bench-failover``; needs root.

A client asks through the VIP every 2 ms; its outage is the longest time without an answer. The kernel's address events say for
how long two hosts held the VIP. Sides alternate with each fault; every trial begins with one holder and its passive in sync.
"""

import argparse
import importlib
import os
import signal
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

for folder in ("../lab", ".."):
    sys.path.insert(0, str((Path(__file__).resolve().parent / folder).resolve()))
importlib.import_module("conftest")  # makes the package importable as ``baton``

from holders import Client, Holders, echo  # noqa: E402
from netns import Network, boottime, require_root, wait_for, wait_until  # noqa: E402
from nodes import SERVICE_VIP, cluster_of, cluster_of_two_networks, etcd_on  # noqa: E402

VIP = "192.0.2.100"
SETTLE = 1.0  # seconds watched after the VIP answers again
FAULTS = ("killed", "frozen", "cut off", "planned")
DEAD = "interface dead"  # the VIP's; the hosts see each other through another one
LABEL = 30  # width of a line's beginning
CUTS = ("cut off", "cut beyond")


class Baton:
    """Two data nodes, and an etcd on a third host."""

    vip, faults = VIP, FAULTS

    def __init__(self, profile, *options):
        self.name = f"baton {profile}"
        self.options = ["--timing", profile, *options]

    def start(self, stack, network, folder):
        _etcd, options = stack.enter_context(etcd_on(network, folder))
        self.nodes = stack.enter_context(cluster_of(network, folder, 2, [*options, *self.options]))
        self.hosts = [node.host for node in self.nodes]

    def active(self):
        found = [node for node in self.nodes if node.holds()]
        return found[0] if len(found) == 1 else None

    def ready(self):
        return self.active() is not None and all(node.process.poll() is None and node.ok("/in-sync") for node in self.nodes)

    def hurt(self, fault):
        """Do it to the active; return what mends it."""
        node = self.active()
        if fault == "killed":
            node.process.kill()
            node.process.wait()
            return node.start
        if fault == "frozen":
            node.process.send_signal(signal.SIGSTOP)
            return lambda: node.process.send_signal(signal.SIGCONT)
        if fault in CUTS:
            return cut(node.host, fault)
        other = next(item for item in self.nodes if item is not node)
        node.curl("POST", "/api/v3/system/switch", {"to": other.name})
        return lambda: None


class BatonAside(Baton):
    """With the VIP on an interface of its own."""

    vip, faults = SERVICE_VIP, (DEAD,)

    def start(self, stack, network, folder):
        _etcd, options = stack.enter_context(etcd_on(network, folder))
        cluster = cluster_of_two_networks(network, folder, 2, [*options, *self.options])
        self.nodes, self.cables = stack.enter_context(cluster)
        self.hosts = [node.host for node in self.nodes]

    def ready(self):
        """Also that the active knows of both that they can: one whose cable is back has to keep it for a moment first."""
        return super().ready() and all(node["able"] for node in self.active().status().get("nodes", ()))

    def hurt(self, fault):
        return cut(self.cables[self.active().name], fault)


CONFIG = """
vrrp_instance one {{
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 51
  priority {priority}
  version {version}
  advert_int {advert}
  virtual_ipaddress {{ {vip}/24 dev {device} }}
  {scripts}
}}
"""


class Keepalived:
    """keepalived with one VRRP instance on each of two hosts."""

    vip, faults, device = VIP, FAULTS, "eth0"

    def __init__(self, advert, version):
        self.name = f"keepalived {advert:g} s"
        self.advert, self.version = advert, version
        self.starts = 0

    def scripts(self, host):
        """Return more lines of configuration."""
        return ""

    def start(self, stack, network, folder):
        self.folder = folder
        self.hosts = [network.host(name, [f"192.0.2.{number}/24"]) for number, name in ((1, "k1"), (2, "k2"))]
        if self.device != "eth0":
            self.cables = {host: network.plug(host, self.device, f"198.51.100.{host.name[1:]}/24") for host in self.hosts}
        self.processes = {}
        for number, host in enumerate(self.hosts):
            text = CONFIG.format(
                priority=100 - number, version=self.version, advert=f"{self.advert:g}", vip=self.vip, device=self.device,
                scripts=self.scripts(host),
            )
            (folder / f"k{number}.conf").write_text(text)
            self._run(host, number)
        stack.callback(lambda: [process.kill() for process in self.processes.values()])

    def _run(self, host, number):
        folder = self.folder
        self.starts += 1  # pid files of its own for each start: one that was killed leaves them behind
        files = ["-f", f"{folder}/k{number}.conf", "-p", f"{folder}/{self.starts}.pid", "-r", f"{folder}/{self.starts}.vrrp"]
        with open(folder / f"k{number}.log", "ab") as log:
            self.processes[host] = host.popen("keepalived", "-n", "-l", "-D", *files, stdout=log, stderr=log)

    def _holds(self, host):
        return any(cidr.startswith(f"{self.vip}/") for cidr in host.addresses(self.device))

    def active(self):
        found = [host for host in self.hosts if self._holds(host)]
        return found[0] if len(found) == 1 else None

    def ready(self):
        return self.active() is not None and all(process.poll() is None for process in self.processes.values())

    def _pids(self, host):
        main = self.processes[host].pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *(int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text() == "keepalived\n")]

    def _signal(self, host, number):
        for pid in self._pids(host):
            signal_process(pid, number)

    def hurt(self, fault):
        host = self.active()
        number = self.hosts.index(host)

        def restart():
            host.run("ip", "address", "flush", "to", f"{VIP}/32", "dev", "eth0")
            self._run(host, number)

        if fault == "killed":
            self._signal(host, signal.SIGSTOP)  # else the child hears of its parent's death first and says farewell
            self._signal(host, signal.SIGKILL)
            self.processes[host].wait()
            return restart
        if fault == "frozen":
            self._signal(host, signal.SIGSTOP)
            return lambda: self._signal(host, signal.SIGCONT)
        if fault in CUTS:
            return cut(host, fault)
        self.processes[host].terminate()
        return lambda: (self.processes[host].wait(), self._run(host, number))


class KeepalivedAside(Keepalived):
    """With the VIP on an interface of its own, which it tracks."""

    vip, faults, device = SERVICE_VIP, (DEAD,), "svc"

    def scripts(self, host):
        return "track_interface { svc }"

    def hurt(self, fault):
        return cut(self.cables[self.active()], fault)


def signal_process(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def cut(host, fault):
    """Pull the host's cable, or one beyond the switch, which the host can't see; return what mends it."""
    change = host.connected if fault == "cut beyond" else host.carrier
    change(False)
    return lambda: change(True)


def trial(side, client_host, fault):
    """Return (the client's outage, fault to take-over, how long two held the VIP), in seconds."""
    wait_for(side.ready, lambda: f"{side.name} is ready: {[host.addresses() for host in side.hosts]}", 60)
    before = side.active()
    first = getattr(before, "host", before)
    with Holders(side.hosts, side.vip) as holders, Client(client_host, side.vip) as client:
        wait_for(lambda: len(client.answers) > 100, "the VIP answers", 30)
        began = boottime()
        mend = side.hurt(fault)
        second = next(host for host in side.hosts if host is not first)
        taken = wait_for(lambda: holders.taken(second), f"{side.name}: {fault}: taken over", 30)
        wait_for(lambda: client.answers[-1] > taken, "the VIP answers again", 30)
        wait_until(boottime() + SETTLE)
        ended = boottime()
        outage, together = client.outage(began), holders.together({first}, began, ended)
        mend()
        if fault in ("frozen", DEAD, *CUTS):
            wait_for(lambda: side.active() is not None, f"{side.name}: one holder again", 30)
    return outage, taken - began, together


def run(side, folder, trials):
    """Print a line for each fault."""
    with Network() as network, ExitStack() as stack:
        side.start(stack, network, folder)
        client_host = network.host("client", ["192.0.2.70/24"])
        if side.vip == SERVICE_VIP:
            network.plug(client_host, "svc", "198.51.100.70/24")
        for host in side.hosts:
            echo(host)
        for fault in side.faults:
            print_line(side, fault, [trial(side, client_host, fault) for _number in range(trials)])


def print_heads(*columns):
    heads = "".join(f"  {'least':>8}{'median':>8}{'most':>8}" for _column in columns)
    print(f"{'':{LABEL}}{''.join(f'  {column:>24}' for column in columns)}\n{'':{LABEL}}{heads}")


def print_line(side, fault, found, remark=""):
    """Print what the trials of one fault gave: a tuple of seconds for each trial, with one value for each column."""
    shown = f"{side.name:18} {fault:{LABEL - 19}}"
    for values in zip(*found, strict=True):
        shown += "  " + "".join(f"{1000 * value:8.0f}" for value in (min(values), statistics.median(values), max(values)))
    print(f"{shown}  {remark}".rstrip(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--sides", default="", help="only those whose name contains this")
    parser.add_argument("--faults", default="", help="only those who have a fault whose name contains this")
    options = parser.parse_args()
    require_root()
    print(f"In ms, {options.trials} trials each: the client's outage; from the fault to the VIP on the other host; and for how long")
    print(f"both had it (watched until {SETTLE:g} s after the VIP answered again)\n")
    print_heads("outage", "taken over", "both")
    kinds = (Baton, Keepalived), (BatonAside, KeepalivedAside)
    for side in [side for baton, keepalived in kinds for side in (baton("balanced"), baton("fast"), keepalived(1, 2), keepalived(0.1, 3))]:
        if options.sides in side.name and any(options.faults in fault for fault in side.faults):
            with tempfile.TemporaryDirectory(prefix="baton-failover-") as folder:
                run(side, Path(folder), options.trials)


if __name__ == "__main__":
    main()
