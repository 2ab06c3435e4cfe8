# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real PostgreSQL servers for tests: members of a set on loopback, as a guest has them, each with an address of its own."""

import contextlib
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path
from signal import SIGCONT, SIGSTOP

from baton.datastores.host.packages import Packages
from baton.datastores.host.postgresql.prepare import found_version
from baton.datastores.host.postgresql.protocol import Connection, Refused
from baton.datastores.host.postgresql.server import PostgreSQL
from baton.datastores.host.runner import Processes, orphans
from baton.datastores.host.trouble import Trouble
from support.mariadb import always, free_port, secrets

PATIENCE = 30.0
FIRST = 150  # of the last number of addresses


def until(condition, what, members=(), patience=PATIENCE):
    """Return what ``condition`` returns once that is true, while the members are tended."""
    end = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"in {patience:g} s not: {what}"
        for member in members:
            member.tend()
        time.sleep(0.02)


class Client:
    """A connection of people's over the network."""

    def __init__(self, member, user="app", password="secret", database="d", timeout=10.0):
        wire = socket.create_connection((member.address, member.port), timeout=5)
        self._connection = Connection(wire, {"user": user, "database": database}, password, timeout, None)
        self.pid = self._connection.pid

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._connection.close()

    def ask(self, statement):
        """Run it, and return its rows; Refused and OSError say what came of it."""
        return self._connection.ask(statement)

    def is_kept(self, statement):
        """Run it, and return whether its commit was acknowledged: of one that was cancelled in its wait a warning says that it was not."""
        self.ask(statement)
        return not [said for said in self._connection.notices if said.code == "01000"]


class Member:
    """An instance with what its guest knows of it."""

    def __init__(self, pool, number):
        self.id, self.number, self.pool = f"p{number}", number, pool
        self.address = f"127.0.1.{FIRST + number}"
        self.port = free_port(self.address)
        self.memory, self.saved = {}, ""
        self.reborn()

    def reborn(self):
        """Have another life of the guest look after it."""
        if self.saved:
            self.memory = json.loads(self.saved)
        self.server = PostgreSQL(self.pool.folder / self.id, self.id, self.pool.runner, self.memory, self._save, self.pool.packages.need)

    def _save(self):
        self.saved = json.dumps(self.memory)

    @property
    def folder(self):
        return self.pool.folder / self.id

    def args(self, **more):
        return {
            "version": self.pool.version, "address": self.address, "port": self.port, "server_id": self.number,
            "secrets": self.pool.secrets, "flavor": {"ram": 64}, **more,
        }  # fmt: skip

    def order(self, verb, stands=lambda: True, **args):
        """Carry an order out to its end."""
        reports = []

        def done():
            if self.server.pid() is None and self.server.is_ours() and self.memory.get("spec") and verb not in ("receive", "wipe"):
                self.server.start()  # as the guest's loop does
            report = self.server.do(verb, args, stands)
            reports.extend([] if report is None else [report])
            return report

        return until(done, f"{verb} by {self.id}", self.pool.members)

    def ok(self, verb, **args):
        report = self.order(verb, **args)
        assert not report.problem, f"{verb} by {self.id}: {report.problem}"
        return report.found

    def prepare(self, **more):
        self.ok("prepare", **self.args(**more))

    def tend(self):
        if self.server.pid() is not None and self.server.look().up:
            try:
                self.server.tend()
            except Trouble:
                pass  # as the guest's loop has it

    def follow(self, source):
        return self.order("follow", **self.where(source))

    def where(self, source):
        return {"source": source.id, "address": source.address, "port": source.port, "secrets": self.pool.secrets}

    def sql(self, statement, user="app", password="secret", database="d", timeout=10.0):
        """Run a statement as a client does, over the network."""
        with Client(self, user, password, database, timeout) as client:
            return client.ask(statement)

    def root(self, statement, database="d"):
        """Run a statement as the guest may."""
        with self.server._instance.session(10.0, database) as session:
            return session.ask(statement)

    def rows(self):
        return {int(row["id"]) for row in self.root("SELECT id FROM t")}

    @property
    def streams(self):
        return bool(self.root("SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'"))

    @property
    def is_at_rest(self):
        return self.root("SELECT pg_is_in_recovery() AS it") == [{"it": "t"}]

    def waits(self):
        """Return the sessions whose commit waits to be acknowledged."""
        return [int(row["pid"]) for row in self.root("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")]

    def signal(self, number):
        os.kill(self.server.pid(), number)

    def processes(self):
        """Return its process and all that it has begun."""
        program = self.server._instance.program
        found = [self.server._instance.runner.pid(program), *orphans(program)]
        return [pid for pid in found if pid is not None]

    def freeze(self, number=SIGSTOP):
        """Stop all of its processes, as a host that stands still does; SIGCONT has them go on."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


class Writer:
    """A client that writes in a thread, and keeps what was acknowledged, and when."""

    def __init__(self, member, first=0):
        self.member, self.first = member, first
        self.acknowledged, self.at, self._stop = [], [], threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            with Client(self.member, timeout=30.0) as client:
                number = self.first
                while not self._stop.is_set():
                    number += 1
                    if client.is_kept(f"INSERT INTO t VALUES ({number})"):
                        self.acknowledged.append(number)
                        self.at.append(time.monotonic())
        except (Refused, OSError, ValueError):
            pass

    def ended(self):
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.acknowledged


class Pool:
    """Members of one set in a folder that the server's user may enter."""

    def __init__(self):
        self.version = found_version()
        self.folder = Path(tempfile.mkdtemp(prefix="baton-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.runner, self.secrets, self.members = Processes(), secrets(), []
        self.packages = Packages(self.runner, {"postgresql": found_version}, installs=False)

    def member(self):
        self.members.append(Member(self, len(self.members) + 1))
        return self.members[-1]

    def source(self, **more):
        """Return a new source that takes writes, with a table t in the database d of the user app."""
        member = self.member()
        user = {"name": "app", "password": "secret", "databases": [{"name": "d"}]}
        member.prepare(databases=[{"name": "d"}], users=[user], **more)
        member.server.open((), always)
        member.server.mark(1, 1)
        member.sql("CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY)")
        return member

    def replica(self, source):
        """Return a new replica that was copied from a source, and follows it."""
        member = self.member()
        member.prepare()
        self.copy(source, member)
        assert member.follow(source).found == {}
        return member

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
            if member.server.pid() is not None:
                member.freeze(SIGCONT)
                if not member.server._instance.end_at_once(5.0):  # which leaves no shared memory behind
                    member.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
