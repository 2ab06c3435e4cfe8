# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening sockets, and who gets in (core/admission.py decides). We accept by ourselves: asyncio would count a connection only once
its TLS handshake is done, and writes a traceback for each one for which there is no descriptor left.

Bodies are taken as they are sent: compressed ones are refused in app.py, before a byte of them is expanded.
"""
from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import resource
import socket
import ssl
import sys
from typing import Any, Dict, List, Optional, Set

from ...core.admission import Admission, Limits
from ..aio import web
from ..folded import Folded
from .connection import HEADER_SECONDS, IDLE_SECONDS, Bodies, Connection, Silent

LOG = logging.getLogger("baton.http")
STOP_SECONDS = 2.0
LOOK_SECONDS = 1.0  # between looks at who has had its time
AT_ONCE = 32  # connections taken before those that there are have their turn
BACKLOG = 1024
PAUSE_SECONDS = 0.25  # when there is no descriptor left
SHORT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
TROUBLE_SECONDS = 60.0  # for which a shortage is told after it was felt


class Server:
    """An application on a port."""

    def __init__(self, app: Any, limits: Optional[Limits] = None) -> None:
        """``limits``: of connections; without, they are made for the descriptors that this process may have."""
        self._runner: Any = web.AppRunner(app, access_log=None, handle_signals=False)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.admission = Admission(limits or Limits.of(files if files >= 0 else 1 << 20))
        self._loop = asyncio.get_running_loop()
        self._log, self._folded = Silent("baton.http.connection"), Folded(LOG.warning)
        self._bodies = Bodies()
        self._tls: Optional[ssl.SSLContext] = None
        self._sockets: List[socket.socket] = []
        self._listens = False
        self._arriving: Dict[Connection, socket.socket] = {}
        self._tasks: Set["asyncio.Task[None]"] = set()
        self._watching: Optional["asyncio.Task[None]"] = None
        self._trouble, self._felt = "", -TROUBLE_SECONDS
        self.pushed_out = 0  # strangers who made room

    async def start(self, host: str, port: int, tls: Optional[ssl.SSLContext]) -> None:
        """Listen; OSError when the address can't be had."""
        await self._runner.setup()
        self._tls = tls
        self._sockets = await _sockets(host, port)
        self._listen()
        self._watching = self._loop.create_task(self._watch())

    def close(self) -> None:
        """Take no more connections."""
        self._pause()
        for listening in self._sockets:
            listening.close()
        self._sockets = []

    async def stop(self) -> None:
        """End those that are open; aiohttp would wait a minute for one that a peer has just made."""
        self.close()
        tasks = [*self._tasks, *([self._watching] if self._watching is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await asyncio.wait_for(self._runner.cleanup(), STOP_SECONDS)
        except asyncio.TimeoutError:
            LOG.info("left connections that did not end by themselves")

    def status(self) -> Dict[str, Any]:
        """Return how many connections there are, and may be."""
        admission, limits = self.admission, self.admission.limits
        strangers, clients, admins, nodes = admission.counts
        return {
            "used": admission.used,
            "limit": limits.total,
            "without_token": strangers,
            "limit_without_token": limits.strangers,
            "with_token": clients + admins,
            "limit_with_token": limits.known,
            "nodes": nodes,
            "pushed_out": self.pushed_out,
        }

    def trouble(self) -> str:
        """Return what keeps clients out that have a token, "" if nothing does."""
        return self._trouble if self._loop.time() - self._felt < TROUBLE_SECONDS else ""

    # --- letting in -----------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._listens = bool(self._sockets)
        for listening in self._sockets:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    def _pause(self) -> None:
        self._listens = False
        for listening in self._sockets:
            self._loop.remove_reader(listening.fileno())

    def _resume(self) -> None:
        if not self._listens and not self.admission.full:
            self._listen()

    def _accept(self, listening: socket.socket) -> None:
        for _number in range(AT_ONCE):
            if self.admission.full:
                self._pause()  # until somebody goes
                self._feel(f"all {self.admission.limits.total} connections are in use")
                return
            try:
                accepted, where = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:
                if error.errno not in SHORT_OF:
                    raise
                self._pause()
                self._loop.call_later(PAUSE_SECONDS, self._resume)
                self._feel(f"no connection can be taken: {error.strerror}")
                return
            accepted.setblocking(False)
            self._let_in(accepted, _address(where))

    def _feel(self, trouble: str) -> None:
        self._trouble, self._felt = f"{trouble}; the journal says who has them", self._loop.time()
        self._folded.say("full", f"{trouble}: {self._who()}")

    def _who(self) -> str:
        strangers, clients, admins, nodes = self.admission.counts
        crowd = self.admission.crowd()
        most = f" (most from {crowd})" if crowd else ""
        return f"{strangers} without a token{most}, {clients + admins} with one, {nodes} of nodes"

    def _let_in(self, accepted: socket.socket, address: str) -> None:
        connection = Connection(
            self._runner.server, loop=self._loop, access_log=None, logger=self._log, auto_decompress=False,
            keepalive_timeout=2 * IDLE_SECONDS, rank=self._known, gone=self._gone, bodies=self._bodies,
        )  # fmt: skip
        pushed = self.admission.enter(connection, address)
        if pushed is not None:
            self.pushed_out += 1
            self._folded.say("pushed", f"the oldest connections without a token make room for new ones: there are {self._who()}")
            self._cut_off(pushed)
        self._arriving[connection] = accepted
        task = self._loop.create_task(self._arrive(connection, accepted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _arrive(self, connection: Connection, accepted: socket.socket) -> None:
        """See a connection through to its first request: the handshake, if there is one."""
        more: Dict[str, Any] = {}
        if self._tls is not None:
            more = {"ssl": self._tls, "ssl_handshake_timeout": HEADER_SECONDS}
            if sys.version_info >= (3, 11):
                more["ssl_shutdown_timeout"] = STOP_SECONDS
        try:
            await self._loop.connect_accepted_socket(lambda: connection, accepted, **more)
        except Exception:  # no handshake came of it; asyncio has closed the socket
            self._gone(connection)
        finally:
            self._arriving.pop(connection, None)

    def _cut_off(self, connection: Connection) -> None:
        arriving = self._arriving.get(connection)
        if arriving is None:
            connection.cut_off()
            return
        with contextlib.suppress(OSError):
            arriving.shutdown(socket.SHUT_RDWR)  # which ends the handshake

    def _known(self, connection: Connection, rank: int) -> None:
        self.admission.knows(connection, rank)

    def _gone(self, connection: Connection) -> None:
        self.admission.leave(connection)
        self._resume()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self._loop.time()
            for connection in self.admission.names():
                if connection.overdue(now):
                    self._cut_off(connection)


async def _sockets(host: str, port: int) -> List[socket.socket]:
    """Return sockets that listen on all addresses of a host; "::" takes IPv4, too, whatever the host's settings."""
    if host == "::":
        made = [socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)]
    else:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        made = []
        for family, where in dict.fromkeys((family, where) for family, _type, _proto, _name, where in found):
            try:
                made.append(socket.create_server(where, family=family, backlog=BACKLOG))
            except OSError:
                for other in made:
                    other.close()
                raise
    for listening in made:
        listening.setblocking(False)
    return made


def _address(where: Any) -> str:
    """Return where a client is, as far as it can be told from others: of IPv6 the network, which is one host's or one site's."""
    address = ipaddress.ip_address(str(where[0]).partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
