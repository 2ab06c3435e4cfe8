# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real nodes in less common circumstances: forgotten, on IPv6, and configured by the names of the classic drop-in."""

import os
import subprocess
import sys

import requests

from support.cluster import HA_TOKEN, Cluster, free_port, until
from support.programs import program


def test_a_node_that_is_gone_for_good_is_forgotten(tmp_path):
    with Cluster(tmp_path, 3, "local") as cluster:
        gone = cluster.call(cluster.n1, "DELETE", "/system/nodes/n3")
        assert gone.status_code == 409 and gone.json()["type"] == "urn:baton:still_runs"
        cluster.n3.kill()
        until(lambda: cluster.n1.status()["in_sync"] == ["n1", "n2"], "n3 has left the in-sync set")
        until(lambda: cluster.call(cluster.n1, "DELETE", "/system/nodes/n3").status_code == 204, "n3 is forgotten")
        assert [node["id"] for node in cluster.n1.status()["nodes"]] == ["n1", "n2"]
        assert cluster.call(cluster.n1, "DELETE", "/system/nodes/n9").status_code == 404
        assert cluster.call(cluster.n1, "POST", "/profiles", json={"Name": "p"}).status_code == 201


def test_an_admin_token_that_can_not_be_written_is_made_when_it_can(tmp_path):
    node = Cluster(tmp_path, 1, "local").n1
    in_the_way = node.data / "admin.token.draft.new"
    in_the_way.mkdir(parents=True)
    try:
        node.start().until("/active")
        until(lambda: node.said("the first admin token can't be stored yet: "), "it is said")
        in_the_way.rmdir()
        until((node.data / "admin.token").exists, "the admin token")
        assert not node.said("Traceback")
    finally:
        node.stop()


def batond(folder, name, environ=(), options=()):
    """Start a node with options and environment of its own; return its process."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("BATON_", "RS_"))}
    with open(folder / f"{name}.log", "ab") as log:
        command = [sys.executable, program("batond"), "--data-dir", folder / name, "--insecure", *options]
        return subprocess.Popen([*map(str, command)], stdout=log, stderr=log, env={**clean, **dict(environ)})


def test_two_nodes_on_ipv6(tmp_path):
    ports = [free_port(), free_port()]
    (tmp_path / "ha.token").write_text(HA_TOKEN)
    processes = []
    try:
        for number, port in enumerate(ports, 1):
            options = ["--node-id", f"n{number}", "--listen", f"[::1]:{port}", "--dcs", f"local:{tmp_path}/dcs.db"]
            options += ["--ha-token-file", tmp_path / "ha.token", "--peer", f"http://[::1]:{ports[0]}"]
            processes.append(batond(tmp_path, f"n{number}", options=options))
            until(lambda port=port: probe(f"http://[::1]:{port}/in-sync"), f"n{number} is in sync")
        status = status_of(f"http://[::1]:{ports[0]}")
        assert status["in_sync"] == ["n1", "n2"] and status["active_url"] == f"http://[::1]:{ports[0]}"
    finally:
        for process in processes:
            process.kill()
            process.wait()


def status_of(url):
    return requests.get(f"{url}/api/v3/system/ha", headers={"Authorization": f"Bearer {HA_TOKEN}"}, timeout=5).json()


def probe(url):
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def test_the_names_of_the_classic_drop_in(tmp_path):
    """RS_HA_PASSIVE joins and never makes a cluster; RS_HA_TOKEN is the secret; RS_HA_JOIN says where."""
    first, second = free_port(), free_port()
    names = {"RS_HA_ID": "pair", "RS_HA_TOKEN": HA_TOKEN, "RS_HA_JOIN": f"http://127.0.0.1:{first}"}
    store = ["--dcs", f"local:{tmp_path}/dcs.db"]
    passive = {**names, "RS_DRP_ID": "b", "RS_HA_PASSIVE": "true"}
    waiting, active = batond(tmp_path, "b", passive, [*store, "--listen", f"127.0.0.1:{second}"]), None
    try:
        until(lambda: probe(f"http://127.0.0.1:{second}/health"), "the passive answers")
        assert not probe(f"http://127.0.0.1:{second}/active")
        active = batond(tmp_path, "a", {**names, "RS_DRP_ID": "a"}, [*store, "--listen", f"127.0.0.1:{first}"])
        until(lambda: probe(f"http://127.0.0.1:{second}/in-sync"), "b is in sync")
        asked = status_of(f"http://127.0.0.1:{first}")
        assert (asked["ha_id"], asked["active"], asked["in_sync"]) == ("pair", "a", ["a", "b"])
    finally:
        for process in filter(None, (waiting, active)):
            process.kill()
            process.wait()
