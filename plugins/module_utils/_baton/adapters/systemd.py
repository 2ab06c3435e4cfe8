# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talking to systemd: READY, STATUS and WATCHDOG over the notify socket. A no-op elsewhere."""
from __future__ import annotations

import os
import socket
from typing import Optional


def notify(text: str) -> None:
    """Send one sd_notify message, such as ``READY=1``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        try:
            connection.sendto(text.encode(), address)
        except OSError:
            return  # systemd went away; there is nobody to tell


def watchdog_period() -> Optional[float]:
    """Return how often WATCHDOG=1 is to be sent (a third of the limit), or None."""
    limit = os.environ.get("WATCHDOG_USEC", "")
    return int(limit) / 3e6 if limit.isdigit() else None
