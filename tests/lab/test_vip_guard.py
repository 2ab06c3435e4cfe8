# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VIP on real interfaces: a daemon that is killed, frozen or interfered with, its guard, and their neighbours.

The daemon is a stand-in that uses the real GuardClient (vip_daemon.py). Where something must have happened by a moment,
the moment is computed from the stated bound, waited for, and the state is looked at then.
"""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from netns import Host, Network, boottime, wait_for, wait_until

from baton.adapters.vip.arp import Wire
from baton.adapters.vip.guard import Options, command, program
from baton.core.vip.vip import SLACK, Settings

DAEMON = str(Path(__file__).with_name("vip_daemon.py"))
V4, V6 = "192.0.2.10/24", "2001:db8::10/64"
RIVAL = "02:00:00:00:00:99"
LEASE = 1.0
MARGIN = 0.2  # the issue's: gone within the lease and this


class Daemon:
    """A stand-in daemon on a host."""

    def __init__(self, host: Host, vip: str = V4, *, lease: float = LEASE, valid: int = 2, patience: float = 5) -> None:
        self.host = host
        self.cidr = vip.split("/")[0] + ("/128" if ":" in vip else "/32")
        self.lines: List[Dict[str, Any]] = []
        arguments = [vip, host.interface, str(lease), str(valid), str(patience)]
        self.process = host.popen(sys.executable, DAEMON, *arguments, stderr=subprocess.DEVNULL)
        self.first = self.read()
        self.pid = self.process.pid

    def read(self) -> Dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the stand-in daemon has ended"
        return dict(json.loads(line))

    def order(self, word: str) -> Dict[str, Any]:
        """Give an order; return the answer, whatever events came in between."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        while True:
            self.lines.append(self.read())
            if self.lines[-1]["event"] == word:
                return self.lines[-1]

    @property
    def guard(self) -> int:
        return int(self.order("status")["guard"])

    def present(self) -> bool:
        return self.cidr in self.host.addresses()

    def take(self) -> "Daemon":
        """Hold the VIP; returns when it is on the interface and the daemon knows."""
        self.order("hold")
        wait_for(self.present, f"{self.cidr} is added")
        self.wait_state("held")
        return self

    def wait_state(self, state: str) -> Dict[str, Any]:
        def status() -> Any:
            seen = self.order("status")
            return seen if seen["state"] == state else None

        return dict(wait_for(status, state))

    def wait_quiet(self) -> None:
        """Wait until the announcements of the taking are over; what comes then has another reason."""
        wait_until(boottime() + Settings.announce_at[-1] + 0.3)

    def send(self, number: int, *pids: int) -> float:
        """Send a signal to the daemon (or these processes); return when that was done."""
        for pid in pids or (self.pid,):
            os.kill(pid, number)
        return boottime()


def pair(network: Network) -> Tuple[Host, Host]:
    """Return a host for the daemon and a client on the same network."""
    return (
        network.host("one", ["192.0.2.1/24", "2001:db8::1/64"]),
        network.host("client", ["192.0.2.3/24", "2001:db8::3/64"]),
    )


def forget_true_holder(client: Host, vip: str) -> None:
    """Give the client's cache a wrong entry, which only an announcement corrects in time."""
    client.ip("neighbour", "replace", vip.split("/")[0], "lladdr", RIVAL, "dev", "eth0", "nud", "reachable")


def wait_known(client: Host, vip: str, host: Host) -> None:
    wait_for(lambda: client.neighbour(vip.split("/")[0]) == host.mac(), f"the client learns the holder of {vip}")


# --- taking and letting go ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vip", [V4, V6])
def test_take_announce_and_drop(network: Network, vip: str) -> None:
    host, client = pair(network)
    before = host.addresses()
    forget_true_holder(client, vip)
    daemon = Daemon(host, vip)
    assert daemon.first["event"] == "started" and not daemon.present()
    daemon.take()
    wait_known(client, vip, host)
    assert daemon.order("drop")["held"] is False
    assert host.addresses() == before
    daemon.take()
    assert daemon.order("stop")["guard"] is None
    assert host.addresses() == before


def test_it_moves_and_a_client_that_says_nothing_learns_it(network: Network) -> None:
    host, client = pair(network)
    other = network.host("two", ["192.0.2.2/24"])
    first, second = Daemon(host).take(), Daemon(other)
    client.ip("neighbour", "replace", "192.0.2.10", "lladdr", host.mac(), "dev", "eth0", "nud", "reachable")
    first.order("drop")
    second.take()
    wait_known(client, V4, other)


def test_prepared_take(network: Network) -> None:
    host, _client = pair(network)
    daemon = Daemon(host)
    daemon.order("prepare")
    assert not daemon.present()
    daemon.take()


@pytest.mark.parametrize("interface", ["eth-1.20", "a-15-chars-name"])
def test_interface_names(network: Network, interface: str) -> None:
    host = network.host("one", ["192.0.2.1/24"], interface=interface)
    daemon = Daemon(host).take()
    (found,) = [address for address in host.address_details() if address["local"] == "192.0.2.10"]
    assert found["label"] == (f"{interface}:vip" if len(interface) <= 11 else interface)
    daemon.order("drop")
    assert not daemon.present()


def test_other_addresses_survive(network: Network) -> None:
    host = network.host("one", ["192.0.2.1/24", "192.0.2.50/24", "2001:db8::1/64", "198.51.100.1/32"])
    host.run("sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=0")
    before = host.addresses()
    daemon = Daemon(host).take()
    assert set(before) < set(host.addresses())
    daemon.order("drop")
    assert host.addresses() == before


# --- the daemon goes away -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vip", [V4, V6])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_daemon_killed_or_frozen(network: Network, vip: str, number: int) -> None:
    host, _client = pair(network)
    daemon = Daemon(host, vip).take()
    moment = daemon.send(number)
    wait_until(moment + LEASE + MARGIN)
    assert not daemon.present()


def test_a_killed_daemons_vip_goes_long_before_its_lease_and_the_guard_ends(network: Network) -> None:
    host, _client = pair(network)
    daemon = Daemon(host, lease=300).take()
    guard = daemon.guard
    daemon.send(signal.SIGKILL)
    wait_for(lambda: not daemon.present(), "the guard notices the death, not the deadline")
    wait_for(lambda: not Path(f"/proc/{guard}").exists() or "Z" in Path(f"/proc/{guard}/stat").read_text(), "it ends")


def test_a_killed_daemon_is_noticed_even_if_its_child_keeps_the_socket(network: Network) -> None:
    host, _client = pair(network)
    daemon = Daemon(host, lease=300).take()
    daemon.order("fork")
    daemon.send(signal.SIGKILL)
    wait_for(lambda: not daemon.present(), "the guard notices the death by the process, not by the socket")


def test_a_closed_socket_is_enough(network: Network) -> None:
    host, _client = pair(network)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line = command(program(), Options(V4, "eth0", 2), theirs.fileno(), os.getpid())
    with host.entered():
        guard = subprocess.Popen(line, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True)
    theirs.close()
    ours.send(f"hold {boottime() + 300}".encode())
    wait_for(lambda: "192.0.2.10/32" in host.addresses(), "taken")
    ours.close()
    said = guard.communicate(timeout=10)[1]
    assert guard.returncode == 0 and "192.0.2.10/32" not in host.addresses()
    assert said == "batond guard: VIP 192.0.2.10/24 is off eth0: the daemon has closed its end\n"


def test_a_daemon_that_thaws_gets_its_vip_again(network: Network) -> None:
    host, _client = pair(network)
    daemon = Daemon(host).take()
    moment = daemon.send(signal.SIGSTOP)
    wait_until(moment + LEASE + MARGIN)
    assert not daemon.present()
    daemon.send(signal.SIGCONT)
    wait_for(daemon.present, "taken again")
    daemon.wait_state("held")


@pytest.mark.parametrize("vip", [V4, V6])
def test_daemon_and_guard_frozen_the_kernel_drops_it(network: Network, vip: str) -> None:
    host, _client = pair(network)
    daemon = Daemon(host, vip, lease=300, valid=1).take()
    moment = daemon.send(signal.SIGSTOP, daemon.guard, daemon.pid)
    wait_until(moment + 1 + SLACK)
    assert not daemon.present()


def test_a_guard_that_thaws_after_the_deadline_leaves_nothing(network: Network) -> None:
    host, _client = pair(network)
    daemon = Daemon(host, valid=1).take()
    guard = daemon.guard
    watch = host.popen("ip", "-o", "monitor", "address")
    moment = daemon.send(signal.SIGSTOP, guard, daemon.pid)
    wait_until(moment + 1 + SLACK)
    host.ip("address", "add", "192.0.2.77/32", "dev", "eth0")  # marks this moment in what the monitor saw
    daemon.send(signal.SIGKILL, daemon.pid)
    daemon.send(signal.SIGCONT, guard)
    wait_for(lambda: not Path(f"/proc/{guard}/fd").exists() or not os.path.exists(f"/proc/{guard}/exe"), "it ends")
    watch.kill()
    seen = watch.communicate()[0].split("192.0.2.77", 1)[1]
    assert "192.0.2.10" not in seen and not daemon.present()


# --- the guard goes away --------------------------------------------------------------------------------------------


def test_a_killed_guard_is_replaced_without_a_gap(network: Network) -> None:
    host, _client = pair(network)
    daemon = Daemon(host, lease=300).take()
    daemon.order("respawn")
    guard = daemon.guard
    watch = host.popen("ip", "-o", "monitor", "address")
    daemon.send(signal.SIGKILL, guard)
    wait_for(lambda: daemon.order("status")["guard"] not in (None, guard), "a new guard")
    daemon.wait_state("held")
    watch.kill()
    assert "Deleted" not in watch.communicate()[0]
    assert {"event": "lost"} in daemon.lines


def test_a_killed_guard_that_nobody_replaces_leaves_the_address_to_the_kernel(network: Network) -> None:
    host, _client = pair(network)
    daemon = Daemon(host, lease=300, valid=1).take()
    moment = daemon.send(signal.SIGKILL, daemon.guard)
    wait_until(moment + 1 + SLACK)
    assert not daemon.present() and daemon.order("status")["held"] is False


def test_a_frozen_guard_is_noticed_and_replaced(network: Network) -> None:
    host, _client = pair(network)
    daemon = Daemon(host, lease=2, valid=1).take()
    daemon.order("respawn")
    guard = daemon.guard
    daemon.send(signal.SIGSTOP, guard)
    wait_for(lambda: daemon.order("status")["guard"] not in (None, guard), "a new guard")
    daemon.wait_state("held")
    assert daemon.present()


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_drop_works_without_the_guards_help(network: Network, number: int) -> None:
    host, _client = pair(network)
    daemon = Daemon(host, lease=300, valid=60).take()
    daemon.send(number, daemon.guard)
    daemon.order("drop")
    assert not daemon.present()


def test_signals_that_a_whole_service_gets_do_not_end_the_guard_before_its_daemon(network: Network) -> None:
    host, _client = pair(network)
    daemon = Daemon(host, lease=300).take()
    guard = daemon.guard
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGTERM):
        daemon.send(number, guard)
        host.ip("address", "delete", daemon.cidr, "dev", "eth0")
        wait_for(daemon.present, "the guard adds it again")
    assert daemon.guard == guard
    daemon.send(signal.SIGKILL)
    wait_for(lambda: not daemon.present(), "removed")


# --- others interfere -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vip", [V4, V6])
def test_removed_by_hand_it_comes_back_and_is_announced(network: Network, vip: str) -> None:
    host, client = pair(network)
    daemon = Daemon(host, vip, lease=300).take()
    daemon.wait_quiet()
    forget_true_holder(client, vip)
    host.ip("address", "delete", daemon.cidr, "dev", "eth0")
    wait_known(client, vip, host)
    wait_for(daemon.present, "it came back")


@pytest.mark.parametrize("vip", [V4, V6])
@pytest.mark.parametrize("cut", ["cable", "switched off"])
def test_link_down_and_up(network: Network, vip: str, cut: str) -> None:
    host, client = pair(network)
    daemon = Daemon(host, vip, lease=300).take()
    daemon.wait_quiet()
    if cut == "cable":
        host.carrier(False)
    else:
        host.ip("link", "set", "eth0", "down")
    wait_for(lambda: "LOWER_UP" not in host.ip("link", "show", "dev", "eth0"), "the link is down")
    forget_true_holder(client, vip)
    if cut == "cable":
        host.carrier(True)
    else:
        host.ip("link", "set", "eth0", "up")
    wait_known(client, vip, host)
    wait_for(daemon.present, "it is there")
    # A packet to it reaches a socket that is bound to it: the address does not only stand there, it works.
    with host.entered():
        server = udp_server(vip)
    with client.entered():
        poke = udp_client(vip)
    wait_for(lambda: poke() or heard(server), "the VIP answers")
    server.close()


def test_interface_that_is_made_anew(network: Network) -> None:
    host = network.host("one", ["192.0.2.1/24"], interface="uplink")
    plug(host)
    daemon = Daemon(host, lease=300).take()
    host.ip("link", "delete", "eth0")
    wait_for(lambda: "does not exist" in str(daemon.order("status")["error"]), "it says what is wrong")
    assert daemon.order("status")["held"] is False
    plug(host)
    wait_for(daemon.present, "it is added to the new interface")
    assert daemon.wait_state("held")["error"] is None


def plug(host: Host) -> None:
    """Give the host a new eth0, with a cable of which it holds both ends."""
    host.ip("link", "add", "eth0", "type", "veth", "peer", "name", "end")
    host.ip("link", "set", "end", "up")
    host.ip("link", "set", "eth0", "up")
    host.interface = "eth0"


def test_new_hardware_address_is_announced(network: Network) -> None:
    host, client = pair(network)
    daemon = Daemon(host, lease=300).take()
    daemon.wait_quiet()
    host.ip("link", "set", "dev", "eth0", "address", "02:00:00:00:00:42")
    forget_true_holder(client, V4)
    wait_known(client, V4, host)


@pytest.mark.parametrize("vip", [V4, V6])
def test_a_rivals_claim_is_counted_and_corrected(network: Network, vip: str) -> None:
    host, client = pair(network)
    rival = network.host("rival")
    daemon = Daemon(host, vip, lease=300).take()
    daemon.wait_quiet()
    forget_true_holder(client, vip)
    with rival.entered():
        wire = Wire("eth0", bytes.fromhex(rival.mac().replace(":", "")), ip_address(vip.split("/")[0]).packed)
    for _claim in range(20):
        wire.announce()
    wire.close()
    wait_known(client, vip, host)
    wait_for(lambda: daemon.order("status")["conflicts"] >= 1, "the conflict is counted")
    assert daemon.present()


@pytest.mark.parametrize("vip, cidr", [(V4, "192.0.2.10/32"), (V6, "2001:db8::10/128")])
def test_a_second_holder_is_waited_for(network: Network, vip: str, cidr: str) -> None:
    host, client = pair(network)
    rival = network.host("rival")
    client.ip("neighbour", "replace", vip.split("/")[0], "lladdr", rival.mac(), "dev", "eth0", "nud", "reachable")
    rival.ip("address", "add", cidr, "dev", "eth0", *(["nodad"] if ":" in cidr else []))
    daemon = Daemon(host, vip, lease=300, patience=300)
    daemon.order("hold")
    status = daemon.wait_state("contested")
    assert not status["held"] and status["conflicts"] == 1
    wait_until(boottime() + 1)  # several rounds of probes, each of them answered
    assert not daemon.present() and daemon.order("status")["state"] == "contested"
    rival.ip("address", "delete", cidr, "dev", "eth0")
    wait_for(daemon.present, "taken when the other one has gone")
    wait_known(client, vip, host)


def test_patience_with_a_second_holder_ends_and_the_survivor_is_known(network: Network) -> None:
    host, client = pair(network)
    rival = network.host("rival")
    rival.ip("address", "add", "192.0.2.10/32", "dev", "eth0")
    daemon = Daemon(host, lease=300, patience=0.5)
    daemon.order("hold")
    forget_true_holder(client, V4)
    wait_for(daemon.present, "taken after its patience")
    wait_known(client, V4, host)


# --- what stands there already --------------------------------------------------------------------------------------


@pytest.mark.parametrize("vip, stale", [(V4, "192.0.2.10/32"), (V4, "192.0.2.10/24"), (V6, "2001:db8::10/128")])
def test_a_stale_vip_is_removed_at_the_start(network: Network, vip: str, stale: str) -> None:
    host, _client = pair(network)
    lifetime = ["valid_lft", "30", "preferred_lft", "0" if ":" in vip else "30"]
    host.ip("address", "add", stale, "dev", "eth0", *lifetime, *(["nodad"] if ":" in vip else []))
    assert Daemon(host, vip).first["event"] == "started"
    assert stale not in host.addresses()


def test_a_vip_that_somebody_adds_without_a_lease_is_removed(network: Network) -> None:
    host, _client = pair(network)
    daemon = Daemon(host)
    host.ip("address", "add", "192.0.2.10/24", "dev", "eth0")
    wait_for(lambda: "192.0.2.10/24" not in host.addresses(), "removed")
    assert not daemon.present() and "192.0.2.1/24" in host.addresses()


def test_refuses_an_address_that_is_the_nodes_own(network: Network) -> None:
    host, _client = pair(network)
    refused = Daemon(host, "192.0.2.1/24").first
    assert refused["event"] == "refused" and "already stands on eth0" in refused["detail"]
    assert "192.0.2.1/24" in host.addresses()


def test_refuses_an_interface_that_does_not_exist(network: Network) -> None:
    host, _client = pair(network)
    host.interface = "eth9"
    refused = Daemon(host).first
    assert refused["event"] == "refused"
    assert refused["detail"] == "interface 'eth9' does not exist on this node: choose one of eth0"


@pytest.mark.parametrize("missing", ["net_raw", "net_admin"])
def test_without_the_capability_it_says_so(network: Network, missing: str) -> None:
    host, _client = pair(network)
    arguments = [DAEMON, V4, "eth0", "1"]
    process = host.popen("setpriv", f"--bounding-set=-{missing}", sys.executable, *arguments)
    first = json.loads(process.communicate()[0].splitlines()[0])
    assert first["event"] == "refused" and "CAP_NET_ADMIN and CAP_NET_RAW" in first["detail"]


# --- helpers --------------------------------------------------------------------------------------------------------


def udp_server(vip: str) -> Any:
    address = vip.split("/")[0]
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 4000))
    server.setblocking(False)
    return server


def udp_client(vip: str) -> Any:
    address = vip.split("/")[0]
    client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)

    def poke() -> None:
        client.sendto(b"?", (address, 4000))

    return poke


def heard(server: Any) -> bool:
    try:
        return bool(server.recv(16))
    except BlockingIOError:
        return False
