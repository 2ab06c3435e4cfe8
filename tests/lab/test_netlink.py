# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The netlink and ARP adapters against a real kernel and a real wire."""
from __future__ import annotations

import select
from ipaddress import ip_address
from typing import Any, Callable, List

import pytest
from netns import Host, Network, wait_for

from baton.adapters.vip import arp, netlink
from baton.adapters.vip.arp import Wire
from baton.adapters.vip.netlink import Address, AddressEvent, LinkEvent, Monitor, Netlink
from baton.adapters.vip.places import host_addresses, remove_now

VIP4 = ip_address("192.0.2.10").packed
VIP6 = ip_address("2001:db8::10").packed
RIVAL = bytes.fromhex("020000000099")


def index_of(netlink: Netlink, name: str) -> int:
    link = netlink.link(name)
    assert link is not None
    return link.index


def test_links_by_name(network: Network) -> None:
    host = network.host("one", interface="eth-1.20")
    with host.entered(), Netlink() as netlink:
        link = netlink.link("eth-1.20")
        assert link is not None and link.up and link.ethernet and link.mac.hex(":") == host.mac()
        assert netlink.link("eth9") is None
        assert netlink.link("a-name-that-is-far-too-long") is None
        assert sorted(found.name for found in netlink.links()) == ["eth-1.20", "lo"]
        loopback = netlink.link("lo")
        assert loopback is not None and not loopback.ethernet


@pytest.mark.parametrize("ip, cidr", [(VIP4, "192.0.2.10/32"), (VIP6, "2001:db8::10/128")], ids=["IPv4", "IPv6"])
def test_replace_adds_renews_and_recreates(network: Network, ip: bytes, cidr: str) -> None:
    host = network.host("one", ["192.0.2.1/24", "2001:db8::1/64"])
    with host.entered(), Netlink() as netlink:
        index = index_of(netlink, "eth0")
        netlink.replace(index, ip, 100)
        netlink.replace(index, ip, 2, "eth0:vip")
        (found,) = [address for address in netlink.addresses(index) if address.ip == ip]
        assert found.cidr == cidr and found.valid is not None and found.valid <= 2
        assert netlink.delete(index, ip, len(ip) * 8) and not netlink.delete(index, ip, len(ip) * 8)
        netlink.replace(index, ip, 100)
        assert cidr in host.addresses()


def test_ipv6_is_usable_at_once_and_no_source_address(network: Network) -> None:
    host = network.host("one", ["2001:db8::1/64"])
    with host.entered(), Netlink() as netlink:
        netlink.replace(index_of(netlink, "eth0"), VIP6, 100)
        (found,) = [address for address in host.address_details() if address["local"] == "2001:db8::10"]
    assert not found.get("tentative") and found.get("deprecated") and found["preferred_life_time"] == 0
    assert "2001:db8::10" not in host.ip("-6", "route", "show", "table", "main")


def test_kernel_drops_it_by_itself(network: Network) -> None:
    host = network.host("one", ["192.0.2.1/24"])
    with host.entered(), Netlink() as netlink:
        netlink.replace(index_of(netlink, "eth0"), VIP4, 1)
    assert "192.0.2.10/32" in host.addresses()
    wait_for(lambda: "192.0.2.10/32" not in host.addresses(), "the kernel's lifetime ends", 3.0)
    assert "192.0.2.1/24" in host.addresses()


def test_remove_takes_any_prefix_length_and_spares_the_secondaries(network: Network) -> None:
    host = network.host("one")
    host.run("sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=0", "net.ipv4.conf.eth0.promote_secondaries=0")
    for address in ("192.0.2.10/24", "192.0.2.1/24", "192.0.2.50/24", "192.0.2.10/32", "198.51.100.1/24"):
        host.ip("address", "add", address, "dev", "eth0")
    lifetimes = ["valid_lft", "500", "preferred_lft", "400"]
    host.ip("address", "add", "192.0.2.60/24", "dev", "eth0", "label", "eth0:x", *lifetimes)
    with host.entered(), Netlink() as netlink:
        assert netlink.remove({VIP4: index_of(netlink, "eth0")}) == 2
        assert netlink.remove({VIP4: 0}) == 0
    left = [address for address in host.addresses() if "." in address]
    assert sorted(left) == ["192.0.2.1/24", "192.0.2.50/24", "192.0.2.60/24", "198.51.100.1/24"]
    (labelled,) = [address for address in host.address_details() if address["local"] == "192.0.2.60"]
    assert labelled["label"] == "eth0:x" and 300 < labelled["preferred_life_time"] <= 400


class Noting(Netlink):
    """Keeps each list of addresses that is read."""

    def __init__(self) -> None:
        super().__init__()
        self.lists: List[List[str]] = []

    def addresses(self, index: int = 0) -> List[Address]:
        found = super().addresses(index)
        self.lists.append([address.cidr for address in found])
        return found


def test_all_addresses_are_gone_before_the_first_list_is_read(network: Network) -> None:
    """A host may have thousands, and the last address of a VIP has no more time than the first."""
    host = network.host("one", ["192.0.2.1/24"])
    vips = [ip_address(f"192.0.2.{last}").packed for last in range(10, 26)] + [VIP6]
    with host.entered(), Noting() as netlink:
        index = index_of(netlink, "eth0")
        for ip in vips:
            netlink.replace(index, ip, 100)
        assert netlink.remove(dict.fromkeys(vips, index)) == len(vips)
        assert len(netlink.lists) == 1 and not {"192.0.2.10/32", "192.0.2.25/32", "2001:db8::10/128"} & set(netlink.lists[0])


def test_where_there_is_no_ipv6_no_address_of_it_is_left(network: Network) -> None:
    host = network.host("one", ["192.0.2.1/24"])
    host.ip("link", "set", "eth0", "mtu", "1200")
    with host.entered(), Netlink() as netlink:
        assert netlink.remove({VIP6: index_of(netlink, "eth0")}) == 0


def test_many_addresses_are_all_read(network: Network) -> None:
    host = network.host("one")
    lines = "".join(f"address add 10.{i // 250}.{i % 250}.1/32 dev eth0\n" for i in range(1000))
    batch = host.popen("ip", "-batch", "-")
    batch.communicate(lines)
    with host.entered(), Netlink() as netlink:
        found = netlink.addresses(index_of(netlink, "eth0"))
        assert len([address for address in found if len(address.ip) == 4]) == 1000
        assert [address.cidr for address in netlink.addresses(1) if len(address.ip) == 4] == ["127.0.0.1/8"]


def test_a_list_that_changes_while_it_is_read_has_no_gap(network: Network) -> None:
    """The kernel goes on by number: where one is gone that was listed, one that was not yet is left out."""
    host = network.host("one")
    lines = "".join(f"address add 10.0.{i // 250}.{i % 250}/32 dev eth0\n" for i in range(1000))
    host.popen("ip", "-batch", "-").communicate(lines)
    with host.entered(), Netlink() as netlink:

        class Changing:
            """The socket, on a host where the first address goes while the list is read."""

            parts = 0

            def __init__(self, real: Any) -> None:
                self.send, self._real = real.send, real

            def recv(self, size: int) -> Any:
                self.parts += 1
                if self.parts == 2:
                    host.ip("address", "delete", "10.0.0.0/32", "dev", "eth0")
                return self._real.recv(size)

            def close(self) -> None:
                self._real.close()

        changing: Any = Changing(netlink._socket)
        netlink._socket = changing
        found = [address.cidr for address in netlink.addresses() if len(address.ip) == 4 and address.index != 1]
        assert changing.parts > 2 and sorted(found) == sorted(c for c in host.addresses() if "." in c)


def read_until(monitor: Monitor, wanted: Callable[[Any], bool], what: str) -> Any:
    seen: List[Any] = []

    def look() -> Any:
        seen.extend(monitor.read() or [])
        return next((event for event in seen if wanted(event)), None)

    return wait_for(look, what)


def test_monitor_tells_of_addresses_and_links(network: Network) -> None:
    host = network.host("one")
    with host.entered():
        monitor = Monitor()
    host.ip("address", "add", "192.0.2.10/24", "dev", "eth0")
    read_until(monitor, lambda e: isinstance(e, AddressEvent) and e.present and e.address.ip == VIP4, "address added")
    host.ip("address", "delete", "192.0.2.10/24", "dev", "eth0")
    read_until(monitor, lambda e: isinstance(e, AddressEvent) and not e.present and e.address.ip == VIP4, "deleted")
    host.carrier(False)
    read_until(monitor, lambda e: isinstance(e, LinkEvent) and e.link.name == "eth0" and not e.link.up, "link down")
    host.carrier(True)
    read_until(monitor, lambda e: isinstance(e, LinkEvent) and e.link.name == "eth0" and e.link.up, "link up")
    host.ip("link", "delete", "eth0")
    read_until(monitor, lambda e: isinstance(e, LinkEvent) and not e.present, "link deleted")
    monitor.close()


def test_monitor_admits_that_events_were_lost(network: Network) -> None:
    host = network.host("one")
    with host.entered():
        monitor = Monitor()
    lines = "address add 192.0.2.10/24 dev eth0\naddress delete 192.0.2.10/24 dev eth0\n" * 2000
    host.popen("ip", "-batch", "-").communicate(lines)
    assert monitor.read() is None
    host.ip("address", "add", "192.0.2.10/24", "dev", "eth0")
    read_until(monitor, lambda e: isinstance(e, AddressEvent) and e.present, "it works again afterwards")
    monitor.close()


def wire(host: Host, ip: bytes) -> Wire:
    with host.entered():
        return Wire("eth0", bytes.fromhex(host.mac().replace(":", "")), ip)


@pytest.mark.parametrize("ip, cidr", [(VIP4, "192.0.2.10/32"), (VIP6, "2001:db8::10/128")], ids=["IPv4", "IPv6"])
def test_probe_is_answered_only_by_a_holder(network: Network, ip: bytes, cidr: str) -> None:
    asker, holder = network.host("asker"), network.host("holder")
    # The bystander answers for addresses that look alike; its answers may not be taken for claims.
    bystander = network.host("bystander", ["192.0.2.11/24", "2001:db8:1::10/64"])
    asking = wire(asker, ip)
    asking.probe()
    looks_alike = ip_address("2001:db8:1::10" if len(ip) == 16 else "192.0.2.11").packed
    other, third = wire(bystander, looks_alike), wire(asker, looks_alike)
    other.announce()
    wait_for(third.claims, "the bystander's announcement is here")
    assert not select.select([asking], [], [], 0)[0], "the filter in the kernel lets nothing through that is not ours"
    holder.ip("address", "add", cidr, "dev", "eth0", *(["nodad"] if ":" in cidr else []))
    assert asking.claims() == []
    asking.probe()
    assert wait_for(asking.claims, "the holder answers") == [bytes.fromhex(holder.mac().replace(":", ""))]
    assert asker.neighbour(cidr.split("/")[0]) == ""
    for each in (asking, other, third):
        each.close()


@pytest.mark.parametrize("ip", [VIP4, VIP6], ids=["IPv4", "IPv6"])
def test_own_announcements_are_no_claims(network: Network, ip: bytes) -> None:
    one, two = network.host("one"), network.host("two")
    ours, theirs = wire(one, ip), wire(two, ip)
    ours.announce()
    assert wait_for(theirs.claims, "the other one hears it") == [bytes.fromhex(one.mac().replace(":", ""))]
    assert ours.claims() == []
    with two.entered():
        echo = Wire("eth0", bytes.fromhex(one.mac().replace(":", "")), ip)
    echo.announce()  # as if the network had sent ours back
    theirs.announce()
    assert wait_for(ours.claims, "both are here") == [bytes.fromhex(two.mac().replace(":", ""))]
    for each in (ours, theirs, echo):
        each.close()


@pytest.mark.parametrize("ip, own", [(VIP4, "192.0.2.3/24"), (VIP6, "2001:db8::3/64")], ids=["IPv4", "IPv6"])
def test_an_announcement_corrects_a_neighbours_cache(network: Network, ip: bytes, own: str) -> None:
    client, holder = network.host("client", [own]), network.host("holder")
    name = str(ip_address(ip))
    client.ip("neighbour", "replace", name, "lladdr", RIVAL.hex(":"), "dev", "eth0", "nud", "reachable")
    speaking = wire(holder, ip)
    speaking.announce()
    wait_for(lambda: client.neighbour(name) == holder.mac(), "the cache follows")
    speaking.close()


def test_a_frame_that_claims_another_address_is_none_of_ours() -> None:
    for ip, other in ((VIP4, ip_address("192.0.2.11").packed), (VIP6, ip_address("2001:db8::11").packed)):
        frames = arp.announcements(RIVAL, ip)
        assert [arp.claimant(frame, ip) for frame in frames] == [RIVAL] * len(frames)
        assert [arp.claimant(frame, other) for frame in frames] == [None] * len(frames)
        assert arp.claimant(arp.probe(RIVAL, ip), ip) is None
        assert all(arp.claimant(frame[:length], ip) is None for frame in frames for length in range(42))


def test_remove_now_takes_only_what_a_guard_left(network: Network) -> None:
    host = network.host("one", ["192.0.2.1/24"])
    with host.entered():
        assert remove_now("192.0.2.10/24", "eth0") == remove_now("192.0.2.10/24", "eth9") == []
        host.ip("address", "add", "192.0.2.10/32", "dev", "eth0", "valid_lft", "30", "preferred_lft", "30")
        assert remove_now("192.0.2.10/24", "eth0") == []
        assert "192.0.2.10/32" not in host.addresses()
        assert remove_now("192.0.2.1/24", "eth0") == ["192.0.2.1/24"], "a VIP that was set to the node's own address"
        addresses = host_addresses()
    assert [address for address in host.addresses() if "." in address] == ["192.0.2.1/24"]
    assert [address.cidr for address in addresses["eth0"] if "." in address.cidr] == ["192.0.2.1/24"]
    assert addresses["eth0"][0].foreign and sorted(addresses) == ["eth0", "lo"]


def test_remove_now_takes_every_twin_of_a_vip_that_is_known_to_be_none_of_the_hosts_own(network: Network) -> None:
    host = network.host("one", ["192.0.2.1/24"])
    host.ip("link", "add", "spare", "type", "veth", "peer", "name", "end")
    host.ip("address", "add", "192.0.2.10/32", "dev", "eth0", "valid_lft", "30", "preferred_lft", "30")
    host.ip("address", "add", "192.0.2.10/24", "dev", "eth0")
    host.ip("address", "add", "192.0.2.10/28", "dev", "spare")
    with host.entered():
        assert sorted(remove_now("192.0.2.10/24", "eth0")) == ["192.0.2.10/24", "192.0.2.10/28", "192.0.2.10/32"]
        assert remove_now("192.0.2.10/24", "eth0", ours=True) == []
    assert [address for address in host.addresses() if "." in address] == ["192.0.2.1/24"]
    assert not [address for address in host.addresses("spare") if "." in address]


def test_a_flood_is_not_read_to_its_end(network: Network) -> None:
    one, two = network.host("one"), network.host("two")
    ours, theirs = wire(one, VIP4), wire(two, VIP4)
    for _frame in range(2 * arp.BUDGET):
        theirs.announce()
    wait_for(lambda: select.select([ours], [], [], 0)[0], "it comes in")
    assert ours.claims() and ours.more
    while ours.more:
        ours.claims()
    assert not select.select([ours], [], [], 0)[0]
    for each in (ours, theirs):
        each.close()


def test_a_host_whose_addresses_change_all_the_time_is_not_followed_to_the_end(network: Network) -> None:
    host = network.host("one")
    with host.entered():
        monitor = Monitor()
    lines = "address add 192.0.2.10/24 dev eth0\naddress delete 192.0.2.10/24 dev eth0\n" * 60
    host.popen("ip", "-batch", "-").communicate(lines)
    assert 0 < len(monitor.read() or []) <= 2 * netlink.BUDGET and select.select([monitor], [], [], 0)[0]
    read_until(monitor, lambda e: not select.select([monitor], [], [], 0)[0], "the rest comes with the next turns")
    monitor.close()
