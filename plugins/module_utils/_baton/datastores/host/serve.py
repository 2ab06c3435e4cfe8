# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest: options, and what it is made of."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, NamedTuple, Sequence

from ...adapters.systemd import notify, watchdog_period
from ...client.api import Client, connection_from
from ...client.error import ClientError
from ...ground.values import rate_of
from ..model.replica_set import LEAST_COPY_LIMIT
from .channel import Link
from .galera.arbiter import ARBITER, Arbiter
from .galera.arbiter import found_version as found_arbiter
from .galera.prepare import found_version as found_galera
from .galera.server import Galera
from .guarded import Guarded
from .instance import Hands
from .journal import Journal
from .loop import Guest
from .mariadb.prepare import found_version as found_mariadb
from .mariadb.server import MariaDB
from .packages import Packages
from .postgresql.prepare import found_version as found_postgresql
from .postgresql.server import PostgreSQL
from .runner import Processes, Program, Runner
from .sends import SENDS
from .systemd import Systemd
from .trouble import Trouble
from .valkey.prepare import found_redis, found_valkey
from .valkey.server import Redis, Valkey

LOG = logging.getLogger("baton.guest")
LEASE = 2.0  # seconds
TIMEOUT = 5.0  # seconds for what is asked of the cluster, but for the lease
LOOK = 60.0  # seconds between looks at what is installed
HEARD = 20.0  # seconds after which we serve, whether Baton has heard us or not


class Kind(NamedTuple):
    """Of servers. ``hands``: what makes the hands of one; ``found``: returns the version that is installed, Trouble if none is."""

    hands: Callable[..., Hands]
    found: Callable[[], str]


KINDS: Dict[str, Kind] = {  # by datastore; what is installed for each is in packages.py
    "mariadb": Kind(MariaDB, found_mariadb),
    "galera": Kind(Galera, found_galera),
    "postgresql": Kind(PostgreSQL, found_postgresql),
    "valkey": Kind(Valkey, found_valkey),
    "redis": Kind(Redis, found_redis),
    ARBITER: Kind(Arbiter, found_arbiter),  # of a cluster; nobody asks for one alone
}
OFFERED = [name for name in KINDS if name != ARBITER]


def serve(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        asyncio.run(_serve(args))
    except (ClientError, Trouble, OSError) as error:
        sys.stderr.write(f"baton-guest: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="baton-guest", description="Serve database servers on this host, as Baton says.")
    parser.add_argument("--name", required=True, metavar="HOST", help="the host's name in the pool")
    parser.add_argument("--state", type=Path, default=Path("/var/lib/baton-guest"), metavar="DIR", help="where servers and journal are")
    parser.add_argument("--runner", choices=["process", "systemd"], default="process", help="what runs the servers (process)")
    parser.add_argument("--datastore", action="append", choices=OFFERED, help="what servers here may be of; once for each (all)")
    parser.add_argument("--install", action="store_true", help="install packages with apt when a server needs them")
    parser.add_argument("--lease", type=float, default=LEASE, metavar="SECONDS", help="after so many of silence no server takes writes")
    parser.add_argument("--server-user", default="", metavar="USER", help="who runs servers, if the guest is root (its package's)")
    parser.add_argument(
        "--copies", type=_rate, default=0, metavar="BYTES", help="a second, such as 100M, of all copies together that leave this host (any)"
    )
    parser.add_argument("--url", help="of Baton's nodes, with commas")
    parser.add_argument("--token-file", help="the token of this guest")
    parser.add_argument("--ca", help="of the nodes' certificates")
    return parser


def _rate(text: str) -> int:
    found = rate_of(text)
    if found is None or 0 < found < LEAST_COPY_LIMIT:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no number of bytes a second: 0, or {LEAST_COPY_LIMIT} at least, such as 100M")
    return found


async def _serve(args: argparse.Namespace) -> None:
    for folder in (args.state, args.state / "instances"):
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o711)  # servers run as another user, whatever our umask is
    options = {"url": args.url, "token_file": args.token_file, "ca": args.ca, "timeout": TIMEOUT}
    connection = connection_from(options, os.environ)
    runner: Runner = Systemd(args.state) if args.runner == "systemd" else Processes()
    packages = Packages(runner, {name: kind.found for name, kind in KINDS.items()}, args.install, args.state)
    known = args.datastore or OFFERED
    heartbeat = {"service_status": "running", "node_id": args.name, "lease": args.lease, "datastores": packages.offered(known)}
    SENDS.most = args.copies
    journal = Journal(args.state)
    journal.be(args.name)

    def make(instance: str, memory: Dict[str, Any]) -> Hands:
        folder = args.state / "instances" / instance
        return hands_of(memory)(folder, instance, runner, memory, journal.save, packages.need, args.server_user)

    guarded = Guarded(args.state / "guard.sock", partial(runner.start, _guard(args.state)))
    guest = Guest(lambda: Link(Client(connection, "baton-guest"), args.name), journal, guarded, make, args.lease, heartbeat)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, guest.stop)
    beside = [loop.create_task(_tell_systemd(guest.heard)), loop.create_task(_offer(guest, packages, known))]
    await guest.run()
    for task in beside:
        task.cancel()
    logging.shutdown()
    os._exit(0)  # threads that wait for the cluster, or for a server, would keep us; what was done stands in the journal


def hands_of(memory: Mapping[str, Any]) -> Callable[..., Hands]:
    """Return what makes the hands of an instance; older guests remembered nothing of what it is, since all were MariaDB's."""
    datastore = str(memory.get("datastore", "mariadb"))
    kind = KINDS.get(ARBITER if memory.get("type") == ARBITER else datastore)
    if kind is None:
        raise Trouble(f"this guest knows no datastore {datastore[:40]!r}: bring it up to the manager's version")
    return kind.hands


def _guard(state: Path) -> Program:
    """Return what the guard is: this program."""
    return Program("guard", (sys.executable, os.path.abspath(sys.argv[0]), "guard", str(state / "guard.sock")), state)


async def _offer(guest: Guest, packages: Packages, known: Sequence[str]) -> None:
    """Look now and then what servers can be of: packages come and go."""
    while True:
        await asyncio.sleep(LOOK)
        offered = await asyncio.to_thread(packages.offered, known)
        with suppress(ClientError):
            await guest.offer(offered)


async def _tell_systemd(heard: asyncio.Event) -> None:
    """Say that we serve once we are heard, so that guests are restarted one after the other; and then that we are not frozen."""
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(heard.wait(), HEARD)
    notify("READY=1")
    period = watchdog_period()
    while period is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(period)
