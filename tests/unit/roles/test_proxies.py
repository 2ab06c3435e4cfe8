# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's proxy is for the world, not for the host's own node."""

from rooms import facts, play, role

from support.certificates import Authority
from support.scripted_server import Answer, ScriptedServer


def test_a_node_is_asked_without_the_proxy_of_its_host(tmp_path):
    Authority(tmp_path).issue("n1", "127.0.0.1")
    active, passive = (Answer(200, {"role": role}, {"Content-Type": "application/json"}) for role in ("active", "passive"))
    with ScriptedServer(active, passive, certificate=(str(tmp_path / "n1.pem"), str(tmp_path / "n1.key"))) as server:
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")
        ask = {**role("node", "order"), "environment": proxies}
        said = play(
            tmp_path, {"a": {}, "b": {}}, [facts(), ask, {"ansible.builtin.debug": {"msg": "then {{ baton_order | join(' ') }}"}}],
            baton_rolling=["a", "b"], baton_port=int(server.url.rpartition(":")[2]), baton_config_dir=str(tmp_path),
        )  # fmt: skip
    assert "then b a" in said, "the active comes last"
