# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that uploads, changes or others fill: real daemons on small file systems go on, start anew, hand over, and say so."""

import contextlib
import itertools
import os
import subprocess

import pytest

from support.cluster import Cluster, until

MIB = 1 << 20
numbers = itertools.count(1)


@contextlib.contextmanager
def small_disk(folder):
    """A disk of 64 MiB, of which 4 will be a node's reserve."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def node(tmp_path):
    """One node whose data are on a small disk."""
    with small_disk(tmp_path / "disk") as disk, Cluster(disk, 1, "local") as cluster:
        cluster.n1.until("/active")
        until((cluster.n1.data / "admin.token").exists, "there is a token")
        yield cluster.n1


@pytest.fixture
def pair(tmp_path):
    """Two nodes, each with a small disk of its own; n1 is active."""
    with small_disk(tmp_path / "n1"), small_disk(tmp_path / "n2"), Cluster(tmp_path, 2, "local") as cluster:
        yield cluster


def fill(node, folder=None):
    """Another program takes all that there is."""
    with open((folder or node.data.parent) / "others", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(MIB))
        except OSError:
            return


def call(node, method, path, **more):
    token = (node.data / "admin.token").read_text().strip()
    return node.call(method, path, token, **more)


def is_full(node):
    return "disk with this node's data is full" in (node.status()["error"] or "")


def test_uploads_stop_while_there_is_room_for_changes(node):
    sent = []
    while not sent or sent[-1] == 201:
        sent.append(call(node, "PUT", f"/files/f{len(sent)}", data=os.urandom(8 * MIB)).status_code)
    assert sent[-1] == 507 and len(sent) > 2
    assert call(node, "POST", "/profiles", json={"Name": "p"}).status_code == 201
    assert node.status()["error"] is None


def test_changes_stop_while_there_is_room_for_the_daemon(node):
    answers = set()
    for number in range(400):
        answer = call(node, "POST", "/profiles", json={"Name": f"p{number}", "Params": {"x": "y" * 200_000}})
        answers.add((answer.status_code, answer.json()["type"] if answer.content else ""))
    assert answers == {(204, ""), (507, "urn:baton:disk_full")}
    assert is_full(node) and node.process.poll() is None
    assert call(node, "DELETE", "/profiles/p0").status_code == 204


def test_a_disk_that_others_fill_costs_neither_the_daemon_nor_its_next_starts(node):
    fill(node)
    until(lambda: is_full(node), "it says so")
    assert not node.probe("/health") and "\nbaton_trouble 1\n" in node.metrics()
    assert call(node, "POST", "/profiles", json={"Name": "p"}).status_code == 507
    for _time in range(3):
        node.kill()
        node.start().until("/active")
    (node.data.parent / "others").unlink()
    until(lambda: not is_full(node), "there is room again")
    assert call(node, "POST", "/profiles", json={"Name": "p"}).status_code == 201


def test_a_write_at_the_very_moment_is_made_on_the_reserve(node):
    for number in range(20):  # the disk is looked at twice a second only
        fill(node)
        answer = call(node, "POST", "/profiles", json={"Name": f"p{number}"})
        assert answer.status_code in (201, 507) and node.process.poll() is None, node.log.read_text()
        (node.data.parent / "others").unlink()
        until(lambda: not is_full(node), "there is room again")


def write(cluster, node):
    """Return what the answer to a change is called, "" for one that was made."""
    answer = cluster.call(node, "POST", "/profiles", json={"Name": f"p{next(numbers)}"})
    return "" if answer.status_code == 201 else answer.json()["type"]


def seen_by(node, of, what):
    return {entry["id"]: entry[what] for entry in node.status()["nodes"]}[of]


def test_an_active_whose_disk_is_full_hands_its_role_to_one_that_has_room(pair):
    n1, n2 = pair.n1, pair.n2
    fill(n1, n1.data)
    n2.until("/active")
    assert write(pair, n2) == ""
    history = pair.call(n2, "GET", "/system/history").json()
    assert [(reign["Node"], reign["Reason"]) for reign in history][-1] == ("n2", "handed over by n1: its disk is full")
    assert "n1 would refuse changes: its disk is full" in n2.status()["error"]
    assert seen_by(n2, "n1", "disk_full") and "\nbaton_disk_full 1\n" in n1.metrics() and "\nbaton_disk_full 0\n" in n2.metrics()
    (n1.data / "others").unlink()
    until(lambda: not seen_by(n2, "n1", "disk_full"), "n1 has room again")
    n1.until("/in-sync")
    assert n2.probe("/active") and n2.probe("/health"), "it does not go back"


def test_where_all_disks_are_full_the_role_stays_until_one_has_room(pair):
    n1, n2 = pair.n1, pair.n2
    fill(n2, n2.data)
    until(lambda: seen_by(n1, "n2", "disk_full"), "n2 has said so")
    assert "no passive would take changes now: if n1 fails, they are refused" in n1.status()["error"] and not n1.probe("/health")
    assert write(pair, n1) == ""
    refused = pair.call(n1, "POST", "/system/switch", json={"to": "n2"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:baton:unable")
    fill(n1, n1.data)
    until(lambda: is_full(n1), "n1 says so")
    assert write(pair, n1) == "urn:baton:disk_full" and n1.probe("/active")
    assert pair.call(n1, "GET", "/profiles").status_code == 200
    (n2.data / "others").unlink()
    n2.until("/active")
    assert write(pair, n2) == ""
