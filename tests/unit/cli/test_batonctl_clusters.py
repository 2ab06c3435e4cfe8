# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl clusters, against the API over a pool in memory."""

import json
import re

import pytest

from support.datastores_api import served
from support.pool import Memory


def pool(**more):
    return Memory(8, datastores={"galera": ["10.11", "11.8"]}, regions=("eu", "us"), **more)


@pytest.fixture
def api():
    with served(pool()) as found:
        yield found


@pytest.fixture
def ctl(batonctl, api, monkeypatch):
    return aimed(batonctl, api, monkeypatch)


def aimed(batonctl, api, monkeypatch):
    monkeypatch.setenv("BATON_DATASTORES_URL", api.address)
    monkeypatch.setenv("BATON_PROJECT", "demo")
    monkeypatch.setenv("BATON_TOKEN", "demo-token")
    return batonctl


def members(api):
    return {each["name"]: (each["type"], each["region"]) for each in api.cluster("shop")["instances"]}


def test_a_cluster_is_made_and_seen(ctl, tmp_path):
    assert ctl("clusters", "list").out == "There is no cluster.\n"
    (tmp_path / "password").write_text("of joe\n")
    user = ("--database", "shop", "--user", "joe", "--password-file", str(tmp_path / "password"))
    made = ctl("clusters", "create", "shop", "--flavor", "small", "--version", "10.11", *user, "--watch")
    assert made.status == 0 and "shop is ACTIVE" in made.out
    heads, row = ctl("clusters", "list").out.splitlines()
    assert heads.split() == ["NAME", "ID", "STATUS", "SERVING", "DATASTORE", "REGIONS", "TASK"]
    assert re.search(r"^shop +\S+ +ACTIVE +3 of 3 +galera 10\.11 +\w\w +-$", row)
    shown = ctl("clusters", "show", "shop").out
    assert re.search(r"^Serving +3 of 3$", shown, re.MULTILINE)
    assert re.search(r"^shop-2 +\S+ +data +ACTIVE +\w\w +192\.0\.2\.\d:3306 +h\d +-$", shown, re.MULTILINE)
    assert "create is done" in ctl("clusters", "history", "shop").out
    assert ctl("clusters", "explain", "shop").out == "Nothing is being done.\n"
    assert [each["name"] for each in json.loads(ctl("clusters", "list", "-o", "json").out)] == ["shop"]
    assert len(json.loads(ctl("clusters", "show", "shop", "-o", "json").out)["instances"]) == 3
    assert ctl("instances", "list").out == "There is no instance.\n" and re.search(r"Role +member", ctl("instances", "show", "shop-1").out)


def test_members_come_go_and_are_replaced(ctl, api):
    ctl("clusters", "create", "shop", "--flavor", "1", "--node", "eu", "--node", "us", "--node", "eu:arbiter", "--size", "2")
    assert members(api) == {"shop-1": ("data", "eu"), "shop-2": ("data", "us"), "shop-3": ("arbiter", "eu")}
    assert ctl("clusters", "grow", "shop", "--node", "us", "--node", "eu").status == 0
    assert ctl("clusters", "shrink", "shop", "shop-3", "shop-1").status == 0
    assert [*members(api)] == ["shop-2", "shop-4", "shop-5"]
    replaced = ctl("clusters", "replace", "shop", "shop-2", "--watch")
    assert replaced.status == 0 and sorted(members(api)) == ["shop-4", "shop-5", "shop-6"] and members(api)["shop-6"][1] == "us"
    refused = ctl("clusters", "shrink", "shop", "shop-4")
    assert refused.status != 0 and "3 members at least" in refused.err and refused.err.count("\n") == 1


def test_members_are_counted_where_nobody_names_a_region(ctl, api):
    ctl("clusters", "create", "shop", "--flavor", "1", "--members", "2", "--arbiters", "1", "--region", "us")
    assert [*members(api).values()] == [("data", "us"), ("data", "us"), ("arbiter", "us")]
    assert ctl("clusters", "grow", "shop").status == 0 and members(api)["shop-4"] == ("data", "us")
    assert ctl("clusters", "shrink", "shop", "shop-3").status == 0
    assert ctl("clusters", "grow", "shop", "--arbiters", "1").status == 0 and members(api)["shop-5"] == ("arbiter", "us")


def test_all_of_it_is_restarted_upgraded_configured_stopped_started_and_deleted(ctl, api):
    ctl("clusters", "create", "shop", "--flavor", "1", "--version", "10.11")
    for verb, says in (("restart", "are being restarted"), ("stop", "is being stopped"), ("start", "is being formed again")):
        done = ctl("clusters", verb, "shop")
        assert done.status == 0 and says in done.out
    api.pool.now += 10
    api.pool.settle()
    ctl("configurations", "create", "c", "--datastore", "galera", "--version", "10.11", "wait_timeout=60")
    assert ctl("clusters", "attach", "shop", "c").status == 0
    assert re.search(r"^Configuration +c$", ctl("clusters", "show", "shop").out, re.MULTILINE)
    assert ctl("clusters", "detach", "shop").status == 0
    assert ctl("clusters", "upgrade", "shop", "11.8", "--watch").status == 0 and "galera 11.8" in ctl("clusters", "list").out
    assert ctl("clusters", "reset-status", "shop").status == 0
    assert ctl("clusters", "delete", "shop", "--force", "--watch").out == "It is gone.\n"


def test_what_never_runs_again_is_left_out_of_a_start(ctl, api):
    ctl("clusters", "create", "shop", "--flavor", "1")
    ctl("clusters", "stop", "shop")
    api.pool.dies(api.cluster("shop")["instances"][0]["hostname"])
    assert "bring it back" in ctl("clusters", "start", "shop").err
    half = ctl("clusters", "start", "shop", "--without", "shop-1")
    assert half.status == 2 and "--without and --force go together" in half.err
    assert ctl("clusters", "start", "shop", "--without", "shop-1", "--force").status == 0
    assert api.cluster("shop")["status"] == "ACTIVE"


def test_what_is_being_done_is_explained_and_shown(batonctl, monkeypatch):
    with served(pool(lively=False)) as api:
        ctl = aimed(batonctl, api, monkeypatch)
        assert ctl("clusters", "create", "shop", "--flavor", "1").status == 0
        assert "building" in ctl("clusters", "list").out and "Next comes create." in ctl("clusters", "explain", "shop").out
        api.pool.settle_once()
        assert "building 1/3 prepare" in ctl("clusters", "show", "shop").out
        late = ctl("clusters", "reset-status", "shop", "--watch", "--wait", "0.1")
        assert late.status == 1 and "has not ended" in late.err


def test_a_member_that_could_not_be_made_is_told(ctl, api):
    ctl("clusters", "create", "shop", "--flavor", "1")
    api.pool.refuse["receive"] = "the disk is full"
    grown = ctl("clusters", "grow", "shop", "--watch")
    assert grown.status == 1 and "shop-4" in grown.err and "the disk is full" in grown.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "nobody"), "there is no cluster 'nobody'"),
        (("create", "c"), "--flavor"),
        (("create", "c", "--flavor", "7"), "7"),
        (("create", "c", "--flavor", "1", "--members", "2"), "3 members at least"),
        (("create", "c", "--flavor", "1", "--node", "eu", "--members", "3"), "--node says of each member where it is"),
        (("create", "c", "--flavor", "1", "--node", "mars", "--node", "eu", "--node", "eu"), "no region 'mars'"),
        (("create", "c", "--flavor", "1", "--datastore", "mariadb"), "mariadb"),
        (("shrink", "c"), "MEMBER"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(ctl, arguments, says):
    done = ctl("clusters", *arguments)
    assert done.status in (1, 2) and says in done.err and done.err.count("\n") == 1 and done.out == ""
