# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks all the time which services run on which hosts, and who answers at the VIP. The hosts are containers of this machine."""

import threading
import time
import urllib.request
from pathlib import Path

LOOK_EVERY, ASK_EVERY, ASK_SECONDS = 0.03, 0.05, 0.5


def boottime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Watch:
    """``hosts``: name → container id; ``services``: names of processes. Times are seconds since boot, as in /proc/uptime.

    ``twice``: looks that found a service on two hosts at the same instant. ``answers``: (time, who answered or None).
    ``broken``: why a thread of this ended.
    """

    def __init__(self, hosts, services, url):
        self.hosts, self.services, self.url = hosts, services, url
        self.twice, self.answers, self.broken, self.ever = [], [(0.0, None)], [], set()
        self._now, self._last = set(), {}
        self._ended = threading.Event()
        threads = [
            threading.Thread(target=self._for_ever, args=each, daemon=True) for each in ((self._look, LOOK_EVERY), (self._ask, ASK_EVERY))
        ]
        for thread in threads:
            thread.start()

    def stop(self):
        self._ended.set()

    def running(self):
        """Return what the last look found: {(service, host)}."""
        return self._now

    def last_seen(self, service, host):
        """Return when a service was last seen on a host, 0 for never."""
        return self._last.get((service, host), 0.0)

    def _for_ever(self, what, pause):
        try:
            while not self._ended.wait(pause):
                what()
        except Exception as error:
            self.broken.append(repr(error))

    def _look(self):
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            service = name_of(path)
            if service in self.services:
                host = self._host_of(path)
                if host:
                    found.setdefault((service, host), set()).add(path)
        now = boottime()
        for service in self.services:
            on = [host for host in self.hosts if (service, host) in found]
            # Both at one instant, for certain: each still lives now that all of them have been seen.
            if len(on) > 1 and all(any(name_of(path) == service for path in found[service, host]) for host in on):
                self.twice.append((now, service, on))
        self._now = set(found)
        self.ever |= self._now
        self._last.update((key, now) for key in found)

    def _host_of(self, path):
        try:
            group = (path / "cgroup").read_text()
        except OSError:
            return None
        return next((name for name, container in self.hosts.items() if container in group), None)

    def _ask(self):
        began = boottime()
        try:
            with urllib.request.urlopen(self.url, timeout=ASK_SECONDS) as answer:
                self.answers.append((began, answer.read().decode().strip()))
        except OSError:
            self.answers.append((began, None))


def name_of(path):
    """Return the name of a process, "" when it is gone or dead."""
    try:
        number_and_name, _bracket, rest = (path / "stat").read_text().rpartition(")")
    except OSError:
        return ""
    return "" if rest.split()[0] in "ZX" else number_and_name.partition("(")[2]
