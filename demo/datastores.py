# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Datastores on one machine, as `make datastores HOSTS=6 STATE=DIR`: one batond, baton-datastores, and guests with addresses of 127.0.1.x.

Everything lies in DIR: openrc and token for OpenStack's client, sql-primary and sql-replica, logs. `down` ends it all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import probes

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
NEEDED = ("mariadbd", "mariadb-backup", "mbstream", "mariadb-install-db", "mariadb")
MOST_HOSTS = 50
OURS = (
    "batond.pyz", "baton-datastores.pyz", "baton-guest.pyz", "garbd", "mariadbd", "mariadb-backup", "mbstream", "postgres", "initdb",
    "pg_basebackup", "pg_rewind", "tar", "redis-server", "valkey-server",
)  # fmt: skip
LAST_ADDRESS = 254  # 127.0.1.x
FLAVORS = {
    "1": {"name": "tiny", "ram": 256, "vcpus": 1, "disk": 2},
    "2": {"name": "small", "ram": 1024, "vcpus": 1, "disk": 10},
    "3": {"name": "medium", "ram": 4096, "vcpus": 2, "disk": 40},
}
PATIENCE = 60.0  # seconds
LEASES = {"balanced": 2.0, "fast": 1.0}

SQL = """#!/bin/sh
# {text}
exec "{python}" "{script}" --state "{state}" {command} "$@"
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["up", "down", "restart", "primary", "replica"])
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--first", type=int, default=1, metavar="N", help="host-1 has the address 127.0.1.N: two pools share none")
    parser.add_argument("--regions", default="local", metavar="A,B", help="hosts are in these in turn")
    parser.add_argument("--profile", choices=[*LEASES], default="balanced")
    parser.add_argument("instance", nargs="?", metavar="ID", help="of an instance; of restart: which program")
    args = parser.parse_intermixed_args()
    args.state = args.state.resolve()
    try:
        return {"up": up, "down": down, "restart": restart, "primary": primary, "replica": replica}[args.command](args)
    except Failed as failed:
        sys.stderr.write(f"datastores: {failed}\n")
        return 1


class Failed(Exception):
    """Why it can't be, in one line."""


# --- up -------------------------------------------------------------------------------------------------------------------


def up(args: argparse.Namespace) -> int:
    if not 1 <= args.hosts <= MOST_HOSTS:
        raise Failed(f"HOSTS is 1 to {MOST_HOSTS}")
    if not 1 <= args.first <= LAST_ADDRESS - args.hosts + 1:
        raise Failed(f"--first is 1 to {LAST_ADDRESS - args.hosts + 1} for {args.hosts} hosts")
    missing = [name for name in NEEDED if not shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")]
    if missing:
        raise Failed(f"{', '.join(missing)} is not there: run `make system` first")
    state = args.state
    if (state / "pids").exists():
        raise Failed(f"{state} is in use already: `make datastores-down STATE={state}` first, or take another directory")
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o755)
    try:
        _begin(args, state)
    except (Failed, OSError) as error:
        down(args)
        raise Failed(str(error)) from None
    return 0


def _begin(args: argparse.Namespace, state: Path) -> None:
    ports = {name: free_port() for name in ("baton", "api")}
    (state / "ports.json").write_text(json.dumps(ports))
    url = f"http://127.0.0.1:{ports['baton']}"
    _secret(state / "ha.token", secrets.token_urlsafe(24))
    (state / "drivers").mkdir(exist_ok=True)
    (state / "drivers" / "datastores.json").write_text(json.dumps({"type": "program", "stop_seconds": 5}))
    start(state, "batond", [
        "--node-id", "n1", "--data-dir", str(state / "batond"), "--listen", f"127.0.0.1:{ports['baton']}", "--dcs", f"local:{state}/dcs.db",
        "--peer", url, "--insecure", "--ha-token-file", str(state / "ha.token"), "--drivers-dir", str(state / "drivers"),
        "--run-dir", str(state / "run"),
    ])  # fmt: skip
    say("batond is started")
    token_file = state / "batond" / "admin.token"
    until(token_file.exists, state, "batond makes its first token")
    cluster = Cluster(url, token_file.read_text().strip())
    until(lambda: cluster.answers("/profiles"), state, "batond serves")
    start(state, "baton-datastores", [
        "--driver", "datastores", "--url", url, "--token-file", str(token_file), "--listen", "127.0.0.1", "--port", str(ports["api"]),
    ], {"BATON_RUN_DIR": str(state / "run")})  # fmt: skip
    regions = args.regions.split(",")
    for number in range(args.hosts):
        where = f"127.0.1.{args.first + number}", regions[number % len(regions)]
        _guest(state, cluster, url, f"host-{number + 1}", where, LEASES[args.profile])
    hosts = [f"host-{number}" for number in range(1, args.hosts + 1)]
    until(lambda: all("heartbeat" in cluster.call("GET", f"/pool/{name}")["Params"] for name in hosts), state, "all guests are heard")
    say(f"{args.hosts} guests are heard")
    user = cluster.call("POST", "/tokens", {"Scope": {"kind": "project", "name": "demo"}, "Description": "for OpenStack's client"})["Token"]
    endpoint = f"http://127.0.0.1:{ports['api']}/v1.0/demo"
    until(lambda: answers(f"{endpoint}/instances", {"X-Auth-Token": user}), state, "the API serves")
    _files(state, endpoint, user)
    print((state / "openrc").read_text(), end="")


def _guest(state: Path, cluster: Cluster, url: str, name: str, where: tuple[str, str], lease: float) -> None:
    meta = {"address": where[0], "region": where[1], "flavors": FLAVORS}
    cluster.call("POST", "/pool", {"Name": name, "Meta": meta})
    made = cluster.call("POST", "/tokens", {"Scope": {"kind": "guest", "name": name}, "Description": f"of the guest of {name}"})
    folder = state / "hosts" / name
    folder.mkdir(parents=True, exist_ok=True)
    _secret(folder / "token", made["Token"])
    start(state, "baton-guest", [
        "--name", name, "--state", str(folder), "--url", url, "--token-file", str(folder / "token"), "--lease", str(lease),
        *([] if others_reach(state) else ["--server-user", "root"]),
    ], log=name)  # fmt: skip


def others_reach(path: Path) -> bool:
    """Whether users that own nothing of it may go into a directory: servers run as one of them, if we are root."""
    return os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _files(state: Path, endpoint: str, token: str) -> None:
    lines = {"OS_AUTH_TYPE": "admin_token", "OS_ENDPOINT": endpoint, "OS_TOKEN": token}
    _secret(state / "openrc", "\n".join(f"export {name}={value}" for name, value in lines.items()))
    texts = {"primary": "Exit 0 if this instance takes a write.", "replica": "Exit 0 if this instance refuses a write."}
    for command, text in texts.items():
        path = state / f"sql-{command}"
        path.write_text(SQL.format(text=text, python=sys.executable, script=Path(__file__).resolve(), command=command, state=state))
        path.chmod(0o755)


def _secret(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")


def start(state: Path, program: str, arguments: list[str], more: dict[str, str] | None = None, log: str = "") -> None:
    """Start a program of ours, in a session of its own, and write down which it is, and how it is started again."""
    name = log or program
    for folder in ("logs", "programs"):
        (state / folder).mkdir(exist_ok=True)
    _secret(state / "programs" / f"{name}.json", json.dumps({"program": program, "arguments": arguments, "more": more or {}, "log": log}))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_", "OS_"))}
    with open(state / "logs" / f"{name}.log", "ab") as file:
        process = subprocess.Popen(
            [sys.executable, str(BUILD / f"{program}.pyz"), *arguments], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            env={**environ, **(more or {})}, start_new_session=True, cwd=state,
        )  # fmt: skip
    with open(state / "pids", "a") as file:
        file.write(f"{process.pid} {name}\n")


def restart(args: argparse.Namespace) -> int:
    """Start a program again that has ended."""
    name, state = args.instance, args.state
    if any(runs(pid) for pid, known in pids(state) if known == name):
        raise Failed(f"{name} runs")
    try:
        known = json.loads((state / "programs" / f"{name}.json").read_text())
    except OSError:
        raise Failed(f"there is no program {name!r}: see {state}/programs") from None
    left = [f"{pid} {other}\n" for pid, other in pids(state) if other != name]
    (state / "pids").write_text("".join(left))
    start(state, known["program"], known["arguments"], known["more"], known["log"])
    return 0


class Cluster:
    """batond's API, for an admin."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = f"{url}/api/v3", {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, self._headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # nosec B310: batond, on loopback
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise Failed(f"{method} {path}: {error.read().decode(errors='replace')[:300]}") from None

    def answers(self, path: str) -> bool:
        return answers(self._url + path, self._headers)


def answers(url: str, headers: dict[str, str]) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:  # nosec B310
            return answer.status == 200
    except OSError:
        return False


def until(condition, state: Path, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        dead = [name for pid, name in pids(state) if not runs(pid)]
        if dead:
            log = (state / "logs" / f"{dead[0]}.log").read_text(errors="replace").strip().splitlines()
            raise Failed(f"{dead[0]} has ended: {log[-1] if log else 'it said nothing'}")
        if time.monotonic() > end:
            raise Failed(f"in vain for {PATIENCE:g} s: {what}; see {state}/logs")
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(text: str) -> None:
    sys.stderr.write(f"-- {text}\n")


# --- down -----------------------------------------------------------------------------------------------------------------


def pids(state: Path) -> list[tuple[int, str]]:
    try:
        lines = (state / "pids").read_text().splitlines()
    except FileNotFoundError:
        return []
    return [(int(line.split()[0]), line.split()[1]) for line in lines]


def runs(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def of_state(state: Path) -> list[int]:
    """Return all processes of this directory: also servers, and guards, whose guests are gone."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                words = [word.decode(errors="replace") for word in (folder / "cmdline").read_bytes().split(b"\0")]
                is_ours = any(Path(word).name in OURS for word in words[:2])
                paths = [f"{word.partition('=')[2] or word}/" for word in words]
                if is_ours and any(path.startswith(f"{state}/{part}/") for path in paths for part in ("hosts", "batond", "run")):
                    found.append(int(folder.name))
    return found


def down(args: argparse.Namespace) -> int:
    """End everything that `up` has started, and remove the directory's content but the logs."""
    state = args.state
    started = [pid for pid, _name in reversed(pids(state))]
    ours = [pid for pid in started if pid in of_state(state)]  # numbers come again: after a reboot they are others'
    for number, seconds in ((signal.SIGCONT, 0.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        for pid in {*ours, *of_state(state)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT if number == signal.SIGTERM and probes.waits_for_clients(pid) else number)
        end = time.monotonic() + seconds
        while any(runs(pid) for pid in {*ours, *of_state(state)}) and time.monotonic() < end:
            time.sleep(0.05)
    left = [pid for pid in {*ours, *of_state(state)} if runs(pid)]
    if left:
        raise Failed(f"processes {left} of {state} do not end")
    for name in ("pids", "ports.json", "openrc", "ha.token", "dcs.db", "dcs.db-wal", "dcs.db-shm", "sql-primary", "sql-replica"):
        (state / name).unlink(missing_ok=True)
    for name in ("hosts", "batond", "drivers", "run", "programs"):
        shutil.rmtree(state / name, ignore_errors=True)
    return 0


# --- sql-primary, sql-replica -----------------------------------------------------------------------------------------------


def _writes(args: argparse.Namespace) -> tuple[bool, str]:
    try:
        return probes.writes(args.state, args.instance)
    except probes.Unknown as unknown:
        raise Failed(str(unknown)) from None


def primary(args: argparse.Namespace) -> int:
    taken, why = _writes(args)
    if not taken:
        raise Failed(why)
    return 0


def replica(args: argparse.Namespace) -> int:
    taken, why = _writes(args)
    if taken or "read-only" not in why:
        raise Failed("it takes writes" if taken else why)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
