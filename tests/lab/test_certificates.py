# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates are renewed while clients write, and a half written one is not taken."""

import json
import signal
import threading

import pytest
from netns import wait_for
from nodes import cluster_of


@pytest.fixture
def cluster(network, tmp_path):
    with cluster_of(network, tmp_path, 2, ["--dcs", f"local:{tmp_path}/dcs.db"]) as nodes:
        yield nodes


def shown(node, by):
    """Return the fingerprint of the certificate that ``node`` shows to a new connection."""
    script = f"openssl s_client -connect {node.address}:8092 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint"
    return by.host.run("sh", "-c", script).strip()


def test_renewed_without_a_restart_or_a_lost_write(cluster):
    first, second = cluster
    token = wait_for(lambda: (first.data / "admin.token").exists() and (first.data / "admin.token").read_text().strip(), "a token")
    wait_for(lambda: first.curl("POST", "/api/v3/profiles", {"Name": "p"}, token)[0] == 201, "the token works")
    answers, ended = [], threading.Event()

    def write():
        while not ended.is_set():
            answers.append(first.curl("PUT", f"/api/v3/profiles/p/params/n{len(answers)}", 1, token)[0])

    writer = threading.Thread(target=write)
    writer.start()
    before = {node.name: shown(node, second) for node in cluster}
    for node in cluster:
        node.authority.issue(node.name, node.address, "192.0.2.100", "127.0.0.1")
        node.process.send_signal(signal.SIGHUP)
    for node in cluster:
        wait_for(lambda node=node: shown(node, second) != before[node.name], lambda node=node: node.log.read_text())
    second.process.kill()  # so that a link is made with the new certificates
    second.process.wait()
    second.start()
    wait_for(lambda: second.ok("/in-sync"), second.log.read_text, 20)
    so_far = len(answers)
    wait_for(lambda: len(answers) > so_far, "writes go on")
    ended.set()
    writer.join()
    assert set(answers) == {200} and first.ok("/active")
    kept = json.loads(first.curl("GET", "/api/v3/profiles/p/params", token=token)[1])
    assert len(kept) == len(answers)


def test_a_broken_certificate_is_not_taken(cluster):
    first, second = cluster
    before = shown(first, second)
    (first.folder / "pki" / "n1.pem").write_text("-----BEGIN CERTIFICATE-----\nhalf")
    first.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the old ones stay in use" in first.log.read_text(), first.log.read_text)
    assert shown(first, second) == before and first.ok("/active")
