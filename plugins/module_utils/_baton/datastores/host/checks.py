# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked at before a server is made on this host: that it meets nobody there, and has room."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from .trouble import Trouble

LEAST_ROOM = 512 << 20  # bytes that a server takes before there is anything in it
COPY_PORT = 10000  # above the server's: where it receives a copy
Need = Callable[[str, str], None]  # of a datastore a version; see packages.py


def check_port(address: str, port: int, above: Sequence[int] = (COPY_PORT,)) -> None:
    """Trouble if somebody listens there, or on one of those that a server needs ``above`` it, or the address is not this host's."""
    if not 0 < port <= 65535 - max(above):
        raise Trouble(f"port {port} can't be used: one from 1 to {65535 - max(above)} can")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for number in (port, *(port + more for more in above)):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, number))
                probe.listen(1)
            except OSError as error:
                raise Trouble(f"{address} port {number} can't be used ({error.strerror}): free it, or choose another host") from None


def check_room(folder: Path, volume: Any, room: int) -> None:
    size = volume.get("size") if isinstance(volume, Mapping) else volume
    wanted = max(room, int(size or 0) << 30)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < wanted:
        raise Trouble(f"{there} has {free >> 20} MiB free, and {wanted >> 20} are needed: make room, or choose another host")
