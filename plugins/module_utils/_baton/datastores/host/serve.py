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
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Sequence

from ...client.api import Client, connection_from
from ...client.error import ClientError
from .channel import Link
from .guarded import Guarded
from .instance import Hands
from .journal import Journal
from .loop import Guest
from .mariadb.prepare import found_version
from .mariadb.server import MariaDB
from .runner import Processes
from .trouble import Trouble

LOG = logging.getLogger("baton.guest")
LEASE = 2.0  # seconds
TIMEOUT = 5.0  # seconds for what is asked of the cluster, but for the lease


def serve(arguments: Sequence[str]) -> int:
    args = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        asyncio.run(_serve(args))
    except (ClientError, Trouble) as error:
        sys.stderr.write(f"baton-guest: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="baton-guest", description="Serve database servers on this host, as Baton says.")
    parser.add_argument("--name", required=True, metavar="HOST", help="the host's name in the pool")
    parser.add_argument("--state", type=Path, default=Path("/var/lib/baton-guest"), metavar="DIR", help="where servers and journal are")
    parser.add_argument("--runner", choices=["process"], default="process", help="what runs the servers")
    parser.add_argument("--lease", type=float, default=LEASE, metavar="SECONDS", help="after so many of silence no server takes writes")
    parser.add_argument("--server-user", default="", metavar="USER", help="who runs servers, if the guest is root (mysql)")
    parser.add_argument("--url", help="of Baton's nodes, with commas")
    parser.add_argument("--token-file", help="the token of this guest")
    parser.add_argument("--ca", help="of the nodes' certificates")
    return parser


async def _serve(args: argparse.Namespace) -> None:
    os.makedirs(args.state, mode=0o711, exist_ok=True)  # servers run as another user
    options = {"url": args.url, "token_file": args.token_file, "ca": args.ca, "timeout": TIMEOUT}
    connection = connection_from(options, os.environ)
    heartbeat = {"service_status": "running", "node_id": args.name, "lease": args.lease, "datastores": _datastores()}
    journal = Journal(args.state)
    make = partial(_make, args, Processes(), journal)
    guarded = Guarded(args.state, _ourselves("guard"))
    guest = Guest(lambda: Link(Client(connection, "baton-guest"), args.name), journal, guarded, make, args.lease, heartbeat)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, guest.stop)
    await guest.run()
    logging.shutdown()
    os._exit(0)  # threads that wait for the cluster, or for a server, would keep us; what was done stands in the journal


def _datastores() -> Dict[str, List[str]]:
    """Return what this host can serve, with what is installed now."""
    try:
        return {"mariadb": [found_version()]}
    except Trouble as trouble:
        LOG.warning("%s", trouble)
        return {}


def _make(args: argparse.Namespace, runner: Processes, journal: Journal, instance: str, memory: Dict[str, Any]) -> Hands:
    return MariaDB(args.state / "instances" / instance, instance, runner, memory, journal.save, args.server_user)


def _ourselves(*arguments: str) -> List[str]:
    """Return the command that starts this program."""
    return [sys.executable, sys.argv[0], *arguments]
