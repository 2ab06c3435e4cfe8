# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy for a new replica on a pool of this machine: from the nearest, as fast as it may be, and begun anew when its line is cut."""

import os
import signal

import pytest

from baton.client.datastores import connect
from baton.client.progress import copied
from support.cluster import until
from support.datastore_pool import demo, pool_of
from support.mariadb import VERSION, needs_servers

FIRST = 90  # of the addresses: other tests and pools use others


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    needs_servers()
    with pool_of(tmp_path_factory.mktemp("pool") / "state", "--hosts", "4", "--first", str(FIRST), "--regions", "eu,us") as pool:
        yield pool


def copy_of(api, key, told):
    """Return how far the copy for an instance is, None if there is none."""
    found = api.instance(key)
    assert found["status"] != "ERROR", found["fault"]
    task = found.get("task") or {}
    told.add(copied(task))
    return next((each for each in task.get("copies", ()) if each["to"] == key), None)


def test_a_copy_comes_from_the_nearest_and_survives_that_its_line_is_cut(pool):
    api, told = connect({}, pool.environ), set()

    def is_well(key):
        found = api.instance(key)
        assert found["status"] != "ERROR", f"{found['fault']} {pool.logs()}"
        return found["status"] == "ACTIVE" and "task" not in found and found["operating_status"] == "HEALTHY"

    made = api.create(
        {"name": "db", "flavorRef": "1", "volume": {"size": 1}, "region": "eu", "datastore": {"type": "mariadb", "version": VERSION}}, "a"
    )
    until(lambda: is_well(made["id"]), "the source is there", 60)
    assert made["copy_limit"] == 100_000_000
    near = api.create({"name": "near", "replica_of": made["id"], "region": "us"}, "b")
    until(lambda: is_well(near["id"]), "it has a replica elsewhere", 60)
    until(lambda: api.instance(near["id"])["slave"]["lag_seconds"] == 0, "which hears its source")
    api.change(made["id"], copy_limit=2_000_000)
    new = api.create({"name": "new", "replica_of": made["id"], "region": "us"}, "c")
    copy = until(lambda: copy_of(api, new["id"], told), f"it is being copied: {pool.logs()}", 60)
    assert copy["from"] == near["id"] and copy["bytes"] < copy["of"]
    donor = api.instance(near["id"])["hostname"]
    os.kill(pool.pid(donor), signal.SIGKILL)  # with it goes the line
    until(lambda: (copy_of(api, new["id"], told) or copy)["from"] == made["id"], f"the source gives it: {pool.logs()}", 60)
    assert demo("restart", pool.state, donor).returncode == 0
    api.change(made["id"], copy_limit=0)  # while it goes on
    until(lambda: is_well(new["id"]), f"it is there, and nobody has helped: {pool.logs()}", 60)
    until(lambda: api.instance(new["id"])["slave"]["counts"], "it follows", 60)
    assert any(" MB copied" in each for each in told)
