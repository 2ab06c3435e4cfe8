# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may configure as VIP and interface, and what the refusals say."""
from __future__ import annotations

from typing import Dict, List

import pytest

from baton.core.vip.address import HostAddress, check_vip, parse_vip
from baton.ground.problem import Problem

HOST: Dict[str, List[HostAddress]] = {
    "lo": [HostAddress("127.0.0.1/8")],
    "eth0": [HostAddress("192.0.2.1/24"), HostAddress("2001:db8::1/64"), HostAddress("fe80::1/64")],
    "eth-1.20": [HostAddress("198.51.100.1/24", valid=3600.0)],
}


@pytest.mark.parametrize(
    "vip, interface, static, said",
    [
        ("192.0.2.10", "eth0", None, "no prefix length"),
        ("", "eth0", None, "no prefix length"),
        ("2001:db8::10", "eth0", None, "no prefix length"),
        ("192.0.2.300/24", "eth0", None, "not an IP address"),
        ("192.0.2.10/33", "eth0", None, "not an IP address"),
        ("vip.example.org/24", "eth0", None, "not an IP address"),
        ("192.0.2.10/24", "eth1", None, "interface 'eth1' does not exist on this node: choose one of eth-1.20, eth0"),
        ("192.0.2.10/24", "", None, "needs an interface: name one of eth-1.20, eth0"),
        ("192.0.2.10/24", "eth0", "192.0.2.10", "own static address"),
        ("2001:db8::10/64", "eth0", "2001:DB8:0::10/64", "own static address"),
        ("192.0.2.10/24", "eth0", "here", "'here' is not an IP address"),
        ("192.0.2.1/24", "eth0", None, "already stands on eth0 as 192.0.2.1/24"),
        ("192.0.2.1/24", "eth-1.20", None, "already stands on eth0 as 192.0.2.1/24"),
        ("198.51.100.1/24", "eth-1.20", None, "already stands on eth-1.20"),
        ("192.0.2.0/24", "eth0", None, "network address"),
        ("192.0.2.255/24", "eth0", None, "broadcast address"),
        ("224.0.0.5/24", "eth0", None, "can't be an address of a host"),
        ("0.0.0.0/0", "eth0", None, "can't be an address of a host"),
        ("127.0.0.2/8", "eth0", None, "can't be an address of a host"),
        ("ff02::1/64", "eth0", None, "can't be an address of a host"),
        ("255.255.255.255/32", "eth0", None, "can't be an address of a host"),
    ],
)
def test_refused_with_one_line(vip: str, interface: str, static: str, said: str) -> None:
    with pytest.raises(Problem) as caught:
        check_vip(vip, interface, HOST, [static] if static else [])
    assert said in caught.value.detail
    assert "\n" not in caught.value.detail and caught.value.status == 400


@pytest.mark.parametrize(
    "vip, interface",
    [
        ("192.0.2.10/24", "eth0"),
        ("192.0.2.10/32", "eth0"),
        ("192.0.2.254/31", "eth0"),
        ("2001:db8::10/64", "eth0"),
        ("2001:db8::/128", "eth0"),
        ("198.51.100.77/25", "eth-1.20"),
    ],
)
def test_accepted_without_a_warning(vip: str, interface: str) -> None:
    parsed, warnings = check_vip(vip, interface, HOST, static=["192.0.2.1", "2001:db8::1"])
    assert str(parsed) == vip and warnings == []


def test_a_vip_that_a_guard_added_and_left_is_no_obstacle() -> None:
    host = {**HOST, "eth0": [*HOST["eth0"], HostAddress("192.0.2.10/32", valid=2.0)]}
    assert check_vip("192.0.2.10/24", "eth0", host)[1] == []


def test_outside_every_subnet_is_a_warning() -> None:
    _vip, warnings = check_vip("203.0.113.5/24", "eth0", HOST)
    assert len(warnings) == 1 and "192.0.2.0/24" in warnings[0]
    _vip, warnings = check_vip("192.0.2.10/24", "eth-1.20", HOST)
    assert len(warnings) == 1


def test_parse_keeps_address_and_network() -> None:
    vip = parse_vip("192.0.2.10/24")
    assert (str(vip.ip), str(vip.network)) == ("192.0.2.10", "192.0.2.0/24")
