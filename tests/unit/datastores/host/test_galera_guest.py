# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest, its guard and a real member of a cluster: orders, a server that freezes, and a guest that dies in the middle."""

import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import pymysql
import pytest

from baton.datastores.host.guarded import Guarded
from baton.datastores.host.journal import Journal
from baton.datastores.host.runner import Processes, Program
from baton.datastores.host.serve import hands_of
from baton.datastores.model.channel import Order
from support.galera import ClusterPool
from support.guest import Cluster, running, until
from support.programs import program


@pytest.fixture(scope="module")
def pool():
    """A cluster of a member m1 and an arbiter m2, and a place for m3."""
    pool = ClusterPool()
    try:
        pool.first()
        arbiter = pool.member(kind="arbiter")
        arbiter.prepare()
        assert arbiter.join() == {}
        pool.member()
        yield pool
    finally:
        for pid in left_of(pool.folder):
            os.kill(pid, signal.SIGKILL)
        pool.end()


def left_of(folder):
    """Return the guard, and servers that the guest has started: none of them ends with it."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(os.fsencode(folder) + b"/" in word for word in words):
                yield int(entry.name)


class Host:
    """The host of m3, whose guest may live more than once."""

    def __init__(self, pool):
        self.pool, self.folder, self.cluster, self.orders = pool, pool.folder, Cluster(), 0

    def guest(self):
        path, runner = self.folder / "guard.sock", Processes()
        guard = Program("guard", (sys.executable, str(program("baton-guest")), "guard", str(path)), self.folder)
        journal = Journal(self.folder)

        def make(name, memory):
            return hands_of(memory)(self.folder / name, name, runner, memory, journal.save, self.pool.packages.need)

        return running(self.cluster, journal, Guarded(path, partial(runner.start, guard)), make)

    def begin(self, verb, **args):
        self.orders += 1
        key = f"o{self.orders}"
        self.cluster.say(orders={key: Order(verb, "m3", "c1", args=args)}, reports={})
        return key

    def ended(self, key):
        report = until(lambda: self.cluster.channel.reports.get(key), "the order is done")
        assert report.problem == "", report
        return report.found

    def ok(self, verb, **args):
        return self.ended(self.begin(verb, **args))

    @property
    def server(self):
        return self.cluster.channel.servers.get("m3")


@pytest.fixture(scope="module")
def host(pool):
    """Of m3, a member that its guest has made, as orders say."""
    host, member = Host(pool), pool.members[2]
    with host.guest():
        host.ok("prepare", **member.args())
        receiving = host.begin("receive", **member.args())
        pool.members[0].ok("send", to="m3", **member.where, secrets=pool.secrets)
        host.ended(receiving)
        assert host.ok("join", **pool.group(), formed=None) == {}
    return host


def client(member):
    return pymysql.connect(host=member.address, port=member.port, user="app", password="secret", connect_timeout=5, read_timeout=30)


def pid_of(guest):
    return guest.instances["m3"].pid


def test_a_server_that_freezes_is_killed_and_says_nothing_that_is_not_so_any_more(pool, host):
    first, member = pool.members[0], pool.members[2]
    with host.guest() as guest:
        until(lambda: host.server and host.server.up and host.server.view["size"] == 3, "it is a member")
        pid, answers = pid_of(guest), []
        connection = client(member)
        connection.query("SELECT 1")
        os.kill(pid, signal.SIGSTOP)

        def ask():
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT COUNT(*) FROM d.t")
                    answers.append(cursor.fetchone())
            except pymysql.err.Error as error:
                answers.append(error)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        first.sql("INSERT INTO d.t VALUES (1)", timeout=30)  # returns once the others go on without it
        until(lambda: pid_of(guest) is None, "it was killed")
        asking.join(30)
        assert isinstance(answers[0], pymysql.err.Error)
        until(lambda: host.server.trouble.startswith("it does not run"), "it is said")
        seen = [guest.instances["m3"].seen for _look in range(3) if until(lambda: guest.instances["m3"].look_at, "it is looked at")]
        assert pid_of(guest) is None and not any(server.up for server in seen), "nobody starts it unasked"
        assert host.ok("join", **pool.group(), formed=None) == {} and pid_of(guest) != pid
    assert member.sql("SELECT COUNT(*) FROM d.t WHERE id = 1") == ((1,),)


def test_a_guest_that_ends_leaves_its_server_and_the_next_one_finds_it(pool, host):
    with host.guest() as guest:
        pid = pid_of(guest)
        assert pid is not None
    pool.members[0].sql("INSERT INTO d.t VALUES (2)")
    with host.guest() as guest:
        assert pid_of(guest) == pid
        until(lambda: host.server and host.server.up, "it is up")


def test_a_guest_that_dies_while_its_server_joins_goes_on_where_that_was(pool, host):
    with host.guest() as guest:
        assert host.ok("halt")["seqno"] > 0
        until(lambda: host.server.trouble in ("it was halted", "its process has ended"), "it is said")
        key = host.begin("join", **pool.group(), formed=None)
        pid = until(guest.instances["m3"].hands.pid, "its server is begun")
    assert key not in host.cluster.channel.reports or host.cluster.channel.reports[key].problem == ""
    with host.guest() as guest:
        assert host.ended(key) == {} and pid_of(guest) == pid
        until(lambda: host.server.up, "it is up")


def test_a_member_that_was_halted_waits_for_an_order(pool, host):
    with host.guest() as guest:
        pid = pid_of(guest)
        assert pid is not None and host.ok("halt")["seqno"] > 0
    with host.guest() as guest:
        until(lambda: host.server.trouble == "it was halted", "it is said")
        looked = guest.instances["m3"].look_at
        until(lambda: guest.instances["m3"].look_at > looked + 1, "it is looked at a few times")
        assert pid_of(guest) is None
        host.ok("wipe")
        assert "m3" not in guest.instances and not (host.folder / "m3").exists()
