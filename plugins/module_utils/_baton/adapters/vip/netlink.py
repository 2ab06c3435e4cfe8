# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's addresses and links over raw NETLINK_ROUTE: read, replace, delete, and follow changes.

I/O without decisions. Small because the guard process must start fast, and because an address is added in microseconds
this way. IP addresses are packed bytes (4 or 16), as ``ipaddress`` calls them; the family follows from the length.
Errors are OSError.
"""
from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Collection, Dict, Iterator, List, Mapping, Optional, Set, Tuple, Union

NETLINK_ROUTE = 0
GROUPS = 0x1 | 0x10 | 0x100  # RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
SOL_NETLINK, NETLINK_GET_STRICT_CHK = 270, 12
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 16, 17, 18, 20, 21, 22
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_REPLACE, NLM_F_DUMP, NLM_F_CREATE = 0x1, 0x4, 0x10, 0x100, 0x300, 0x400
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU = 1, 3, 4
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_CACHEINFO, IFA_FLAGS = 1, 2, 3, 6, 8
IFA_F_NODAD, IFA_F_NOPREFIXROUTE = 0x02, 0x200
IFF_UP, IFF_LOWER_UP = 0x1, 0x10000
ARPHRD_ETHER = 1
FOREVER = 0xFFFFFFFF
BUFFER = 1 << 17
BUDGET = 64  # datagrams of events that are read at once
NOT_THERE = (errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENXIO, errno.EOPNOTSUPP)  # the last two: no IPv6 there, or nowhere
TRIES = 4  # of reading a list that changes meanwhile
ROUNDS = 3  # of removing an address that another program adds again

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_IFADDR = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, interface index
_IFINFO = struct.Struct("=BxHiII")  # family, hardware type, index, flags, change mask
_ATTRIBUTE = struct.Struct("=HH")  # length, type


@dataclass(frozen=True)
class Link:
    """A network interface; ``on``: switched on; ``up``: and with a carrier. ``ethernet``: has a MAC and speaks ARP."""

    index: int
    name: str
    up: bool
    mac: bytes
    ethernet: bool
    on: bool
    mtu: int


@dataclass(frozen=True)
class Address:
    """An address on the interface ``index``; ``valid`` is its remaining lifetime in seconds, None for ever.

    ``body`` is the kernel's message without its header, good for adding the very same address again.
    """

    index: int
    ip: bytes
    prefix: int
    valid: Optional[int]
    label: str
    body: bytes

    @property
    def cidr(self) -> str:
        return f"{socket.inet_ntop(_family(self.ip), self.ip)}/{self.prefix}"


@dataclass(frozen=True)
class AddressEvent:
    present: bool
    address: Address


@dataclass(frozen=True)
class LinkEvent:
    present: bool
    link: Link


class Netlink:
    """A socket for requests; use it as a context manager or call ``close``."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)
        self._socket.bind((0, 0))
        # With strict checking the kernel filters a dump by interface (Linux 4.20); without it we do it alone.
        try:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        except OSError:
            pass
        self._sequence = 0

    def __enter__(self) -> "Netlink":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def links(self) -> List[Link]:
        """Return all interfaces."""
        answers = self._ask(RTM_GETLINK, NLM_F_DUMP, _IFINFO.pack(0, 0, 0, 0, 0))
        return [_parse_link(body) for kind, body in answers if kind == RTM_NEWLINK]

    def link(self, name: str) -> Optional[Link]:
        """Return the interface of that name, or None."""
        body = _IFINFO.pack(0, 0, 0, 0, 0) + _attribute(IFLA_IFNAME, name.encode() + b"\0")
        try:
            answers = self._ask(RTM_GETLINK, NLM_F_ACK, body)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ERANGE, errno.EINVAL):  # the last two: no interface can be called so
                return None
            raise
        return next((_parse_link(answer) for kind, answer in answers if kind == RTM_NEWLINK), None)

    def addresses(self, index: int = 0) -> List[Address]:
        """Return the addresses of one interface, or of all with index 0."""
        try:
            answers = self._ask(RTM_GETADDR, NLM_F_DUMP, _IFADDR.pack(socket.AF_UNSPEC, 0, 0, 0, index))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return []
            raise
        parsed = [_parse_address(body) for kind, body in answers if kind == RTM_NEWADDR]
        return [address for address in parsed if address is not None and index in (0, address.index)]

    def replace(self, index: int, ip: bytes, valid: int, label: str = "") -> None:
        """Add ``ip`` as a host address, or renew it, for ``valid`` seconds. It makes no prefix route.

        IPv6: no duplicate address detection (it takes over a second, and its failure deletes the address), and
        deprecated from the start, so that the kernel does not choose it as the source of outgoing connections.
        """
        v6 = len(ip) == 16
        flags = IFA_F_NOPREFIXROUTE | (IFA_F_NODAD if v6 else 0)
        body = _IFADDR.pack(_family(ip), len(ip) * 8, flags & 0xFF, 0, index)
        body += _attribute(IFA_LOCAL, ip) + _attribute(IFA_ADDRESS, ip)
        if label and not v6:
            body += _attribute(IFA_LABEL, label.encode() + b"\0")
        body += _attribute(IFA_FLAGS, struct.pack("=I", flags))
        body += _attribute(IFA_CACHEINFO, struct.pack("=IIII", 0 if v6 else valid, valid, 0, 0))
        self._ask(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, body)

    def delete(self, index: int, ip: bytes, prefix: int) -> bool:
        """Delete one address; False when it was not there."""
        body = _IFADDR.pack(_family(ip), prefix, 0, 0, index) + _attribute(IFA_LOCAL, ip) + _attribute(IFA_ADDRESS, ip)
        try:
            self._ask(RTM_DELADDR, NLM_F_ACK, body)
        except OSError as error:
            if error.errno in NOT_THERE:
                return False
            raise
        return True

    def check_permission(self) -> None:
        """Raise PermissionError when this process may not change addresses (CAP_NET_ADMIN). Changes nothing."""
        self.delete(0, bytes(4), 32)  # no interface has this index; the kernel looks at the permission first

    def remove(self, wanted: Mapping[bytes, int]) -> int:
        """Delete addresses from every interface, whatever their prefix length, and nothing else; return how many were there.

        ``wanted``: ip → the index where a guard has added it, 0 where that is not known. Those go at once, before the long list
        of a host's addresses is read. Returns when the kernel shows none any more; OSError, EBUSY when somebody adds one again
        and again. What one address is refused for keeps no other from being removed.
        """
        removed = 0
        for ip, index in wanted.items():
            with contextlib.suppress(OSError):  # what stands still is seen below
                removed += bool(index) and self.delete(index, ip, len(ip) * 8)
        for _round in range(ROUNDS):
            before = self.addresses()
            standing = [address for address in before if address.ip in wanted]
            if not standing:
                return removed
            refused: Optional[OSError] = None
            for address in standing:
                try:
                    removed += self.delete(address.index, address.ip, address.prefix)
                except OSError as error:
                    refused = refused or error
            self._restore({address.index for address in standing}, wanted, before)
            if refused is not None:
                raise refused
        raise OSError(errno.EBUSY, "another program adds it again and again")

    def _restore(self, indexes: Set[int], removed: Collection[bytes], before: List[Address]) -> None:
        """Add what went along: deleting an IPv4 address takes the secondaries of its subnet with it."""
        left = {(address.index, address.ip, address.prefix) for address in self.addresses()}
        for address in before:
            lost = (address.index, address.ip, address.prefix) not in left
            if lost and address.index in indexes and address.ip not in removed:
                self._ask(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE, address.body)

    def _ask(self, kind: int, flags: int, body: bytes) -> List[Tuple[int, bytes]]:
        """Send a request and return the (type, body) of its answers."""
        for _try in range(TRIES - 1):
            answers, whole = self._ask_once(kind, flags, body)
            if whole:
                return answers
        return self._ask_once(kind, flags, body)[0]

    def _ask_once(self, kind: int, flags: int, body: bytes) -> Tuple[List[Tuple[int, bytes]], bool]:
        """Return the answers, and whether they are whole: a list that changed while it was read may lack any of its items."""
        self._sequence += 1
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST | flags, self._sequence, 0) + body)
        answers: List[Tuple[int, bytes]] = []
        interrupted = 0
        while True:
            for answer, its_flags, sequence, payload in _messages(self._socket.recv(BUFFER)):
                if sequence != self._sequence:
                    continue
                interrupted |= its_flags & NLM_F_DUMP_INTR
                if answer == NLMSG_DONE:
                    return answers, not interrupted
                if answer == NLMSG_ERROR:
                    number = -int(struct.unpack_from("=i", payload)[0])
                    if number:
                        raise OSError(number, os.strerror(number))
                    return answers, True
                answers.append((answer, payload))


class Monitor:
    """Follows changes of addresses and links; the socket does not block."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_ROUTE)
        self._socket.bind((0, GROUPS))

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def read(self) -> Optional[List[Union[AddressEvent, LinkEvent]]]:
        """Return events that wait, oldest first, or None when the kernel had to drop some.

        A host may bring more than anybody can read: after ``BUDGET`` datagrams ``fileno`` stays readable.
        """
        events: List[Union[AddressEvent, LinkEvent]] = []
        for _datagram in range(BUDGET):
            try:
                data = self._socket.recv(BUFFER)
            except BlockingIOError:
                return events
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    return None
                raise
            for kind, _flags, _sequence, body in _messages(data):
                if kind in (RTM_NEWADDR, RTM_DELADDR):
                    address = _parse_address(body)
                    if address is not None:
                        events.append(AddressEvent(kind == RTM_NEWADDR, address))
                elif kind in (RTM_NEWLINK, RTM_DELLINK) and body[0] == socket.AF_UNSPEC:  # others tell of bridge ports
                    events.append(LinkEvent(kind == RTM_NEWLINK, _parse_link(body)))
        return events


def _family(ip: bytes) -> int:
    return int(socket.AF_INET6 if len(ip) == 16 else socket.AF_INET)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _attributes(body: bytes, offset: int) -> Dict[int, bytes]:
    found: Dict[int, bytes] = {}
    while offset + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        if length < _ATTRIBUTE.size:
            break
        found[kind & 0x3FFF] = body[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


def _messages(data: bytes) -> Iterator[Tuple[int, int, int, bytes]]:
    """Yield (type, flags, sequence, body) of each message in a datagram."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, sequence, _port = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            return
        yield kind, flags, sequence, data[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3


def _parse_link(body: bytes) -> Link:
    _unused, hardware, index, flags, _change = _IFINFO.unpack_from(body)
    found = _attributes(body, _IFINFO.size)
    mac = found.get(IFLA_ADDRESS, b"")
    on = bool(flags & IFF_UP)
    up = on and bool(flags & IFF_LOWER_UP)
    mtu = int.from_bytes(found.get(IFLA_MTU, b""), sys.byteorder)
    return Link(index, _text(found.get(IFLA_IFNAME, b"")), up, mac, hardware == ARPHRD_ETHER and len(mac) == 6, on, mtu)


def _parse_address(body: bytes) -> Optional[Address]:
    family, prefix, _flags, _scope, index = _IFADDR.unpack_from(body)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return None
    found = _attributes(body, _IFADDR.size)
    ip = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS)
    if ip is None:
        return None
    valid = FOREVER
    if len(found.get(IFA_CACHEINFO, b"")) >= 8:
        valid = struct.unpack_from("=II", found[IFA_CACHEINFO])[1]
    return Address(index, ip, prefix, None if valid == FOREVER else valid, _text(found.get(IFA_LABEL, b"")), body)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")
