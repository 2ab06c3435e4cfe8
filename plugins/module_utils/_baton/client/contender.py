# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who contends: one run on one machine. Gives both names that no other run and no other machine has.

Reads what the kernel says of processes and of this machine; asks nobody, changes nothing.
"""
from __future__ import annotations

import hashlib
import ipaddress
import os
import platform
import re
import time
import uuid
from dataclasses import dataclass
from typing import Optional

SAYS_NOTHING = re.compile(r"(localhost|ip6-localhost|ip6-loopback)(\.localdomain|[46]|[46]\.localdomain[46])?\.?", re.IGNORECASE)
MOST_OWNER = 200  # characters that the API takes
MOST_MACHINE = 100


@dataclass(frozen=True)
class Run:
    """One ansible-playbook process. ``started``: clock ticks since boot, None where the kernel does not say."""

    id: str
    pid: int
    started: Optional[int]
    controller: str

    @property
    def label(self) -> str:
        """Return what people call it, such as "run 3f2a1b0c on ctl-2"."""
        return f"run {self.id} on {self.controller[:64]}"

    def owner(self, machine: str) -> str:
        """Return who holds what this run takes for ``machine``, such as "web-1, run 3f2a1b0c on ctl-2"."""
        if len(machine) > MOST_MACHINE:
            machine = f"{machine[: MOST_MACHINE - 9]}~{_digits(machine)}"
        return f"{machine}, {self.label}"

    def age(self) -> Optional[float]:
        """Return the seconds since it began, None where the kernel does not say."""
        if self.started is None:
            return None
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - self.started / os.sysconf("SC_CLK_TCK"))


def run_of(pid: int) -> Run:
    """Return the run whose process is ``pid``. All that tells processes apart is in its id: boot, namespace, pid and start."""
    started = started_at(pid)
    boot = _read("/proc/sys/kernel/random/boot_id") or f"{platform.node()} {uuid.getnode()}"
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return Run(_digits(f"{boot} {space} {pid} {started}"), pid, started, platform.node() or "?")


def started_at(pid: int) -> Optional[int]:
    """Return when a process that runs was started, in clock ticks since boot; None for one that has ended."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[0] not in "ZX" else None


def machine_name(name: str, local: bool, address: str, own: str) -> str:
    """Return a name for a host of the inventory that says which machine it is.

    ``name``: the inventory's. One such as localhost is the same everywhere: ``local`` (no connection), it is this machine, ``own``;
    else what ``address``, its ansible_host, says; where that says nothing either, it is something that this machine can reach.
    """
    if not name or not _says_nothing(name):
        return name
    if local:
        return own
    return address if address and not _says_nothing(address) else f"{name}@{own}"


def this_machine() -> str:
    """Return a name for the machine that this process runs on, such as "web1@3f2a9c1b"; it stays over reboots.

    The machine id is hashed, since it is not to be shown. An image that has none, or a container, has the boot's.
    """
    machine = next((text for text in map(_read, ("/etc/machine-id", "/var/lib/dbus/machine-id")) if len(text) == 32), "")
    identity = machine or _read("/proc/sys/kernel/random/boot_id") or str(uuid.getnode())
    return f"{platform.node() or '?'}@{_digits('baton machine ' + identity)}"


def since(at: float, now: float) -> str:
    """Return a time (unix seconds) as its reader's clock shows it, such as "10:41"; with the date if that is another one."""
    then, today = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)


def _says_nothing(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return SAYS_NOTHING.fullmatch(name) is not None


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(4096).strip()
    except OSError:
        return ""
