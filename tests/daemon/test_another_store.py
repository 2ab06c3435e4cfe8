# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real daemons whose cluster is to keep its record elsewhere: not by chance, and not without a person who changes all nodes."""

import hashlib
import shutil

import pytest

from support.cluster import Cluster, until
from support.etcd import Etcd


@pytest.fixture
def etcd(tmp_path):
    with Etcd(tmp_path / "etcd") as server:
        yield server


def with_dcs(node, dcs):
    """Have the node started with this --dcs."""
    node.command[node.command.index("--dcs") + 1] = dcs


def refuses(node, text):
    """Start the node; it ends at once, and says this in its last line."""
    node.start()
    assert node.process.wait(20) == 2, node.log.read_text()
    said = node.log.read_text().splitlines()[-1]
    assert text in said and "Traceback" not in node.log.read_text()


def contents(node):
    """Return what is in the data directory: name → digest. SQLite's own files beside the data come and go."""
    files = (path for path in node.data.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm")))
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_data_of_a_manual_cluster_are_not_started_with_etcd_and_nothing_is_changed(tmp_path, etcd):
    with Cluster(tmp_path, 2, "manual") as cluster:
        for node in cluster.nodes.values():
            assert (node.data / "STORE").read_text() == "manual\n"
        cluster.n2.stop()
        before, revision = contents(cluster.n2), etcd.revision()
        with_dcs(cluster.n2, f"etcd:{etcd.urls[0]}")
        refuses(cluster.n2, "--dcs says etcd, but the data in")
        assert contents(cluster.n2) == before and etcd.revision() == revision
        with_dcs(cluster.n2, "manual")
        cluster.n2.start().until("/in-sync")


def test_data_of_a_version_that_noted_no_store_tell_by_their_record(tmp_path, etcd):
    with Cluster(tmp_path, 1, "manual") as cluster:
        cluster.n1.stop()
        (cluster.n1.data / "STORE").unlink()
        with_dcs(cluster.n1, f"etcd:{etcd.urls[0]}")
        refuses(cluster.n1, "belong to a cluster that keeps its record with manual")
        with_dcs(cluster.n1, "manual")
        cluster.n1.start().until("/active")
        assert (cluster.n1.data / "STORE").read_text() == "manual\n"


def test_data_of_a_cluster_with_etcd_are_not_started_without(tmp_path, etcd):
    with Cluster(tmp_path, 1, f"etcd:{etcd.urls[0]}") as cluster:
        cluster.n1.stop()
        for other in ("manual", f"local:{tmp_path}/dcs.db"):
            with_dcs(cluster.n1, other)
            refuses(cluster.n1, "belong to a cluster that keeps its record with etcd")
        assert not (tmp_path / "dcs.db").exists()


def test_a_node_without_data_may_be_started_with_any_store(tmp_path, etcd):
    with Cluster(tmp_path, 1, f"etcd:{etcd.urls[0]}") as cluster:
        cluster.n1.stop()
        shutil.rmtree(cluster.n1.data)
        with_dcs(cluster.n1, "manual")
        cluster.n1.start()
        until(lambda: cluster.n1.status()["role"] == "unjoined", "it waits for a cluster")


def changed(cluster, dcs, active):
    """Do what docs/guides/failover.md says: pause, stop all, note the other store everywhere, start all, name who served last, resume."""
    assert cluster.call(active, "POST", "/system/pause", json={"paused": True}).status_code == 200
    for node in cluster.nodes.values():
        node.stop()
    for node in cluster.nodes.values():
        (node.data / "STORE").write_text(dcs.partition(":")[0] + "\n")
        with_dcs(node, dcs)
    for node in cluster.nodes.values():
        node.start()
    until(lambda: "record is gone" in (active.status()["error"] or ""), "it finds no record, and waits for a person's word")
    assert not any(node.probe("/active") for node in cluster.nodes.values())
    # What the others know of the record may reach it in that moment: then it is said again.
    until(lambda: cluster.call(active, "POST", "/system/active", json={"force": True}).status_code == 200, "it is forced")
    active.until("/active")
    until(lambda: len(active.status()["in_sync"]) == len(cluster.nodes), "all are in sync")
    assert cluster.call(active, "POST", "/system/pause", json={"paused": False}).status_code == 200


def test_a_cluster_goes_from_manual_to_etcd_and_back_and_nothing_is_lost(tmp_path, etcd):
    with Cluster(tmp_path, 3, "manual") as cluster:
        cluster.call(cluster.n1, "POST", "/profiles", json={"Name": "kept", "Params": {"a": 1}})
        changed(cluster, f"etcd:{etcd.urls[0]}", cluster.n1)
        cluster.n1.kill()
        taken = until(lambda: next((n for n in (cluster.n2, cluster.n3) if n.probe("/active")), None), "a passive takes over by itself")
        assert cluster.call(taken, "GET", "/profiles/kept").json()["Params"] == {"a": 1}
        cluster.call(taken, "POST", "/profiles", json={"Name": "later"})
        cluster.n1.start()
        until(lambda: len(taken.status()["in_sync"]) == 3, "n1 is in sync again")
        changed(cluster, "manual", taken)
        for name in ("kept", "later"):
            assert cluster.call(taken, "GET", f"/profiles/{name}").status_code == 200
