# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the VIP stands: interfaces that die, are renamed or switched off, several addresses, twins, rivals and floods.

With the stand-in daemon of test_vip_guard, on real interfaces.
"""

import os
import signal
import sys
from pathlib import Path

import pytest
from netns import boottime, wait_for, wait_until
from nodes import batond
from test_vip_guard import LEASE, MARGIN, V4, V6, Daemon, pair

from baton.adapters.peers.notice import Notice
from baton.core.vip.vip import Settings

FLOOD = str(Path(__file__).with_name("arp_flood.py"))


def spare(host, name="spare"):
    """Give a host another interface with a cable of which it holds both ends."""
    host.ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-end")
    for end in (name, f"{name}-end"):
        host.ip("link", "set", end, "up")


def unable(daemon):
    return daemon.order("status")["unable"]


# --- whether it would work here -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault, said",
    [
        (lambda host: host.carrier(False), "the VIP's interface eth0 has no carrier"),
        (lambda host: host.ip("link", "set", "eth0", "down"), "the VIP's interface eth0 is switched off"),
        (lambda host: host.ip("link", "delete", "eth0"), "the VIP's interface eth0 does not exist"),
    ],
)
def test_a_dead_interface_is_said_whether_the_vip_is_held_or_not(network, fault, said):
    host, client = pair(network)
    holder, passive = Daemon(host).take(), Daemon(client)
    assert unable(holder) is None and unable(passive) is None
    fault(host)
    fault(client)
    wait_for(lambda: unable(holder) == said, "the holder says it")
    wait_for(lambda: unable(passive) == said, "one that does not hold it says it too")
    assert {"event": "able", "unable": said} in holder.lines


def test_an_interface_that_works_again_is_said(network):
    host, _client = pair(network)
    daemon = Daemon(host).take()
    host.carrier(False)
    wait_for(lambda: unable(daemon), "dead")
    host.carrier(True)
    wait_for(lambda: unable(daemon) is None, "alive")


def test_a_cable_pulled_while_events_are_lost_is_said_and_stays_said(network):
    """What waits in the guard's socket is older than the loss, and says that the cable is in its place."""
    _host, client = pair(network)
    daemon = Daemon(client)
    guard = daemon.guard
    daemon.send(signal.SIGSTOP, guard)
    client.carrier(False)
    client.carrier(True)
    changes = "address add 192.0.2.99/32 dev lo\naddress delete 192.0.2.99/32 dev lo\n" * 2000
    client.popen("ip", "-batch", "-").communicate(changes)
    client.carrier(False)
    daemon.send(signal.SIGCONT, guard)
    wait_for(lambda: unable(daemon), "dead")
    wait_until(boottime() + Settings.steady + MARGIN)
    assert unable(daemon) == "the VIP's interface eth0 has no carrier"


def test_ipv6_that_is_switched_off_is_said_before_the_vip_is_wanted(network):
    host, _client = pair(network)
    daemon = Daemon(host, V6)
    assert unable(daemon) is None
    host.run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
    wait_for(lambda: "IPv6 is switched off on the VIP's interface eth0" in str(unable(daemon)), "said")


def test_an_mtu_that_is_too_small_for_ipv6_is_said_before_the_vip_is_wanted(network):
    host, client = pair(network)
    daemon, other = Daemon(host, V6), Daemon(client, V4)
    for each in (host, client):
        each.ip("link", "set", "eth0", "mtu", "1279")
    wait_for(lambda: unable(daemon), "said")
    assert unable(daemon) == "the VIP's interface eth0 has an MTU of 1279, and IPv6 needs 1280"
    assert unable(other) is None
    host.ip("link", "set", "eth0", "mtu", "1280")
    wait_for(lambda: unable(daemon) is None, "it works again")


def test_an_ipv6_vip_that_its_interface_has_lost_is_given_up_at_once(network):
    host, _client = pair(network)
    daemon = Daemon(host, V6).take()
    guard = daemon.guard
    host.ip("link", "set", "eth0", "mtu", "1279")
    wait_for(lambda: not daemon.present(), "the kernel has removed it")
    assert daemon.order("drop")["guard"] == guard, "nobody had to kill it for that"


# --- interfaces that change -----------------------------------------------------------------------------------------


def test_it_stays_on_an_interface_that_is_renamed_while_another_takes_the_name(network):
    host, client = pair(network)
    spare(host)
    daemon = Daemon(host, lease=300).take()
    host.ip("link", "set", "eth0", "name", "wan0")
    host.ip("link", "set", "spare", "name", "eth0")
    host.ip("address", "delete", daemon.cidr, "dev", "wan0")
    wait_for(lambda: daemon.cidr in host.addresses("wan0"), "it is renewed where it was")
    assert daemon.cidr not in host.addresses("eth0")
    daemon.order("drop")
    assert daemon.cidr not in host.addresses("wan0") + host.addresses("eth0")


def test_a_guard_that_is_replaced_after_a_renaming_goes_on_where_the_address_stands(network):
    host, _client = pair(network)
    spare(host)
    daemon = Daemon(host, lease=300).take()
    daemon.order("respawn")
    host.ip("link", "set", "eth0", "name", "wan0")
    host.ip("link", "set", "spare", "name", "eth0")
    guard = daemon.guard
    daemon.send(signal.SIGKILL, guard)
    wait_for(lambda: daemon.order("status")["guard"] not in (None, guard), "a new guard")
    daemon.wait_state("held")
    wait_until(boottime() + 1)
    assert daemon.cidr in host.addresses("wan0") and daemon.cidr not in host.addresses("eth0")


def test_what_another_interface_does_is_no_concern(network):
    host, _client = pair(network)
    spare(host)
    daemon = Daemon(host).take()
    host.ip("link", "set", "spare", "down")
    host.ip("link", "delete", "spare")
    assert unable(daemon) is None and daemon.order("status")["held"]


# --- several addresses ----------------------------------------------------------------------------------------------


def test_ipv4_and_ipv6_on_two_interfaces_come_and_go_together(network):
    host, _client = pair(network)
    spare(host)
    daemon = Daemon(host, f"{V4},2001:db8:1::10/64@spare")
    assert daemon.first["addresses"] == [
        {"address": V4, "interface": "eth0"}, {"address": "2001:db8:1::10/64", "interface": "spare"},
    ]  # fmt: skip
    daemon.order("hold")
    daemon.wait_state("held")
    assert "192.0.2.10/32" in host.addresses() and "2001:db8:1::10/128" in host.addresses("spare")
    moment = daemon.send(signal.SIGSTOP)
    wait_until(moment + LEASE + MARGIN)
    assert "192.0.2.10/32" not in host.addresses() and "2001:db8:1::10/128" not in host.addresses("spare")


def test_none_is_added_when_one_can_not_be(network):
    host, _client = pair(network)
    spare(host)
    daemon = Daemon(host, f"{V4},192.0.2.11/24@spare", lease=300)
    host.ip("link", "delete", "spare")
    wait_for(lambda: "spare does not exist" in str(unable(daemon)), "it is said")
    watch = host.popen("ip", "-o", "monitor", "address")
    daemon.order("hold")
    wait_for(lambda: "can't be added to spare" in str(daemon.order("status")["error"]), "it is tried")
    wait_until(boottime() + 0.5)
    assert "192.0.2.10/32" not in host.addresses() and not daemon.order("status")["held"]
    watch.kill()
    watch.communicate()
    spare(host)
    daemon.wait_state("held")
    assert "192.0.2.10/32" in host.addresses() and "192.0.2.11/32" in host.addresses("spare")


def test_one_of_several_that_is_removed_by_hand_comes_back(network):
    host, _client = pair(network)
    daemon = Daemon(host, f"{V4},{V6}", lease=300)
    daemon.order("hold")
    daemon.wait_state("held")
    host.ip("address", "delete", "2001:db8::10/128", "dev", "eth0")
    wait_for(lambda: "2001:db8::10/128" in host.addresses(), "it is back")
    assert "192.0.2.10/32" in host.addresses()


# --- twins: another program on this host ----------------------------------------------------------------------------


@pytest.mark.parametrize("where, twin", [("eth0", "192.0.2.10/24"), ("spare", "192.0.2.10/32")])
@pytest.mark.parametrize("guard", ["works", "frozen", "killed"])
def test_a_twin_is_said_and_goes_with_ours(network, guard, where, twin):
    host, _client = pair(network)
    spare(host)
    daemon = Daemon(host, lease=300).take()
    host.ip("address", "add", twin, "dev", where)
    wait_for(lambda: daemon.order("status")["twins"] == f"{twin} on {where}", "the twin is said")
    if guard != "works":
        daemon.send(signal.SIGSTOP if guard == "frozen" else signal.SIGKILL, daemon.guard)
    daemon.order("drop")
    left = host.addresses() + host.addresses("spare")
    assert not [cidr for cidr in left if cidr.startswith("192.0.2.10/")] and "192.0.2.1/24" in left


def test_a_twin_goes_with_a_daemon_that_is_killed(network):
    host, _client = pair(network)
    daemon = Daemon(host, lease=300).take()
    host.ip("address", "add", "192.0.2.10/24", "dev", "eth0")
    daemon.send(signal.SIGKILL)
    wait_for(lambda: not [cidr for cidr in host.addresses() if cidr.startswith("192.0.2.10/")], "both are gone")


def test_a_guard_is_replaced_beside_a_twin(network):
    host, _client = pair(network)
    daemon = Daemon(host, lease=300).take()
    daemon.order("respawn")
    guard = daemon.guard
    host.ip("address", "add", "192.0.2.10/24", "dev", "eth0")
    daemon.send(signal.SIGKILL, guard)
    wait_for(lambda: daemon.order("status")["guard"] not in (None, guard), "a new guard")
    daemon.wait_state("held")
    assert daemon.order("status")["twins"] == "192.0.2.10/24 on eth0"


# --- rivals: another host -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vip, cidr", [(V4, "192.0.2.10/24"), (V6, "2001:db8::10/64")])
def test_a_rival_that_never_spoke_is_found_while_we_hold_it(network, vip, cidr):
    host, _client = pair(network)
    rival = network.host("rival")
    daemon = Daemon(host, vip, lease=300).take()
    daemon.wait_quiet()
    rival.ip("address", "add", cidr, "dev", "eth0", *(["nodad"] if ":" in cidr else []))
    wait_for(lambda: daemon.order("status")["rival"] == rival.mac(), "it is asked and found", 20)
    assert daemon.order("status")["conflicts"] >= 1 and daemon.present()


def test_another_interface_of_the_same_host_is_no_rival(network):
    """Two on one network: the kernel answers on both for every address of the host."""
    host, _client = pair(network)
    network.plug(host, "eth1", "192.0.2.7/24", "br0")
    daemon = Daemon(host).take()
    wait_until(boottime() + Settings.watch_at[-1] + MARGIN)
    status = daemon.order("status")
    assert (status["rival"], status["conflicts"]) == (None, 0)
    host.ip("link", "set", "eth1", "down")
    host.ip("link", "set", "eth1", "address", "02:00:00:00:00:77")
    host.ip("link", "set", "eth1", "up")
    host.ip("link", "set", "eth0", "down")
    host.ip("link", "set", "eth0", "up")
    daemon.wait_state("held")
    wait_until(boottime() + Settings.watch_at[-1] + MARGIN)
    status = daemon.order("status")
    assert (status["rival"], status["conflicts"]) == (None, 0)


def test_a_flood_of_claims_neither_takes_the_vip_nor_delays_its_end(network):
    host, client = pair(network)
    daemon = Daemon(host).take()
    flood = client.popen(sys.executable, FLOOD, "192.0.2.10")
    try:
        wait_for(lambda: daemon.order("status")["conflicts"] >= 1, "the flood is heard")
        end = boottime() + 3
        while boottime() < end:
            assert daemon.present()
        guard = daemon.guard
        moment = daemon.send(signal.SIGSTOP)
        wait_until(moment + LEASE + MARGIN)
        assert not daemon.present() and os.path.exists(f"/proc/{guard}")
    finally:
        flood.kill()


# --- a guard that is frozen or dead -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_without_a_guard_that_works_batond_itself_removes_the_vip_at_its_deadline(network, number):
    host, _client = pair(network)
    daemon = Daemon(host, valid=60).take()
    daemon.send(number, daemon.guard)
    daemon.order("release")
    wait_until(boottime() + LEASE + MARGIN)
    assert not daemon.present()


def test_batond_itself_removes_what_stands_of_a_vip_of_which_a_part_is_missing(network):
    host, _client = pair(network)
    spare(host)
    daemon = Daemon(host, f"{V4},198.51.100.10/24@spare", valid=60).take()
    host.ip("link", "delete", "spare")
    daemon.wait_state("adding")
    daemon.send(signal.SIGSTOP, daemon.guard)
    daemon.order("release")
    wait_until(boottime() + LEASE + MARGIN)
    assert not daemon.present()


# --- when nothing of batond is left ---------------------------------------------------------------------------------


@pytest.mark.parametrize("guarded", [True, False])
def test_stop_post_tells_nobody_of_a_vip_that_stands_here_still(network, tmp_path, guarded):
    host, _client = pair(network)
    host.ip("address", "add", V4, "dev", "eth0")
    reign = tmp_path / "reign.json"
    reign.write_text(Notice("n1", (1, "e"), (), "secret").to_text())
    if guarded:
        (tmp_path / "guarded").write_text(f"{V4}\n")
    environ = [f"BATON_VIP={V4}", "BATON_INTERFACE=eth0", f"BATON_DATA_DIR={tmp_path}"]
    host.run("env", *environ, *batond(), "stop-post")
    assert reign.exists() is not guarded and (V4 in host.addresses()) is not guarded
