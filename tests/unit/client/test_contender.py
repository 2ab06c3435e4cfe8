# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run and a machine are called: the same name never stands for two."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baton.client.contender import Run, machine_name, run_of, since, started_at, this_machine
from support.cluster import until

OWN = "ctl@0a1b2c3d"


@pytest.mark.parametrize(
    ("name", "local", "address", "expected"),
    [
        ("web-1", True, "", "web-1"),
        ("web-1", False, "192.0.2.1", "web-1"),
        ("localhost", True, "", OWN),
        ("localhost.localdomain", True, "", OWN),
        ("LocalHost", True, "10.0.0.1", OWN),
        ("127.0.0.1", True, "", OWN),
        ("127.1.2.3", True, "", OWN),
        ("::1", True, "", OWN),
        ("ip6-localhost", True, "", OWN),
        ("localhost", False, "192.0.2.1", "192.0.2.1"),
        ("localhost", False, "db.example.org", "db.example.org"),
        ("localhost", False, "127.0.0.1", f"localhost@{OWN}"),
        ("localhost", False, "", f"localhost@{OWN}"),
        ("localhost-7", True, "", "localhost-7"),
        ("10.0.0.1", True, "", "10.0.0.1"),
    ],
)
def test_a_name_that_is_the_same_everywhere_says_which_machine_it_is(name, local, address, expected):
    assert machine_name(name, local, address, OWN) == expected


def test_this_machine_keeps_its_name_and_does_not_show_its_id():
    assert this_machine() == this_machine() and this_machine().startswith(os.uname().nodename + "@")
    path = Path("/etc/machine-id")
    assert not path.exists() or path.read_text().strip()[:8] not in this_machine()


def test_a_run_is_a_process_and_no_other():
    processes = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _number in range(3)]
    try:
        runs = [run_of(process.pid) for process in processes]
        assert [run_of(process.pid) for process in processes] == runs
        assert len({run.id for run in runs}) == 3 and all(len(run.id) == 8 for run in runs)
        assert all(0 <= run.age() < 60 for run in runs)
    finally:
        for process in processes:
            process.kill()
    until(lambda: started_at(processes[0].pid) is None, "a process that has ended has no start, though nobody waited for it")
    for process in processes:
        process.wait()


def test_one_process_number_with_another_start_is_another_run():
    here = run_of(os.getpid())
    assert here.started == started_at(os.getpid()) and here.label == f"run {here.id} on {os.uname().nodename}"
    assert run_of(os.getppid()).id != here.id


def test_who_holds_is_told_in_what_the_api_takes():
    run = Run("3f2a1b0c", 1, None, "ctl-2")
    assert run.owner("web-1") == "web-1, run 3f2a1b0c on ctl-2" and run.age() is None
    long, other = run.owner("h" * 253), run.owner("h" * 252 + "i")
    assert len(long) <= 200 and long != other
    assert len(Run("3f2a1b0c", 1, None, "c" * 64).owner("h" * 253)) <= 200


def test_a_time_is_told_as_its_reader_s_clock_shows_it():
    now = time.mktime((2026, 3, 4, 10, 50, 0, 0, 0, -1))
    assert since(now - 540, now) == "10:41"
    assert since(now - 86400, now) == "2026-03-03 10:50"
