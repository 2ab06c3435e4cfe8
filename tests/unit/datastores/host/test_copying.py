# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream from host to host: all of it or nothing, and to nobody but the set."""

import contextlib
import io
import os
import socket
import ssl
import threading

import pytest

from baton.datastores.host import copying
from baton.datastores.host.trouble import Trouble
from support.mariadb import secrets


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """Contexts by whose they are, for the server's side or the client's."""
    made = {}
    for name in ("ours", "theirs"):
        folder, pair = tmp_path_factory.mktemp(name), secrets()
        for part in ("certificate", "key"):
            (folder / part).write_text(pair[part])
        made[name] = [copying.context(server, folder / "certificate", folder / "key") for server in (False, True)]
    return made


class Receiver:
    """Takes a copy for m2 in a thread."""

    def __init__(self, tls, stands=lambda: True):
        self.sink, self.problem = io.BytesIO(), None
        self.listener = copying.listen("127.0.1.1", 0)
        self.port = self.listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=(tls, stands), daemon=True)
        self._thread.start()

    def _run(self, tls, stands):
        try:
            with self.listener, copying.accept(self.listener, tls, "m2", stands) as wire:
                copying.take(wire, self.sink)
                wire.put_line({"problem": ""})
        except Trouble as trouble:
            self.problem = str(trouble)

    def ended(self):
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.sink.getvalue()


def pipe(data):
    """Return the end of a pipe from which ``data`` comes."""
    read, write = os.pipe()

    def fill():
        with os.fdopen(write, "wb") as file:
            file.write(data)

    threading.Thread(target=fill, daemon=True).start()
    return os.fdopen(read, "rb")


def always():
    return True


def test_all_comes_as_it_was_sent(tls):
    data = os.urandom(3_000_001)
    receiver = Receiver(tls["ours"][1])
    with copying.connect("127.0.1.1", receiver.port, tls["ours"][0], "m2", always) as wire, pipe(data) as source:
        copying.give(wire, source, always)
        copying.finish(wire, 20)
    assert receiver.ended() == data and receiver.problem is None


def test_a_sender_that_breaks_off_is_not_taken_for_one_that_has_finished(tls):
    receiver = Receiver(tls["ours"][1])
    with copying.connect("127.0.1.1", receiver.port, tls["ours"][0], "m2", always) as wire, pipe(b"half") as source:
        copying.give(wire, source, always)
    receiver.ended()
    assert "broke off" in receiver.problem


def test_strangers_are_sent_away_and_the_set_is_served_after_them(tls):
    receiver = Receiver(tls["ours"][1])
    where = ("127.0.1.1", receiver.port)
    with socket.create_connection(where) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        plain.settimeout(20)
        with contextlib.suppress(ConnectionError):
            assert not plain.recv(1000).startswith(b"HTTP")
    without = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    without.check_hostname, without.verify_mode = False, ssl.CERT_NONE
    for context in (without, tls["theirs"][0]):
        with pytest.raises(Trouble):
            copying.connect(*where, context, "m2", always)
    with pytest.raises(Trouble, match="here is m2"):
        copying.connect(*where, tls["ours"][0], "m3", always)
    with copying.connect(*where, tls["ours"][0], "m2", always) as wire:
        copying.finish(wire, 20)
    assert receiver.ended() == b"" and receiver.problem is None


def test_a_receiver_without_the_set_s_certificate_is_given_nothing(tls):
    wanted = [True]
    receiver = Receiver(tls["theirs"][1], lambda: wanted[0])
    with pytest.raises(Trouble, match="has not the set's certificate"):
        copying.connect("127.0.1.1", receiver.port, tls["ours"][0], "m2", always)
    wanted[0] = False
    receiver.ended()
    assert receiver.problem == "it is taken back"


def test_a_piece_that_is_too_long_is_no_copy(tls):
    receiver = Receiver(tls["ours"][1])
    with copying.connect("127.0.1.1", receiver.port, tls["ours"][0], "m2", always) as wire:
        wire.put(copying.LENGTH.pack(copying.PIECE + 1))
        receiver.ended()
    assert "what is no copy" in receiver.problem


def test_who_is_not_wanted_any_more_gives_up(tls):
    wanted = [True]
    receiver = Receiver(tls["ours"][1], lambda: wanted[0])
    with copying.connect("127.0.1.1", receiver.port, tls["ours"][0], "m2", always):
        wanted[0] = False
        receiver.ended()
    assert receiver.problem == "it is taken back"
    with pytest.raises(Trouble, match="it is taken back"):
        copying.connect("127.0.1.1", 1, tls["ours"][0], "m2", lambda: False)


def test_a_port_that_is_taken_is_said():
    with copying.listen("127.0.1.1", 0) as taken:
        with pytest.raises(Trouble, match="free the port"):
            copying.listen("127.0.1.1", taken.getsockname()[1])
