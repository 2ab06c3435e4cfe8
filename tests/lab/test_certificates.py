# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates are renewed while clients write; one that is half written, has ended, is revoked or another CA's is not taken."""

import json
import signal
import sys
import threading

import pytest
from netns import wait_for
from nodes import ROOT, TOKEN, VIP, cluster_of

from support.certificates import Authority


@pytest.fixture
def cluster(network, tmp_path):
    options = ["--dcs", f"local:{tmp_path}/dcs.db", "--tls-crl", str(tmp_path / "pki" / "crl.pem")]
    with cluster_of(network, tmp_path, 2, options) as nodes:
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
        node.authority.issue(node.name, node.address, VIP, "127.0.0.1")
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


def test_the_secret_of_the_nodes_is_renewed_without_a_restart(cluster):
    """First everybody learns the new one, then everybody uses it, then the old one is forgotten; links are made anew at each step."""
    first, second = cluster
    new = "another-secret-of-the-nodes"
    for step, good in (((TOKEN, new), (TOKEN, new)), ((new, TOKEN), (TOKEN, new)), ((new,), (new,))):
        (first.folder / "ha.token").write_text("\n".join(step) + "\n")
        for node in cluster:
            said = node.log.read_text().count("secret reloaded")
            node.process.send_signal(signal.SIGHUP)
            wait_for(lambda node=node, said=said: node.log.read_text().count("secret reloaded") > said, node.log.read_text)
            second.host.carrier(False)
            second.host.carrier(True)
        for token in (TOKEN, new):
            assert (first.curl("GET", "/api/v3/system/ha", token=token)[0] == 200) == (token in good)
        restarted(second)
        wait_for(lambda: second.ok("/in-sync"), second.log.read_text, 20)
    (first.folder / "ha.token").write_text("short\n")
    first.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the old ones stay in use" in first.log.read_text(), first.log.read_text)
    assert first.curl("GET", "/api/v3/system/ha", token=new)[0] == 200


def in_sync(node):
    return json.loads(node.curl("GET", "/api/v3/system/ha")[1])["in_sync"]


def refused(first, second):
    """Wait until ``first`` has left ``second`` out and goes on, and both have said why."""
    wait_for(lambda: in_sync(first) == ["n1"], first.log.read_text, 20)
    wait_for(lambda: "no link to" in first.log.read_text() and "no link to" in second.log.read_text(), second.log.read_text)
    wait_for(lambda: not second.ok("/in-sync"), second.log.read_text)
    assert first.ok("/active")


def restarted(node):
    node.process.kill()
    node.process.wait()
    node.start()


def test_a_revoked_certificate_is_refused_at_once_and_a_new_one_is_taken(cluster):
    first, second = cluster
    first.authority.revoke("n2")
    for node in cluster:
        node.process.send_signal(signal.SIGHUP)
    refused(first, second)
    second.authority.issue("n2", second.address, VIP, "127.0.0.1")
    second.process.send_signal(signal.SIGHUP)
    wait_for(lambda: second.ok("/in-sync"), second.log.read_text, 20)
    assert in_sync(first) == ["n1", "n2"]


def test_a_certificate_that_has_ended_is_refused_and_named(cluster):
    first, second = cluster
    second.authority.issue("n2", second.address, VIP, "127.0.0.1", ended=True)
    restarted(second)
    refused(first, second)
    said = "n2.pem has ended 1 days ago: other nodes refuse it; run the playbook baton.ha.renew"
    wait_for(lambda: said in second.log.read_text(), second.log.read_text)


def test_a_certificate_of_another_authority_is_refused(cluster, tmp_path):
    first, second = cluster
    own = first.authority.folder
    other = Authority(tmp_path / "other", "test CA")
    other.issue("n2", second.address, VIP, "127.0.0.1")
    for kind in ("pem", "key"):
        (own / f"n2.{kind}").write_bytes((other.folder / f"n2.{kind}").read_bytes())
    restarted(second)
    refused(first, second)


def test_the_end_of_each_certificate_is_told(cluster):
    first, _second = cluster
    status = json.loads(first.curl("GET", "/api/v3/system/ha")[1])["certificates"]
    assert set(status) == {"n1.pem", "ca.pem"}
    assert f'baton_certificate_expiry_timestamp_seconds{{file="n1.pem"}} {status["n1.pem"]:.0f}' in first.curl("GET", "/metrics")[1]
    environ = ["env", f"BATON_URL=https://{first.address}:8092", f"BATON_TOKEN={TOKEN}", f"BATON_CA={first.ca}"]
    said = first.host.run(*environ, sys.executable, str(ROOT / "build/batonctl.pyz"), "ha", "status")
    assert "The certificate n1.pem of n1 ends on " in said and "run the playbook baton.ha.renew" in said
    assert "the certificate " in first.log.read_text() and "n1.pem ends in 1 days; run the playbook baton.ha.renew" in first.log.read_text()
