# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A DNS server for the lab: ``dns_server.py ADDRESS NAME=IPV4…`` answers A questions only.

``with dns_on(network, names, *hosts)`` starts it on a host of its own and makes ``hosts`` use it.
"""

import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ADDRESS = "192.0.2.53"
TYPE_A = 1
RECURSION = 0x8180  # this is an answer, recursion was wanted and is there
NO_SUCH_NAME = 3


def answer(question, names):
    """Return the answer to a message with one question."""
    end, labels = 12, []
    while question[end]:
        labels.append(question[end + 1 : end + 1 + question[end]].decode().lower())
        end += 1 + question[end]
    asked = question[12 : end + 5]
    kind = struct.unpack("!H", question[end + 1 : end + 3])[0]
    address = names.get(".".join(labels))
    found = b""
    if address is not None and kind == TYPE_A:
        found = struct.pack("!HHHIH", 0xC00C, TYPE_A, 1, 1, 4) + socket.inet_aton(address)
    flags = RECURSION | (0 if address is not None else NO_SUCH_NAME)
    return question[:2] + struct.pack("!HHHHH", flags, 1, bool(found), 0, 0) + asked + found


def main(address, *pairs):
    names = dict(pair.split("=") for pair in pairs)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    print("ready", flush=True)
    while True:
        question, source = server.recvfrom(512)
        server.sendto(answer(question, names), source)


@contextmanager
def dns_on(network, names, *hosts):
    """Yields the server's process; processes that are started on ``hosts`` from here on ask it."""
    host = network.host("dns", [f"{ADDRESS}/24"])
    pairs = [f"{name}={address}" for name, address in names.items()]
    process = host.popen(sys.executable, __file__, ADDRESS, *pairs, stdin=subprocess.DEVNULL)
    assert process.stdout.readline() == "ready\n"
    folders = [Path("/etc/netns", one.namespace) for one in hosts]  # see ip-netns(8)
    try:
        for folder in folders:
            folder.mkdir(parents=True)
            (folder / "resolv.conf").write_text(f"nameserver {ADDRESS}\n")
        yield process
    finally:
        for folder in folders:
            (folder / "resolv.conf").unlink(missing_ok=True)
            folder.rmdir()


if __name__ == "__main__":
    main(*sys.argv[1:])
