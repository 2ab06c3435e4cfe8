# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance on a host with Debian 12, whose systemd and MariaDB are older: it is made, writes, and outlives its guest."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pymysql
import pytest
import testinfra

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
ENVIRON = {**os.environ, "BATON_CONFIG": str(PROJECT / "build/datastores/config.ini")}
SECONDS = 90


def till():
    command = [sys.executable, str(PROJECT / "build/batonctl.pyz"), "-o", "json", "instances", "show", "till"]
    done = subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def host():
    return testinfra.get_host("podman://baton-datastores-p6")


def write(instance, number):
    with pymysql.connect(
        host=instance["ip"][0], port=instance["port"], user="eve", password="secret-of-eve", database="till", autocommit=True,
        connect_timeout=3, read_timeout=5, write_timeout=5,
    ) as connection, connection.cursor() as cursor:  # fmt: skip
        cursor.execute("CREATE TABLE IF NOT EXISTS rows_of_the_test (n INT PRIMARY KEY)")
        cursor.execute("REPLACE INTO rows_of_the_test VALUES (%s)", (number,))
        cursor.execute("SELECT COUNT(*) FROM rows_of_the_test")
        return cursor.fetchall()[0][0]


def test_it_is_what_the_distribution_has(host):
    shown = till()
    assert host.system_info.codename == "bookworm" and shown["hostname"] == "p6" and shown["status"] == "ACTIVE"
    assert host.run("mariadbd --version").stdout.split()[2].startswith("10.11.") and not host.package("mariadb-server").is_installed
    unit = f"baton-server-{shown['id']}.service"
    server = host.check_output("pgrep -x mariadbd")
    wanted = {"User": "baton-servers", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "MainPID": server}
    said = host.check_output(f"systemctl show {unit} {' '.join(f'-p {key}' for key in wanted)}").splitlines()
    assert dict(line.split("=", 1) for line in said) == wanted
    assert host.run("systemctl is-system-running").stdout.strip() == "running"


def test_a_guest_that_is_restarted_leaves_its_server_alone_and_one_that_is_killed_comes_back(host):
    before = host.check_output("pgrep -x mariadbd")
    assert write(till(), 1) == 1
    host.check_output("systemctl restart baton-guest")
    assert host.check_output("pgrep -x mariadbd") == before and write(till(), 2) == 2
    host.check_output(f"kill -9 {before}")
    end = time.monotonic() + SECONDS
    while True:
        try:
            assert write(till(), 3) == 3
            return
        except (pymysql.Error, OSError):
            assert time.monotonic() < end, f"in vain for {SECONDS} s: it takes writes again\n{till()}"
        time.sleep(0.2)
