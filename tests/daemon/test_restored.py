# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup is put back as docs/guides/day-2.md says: all is lost but a copy of a passive's data directory."""

import os
import shutil
import subprocess
import sys

import pytest

from support.cluster import HA_TOKEN, ROOT, Cluster, until


def batonctl(node, *arguments):
    environ = {**os.environ, "BATON_URL": node.url, "BATON_TOKEN": HA_TOKEN}
    command = [sys.executable, str(ROOT / "build/batonctl.pyz"), *arguments]
    return subprocess.run(command, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


@pytest.mark.parametrize("dcs", ["local", "manual"])
def test_a_copy_of_a_passive_is_what_goes_on_after_a_force(tmp_path, dcs):
    with Cluster(tmp_path, 2, dcs) as cluster:
        first, second = cluster.n1, cluster.n2
        cluster.call(first, "PUT", "/profiles/kept", json={"Name": "kept"})
        second.stop()
        shutil.copytree(second.data, tmp_path / "copy", symlinks=True)
        second.start().until("/in-sync")
        cluster.call(first, "PUT", "/profiles/later", json={"Name": "later"})
        for node in (second, first):
            node.stop()
            shutil.rmtree(node.data)
        shutil.copytree(tmp_path / "copy", second.data, symlinks=True)
        second.start()
        until(lambda: second.status()["node"] == "n2", "n2 answers")
        assert batonctl(second, "ha", "active").returncode == 1, "nobody is made active by what may have lost something"
        forced = batonctl(second, "ha", "active", "--force")
        assert forced.returncode == 0 and "May be lost" in forced.stdout, forced.stderr
        second.until("/active")
        first.start().until("/in-sync")
        names = [profile["Name"] for profile in cluster.call(second, "GET", "/profiles").json()]
        assert names == ["kept"]
