# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of real Galera servers through its life by plays alone, on a pool of this machine with two regions."""

import os
import shutil

import pymysql
import pytest

from support.cluster import until
from support.datastore_pool import pool_of
from support.long import takes_minutes
from support.mariadb import needs_servers

FIRST = 30  # of the addresses: other tests and pools use others
SECRET = "of the app alone"
CONTENTS = {"databases": [{"name": "shop"}], "users": [{"name": "app", "password": SECRET, "databases": ["shop"]}]}


@pytest.fixture(scope="module")
def pool():
    needs_servers()
    assert shutil.which("garbd"), "there is no garbd: run `make system`"
    options = ("--hosts", "6", "--first", str(FIRST), "--regions", "eu,us")
    with pool_of(*options) as pool:
        yield pool


def asked(address, statement):
    """Return what a member says to the app."""
    host, _colon, port = address.rpartition(":")
    with pymysql.connect(host=host, port=int(port), user="app", password=SECRET, database="shop", autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()


def rows(result):
    """Return the rows that each member has; each takes one more before."""
    for address in result["addresses"]:
        asked(address, "INSERT INTO t (at) VALUES (CURRENT_TIMESTAMP)")
    found = [len(asked(address, "SET SESSION wsrep_sync_wait=1") or asked(address, "SELECT * FROM t")) for address in result["addresses"]]
    assert len(set(found)) == 1, found
    return found[0]


def names(result):
    return [each["name"] for each in result["members"]]


def test_a_cluster_is_made_grows_and_goes_by_plays_alone(pool):
    def done(**options):
        return pool.done("datastore_cluster", **options)

    made = done(flavor="tiny", volume=1, members=[{"region": "eu", "count": 2}, {"region": "us", "type": "arbiter"}], **CONTENTS)
    assert made["steps"] == ["make cluster db: db-1 (data, eu), db-2 (data, eu), db-3 (arbiter, us)"] and made["serving"] == 3
    asked(made["addresses"][0], "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, at DATETIME) ENGINE=InnoDB")
    assert rows(made) == 2
    grown = done(members=[{"region": "eu", "count": 2}, {"region": "us"}, {"region": "us", "type": "arbiter"}])
    assert grown["steps"] == ["add db-4 (data, us)"] and rows(grown) == 5
    assert done(state="absent", force=True)["steps"] == ["take db away"]
    assert pool.db(module="datastore_info")["clusters"] == []


@takes_minutes
def test_a_cluster_lives_by_plays_alone(pool):
    def done(**options):
        return pool.done("datastore_cluster", **options)

    small = [{"region": "eu", "count": 2}, {"region": "us", "type": "arbiter"}]
    made = done(flavor="tiny", volume=1, members=small, **CONTENTS)
    assert made["steps"] == ["make cluster db: db-1 (data, eu), db-2 (data, eu), db-3 (arbiter, us)"] and made["serving"] == 3
    asked(made["addresses"][0], "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, at DATETIME) ENGINE=InnoDB")
    assert rows(made) == 2
    pool.db(module="datastore_configuration", datastore="galera", values={"max_connections": 77, "performance_schema": True})
    restarted = done(configuration="db", restart="required")
    assert restarted["steps"] == ["change the configuration of db", "restart db, one member after the other"]
    assert restarted["restart_required"] == [] and rows(restarted) == 4
    grown = done(members=[{"region": "eu", "count": 2}, {"region": "us", "count": 2}, {"region": "us", "type": "arbiter"}])
    assert grown["steps"] == ["add db-4 (data, us), db-5 (data, us)"] and rows(grown) == 8
    host = next(each["host"] for each in grown["members"] if each["name"] == "db-2")
    os.kill(pool.pid(host), 9)
    until(lambda: pool.db(module="datastore_cluster", replace=["lost"], check_mode=True)["changed"], "its guest is not heard")
    mended = pool.db(module="datastore_cluster", replace=["lost"])
    assert mended["steps"] == ["replace db-2"] and "db-2" not in names(mended) and mended["serving"] == 5 and rows(mended) == 12
    shrunk = done(members=small)
    assert len(names(shrunk)) == 3 == shrunk["serving"] and "db-1" in names(shrunk) and rows(shrunk) == 14
    assert done(state="absent", force=True)["steps"] == ["take db away"]
    told = pool.db(module="datastore_info")
    assert told["clusters"] == [] and told["configurations"][0]["values"]["max_connections"] == 77
