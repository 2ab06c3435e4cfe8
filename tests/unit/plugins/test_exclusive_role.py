# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time: the role baton.ha.exclusive in plays that two controllers run at once, and locks for several things."""

import json
import os

import pytest

from support.cluster import Cluster, until
from support.plays import Runs, kill, said


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("exclusive"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def runs(cluster, tmp_path):
    with Runs(cluster, tmp_path) as runs:
        yield runs
    until(lambda: cluster.call(cluster.n1, "GET", "/locks").json() == [], "every run has given back what it held")


def work(log, who):
    return [{"name": word, "ansible.builtin.raw": f"echo {word} {{{{ inventory_hostname }}}} {who} >> {log}"} for word in ("in", "out")]


def holds(cluster, *locks):
    taken = {lock["Name"] for lock in cluster.call(cluster.n1, "GET", "/locks").json() if lock["Holders"]}
    return taken >= set(locks)


@pytest.mark.parametrize("way", [{}, {"serial": 1}, {"strategy": "ansible.builtin.free"}], ids=["linear", "serial", "free"])
def test_two_runs_with_hosts_in_common_take_turns_to_their_end(runs, tmp_path, way):
    role = [{"role": "baton.ha.exclusive"}]
    plays = [
        runs.begin(work(tmp_path / "log", who), inventory=hosts, roles=role, **way) for who, hosts in (("1", "b,a,x,"), ("2", "c,a,b,y,"))
    ]
    for play in plays:
        said(play)
    order = [line.split()[2] for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(order) == ["1"] * 6 + ["2"] * 8 and order in (sorted(order), sorted(order, reverse=True))


def test_a_run_for_some_tags_keeps_others_away_too(cluster, runs):
    task = {**runs.gate("tagged"), "tags": ["update"]}
    play = runs.begin([task], inventory="a,b,", roles=[{"role": "baton.ha.exclusive"}], options=["--tags", "update"])
    runs.reached("tagged")
    assert holds(cluster, "exclusive/host/a", "exclusive/host/b")
    runs.open("tagged")
    said(play)


def test_hosts_of_any_name_are_kept_from_others(cluster, runs, tmp_path):
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": dict.fromkeys(["größe", "Switch 1", "::1", "x" * 130, "web-1"])}}))
    play = runs.begin([runs.gate("any")], inventory=str(inventory), roles=[{"role": "baton.ha.exclusive"}])
    runs.reached("any")
    assert len([lock for lock in cluster.call(cluster.n1, "GET", "/locks").json() if lock["Holders"]]) == 5
    late = runs.run([], inventory="Switch 1,", roles=["baton.ha.exclusive"], options=["-e", "baton_exclusive_wait_timeout=0.1"], check=2)
    assert "is held by Switch 1, run " in late
    runs.open("any")
    said(play)


def test_who_waits_is_told_who_works_there_and_comes_when_that_run_is_killed(cluster, runs, tmp_path):
    first = runs.begin([runs.gate("inside")], inventory="a,b,", roles=[{"role": "baton.ha.exclusive"}])
    runs.reached("inside")
    late = runs.run([], inventory="b,c,", roles=["baton.ha.exclusive"], options=["-e", "baton_exclusive_wait_timeout=0.5"], check=2)
    assert "lock 'exclusive/host/b' is held by b, run " in late and f" on {os.uname().nodename}, since " in late
    assert not holds(cluster, "exclusive/host/c"), "who gives up holds nothing"
    second = runs.begin(work(tmp_path / "log", "2"), inventory="b,c,", roles=["baton.ha.exclusive"])
    until(lambda: cluster.call(cluster.n1, "GET", "/locks/exclusive/host/b").json()["Queue"], "the second run waits")
    kill(first)
    said(second)
    assert len((tmp_path / "log").read_text().splitlines()) == 4


def test_readers_beside_readers_and_a_writer_alone(cluster, runs, tmp_path):
    shared = ["-e", "baton_exclusive_shared=true", "-e", "baton_exclusive_name=prod"]
    readers = [runs.begin([runs.gate(name)], roles=["baton.ha.exclusive"], options=shared) for name in ("one", "two")]
    for name in ("one", "two"):
        runs.reached(name)
    named = ["-e", "baton_exclusive_name=prod"]
    writer = runs.begin(work(tmp_path / "log", "w"), roles=["baton.ha.exclusive"], options=named)
    until(lambda: cluster.call(cluster.n1, "GET", "/locks/exclusive/name/prod").json()["Queue"], "the writer waits")
    assert not (tmp_path / "log").exists()
    for name, reader in zip(("one", "two"), readers):
        runs.open(name)
        said(reader)
    said(writer)
    assert len((tmp_path / "log").read_text().splitlines()) == 2


def test_several_locks_are_all_taken_or_none_and_given_back_together(cluster, runs):
    cluster.call(cluster.n1, "POST", "/locks/many/b/acquire", json={"Owner": "another"})
    many = {"name": "many", "each": ["c", "a"], "wait_timeout": 60}
    check = {"ansible.builtin.assert": {"that": ["got.held", "got.tokens | length == 2", "got.changed", "got.lease is match('run-')"]}}
    tasks = [
        {"baton.ha.lock": {**many, "each": ["a", "b", "c"], "wait": False}, "register": "got", "failed_when": "got is not failed"},
        {"baton.ha.lock": {**many}, "check_mode": True, "register": "got", "failed_when": "got is not changed or not got.held"},
        {"baton.ha.lock": many, "register": "got"},
        check,
        runs.gate("held"),
        {"baton.ha.lock": many, "register": "got", "failed_when": "got is changed"},
        {"baton.ha.lock": {**many, "state": "released"}, "register": "got", "failed_when": "got is not changed or got.held"},
        runs.gate("released"),
    ]
    play = runs.begin(tasks)
    runs.reached("held")
    assert holds(cluster, "many/a", "many/c")
    runs.open("held")
    runs.reached("released")
    assert [lock["Name"] for lock in cluster.call(cluster.n1, "GET", "/locks").json()] == ["many/b"]
    runs.open("released")
    said(play)
    cluster.call(cluster.n1, "DELETE", "/locks/many/b")


def test_a_reader_of_a_lock_waits_for_its_writer_and_check_mode_knows(cluster, runs):
    read = {"name": "read", "shared": True}
    for owner, shared, held in (("r", True, True), ("w", False, False)):
        cluster.call(cluster.n1, "POST", "/locks/read/acquire", json={"Owner": owner, "Shared": shared})
        expected = f"got.held != {held}"
        runs.run([{"baton.ha.lock": read, "register": "got", "check_mode": True, "failed_when": expected}], options=[])
        cluster.call(cluster.n1, "DELETE", "/locks/read")
