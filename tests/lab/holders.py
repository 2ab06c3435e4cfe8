# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who held the VIP when, by the kernel's own address events on every host, and what a client that uses it could reach."""

import select
import socket
import sys
import threading
from ipaddress import ip_address

from netns import boottime

from baton.adapters.netlink import AddressEvent, Monitor

PORT = 7777
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


class Client(threading.Thread):
    """Asks through the VIP every few milliseconds; ``answers`` are the times of what came back."""

    def __init__(self, host, address):
        super().__init__(daemon=True)
        with host.entered():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._address = (address, PORT)
        self.answers = []
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
                    self._socket.recv(64)
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
