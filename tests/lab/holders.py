# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who held the VIP when, by the kernel's own address events; who ran the service when; and what a client could reach through the VIP."""

import select
import socket
import sys
import threading
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Optional

from netns import boottime
from service import PORT

from baton.adapters.vip.netlink import AddressEvent, Monitor

PERIOD = 0.002  # seconds between two questions of the client

ECHO = f"""
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", {PORT}))
while True:
    data, source = server.recvfrom(64)
    server.sendto(data, source)
"""


class Holders(threading.Thread):
    """Listens on all hosts; use as a context manager."""

    def __init__(self, hosts, address):
        super().__init__(daemon=True)
        self._ip = ip_address(address).packed
        self._monitors = {}
        for host in hosts:
            with host.entered():
                self._monitors[Monitor()] = host
        self.events = []  # (time, host, present)
        self._ended = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_exc):
        self._ended = True
        self.join()
        for monitor in self._monitors:
            monitor.close()

    def run(self):
        while not self._ended:
            for monitor in select.select(list(self._monitors), [], [], 0.05)[0]:
                for event in monitor.read() or []:
                    if isinstance(event, AddressEvent) and event.address.ip == self._ip:
                        self.events.append((boottime(), self._monitors[monitor], event.present))

    def taken(self, host):
        """Return when ``host`` got the VIP, or None."""
        return next((moment for moment, where, present in self.events if where is host and present), None)

    def together(self, holders, since, until):
        """Return for how many seconds two or more held it; ``holders``: those who did at ``since``."""
        holding, total, last = set(holders), 0.0, since
        for moment, host, present in [*self.events, (until, None, False)]:
            if moment < since:
                continue
            if len(holding) > 1:
                total += min(moment, until) - last
            last = moment
            (holding.add if present else holding.discard)(host)
        return total


@dataclass
class Run:
    """One life of the service; ``end`` is None while it runs."""

    name: str
    start: float
    end: Optional[float] = None


class Services(threading.Thread):
    """Which of the services of service.py in ``folder`` ran when, frozen ones too; use as a context manager around all of them."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "watch"))
        self._listener.listen()
        self._open = {}  # connection: its Run
        self.runs = []
        self._ended = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_exc):
        self._ended = True
        self.join()
        for connection in (self._listener, *self._open):
            connection.close()

    def run(self):
        while not self._ended:
            for ready in select.select([self._listener, *self._open], [], [], 0.05)[0]:
                if ready is self._listener:
                    self._open[ready.accept()[0]] = None
                else:
                    self._read(ready)

    def _read(self, connection):
        text, life = connection.recv(1024).decode(), self._open[connection]
        for line in text.splitlines():
            word, *rest = line.split()
            if word == "start":
                life = self._open[connection] = Run(rest[0], float(rest[1]))
                self.runs.append(life)
            else:
                life.end = float(rest[0])
        if not text:
            if life is not None and life.end is None:
                life.end = boottime()  # killed
            del self._open[connection]
            connection.close()

    def running(self):
        """Return the names of those that run."""
        return sorted(life.name for life in self.runs if life.end is None)

    def started(self, name, since=0.0):
        """Return when ``name`` was started first after ``since``, or None."""
        return next((life.start for life in self.runs if life.name == name and life.start >= since), None)

    def together(self, since=0.0, until=None):
        """Return for how many seconds two or more ran."""
        until = boottime() if until is None else until
        lives = [(life.start, until if life.end is None else life.end) for life in list(self.runs)]
        edges = sorted((min(max(edge, since), until), step) for start, end in lives for edge, step in ((start, 1), (end, -1)))
        running, total, last = 0, 0.0, since
        for edge, step in edges:
            total += edge - last if running > 1 else 0
            running, last = running + step, edge
        return total


def service(verb, name, folder):
    """Return the command that starts or stops a service."""
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("service.py")), verb, name, str(folder)]


class Client(threading.Thread):
    """Asks through the VIP every few milliseconds; ``answers`` are the times of what came back, ``said`` is the last answer."""

    def __init__(self, host, address):
        super().__init__(daemon=True)
        with host.entered():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._address = (address, PORT)
        self.answers = []
        self.said = ""
        self._ended = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_exc):
        self._ended = True
        self.join()
        self._socket.close()

    def run(self):
        while not self._ended:
            try:
                self._socket.sendto(b"?", self._address)
            except OSError:
                pass  # no route, no neighbour: the outage that is measured
            if select.select([self._socket], [], [], PERIOD)[0]:
                try:
                    self.said = self._socket.recv(64).decode()
                    self.answers.append(boottime())
                    select.select([], [], [], PERIOD / 2)
                except OSError:
                    pass

    def outage(self, since):
        """Return the longest time without an answer after ``since``, in seconds."""
        times = [since, *(moment for moment in self.answers if moment >= since)]
        return max((later - earlier for earlier, later in zip(times, times[1:])), default=float("inf"))


def echo(host):
    """Start something on ``host`` that answers the client."""
    return host.popen(sys.executable, "-c", ECHO)
