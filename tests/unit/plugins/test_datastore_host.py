# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts come into the pool and leave it by the module datastore_host, and are read by datastore_host_info, against a real node."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from baton.client.pool import FLAVORS
from baton.tasks import datastore_host
from support.cluster import Cluster
from support.tasks import run

LARGE = {"2": {"name": "large", "ram": 8192, "vcpus": 4, "disk": 100}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("hosts"), 1, "local") as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _empty(cluster):
    yield
    for kind, identity in (("sets", "Id"), ("pool", "Name")):
        for each in cluster.call(cluster.n1, "GET", f"/{kind}").json():
            cluster.call(cluster.n1, "DELETE", f"/{kind}/{each[identity]}")


@pytest.fixture
def host(cluster):
    """Return what runs the module for the host h1."""

    def run_it(check=False, text_for_numbers=False, **options):
        return run(cluster, "datastore_host", check, text_for_numbers, **{"name": "h1", **options})

    return run_it


def good(result):
    assert not result.get("failed"), result
    return result


def done(host, **options):
    """Have a task do what it has foretold, and nothing the second time; return its result."""
    before, result, again = (good(host(**more, **options)) for more in ({"check": True}, {}, {}))
    assert [before[name] for name in ("changed", "host", "diff")] == [result[name] for name in ("changed", "host", "diff")]
    assert result["changed"] and not again["changed"] and again["diff"] == {"before": {}, "after": {}}, again
    assert [again[name] for name in ("host", "token_id")] == [result[name] for name in ("host", "token_id")]
    return result


def document(cluster):
    return cluster.call(cluster.n1, "GET", "/pool/h1").json()


def opens(cluster, path):
    return cluster.n1.call("GET", "/pool/h1", path.read_text().strip()).status_code == 200


def carry(cluster, name="shop-1", set_id="s"):
    members = {"i1": {"id": "i1", "host": "h1", "own": {"name": name}}, "i2": {"id": "i2", "host": "h2", "own": {"name": "other"}}}
    assert cluster.call(cluster.n1, "POST", "/sets", json={"Id": set_id, "Set": {"members": members}}).status_code == 201


def test_a_host_comes_changes_and_leaves(cluster, host, tmp_path):
    path = tmp_path / "token"
    made = done(host, address="192.0.2.1", region="eu", path=str(path))
    assert made["host"]["flavors"] == FLAVORS and made["host"]["datastores"] == {} and not made["host"]["heard"]
    assert opens(cluster, path) and stat.S_IMODE(path.stat().st_mode) == 0o600 and made["token_id"]
    assert path.read_text().strip() not in str(made)
    changed = done(host, flavors=LARGE, datastores={"mariadb": ["11.8"]}, maintenance=True)
    assert document(cluster)["Meta"] == {
        "address": "192.0.2.1", "region": "eu", "flavors": LARGE, "datastores": {"mariadb": ["11.8"]}, "maintenance": True,
    }  # fmt: skip
    assert changed["diff"]["before"] == {"Meta": {"flavors": FLAVORS, "maintenance": False}}
    done(host, datastores={}, maintenance=False)
    assert not good(host(datastores={}, maintenance=False, region="eu"))["changed"]
    gone = done(host, state="absent", path=str(path))
    assert gone["host"] is None and not path.exists() and document(cluster)["status"] == 404


def test_what_is_not_there_and_empty_is_no_change(cluster, host):
    assert cluster.call(cluster.n1, "POST", "/pool", json={"Name": "h1", "Meta": {"address": "192.0.2.1"}}).status_code == 201
    assert not good(host(region="", flavors={}, datastores={}, maintenance=False))["changed"]


def test_others_are_left_what_they_say_of_a_host(cluster, host):
    meta = {"address": "192.0.2.1", "rack": 7, "region": "us"}
    cluster.call(cluster.n1, "POST", "/pool", json={"Name": "h1", "Meta": meta, "Params": {"orders": {"o": {"args": {"secret": "x7x"}}}}})
    result = done(host, region="eu")
    assert document(cluster)["Meta"] == {**meta, "region": "eu"} and "x7x" not in str(result)


@pytest.mark.parametrize("how", ["revoked", "empty", "made anew"])
def test_a_token_that_is_not_valid_any_more_is_made_anew(cluster, host, tmp_path, how):
    path = tmp_path / "token"
    first = good(host(address="192.0.2.1", path=str(path)))
    if how == "revoked":
        cluster.call(cluster.n1, "DELETE", f"/tokens/{first['token_id']}")
    elif how == "empty":
        path.write_text("")
    else:  # its host has left meanwhile, and come again
        cluster.call(cluster.n1, "DELETE", "/pool/h1")
    second = done(host, address="192.0.2.1", path=str(path))
    assert second["token_id"] != first["token_id"] and opens(cluster, path)


def test_a_token_for_something_else_is_left_alone(cluster, host, tmp_path):
    path = tmp_path / "token"
    path.write_text(cluster.token)
    for state in ("present", "absent"):
        refused = host(address="192.0.2.1", path=str(path), state=state)
        assert refused["failed"] and "good for something else (admin): give each host a path of its own" in refused["msg"]
    good(host(name="h2", address="192.0.2.2", path=str(tmp_path / "other")))
    assert "(guest h2)" in host(address="192.0.2.1", path=str(tmp_path / "other"))["msg"]
    assert path.read_text() == cluster.token and "h1" not in [
        each["Name"] for each in cluster.call(cluster.n1, "GET", "/pool").json()
    ]  # fmt: skip


def test_a_token_nobody_could_keep_is_revoked(cluster, host, tmp_path, monkeypatch):
    before = len(cluster.call(cluster.n1, "GET", "/tokens").json())
    folder = tmp_path / "folder"
    folder.mkdir()

    def no_room(*_paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_room)
    refused = host(address="192.0.2.1", path=str(folder / "token"))
    assert refused["failed"] and refused["msg"] == f"can't write the token to {folder}/token: no space left on device"
    assert len(cluster.call(cluster.n1, "GET", "/tokens").json()) == before and list(folder.iterdir()) == []


def test_a_host_that_carries_something_stays_and_says_what(cluster, host, tmp_path):
    path = tmp_path / "token"
    good(host(address="192.0.2.1", path=str(path)))
    carry(cluster)
    before = document(cluster)
    for check in (True, False):
        refused = host(check, state="absent", path=str(path))
        assert refused["failed"] and refused["msg"] == "h1 carries shop-1 (i1); delete these instances first"
    assert document(cluster) == before and opens(cluster, path)


def test_what_is_put_on_a_host_after_the_look_keeps_it(cluster, host, monkeypatch):
    """As the manager does it: the set, and a note on the host, in one batch."""
    good(host(address="192.0.2.1"))
    look, looks = datastore_host.pool.carried, []

    def late(client, name):
        found = look(client, name)
        if not looks:
            carry(cluster)
            cluster.call(cluster.n1, "PUT", "/pool/h1/params/placed", json="i1")
        looks.append(name)
        return found

    monkeypatch.setattr(datastore_host.pool, "carried", late)
    assert "h1 carries shop-1 (i1)" in host(state="absent")["msg"] and len(looks) == 2
    assert document(cluster)["Name"] == "h1"


def test_who_comes_second_changes_nothing(cluster, host, monkeypatch):
    """Others make the host, or take it away, between the look and the change."""
    good(host(address="192.0.2.1"))
    monkeypatch.setattr(datastore_host, "_find", first(None, datastore_host._find))
    assert not good(host(address="192.0.2.1"))["changed"]
    was = document(cluster)
    cluster.call(cluster.n1, "DELETE", "/pool/h1")
    monkeypatch.setattr(datastore_host, "_find", first(was, datastore_host._find))
    assert good(host(address="192.0.2.9"))["host"]["address"] == "192.0.2.9"
    was = document(cluster)
    cluster.call(cluster.n1, "DELETE", "/pool/h1")
    monkeypatch.setattr(datastore_host, "_find", first(was, datastore_host._find))
    assert not good(host(state="absent"))["changed"]


def first(value, then):
    """Return a function that returns ``value``, and afterwards what ``then`` does."""
    values = [value]
    return lambda *given: values.pop() if values else then(*given)


def test_tasks_that_run_at_once_make_one_host_and_one_token(cluster, host, tmp_path):
    path = tmp_path / "token"
    with ThreadPoolExecutor(8) as threads:
        results = [each.result() for each in [threads.submit(host, address="192.0.2.1", path=str(path)) for _number in range(8)]]
    assert {good(each)["token_id"] for each in results} == {results[0]["token_id"]} and opens(cluster, path)
    of_guests = [each for each in cluster.call(cluster.n1, "GET", "/tokens").json() if each["Scope"].get("name") == "h1"]
    assert len(of_guests) == 1 and any(each["changed"] for each in results)


def test_the_room_of_a_host_is_kept_and_no_limit_is_one_too(host):
    assert done(host, address="192.0.2.1", ram=8192, volume=100)["host"]["ram"] == 8192
    assert done(host, ram=0)["host"]["ram"] == 0
    kept = good(host())["host"]
    assert (kept["ram"], kept["volume"]) == (0, 100)


def test_the_first_port_of_a_host_is_kept_and_may_be_changed(cluster, host):
    assert done(host, address="192.0.2.1")["host"]["port"] is None
    assert done(host, port=3406)["host"]["port"] == document(cluster)["Meta"]["port"] == 3406
    assert done(host, port=55035)["host"]["port"] == 55035


def test_a_number_that_a_template_gave_as_text_is_one(cluster, host):
    text = {1: {"name": "small", "ram": "512", "vcpus": "1", "disk": "10"}}
    assert "ram of flavor 1 is a number" in host(address="192.0.2.1", flavors=text)["msg"]
    assert good(host(text_for_numbers=True, address="192.0.2.1", flavors=text))["host"]["flavors"]["1"]["ram"] == 512
    assert not good(host(text_for_numbers=True, flavors=text))["changed"]


def test_the_pool_is_read_without_what_guests_are_told(cluster, host):
    good(host(address="192.0.2.1", region="eu", flavors=LARGE))
    params = {
        "heartbeat": {"datastores": {"mariadb": ["10.11", "11.8"]}}, "orders": {"o": {"args": {"secret": "x7x"}}},
        "servers": {"i1": {"up": False, "trouble": "its disk is full", "set": "s", "more": "x7x"}, "i2": "x7x"},
    }  # fmt: skip
    cluster.call(cluster.n1, "POST", "/pool", json={"Name": "h2", "Meta": {}, "Params": params})
    (h1, h2) = good(run(cluster, "datastore_host_info"))["hosts"]
    assert (h1["region"], h1["flavors"], h1["heard"], h1["servers"]) == ("eu", LARGE, False, {})
    assert h2 == {
        "name": "h2", "address": "", "region": "", "heard": True, "maintenance": False, "flavors": {}, "ram": None, "volume": None,
        "port": None,
        "datastores": {"mariadb": ["10.11", "11.8"]},
        "servers": {"i1": {"up": False, "trouble": "its disk is full", "set": "s"}, "i2": {"up": False, "trouble": "", "set": ""}},
    }  # fmt: skip
    assert good(run(cluster, "datastore_host_info", name="h2"))["hosts"] == [h2]
    assert good(run(cluster, "datastore_host_info", name="h3"))["hosts"] == []
    assert run(cluster, "datastore_host_info", name="a/b")["failed"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "h1 is not in the pool: give address"),
        ({"name": "a/b", "address": "192.0.2.1"}, "can't name a host"),
        ({"name": "", "address": "192.0.2.1"}, "a name is empty"),
        ({"address": "here; there"}, "'here; there' is no address"),
        ({"address": "192.0.2.1", "flavors": {"1": "small"}}, 'flavor 1 has a name, and may have ram, vcpus and disk; it is "small"'),
        ({"address": "192.0.2.1", "flavors": {"1": {"name": "s", "cpus": 1}}}, "flavor 1 has a name"),
        ({"address": "192.0.2.1", "flavors": {"1": {"name": "s", "ram": True}}}, "ram of flavor 1 is a number from 1, not true"),
        ({"address": "192.0.2.1", "flavors": {"1": {"name": "s", "disk": 0}}}, "disk of flavor 1 is a number from 1, not 0"),
        ({"address": "192.0.2.1", "datastores": {"mariadb": [10.11]}}, 'datastore mariadb needs a list of versions as texts in quotes'),
        ({"address": "192.0.2.1", "datastores": {"mariadb": "11.8"}}, "datastore mariadb needs a list"),
        ({"address": "192.0.2.1", "ram": -1}, "ram is a number from 0, not -1"),
        ({"address": "192.0.2.1", "port": 1023}, "port is a number from 1024 to 55035, not 1023"),
        ({"address": "192.0.2.1", "port": 55036}, "port is a number from 1024 to 55035, not 55036"),
        ({"address": "192.0.2.1", "path": "/nonexistent/token"}, "can't write the token to /nonexistent/token: there is no such directory"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_said_in_one_line_and_nothing_is_made(cluster, host, options, says):
    for check in (True, False):
        refused = host(check, **options)
        assert refused["failed"] and says in refused["msg"] and "\n" not in refused["msg"], refused
    assert cluster.call(cluster.n1, "GET", "/pool").json() == []
