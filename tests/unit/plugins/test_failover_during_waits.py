# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A play that waits in a line, at a barrier, for a param and for a leader, while the active is killed: every wait goes on."""

import json
import sys
import threading

import pytest
from test_modules import ansible

from support.cluster import Cluster, until

WAITS = {
    "in-line": {"baton.ha.lock": {"name": "door", "owner": "play", "ttl": "5m", "wait_timeout": 60}},
    "at-barrier": {"baton.ha.barrier": {"name": "gate", "owner": "play", "members": ["play", "test"], "wait_timeout": 60}},
    "for-param": {"baton.ha.wait_for": {"name": "web", "param": "state", "condition": "equals", "value": "done", "wait_timeout": 60}},
    "for-leader": {"baton.ha.leader_election": {"profile": "web", "eligible": False, "wait_timeout": 60}},
}


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path, 2, dcs="local") as cluster:
        yield cluster


def test_the_active_is_killed_while_a_play_waits(cluster, tmp_path):
    def call(method, path, body=None):
        answer = cluster.call(cluster.active(), method, path, **({} if body is None else {"json": body}))
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    call("PUT", "/profiles/web", {"Name": "web"})
    token = call("POST", "/locks/door/acquire", {"Owner": "test"})["Token"]
    tasks = [{"name": name, **task, "register": "got", "when": f"inventory_hostname == '{name}'"} for name, task in WAITS.items()]
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "strategy": "free", "tasks": tasks}]))
    # The active first, then the one that will be: both must be asked.
    urls = ",".join(node.url for node in sorted(cluster.nodes.values(), key=lambda node: node is not cluster.active()))
    connection = {"BATON_URL": urls, "BATON_TOKEN": cluster.token}
    values = json.dumps({"ansible_python_interpreter": sys.executable})
    done = []

    def play():
        arguments = ("-i", ",".join(WAITS) + ",", "-f", 8, tmp_path / "play.yml", "-e", values)
        done.append(ansible("ansible-playbook", *arguments, environ=connection))

    thread = threading.Thread(target=play)
    thread.start()
    until(lambda: call("GET", "/locks/door")["Queue"], "the play waits in line")
    until(lambda: "gate" in {barrier["Name"] for barrier in call("GET", "/barriers")}, "the play waits at the barrier")
    old = cluster.active()
    old.kill()
    until(lambda: cluster.active() not in (None, old), "another is active")
    assert thread.is_alive()
    call("PUT", "/profiles/web/params/state", "done")
    call("POST", "/profiles/web/elect", {"Param": "my/leader", "Candidate": "test"})
    call("POST", "/barriers/gate/arrive", {"Owner": "test", "Members": ["play", "test"]})
    call("POST", "/locks/door/release", {"Owner": "test", "Token": token})
    thread.join(90)
    assert done and done[0].returncode == 0, done and done[0].stdout[-4000:] + done[0].stderr[-2000:]
    assert done[0].stdout.count("ok: [") + done[0].stdout.count("changed: [") == len(WAITS), done[0].stdout
    assert [entry["Owner"] for entry in call("GET", "/locks/door")["Holders"]] == ["play"]
