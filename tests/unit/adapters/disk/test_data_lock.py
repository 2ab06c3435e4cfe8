# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock on a data directory: who gets it, who is refused, and who does not inherit it."""

import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from baton.adapters.disk.data_lock import claim
from baton.ground.problem import Problem
from support.cluster import ROOT

HOLDER = """
import os, subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import conftest
from baton.adapters.disk.data_lock import claim
claim(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that has the lock and has started another that outlives it; its pid comes along."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path), str(ROOT / "tests")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        child = int(process.stdout.readline())
        yield process, child
        process.kill()
        os.kill(child, 9)


@pytest.fixture
def ours():
    """Claims, and gives back at the end."""
    handles = []

    def take(path, patience=0.0):
        handles.append(claim(path, patience))

    yield take
    for handle in handles:
        os.close(handle)


def refused(path):
    with pytest.raises(Problem) as caught:
        claim(path, 0.0)
    return caught.value.detail


def test_a_directory_that_does_not_exist_is_made_and_nothing_in_it(tmp_path, ours):
    ours(tmp_path / "a" / "data")
    assert os.listdir(tmp_path / "a" / "data") == []
    assert (tmp_path / "a" / "data").stat().st_mode & 0o777 == 0o700


def test_the_second_is_told_who_has_it(tmp_path, holder):
    text = refused(tmp_path)
    who = f"{tmp_path} is in use by another batond (pid {holder[0].pid}): stop that one first"
    assert text.startswith(who)
    assert "\n" not in text and os.listdir(tmp_path) == []


def test_another_path_leads_to_the_same_lock(tmp_path, ours, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    ours(tmp_path / "link")
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "data", tmp_path / "data" / ".." / "link", Path("data")):
        assert "is in use" in refused(path)


def test_a_process_that_is_about_to_die_is_waited_for(tmp_path, holder, ours):
    class Kill(logging.Handler):
        def emit(self, record):
            assert f"still in use (pid {holder[0].pid})" in record.getMessage()
            holder[0].kill()

    log, kill = logging.getLogger("baton"), Kill()
    level = log.level
    log.addHandler(kill)
    log.setLevel(logging.INFO)
    try:
        ours(tmp_path, 30.0)
    finally:
        log.removeHandler(kill)
        log.setLevel(level)


def test_what_the_dead_process_started_does_not_have_it(tmp_path, holder, ours):
    process, child = holder
    process.kill()
    process.wait()
    ours(tmp_path)
    os.kill(child, 0)  # is alive


def test_a_directory_that_can_not_be_written_is_named():
    """Root may write everywhere, so somebody else tries."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if os.geteuid() == 0:
                    os.chown(folder, 65534, 65534)
                    os.setuid(65534)
                claim(Path(folder), 0.0)
            except Problem as problem:
                os.write(writing, problem.detail.encode())
            finally:
                os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        why = f"can't use {folder}: not writable for this user, or on a read-only file system"
        assert said == f"--data-dir (BATON_DATA_DIR): {why}"


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").write_text("")
    assert refused(tmp_path / "file").endswith("Not a directory")
