# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers of Redis, or Valkey where that is installed, for tests: members of a set on loopback, as a guest has them."""

import contextlib
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path

from baton.datastores.host.packages import Packages
from baton.datastores.host.runner import Processes
from baton.datastores.host.trouble import Trouble
from baton.datastores.host.valkey import prepare
from baton.datastores.host.valkey.protocol import Session, ValkeyTrouble, text
from baton.datastores.host.valkey.server import Redis, Valkey
from support.mariadb import always, free_port, secrets, until

PATIENCE = 30.0
FIRST = 180  # of the last number of addresses
HANDS = Valkey if shutil.which("valkey-server", path="/usr/bin:/usr/local/bin") else Redis
FOUND = prepare.found_valkey if HANDS is Valkey else prepare.found_redis
ABOVE = (10000, 11000)


def client(member, user="app", password="secret", timeout=10.0):
    """Return a connection of people's over the network."""
    return Session(socket.create_connection((member.address, member.port), timeout=5), user, password, timeout)


class Member:
    """An instance with what its guest knows of it."""

    def __init__(self, pool, number):
        self.id, self.number, self.pool = f"v{number}", number, pool
        self.address = f"127.0.1.{FIRST + number}"
        self.port = free_port(self.address, ABOVE)
        self.memory, self.saved = {}, ""
        self.reborn()

    def reborn(self):
        """Have another life of the guest look after it."""
        if self.saved:
            self.memory = json.loads(self.saved)
        self.server = HANDS(self.pool.folder / self.id, self.id, self.pool.runner, self.memory, self._save, self.pool.packages.need)

    def _save(self):
        self.saved = json.dumps(self.memory)

    @property
    def folder(self):
        return self.pool.folder / self.id

    def args(self, **more):
        return {
            "datastore": HANDS.datastore, "version": self.pool.version, "address": self.address, "port": self.port,
            "server_id": self.number, "secrets": self.pool.secrets, "flavor": {"ram": 64}, **more,
        }  # fmt: skip

    def order(self, verb, stands=lambda: True, **args):
        """Carry an order out to its end."""
        return until(lambda: self.server.do(verb, args, stands), f"{verb} by {self.id}", self.pool.members)

    def ok(self, verb, **args):
        report = self.order(verb, **args)
        assert not report.problem, f"{verb} by {self.id}: {report.problem}"
        return report.found

    def prepare(self, **more):
        self.ok("prepare", **self.args(**more))

    def tend(self):
        if self.server.pid() is not None and self.server.look().up:
            with contextlib.suppress(Trouble):  # as the guest's loop has it
                self.server.tend()

    def follow(self, source):
        return self.order("follow", source=source.id, address=source.address, port=source.port, secrets=self.pool.secrets)

    def ask(self, *words, **who):
        """Ask as a client does, over the network."""
        with client(self, **who) as session:
            return session.ask(*words)

    def root(self, *words):
        """Ask as the guest may."""
        with self.server._instance.session(5.0) as session:
            return session.ask(*words)

    def info(self):
        with self.server._instance.session(5.0) as session:
            return session.info("replication")

    @property
    def follows(self):
        return self.info().get("master_link_status") == "up"

    @property
    def takes_writes(self):
        try:
            return self.ask("SET", "is it open", 1) == b"OK"
        except (ValkeyTrouble, OSError):
            return False

    def names(self):
        return {text(key) for key in self.root("KEYS", "*")}

    def signal(self, number):
        os.kill(self.server.pid(), number)


class Writer:
    """A client that writes in a thread, and keeps what was acknowledged: by the server, and by so many replicas if ``waits``."""

    def __init__(self, member, waits=0, first=0):
        self.member, self.waits, self.first = member, waits, first
        self.acknowledged, self.at, self._stop = [], [], threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        number = self.first
        with contextlib.suppress(ValkeyTrouble, OSError):
            with client(self.member, timeout=60.0) as session:
                while not self._stop.is_set():
                    number += 1
                    session.ask("SET", str(number), "x")
                    if not self.waits or session.number("WAIT", self.waits, 1000) >= self.waits:
                        self.acknowledged.append(str(number))
                        self.at.append(time.monotonic())

    def ended(self):
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return set(self.acknowledged)


class Pool:
    """Members of one set in a folder that the server's user may enter."""

    def __init__(self):
        self.version = FOUND()
        self.folder = Path(tempfile.mkdtemp(prefix="baton-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.runner, self.secrets, self.members = Processes(), secrets(), []
        self.packages = Packages(self.runner, {HANDS.datastore: FOUND}, installs=False)

    def member(self):
        self.members.append(Member(self, len(self.members) + 1))
        return self.members[-1]

    def source(self, **more):
        """Return a new source that takes writes of the user app."""
        member = self.member()
        member.prepare(users=[{"name": "app", "password": "secret"}], **more)
        member.server.open((), always)
        member.server.mark(1, 1)
        return member

    def replica(self, source):
        """Return a new replica that was copied from a source, and may follow it once it counts."""
        member = self.member()
        member.prepare()
        self.copy(source, member)
        assert member.follow(source).found == {}
        return member

    def count(self, source, *members, term=1, number=2):
        """Have a source count those alone, and return once one of them has acknowledged something."""
        source.server.open([member.id for member in members], always)
        marking = threading.Thread(target=source.server.mark, args=(term, number), daemon=True)
        marking.start()
        until(lambda: not marking.is_alive(), "a mark", self.members)

    def copy(self, source, member):
        reports = []
        where = {"to": member.id, "address": member.address, "port": member.port, "secrets": self.secrets}
        sending = threading.Thread(target=lambda: reports.append(source.order("send", **where)))
        sending.start()
        received = member.order("receive", **member.args())
        sending.join(PATIENCE)
        assert [report.problem for report in [received, *reports]] == ["", ""], (received, reports)

    def end(self):
        for member in self.members:
            pid = member.server.pid()
            if pid is not None:
                os.kill(pid, signal.SIGCONT)
                member.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
