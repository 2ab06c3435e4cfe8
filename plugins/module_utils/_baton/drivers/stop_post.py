# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``batond driver-stop-post FILE``, for ExecStopPost: the driver is dead, and so must be what it manages. Then its marker goes.

systemd runs it when the driver's process has ended. Imports little: a successor waits for the marker to go.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from ..adapters import systemd
from . import leftovers

NOT_LOADED = 5  # exit status of systemctl: there is no such unit
GIVE_UP = 10.0  # seconds for a systemctl


def stop_post(path: Path) -> int:
    """Clean up; return the exit status. FILE may be missing, wrong, or for a driver of the user's own: then only the marker goes."""
    data = _whatever_is_in(path)
    name = path.name[: -len(".json")] if path.name.endswith(".json") else path.name
    # What it has started stands in the note; FILE may have been changed since, or be gone.
    listed = data.get("units") if data.get("type") == "systemd" else None
    left = leftovers.end()  # first: a command that is left might start a unit
    units = list(dict.fromkeys([*noted(name), *(str(unit) for unit in (listed if isinstance(listed, list) else ()))]))
    if units:
        systemd.notify(f"EXTEND_TIMEOUT_USEC={int(4 * GIVE_UP * 1e6)}")  # the unit's own limit is for the driver
        why = _stop(units)
        if why:
            sys.stderr.write(f"batond driver-stop-post: {', '.join(units)} may still run, so the marker stays: {why}\n")
            return 1
        note(name, [])
    if left:
        sys.stderr.write(f"batond driver-stop-post: process {left} outlives SIGKILL, so the marker stays\n")
        return 1
    return _remove(name)


def _note_file(name: str) -> Path:
    folder = os.environ.get("STATE_DIRECTORY", "").split(":")[0] or os.environ.get("BATON_RUN_DIR") or "/run/baton"
    return Path(folder) / f"{name}.units"


def noted(name: str) -> List[str]:
    """Return the units that the driver has started and not stopped."""
    try:
        return _note_file(name).read_text(encoding="utf-8").split()
    except OSError:
        return []


def note(name: str, units: Sequence[str]) -> None:
    """Keep the units that the driver is about to start, or that it has stopped them; OSError."""
    file = _note_file(name)
    if units:
        file.with_suffix(".new").write_text("\n".join(units) + "\n", encoding="utf-8")
        file.with_suffix(".new").replace(file)
    else:
        file.unlink(missing_ok=True)


def kill(units: Sequence[str]) -> None:
    """SIGKILL for all processes of these units."""
    _systemctl("kill", "--signal=KILL", "--", *units)


def _stop(units: Sequence[str]) -> str:
    """Stop units by force; return why they may still run, or ""."""
    _systemctl("stop", "--no-block", "--", *units)  # first, or Restart= would bring them back
    kill(units)
    status, why = _systemctl("stop", "--", *units)
    _systemctl("reset-failed", "--", *units)  # it was us who killed them: nothing for a person to look at
    return "" if status in (0, NOT_LOADED) else why


def _systemctl(*arguments: str) -> Tuple[int, str]:
    try:
        done = subprocess.run(
            ["systemctl", *arguments], timeout=GIVE_UP, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, str(error)
    return done.returncode, (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def _whatever_is_in(path: Path) -> Dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def marker_of(name: str) -> Path:
    """Return where a driver's marker is; a test sees that ``session``, which this does not import, says the same."""
    return Path(os.environ.get("BATON_RUN_DIR") or "/run/baton") / "running" / name


def _remove(name: str) -> int:
    marker = marker_of(name)
    try:
        marker.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno == errno.EPERM:  # batond's own, of a driver that makes none
            sys.stderr.write(f"batond driver-stop-post: {marker} is not ours; batond removes it when the driver has connected again\n")
            return 0
        sys.stderr.write(f"batond driver-stop-post: {marker} can't be removed: {error.strerror}\n")
        return 1
    return 0
