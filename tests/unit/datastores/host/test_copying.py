# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stream from host to host: all of it or nothing, and to nobody but the set."""

import contextlib
import io
import os
import socket
import ssl
import threading
import time

import pytest

from baton.datastores.host import copying
from baton.datastores.host.sends import Sends
from baton.datastores.host.trouble import Broken, Trouble
from baton.datastores.model.channel import Order
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
        with contextlib.suppress(BrokenPipeError), os.fdopen(write, "wb") as file:
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


def test_a_copy_is_as_fast_as_it_may_be_and_says_how_far_it_is(tls):
    data, sends = os.urandom(1_500_000), Sends()
    receiver = Receiver(tls["ours"][1])
    began = time.monotonic()
    with copying.connect("127.0.1.1", receiver.port, tls["ours"][0], "m2", always) as wire, pipe(data) as source:
        with sends.begin("m1", "m2", 1_000_000.0, 1_000) as sending:
            copying.give(wire, source, always, sending)
            assert sends.of("m1") == {"m2": {"bytes": len(data), "of": len(data)}} and sends.of("m3") == {}
        copying.finish(wire, 20)
    assert receiver.ended() == data and 1.2 < time.monotonic() - began < 10
    assert sends.of("m1") == {}


def test_one_that_waits_hears_of_another_limit_and_of_its_end():
    sends, wanted = Sends(), [True]
    with sends.begin("m1", "m2", 1.0, 0) as sending, sends.begin("m3", "m4", 0.0, 0) as other:
        assert sends.rate(sending) == 1.0 and sends.rate(other) == 0.0
        sends.told([Order("send", "m1", args={"to": "m2", "limit": 9}), Order("send", "m3", args={"to": "m9", "limit": 9})])
        sends.most = 10.0
        assert sends.rate(sending) == sends.rate(other) == 5.0
        wanted[0] = False
        with pytest.raises(Trouble, match="it is taken back"):
            sending.wait(10**9, lambda: wanted[0])


class Line:
    """Between both hosts, until so many bytes have gone to ``port``: then it is cut."""

    def __init__(self, port, cut_after):
        self._listener = socket.create_server(("127.0.1.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, args=(port, cut_after), daemon=True).start()

    def _run(self, port, left):
        with self._listener, self._listener.accept()[0] as here, socket.create_connection(("127.0.1.1", port)) as there:
            threading.Thread(target=self._back, args=(there, here), daemon=True).start()
            while left > 0:
                data = here.recv(1 << 16)
                there.sendall(data)
                left -= len(data)
            for each in (here, there):
                each.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _back(there, here):
        with contextlib.suppress(OSError):
            while data := there.recv(1 << 16):
                here.sendall(data)


def test_both_sides_of_a_line_that_is_cut_say_that_it_broke_off(tls):
    receiver = Receiver(tls["ours"][1])
    line = Line(receiver.port, 1_000_000)
    with copying.connect("127.0.1.1", line.port, tls["ours"][0], "m2", always) as wire, pipe(os.urandom(8_000_000)) as source:
        with pytest.raises(Broken, match="the copy broke off"):
            copying.give(wire, source, always)
    assert len(receiver.ended()) < 8_000_000 and "broke off" in receiver.problem
