# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``baton-datastores``: the API of datastores, and the manager that carries on what was asked. A driver of batond, or alone."""
from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from typing import Any, List, Optional, Sequence

from ...adapters.aio import AIOHTTP_ERROR, web
from ...adapters.http.server import Server
from ...client.api import REQUESTS_ERROR, Client, connection_from
from ...client.connection import Connection
from ...client.error import ClientError
from ...drivers.session import Driver, Failed, run
from ..engine.case import Times
from .api.app import application
from .api.asking import PLANS
from .carrier import Carrier
from .certificate import Certificate
from .metrics import Seen, text
from .reign import Keeper
from .store import Store

PORT = 8779
PATIENCE = 2.0  # seconds for what keeps the lock
BEGIN = 10.0  # seconds until it reigns
FRESH = 1.0  # seconds for which metrics are told again
LOOK = 20.0  # seconds between two looks whether the certificate was renewed
END = 0.5  # seconds for what is being written when it stops
LEASE = 2.0  # seconds: of guests that never said
MOST_FAILOVERS, LONGEST_WINDOW = 1000, 30 * 86400  # their times are kept in the set's document


class Service:
    """All of it, while this node is active."""

    def __init__(
        self, connection: Connection, node: str, listen: str, port: int, tls: Optional[Certificate], times: Times
    ) -> None:
        self._connection, self._node, self._times = connection, node, times
        self._listen, self._port, self._tls = listen, port, tls
        self._threads: List[threading.Thread] = []
        self._server: Optional[Server] = None
        self._renewing: Optional["asyncio.Task[None]"] = None
        self._keeper: Optional[Keeper] = None
        self._carrier: Optional[Carrier] = None
        self._store: Optional[Store] = None
        self._metrics_text, self._metrics_at = "", float("-inf")
        self._metrics_lock: Optional[asyncio.Lock] = None

    def _client(self) -> Client:
        return Client(self._connection, "baton-datastores")

    async def start(self) -> None:
        """Serve; Failed when that can't be."""
        keeper = self._keeper = Keeper(lambda: Client(replace(self._connection, timeout=PATIENCE), "baton-datastores"), self._node)
        store = self._store = Store(self._client, keeper.reign, PLANS, self._times)
        carrier = self._carrier = Carrier(store, self._client, PLANS)
        self._begin(keeper.run, "keeper")
        if not await asyncio.to_thread(keeper.wait, BEGIN):
            raise Failed("the manager's lock can't be taken: does Baton serve at the address that it was given?")
        self._begin(carrier.run, "carrier")
        if self._tls:
            await asyncio.to_thread(self._tls.look)  # this node may have been passive for long
        server = Server(application(store, time.time, self._metrics))
        try:
            await server.start(self._listen, self._port, self._tls.context if self._tls else None)
        except OSError as error:
            raise Failed(f"can't listen at {self._listen}:{self._port}: {error.strerror}") from None
        self._server = server
        self._renewing = asyncio.get_running_loop().create_task(self._renew()) if self._tls else None

    async def _renew(self) -> None:
        """Have a certificate that was renewed be shown."""
        while self._tls is not None:
            await asyncio.sleep(LOOK)
            await asyncio.to_thread(self._tls.look)

    async def stop(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None
        if self._server is not None:
            await self._server.stop()
            self._server = None
        for part in (self._carrier, self._keeper):
            if part is not None:
                part.stop()
        await asyncio.to_thread(self._wait_for_threads)

    def _wait_for_threads(self) -> None:
        """Whoever waits for an answer of the cluster, which has none while the role moves, is left: what it asks is refused from then on,
        since the next manager takes the lock."""
        end = time.monotonic() + END
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        self._threads = []

    async def _metrics(self, _request: Any) -> Any:
        store, carrier = self._store, self._carrier
        if store is None or carrier is None:
            return web.Response(status=503)
        self._metrics_lock = self._metrics_lock or asyncio.Lock()
        async with self._metrics_lock:  # whoever asks has no token: all of them together cost one look a second
            if time.monotonic() - self._metrics_at > FRESH:
                sets, hosts = await asyncio.to_thread(lambda: (store.sets(), store.hosts()))
                silent = {name: time.monotonic() - since for name, since in carrier.silent.items()}
                self._metrics_text = text(Seen(sets, hosts, carrier.ended.seen(), silent, time.time(), store.times))
                self._metrics_at = time.monotonic()
        return web.Response(text=self._metrics_text, content_type="text/plain")

    def _begin(self, work: Any, name: str) -> None:
        thread = threading.Thread(target=work, daemon=True, name=name)
        thread.start()
        self._threads.append(thread)


class Datastores(Driver):
    """The service as a driver."""

    def __init__(self, name: str, service: Service) -> None:
        super().__init__(name)
        self._service = service

    async def trigger(self, is_active: bool) -> Optional[str]:
        await (self._service.start() if is_active else self._service.stop())
        return None


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Serve until SIGTERM; return the exit status (1: it can't serve, 2: usage)."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    for missing in (AIOHTTP_ERROR, REQUESTS_ERROR):
        if missing is not None:
            sys.stderr.write(f"baton-datastores: {missing}\n")
            return 1
    try:
        times = Times(LEASE, most_failovers=args.failovers, failover_window=args.failover_window)
        connection = connection_from(_options(args), os.environ)
        service = Service(connection, os.uname().nodename, args.listen, args.port, _tls(args), times)
        if args.driver:
            run(Datastores(args.driver, service))
        else:
            asyncio.run(_alone(service))
    except (ClientError, Failed) as error:
        sys.stderr.write(f"baton-datastores: {error}\n")
        return 1
    return 0


def _options(args: argparse.Namespace) -> Any:
    return {"url": args.url, "token_file": args.token_file, "ca": args.ca, "timeout": 10.0}


def _tls(args: argparse.Namespace) -> Optional[Certificate]:
    if not args.cert:
        return None
    try:
        return Certificate(args.cert, args.key)
    except OSError as error:
        raise Failed(f"can't read certificate and key {args.cert}, {args.key}: {error.strerror or error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="baton-datastores", description="The API of datastores, and the manager behind it.")
    parser.add_argument("--driver", metavar="ID", help="be this driver of batond; else serve at once")
    parser.add_argument("--listen", default="127.0.0.1", metavar="ADDRESS", help="where the API is")
    parser.add_argument("--port", type=int, default=PORT, help=f"its port ({PORT})")
    parser.add_argument("--cert", help="certificate of the API; without it the API speaks plain HTTP")
    parser.add_argument("--key", help="the certificate's key")
    parser.add_argument(
        "--failovers", type=_count, default=Times(LEASE).most_failovers, metavar="N",
        help="how many of one set are begun unasked within the window; 0: none ever (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--failover-window", type=_seconds, default=Times(LEASE).failover_window, metavar="SECONDS", help="that window (%(default)g)"
    )
    parser.add_argument("--url", help="of Baton's nodes, with commas")
    parser.add_argument("--token-file", help="an admin's token")
    parser.add_argument("--ca", help="of the nodes' certificates")
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= MOST_FAILOVERS):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no number from 0 to {MOST_FAILOVERS}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= LONGEST_WINDOW:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no number of seconds from 1 to {LONGEST_WINDOW}")
    return value


async def _alone(service: Service) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await service.start()
    try:
        await ended.wait()
    finally:
        await service.stop()
