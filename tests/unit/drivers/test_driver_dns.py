# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver ``dns``: what nsupdate is told, and with a real nsupdate, what reaches a name server."""

import os
import socket
import struct
import threading

import pytest
from fake_batond import wait_for

from baton.drivers.process import alive

FILE = {"type": "dns", "server": "192.0.2.53", "zone": "example.com", "name": "db.example.com", "addresses": ["192.0.2.9", "2001:db8::9"]}
RECORDER = """#!/bin/sh
echo "$*" > "$RECORDED.arguments"
if [ -e "$RECORDED.hang" ]; then echo $$ > "$RECORDED.pid"; sleep 600; fi
if [ -e "$RECORDED.fail" ]; then echo "update failed: REFUSED" >&2; exit 2; fi
cat >> "$RECORDED"
"""


@pytest.fixture
def nsupdate(tmp_path):
    """An nsupdate that writes down what it is told; returns (environment, path)."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nsupdate").write_text(RECORDER)
    (tmp_path / "bin" / "nsupdate").chmod(0o755)
    recorded = tmp_path / "recorded"
    return {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "RECORDED": str(recorded)}, recorded


def commands(recorded):
    text = recorded.read_text()
    recorded.unlink()
    return text.splitlines()


def test_a_start_replaces_the_records(begin, nsupdate):
    environment, recorded = nsupdate
    _process, connection = begin({**FILE, "key_file": "/etc/baton/dns.key"}, **environment)
    assert not recorded.exists()  # the first order to stop: the records may be the active's
    assert connection.start()["message"] == "db.example.com is 192.0.2.9, 2001:db8::9"
    assert commands(recorded) == [
        "server 192.0.2.53 53",
        "zone example.com",
        "update delete db.example.com. A",
        "update delete db.example.com. AAAA",
        "update add db.example.com. 30 A 192.0.2.9",
        "update add db.example.com. 30 AAAA 2001:db8::9",
        "send",
        "quit",
    ]
    assert recorded.with_suffix(".arguments").read_text() == "-k /etc/baton/dns.key\n"
    assert connection.stop()["ok"]
    assert not recorded.exists()


def test_the_key_is_the_copy_that_systemd_has_made(begin, nsupdate, tmp_path):
    environment, recorded = nsupdate
    (tmp_path / "key_file").write_text("key")
    _process, connection = begin({**FILE, "key_file": "/etc/baton/dns.key"}, CREDENTIALS_DIRECTORY=str(tmp_path), **environment)
    assert connection.start()["ok"]
    assert recorded.with_suffix(".arguments").read_text() == f"-k {tmp_path}/key_file\n"


def test_a_stop_removes_what_was_added_if_it_is_to(begin, nsupdate):
    environment, recorded = nsupdate
    _process, connection = begin({**FILE, "remove": True}, **environment)
    connection.start()
    commands(recorded)
    assert connection.stop()["message"] == "db.example.com is no longer 192.0.2.9, 2001:db8::9"
    assert commands(recorded)[2:4] == ["update delete db.example.com. A 192.0.2.9", "update delete db.example.com. AAAA 2001:db8::9"]


def test_a_refused_update_fails_the_start_and_is_only_a_message_of_a_stop(begin, nsupdate):
    environment, recorded = nsupdate
    _process, connection = begin({**FILE, "remove": True}, **environment)
    recorded.with_suffix(".fail").touch()
    assert connection.start()["message"] == "nsupdate: update failed: REFUSED"
    answer = connection.stop()
    assert (answer["ok"], answer["message"]) == (True, "db.example.com still is 192.0.2.9, 2001:db8::9: nsupdate: update failed: REFUSED")


def test_an_update_does_not_outlive_the_lease(begin, nsupdate):
    environment, recorded = nsupdate
    _process, connection = begin(FILE, **environment)
    recorded.with_suffix(".hang").touch()
    number = connection.order(True)
    pid = int(wait_for(lambda: recorded.with_suffix(".pid").exists() and recorded.with_suffix(".pid").read_text()))
    connection.lease(seconds=0.1)
    assert not connection.answered(number)["ok"]
    assert not alive(pid)


def test_without_nsupdate(begin, tmp_path):
    _process, connection = begin(FILE, PATH=str(tmp_path))
    assert connection.start()["message"] == "nsupdate can't be run: No such file or directory"


# --- a real nsupdate --------------------------------------------------------------------------------------------------------


class NameServer(threading.Thread):
    """Answers every update with NOERROR; ``updates`` are the records of each, as (name, type, class, ttl, data)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.updates = []

    def run(self):
        while True:
            data, peer = self.socket.recvfrom(4096)
            number, flags, _zones, _wanted, count, _more = struct.unpack("!6H", data[:12])
            assert flags >> 11 & 15 == 5  # UPDATE
            offset = _skip_name(data, 12) + 4
            records = []
            for _record in range(count):
                offset = _skip_name(data, offset)
                kind, scope, ttl, length = struct.unpack("!HHIH", data[offset : offset + 10])
                records.append((kind, scope, ttl, data[offset + 10 : offset + 10 + length]))
                offset += 10 + length
            self.updates.append(records)
            self.socket.sendto(struct.pack("!6H", number, 0xA800, 0, 0, 0, 0), peer)


def _skip_name(data, offset):
    while data[offset]:
        if data[offset] >= 0xC0:
            return offset + 2
        offset += data[offset] + 1
    return offset + 1


def test_what_reaches_the_name_server(begin):
    server = NameServer()
    server.start()
    address = {"server": "127.0.0.1", "port": server.socket.getsockname()[1], "remove": True}
    _process, connection = begin({**FILE, **address})
    assert connection.start()["ok"]
    four, six = socket.inet_pton(socket.AF_INET, "192.0.2.9"), socket.inet_pton(socket.AF_INET6, "2001:db8::9")
    assert server.updates == [[(1, 255, 0, b""), (28, 255, 0, b""), (1, 1, 30, four), (28, 1, 30, six)]]
    assert connection.stop()["ok"]
    assert server.updates[1] == [(1, 254, 0, four), (28, 254, 0, six)]
