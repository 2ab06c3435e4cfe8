# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of real servers of Redis, or Valkey, on a pool of this machine, made and taken away through the API with OpenStack's library."""

import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from signal import SIGKILL, SIGSTOP
from types import SimpleNamespace

import pytest
from troveclient.apiclient import exceptions

from baton.datastores.host.trouble import Trouble
from baton.datastores.host.valkey.protocol import ValkeyTrouble, text
from support.cluster import until
from support.datastore_pool import demo
from support.long import takes_minutes
from support.trove_pool import PASSWORD, TrovePool, processes
from support.valkey import FOUND, HANDS, client

FIRST, HOSTS = 90, 3  # of the addresses: other tests and pools use others
PATIENCE = 120


@pytest.fixture(scope="module")
def pool():
    try:
        version = FOUND()
    except Trouble as trouble:
        pytest.fail(f"{trouble}: run `make system`")
    folder = Path(tempfile.mkdtemp(prefix="baton-", dir="/tmp"))  # the server's user must come there
    folder.chmod(0o755)
    state = folder / "state"
    try:
        done = demo("up", state, "--hosts", str(HOSTS), "--first", str(FIRST))
        assert done.returncode == 0, done.stderr
        yield TrovePool(state, HANDS.datastore, version, f"/{HANDS.datastore}-server ", PATIENCE, database=None)
    finally:
        done = demo("down", state)
        left = processes(str(state))
        shutil.rmtree(folder, ignore_errors=True)
    assert done.returncode == 0 and left == [], done.stderr


def session(address):
    host, port = address
    return client(SimpleNamespace(address=host, port=port), "app", PASSWORD)


def names(address):
    with session(address) as asked:
        return {text(key) for key in asked.ask("KEYS", "*")}


class Writer:
    """A client that finds whoever takes writes, waits for a replica after each, and keeps what was acknowledged so."""

    def __init__(self, pool, instances):
        self._addresses = [pool.address(each) for each in instances]
        self.acknowledged, self.gap, self._last = {}, 0.0, None  # name → where; seconds without any
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
                    with session(address) as asked:
                        self._write(asked, address)
                except (ValkeyTrouble, OSError):
                    time.sleep(0.01)

    def _write(self, asked, address):
        while not self._end.is_set():
            self._number += 1
            asked.ask("SET", str(self._number), "x")
            if asked.number("WAIT", 1, 1000) >= 1:
                now = time.monotonic()
                self.gap, self._last = max(self.gap, now - (self._last or now)), now
                self.acknowledged[str(self._number)] = address

    def goes_on(self, elsewhere_than=None):
        """Wait until writes are acknowledged again, by another one; return for how long none was."""
        seen = len(self.acknowledged)
        until(lambda: any(where != elsewhere_than for where in list(self.acknowledged.values())[seen:]), "writes go on", PATIENCE)
        gap, self.gap = self.gap, 0.0
        return gap


@takes_minutes
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
        os.kill(pool.server(replica), SIGKILL)
        record_property("killed", writer.goes_on(elsewhere_than=pool.address(replica)))
        pool.whole(first)
        frozen = pool.source(first)
        assert frozen != replica
        os.kill(pool.server(frozen), SIGSTOP)
        record_property("frozen", writer.goes_on(elsewhere_than=pool.address(frozen)))
        pool.whole(first)
    for each in instances:
        until(lambda each=each: writer.acknowledged.keys() <= names(pool.address(each)), f"{each} has all that was acknowledged")
    source = pool.source(first)
    for each in (*(each for each in instances if each != source), source):
        pool.delete(each)
    assert not [found for found in processes("/instances/") if str(pool.state) in found[1]]
    assert not list(pool.state.glob("hosts/*/instances/*"))


@takes_minutes
def test_a_replica_is_given_parameters_and_then_goes_its_own_way(pool):
    first = pool.create("old", replicas=1)
    (replica,) = [each["id"] for each in pool.members(first) if each["id"] != first]
    values = '{"maxmemory-policy": "allkeys-lru"}'
    made = pool.trove.configurations.create("c", values, datastore=pool.datastore, datastore_version=pool.version)
    pool.trove.instances.update(replica, configuration=made.id)
    pool.whole(first)
    pool.trove.configurations.edit(made.id, '{"databases": 20}')
    until(lambda: pool.trove.instances.get(replica).status == "RESTART_REQUIRED", f"a restart is needed: {pool.logs()}", PATIENCE)
    pool.trove.instances.restart(replica)
    pool.whole(first)
    with session(pool.address(replica)) as asked:
        assert asked.ask("SELECT", 19) == b"OK"
    pool.trove.instances.update(replica, detach_replica_source=True)
    until(lambda: pool.set_of(replica) != pool.set_of(first), f"it is of another set: {pool.logs()}", PATIENCE)
    for each in (replica, first):
        pool.active(each)
        until(lambda each=each: pool.sql("primary", each).returncode == 0, f"{each} takes writes: {pool.logs()}", PATIENCE)
    for each in (replica, first):
        pool.delete(each)
    pool.trove.configurations.delete(made.id)


def test_what_would_hide_a_loss_and_databases_with_names_are_refused(pool):
    create, of = pool.trove.configurations.create, {"datastore": pool.datastore, "datastore_version": pool.version}
    for values in ('{"appendonly": false}', '{"appendfsync": "no"}', '{"min-replicas-to-write": 0}', '{"save": ""}'):
        with pytest.raises(exceptions.UnprocessableEntity, match="read-only"):
            create("c", values, **of)
    with pytest.raises(exceptions.BadRequest, match="have numbers"):
        pool.trove.instances.create("db", flavor_id="1", volume={"size": 1}, databases=[{"name": "d"}], **of)
