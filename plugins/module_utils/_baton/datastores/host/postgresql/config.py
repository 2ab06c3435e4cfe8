# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one PostgreSQL server: what stands in postgresql.conf and pg_hba.conf, which lie beside its data.

So neither a copy nor a rewind brings another server's. A file that says "standby" lies in the data whenever a server starts, so that each
is read-only at rest: nothing in a file makes one writable, or has one follow a source that it was not told to follow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from .. import files
from ..files import remove, write
from ..trouble import Trouble
from .sql import ADMIN, DATABASE, REPLICATION

DEFAULT_RAM = 512  # MB
NOBODY = "baton nobody"  # who counts at rest. So whoever becomes the source waits for somebody from its first commit on
OURSELVES = "baton_ourselves"  # the map of users of the system
ERRORS = ("FATAL:  ", "PANIC:  ", "ERROR:  ")

# Each of a set's servers must have these, so that nobody may set them.
FIXED: Dict[str, object] = {
    "wal_level": "replica",
    "hot_standby": "on",
    "fsync": "on",
    "full_page_writes": "on",
    "wal_log_hints": "on",
    "synchronous_commit": "on",
    "standard_conforming_strings": "on",
    "max_wal_senders": 20,
    "max_replication_slots": 20,
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "500ms",
    "recovery_target_timeline": "latest",
    "recovery_min_apply_delay": 0,
    "restart_after_crash": "off",  # by itself it would be a standby then: the guest is to see it end
    "superuser_reserved_connections": 10,  # so that the guest always gets in
    "password_encryption": "scram-sha-256",
    "ssl": "on",
    "unix_socket_permissions": "0700",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] ",
    "lc_messages": "C",
    "allow_system_table_mods": "off",
}
OURS = {
    *FIXED, "data_directory", "config_file", "hba_file", "ident_file", "external_pid_file", "listen_addresses", "port", "cluster_name",
    "unix_socket_directories", "unix_socket_group", "bonjour", "ssl_cert_file", "ssl_key_file", "ssl_ca_file", "ssl_crl_file",
    "ssl_crl_dir", "ssl_passphrase_command", "primary_conninfo", "primary_slot_name", "synchronous_standby_names", "archive_mode",
    "archive_command", "archive_library", "restore_command", "archive_cleanup_command", "recovery_end_command", "recovery_target",
    "recovery_target_action", "recovery_target_inclusive", "recovery_target_lsn", "recovery_target_name", "recovery_target_time",
    "recovery_target_xid", "shared_preload_libraries", "session_preload_libraries", "local_preload_libraries", "dynamic_library_path",
    "jit_provider", "log_directory", "log_filename", "include", "include_dir", "include_if_exists", "ignore_checksum_failure",
    "zero_damaged_pages", "ignore_system_indexes", "ignore_invalid_pages", "default_transaction_read_only", "wal_init_zero",
    "krb_server_keyfile", "event_triggers", "summarize_wal", "sync_replication_slots", "synchronized_standby_slots",
}  # fmt: skip
# What a replica must have at least as much of as its source had, by the names that the control file has for it
NOT_LESS = {
    "max_connections setting": "max_connections", "max_worker_processes setting": "max_worker_processes",
    "max_prepared_xacts setting": "max_prepared_transactions", "max_locks_per_xact setting": "max_locks_per_transaction",
}  # fmt: skip


class State:
    """What of the settings changes while a server runs. ``counted``: who acknowledges, None at rest; ``follow``: as it is kept, None for
    nobody; ``is_made``: until then nobody but us may speak with it; ``takes_replicas``: it has the password of its set;
    ``least``: what its source has, at least.
    """

    def __init__(
        self, counted: Optional[Sequence[str]] = None, follow: Optional[Mapping[str, Any]] = None, is_made: bool = True,
        takes_replicas: bool = True, least: Optional[Mapping[str, int]] = None,
    ) -> None:  # fmt: skip
        self.counted, self.follow, self.is_made, self.takes_replicas, self.least = counted, follow, is_made, takes_replicas, least or {}


class Files(files.Files):
    """Of one instance."""

    server_user = "postgres"
    socket_name = ".s.PGSQL.65535"

    def __init__(self, folder: Path, instance: str, user: str = "") -> None:
        super().__init__(folder, instance, user)
        self.settings, self.hba, self.ident = folder / "postgresql.conf", folder / "pg_hba.conf", folder / "pg_ident.conf"
        self.passwords = folder / "passwords"  # of a source, while it follows one
        self.standby = self.data / "standby.signal"

    def socket_of(self, port: int) -> Path:
        return self.run / f".s.PGSQL.{port}"

    def rest(self) -> None:
        """Have the server be read-only whenever it starts, whoever starts it."""
        if not self.standby.exists():
            write(self.standby, "")
            self.own(self.standby, 0o600)

    def write_all(self, spec: Mapping[str, Any], state: State, ourselves: str) -> None:
        """Write the settings, who may come in, and of a source its password. ``ourselves``: the user of the system who may do all."""
        texts = {
            self.hba: _hba(state),
            self.ident: f"{OURSELVES} {ourselves} {ADMIN}\n",
            self.settings: self.postgresql_conf(spec, state),
        }
        if state.follow is None:
            remove(self.passwords)
        else:
            texts[self.passwords] = f"*:*:*:{REPLICATION}:{_escaped(str(spec['secrets']['replication']))}\n"
        for path, text in texts.items():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                write(path, text)
            self.own(path, 0o600)

    def postgresql_conf(self, spec: Mapping[str, Any], state: State) -> str:
        """Return what postgresql.conf says."""
        own: Dict[str, object] = {**sizes(spec), **_parameters(spec.get("parameters") or {})}
        for name, least in state.least.items():
            if isinstance(own.get(name), int) or str(own.get(name, "0")).isdigit():
                own[name] = max(int(str(own.get(name, 0))), least)
        own.update(FIXED)
        own.update({
            "hba_file": self.hba,
            "ident_file": self.ident,
            "listen_addresses": spec["address"] if state.is_made else "",
            "port": int(spec["port"]),
            "unix_socket_directories": self.run,
            "cluster_name": self.instance,
            "ssl_cert_file": self.certificate,
            "ssl_key_file": self.key,
            "synchronous_standby_names": names([NOBODY] if state.counted is None else state.counted),
            "primary_conninfo": "" if state.follow is None else self.conninfo(state.follow),
            "primary_slot_name": "" if state.follow is None else slot_of(self.instance),
        })  # fmt: skip
        lines = ["# Written by baton-guest, and written again whenever it changes something."]
        return "\n".join([*lines, *(f"{key} = {_value(key, value)}" for key, value in own.items()), ""])

    def conninfo(self, source: Mapping[str, Any], database: str = "") -> str:
        """Return how libpq reaches a server of the set, which shows the set's certificate."""
        parts: Dict[str, object] = {
            "host": source["address"], "port": int(source["port"]), "user": REPLICATION, "application_name": self.instance,
            "passfile": self.passwords, "sslmode": "verify-ca", "sslrootcert": self.certificate, "gssencmode": "disable",
            "connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2,
            "keepalives_count": 3, **({"dbname": database} if database else {}),
        }  # fmt: skip
        return " ".join(f"{key}='{_in_conninfo(str(value))}'" for key, value in parts.items())

    def forget_said(self) -> None:
        """What the server says from here on is what tells how it is."""
        self._log_of_this_life = self.log.stat().st_size if self.log.exists() else 0

    def last_error(self) -> str:
        """Return the last error in the server's log, "" if there is none."""
        return next(reversed(errors(self.said())), "")


def errors(lines: List[str]) -> List[str]:
    """Return the errors among lines of a server's log; what is only said of an end does not tell why."""
    found = [line.partition(mark)[2].strip() for line in lines for mark in ERRORS if mark in line]
    telling = [line for line in found if "the database system is" not in line]
    return telling or found


def names(counted: Sequence[str]) -> str:
    """Return who acknowledges, as the setting has it."""
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in sorted(counted))
    return f"ANY 1 ({quoted})" if quoted else ""


def slot_of(instance: str) -> str:
    """Return the name of the slot that a source keeps for a replica: letters, digits and _ alone."""
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in instance.lower())
    return f"baton_{plain}"[:63]


def sizes(spec: Mapping[str, Any]) -> Dict[str, object]:
    """Return the sizes that fit what the flavor gives, and what a configuration may change."""
    flavor = spec.get("flavor")
    ram = int((flavor.get("ram") if isinstance(flavor, Mapping) else 0) or DEFAULT_RAM)
    return {
        "shared_buffers": f"{max(16, ram // 4)}MB",
        "effective_cache_size": f"{max(16, ram // 2)}MB",
        "work_mem": f"{max(1, min(64, ram // 256))}MB",
        "maintenance_work_mem": f"{max(16, min(1024, ram // 16))}MB",
        "max_connections": max(50, min(1000, ram // 8)),
        "max_wal_size": "1GB",
        "wal_keep_size": "256MB",  # so that an old source can be rewound, and a replica without its slot comes back
        "max_slot_wal_keep_size": "1GB",  # for so much a source keeps what a replica that is away lacks
        "max_standby_streaming_delay": "5s",  # for so long a query on a replica may keep it from applying
        "checkpoint_completion_target": "0.9",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "huge_pages": "off",
    }


def _parameters(parameters: Mapping[str, Any]) -> Dict[str, object]:
    named = {str(key).lower(): value for key, value in parameters.items()}
    ours = sorted(set(named) & OURS)
    if ours:
        raise Trouble(f"{', '.join(ours)}: what sets of servers depend on can't be set by a configuration")
    return named


def _value(key: str, value: object) -> str:
    """Return how a value stands in postgresql.conf; nothing of it may begin another line, or be read as a comment."""
    if not key.replace("_", "").replace(".", "").isalnum() or not key.isascii():
        raise Trouble(f"{key[:60]!r} is no name of a parameter")
    if isinstance(value, bool):
        return "on" if value else "off"
    text = str(value)
    if any(ord(letter) < 32 for letter in text):
        raise Trouble(f"the value of {key} has letters that can't stand in postgresql.conf")
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _hba(state: State) -> str:
    """Return who may come in: we through the socket, replicas with TLS and their password, people's users with theirs."""
    lines = [f"local all {ADMIN} peer map={OURSELVES}", f"local replication {ADMIN} peer map={OURSELVES}"]
    if state.is_made:
        for database in ("replication", DATABASE) if state.takes_replicas else ():
            lines.append(f"hostssl {database} {REPLICATION} all scram-sha-256")
        lines += [f"host all {ADMIN},{REPLICATION} all reject", "host all all all scram-sha-256"]
    return "\n".join(["# Written by baton-guest.", *lines, ""])


def _in_conninfo(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _escaped(password: str) -> str:
    """Return a password as it stands in a file of passwords."""
    if "\n" in password or "\r" in password:
        raise Trouble("the set's password has an end of a line in it, which no file of passwords can have")
    return password.replace("\\", "\\\\").replace(":", "\\:")
