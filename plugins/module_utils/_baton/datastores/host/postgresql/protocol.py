# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's protocol, version 3, as far as a guest speaks it: statements without parameters, and replication commands.

Debian 12's libraries for it know no deadline (psycopg2), or neither SCRAM nor the commands of replication (pg8000 1.10).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import socket
import ssl
import struct
import time
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ...model.passwords import scram_keys

VERSION, TLS_REQUEST = 196608, 80877103
MOST_MESSAGE = 64 << 20  # bytes; nothing that a guest asks for is as long
MOST_ITERATIONS = 1 << 20
MECHANISM = b"SCRAM-SHA-256"
Row = Dict[str, Optional[str]]


class Said(NamedTuple):
    """An error or a notice: ``code`` is its SQLSTATE."""

    code: str
    text: str


class Refused(Exception):
    """The server said no."""

    def __init__(self, said: Said) -> None:
        super().__init__(said.text)
        self.said = said


class Connection:
    """One connection. Refused says what the server says; OSError (a timeout, too) and ValueError: it is of no use any more."""

    def __init__(
        self, wire: socket.socket, options: Mapping[str, str], password: str, seconds: float, tls: Optional[ssl.SSLContext]
    ) -> None:
        self._wire, self._seconds, self._end, self._buffer = wire, seconds, time.monotonic() + seconds, bytearray()
        self.notices: List[Said] = []
        self.pid = 0
        if tls is not None:
            self._encrypt(tls)
        words = b"".join(key.encode() + b"\0" + value.encode() + b"\0" for key, value in options.items())
        self._send(b"", struct.pack("!I", VERSION) + words + b"\0")
        self._enter(password)

    def close(self) -> None:
        try:
            self._wire.settimeout(0.1)
            self._wire.sendall(b"X\0\0\0\4")
        except OSError:
            pass
        finally:
            self._wire.close()

    def ask(self, statement: str) -> List[Row]:
        """Run it, and return the rows of the last one that has some. Several statements are one transaction."""
        self._end = time.monotonic() + self._seconds
        self.notices = []
        self._send(b"Q", statement.encode() + b"\0")
        names: List[str] = []
        rows: List[Row] = []
        error: Optional[Said] = None
        while True:
            kind, body = self._receive(error)
            if kind == b"T":
                names, rows = _names(body), []
            elif kind == b"D":
                rows.append(dict(zip(names, _values(body))))
            elif kind == b"E":
                error = _said(body)
            elif kind == b"G":
                raise ValueError("it wants data that nobody has")
            elif kind == b"Z":
                if error is not None:
                    raise Refused(error)
                return rows

    # --- the beginning ----------------------------------------------------------------------------------------------------

    def _encrypt(self, tls: ssl.SSLContext) -> None:
        self._send(b"", struct.pack("!I", TLS_REQUEST))
        if self._read(1) != b"S":
            raise ValueError("it speaks no TLS")
        self._wire.settimeout(self._left())
        self._wire = tls.wrap_socket(self._wire)

    def _enter(self, password: str) -> None:
        proof: Optional[_Scram] = None
        while True:
            kind, body = self._receive(None)
            if kind == b"E":
                raise Refused(_said(body))
            if kind == b"K":
                (self.pid,) = struct.unpack_from("!i", body)
            elif kind == b"Z":
                return
            elif kind == b"R":
                (what,) = struct.unpack_from("!i", body)
                proof = self._prove(what, body[4:], proof, password)

    def _prove(self, what: int, body: bytes, proof: Optional["_Scram"], password: str) -> Optional["_Scram"]:
        """Say who we are, as it is asked for: 0 is enough, 10 to 12 are SCRAM's."""
        if what == 10 and MECHANISM in body.split(b"\0") and password:
            proof = _Scram(password)
            self._send(b"p", MECHANISM + b"\0" + struct.pack("!i", len(proof.first)) + proof.first)
        elif what == 11 and proof is not None:
            self._send(b"p", proof.last(body))
        elif what == 12 and proof is not None:
            proof.check(body)
        elif what == 0 and (proof is None or proof.checked):
            pass
        else:
            raise ValueError(f"it asks for a proof that we can't give ({what})")
        return proof

    # --- messages -----------------------------------------------------------------------------------------------------------

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise socket.timeout(f"no answer in {self._seconds:g} s")
        return left

    def _send(self, kind: bytes, body: bytes) -> None:
        self._wire.settimeout(self._left())
        self._wire.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def _receive(self, error: Optional[Said]) -> Tuple[bytes, bytes]:
        """Return the next message; notices are put aside. ``error``: what it said before, should it end here."""
        while True:
            try:
                kind, length = self._read(1), struct.unpack("!I", self._read(4))[0]
                if not 4 <= length <= MOST_MESSAGE:
                    raise ValueError("it says what is no message")
                body = self._read(length - 4)
            except OSError:
                if error is not None:
                    raise Refused(error) from None
                raise
            if kind != b"N":
                return kind, body
            self.notices.append(_said(body))

    def _read(self, many: int) -> bytes:
        while len(self._buffer) < many:
            self._wire.settimeout(self._left())
            part = self._wire.recv(65536)
            if not part:
                raise ConnectionResetError("it has ended the connection")
            self._buffer += part
        found = bytes(self._buffer[:many])
        del self._buffer[:many]
        return found


def _names(body: bytes) -> List[str]:
    (many,) = struct.unpack_from("!H", body)
    names, at = [], 2
    for _column in range(many):
        end = body.index(b"\0", at)
        names.append(body[at:end].decode())
        at = end + 19
    return names


def _values(body: bytes) -> List[Optional[str]]:
    (many,) = struct.unpack_from("!H", body)
    values: List[Optional[str]] = []
    at = 2
    for _column in range(many):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        values.append(None if length < 0 else body[at : at + length].decode("utf-8", "replace"))
        at += max(0, length)
    return values


def _said(body: bytes) -> Said:
    fields: Dict[str, str] = {}
    for part in body.split(b"\0"):
        if part:
            fields[part[:1].decode("ascii", "replace")] = part[1:].decode("utf-8", "replace")
    text = fields.get("M", "it says nothing")
    return Said(fields.get("C", ""), f"{text} ({fields['D']})" if fields.get("D") else text)


class _Scram:
    """SCRAM-SHA-256 (RFC 7677), without a binding to the channel: that is pinned to the set's certificate."""

    def __init__(self, password: str) -> None:
        self._password = password
        self._nonce = base64.b64encode(secrets.token_bytes(18)).decode()
        self._bare = f"n=,r={self._nonce}"
        self.first = f"n,,{self._bare}".encode()
        self._server = b""
        self.checked = False

    def last(self, challenge: bytes) -> bytes:
        """Return the answer to the server's challenge."""
        said = _words(challenge)
        nonce, iterations = said.get("r", ""), int(said.get("i", "0"))
        if not nonce.startswith(self._nonce) or not 0 < iterations <= MOST_ITERATIONS:
            raise ValueError("its challenge is none")
        try:
            salt = base64.b64decode(said.get("s", ""), validate=True)
        except binascii.Error:
            raise ValueError("its challenge is none") from None
        client, stored, server = scram_keys(self._password, salt, iterations)
        without = f"c=biws,r={nonce}"
        all_of_it = f"{self._bare},{challenge.decode()},{without}".encode()
        signature = hmac.digest(stored, all_of_it, "sha256")
        self._server = hmac.digest(server, all_of_it, "sha256")
        proof = bytes(one ^ other for one, other in zip(client, signature))
        return f"{without},p={base64.b64encode(proof).decode()}".encode()

    def check(self, final: bytes) -> None:
        """See that the server knows the password, too."""
        said = _words(final).get("v", "")
        if not hmac.compare_digest(said.encode(), base64.b64encode(self._server)):
            raise ValueError("it does not know the password itself")
        self.checked = True


def _words(message: bytes) -> Dict[str, Any]:
    return dict(part.partition("=")[::2] for part in message.decode("ascii", "replace").split(","))
