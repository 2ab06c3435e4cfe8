# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which user is at the other end of a Unix socket, as the kernel knows it. Decides nothing."""

from __future__ import annotations

import socket
import struct
from typing import Any, Optional

CREDENTIALS = "iII"  # struct ucred: process, user, group


def user_of(transport: Any) -> Optional[int]:
    """Return the uid with which the other end of asyncio's ``transport`` connected; None over TCP, where nobody knows."""
    found = transport.get_extra_info("socket") if transport is not None else None
    if found is None or found.family != socket.AF_UNIX:
        return None
    data = found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(CREDENTIALS))
    _process, user, _group = struct.unpack(CREDENTIALS, data)
    return int(user)
