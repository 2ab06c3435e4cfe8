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


def asks(node, to, path, *more, method="GET", token=TOKEN):
    """Return status and text of what curl on the host of ``node`` gets from the node ``to``."""
    command = ["curl", "-s", "-m", "5", "--http1.1", "--cacert", str(node.ca), "-X", method, "-H", f"Authorization: Bearer {token}", *more]
    said = anyhow(node, *command, "-w", "\n%{http_code}", f"https://{to.address}:8092{path}")
    text, _line, status = said.rpartition("\n")
    return int(status or 0), text


def anyhow(node, *command):
    """Return all that a command on the host of ``node`` says, whether it fails or not."""
    return node.host.run("sh", "-c", '"$@" 2>&1 || true', "sh", *command)


def shows(node, name):
    pki = node.folder / "pki"
    return ["--cert", str(pki / f"{name}.pem"), "--key", str(pki / f"{name}.key")]


def test_the_secret_of_the_nodes_gives_no_orders_without_a_certificate(cluster):
    first, second = cluster
    orders = [("GET", "/api/v3/system/ha"), ("GET", "/api/v3/info"), ("POST", "/api/v3/system/switch"), ("POST", "/api/v3/system/passive")]
    for method, path in orders:
        status, text = asks(second, first, path, "-d", "{}", method=method)
        assert (status, json.loads(text)["type"]) == (403, "urn:baton:not_a_node")
        assert asks(second, first, path, "-d", "{}", method=method, token="no-secret-at-all-0")[0] == 401
    assert first.ok("/active")
    assert asks(second, first, "/api/v3/system/ha", *shows(second, "n2"))[0] == 200, "a node's certificate makes it a node"
    assert asks(first, first, "/api/v3/system/ha")[0] == 200, "on the node itself only root reads the secret"
    first.authority.revoke("n2")
    first.process.send_signal(signal.SIGHUP)
    wait_for(lambda: asks(second, first, "/api/v3/system/ha", *shows(second, "n2"))[0] == 0, "the handshake ends")


def test_a_certificate_is_good_for_its_own_node_only(cluster):
    first, second = cluster
    upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    link = [item for header in upgrade for item in ("-H", header)]
    paths = [("/peer/v1/link", link, "GET"), ("/peer/v1/snapshot", [], "GET"), (f"/peer/v1/blobs/{'a' * 64}", [], "GET")]
    notice = json.dumps({"node": "n1", "epoch": [1, "x"]})
    paths.append(("/peer/v1/released", ["-d", notice], "POST"))
    for path, more, method in paths:
        for name, cert in (("n1", shows(second, "n2")), ("n2", shows(second, "n1")), ("n1", []), ("n2", [])):
            status, _text = asks(second, first, path, *more, *cert, "-H", f"X-Baton-Node: {name}", method=method)
            assert status == 403, (path, name, cert)
    said = first.log.read_text()
    assert said.count("refused a link from") == 1, "however often, it is one line a minute"
    assert first.ok("/active") and first.curl("GET", "/api/v3/system/ha")[0] == 200


def test_who_answers_as_another_node_gets_no_link(cluster, network):
    """A stolen certificate does not make its holder the node that it likes to be."""
    first, second = cluster
    restarted_as(second, "n9")
    wait_for(lambda: "answers as n9, without a certificate in that name" in first.log.read_text(), first.log.read_text)
    assert "n9" not in [node["id"] for node in json.loads(first.curl("GET", "/api/v3/system/ha")[1])["nodes"]]


def restarted_as(node, name):
    node.process.kill()
    node.process.wait()
    node.command[node.command.index("--node-id") + 1] = name
    node.start()


def test_batonctl_on_a_node_shows_its_certificate_and_refuses_a_revoked_one(cluster):
    first, second = cluster
    own = second.folder / "etc"
    own.mkdir()
    for name, source in (("ha.token", second.folder / "ha.token"), ("ca.pem", second.ca), ("crl.pem", second.folder / "pki/crl.pem")):
        (own / name).write_bytes(source.read_bytes())

    def status(host=None):
        settings = [f"BATON_URL=https://{host or first.address}:8092", f"BATON_TOKEN_FILE={own}/ha.token", f"BATON_CA={own}/ca.pem"]
        return anyhow(second, "env", *settings, sys.executable, str(ROOT / "build/batonctl.pyz"), "ha", "status")

    assert "counts on a node itself, or with a node's certificate" in status()
    for kind in ("pem", "key"):
        (own / f"node.{kind}").write_bytes((second.folder / f"pki/n2.{kind}").read_bytes())
    assert "n1 is active" in status()
    assert "localhost" in status("localhost") and "match" in status("localhost"), "the certificate is of another name"
    first.authority.revoke("n1")
    (own / "crl.pem").write_bytes((second.folder / "pki/crl.pem").read_bytes())
    assert "revoked" in status()
