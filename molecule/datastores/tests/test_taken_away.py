# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything is taken away again, and nothing of it is left. Comes last."""

import os
import subprocess
import sys
from pathlib import Path

import testinfra

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
ENVIRON = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "build/collections")}
PLAY = [sys.executable, "-m", "ansible", "playbook", "-i", "inventory.yml", "away.yml"]


def test_what_was_made_goes_again_and_leaves_nothing():
    done = subprocess.run(PLAY, cwd=PROJECT / "molecule/datastores", env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    for name in ("p1", "p2", "p3"):
        host = testinfra.get_host(f"podman://baton-datastores-{name}")
        assert not host.file("/var/lib/baton-guest").exists and not host.file("/etc/baton-guest").exists
        assert host.run("pgrep -f baton-guest").rc == 1 and host.run("pgrep -x mariadbd").rc == 1
        assert not host.user("baton-servers").exists
        assert host.run("systemctl list-units --all --plain --no-legend 'baton-guest*' 'baton-server*'").stdout == ""
    for name in ("n1", "n2"):
        host = testinfra.get_host(f"podman://baton-datastores-{name}")
        assert not host.file("/etc/baton/datastores.token").exists and host.run("pgrep -f baton-datastores").rc == 1
    again = subprocess.run([*PLAY, "--limit", "pool"], cwd=PROJECT / "molecule/datastores", env=ENVIRON, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout[-3000:]
    assert "changed=0" in again.stdout and not any(f"changed={n}" in again.stdout for n in range(1, 10))
