# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks datastore_set and datastore_cluster on a pool of this machine: from an inventory to real servers, and gone again."""

import json
import os
import re
import shutil
import subprocess
import sys

import pymysql
import pytest

from support.cluster import ROOT
from support.datastore_pool import pool_of
from support.long import takes_minutes
from support.mariadb import needs_servers
from support.plays import COMMANDS

FIRST = 70  # of the addresses: other tests and pools use others
SECRET = "of the app alone"
HOSTS = ["host-1", "host-2", "host-3"]
GIVEN = {
    "baton_datastore_name": "shop", "baton_datastore_flavor": "tiny", "baton_datastore_volume": 1,
    "baton_datastore_databases": [{"name": "shop"}],
    "baton_datastore_users": [{"name": "app", "password": SECRET, "databases": ["shop"]}],
    "baton_datastore_parameters": {"max_connections": 77},
}  # fmt: skip


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    needs_servers()
    assert shutil.which("garbd"), "there is no garbd: run `make system`"
    with pool_of(tmp_path_factory.mktemp("pool") / "state", "--hosts", "3", "--first", str(FIRST)) as pool:
        yield pool


def play(pool, kind, *options):
    """Play a playbook; return how many tasks have changed something, and where clients may connect to."""
    state = pool.state
    inventory = state / "inventory.json"
    inventory.write_text(json.dumps({"baton_databases": {"hosts": dict.fromkeys(HOSTS), "vars": GIVEN}}))
    ports = json.loads((state / "ports.json").read_text())
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_", "OS_"))}
    environ.update(
        BATON_URL=f"http://127.0.0.1:{ports['baton']}", BATON_DATASTORES_URL=f"http://127.0.0.1:{ports['api']}",
        BATON_TOKEN_FILE=str(state / "batond/admin.token"), BATON_PROJECT="demo", ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
        ANSIBLE_NOCOLOR="1",
    )  # fmt: skip
    own = ["-c", "local", "-e", json.dumps({"ansible_python_interpreter": sys.executable, "ansible_become": False})]
    command = [COMMANDS / "ansible-playbook", "-vvv", "-i", inventory, *own, f"baton.ha.datastore_{kind}", *options]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT, env=environ, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:] + pool.logs()
    assert SECRET not in done.stdout + done.stderr
    return sum(map(int, re.findall(r"changed=([0-9]+)", done.stdout))), re.findall(r'"shop is at (.*)"', done.stdout)


@pytest.mark.parametrize("kind", ["set", pytest.param("cluster", marks=takes_minutes)])
def test_a_group_of_an_inventory_is_databases_that_serve(pool, kind):
    changed, (said,) = play(pool, kind)
    addresses = said.split(", ")
    assert changed == 2 and len(addresses) == 3  # its parameters, and itself
    assert play(pool, kind)[0] == 0
    host, _colon, port = addresses[0].rpartition(":")
    with pymysql.connect(host=host, port=int(port), user="app", password=SECRET, database="shop", autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE t (n INT PRIMARY KEY)")
            cursor.execute("SELECT @@max_connections")
            assert cursor.fetchone() == (77,)
    assert play(pool, kind, "-e", "baton_datastore_state=absent") == (2, [])
    assert play(pool, kind, "-e", "baton_datastore_state=absent") == (0, [])
