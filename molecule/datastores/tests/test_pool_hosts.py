# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set on real systemd hosts: what runs where and as whom, and that nothing is lost when guests, servers and hosts go and come back."""

import contextlib
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
OWN = PROJECT / "build/datastores"
ENVIRON = {**os.environ, "BATON_CONFIG": str(OWN / "config.ini"), "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "build/collections")}
POOL = ("p1", "p2", "p3")
SERVER = "/var/lib/baton-guest/instances"
SECONDS = 90
written, there = [], []


def host_of(name):
    return testinfra.get_host(f"podman://baton-datastores-{name}")


def batonctl(*words):
    command = [sys.executable, str(PROJECT / "build/batonctl.pyz"), "-o", "json", *words]
    done = subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def until(condition, what, seconds=SECONDS):
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(pymysql.Error, OSError, AssertionError):
            found = condition()
            if found:
                return found
        if time.monotonic() > end:
            journals = "\n".join(host_of(name).run("journalctl -u 'baton-guest*' -n 15 --no-pager").stdout for name in POOL if is_up(name))
            raise AssertionError(f"in vain for {seconds} s: {what}\n{batonctl('instances', 'list')}\n{journals}")
        time.sleep(0.2)


def is_up(name):
    return host_of("n1").backend.run_local(f"podman exec baton-datastores-{name} true").rc == 0


def instances():
    """Return the instances of the set by the host that they are on."""
    return {each["hostname"]: each for each in batonctl("instances", "list") if each["hostname"] in POOL}


def unit_of(each):
    return f"baton-server-{each['id']}.service"


def server_of(name):
    """Return the process of the set's server on a host; a member of the cluster may run beside it."""
    return host_of(name).check_output(f"systemctl show -P MainPID {unit_of(instances()[name])}")


def members(role):
    return [each for each in instances().values() if ("replica_of" in each) == (role == "replica") and each["status"] == "ACTIVE"]


def connect(each):
    return pymysql.connect(
        host=each["ip"][0], port=each["port"], user="joe", password="secret-of-joe", database="shop", autocommit=True,
        connect_timeout=3, read_timeout=5, write_timeout=5,
    )  # fmt: skip


def ask(each, statement, *values):
    with connect(each) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def write():
    """Have a row acknowledged by whoever takes writes; return on which host. Servers are asked, not the manager."""

    def once():
        for each in there:
            with contextlib.suppress(pymysql.Error, OSError):
                ask(each, "REPLACE INTO rows_of_the_test VALUES (%s)", number)
                return each["hostname"]
        return None

    number = len(written) + 1
    host = until(once, f"row {number} is written")
    written.append(number)
    return host


def whole():
    """Return whether a source and two replicas are well, and have every row that was acknowledged."""
    if (len(members("source")), len(members("replica"))) != (1, 2):
        return False
    return all(set(written) <= {row[0] for row in ask(each, "SELECT n FROM rows_of_the_test")} for each in instances().values())


@pytest.fixture(scope="module", autouse=True)
def table():
    (source,) = members("source")
    there.extend(instances().values())
    ask(source, "CREATE TABLE IF NOT EXISTS rows_of_the_test (n INT PRIMARY KEY)")


@pytest.fixture(autouse=True)
def is_whole_after_each():
    yield
    until(whole, "the set is whole again, with every row")


def test_the_guest_installed_what_a_server_needs_and_nothing_that_starts_by_itself():
    for name in POOL:
        host = host_of(name)
        assert host.package("mariadb-server-core").is_installed and not host.package("mariadb-server").is_installed
        assert host.run("mariadbd --version").stdout.split()[2].startswith("11.8.")
        for pid in host.check_output("pgrep -x mariadbd").split():
            assert "baton-server-" in host.file(f"/proc/{pid}/cgroup").content_string
        assert host.run("systemctl is-system-running").stdout.strip() == "running"


def test_each_server_is_a_unit_of_its_own_that_may_do_little():
    for name, each in instances().items():
        host = host_of(name)
        wanted = {
            "User": "baton-servers", "CapabilityBoundingSet": "", "ProtectSystem": "strict", "NoNewPrivileges": "yes",
            "KillSignal": "9", "ReadWritePaths": f"{SERVER}/{each['id']} {SERVER}/{each['id']}/run",
        }  # fmt: skip
        shown = host.check_output(f"systemctl show {unit_of(each)} {' '.join(f'-p {key}' for key in wanted)}").splitlines()
        assert dict(line.split("=", 1) for line in shown) == wanted
        assert server_of(name) in host.check_output("pgrep -x mariadbd").split()
    (source,) = members("source")  # where a guard is needed
    host = host_of(source["hostname"])
    guard = host.check_output("pgrep -f '[b]aton-guest.pyz guard'")
    assert "baton-guest-guard.service" in host.file(f"/proc/{guard}/cgroup").content_string


def test_the_guest_opens_no_port_and_its_secrets_are_its_own():
    for name in POOL:
        host = host_of(name)
        pid = host.check_output("systemctl show -P MainPID baton-guest")
        assert f"pid={pid}," not in host.run("ss -Hlntup").stdout
        assert host.file("/etc/baton-guest/token").mode == 0o400 and host.file("/etc/baton-guest").mode == 0o700
        token = (OWN / "guests" / f"{name}.token").read_text().strip()
        for command in ("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ", "journalctl --no-pager"):
            said = host.run(command).stdout
            assert not [secret for secret in (token, "secret-of-joe", "secret-of-ann") if secret in said]


def test_servers_go_on_while_their_guest_is_restarted():
    before = write()
    pid = server_of(before)
    host_of(before).check_output("systemctl restart baton-guest")
    write()
    assert server_of(before) == pid != "0"


def test_a_guest_that_is_frozen_is_killed_and_comes_back():
    name = write()
    pid = host_of(name).check_output("systemctl show -P MainPID baton-guest")
    host_of(name).check_output(f"kill -STOP {pid}")
    until(lambda: write() != name, "another one takes writes")
    until(lambda: host_of(name).check_output("systemctl show -P MainPID baton-guest") not in (pid, "0"), "systemd has a new guest")


def test_a_server_that_is_killed_is_replaced_and_comes_back_as_a_replica():
    name = write()
    host_of(name).check_output(f"kill -9 {server_of(name)}")
    write()
    until(whole, "it is back")


def kill(name):
    subprocess.run(["podman", "kill", f"baton-datastores-{name}"], check=True, capture_output=True)


def start(name):
    subprocess.run(["podman", "start", f"baton-datastores-{name}"], check=True, capture_output=True)


def test_the_host_of_the_source_dies_and_a_replica_serves():
    name = write()
    kill(name)
    try:
        assert write() != name
        write()
    finally:
        start(name)
    until(whole, "what was the source's is a replica")
    assert "replica_of" in instances()[name]


def test_the_active_node_dies_and_the_other_one_manages():
    status = batonctl("ha", "status")
    kill(status["active"])
    try:
        write()
        until(lambda: len(instances()) == 3, "the other node serves the API")
    finally:
        start(status["active"])
    until(lambda: len(batonctl("ha", "status")["in_sync"]) == 2, "the node is back")


def play(name, *words):
    return subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", f"{PROJECT}/molecule/datastores/inventory.yml",
         f"{PROJECT}/molecule/datastores/{name}", *words],
        env=ENVIRON, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_host_that_carries_something_stays_in_the_pool():
    done = play("away.yml", "--limit", "p1", "--start-at-task", "Out of the pool")
    carried = instances()["p1"]
    said = done.stdout + done.stderr
    assert done.returncode != 0 and f"({carried['id']})" in said and "; delete these instances first" in said, said[-2000:]
    assert host_of("p1").service("baton-guest").is_running
