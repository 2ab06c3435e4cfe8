# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one Valkey or Redis server: what stands in its configuration, and the users that it begins with.

Each is read-only at rest: it starts as a replica of nobody, and with no users but the guest's. Nothing in a file has a password in it.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Dict, Mapping

from ...model.passwords import sha256
from .. import files
from ..checks import COPY_PORT
from ..files import write
from ..trouble import Trouble

ADMIN = "baton"  # the guest, through the socket
TLS_PORT = COPY_PORT  # above the server's: where replicas come, and whoever else wants TLS
NOBODY = ("127.0.0.1", "1")  # whom a server at rest is a replica of
DEFAULT_RAM = 512  # MB
FATAL = "FATAL CONFIG FILE ERROR"
TELLS_NOTHING = ("WARNING", "Warning", "Error condition", "User requested")  # beginnings of lines that do not say why it ended

# Each of a set's servers must have these, so that nobody may set them.
FIXED: Dict[str, str] = {
    "replicaof": " ".join(NOBODY),
    "replica-read-only": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "aof-use-rdb-preamble": "yes",
    "aof-load-truncated": "yes",
    "appenddirname": "appendonlydir",
    "appendfilename": "appendonly.aof",
    "dbfilename": "dump.rdb",
    "save": '""',
    "stop-writes-on-bgsave-error": "no",
    "min-replicas-to-write": "0",  # at rest; the guest says how many
    "min-replicas-max-lag": "2",
    "repl-timeout": "10",
    "repl-ping-replica-period": "1",
    "repl-backlog-ttl": "0",  # for ever: without it a history would end while it goes on
    "repl-diskless-sync": "yes",
    "repl-diskless-sync-delay": "0",
    "repl-diskless-load": "disabled",  # what a replica has goes once all has come that takes its place
    "tls-replication": "yes",
    "tls-auth-clients": "optional",
    "protected-mode": "no",  # nobody comes in without a password
    "daemonize": "no",
    "set-proc-title": "no",  # it is found by its command line
    "enable-protected-configs": "no",
    "enable-debug-command": "no",
    "enable-module-command": "no",
}
OURS = {
    *FIXED, "appendonly", "bind", "bind-source-addr", "port", "tls-port", "unixsocket", "unixsocketperm", "dir", "pidfile", "logfile",
    "aclfile", "user", "requirepass", "masterauth", "masteruser", "primaryauth", "primaryuser", "slaveof", "slave-read-only",
    "min-slaves-to-write", "min-slaves-max-lag", "repl-ping-slave-period", "replica-announce-ip", "replica-announce-port",
    "slave-announce-ip", "slave-announce-port", "replica-announced", "tls-cert-file", "tls-key-file", "tls-ca-cert-file",
    "tls-ca-cert-dir", "tls-client-cert-file", "tls-client-key-file", "tls-key-file-pass", "tls-client-key-file-pass", "tls-cluster",
    "cluster-enabled", "cluster-config-file", "include", "loadmodule", "rename-command", "supervised", "proc-title-template",
    "acl-pubsub-default", "shutdown-on-sigterm", "shutdown-on-sigint", "crash-log-enabled", "always-show-logo",
    "repl-disable-tcp-nodelay", "rdb-del-sync-files", "disable-thp", "oom-score-adj", "replica-priority", "slave-priority",
}  # fmt: skip


class Files(files.Files):
    """Of one instance. ``is_copy``: it is to start with a copy of another's data, and what that says of its history."""

    server_user = "valkey"
    begins = "oO0OoO0OoO0Oo"

    def __init__(self, folder: Path, instance: str, user: str = "") -> None:
        super().__init__(folder, instance, user)
        self.settings, self.users = folder / "server.conf", folder / "users.acl"
        self.socket, self.admin = self.run / "sock", folder / "admin"
        self.is_copy = False

    def password(self) -> str:
        """Return the guest's own password, of this server alone."""
        if not self.admin.exists():
            write(self.admin, secrets.token_urlsafe(32))
        return self.admin.read_text(encoding="utf-8")

    def write(self, spec: Mapping[str, Any]) -> None:
        super().write(spec)
        self.write_settings(spec)

    def write_settings(self, spec: Mapping[str, Any]) -> None:
        """Write them, unless they say that already: a server is to start whose disk is full."""
        users = f"user default reset off\nuser {ADMIN} reset on #{sha256(self.password())} ~* &* +@all\n"
        for path, said in ((self.settings, self.text(spec)), (self.users, users)):
            if not path.exists() or path.read_text(encoding="utf-8") != said:
                write(path, said)
            self.own(path, 0o600)

    def text(self, spec: Mapping[str, Any]) -> str:
        """Return what its configuration says."""
        port, address = int(spec["port"]), str(spec["address"])
        own = {
            **sizes(spec),
            **parameters(spec.get("parameters") or {}),
            **FIXED,
            "appendonly": "no" if self.is_copy else "yes",
            "bind": address,
            "bind-source-addr": address,
            "replica-announce-ip": address,
            "port": str(port),
            "tls-port": str(port + TLS_PORT),
            "unixsocket": quoted("unixsocket", self.socket),
            "unixsocketperm": "700",
            "dir": quoted("dir", self.data),
            "logfile": quoted("logfile", self.log),
            "aclfile": quoted("aclfile", self.users),
            "tls-cert-file": quoted("tls-cert-file", self.certificate),
            "tls-key-file": quoted("tls-key-file", self.key),
            "tls-ca-cert-file": quoted("tls-ca-cert-file", self.certificate),
        }
        lines = ["# Written by baton-guest, and written again whenever it changes something."]
        return "\n".join([*lines, *(f"{key} {value}" for key, value in own.items()), ""])

    def tidy_log(self) -> None:
        """Begin a new log when the old one has become large: a server at rest, or one that is not let in, says so each second."""
        if self.log.exists() and self.log.stat().st_size > files.MOST_LOG:
            self.rotate_log()
            self.make_run()

    def last_error(self) -> str:
        """Return why it ended, as far as its log says; "" if it does not."""
        said = self.said()
        fatal = next((number for number, line in enumerate(said) if FATAL in line), None)
        if fatal is not None:
            return " ".join(line for line in said[fatal + 1 :] if not line.startswith("Reading the"))
        told = [line.partition(" # ")[2] for line in said if " # " in line]
        return next((line for line in reversed(told) if not line.startswith(TELLS_NOTHING)), "")


def sizes(spec: Mapping[str, Any]) -> Dict[str, str]:
    """Return the sizes that fit what the flavor gives; a configuration may say others."""
    flavor = spec.get("flavor")
    ram = int((flavor.get("ram") if isinstance(flavor, Mapping) else 0) or DEFAULT_RAM)
    return {
        "maxmemory": f"{max(16, ram // 2)}mb",  # while it writes its data anew, or gives a copy, it may take twice as much
        "maxmemory-policy": "noeviction",
        "repl-backlog-size": f"{max(4, min(1024, ram // 8))}mb",
        "maxclients": str(max(100, min(10000, ram * 2))),
    }


def parameters(named: Mapping[str, Any]) -> Dict[str, str]:
    """Return what a configuration sets; Trouble for what it can't."""
    own = {str(key).lower(): value for key, value in named.items()}
    ours = sorted(set(own) & OURS)
    if ours:
        why = "what keeps acknowledged writes, and what sets of servers depend on, can't be set by a configuration"
        raise Trouble(f"{', '.join(ours)}: {why}")
    return {key: quoted(key, value) for key, value in own.items()}


def plain(value: object) -> str:
    """Return a value as a server has it."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def quoted(key: str, value: object) -> str:
    """Return how a value stands in the file; nothing of it may begin another line."""
    if not key.replace("-", "").isalnum() or not key.isascii():
        raise Trouble(f"{key[:60]!r} is no name of a parameter")
    said = plain(value)
    if any(ord(letter) < 32 for letter in said) or '"' in said or "\\" in said:
        raise Trouble(f"the value of {key} has letters that can't stand in a configuration")
    return f'"{said}"'
