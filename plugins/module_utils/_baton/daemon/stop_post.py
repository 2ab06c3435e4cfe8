# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``batond stop-post``, for ExecStopPost: whatever became of daemon and guard, the VIP goes and the other nodes are told.

systemd runs it when nothing of the service is left alive, so what it says of the reign in
DIR/reign.json is true; unless a start was refused beside another batond, which then has the
directory. Imports little: until it is done, nobody has the VIP.
"""
from __future__ import annotations

import os
import sys
from pathlib import Path

from ..adapters.disk import data_lock
from ..adapters.peers import notice
from ..adapters.vip import places as vip_places
from ..adapters.vip import watchdog
from ..ground.problem import Problem

REIGN = "reign.json"
GUARDED = "guarded"  # the VIP of the last start, from when it was found to be none of the host's own addresses
PATIENCE = 0.5  # seconds for a killed daemon to be dead


def _log(text: str) -> None:
    sys.stderr.write(f"batond stop-post: {text}\n")


def _guarded(marker: Path) -> str:
    try:
        return marker.read_text().strip()
    except (OSError, ValueError):
        return ""


def main() -> int:
    """Clean up; return the exit status."""
    reign = Path(os.environ.get("BATON_DATA_DIR", ".")) / REIGN
    held = None
    try:
        held = data_lock.lock(reign.parent, PATIENCE)
    except data_lock.InUse as holder:
        _log(f"{reign.parent} is in use by a batond that runs{holder}: its VIP and its reign stay")
        return 0
    except OSError:
        pass  # without a directory there is no reign in it
    address = os.environ.get("BATON_VIP") or os.environ.get("RS_HA_ADDRESS", "")
    interface = os.environ.get("BATON_INTERFACE") or os.environ.get("RS_HA_INTERFACE", "")
    try:
        if address:
            left = vip_places.remove_now(address, interface, _guarded(reign.with_name(GUARDED)) == address)
            if left:
                _log(f"{', '.join(left)} was here before batond, and stays; nobody is told that the VIP is free")
                return 0
    except (Problem, OSError) as error:
        _log(f"the VIP {address} can't be removed: {error}; nobody is told that it is free")
        return 1
    if os.environ.get("BATON_WATCHDOG"):
        watchdog.calm(os.environ["BATON_WATCHDOG"])
    try:
        said = notice.Notice.from_text(reign.read_text())
        reign.unlink()
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        _log(f"{reign} can't be read: {error}")
        return 0
    if held is not None:
        os.close(held)  # what follows may take its time, and a new process need not wait for it
    notice.send(said, _log)
    return 0
