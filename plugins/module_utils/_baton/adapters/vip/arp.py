# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking who has an address on the local network, and telling who has it: ARP (IPv4) and neighbour discovery (IPv6).

I/O without decisions, on raw Ethernet frames (AF_PACKET), because asking must not use an address that is not ours yet.
RFC 5227 (ARP probe, announcement), RFC 4861 and 4862 (neighbour advertisement, duplicate address detection).
"""
from __future__ import annotations

import array
import socket
import struct
from typing import List, Optional

ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD
BUDGET = 32  # frames that are read at once
BROADCAST = b"\xff" * 6
SO_ATTACH_FILTER = 26
ICMPV6, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 58, 135, 136
OVERRIDE = 0x20000000
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
LOAD_WORD, LOAD_BYTE, JUMP_IF_EQUAL, RETURN = 0x20, 0x30, 0x15, 0x06  # classic BPF


def probe(mac: bytes, ip: bytes) -> bytes:
    """Return the frame that asks who has ``ip`` without claiming it: sender 0.0.0.0 or ::, so that no cache changes."""
    if len(ip) == 4:
        return _arp(1, mac, bytes(4), bytes(6), ip)
    group = bytes.fromhex("ff0200000000000000000001ff") + ip[-3:]
    return _icmpv6(mac, bytes(16), group, struct.pack("!BBHI", NEIGHBOUR_SOLICITATION, 0, 0, 0) + ip)


def announcements(mac: bytes, ip: bytes) -> List[bytes]:
    """Return the frames that tell everybody on the link that ``ip`` is at ``mac``.

    IPv4: gratuitous ARP as a request and as a reply, because some equipment heeds only one of them.
    """
    if len(ip) == 4:
        return [_arp(1, mac, ip, bytes(6), ip), _arp(2, mac, ip, BROADCAST, ip)]
    link_address = struct.pack("!BB", 2, 1) + mac
    message = struct.pack("!BBHI", NEIGHBOUR_ADVERTISEMENT, 0, 0, OVERRIDE) + ip + link_address
    return [_icmpv6(mac, ip, ALL_NODES, message)]


def claimant(frame: bytes, ip: bytes) -> Optional[bytes]:
    """Return the hardware address that the frame says ``ip`` is at, or None when it says no such thing."""
    if len(ip) == 4:
        if len(frame) >= 42 and frame[12:14] == struct.pack("!H", ETH_P_ARP) and frame[28:32] == ip:
            return frame[22:28]
    elif len(frame) >= 78 and frame[20] == ICMPV6 and frame[54] == NEIGHBOUR_ADVERTISEMENT and frame[62:78] == ip:
        return frame[6:12]
    return None


class Wire:
    """A socket on one Ethernet interface that sends frames and hears only those that claim ``ip``. Never blocks."""

    def __init__(self, interface: str, mac: bytes, ip: bytes) -> None:
        self._mac, self._ip = mac, ip
        self.more = False
        # Protocol 0 receives nothing, so that no frame comes in before the filter stands.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        try:
            _attach(self._socket, _claim_filter(ip))
            self._socket.bind((interface, ETH_P_ARP if len(ip) == 4 else ETH_P_IPV6))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def probe(self) -> None:
        self._send(probe(self._mac, self._ip))

    def announce(self) -> None:
        for frame in announcements(self._mac, self._ip):
            self._send(frame)

    def claims(self) -> List[bytes]:
        """Return the other hardware addresses that claim the address, out of at most ``BUDGET`` frames that wait.

        A network may bring more than anybody can read: ``more`` says that some may be left.
        """
        found: List[bytes] = []
        self.more = False
        for _frame in range(BUDGET):
            try:
                frame = self._socket.recv(2048)
            except BlockingIOError:
                return found
            except OSError:  # the interface went down or away; the link's own events tell that
                return found
            mac = claimant(frame, self._ip)
            if mac is not None and mac != self._mac and mac not in found:
                found.append(mac)
        self.more = True
        return found

    def _send(self, frame: bytes) -> None:
        try:
            self._socket.send(frame)
        except OSError:
            pass  # no carrier or no buffer: announcements are repeated, and again when the link comes up


def _arp(operation: int, sender_mac: bytes, sender: bytes, target_mac: bytes, target: bytes) -> bytes:
    ethernet = BROADCAST + sender_mac + struct.pack("!H", ETH_P_ARP)
    return ethernet + struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + sender_mac + sender + target_mac + target


def _icmpv6(mac: bytes, source: bytes, group: bytes, message: bytes) -> bytes:
    pseudo = source + group + struct.pack("!II", len(message), ICMPV6)
    message = message[:2] + struct.pack("!H", _checksum(pseudo + message)) + message[4:]
    ethernet = b"\x33\x33" + group[-4:] + mac + struct.pack("!H", ETH_P_IPV6)
    return ethernet + struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, 255) + source + group + message


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _claim_filter(ip: bytes) -> List[List[int]]:
    """Return a BPF program that passes only frames that claim ``ip``, so that a busy network does not wake us."""
    if len(ip) == 4:
        wanted = [(LOAD_WORD, 28, ip)]
    else:
        wanted = [(LOAD_BYTE, 20, bytes([ICMPV6])), (LOAD_BYTE, 54, bytes([NEIGHBOUR_ADVERTISEMENT]))]
        wanted += [(LOAD_WORD, 62 + at, ip[at : at + 4]) for at in (0, 4, 8, 12)]
    program: List[List[int]] = []
    for position, (load, offset, value) in enumerate(wanted):
        to_drop = 2 * (len(wanted) - position) - 1
        program += [[load, 0, 0, offset], [JUMP_IF_EQUAL, 0, to_drop, int.from_bytes(value, "big")]]
    return program + [[RETURN, 0, 0, 0xFFFF], [RETURN, 0, 0, 0]]


def _attach(target: socket.socket, program: List[List[int]]) -> None:
    code = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in program))
    address, _length = code.buffer_info()
    target.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(program), address))
