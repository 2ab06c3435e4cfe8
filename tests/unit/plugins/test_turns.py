# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of one play that would wait for each other in vain are warned, before they do."""

import subprocess

import pytest

from support.cluster import Cluster, until
from support.plays import Runs, kill

HOSTS = "a,b,c,d,"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("turns"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def runs(cluster, tmp_path):
    with Runs(cluster, tmp_path) as runs:
        yield runs


def lock(name, **options):
    return {"baton.ha.lock": {"name": name, "wait_timeout": 0.1, **options}, "ignore_errors": True}


def once(**options):
    return {"baton.ha.once": {"name": "x", "wait_timeout": 0.1, **options}, "register": "once", "ignore_errors": True}


def barrier(**options):
    return {"baton.ha.barrier": {"name": "b", "count": 4, "wait_timeout": 0.1, **options}, "ignore_errors": True}


BARRIER = barrier()
# Each option, and each keyword, that makes of a lock that hosts wait for one that none of them waits for in vain.
HARMLESS = [
    lock("readers", shared=True),
    lock("at-once", wait=False),
    lock("all", each=["{{ inventory_hostname }}"]),
    lock("given-back", state="released"),
    {**lock("for-all"), "run_once": True},
    {**lock("looked-at"), "check_mode": True},
]
HARMLESS_MEETINGS = [barrier(state="reset"), {**barrier(), "run_once": True}, {**barrier(), "check_mode": True}]


@pytest.mark.parametrize(
    ("strategy", "forks", "tasks", "warning"),
    [
        ("linear", 20, [lock("one")], "hosts that wait for lock 'one' do so until wait_timeout"),
        ("linear", 20, [lock("many", slots=4)], None),
        ("linear", 20, [lock("per/{{ inventory_hostname }}")], None),
        ("free", 3, [lock("f")], "3 hosts may wait for lock 'f', and no more than 3 tasks run at once (forks)"),
        ("free", 4, [lock("f")], None),
        ("free", 2, [lock("per/{{ inventory_hostname }}")], None),
        ("host_pinned", 2, [lock("p")], None),
        ("free", 3, [once(state="begun"), once(state="awaited")], "3 hosts may wait for the end of 'x'"),
        ("linear", 3, [once(state="begun"), once(state="awaited")], None),
        ("linear", 3, [BARRIER], "4 hosts may wait for each other at barrier 'b', but no more than 3 run at once"),
        ("linear", 4, [BARRIER], None),
        ("linear", 20, HARMLESS, None),
        ("free", 3, [{**once(state="awaited"), "check_mode": True}], None),
        ("linear", 3, HARMLESS_MEETINGS, None),
    ],
)
def test_hosts_that_would_wait_for_each_other_in_vain_are_warned_once(cluster, runs, strategy, forks, tasks, warning):
    output = runs.run(tasks, inventory=HOSTS, strategy=f"ansible.builtin.{strategy}", options=["-f", forks])
    words = " ".join(output.split())
    assert words.count("Use strategy:") + words.count("Use at least") == (warning is not None)
    assert warning is None or warning in words
    cluster.call(cluster.n1, "DELETE", "/barriers/b")


def test_the_warning_comes_before_the_wait(cluster, runs, tmp_path):
    cluster.call(cluster.n1, "POST", "/locks/before/acquire", json={"Owner": "other"})
    play = runs.begin([lock("before", wait_timeout=600)], inventory=HOSTS)
    until(lambda: cluster.call(cluster.n1, "GET", "/locks/before").json()["Queue"], "they wait")
    said = (tmp_path / "said").open("w+b")
    reader = subprocess.Popen(["cat"], stdin=play.stderr, stdout=said)  # what has been said so far, and no more
    try:
        until(lambda: b"hosts that wait for lock 'before'" in (tmp_path / "said").read_bytes(), "the warning is there while they wait")
        assert cluster.call(cluster.n1, "GET", "/locks/before").json()["Queue"]
    finally:
        kill(play)
        reader.wait()
        said.close()
        cluster.call(cluster.n1, "DELETE", "/locks/before")
