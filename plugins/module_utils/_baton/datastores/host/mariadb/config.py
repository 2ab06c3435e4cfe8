# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one MariaDB server: where they lie, what stands in my.cnf, and the set's certificate.

All servers of a set have the same settings. Each is read-only at rest: nothing in a file makes one writable, or has one ask for
acknowledgements or give them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, FrozenSet, List, Mapping, Optional

from .. import files
from ..files import ROOT, write
from ..trouble import Trouble

GIVES_UP = "Aborting"
DEFAULT_RAM = 512  # MB
YEAR_MS = 365 * 24 * 3600 * 1000

# Each of a set's servers must have these, so that nobody may set them. A commit waits for an acknowledgement after it has been done here
# (AFTER_COMMIT). With AFTER_SYNC one session waits for a whole group of commits, and if it is killed, by its own client for one, the
# commits of all others in the group return although nobody has acknowledged them.
FIXED: Dict[str, object] = {
    "gtid-domain-id": 1,
    "gtid-strict-mode": "ON",
    "read-only": "ON",
    "log-bin": "bin",
    "log-bin-index": "bin.index",
    "relay-log": "relay",
    "log-slave-updates": "ON",
    "binlog-format": "ROW",
    "sync-binlog": 1,
    "innodb-flush-log-at-trx-commit": 1,
    "sync-relay-log": 1,
    "skip-name-resolve": "ON",
    "skip-slave-start": "ON",
    "rpl-semi-sync-master-enabled": "OFF",
    "rpl-semi-sync-slave-enabled": "OFF",
    "rpl-semi-sync-master-wait-point": "AFTER_COMMIT",
    "rpl-semi-sync-master-wait-no-slave": "ON",
    "rpl-semi-sync-master-timeout": YEAR_MS,
    "slave-net-timeout": 10,
    "rpl-semi-sync-slave-kill-conn-timeout": 1,  # for so long a replica that is sealed tries to tell a frozen source; 0 is for ever
}
BEFORE_NAMES = ("loose-", "skip-", "enable-", "disable-", "maximum-", "autoset-")
OURS = {
    *FIXED, "server-id", "datadir", "socket", "pid-file", "bind-address", "port", "report-host", "report-port", "log-error",
    "ssl-ca", "ssl-cert", "ssl-key", "user", "tmpdir", "plugin-load", "plugin-load-add", "init-file", "plugin-dir", "basedir",
}  # fmt: skip


class Files(files.Files):
    """Of one instance. ``tools``: a folder of programs that the server finds before all others; ``ours``: what no configuration sets."""

    server_user = "mysql"
    begins = "as process"
    tools: Optional[Path] = None
    ours: FrozenSet[str] = frozenset(OURS)

    def __init__(self, folder: Path, instance: str, user: str = "") -> None:
        super().__init__(folder, instance, user)
        self.settings = folder / "my.cnf"
        self.socket, self.pid_file = self.run / "sock", self.run / "pid"

    def write(self, spec: Mapping[str, Any]) -> None:
        """Write the settings and the certificate."""
        super().write(spec)
        self.write_settings(spec)

    def write_settings(self, spec: Mapping[str, Any]) -> None:
        """Write my.cnf, unless it says that already: a server is to start whose disk is full."""
        text = self.text(spec)
        if not self.settings.exists() or self.settings.read_text(encoding="utf-8") != text:
            write(self.settings, text)
        self.own(self.settings, 0o600)

    def text(self, spec: Mapping[str, Any]) -> str:
        """Return what my.cnf says."""
        own: Dict[str, object] = {
            **sizes(spec),
            **self._parameters(spec.get("parameters") or {}),
            **self.fixed(spec),
            "server-id": int(spec["server_id"]),
            "datadir": self.data,
            "socket": self.socket,
            "tmpdir": self.tmp,
            "pid-file": self.pid_file,
            "log-error": self.log,
            "bind-address": spec["address"],
            "port": int(spec["port"]),
            "ssl-ca": self.certificate,
            "ssl-cert": self.certificate,
            "ssl-key": self.key,
            **({"user": self.user} if self.user == ROOT else {}),  # which a server refuses to be unless it is told
        }
        lines: List[str] = ["# Written by baton-guest, and written again whenever it changes something.", "[mariadbd]"]
        return "\n".join([*lines, *(f"{key} = {_value(key, value)}" for key, value in own.items()), ""])

    def fixed(self, spec: Mapping[str, Any]) -> Dict[str, object]:
        """Return what a server must have, whatever people want, to be one of its set."""
        return {**FIXED, "report-host": spec["address"], "report-port": int(spec["port"])}

    def _parameters(self, parameters: Mapping[str, Any]) -> Dict[str, object]:
        """Return what a configuration sets, by the names that my.cnf has."""
        named = {str(key).replace("_", "-").lower(): value for key, value in parameters.items()}
        ours = sorted(name for name in named if self._is_of_ours(name))
        if ours:
            raise Trouble(f"{', '.join(ours)}: what sets of servers depend on can't be set by a configuration")
        return named

    def _is_of_ours(self, name: str) -> bool:
        """Whether a server takes a name for one of ours: it knows names by their beginning, too, and some words before them."""
        bare = name
        while bare.startswith(BEFORE_NAMES):
            bare = bare.partition("-")[2]
        return bare != name or any(our.startswith(name) for our in self.ours) or self.is_closed(name)

    def is_closed(self, _name: str) -> bool:
        """Whether a name is one of a kind of which no configuration sets any but those that are known."""
        return False

    def last_error(self) -> str:
        """Return the last error in the server's log, "" if there is none."""
        return next(reversed(errors(self.said())), "")


def errors(lines: List[str]) -> List[str]:
    """Return the errors among lines of a log. Some have no mark, and stand before the word that the server gives up."""
    marked = [line.partition("[ERROR]")[2].strip() for line in lines if "[ERROR]" in line]
    found = [line for line in marked if line != GIVES_UP]
    before = next((number for number, line in enumerate(lines) if line.endswith(GIVES_UP)), 0)
    return found or lines[max(0, before - 1) : before]


def sizes(spec: Mapping[str, Any]) -> Dict[str, object]:
    """Return the sizes that fit what the flavor gives; a configuration may say others."""
    flavor = spec.get("flavor")
    ram = int((flavor.get("ram") if isinstance(flavor, Mapping) else 0) or DEFAULT_RAM)
    connections = max(50, min(1000, ram // 4))
    return {
        "innodb-buffer-pool-size": f"{max(16, ram // 2)}M",
        "innodb-log-file-size": f"{max(16, min(1024, ram // 8))}M",
        "key-buffer-size": "1M",
        "aria-pagecache-buffer-size": f"{max(4, min(128, ram // 16))}M",
        "performance-schema": "OFF",
        "max-connections": connections,
        "max-user-connections": connections - 20,  # so that replicas, and the guest, always get in
        "max-binlog-size": "128M",
        "binlog-expire-logs-seconds": 3 * 24 * 3600,
        "log-warnings": 1,
        "character-set-server": "utf8mb4",
    }


def _value(key: str, value: object) -> str:
    """Return how a value stands in my.cnf; nothing of it may begin another line, or be read as a comment."""
    if not key.replace("-", "").isalnum() or not key.isascii():
        raise Trouble(f"{key[:60]!r} is no name of a parameter")
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    text = str(value)
    if any(ord(letter) < 32 for letter in text) or '"' in text or "\\" in text:
        raise Trouble(f"the value of {key} has letters that can't stand in my.cnf")
    return f'"{text}"' if isinstance(value, str) else text
