# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl instances, configurations, datastores and pool: against the API over a pool in memory, and a real node."""

import json
import re

import pytest

from baton.cli.instances import lag
from support.datastores_api import served
from support.pool import Memory


@pytest.fixture
def api():
    with served() as found:
        yield found


@pytest.fixture
def ctl(batonctl, api, monkeypatch):
    return aimed(batonctl, api, monkeypatch)


def aimed(batonctl, api, monkeypatch):
    monkeypatch.setenv("BATON_DATASTORES_URL", api.address)
    monkeypatch.setenv("BATON_PROJECT", "demo")
    monkeypatch.setenv("BATON_TOKEN", "demo-token")
    return batonctl


def test_a_set_is_made_and_seen(ctl, tmp_path):
    (tmp_path / "password").write_text("of joe\n")
    assert ctl("instances", "list").out == "There is no instance.\n"
    create = ("instances", "create", "db", "--flavor", "small", "--version", "10.11", "--database", "shop", "--user", "joe")
    made = ctl(*create, "--password-file", str(tmp_path / "password"))
    assert made.status == 0 and "is being made" in made.out
    assert ctl("instances", "replicate", "db", "--count", "2", "--name", "copy").status == 0
    lines = ctl("instances", "list").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["db", "copy-1", "copy-2"] and " source " in lines[1] and " replica " in lines[2]
    assert "mariadb 10.11" in ctl("instances", "show", "db").out and "Nothing is being done." in ctl("instances", "explain", "db").out
    assert "create is done" in ctl("instances", "history", "db").out
    promoted = ctl("instances", "promote", "copy-1", "--watch")
    assert promoted.status == 0 and "copy-1 is ACTIVE" in promoted.out
    assert json.loads(ctl("instances", "show", "copy-1", "-o", "json").out)["replicas"]
    assert ctl("instances", "rename", "db", "old").status == 0 and ctl("instances", "show", "old").status == 0
    refused = ctl("instances", "delete", "copy-1")
    assert refused.status == 1 and "promote one of them, or delete them, first" in refused.err
    assert ctl("instances", "delete", "copy-2", "--watch").out == "It is gone.\n"


@pytest.mark.parametrize(
    ("slave", "says"),
    [
        ((0, 0), "none"), ((1572864, 6), "1.5 MiB, 6 s"), ((0, 12), "0.0 MiB, 12 s"), ((65536, None), "0.1 MiB, ? s"),
        ((None, None), "unknown"),
    ],
)  # fmt: skip
def test_it_is_said_how_far_a_replica_is_behind(slave, says):
    assert lag({"replica_of": {}, "slave": {"lag_bytes": slave[0], "lag_seconds": slave[1]}}) == says
    assert lag({"replicas": []}) == "-"


def test_it_is_said_whether_another_takes_the_place_of_a_source(ctl, api):
    api.make()
    assert "Failover" not in ctl("instances", "show", "db").out
    replica = api.replicate("db")
    assert re.search(r"Failover:? +automatic\n", ctl("instances", "show", "db").out)
    api.pool.say(replica["hostname"], alive=False)
    assert "not automatic: replica (" in ctl("instances", "show", "db").out


def test_what_is_being_done_is_explained_and_watched(batonctl, monkeypatch):
    with served(Memory(lively=False)) as api:
        ctl = aimed(batonctl, api, monkeypatch)
        assert ctl("instances", "create", "db", "--flavor", "1", "--version", "10.11").status == 0
        assert "create" in ctl("instances", "list").out and "Next comes create." in ctl("instances", "explain", "db").out
        late = ctl("instances", "reset-status", "db", "--watch", "--wait", "0.1")
        assert late.status == 1 and len(late.err.splitlines()) <= 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("instances", "show", "nobody"), "nobody"),
        (("instances", "create", "db", "--flavor", "7"), "7"),
        (("instances", "create", "db", "--flavor", "1", "--version", "9.9"), "9.9"),
        (("instances", "create", "db", "--flavor", "1", "--user", "joe"), "--password-file"),
        (("instances", "create", "db", "--flavor", "1", "--user", "joe", "--password-file", "/nowhere"), "can't read the password file"),
        (("configurations", "create", "c", "--version", "10.11", "max_connections"), "is not PARAMETER=VALUE"),
        (("configurations", "create", "c", "--version", "10.11", "max_connections=true"), "max_connections"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(ctl, arguments, says):
    done = ctl(*arguments)
    assert done.status in (1, 2) and says in done.err and done.err.count("\n") == 1 and done.out == ""


def test_configurations_come_change_and_go(ctl):
    ctl("instances", "create", "db", "--flavor", "1", "--version", "10.11")
    assert ctl("configurations", "create", "c", "--version", "10.11", "max_connections=50", "wait_timeout=60").status == 0
    assert ctl("configurations", "set", "c", "max_connections=60", "wait_timeout=").status == 0
    assert json.loads(ctl("configurations", "show", "c", "-o", "json").out)["values"] == {"max_connections": 60}
    assert ctl("configurations", "attach", "c", "db").status == 0
    assert ctl("configurations", "list").out.splitlines()[1].split()[-1] == "1"
    assert "detach it there first" in ctl("configurations", "delete", "c").err
    assert ctl("configurations", "detach", "db").status == 0 and ctl("configurations", "delete", "c").status == 0


def test_it_is_shown_what_there_can_be(ctl):
    out = ctl("datastores", "list").out
    assert "mariadb    10.11, 11.8" in out and "small" in out
    assert "max_connections" in ctl("datastores", "parameters", "mariadb", "10.11").out


def test_without_a_project_it_says_how_to_name_one(batonctl, monkeypatch):
    monkeypatch.setenv("BATON_DATASTORES_URL", "http://127.0.0.1:1")
    assert "BATON_PROJECT" in batonctl("instances", "list").err


def test_hosts_come_into_the_pool_and_go(cluster):
    assert cluster("pool", "list").out == "There is no host in the pool.\n"
    token = cluster("pool", "add", "db-1", "--address", "192.0.2.1", "--region", "eu", "--ram", "4096", "--volume", "50",
                    "--port", "3406").out.strip()  # fmt: skip
    assert "4096 MiB" in cluster("pool", "show", "db-1").out and "50 GiB" in cluster("pool", "show", "db-1").out
    assert "3406" in cluster("pool", "show", "db-1").out
    refused = cluster("pool", "add", "db-2", "--address", "192.0.2.2", "--port", "80")
    assert refused.status == 2 and "port is a number from 1024 to 55035, not 80" in refused.err
    assert token and cluster("pool", "list").out.splitlines()[1].split()[:4] == ["db-1", "192.0.2.1", "eu", "silent"]
    assert cluster("pool", "show", "db-1", "--token", token).status == 0
    assert cluster("pool", "maintenance", "db-1", "on").status == 0 and "maintenance" in cluster("pool", "show", "db-1").out
    another = cluster("tokens", "create", "--guest", "db-1", "--ttl", "1h").out.strip()
    assert cluster("pool", "show", "db-1", "--token", another).status == 0
    both = cluster("tokens", "create", "--guest", "db-1", "--viewer")
    assert both.status == 2 and "for its host alone" in both.err
    assert cluster("pool", "remove", "db-1").status == 0
    assert cluster("pool", "show", "db-1", "--token", token).status != 0
