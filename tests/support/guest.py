# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest that runs in a thread of its own, and the document of its host, which a test writes."""

import asyncio
import contextlib
import threading
from dataclasses import replace

from baton.datastores.host.channel import Seen
from baton.datastores.host.loop import Guest
from baton.datastores.model.channel import Channel
from baton.datastores.model.documents import PoolHost

LEASE = 600.0
PATIENCE = 30.0


class Cluster:
    """The document of one host, and a link to it that never fails."""

    def __init__(self):
        self.channel, self.number, self._changed = Channel(True), 1, threading.Condition()

    def say(self, **what):
        with self._changed:
            self.channel, self.number = replace(self.channel, **what), self.number + 1
            self._changed.notify_all()

    def read(self):
        return Seen(f"1.{self.number}", PoolHost("h", channel=self.channel))

    def wait(self, revision):
        with self._changed:
            self._changed.wait_for(lambda: revision != f"1.{self.number}", 0.1)
        return self.read()

    def renew(self, _patience):
        return LEASE

    def claim(self, key, term, _seen):
        self.say(claims={**self.channel.claims, key: term})

    def opened(self, key, grant, _seen):
        self.say(opened={**self.channel.opened, key: grant})

    def end(self, key, end, _seen):
        claims = {name: term for name, term in self.channel.claims.items() if name != key}
        self.say(claims=claims, ends={**self.channel.ends, key: end})

    def report(self, key, report, _seen):
        self.say(reports={**self.channel.reports, key: report})

    def servers(self, servers, _seen):
        self.say(servers=servers)


@contextlib.contextmanager
def running(cluster, journal, guarded, make):
    """Have a guest run, and be ended."""
    made = Guest(lambda: cluster, journal, guarded, make, LEASE, {})
    made.cluster, loops = cluster, []

    async def run():
        loops.append(asyncio.get_running_loop())
        await made.run()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield made
    finally:
        until(lambda: loops, "it has begun")
        loops[0].call_soon_threadsafe(made.stop)
        thread.join(PATIENCE)
        assert not thread.is_alive()


def until(condition, what):
    """Return what ``condition`` returns once that is true."""
    end = threading.Event()
    for _look in range(int(PATIENCE / 0.01)):
        found = condition()
        if found:
            return found
        end.wait(0.01)
    raise AssertionError(f"not in {PATIENCE:g} s: {what}")
