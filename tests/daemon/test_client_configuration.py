# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's own configuration says, and what comes before it."""

import os
import subprocess
import sys

import pytest

from baton.client import connection
from baton.client.error import ClientError
from baton.client.transport import Transport
from support.cluster import Cluster
from support.programs import program

URL = "https://127.0.0.1:8092"


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node as the role leaves it; returns what its configuration makes of options and environment."""
    for name in ("ca.pem", "admin.token", "ha.token", "mine"):
        (tmp_path / name).write_text(f"of-{name}\n")
    system = tmp_path / "config.ini"
    files = "".join(f"{name} = {tmp_path}/{file}\n" for name, file in (("ca", "ca.pem"), ("token_file", "admin.token")))
    system.write_text(f"[default]\nurl = {URL}\n{files}node_token_file = {tmp_path}/ha.token\n")
    monkeypatch.setattr(connection, "SYSTEM", str(system))
    return lambda environ=None, **options: connection.connection_from(options, environ or {}, "https://127.0.0.1:1")


def test_on_a_node_nothing_needs_to_be_said(node, tmp_path):
    found = node()
    assert (found.urls, found.token, found.ca) == ((URL,), "of-admin.token", str(tmp_path / "ca.pem"))


def test_a_node_is_asked_with_the_nodes_secret_where_that_can_be_read(node, tmp_path):
    assert node(as_node=True).token == "of-ha.token"
    (tmp_path / "ha.token").unlink()
    assert node(as_node=True).token == "of-admin.token"


@pytest.mark.parametrize("as_node", [False, True])
def test_whatever_else_is_said_comes_first(node, tmp_path, as_node):
    assert node({"BATON_TOKEN_FILE": f"{tmp_path}/mine"}, as_node=as_node).token == "of-mine"
    assert node(token="mine", url="https://192.0.2.1:1", as_node=as_node).token == "mine"
    (tmp_path / "baton").mkdir()
    (tmp_path / "baton/config.ini").write_text(f"[default]\nurl = https://192.0.2.1:1\ntoken_file = {tmp_path}/mine\n")
    found = node({"XDG_CONFIG_HOME": str(tmp_path)}, as_node=as_node)
    assert (found.urls, found.token) == (("https://192.0.2.1:1",), "of-mine")
    found = node({"BATON_CONFIG": str(tmp_path / "baton/config.ini")}, as_node=as_node)
    assert (found.urls, found.token, found.ca) == (("https://192.0.2.1:1",), "of-mine", None)


def test_who_may_not_read_it_is_told_so_unless_he_says_where_the_cluster_is(node, monkeypatch):
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != connection.SYSTEM and real(path, mode))  # root reads everything
    with pytest.raises(ClientError, match="can't read the configuration .*: be root or in the group that may read it, or say url"):
        node()
    assert node(url="https://192.0.2.1:1").token == ""


def test_batonctl_ha_asks_with_the_nodes_secret_and_the_rest_with_the_admin_token(tmp_path):
    with Cluster(tmp_path, 1, "local") as cluster:
        lines = (f"url = {cluster.n1.url}", f"token_file = {cluster.n1.data}/admin.token", f"node_token_file = {tmp_path}/ha.token")
        (tmp_path / "config.ini").write_text("\n".join(["[default]", *lines, ""]))

        def batonctl(*words):
            environ = {"BATON_CONFIG": str(tmp_path / "config.ini"), "PATH": os.environ["PATH"]}
            command = [sys.executable, program("batonctl"), *words]
            return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

        assert batonctl("profiles", "create", "web").returncode == 0
        cluster.n1.call("DELETE", f"/tokens/{cluster.n1.call('GET', '/tokens', cluster.token).json()[0]['Id']}", cluster.token)
        assert "unknown, expired or revoked" in batonctl("profiles", "list").stderr
        assert "n1 is active" in batonctl("ha", "status").stdout


def test_the_nodes_secret_goes_with_the_nodes_certificate_where_both_can_be_read(node, tmp_path):
    assert node(as_node=True).cert is None
    for name in ("node.pem", "node.key"):
        (tmp_path / name).write_text("x")
    files = (str(tmp_path / "node.pem"), str(tmp_path / "node.key"))
    assert node(as_node=True).cert == files and node({"BATON_TOKEN_FILE": f"{tmp_path}/ha.token"}).cert == files
    assert node().cert is None and node(token="mine", as_node=True).cert is None


def test_a_list_of_revoked_certificates_is_used_where_it_stands_beside_the_ca(node, tmp_path):
    assert node().crl is None
    (tmp_path / "crl.pem").write_text("half a list")
    assert node().crl == str(tmp_path / "crl.pem")
    with pytest.raises(ClientError, match="the list of revoked certificates beside it"):
        Transport(node(), "test")
