# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool on this machine as `make datastores` begins it: real batond, service, guests, servers and OpenStack's library."""

import os
import signal
import threading
import time
from pathlib import Path

import pymysql
import pytest
from troveclient.apiclient import exceptions

from support.cluster import until
from support.datastore_pool import demo
from support.mariadb import VERSION, needs_servers
from support.trove_pool import PASSWORD, TrovePool, processes

FIRST = 200  # of the addresses: other tests and pools use others
HOSTS = 4


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    needs_servers()
    state = tmp_path_factory.mktemp("pool") / "state"
    done = demo("up", state, "--hosts", str(HOSTS), "--first", str(FIRST), "--profile", "balanced")
    assert done.returncode == 0, done.stderr
    yield TrovePool(state, "mariadb", VERSION, "mariadbd")
    done = demo("down", state)
    assert done.returncode == 0, done.stderr
    assert processes(str(state)) == []


class Writer:
    """A client that finds whoever takes writes, and keeps what was acknowledged."""

    def __init__(self, pool, instances):
        self._addresses = [pool.address(each) for each in instances]
        self.acknowledged = {}  # number → where
        self._end, self._number = threading.Event(), 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        until(lambda: self.acknowledged, "a write is acknowledged")
        return self

    def __exit__(self, *_exception):
        self._end.set()
        self._thread.join(10)

    def _run(self):
        while not self._end.is_set():
            for address in self._addresses:
                try:
                    with connected(address) as session, session.cursor() as cursor:
                        cursor.execute("CREATE TABLE IF NOT EXISTS t (n INT PRIMARY KEY)")
                        while not self._end.is_set():
                            self._number += 1
                            cursor.execute("INSERT INTO t VALUES (%s)", (self._number,))
                            self.acknowledged[self._number] = address
                except (pymysql.err.Error, OSError):
                    time.sleep(0.01)

    def goes_on(self, elsewhere_than=None):
        seen = len(self.acknowledged)
        until(lambda: any(where != elsewhere_than for where in list(self.acknowledged.values())[seen:]), "writes go on")


def connected(address):
    host, port = address
    return pymysql.connect(
        host=host, port=port, user="app", password=PASSWORD, database="app", connect_timeout=2, read_timeout=3, autocommit=True
    )


def rows(address):
    with connected(address) as session, session.cursor() as cursor:
        cursor.execute("SELECT n FROM t")
        return {row[0] for row in cursor.fetchall()}


def test_a_set_lives_through_what_people_and_faults_do_to_it(pool):
    first = pool.create("db", replicas=2)
    instances = [each["id"] for each in pool.members(first)]
    assert pool.sql("primary", first).returncode == 0 and pool.sql("replica", first).returncode == 1
    replica = next(each for each in instances if each != first)
    assert pool.sql("replica", replica).returncode == 0 and pool.sql("primary", replica).returncode == 1
    with pytest.raises(exceptions.Forbidden, match="promote"):
        pool.trove.instances.delete(first)
    with Writer(pool, instances) as writer:
        pool.trove.instances.promote_to_replica_source(replica)
        until(lambda: pool.source(first) == replica, f"{replica} is the source: {pool.logs()}")
        writer.goes_on(elsewhere_than=pool.address(first))
        pool.whole(first)
        os.kill(pool.server(replica), signal.SIGKILL)
        writer.goes_on(elsewhere_than=pool.address(replica))
        pool.whole(first)
        frozen = pool.source(first)
        assert frozen != replica
        os.kill(pool.server(frozen), signal.SIGSTOP)
        writer.goes_on(elsewhere_than=pool.address(frozen))
        pool.whole(first)
    for each in instances:
        until(lambda each=each: writer.acknowledged.keys() <= rows(pool.address(each)), f"{each} has all that was acknowledged")
    source = pool.source(first)
    assert [pool.sql("primary", each).returncode for each in instances] == [int(each != source) for each in instances]
    others = [each for each in instances if each != source]
    for each in others:
        pool.trove.instances.delete(each)
        until(lambda each=each: each not in [found.id for found in pool.trove.instances.list()], f"{each} is gone: {pool.logs()}")
    assert pool.sql("primary", source).returncode == 0
    pool.trove.instances.restart(source)
    until(lambda: "restart is done" in pool.logs(), "it was restarted")
    until(lambda: pool.sql("primary", source).returncode == 0, "it takes writes again")
    pool.trove.instances.delete(source)
    until(lambda: pool.trove.instances.list() == [], f"nothing is left: {pool.logs()}")
    assert not [found for found in processes("/instances/") if str(pool.state) in found[1]]
    assert not list(pool.state.glob("hosts/*/instances/*"))


def test_a_replica_is_given_parameters_and_then_goes_its_own_way(pool):
    first = pool.create("old", replicas=1)
    (replica,) = [each["id"] for each in pool.members(first) if each["id"] != first]
    made = pool.trove.configurations.create("c", '{"wait_timeout": 500}', datastore="mariadb", datastore_version=VERSION)
    pool.trove.instances.update(replica, configuration=made.id)
    until(lambda: variable(pool.address(replica), "wait_timeout") == 500, f"it has been set: {pool.logs()}")
    pool.whole(first)
    pool.trove.configurations.edit(made.id, '{"back_log": 60}')
    until(lambda: pool.trove.instances.get(replica).status == "RESTART_REQUIRED", f"a restart is needed: {pool.logs()}")
    pool.trove.instances.restart(replica)
    pool.whole(first)
    assert variable(pool.address(replica), "back_log") == 60 and variable(pool.address(first), "back_log") != 60
    pool.trove.instances.update(replica, detach_replica_source=True)
    until(lambda: pool.set_of(replica) != pool.set_of(first), f"it is of another set: {pool.logs()}")
    for each in (replica, first):
        pool.active(each)
        until(lambda each=each: pool.sql("primary", each).returncode == 0, f"{each} takes writes: {pool.logs()}")
    pool.trove.instances.create("new", replica_of=replica, access={"is_public": False})
    until(lambda: len(pool.members(replica)) == 2, "it has a replica of its own")
    pool.whole(replica)
    for each in (*(found["id"] for found in pool.members(replica) if found["id"] != replica), replica, first):
        pool.trove.instances.delete(each)
        until(lambda each=each: each not in [found.id for found in pool.trove.instances.list()], f"{each} is gone: {pool.logs()}")
    pool.trove.configurations.delete(made.id)


def variable(address, name):
    with connected(address) as session, session.cursor() as cursor:
        cursor.execute(f"SELECT @@global.{name}")
        return cursor.fetchone()[0]


def test_the_manager_that_comes_back_goes_on_where_the_last_one_was(pool):
    """Killed in the middle: nothing is done twice, nothing is forgotten."""
    made = pool.trove.instances.create(
        "alone", flavor_id="1", volume={"size": 1}, datastore="mariadb", datastore_version=VERSION, access={"is_public": False}
    )
    (found,) = [found for found in processes(str(pool.state)) if "baton-datastores.pyz" in found[1]]
    os.kill(found[0], signal.SIGKILL)
    until(lambda: not Path(f"/proc/{found[0]}").exists() or "Z" in Path(f"/proc/{found[0]}/stat").read_text().split()[2], "it is gone")
    assert demo("restart", pool.state, "baton-datastores").returncode == 0
    until(lambda: answers(pool), "the API serves again")
    pool.active(made.id)
    pool.trove.instances.delete(made.id)
    until(lambda: pool.trove.instances.list() == [], f"nothing is left: {pool.logs()}")


def answers(pool):
    try:
        return pool.trove.instances.list() is not None
    except Exception:
        return False
