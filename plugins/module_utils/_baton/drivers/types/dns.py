# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver ``dns``: lets a name point to the active, by nsupdate (RFC 2136).

The successor replaces the records, so an update must not arrive late: nsupdate is killed when the lease ends.
"""

from __future__ import annotations

import ipaddress
from typing import List, Optional

from ..built_in import BuiltIn, secret_file
from ..config import Config
from ..process import Groups
from ..session import Failed

TIMEOUT = 10.0  # seconds for an update


class DnsDriver(BuiltIn):
    """A start replaces the A and AAAA records of the name. With ``remove``, a stop removes those that this process has added."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._groups = Groups()
        self._added = False

    async def trigger(self, is_active: bool) -> Optional[str]:
        name, addresses = self.config.members["name"], ", ".join(self.config.members["addresses"])
        if is_active:
            self._added = True
            await self._update(_delete_all(self.config) + _records(self.config, "add"), TIMEOUT)
            return f"{name} is {addresses}"
        if not self._added or not self.config.members["remove"]:
            return None  # the next active replaces them; and they may be its own by now
        try:
            await self._update(_records(self.config, "delete"), max(0.1, min(TIMEOUT, self.remaining() - 0.2)))
        except Failed as failed:
            return f"{name} still is {addresses}: {failed}"  # no reason to kill anything
        self._added = False
        return f"{name} is no longer {addresses}"

    async def _update(self, lines: List[str], timeout: float) -> None:
        members = self.config.members
        command = ["nsupdate", *(["-k", secret_file(self.config, "key_file")] if members["key_file"] else [])]
        feed = [f"server {members['server']} {members['port']}", f"zone {members['zone']}", *lines, "send", "quit", ""]
        ended = await self._groups.run(command, timeout, feed="\n".join(feed), capture=True)
        if ended.status != 0:
            raise Failed(f"nsupdate: {ended.why}")

    def kill(self) -> None:
        self._groups.kill()


def _absolute(config: Config) -> str:
    return str(config.members["name"]).rstrip(".") + "."


def _delete_all(config: Config) -> List[str]:
    return [f"update delete {_absolute(config)} {kind}" for kind in ("A", "AAAA")]


def _records(config: Config, what: str) -> List[str]:
    ttl = f" {config.members['ttl']}" if what == "add" else ""
    kinds = [("A" if ipaddress.ip_address(item).version == 4 else "AAAA", item) for item in config.members["addresses"]]
    return [f"update {what} {_absolute(config)}{ttl} {kind} {address}" for kind, address in kinds]


DRIVER = DnsDriver
