# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that somebody else could change are not used, and nothing is written into them."""

import os
import subprocess
import sys

import pytest

from baton.adapters.disk.data_lock import claim
from baton.adapters.disk.ours import check_ours
from baton.ground.problem import Problem
from support.cluster import ROOT, free_port

ROOT_ONLY = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
SOMEBODY = 12345


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o755])
def test_a_directory_of_ours_is_used(tmp_path, mode):
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    (tmp_path / "link").symlink_to("data")
    check_ours(tmp_path / "data")
    check_ours(tmp_path / "link")


@pytest.mark.parametrize(
    ("mode", "what"), [(0o770, "its group may write into it: `chmod g-w "), (0o702, "anybody may write into it: `chmod o-w ")]
)
def test_one_that_others_may_write_into_is_refused(tmp_path, mode, what):
    tmp_path.chmod(mode)
    with pytest.raises(Problem) as refused:
        claim(tmp_path)
    assert what in refused.value.detail and str(tmp_path) in refused.value.detail and "\n" not in refused.value.detail


@ROOT_ONLY
def test_one_of_another_user_and_a_link_of_his_are_refused(tmp_path):
    (tmp_path / "data").mkdir(0o700)
    (tmp_path / "link").symlink_to("data")
    os.chown(tmp_path / "link", SOMEBODY, SOMEBODY, follow_symlinks=False)
    with pytest.raises(PermissionError, match="a symbolic link that belongs to uid 12345"):
        check_ours(tmp_path / "link")
    os.chown(tmp_path / "data", SOMEBODY, SOMEBODY)
    with pytest.raises(PermissionError, match="belongs to uid 12345"):
        check_ours(tmp_path / "data")


@pytest.mark.parametrize("which", ["data", "run", "run/running"])
def test_batond_says_so_in_one_line_and_writes_nothing(tmp_path, which):
    for name in ("data", "run", "run/running"):
        (tmp_path / name).mkdir(0o700)
    (tmp_path / which).chmod(0o777)
    command = [sys.executable, ROOT / "build/batond.pyz", "--node-id", "n1", "--data-dir", tmp_path / "data", "--run-dir", tmp_path / "run"]
    command += ["--listen", f"127.0.0.1:{free_port()}", "--dcs", f"local:{tmp_path}/dcs.db", "--insecure"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2 and "may write into it" in done.stderr and str(tmp_path / which) in done.stderr
    assert "Traceback" not in done.stderr and os.listdir(tmp_path / which) == (["running"] if which == "run" else [])
