# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the VIP stands on this host: its interfaces, the address on each, the wire to ask and tell the network.

I/O without decisions, for the guard, and for those who clean up after one (``remove_now``). Small imports: see guard.py.
"""

from __future__ import annotations

import errno
import os
from typing import Dict, List, Optional, Sequence

from ...core.vip.address import HostAddress, VirtualAddress, parse_vips
from .arp import Wire
from .netlink import Address, Link, LinkEvent, Netlink

LONGEST_LABEL = 15
IPV6 = "/proc/sys/net/ipv6"
LEAST_IPV6_MTU = 1280  # RFC 8200
GONE = (errno.ENODEV, errno.ENXIO, errno.ENETDOWN)


class Place:
    """One address of the VIP. It belongs to the interface that had the name when we first looked, whatever that is called later.

    ``link`` is None while there is no such interface; ``wire`` while there is nobody to speak with.
    """

    def __init__(self, address: VirtualAddress, netlink: Netlink) -> None:
        self.address = address
        self.ip = address.ip
        self.link: Optional[Link] = None
        self.wire: Optional[Wire] = None
        self._netlink = netlink

    def __str__(self) -> str:
        return f"{self.address.cidr} on {self.address.interface}"

    def find(self, links: Sequence[Link], addresses: Sequence[Address]) -> Optional[Link]:
        """Return the interface as it is among those of the host, whose addresses are ``addresses``.

        The one we have, one where a guard before us left the address, or the one of that name.
        """
        by_index = {link.index: link for link in links}
        if self.link is not None and self.link.index in by_index:
            return by_index[self.link.index]
        ours = (found for found in addresses if found.ip == self.ip)
        left = [found.index for found in ours if not host_address(found).foreign]
        if len(left) == 1 and left[0] in by_index and self.link is None:
            return by_index[left[0]]
        return next((link for link in links if link.name == self.address.interface), None)

    def concerns(self, event: LinkEvent) -> bool:
        """Whether the event tells of our interface, or of one that may become ours."""
        if self.link is not None:
            return event.link.index == self.link.index
        return event.present and event.link.name == self.address.interface

    def use(self, link: Optional[Link]) -> bool:
        """Take note of the interface's state; return whether the network has to be told again who we are.

        Another interface or hardware address needs another socket.
        """
        old, self.link = self.link, link
        same = old is not None and link is not None and (old.index, old.mac) == (link.index, link.mac)
        if not same or self.wire is None:
            if self.wire is not None:
                self.wire.close()
                self.wire = None
            if link is not None and link.ethernet:
                self.wire = _open_wire(link, self.ip)
        return link is not None and link.up and not (same and old is not None and old.up)

    @property
    def problem(self) -> str:
        """Why the address would not work here now, "" when it would."""
        name, link = self.address.interface, self.link
        if link is None:
            return f"the VIP's interface {name} does not exist"
        if not link.on:
            return f"the VIP's interface {name} is switched off"
        if not link.up:
            return f"the VIP's interface {name} has no carrier"
        return _without_ipv6(name, link) if len(self.ip) == 16 else ""

    def add(self, valid: int) -> None:
        """Add the address, or renew it, for ``valid`` seconds; OSError."""
        if self.link is None:
            raise OSError(errno.ENODEV, "the interface does not exist")
        label = f"{self.link.name}:vip"
        self._netlink.replace(self.link.index, self.ip, valid, label if len(label) <= LONGEST_LABEL else "")

    def withdraw(self) -> None:
        """Take back what ``add`` has just added; OSError."""
        if self.link is not None:
            self._netlink.delete(self.link.index, self.ip, len(self.ip) * 8)

    def is_own(self, address: Address) -> bool:
        """Whether an address of the VIP stands in the form and the place that we give it."""
        here = self.link is not None and address.index == self.link.index
        return here and address.prefix == len(self.ip) * 8 and not host_address(address).foreign


def remove_now(vip: str, interface: str, ours: bool = False) -> List[str]:
    """Remove a VIP that a guard may have left behind; return what of it stands on this host still. ``vip``: as for ``parse_vips``.

    ``ours``: it is known that the VIP was none of this host's own addresses, so that it is removed whoever added it, and nothing
    is left; else one that no guard added (see core/vip/address.py) is left alone. Problem, OSError.
    """
    ips = {address.ip for address in parse_vips(vip, interface)}
    with Netlink() as netlink:
        standing = [] if ours else [found for found in netlink.addresses() if found.ip in ips]
        stay = {found.ip for found in standing if host_address(found).foreign}
        netlink.remove(dict.fromkeys(ips - stay, 0))
    return [found.cidr for found in standing if found.ip in stay]


def host_addresses() -> Dict[str, List[HostAddress]]:
    """Return the interfaces of this host and their addresses, in the form that ``check_vip`` takes."""
    with Netlink() as netlink:
        names = {link.index: link.name for link in netlink.links()}
        found: Dict[str, List[HostAddress]] = {name: [] for name in names.values()}
        for address in netlink.addresses():
            if address.index in names:
                found[names[address.index]].append(host_address(address))
        return found


def host_address(address: Address) -> HostAddress:
    return HostAddress(address.cidr, None if address.valid is None else float(address.valid))


def problems(places: Sequence[Place]) -> str:
    """Return what is wrong with the interfaces, in words; "" when the VIP would work."""
    return "; ".join(dict.fromkeys(place.problem for place in places if place.problem))


def _open_wire(link: Link, ip: bytes) -> Optional[Wire]:
    try:
        return Wire(link.name, link.mac, ip)
    except OSError as error:
        if error.errno in GONE:
            return None  # it went away meanwhile; the next event about it tries again
        raise


def _without_ipv6(name: str, link: Link) -> str:
    """Return why an interface has no IPv6, "" when it has: nothing else that we see tells of it."""
    if os.path.isdir(os.path.dirname(IPV6)) and not os.path.isdir(IPV6):
        return "the VIP is an IPv6 address, and the kernel has no IPv6"
    if 0 < link.mtu < LEAST_IPV6_MTU:
        return f"the VIP's interface {name} has an MTU of {link.mtu}, and IPv6 needs {LEAST_IPV6_MTU}"
    switch = f"{IPV6}/conf/{link.name}/disable_ipv6"
    try:
        with open(switch) as file:
            return f"IPv6 is switched off on the VIP's interface {name} ({switch})" if file.read().strip() == "1" else ""
    except OSError:
        return ""  # not known: adding it will tell
