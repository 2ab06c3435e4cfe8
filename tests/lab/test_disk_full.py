# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that uploads, changes or others fill: a real daemon on a small file system goes on, starts anew, and says so."""

import os
import subprocess

import pytest

from support.cluster import Cluster, until

MIB = 1 << 20


@pytest.fixture
def node(tmp_path):
    """One node whose data are on a disk of 64 MiB, of which 4 are its reserve."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=True)
    try:
        with Cluster(disk, 1, "local") as cluster:
            cluster.n1.until("/active")
            until((cluster.n1.data / "admin.token").exists, "there is a token")
            yield cluster.n1
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill(node):
    """Another program takes all that there is."""
    with open(node.data.parent / "others", "wb", buffering=0) as file:
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
