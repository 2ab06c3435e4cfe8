# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a server of the pool on this machine takes a write, for sql-primary and sql-replica; a function a datastore."""

from __future__ import annotations

import subprocess
from pathlib import Path

SECONDS = 3


class Unknown(Exception):
    """Why nobody can say it, in one line."""


def writes(state: Path, instance: str | None) -> tuple[bool, str]:
    """Write into a server; return whether that was taken, and why not: "read-only" is in it where it takes none."""
    found = [path for path in (state / "hosts").glob(f"*/instances/{instance}") if path.is_dir()] if instance else []
    if not found:
        raise Unknown(f"there is no instance {instance!r} on this machine")
    for name, ask in PROBES.items():
        if (found[0] / name).exists():
            return ask(_settings(found[0] / name))
    raise Unknown(f"{found[0]} has no settings of a server that is known here")


def waits_for_clients(pid: int) -> bool:
    """Whether a process would not end on SIGTERM while it has clients, and does on SIGINT."""
    try:
        return Path(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")).name == "postgres"
    except OSError:
        return False


def _settings(path: Path) -> dict[str, str]:
    mark = " " if path.name == "server.conf" else "="
    pairs = [line.partition(mark) for line in path.read_text().splitlines() if mark in line]
    return {name.strip(): value.strip().strip("'\"") for name, _equals, value in pairs}


def _run(command: list[str]) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {SECONDS} s")


def _answer(asked: subprocess.CompletedProcess) -> str:
    if asked.returncode:
        raise Unknown(asked.stderr.strip())
    return asked.stdout.strip()


# --- MariaDB, as a user of no rights ------------------------------------------------------------------------------------------

MAKE = """CREATE DATABASE IF NOT EXISTS baton_probe;
CREATE TABLE IF NOT EXISTS baton_probe.writes (n INT PRIMARY KEY, at DOUBLE) ENGINE=InnoDB;
CREATE USER IF NOT EXISTS baton_probe@localhost IDENTIFIED BY 'probe';
GRANT INSERT, DELETE ON baton_probe.* TO baton_probe@localhost"""
WRITE = "REPLACE INTO baton_probe.writes VALUES (1, 1)"


def _mariadb(settings: dict[str, str]) -> tuple[bool, str]:
    def ask(statement: str, *options: str) -> subprocess.CompletedProcess:
        path = f"--socket={settings['socket']}"
        return _run(["mariadb", "--no-defaults", path, "-N", "-B", f"--connect-timeout={SECONDS}", *options, "-e", statement])

    if _answer(ask("SELECT @@global.read_only")) == "1":
        return False, "it is read-only"
    made = ask(MAKE)
    done = ask(WRITE, "--user=baton_probe", "--password=probe") if made.returncode == 0 else made
    return done.returncode == 0, done.stderr.strip()


# --- PostgreSQL: one that follows takes nobody's writes ------------------------------------------------------------------------

INSERT = """CREATE SCHEMA IF NOT EXISTS baton_probe;
CREATE TABLE IF NOT EXISTS baton_probe.writes (n int PRIMARY KEY);
INSERT INTO baton_probe.writes VALUES (1) ON CONFLICT (n) DO UPDATE SET n = 1"""


def _postgresql(settings: dict[str, str]) -> tuple[bool, str]:
    where = ["-h", settings["unix_socket_directories"], "-p", settings["port"], "-U", "baton", "-d", "postgres"]

    def ask(statement: str) -> subprocess.CompletedProcess:
        return _run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *where, "-c", statement])

    if _answer(ask("SELECT pg_is_in_recovery()")) == "t":
        return False, "it is read-only"
    done = ask(INSERT)
    return done.returncode == 0 and "synchronous" not in done.stderr, done.stderr.strip()


# --- Valkey and Redis: whoever is no source takes nobody's writes ----------------------------------------------------------------


def _valkey(settings: dict[str, str]) -> tuple[bool, str]:
    """Ask as the guest does, with its password, which stands in a file beside the settings; it goes on by a pipe."""
    password = (Path(settings["aclfile"]).parent / "admin").read_text()
    command = ["redis-cli", "-s", settings["unixsocket"]]
    asked = f"AUTH baton {password}\nSET baton:probe 1\nDEL baton:probe\n"
    try:
        done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unknown(f"no answer within {SECONDS} s") from None
    answers = [line for line in done.stdout.splitlines() if line]
    if answers[:1] != ["OK"] or len(answers) < 2:
        raise Unknown((done.stderr or done.stdout).strip())
    return answers[1] == "OK", "it is read-only" if "READONLY" in answers[1] else answers[1]


# By the file of a server's settings
PROBES = {"my.cnf": _mariadb, "postgresql.conf": _postgresql, "server.conf": _valkey}
