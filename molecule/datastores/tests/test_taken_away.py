# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything is taken away again, and nothing of it is left. Comes last."""

import os
import re
import subprocess
import sys
from pathlib import Path

import testinfra

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
ENVIRON = {
    **os.environ, "BATON_CONFIG": str(PROJECT / "build/datastores/config.ini"),
    "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "build/collections"),
}  # fmt: skip


def play(*words):
    """Play away.yml, and return how many tasks have changed something."""
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "inventory.yml", "away.yml", *words]
    done = subprocess.run(command, cwd=PROJECT / "molecule/datastores", env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    return sum(map(int, re.findall(r"changed=([0-9]+)", done.stdout)))


def test_what_was_made_goes_again_and_leaves_nothing():
    assert play() > 0
    for name in ("p1", "p2", "p3", "p4", "p5", "p6"):
        host = testinfra.get_host(f"podman://baton-datastores-{name}")
        assert not host.file("/var/lib/baton-guest").exists and not host.file("/etc/baton-guest").exists
        assert host.run("pgrep -f [b]aton-guest").rc == 1 and host.run("pgrep -x mariadbd").rc == 1
        assert host.run("pgrep -x garbd").rc == 1
        assert not host.user("baton-servers").exists
        assert host.run("systemctl list-units --all --plain --no-legend 'baton-guest*' 'baton-server*'").stdout == ""
    for name in ("n1", "n2"):
        host = testinfra.get_host(f"podman://baton-datastores-{name}")
        assert not host.file("/etc/baton/datastores.token").exists and host.run("pgrep -f [b]aton-datastores").rc == 1
    assert play("--limit", "pool:far") == 0
