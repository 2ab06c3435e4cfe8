# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real nodes: contents that no file names any more leave every disk; those that are needed never do."""

import threading

import pytest

from support.cluster import Cluster, until

LIMITS = ["--checkpoint-entries", "16", "--keep-entries", "32", "--keep-contents", "1"]


@pytest.fixture
def pair(tmp_path):
    with Cluster(tmp_path, 2, options=LIMITS) as cluster:
        cluster.call(cluster.n1, "POST", "/profiles", json={"Name": "p"})
        yield cluster


def on_disk(node, digest):
    return (node.data / "files" / digest[:2] / digest).exists()


def put(cluster, path, content):
    answer = cluster.call(cluster.n1, "PUT", f"/files/{path}", data=content)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()["Sha256"]


def write_until_gone(cluster, digest, nodes):
    """Let the log forget what named the content: then it goes, too."""

    def gone():
        assert cluster.call(cluster.n1, "PUT", "/profiles/p/params/x", json=1).status_code == 200
        return not any(on_disk(node, digest) for node in nodes)

    until(gone, f"{digest[:12]} leaves the disks")


def test_deleted_contents_leave_every_disk(pair):
    nodes = [pair.n1, pair.n2]
    kept = put(pair, "kept", b"kept" * 1000)
    deleted = put(pair, "deleted", b"deleted" * 1000)
    replaced = put(pair, "replaced", b"replaced" * 1000)
    assert pair.call(pair.n1, "DELETE", "/files/deleted").status_code == 204
    new = put(pair, "replaced", b"new" * 1000)
    assert all(on_disk(node, digest) for digest in (deleted, replaced) for node in nodes), "the log names them still"
    for digest in (deleted, replaced):
        write_until_gone(pair, digest, nodes)
    for digest in (kept, new):
        assert all(on_disk(node, digest) for node in nodes)
    assert pair.call(pair.n1, "GET", "/files/kept").content == b"kept" * 1000
    # what went may come again
    assert put(pair, "deleted", b"deleted" * 1000) == deleted
    assert all(on_disk(node, deleted) for node in nodes)


def test_uploads_survive_while_contents_are_collected(pair):
    """One file is uploaded and deleted again and again with the same contents, others come and stay, one takes long."""
    deadline, half = threading.Event(), threading.Event()

    def slow():
        yield b"slow" * 1000
        half.set()
        deadline.wait()
        yield b"end"

    results = []
    uploader = threading.Thread(target=lambda: results.append(put(pair, "slow", slow())))
    uploader.start()
    try:
        assert half.wait(10)
        first = put(pair, "comes-and-goes/first", b"first")
        assert pair.call(pair.n1, "DELETE", "/files/comes-and-goes/first").status_code == 204
        stay = {}
        for number in range(60):
            content = b"%d" % (number % 3)
            digest = put(pair, f"comes-and-goes/{number}", content)
            assert pair.call(pair.n1, "GET", f"/files/comes-and-goes/{number}").content == content
            assert all(on_disk(node, digest) for node in (pair.n1, pair.n2))
            assert pair.call(pair.n1, "DELETE", f"/files/comes-and-goes/{number}").status_code == 204
            stay[number] = put(pair, f"stays/{number}", b"stays %d" % number)
        write_until_gone(pair, first, [pair.n1, pair.n2])  # the collection has run at least once
    finally:
        deadline.set()
        uploader.join()
    for digest in [*stay.values(), *results]:
        assert all(on_disk(node, digest) for node in (pair.n1, pair.n2))
    assert len(results) == 1 and pair.call(pair.n1, "GET", "/files/slow").content == b"slow" * 1000 + b"end"


def test_a_content_waits_for_a_passive_that_is_slow_to_copy_it(pair):
    """Nothing names it before every in-sync node has it; it must not be collected meanwhile, however long that takes."""
    old = put(pair, "old", b"old")
    assert pair.call(pair.n1, "DELETE", "/files/old").status_code == 204
    write_until_gone(pair, old, [pair.n1, pair.n2])
    blocked = pair.n2.data / "files" / "incoming"
    blocked.rename(blocked.with_name("away"))  # n2 can't copy
    results = []
    uploader = threading.Thread(target=lambda: results.append(put(pair, "new", b"new")))
    uploader.start()
    until(lambda: pair.n2.log.read_text().count("can't copy file content") >= 4, "n2 tries for longer than contents stay unnamed")
    assert not results
    blocked.with_name("away").rename(blocked)
    uploader.join()
    assert all(on_disk(node, results[0]) for node in (pair.n1, pair.n2))
