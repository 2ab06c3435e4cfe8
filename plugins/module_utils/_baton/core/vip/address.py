# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the VIP and interface that a user configured, before anything touches them. Pure: the host is passed in."""
from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import List, Mapping, Optional, Sequence, Tuple, Union

from ...ground.problem import Problem

Interface = Union[IPv4Interface, IPv6Interface]

MOST = 16  # addresses of one VIP
LONGEST_OWN = 60.0
"""An address with a longer lifetime (seconds) was not added by Baton, whose lifetimes are a few seconds."""


@dataclass(frozen=True)
class HostAddress:
    """An address on an interface of this host: ``cidr`` and its remaining valid lifetime in seconds, None for ever."""

    cidr: str
    valid: Optional[float] = None

    @property
    def foreign(self) -> bool:
        """True when it was not added by a guard: the node's own address, or another program's VIP."""
        return self.valid is None or self.valid > LONGEST_OWN


def parse_vip(text: str) -> Interface:
    """Return the VIP with its network, or raise Problem 400 ``vip_invalid`` (one line that says how to write it)."""
    if "/" not in text:
        raise _invalid(f"VIP {text!r} has no prefix length: write it as ADDRESS/PREFIX, for example 192.0.2.10/24")
    try:
        vip = ip_interface(text)
    except ValueError:
        raise _invalid(f"VIP {text!r} is not an IP address with a prefix length, such as 192.0.2.10/24") from None
    address, network = vip.ip, vip.network
    if address.is_multicast or address.is_unspecified or address.is_loopback or str(address) == "255.255.255.255":
        raise _invalid(f"VIP {text} can't be an address of a host: choose a free address in the node's subnet")
    if isinstance(vip, IPv4Interface) and network.prefixlen <= 30:
        if address == network.network_address:
            raise _invalid(f"VIP {text} is the network address of {network}: choose a free address inside it")
        if address == network.broadcast_address:
            raise _invalid(f"VIP {text} is the broadcast address of {network}: choose a free address inside it")
    return vip


@dataclass(frozen=True)
class VirtualAddress:
    """One address of the VIP, with its network, and the interface it belongs to."""

    cidr: Interface
    interface: str

    @property
    def ip(self) -> bytes:
        """The address as packed bytes."""
        return self.cidr.ip.packed


def parse_vips(text: str, interface: str) -> List[VirtualAddress]:
    """Return the addresses of a VIP written as ``ADDRESS/PREFIX[@INTERFACE][,...]``; ``interface`` is for those without one.

    Problem 400 ``vip_invalid``.
    """
    found: List[VirtualAddress] = []
    for item in text.split(","):
        address, _at, name = item.strip().partition("@")
        vip = VirtualAddress(parse_vip(address), name or interface)
        if any(vip.ip == other.ip for other in found):
            raise _invalid(f"VIP {vip.cidr.ip} is given twice")
        found.append(vip)
    if len(found) > MOST:
        raise _invalid(f"{len(found)} addresses are too many for one VIP: at most {MOST}")
    return found


def check_vips(
    text: str, interface: str, host: Mapping[str, Sequence[HostAddress]], static: Sequence[str] = ()
) -> Tuple[List[VirtualAddress], List[str]]:
    """Check all addresses of a VIP (see ``parse_vips``) as ``check_vip`` does one; return them and the warnings."""
    found = parse_vips(text, interface)
    warnings = [check_vip(str(vip.cidr), vip.interface, host, static)[1] for vip in found]
    return found, [line for lines in warnings for line in lines]


def check_vip(
    text: str, interface: str, host: Mapping[str, Sequence[HostAddress]], static: Sequence[str] = ()
) -> Tuple[Interface, List[str]]:
    """Check a VIP against the host's interfaces (``host``: name to addresses) and the node's static addresses.

    Return the VIP and warnings (one line each), or raise Problem 400 ``vip_invalid``.
    """
    vip = parse_vip(text)
    if not interface:
        raise _invalid(f"VIP {text} needs an interface: name one of {_names(host)}")
    if interface not in host:
        raise _invalid(f"interface {interface!r} does not exist on this node: choose one of {_names(host)}")
    if any(_same(vip, own) for own in static):
        raise _invalid(f"VIP {text} is the node's own static address: choose an extra address that no node has")
    for name, addresses in sorted(host.items()):
        for address in addresses:
            if address.foreign and _same(vip, address.cidr):
                raise _invalid(
                    f"VIP {text} already stands on {name} as {address.cidr}, not through Baton: choose another VIP, "
                    f"or remove it with `ip address delete {address.cidr} dev {name}`"
                )
    return vip, _warnings(vip, interface, host[interface])


def _warnings(vip: Interface, interface: str, addresses: Sequence[HostAddress]) -> List[str]:
    own = [ip_interface(address.cidr) for address in addresses if not _same(vip, address.cidr)]
    if any(vip.ip in candidate.network for candidate in own if candidate.version == vip.version):
        return []
    subnets = ", ".join(str(candidate.network) for candidate in own if candidate.version == vip.version) or "none"
    warning = f"VIP {vip} is in no subnet of {interface} (it has: {subnets}): it is reached only if routes lead there"
    return [warning]


def _same(vip: Interface, other: str) -> bool:
    try:
        return vip.ip == ip_interface(other).ip
    except ValueError:
        raise _invalid(f"the node's address {other!r} is not an IP address: correct it") from None


def _names(host: Mapping[str, Sequence[HostAddress]]) -> str:
    return ", ".join(sorted(name for name in host if name != "lo")) or "none (this node has only lo)"


def _invalid(detail: str) -> Problem:
    return Problem(400, "vip_invalid", detail)
