# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Galera cluster over three regions on real systemd hosts: what runs where, and that a host that dies takes nothing with it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pymysql
import testinfra

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
ENVIRON = {
    **os.environ, "BATON_CONFIG": str(PROJECT / "build/datastores/config.ini"),
    "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "build/collections"),
}  # fmt: skip
SECONDS = 120


def host_of(name):
    return testinfra.get_host(f"podman://baton-datastores-{name}")


def podman(*words):
    assert subprocess.run(["podman", *words], capture_output=True, check=False).returncode == 0, words


def cluster():
    command = [sys.executable, str(PROJECT / "build/batonctl.pyz"), "-o", "json", "clusters", "show", "bank"]
    done = subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def members(kind="data"):
    return [each for each in cluster()["instances"] if each["type"] == kind]


def ask(each, statement, *values):
    where = {"host": each["ip"][0], "port": each["port"], "user": "ann", "password": "secret-of-ann", "database": "bank"}
    limits = {"connect_timeout": 3, "read_timeout": 5, "write_timeout": 5}
    with pymysql.connect(**where, **limits, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def until(condition, what):
    end = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(pymysql.Error, OSError, AssertionError):
            if condition():
                return
        assert time.monotonic() < end, f"in vain for {SECONDS} s: {what}\n{cluster()}"
        time.sleep(0.2)


def serves_with(size):
    found = cluster()
    return found["task"]["name"] == "NONE" and found["serving"] == size and found["status"] == "ACTIVE"


def test_each_member_is_in_its_region_and_is_a_unit_of_its_own():
    by_region = {each["region"]: each for each in cluster()["instances"]}
    assert {region: each["type"] for region, each in by_region.items()} == {"north": "data", "south": "data", "west": "arbiter"}
    for each in by_region.values():
        host, name = host_of(each["hostname"]), "garbd" if each["type"] == "arbiter" else "mariadbd"
        assert host.run("systemctl is-system-running").stdout.strip() == "running"
        assert host.run(f"systemctl is-active baton-server-{each['id']}.service").stdout.strip() == "active"
        pids = host.check_output(f"pgrep -x {name}").split()
        assert any(f"baton-server-{each['id']}.service" in host.file(f"/proc/{pid}/cgroup").content_string for pid in pids)
    arbiter = host_of(by_region["west"]["hostname"])
    assert arbiter.package("galera-arbitrator-4").is_installed and not arbiter.package("mariadb-server-core").is_installed
    assert "garb.service" not in arbiter.check_output("systemctl list-units --plain --no-legend --all 'garb*' | grep -v masked || true")


def test_a_member_whose_host_dies_is_done_without_and_comes_back_with_every_row():
    north, south = sorted(members(), key=lambda each: each["region"])
    ask(north, "CREATE TABLE IF NOT EXISTS rows_of_the_test (n INT PRIMARY KEY)")
    ask(south, "INSERT INTO rows_of_the_test VALUES (1)")
    podman("kill", f"baton-datastores-{south['hostname']}")
    try:
        until(lambda: ask(north, "REPLACE INTO rows_of_the_test VALUES (2)") is not None, "the other goes on, as the arbiter is with it")
    finally:
        podman("start", f"baton-datastores-{south['hostname']}")
    until(lambda: serves_with(3), "it is back")
    assert [ask(each, "SELECT n FROM rows_of_the_test ORDER BY n") for each in (north, south)] == [((1,), (2,))] * 2
    assert ask(north, "CHECKSUM TABLE rows_of_the_test") == ask(south, "CHECKSUM TABLE rows_of_the_test")


def test_after_all_have_died_who_is_furthest_forms_it_anew():
    both = members()
    for each in cluster()["instances"]:
        host_of(each["hostname"]).check_output(f"systemctl kill -s KILL baton-server-{each['id']}.service")
    until(lambda: serves_with(3), "it serves again")
    for number, each in enumerate(both, 3):
        ask(each, "INSERT INTO rows_of_the_test VALUES (%s)", number)
    until(lambda: len({ask(each, "CHECKSUM TABLE rows_of_the_test") for each in both}) == 1, "both have the same")
