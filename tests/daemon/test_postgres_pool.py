# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of real PostgreSQL servers on a pool of this machine, made and taken away through the API with OpenStack's library."""

import contextlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from signal import SIGKILL, SIGSTOP
from types import SimpleNamespace

import pytest

from baton.datastores.host.family import descendants
from baton.datastores.host.postgresql.prepare import found_version
from baton.datastores.host.postgresql.protocol import Refused
from baton.datastores.host.trouble import Trouble
from support.cluster import until
from support.datastore_pool import Pool as Plays
from support.datastore_pool import demo
from support.long import takes_minutes
from support.postgres import Client
from support.trove_pool import PASSWORD, TrovePool, processes

FIRST, HOSTS = 50, 3  # of the addresses: other tests and pools use others
PATIENCE = 120


@pytest.fixture(scope="module")
def pool():
    try:
        version = found_version()
    except Trouble as trouble:
        pytest.fail(f"{trouble}: run `make system`")
    folder = Path(tempfile.mkdtemp(prefix="baton-", dir="/tmp"))  # PostgreSQL does not run as root, and its user must come there
    folder.chmod(0o755)
    state = folder / "state"
    try:
        done = demo("up", state, "--hosts", str(HOSTS), "--first", str(FIRST))
        assert done.returncode == 0, done.stderr
        yield TrovePool(state, "postgresql", version, "/postgres ", PATIENCE)
    finally:
        done = demo("down", state)
        left = processes(str(state))
        shutil.rmtree(folder, ignore_errors=True)
    assert done.returncode == 0 and left == [], done.stderr


def client(address):
    host, port = address
    return Client(SimpleNamespace(address=host, port=port), "app", PASSWORD, "app")


def value(address, expression):
    with client(address) as session:
        return session.ask(f"SELECT {expression} AS value")[0]["value"]


def rows(address):
    with client(address) as session:
        return {int(row["n"]) for row in session.ask("SELECT n FROM t")}


def signal_all(pid, number):
    """Send a signal to a server, and to all that it has begun: each of its clients has a process there."""
    for each in (*descendants(pid), pid):
        with contextlib.suppress(ProcessLookupError):  # a session may have ended meanwhile
            os.kill(each, number)


class Writer:
    """A client that finds whoever takes writes, and keeps what was acknowledged."""

    def __init__(self, pool, instances):
        self._addresses = [pool.address(each) for each in instances]
        self.acknowledged, self.gap, self._last = {}, 0.0, None  # number → where; seconds without any
        self._end, self._number = threading.Event(), 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        until(lambda: self.acknowledged, "a write is acknowledged")
        return self

    def __exit__(self, *_exception):
        self._end.set()
        self._thread.join(15)

    def _run(self):
        while not self._end.is_set():
            for address in self._addresses:
                try:
                    with client(address) as session:
                        self._write(session, address)
                except (Refused, OSError):
                    time.sleep(0.01)

    def _write(self, session, address):
        session.ask("CREATE TABLE IF NOT EXISTS t (n int PRIMARY KEY)")
        while not self._end.is_set():
            self._number += 1
            if session.is_kept(f"INSERT INTO t VALUES ({self._number})"):
                now = time.monotonic()
                self.gap, self._last = max(self.gap, now - (self._last or now)), now
                self.acknowledged[self._number] = address

    def goes_on(self, elsewhere_than=None):
        """Wait until writes are acknowledged again, by another one; return for how long none was."""
        seen = len(self.acknowledged)
        until(lambda: any(where != elsewhere_than for where in list(self.acknowledged.values())[seen:]), "writes go on", PATIENCE)
        gap, self.gap = self.gap, 0.0
        return gap


def test_a_set_lives_through_what_people_and_faults_do_to_it(pool, record_property):
    first = pool.create("db", replicas=2)
    instances = [each["id"] for each in pool.members(first)]
    replica = next(each for each in instances if each != first)
    assert [pool.sql("primary", each).returncode for each in (first, replica)] == [0, 1]
    assert [pool.sql("replica", each).returncode for each in (first, replica)] == [1, 0]
    with Writer(pool, instances) as writer:
        pool.trove.instances.promote_to_replica_source(replica)
        record_property("promotion", writer.goes_on(elsewhere_than=pool.address(first)))
        until(lambda: pool.source(first) == replica, f"{replica} is the source: {pool.logs()}", PATIENCE)
        pool.whole(first)
        signal_all(pool.server(replica), SIGKILL)
        record_property("killed", writer.goes_on(elsewhere_than=pool.address(replica)))
        pool.whole(first)
        frozen = pool.source(first)
        assert frozen != replica
        signal_all(pool.server(frozen), SIGSTOP)
        record_property("frozen", writer.goes_on(elsewhere_than=pool.address(frozen)))
        pool.whole(first)
    for each in instances:
        until(lambda each=each: writer.acknowledged.keys() <= rows(pool.address(each)), f"{each} has all that was acknowledged")
    source = pool.source(first)
    for each in (*(each for each in instances if each != source), source):
        pool.delete(each)
    assert not [found for found in processes("/instances/") if str(pool.state) in found[1]]
    assert not list(pool.state.glob("hosts/*/instances/*"))


def test_a_replica_is_given_parameters_and_then_goes_its_own_way(pool):
    first = pool.create("old", replicas=1)
    (replica,) = [each["id"] for each in pool.members(first) if each["id"] != first]
    values = '{"work_mem": 8192, "default_transaction_isolation": "repeatable read"}'
    made = pool.trove.configurations.create("c", values, datastore="postgresql", datastore_version=pool.version)
    pool.trove.instances.update(replica, configuration=made.id)
    until(lambda: value(pool.address(replica), "current_setting('work_mem')") == "8MB", f"it has been set: {pool.logs()}", PATIENCE)
    pool.whole(first)
    pool.trove.configurations.edit(made.id, '{"max_connections": 77}')
    until(lambda: pool.trove.instances.get(replica).status == "RESTART_REQUIRED", f"a restart is needed: {pool.logs()}", PATIENCE)
    pool.trove.instances.restart(replica)
    pool.whole(first)
    assert value(pool.address(replica), "current_setting('max_connections')") == "77"
    pool.trove.instances.update(replica, detach_replica_source=True)
    until(lambda: pool.set_of(replica) != pool.set_of(first), f"it is of another set: {pool.logs()}", PATIENCE)
    for each in (replica, first):
        pool.active(each)
        until(lambda each=each: pool.sql("primary", each).returncode == 0, f"{each} takes writes: {pool.logs()}", PATIENCE)
    for each in (replica, first):
        pool.delete(each)
    pool.trove.configurations.delete(made.id)


@takes_minutes
def test_plays_and_batonctl_make_what_they_make_of_mariadb(pool):
    plays = Plays(pool.state)
    content = {"databases": [{"name": "app"}], "users": [{"name": "app", "password": PASSWORD, "databases": ["app"]}]}
    made = plays.done(datastore="postgresql", flavor="tiny", volume=1, replicas=1, **content)
    assert made["steps"] == ["make instance db", "make db-1 of db"] and plays.writable(made) == ["db"]
    assert plays.done(source="db-1")["source"] == "db-1"
    plays.db(module="datastore_configuration", datastore="postgresql", values={"max_connections": 77})
    configured = plays.db(configuration="db", restart="required")
    assert configured["restart_required"] == [] and {each["configuration"] for each in configured["instances"]} == {"db"}
    assert plays.done(state="absent", whole_set=True)["steps"][0].startswith("take db")
    secret = pool.state / "password"
    secret.write_text(PASSWORD)
    words = ["--datastore", "postgresql", "--flavor", "tiny", "--database", "app", "--user", "app", "--password-file", secret]
    assert plays.batonctl("instances", "create", "mine", *words, "--watch").returncode == 0
    assert value(pool.address("mine"), "current_user") == "app"
    assert "postgresql" in plays.batonctl("datastores", "list").stdout
    assert "work_mem" in plays.batonctl("datastores", "parameters", "postgresql", pool.version).stdout
    assert plays.batonctl("instances", "delete", "mine", "--watch").returncode == 0
