# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links between nodes: a WebSocket a direction, kept up for ever, and the endpoint that takes the other's.

Decides nothing: a message is sent if its link is up and dropped if not; the core says again what matters.
"""
from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
import ssl
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Set, Tuple, Union

from ...core.events import Event, LinkDown, LinkUp, Received, ReleaseNotice, TwinSeen
from ...core.model import messages
from ...core.model.log import Epoch
from ...ground import form
from ..aio import aiohttp, web, within
from ..disk.files import BlobStore
from ..folded import Folded
from ..resolver import Resolver, reason
from ..turns import LARGE
from .notice import NODE_HEADER

LOG = logging.getLogger("baton.peers")
PATH = "/peer/v1/link"
PROCESS_HEADER = "X-Baton-Process"
MAX_QUEUE = 2 * messages.MOST_FRAME  # characters that may wait for a slow peer before its link is given up
MAX_BACK = 1 << 20  # bytes of what comes back on a link
MOST_ANSWERS = 32  # that may be on their way back
MOST_LINKS = 256  # to all nodes
MOST_URLS = 8  # at which one node is looked for
MOST_UNKNOWN = 20  # types of messages that are said once to be unknown
CLOSE_SECONDS = 1.0
BACKOFF = (0.05, 0.1, 0.2, 0.5, 1.0)


class Link:
    """Our way to one peer. Its name is known once it has answered; ``expected``: who it should be, "" where that is open."""

    def __init__(self, links: "Links", url: str, expected: str = "") -> None:
        self.links = links
        self.url = url
        self.expected = expected
        self.node = ""
        self.error = ""
        self._queue: Deque[str] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._overflow = asyncio.Event()
        self.socket: Any = None
        self.task = asyncio.get_running_loop().create_task(self._keep_up())

    def send(self, text: str) -> None:
        """Queue a message. A peer that takes too little loses its link, and all that waits for it."""
        if self._queued + len(text) > MAX_QUEUE:
            self._overflow.set()
            return
        self._queue.append(text)
        self._queued += len(text)
        self._wake.set()

    async def _keep_up(self) -> None:
        failures = 0
        while True:
            try:
                await self._session()
                failures = 0
            except (OSError, aiohttp.ClientError, asyncio.TimeoutError, ValueError) as error:
                self.links.resolver.another(self.url)
                text = reason(error)
                if text != self.error:
                    self.error = text
                    LOG.info("no link to %s: %s", self.url, text)
            finally:
                if self.node and self.links.by_node.get(self.node) is self:
                    del self.links.by_node[self.node]
                    self.links.tell(LinkDown(self.node))
                self.node = ""
                self._queue.clear()
                self._queued = 0
            await asyncio.sleep(BACKOFF[min(failures, len(BACKOFF) - 1)])
            failures += 1

    async def _session(self) -> None:
        connecting = self.links.session.ws_connect(
            self.url.rstrip("/") + PATH, headers=self.links.headers, ssl=self.links.tls, max_msg_size=MAX_BACK, heartbeat=10
        )
        self.socket = socket = await within(5, connecting)
        try:
            self.node, self.error = self._answered(socket._response.headers, socket.get_extra_info("peercert")), ""
            self.expected = self.node
            self.links.by_node[self.node] = self
            self._overflow.clear()
            self.links.tell(LinkUp(self.node))
            await self._until_closed(socket)
        finally:
            try:
                await within(CLOSE_SECONDS, socket.close())
            except asyncio.TimeoutError:
                pass  # it takes nothing, not even this; the connection is dropped all the same

    def _answered(self, headers: Any, peercert: Any) -> str:
        """Return who answered, ``peercert`` being its certificate; ValueError where no link is to be kept."""
        node, process = headers.get(NODE_HEADER, ""), headers.get(PROCESS_HEADER, "")
        if not form.is_node_id(node):
            raise ValueError(f"{self.url} is not a Baton node")
        if not self.links.is_certified(node, peercert):
            raise ValueError(f"{self.url} answers as {node}, without a certificate in that name")
        if node == self.links.me:
            if process and process != self.links.process:
                self.links.tell(TwinSeen(self.url))
            raise ValueError(f"{self.url} is this node itself, or one of the same name")
        other = self.links.by_node.get(node)
        if other is not None:
            raise ValueError(f"{self.url} answers as {node}, to which there is a link already: {other.url}")
        return str(node)

    async def _until_closed(self, socket: Any) -> None:
        loop = asyncio.get_running_loop()
        ends = [loop.create_task(work) for work in (self._watch(socket), self._pump(socket), self._overflow.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._overflow.is_set():
                raise ValueError(f"{self.node} takes too little: {MAX_QUEUE >> 20} MiB wait for it")
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def _watch(self, socket: Any) -> None:
        """End when the peer closes. What comes this way is meant for this process: that it is refused, and why."""
        async for frame in socket:
            if frame.type == aiohttp.WSMsgType.TEXT:
                try:
                    message = messages.read(frame.data)
                except ValueError:
                    continue  # of a newer version
                if isinstance(message, messages.Refuse):
                    self.links.tell(Received(self.node, message))

    async def _pump(self, socket: Any) -> None:
        while True:
            while self._queue:
                text = self._queue.popleft()
                self._queued -= len(text)
                await socket.send_str(text)
            self._wake.clear()
            await self._wake.wait()


class Links:
    """All links of a node. ``tell`` gets LinkUp, LinkDown and Received events."""

    def __init__(
        self,
        me: str,
        process: str,
        tokens: Sequence[str],
        tls: Optional[ssl.SSLContext],
        tell: Callable[[Event], None],
        resolver: Resolver,
    ) -> None:
        self.me = me
        self.process = process  # unique: another process that answers under our name is a twin
        self._unknown: Set[str] = set()
        self._refused = Folded(LOG.warning)
        self._not_understood = Folded(LOG.error)
        self.resolver = resolver
        self.tokens = tokens
        self.tls: Any = tls if tls is not None else True
        self.tell = tell
        self.by_node: Dict[str, Link] = {}
        self._by_url: Dict[str, Link] = {}
        self._incoming: Dict[Any, Tuple[str, str]] = {}  # socket → node and process
        self._answers: Set["asyncio.Task[None]"] = set()
        self.session: Any = None

    @property
    def token(self) -> str:
        """The secret that we show."""
        return self.tokens[0]

    @property
    def headers(self) -> Dict[str, str]:
        """What we show to a peer."""
        return {"Authorization": f"Bearer {self.token}", NODE_HEADER: self.me, PROCESS_HEADER: self.process}

    def knows(self, token: str) -> bool:
        """Whether this is a secret of the nodes; there are two while it is renewed."""
        given = token.encode("utf-8", "surrogateescape")
        return any(hmac.compare_digest(given, known.encode()) for known in self.tokens)

    async def start(self) -> None:
        self.session = aiohttp.ClientSession(
            connector=self.resolver.connector(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=3),
        )

    async def stop(self) -> None:
        for link in list(self._by_url.values()):
            link.task.cancel()
        await asyncio.gather(*(link.task for link in self._by_url.values()), return_exceptions=True)
        await asyncio.gather(*(socket.close() for socket in tuple(self._incoming)), return_exceptions=True)
        if self.session is not None:
            await self.session.close()

    async def renew(self) -> None:
        """End every connection with a peer; those that may be made anew are, at once."""
        sockets = [link.socket for link in self._by_url.values() if link.socket is not None]
        await asyncio.gather(*(socket.close() for socket in (*sockets, *self._incoming)), return_exceptions=True)

    def connect(self, url: str, node: str = "") -> None:
        """Keep a link to this URL, at which ``node`` is expected. Of many URLs for one node the newest are tried."""
        if not url or url in self._by_url:
            return
        try:
            form.url(url)
        except ValueError as error:
            self._refused.say(f"url {node}", f"no link to {node or 'a peer'}: {error}")
            return
        of_node = [link for link in self._by_url.values() if node and link.expected == node and not link.node]
        if len(self._by_url) >= MOST_LINKS and not of_node:
            self._refused.say("links", f"no link to {node} at {url}: there are {MOST_LINKS} links")
            return
        if len(of_node) >= MOST_URLS or len(self._by_url) >= MOST_LINKS:
            self._give_up(of_node[0])
        self.resolver.ahead(url)
        self._by_url[url] = Link(self, url, node)

    def _give_up(self, link: Link) -> None:
        del self._by_url[link.url]
        link.task.cancel()

    def disconnect(self, node: str) -> None:
        """Give up every link to a node, whether it is up or not."""
        for link in [link for link in self._by_url.values() if link.expected == node]:
            self._give_up(link)

    def send(self, node: str, message: messages.Message) -> None:
        link = self.by_node.get(node)
        if link is not None:
            link.send(messages.write(message))

    def send_back(self, node: str, process: str, message: messages.Message) -> None:
        """Answer one process on its own link, if it has one and the last answer is gone."""
        text = messages.write(message)
        for socket, whose in self._incoming.items():
            if whose == (node, process) and len(self._answers) < MOST_ANSWERS:
                task = asyncio.get_running_loop().create_task(socket.send_str(text))
                self._answers.add(task)
                task.add_done_callback(self._answered)

    def _answered(self, task: "asyncio.Task[None]") -> None:
        self._answers.discard(task)
        if not task.cancelled():
            task.exception()  # a link that has ended meanwhile needs no answer

    def url_of(self, node: str) -> str:
        link = self.by_node.get(node)
        return link.url if link is not None else ""

    async def fetch_blob(self, url: str, sha256: str, blobs: BlobStore) -> None:
        """Copy one file content from a peer; ValueError when it has not got it either."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
        address = f"{url.rstrip('/')}/peer/v1/blobs/{form.sha256(sha256)}"
        async with self.session.get(address, headers=self.headers, ssl=self.tls, timeout=timeout) as response:
            if response.status != 200:
                raise ValueError(f"{url or 'the active'} answered {response.status}")
            await blobs.receive(response.content, response.content_length or 0, sha256)

    # --- the other direction --------------------------------------------------------------------------------------------

    def allowed(self, request: Any) -> bool:
        """Whether a request comes from a node: it knows the HA token and, with TLS, shows a certificate in its name."""
        scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self.knows(token):
            return False
        certificate = request.transport.get_extra_info("peercert") if request.transport is not None else None
        return self.is_certified(request.headers.get(NODE_HEADER, ""), certificate)

    def is_certified(self, node: str, peercert: Any) -> bool:
        """Whether a certificate is that of ``node``; without TLS nobody has one, and the secret is all there is."""
        return self.tls is True or _common_names(peercert) == [node]

    def may_order(self, request: Any) -> bool:
        """Whether who has shown the secret may give orders by it: with a node's certificate, or on this host, where only root reads it.

        The secret alone, wherever it was copied to, is worth nothing.
        """
        transport = request.transport
        if self.tls is True or transport is None:
            return self.tls is True
        names = _common_names(transport.get_extra_info("peercert"))
        return (len(names) == 1 and form.is_node_id(names[0])) or _is_local(transport)

    async def serve_notice(self, request: Any) -> Any:
        """Take a release notice; only a node itself, or its guard, may speak of its own end."""
        node = self._sender(request)
        if not node:
            self._refuse_link(request, "a release notice of")
            return web.Response(status=403, text="wrong HA token or certificate\n")
        try:
            data = form.members(form.read_json((await request.read()).decode("utf-8")))
            epoch = form.take(data, "epoch", Epoch.read)
            notice = ReleaseNotice(form.take(data, "node", form.node_id), epoch, data.get("drivers") is True)
        except ValueError:
            return web.Response(status=400, text="a release notice has node and epoch\n")
        if notice.node != node:
            return web.Response(status=403, text=f"{node} can't speak for {notice.node}\n")
        self.tell(notice)
        return web.Response(status=204)

    def _sender(self, request: Any) -> str:
        """Return whose request this is, "" where it is not a node's."""
        node = request.headers.get(NODE_HEADER, "")
        return node if form.is_node_id(node) and self.allowed(request) else ""

    def _refuse_link(self, request: Any, what: str) -> None:
        who = f"{ascii(request.headers.get(NODE_HEADER, '') or '?')[1:-1][:64]} ({request.remote})"
        self._refused.say(f"{what} {request.remote}", f"refused {what} {who}: wrong HA token or certificate")

    async def serve(self, request: Any) -> Any:
        """Take messages from a peer until it goes away."""
        node, process = self._sender(request), request.headers.get(PROCESS_HEADER, "")
        if not node or len(process) > 128:
            self._refuse_link(request, "a link from")
            return web.Response(status=403, text="wrong HA token or certificate\n", headers={NODE_HEADER: self.me})
        socket = web.WebSocketResponse(max_msg_size=messages.MOST_FRAME, heartbeat=10)
        socket.headers[NODE_HEADER], socket.headers[PROCESS_HEADER] = self.me, self.process
        await socket.prepare(request)
        self._incoming[socket] = (node, process)
        try:
            async for frame in socket:
                if frame.type != aiohttp.WSMsgType.TEXT:
                    continue
                message = self._read(node, frame.data)
                if len(frame.data) > LARGE:
                    await asyncio.sleep(0)  # reading it takes a while, and what follows from it: the loop is free in between
                if isinstance(message, str):
                    await socket.send_str(json.dumps({"type": "Ignored", "of": message}))
                    continue
                self.tell(Received(node, message))
                if len(frame.data) > LARGE:
                    await asyncio.sleep(0)  # frames that are here already would follow one another without a break
        except ValueError as error:
            self._not_understood.say(node, f"{node} sent what this version does not understand: {error}; its link was ended")
        finally:
            del self._incoming[socket]
        return socket

    def _read(self, node: str, text: str) -> Union[messages.Message, str]:
        """Read a message; one of a newer version is ignored: its type is returned, and said once."""
        try:
            return messages.read(text)
        except messages.UnknownMessage as error:
            if str(error) not in self._unknown and len(self._unknown) < MOST_UNKNOWN:
                self._unknown.add(str(error))
                LOG.info("%s, of a newer version, says %a, which this one ignores", node, str(error))
            return str(error)


def _common_names(peercert: Any) -> List[str]:
    """Return the common names of a certificate that was verified, none where there is none."""
    return [value for rdn in (peercert or {}).get("subject", ()) for key, value in rdn if key == "commonName"]


def _is_local(transport: Any) -> bool:
    """Whether a connection comes from this host: from the very address that it came to, or over loopback."""
    ours, theirs = (transport.get_extra_info(name) for name in ("sockname", "peername"))
    if not ours or not theirs:
        return False
    found = ipaddress.ip_address(str(theirs[0]).partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback) or theirs[0] == ours[0]
