# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner "systemd": each server, and the guard, is a unit of its own, so that they outlive the guest and are hemmed in by themselves.

The units are transient: a host that starts has none of them, and none writes before the guest knows whether it may. What systemd itself
ends, such as when the host is shut down, it kills at once. The guest did not close it first, and what a server that shuts down tells those
who wait for an acknowledgement is nothing to rely on.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import List, Sequence

from .runner import Processes, Program, environment, identity, reason, run
from .trouble import Trouble

ANSWER = 30.0  # seconds for systemd to begin something
LOOK = 0.5  # seconds between looks at a unit that is waited for
NOT_LOADED = 5  # exit status of systemctl for a unit that nobody knows
WORK = "baton-guest-work.service"
LIMITS = ("LimitNOFILE=32768", "LimitMEMLOCK=512M", "TasksMax=infinity", "OOMScoreAdjust=-600")  # memory for io_uring
HEMMED_IN = (
    "ProtectSystem=strict", "ProtectHome=read-only", "PrivateDevices=yes", "NoNewPrivileges=yes", "RestrictSUIDSGID=yes",
    "ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectControlGroups=yes", "ProtectClock=yes",
    "ProtectHostname=yes", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "RestrictNamespaces=yes", "RestrictRealtime=yes",
    "LockPersonality=yes", "SystemCallArchitectures=native", "UMask=0077",
)  # fmt: skip


class Systemd(Processes):
    """Finds processes, and signals to them, as Processes does; only who begins them differs. ``folder``: where what WORK said is kept."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._said = folder / "work.log"

    def _start(self, program: Program) -> None:
        unit = unit_of(program)
        _clear(unit)
        try:
            run([*_begin(unit), "--service-type=exec", *_properties(program), "--", *program.argv], seconds=ANSWER)
        except Trouble as trouble:
            raise Trouble(f"{program.argv[0]} can't be started as {unit}: {trouble}") from None

    def do(self, argv: Sequence[str], seconds: float) -> str:
        """Run it as a unit, since we may not write where it does; systemd returns once that has ended."""
        end = time.monotonic() + seconds
        while _is_busy(WORK):  # of a life before this one; packages that are broken off must be mended by hand
            if time.monotonic() > end:
                raise Trouble(f"{WORK} has not ended in {seconds:g} s: look at it with systemctl status")
            time.sleep(LOOK)
        self._said.write_bytes(b"")
        properties = ["TimeoutStartSec=infinity", f"StandardOutput=append:{self._said}", f"StandardError=append:{self._said}"]
        try:
            run([*_begin(WORK), "--service-type=oneshot", *_options(properties), "--", *argv], seconds=seconds)
        except Trouble as trouble:
            if _is_busy(WORK):
                raise Trouble(f"{WORK} has not ended in {seconds:g} s, and goes on: look at it with systemctl status") from None
            output = self._said.read_text(errors="replace")
            raise Trouble(reason(output) if output.strip() else str(trouble)) from None
        return self._said.read_text(errors="replace")


def unit_of(program: Program) -> str:
    """Return the name of the unit that runs a program."""
    return f"baton-server-{program.name}.service" if program.user else f"baton-guest-{program.name}.service"


def _begin(unit: str) -> List[str]:
    return ["systemd-run", "--quiet", "--collect", f"--unit={unit}"]


def _options(properties: Sequence[str]) -> List[str]:
    return [f"--property={each}" for each in properties]


def _properties(program: Program) -> List[str]:
    properties = [f"WorkingDirectory={program.folder}", f"Description=baton-guest: {program.name}"]
    if program.log:
        properties += [f"StandardOutput=append:{program.log}", f"StandardError=append:{program.log}"]
    if program.tools:
        properties.append(f"Environment=PATH={environment(program.tools)['PATH']}")
    if not program.user:
        return _options([*properties, "OOMScoreAdjust=-900", "TimeoutStopSec=30"])  # the guard sees to the end of all leases
    identity(program.user)  # Trouble where there is none, and what to do
    properties += [f"User={program.user}", "CapabilityBoundingSet=", "KillSignal=SIGKILL", *LIMITS, *HEMMED_IN]
    return _options([*properties, *(f"ReadWritePaths={path}" for path in (program.folder, *program.writes))])


def _clear(unit: str) -> None:
    """End what is left of a unit: of a server that is gone its last moments, which systemd has not seen to yet."""
    try:
        run(["systemctl", "stop", unit], seconds=ANSWER, good=(0, NOT_LOADED))
    except Trouble as trouble:
        raise Trouble(f"systemd can't end {unit}: {trouble}") from None


def _is_busy(unit: str) -> bool:
    return run(["systemctl", "show", "--property=ActiveState", "--value", unit], seconds=ANSWER).strip() in ("active", "activating")
