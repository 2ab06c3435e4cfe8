# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One stream of bytes from one pool host to another, over TLS, both sides with the certificate of the same set.

What travels: a line of JSON that says for whom it is; then pieces, each after its length; a length of 0 ends what is whole, so that a
sender that broke off is not taken for one that has finished. The receiver answers twice with a line of JSON: ``problem``, "" if it is the
right one, and at the end if it has used what came. ``Broken`` is what neither of them can help; what one of both says is Trouble.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import struct
import time
from functools import partial
from pathlib import Path
from typing import IO, Any, Callable, Dict, Optional

from .sends import Sending
from .trouble import Broken, Trouble

PIECE = 1 << 18
LOOK = 0.1  # seconds between looks whether it is wanted still
CONNECTS_WITHIN = 60.0
ANSWERS_WITHIN = 20.0
SILENT_FOR = 300.0  # seconds without a byte after which the other side is given up
LONGEST_LINE = 4096
LENGTH = struct.Struct("!I")
Stands = Callable[[], bool]


def context(server: bool, certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context that shows the set's certificate, and takes it alone; the names in it do not matter."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if not server:
        made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | 0x80000  # X509_V_FLAG_PARTIAL_CHAIN: what we trust need not be a CA
    try:
        made.load_cert_chain(certificate, key)
        made.load_verify_locations(certificate)
    except OSError as error:
        raise Trouble(f"{certificate} can't be used: {error}") from None
    return made


class Wire:
    """A connection, given up when ``stands`` says that nobody wants it any more, or when the other side is silent for long."""

    def __init__(self, connection: ssl.SSLSocket, stands: Stands) -> None:
        self._connection, self._stands = connection, stands
        connection.settimeout(LOOK)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def _tirelessly(self, act: Callable[[], Any], seconds: float = SILENT_FOR) -> Any:
        end = time.monotonic() + seconds
        while True:
            try:
                return act()
            except (socket.timeout, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError as error:
                raise Broken(f"the copy broke off: {error}") from None
            if not self._stands():
                raise Trouble("it is taken back")
            if time.monotonic() > end:
                raise Broken(f"the copy broke off: the other side was silent for {seconds:g} s")

    def put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._tirelessly(partial(self._connection.send, left)) :]

    def get(self, many: int) -> bytes:
        """Return so many bytes; Trouble if the other side ends before."""
        parts = bytearray()
        while len(parts) < many:
            part = self._tirelessly(partial(self._connection.recv, many - len(parts)))
            if not part:
                raise Broken("the copy broke off: the other side has ended, and says why")
            parts += part
        return bytes(parts)

    def put_line(self, value: Dict[str, Any]) -> None:
        self.put(json.dumps(value).encode() + b"\n")

    def get_line(self, seconds: float = SILENT_FOR) -> Dict[str, Any]:
        line = bytearray()
        end = time.monotonic() + seconds
        while not line.endswith(b"\n"):
            part = self._tirelessly(partial(self._connection.recv, 1), max(LOOK, end - time.monotonic()))
            if not part or len(line) > LONGEST_LINE:
                raise Broken("the copy broke off: the other side has ended, and says why")
            line += part
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Broken("the copy broke off: the other side says what is no JSON")
        return value


# --- the receiver -------------------------------------------------------------------------------------------------------------


def listen(address: str, port: int) -> socket.socket:
    """Listen where a copy is to come; Trouble where that can't be."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(4)
        listener.settimeout(LOOK)
    except OSError as error:
        listener.close()
        raise Trouble(f"no copy can come to {address} port {port} ({error.strerror}): free the port") from None
    return listener


def accept(listener: socket.socket, tls: ssl.SSLContext, name: str, stands: Stands) -> Wire:
    """Return the connection of whoever has the set's certificate and a copy for us. Anybody else is sent away."""
    while stands():
        try:
            connection, _address = listener.accept()
        except socket.timeout:
            continue
        connection.settimeout(10.0)
        try:
            wire = Wire(tls.wrap_socket(connection, server_side=True), stands)
        except OSError:  # one of another set, or none of ours
            connection.close()
            continue
        try:
            is_ours = wire.get_line(10.0).get("to") == name
            wire.put_line({"problem": "" if is_ours else f"here is {name}"})
            if is_ours:
                return wire
        except Trouble:
            pass
        wire.close()
    raise Trouble("it is taken back")


def take(wire: Wire, sink: IO[bytes]) -> None:
    """Write into ``sink`` all that comes, to its end."""
    while True:
        (length,) = LENGTH.unpack(wire.get(LENGTH.size))
        if length == 0:
            return
        if length > PIECE:
            raise Trouble("the copy broke off: the other side sends what is no copy")
        try:
            sink.write(wire.get(length))
        except OSError as error:
            raise Trouble(f"the copy can't be unpacked: {error.strerror}") from None


# --- the sender ---------------------------------------------------------------------------------------------------------------


def connect(address: str, port: int, tls: ssl.SSLContext, name: str, stands: Stands) -> Wire:
    """Return a connection to who waits for a copy; it may not listen yet."""
    end = time.monotonic() + CONNECTS_WITHIN
    error: Optional[OSError] = None
    while stands():
        if time.monotonic() > end:
            raise Broken(f"{name} at {address} port {port} takes no copy: {error}; see that its host can be reached there")
        try:
            connection = socket.create_connection((address, port), timeout=2.0)
        except OSError as refused:
            error = refused
            time.sleep(0.1)
            continue
        try:
            connection.settimeout(10.0)
            wire = Wire(tls.wrap_socket(connection), stands)
        except ssl.SSLError as refused:
            connection.close()
            raise Trouble(f"{name} at {address} port {port} has not the set's certificate: {refused}") from None
        except OSError as refused:
            connection.close()
            error = refused
            continue
        try:
            wire.put_line({"to": name})
            _see(wire, ANSWERS_WITHIN)
            return wire
        except Trouble:
            wire.close()
            raise
    raise Trouble("it is taken back")


def give(wire: Wire, source: IO[bytes], stands: Stands, sending: Optional[Sending] = None) -> None:
    """Send all of ``source``, a pipe, up to its end, as fast as ``sending`` lets it; ``finish`` says that this is all."""
    while True:
        ready = select.select([source], [], [], LOOK)[0]
        if not stands():
            raise Trouble("it is taken back")
        if not ready:
            continue
        piece = source.read1(PIECE)  # type: ignore[attr-defined]
        if not piece:
            return
        if sending is not None:
            sending.wait(len(piece), stands)
        wire.put(LENGTH.pack(len(piece)) + piece)


def finish(wire: Wire, seconds: float) -> None:
    """Say that what was sent is whole, and wait until the other side has used it; Trouble says why it has not."""
    wire.put(LENGTH.pack(0))
    _see(wire, seconds)


def _see(wire: Wire, seconds: float) -> None:
    """Read an answer; Trouble if it is a problem."""
    problem = wire.get_line(seconds).get("problem")
    if problem:
        raise Trouble(str(problem))
