# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster whose API the controller does not reach: on a host of another network, where a task's requests come from."""

import json
import os
import subprocess
import sys

from netns import wait_for
from nodes import ROOT, batond

from support.certificates import Authority
from support.plays import COMMANDS

ADDRESS = "192.0.2.11"


def play(folder, host, tasks, check=0):
    """Run tasks on a host that is reached by what stands for SSH: its Python, in its network."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec ip netns exec {host.namespace} {sys.executable} "$@"\n')
    python.chmod(0o755)
    (folder / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_"))}
    environ |= {
        "BATON_URL": f"https://{ADDRESS}:8092", "BATON_CA": str(folder / "pki/ca.pem"), "BATON_TOKEN_FILE": str(folder / "n1/admin.token"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "https_proxy": "http://127.0.0.1:1",
    }  # fmt: skip
    command = [COMMANDS / "ansible-playbook", "-c", "local", "-i", "web-1,", folder / "play.yml"]
    done = subprocess.run(
        [*map(str, command), "-e", f"ansible_python_interpreter={python}"],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == check, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def test_a_play_coordinates_through_its_host_where_the_controller_reaches_nothing(network, tmp_path):
    host = network.host("n1", [f"{ADDRESS}/24"])
    tls = Authority(tmp_path / "pki").issue("n1", ADDRESS)
    (tmp_path / "ha.token").write_text("the-secret-of-the-nodes\n")
    with open(tmp_path / "n1.log", "ab") as log:
        host.popen(
            *batond(), "--node-id", "n1", "--data-dir", f"{tmp_path}/n1", "--listen", "0.0.0.0:8092", "--advertise",
            f"https://{ADDRESS}:8092", "--dcs", f"local:{tmp_path}/dcs.db", "--ha-token-file", f"{tmp_path}/ha.token", *map(str, tls),
            stdout=log, stderr=log,
        )  # fmt: skip
    wait_for((tmp_path / "n1/admin.token").exists, "the cluster is made", 30)
    there = {"run_on": "host"}
    work = [
        {"baton.ha.profile": {"name": "web", **there}},
        {"baton.ha.leader_election": {"profile": "web", **there}, "register": "elected"},
        {"baton.ha.lock": {"name": "web/update", **there}, "register": "turn"},
        {"baton.ha.once": {"name": "web/2.1", "module": "ansible.builtin.raw", "args": "echo done", **there}, "register": "once"},
        {"ansible.builtin.assert": {"that": ["elected.is_leader", "turn.held", "once.done"]}},
    ]
    play(tmp_path, host, work)
    from_here = {"baton.ha.profile_info": {"name": "web", "timeout": 2}}
    assert "no connection" in play(tmp_path, host, [from_here], check=2)
