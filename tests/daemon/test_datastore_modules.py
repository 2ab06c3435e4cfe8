# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of real MariaDB servers through its life by plays alone, on a pool of this machine."""

import os

import pytest

from support.cluster import until
from support.datastore_pool import demo, pool_of
from support.long import takes_minutes
from support.mariadb import needs_servers

FIRST = 60  # of the addresses: other tests and pools use others


@pytest.fixture(scope="module")
def pool():
    needs_servers()
    with pool_of("--hosts", "4", "--first", str(FIRST)) as pool:
        yield pool


CONTENTS = {
    "databases": [{"name": "shop"}],
    "users": [{"name": "app", "password": "of the app alone", "databases": ["shop"]}],
}  # fmt: skip


def test_a_set_is_made_moves_and_goes_by_plays_alone(pool):
    made = pool.done(flavor="tiny", volume=1, replicas=1, **CONTENTS)
    assert made["steps"] == ["make instance db", "make db-1 of db"] and pool.writable(made) == ["db"]
    moved = pool.done(source="db-1")
    assert moved["source"] == "db-1" and pool.writable(moved) == ["db-1"]
    assert pool.done(state="absent", whole_set=True)["steps"] == ["take db away", "take db-1 away"]
    assert pool.db(module="datastore_info")["instances"] == []


@takes_minutes
def test_a_set_lives_by_plays_alone(pool):
    made = pool.done(flavor="tiny", volume=1, replicas=2, **CONTENTS)
    assert made["steps"] == ["make instance db", "make db-1, db-2 of db"] and pool.writable(made) == ["db"]
    moved = pool.done(source="db-2")
    assert moved["source"] == "db-2" and pool.writable(moved) == ["db-2"]
    pool.db(module="datastore_configuration", values={"max_connections": 77})
    configured = pool.db(configuration="db", restart="required")
    assert {each["configuration"] for each in configured["instances"]} == {"db"} and configured["restart_required"] == []
    assert pool.writable(pool.db(source="db-2")) == ["db-2"]  # while it was restarted another may have become the source
    assert pool.db(replicas=3)["steps"] == ["make db-3 of db-2"]
    assert pool.db(replicas=1)["steps"] == ["take db-3 away", "take db-1 away"]
    assert pool.done(state="absent", whole_set=True)["steps"] == ["take db away", "take db-2 away"]
    told = pool.db(module="datastore_info")
    assert told["instances"] == [] and told["configurations"][0]["values"] == {"max_connections": 77}


def test_a_manager_that_dies_under_a_play_is_waited_for(pool):
    end = pool.play("datastore_instance", {"name": "kept", "flavor": "tiny", "replicas": 1})
    until(lambda: pool.db(module="datastore_info", name="kept")["instances"] != [], "it is begun")
    os.kill(pool.pid("baton-datastores"), 9)
    until(lambda: demo("restart", pool.state, "baton-datastores").returncode == 0, "the manager runs again")
    (result,) = end()
    assert [each["name"] for each in result["instances"]] == ["kept", "kept-1"] and pool.writable(result) == ["kept"]
    pool.play("datastore_instance", {"name": "kept", "state": "absent", "whole_set": True})()
