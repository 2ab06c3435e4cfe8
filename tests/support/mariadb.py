# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real MariaDB servers for tests: members of a set on loopback, as a guest has them, each with an address of its own."""

import contextlib
import datetime
import json
import os
import random
import shutil
import signal
import socket
import threading
import time

import pymysql
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from baton.datastores.host.mariadb.prepare import found_version
from baton.datastores.host.mariadb.server import MariaDB
from baton.datastores.host.packages import Packages
from baton.datastores.host.runner import Processes
from support.disk import quick_folder

VERSION = "10.11"
PATIENCE = 30.0


def always():
    """A server may be opened."""
    return True


def needs_servers():
    """Fail with what to do where there are no packages of MariaDB."""
    missing = [name for name in ("mariadbd", "mariadb-backup") if not shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin")]
    assert not missing, f"there is no {', '.join(missing)}: run `make system`"


def secrets(password="replicas' own"):
    """Return what a set's members share: a password, and a certificate that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a set")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(named).issuer_name(named).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    certificate = builder.not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "replication": password, "key": pem.decode(), "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }  # fmt: skip


def free_port(address, above=(10000,)):
    """Return a port that is free at an address, and those above it, such as the one where copies come."""
    for port in random.sample(range(10240, 65536 - max(above)), 100):
        with contextlib.ExitStack() as sockets:
            try:
                for number in (port, *(port + more for more in above)):
                    sockets.enter_context(socket.socket()).bind((address, number))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


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


class Member:
    """An instance with what its guest knows of it."""

    def __init__(self, pool, number):
        self.id, self.number, self.pool = f"m{number}", number, pool
        self.address = self.address_of(number)
        self.port = self.free_port()
        self.memory, self.saved = {}, ""
        self.reborn()

    def reborn(self):
        """Have another life of the guest look after it."""
        if self.saved:
            self.memory = json.loads(self.saved)
        self.server = self.made()

    def made(self):
        return MariaDB(self.pool.folder / self.id, self.id, self.pool.runner, self.memory, self._save, self.pool.packages.need)

    def address_of(self, number):
        return f"127.0.1.{100 + number}"

    def free_port(self):
        return free_port(self.address)

    def _save(self):
        self.saved = json.dumps(self.memory)

    def args(self, **more):
        return {
            "version": VERSION, "address": self.address, "port": self.port, "server_id": self.number, "secrets": self.pool.secrets,
            "flavor": {"ram": 64}, **more,
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
            self.server.tend()

    def follow(self, source):
        return self.order("follow", source=source.id, address=source.address, port=source.port, secrets=self.pool.secrets)

    def sql(self, statement, user="app", password="secret", timeout=5.0):
        """Run a statement as a client does, over the network."""
        connection = pymysql.connect(
            host=self.address, port=self.port, user=user, password=password, autocommit=True, connect_timeout=5, read_timeout=timeout,
        )  # fmt: skip
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def root(self, statement):
        """Run a statement as the guest may."""
        with self.server._instance.session(5.0) as session:
            return session.ask(statement)

    def follows_as(self):
        rows = self.root("SHOW SLAVE STATUS")
        return rows[0]["Master_User"] if rows and rows[0]["Slave_IO_Running"] == "Yes" and rows[0]["Slave_SQL_Running"] == "Yes" else ""

    def signal(self, number):
        os.kill(self.server.pid(), number)


class Writer:
    """A client that writes in a thread, and keeps what was acknowledged."""

    def __init__(self, member, table="d.t", first=0):
        self.member, self.table, self.first = member, table, first
        self.acknowledged, self._stop = [], threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            connection = pymysql.connect(
                host=self.member.address, port=self.member.port, user="app", password="secret", autocommit=True,
                connect_timeout=5, read_timeout=30,
            )  # fmt: skip
            with connection.cursor() as cursor:
                number = self.first
                while not self._stop.is_set():
                    number += 1
                    cursor.execute(f"INSERT INTO {self.table} VALUES ({number})")
                    self.acknowledged.append(number)
        except (pymysql.err.Error, OSError):
            pass

    def ended(self):
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.acknowledged


class Pool:
    """Members of one set in a folder that the server's user may enter."""

    member_of = Member

    def __init__(self):
        needs_servers()
        self.folder = quick_folder()
        self.runner, self.secrets, self.members = Processes(), secrets(), []
        self.packages = Packages(self.runner, {"mariadb": found_version}, installs=False)

    def member(self, **more):
        self.members.append(self.member_of(self, len(self.members) + 1, **more))
        return self.members[-1]

    def source(self, **more):
        """Return a new source that takes writes, with a table d.t for the user app."""
        member = self.member()
        user = {"name": "app", "password": "secret", "databases": [{"name": "d"}]}
        member.prepare(databases=[{"name": "d"}], users=[user], **more)
        member.server.open((), always)
        member.server.mark(1, 1)
        member.sql("CREATE TABLE IF NOT EXISTS d.t (id INT PRIMARY KEY)")
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
            pid = member.server.pid()
            if pid is not None:
                os.kill(pid, signal.SIGCONT)
                member.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
