# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of etcd's members and of peers: looked up before they are needed, kept for ever, so that
DNS may be out when it matters most.

Decides nothing. A name that was ever known is answered at once, from memory, and looked up anew
beside that. The system's look-up can't be cut short, so each runs in a thread of its own that
nobody waits for at the end: one at a time a name, and a bounded number of names.
"""

from __future__ import annotations

import asyncio
import inspect
import ipaddress
import logging
import socket
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.parse import urlsplit

from .aio import aiohttp

LOG = logging.getLogger("baton.resolver")
PERIOD = 30.0  # seconds between two look-ups of a name that nobody asks for
FRESH = 5.0  # seconds during which addresses are not looked up anew, however often they are used
PATIENCE = 0.2  # seconds that a call waits for a name that was never known; its own limit is 0.3
LIMIT = 5.0  # seconds after which a look-up has failed, as far as the journal is concerned
MOST_NAMES = 64  # the one that was not used for longest makes way; as many threads, at the worst
NEXT_ADDRESS = 0.1  # seconds until a connection is tried to the next address of a name as well
ONE_FAILURE = 0.25  # seconds in which several calls that fail have all tried the same address

Address = Tuple[int, str]  # family, and the address as numbers


class Unresolved(OSError):
    """A name has no address that we know."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(socket.EAI_AGAIN, f"the name {host} can't be resolved: {why}")

    def __str__(self) -> str:
        return str(self.strerror)


def look_up(host: str) -> List[Address]:
    """Ask the system for a name's addresses; blocks, for half a minute if it likes.

    OSError or ValueError when there are none.
    """
    flags = socket.AI_ADDRCONFIG
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=flags)
    addresses: List[Address] = []
    for family, _kind, _protocol, _name, address in found:
        text = str(address[0])
        if family == socket.AF_INET6 and len(address) == 4 and address[3]:
            # A link-local address means nothing without its interface.
            text = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
        if family in (socket.AF_INET, socket.AF_INET6) and (family, text) not in addresses:
            addresses.append((family, text))
    return addresses


def host_of(url: str) -> str:
    """Return the name in an URL, "" where there is none that would have to be looked up."""
    try:
        host = urlsplit(url).hostname or ""
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return ""


def reason(error: BaseException) -> str:
    """Return why a request failed in a few words: DNS as DNS, and never an empty text.

    What aiohttp says of a connection that failed has the name again, and an object's address.
    """
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", error)
    return str(getattr(cause, "strerror", None) or cause) or type(error).__name__


class _Name:
    """What is known of one name. Times are the loop's, in seconds."""

    def __init__(self) -> None:
        self.addresses: List[Address] = []
        self.error = ""
        self.began = float("-inf")
        self.used = self.turned = float("-inf")
        self.lost = False  # it was known, and the last look-up failed: the journal has that
        self.answer: Optional["asyncio.Future[None]"] = None  # while a look-up is under way
        self.timer: Optional[asyncio.TimerHandle] = None


class Resolver:
    """An aiohttp.abc.AbstractResolver by its methods: this file travels to where aiohttp is not.

    To be made in a running loop. ``system`` asks the system, in a thread.
    """

    def __init__(self, system: Callable[[str], List[Address]] = look_up) -> None:
        self._system = system
        self._loop = asyncio.get_running_loop()
        self._names: Dict[str, _Name] = {}
        self._stopped = False

    def connector(self) -> Any:
        """Return a connector for a session of aiohttp that gets its addresses here."""
        options: Dict[str, Any] = {"resolver": self, "use_dns_cache": False}
        if "happy_eyeballs_delay" in inspect.signature(aiohttp.TCPConnector).parameters:
            options["happy_eyeballs_delay"] = NEXT_ADDRESS
        return aiohttp.TCPConnector(**options)

    def stop(self) -> None:
        """Look nothing up any more."""
        self._stopped = True
        for name in self._names.values():
            if name.timer is not None:
                name.timer.cancel()

    async def close(self) -> None:
        """A session that ends leaves the names to the others."""

    def ahead(self, url: str) -> None:
        """Look up the name in an URL that will be asked soon, and keep it known."""
        host = host_of(url)
        if host:
            self._look_up(host, self._name(host))

    def another(self, url: str) -> None:
        """Begin with another address of this name the next time: this one did not answer."""
        name = self._names.get(host_of(url))
        if name is not None and self._loop.time() - name.turned > ONE_FAILURE:
            name.turned = self._loop.time()
            name.addresses = name.addresses[1:] + name.addresses[:1]

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> List[Dict[str, Any]]:
        """Return addresses as aiohttp wants them. Takes ``PATIENCE`` at most; raises Unresolved."""
        name = self._name(host)
        self._look_up(host, name)
        if not name.addresses and name.answer is not None:
            left = name.began + PATIENCE - self._loop.time()
            await asyncio.wait({name.answer}, timeout=max(left, 0.0))
        if not name.addresses:
            raise Unresolved(host, name.error if name.answer is None else "DNS does not answer")
        wanted = [found for found in name.addresses if family in (0, found[0])]
        if not wanted:
            raise Unresolved(host, "it has no address of the family that is used here")
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            {
                "hostname": host,  # which TLS goes on to verify
                "host": address,
                "port": port,
                "family": kind,
                "proto": socket.IPPROTO_TCP,
                "flags": flags,
            }
            for kind, address in wanted
        ]

    # --- looking up ---

    def _name(self, host: str) -> _Name:
        """Return what is known of a name; a new one takes the place of an old one if need be."""
        name = self._names.get(host)
        if name is None:
            name = self._names[host] = _Name()
            self._make_room()
        name.used = self._loop.time()
        return name

    def _make_room(self) -> None:
        idle = [host for host, name in self._names.items() if name.answer is None]
        others = idle[:-1]  # but the newest
        if len(self._names) > MOST_NAMES and others:
            old = self._names.pop(min(others, key=lambda host: self._names[host].used))
            if old.timer is not None:
                old.timer.cancel()

    def _look_up(self, host: str, name: _Name, fresh: float = FRESH) -> None:
        """Begin to look a name up unless that is under way, or was done ``fresh`` seconds ago."""
        now = self._loop.time()
        if not name.addresses:
            fresh = min(fresh, PATIENCE)
        if self._stopped or name.answer is not None or now - name.began < fresh:
            return
        if sum(one.answer is not None for one in self._names.values()) >= MOST_NAMES:
            name.error = "too many other look-ups are under way"
            return
        name.began, name.answer = now, self._loop.create_future()
        self._again(host, name, LIMIT)
        work = threading.Thread(target=self._in_thread, args=(host,), name="baton-dns", daemon=True)
        try:
            work.start()
        except RuntimeError as error:  # the system has no thread left
            self._done(host, [], str(error))

    def _in_thread(self, host: str) -> None:
        found: List[Address] = []
        error = "it has no address"
        try:
            found = self._system(host)
        except OSError as problem:
            error = problem.strerror or str(problem)
        except ValueError:
            error = "it is not a name that DNS can have"
        finally:  # or nobody would ever look it up again
            self._hand_over(host, found, error)

    def _hand_over(self, host: str, found: List[Address], error: str) -> None:
        try:
            self._loop.call_soon_threadsafe(self._done, host, found, error)
        except RuntimeError:
            pass  # the loop has ended meanwhile

    def _done(self, host: str, found: List[Address], error: str) -> None:
        name = self._names[host]
        if name.answer is not None:
            name.answer.set_result(None)
            name.answer = None
        if found:
            known = name.addresses
            # Those that are known stay in their order, which says what answered last.
            stay = [address for address in known if address in found]
            name.addresses = stay + [address for address in found if address not in stay]
            name.error = ""
            if name.lost:
                name.lost = False
                LOG.info("the name %s can be resolved again", host)
        else:
            self._failed(host, name, error)
        if not self._stopped:
            self._again(host, name, PERIOD)

    def _again(self, host: str, name: _Name, seconds: float) -> None:
        """Come back to a name after a while: to look it up, or to see that DNS takes too long."""
        if name.timer is not None:
            name.timer.cancel()
        name.timer = self._loop.call_later(seconds, self._due, host, name)

    def _due(self, host: str, name: _Name) -> None:
        if name.answer is not None:
            self._failed(host, name, "DNS does not answer")
        self._look_up(host, name, 0.0)

    def _failed(self, host: str, name: _Name, error: str) -> None:
        name.error = error
        if name.addresses and not name.lost:
            name.lost = True
            last = ", ".join(address for _family, address in name.addresses)
            LOG.warning(
                "the name %s can't be resolved any more (%s): look at DNS; %s stays in use",
                host,
                error,
                last,
            )
