# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real daemons whose etcd answers but takes no change: all of them say so in time, and nothing is dropped in vain."""

import pytest

from baton.adapters.dcs.etcd_words import SPACE
from support.certificates import Authority
from support.cluster import Cluster, until
from support.etcd import Etcd

SOON = 40.0  # seconds: nodes ask every 10 s


def all_say(cluster, text):
    """Wait until every node has ``text`` among its trouble, and says everywhere that the store takes nothing."""
    for node in cluster.nodes.values():
        until(lambda node=node: text in (node.status()["error"] or ""), f"{node.name} says: {text}", SOON)
        status = node.status()
        assert status["dcs_reachable"] is True and status["dcs_writable"] is False and text in status["dcs_trouble"]
        assert not node.probe("/health")
        assert "\nbaton_dcs_writable 0\n" in node.metrics()
        assert node.log.read_text().count(f"ERROR baton: {status['dcs_trouble']}\n") == 1


def recovers(node):
    until(lambda: node.status()["dcs_writable"], f"{node.name} has proven that the store takes changes", SOON)
    assert node.status()["dcs_trouble"] is None and node.said("the store of the cluster record takes changes again")
    assert "\nbaton_dcs_writable 1\n" in node.metrics()


def test_nobody_drops_anything_for_a_full_etcd_and_the_next_takes_over_when_there_is_room(tmp_path):
    with Etcd(tmp_path / "etcd", options=["--quota-backend-bytes", "4000000"]) as etcd:
        with Cluster(tmp_path, 2, f"etcd:{etcd.urls[0]}") as cluster:
            etcd.fill()
            all_say(cluster, SPACE)
            answer = cluster.call(cluster.n1, "POST", "/system/switch", json={})
            assert answer.status_code == 409 and answer.json()["detail"] == f"{SPACE}; nothing was changed"
            assert cluster.n1.probe("/active")
            cluster.n1.kill()
            until(lambda: cluster.n2.said("no link to"), "n2 misses n1")
            assert cluster.n2.status()["role"] == "passive"
            etcd.make_room()
            until(lambda: cluster.n2.probe("/active"), "n2 is active", SOON)
            assert cluster.n2.status()["error"] is None


@pytest.fixture
def with_user(tmp_path):
    """Two nodes whose user may change the record; yields (cluster, what lets the user READ or READWRITE)."""
    secret = tmp_path / "password"
    secret.write_text("the-password\n")
    with Etcd(tmp_path / "etcd") as etcd:
        etcd.log_in_user("baton", "the-password")
        root = etcd.token("root", "the-password")
        options = ["--etcd-user", "baton", "--etcd-password-file", str(secret)]
        with Cluster(tmp_path, 2, f"etcd:{etcd.urls[0]}", options) as cluster:
            yield cluster, lambda may: etcd.grant("baton", may, **root)


def test_a_user_who_came_to_be_a_reader_is_named_by_every_node(with_user):
    cluster, let = with_user
    let("READ")
    all_say(cluster, "the user baton may not write the cluster record in etcd: nobody can take over")
    let("READWRITE")
    for node in cluster.nodes.values():
        recovers(node)
        assert "the-password" not in node.log.read_text()


def test_a_switch_that_is_refused_half_way_is_called_off_and_serving_goes_on(with_user):
    cluster, let = with_user
    let("READ")
    answer = cluster.call(cluster.n1, "POST", "/system/switch", json={})
    assert answer.status_code == 409 and "the user baton may not write" in answer.json()["detail"]
    until(lambda: cluster.n1.probe("/active"), "n1 serves again")
    let("READWRITE")
    recovers(cluster.n1)
    assert cluster.call(cluster.n1, "POST", "/system/switch", json={}).status_code == 200


@pytest.mark.parametrize("name", ["node.pem", "server"])
def test_a_certificate_that_is_about_to_end_is_named(tmp_path, name):
    ca, cert, key = map(str, Authority(tmp_path / "pki").issue("node", "127.0.0.1")[1::2])  # for a day
    with Etcd(tmp_path / "etcd", tls=(cert, key, ca)) as etcd:
        options = ["--etcd-ca", ca, "--etcd-cert", cert, "--etcd-key", key]
        with Cluster(tmp_path, 2, f"etcd:{etcd.urls[0]}", options) as cluster:
            what = f"the certificate {cert}, for etcd," if name == "node.pem" else f"the certificate that {etcd.urls[0]} shows"
            for node in cluster.nodes.values():
                until(lambda node=node: f"{what} ends on " in (node.status()["error"] or ""), f"{node.name} says it", SOON)
                assert node.status()["dcs_writable"] is True
