# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaking with a Valkey or Redis server: through its socket, or with another one of the set over TLS.

Little of the protocol (RESP 2) is needed. The client of the registry can't take a copy of the data as a replica does, and would be one
more package on each pool host.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple, Union

from .. import copying
from ..trouble import ServerTrouble

ANSWER = 0.9  # seconds in which a server answers that is well
PIECE = 1 << 18
LONGEST_LINE = 65536
REFUSED = ("WRONGPASS", "NOAUTH", "NOPERM")
BEING_READ = "LOADING"  # what a server answers while it reads its data
FULL = "max number of clients"
Word = Union[str, bytes, int]
Value = Union[None, int, bytes, List["Value"]]


class ValkeyTrouble(ServerTrouble):
    """``code``: the first word of what a server answered, "" if it did not get to say anything."""

    def __init__(self, line: str, code: str = "") -> None:
        super().__init__(line)
        self.code = code

    @property
    def silent(self) -> bool:
        return self.code in ("", BEING_READ)

    @property
    def refused(self) -> bool:
        return self.code in REFUSED


class Session:
    """A connection as a user; closed at the end of a ``with``."""

    def __init__(self, wire: socket.socket, user: str, password: str, timeout: float) -> None:
        self._wire, self._rest = wire, b""
        try:
            wire.settimeout(timeout)
            self.ask("AUTH", user, password)
        except ValkeyTrouble:
            wire.close()
            raise

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._wire.close()

    # --- questions ----------------------------------------------------------------------------------------------------------

    def ask(self, *words: Word) -> Value:
        """Return what a command is answered; ValkeyTrouble says what came of it."""
        self._send(words)
        return self._answer()

    def at_once(self, *commands: Tuple[Word, ...]) -> List[Value]:
        """Have several commands done with nothing of anybody else's between them. All are, unless one of them is none."""
        self._send(("MULTI",), *commands, ("EXEC",))
        answers: List[Union[Value, ValkeyTrouble]] = []
        for _command in range(len(commands) + 2):
            try:
                answers.append(self._answer())
            except ValkeyTrouble as trouble:
                if not trouble.code:
                    raise
                answers.append(trouble)
        failed = [answer for answer in answers if isinstance(answer, ValkeyTrouble)]
        if failed:
            raise failed[0]
        last = answers[-1]
        return last if isinstance(last, list) else []

    def number(self, *words: Word) -> int:
        found = self.ask(*words)
        return found if isinstance(found, int) else 0

    def texts(self, *words: Word) -> List[str]:
        """Return a list of texts that a command is answered."""
        found = self.ask(*words)
        return [text(each) for each in found] if isinstance(found, list) else []

    def info(self, section: str) -> Dict[str, str]:
        lines = text(self.ask("INFO", section)).splitlines()
        return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}

    def copy(self, seconds: float) -> Iterator[bytes]:
        """Return the data as it is, as a file that a server starts with, and where its history stands. ``seconds``: of silence, at most.

        Who asks so is never sent anything else, and so acknowledges nothing.
        """
        self.ask("REPLCONF", "rdb-only", "1")
        self._wire.settimeout(seconds)
        self._send(("SYNC",))
        line = b""
        while not line:  # it says nothing but the end of a line until it has it
            line = self._line()
        if not line.startswith(b"$"):
            raise ValkeyTrouble(f"it gives no copy: {line[1:].decode('utf-8', 'replace')}", "ERR")
        left = int(line[1:])
        while left:
            piece = self._some(min(left, PIECE))
            left -= len(piece)
            yield piece

    # --- the wire -----------------------------------------------------------------------------------------------------------

    def _send(self, *commands: Tuple[Word, ...]) -> None:
        parts: List[bytes] = []
        for words in commands:
            parts.append(b"*%d\r\n" % len(words))
            for word in words:
                data = word if isinstance(word, bytes) else str(word).encode()
                parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        try:
            self._wire.sendall(b"".join(parts))
        except OSError as error:
            raise ValkeyTrouble(f"it does not listen: {error}") from None

    def _some(self, most: int) -> bytes:
        if not self._rest:
            try:
                self._rest = self._wire.recv(PIECE)
            except OSError as error:
                raise ValkeyTrouble(f"it does not answer: {error}") from None
            if not self._rest:
                raise ValkeyTrouble("it has ended the connection")
        piece, self._rest = self._rest[:most], self._rest[most:]
        return piece

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            piece = self._some(PIECE)
            before, end, after = piece.partition(b"\n")
            line, self._rest = line + before + end, after + self._rest
            if len(line) > LONGEST_LINE:
                raise ValkeyTrouble("it says what is none of its protocol")
        return line.rstrip(b"\r\n")

    def _answer(self) -> Value:
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            said = rest.decode("utf-8", "replace")
            raise ValkeyTrouble(said, said.partition(" ")[0])
        if kind not in (b":", b"$", b"*"):
            raise ValkeyTrouble("it says what is none of its protocol")
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if kind == b"*":
            return [self._answer() for _each in range(number)]
        data = b""
        while len(data) < number + 2:
            data += self._some(number + 2 - len(data))
        return data[:-2]


def local(path: Path, user: str, password: str, timeout: float = ANSWER) -> Session:
    """Connect through the socket."""
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        wire.settimeout(timeout)
        wire.connect(str(path))
    except OSError as error:
        wire.close()
        raise ValkeyTrouble(f"it does not answer: {error}") from None
    return Session(wire, user, password, timeout)


def remote(where: Tuple[str, int], user: str, password: str, files: Tuple[Path, Path], timeout: float = ANSWER) -> Session:
    """Connect to a server of the same set, over TLS: each shows the set's certificate. ``files``: with that, and its key."""
    tls = copying.context(False, *files)
    plain: Optional[socket.socket] = None
    try:
        plain = socket.create_connection(where, timeout)
        wire = tls.wrap_socket(plain)
    except OSError as error:
        if plain is not None:
            plain.close()
        raise ValkeyTrouble(f"it does not answer: {error}") from None
    return Session(wire, user, password, timeout)


def text(value: Value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)
