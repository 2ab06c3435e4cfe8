# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner "process": servers outlive the guest, are found again, and are gone when they are said to be."""

import os
import signal
import subprocess
import sys

import pytest

from baton.datastores.host import systemd
from baton.datastores.host.family import descendants
from baton.datastores.host.guard import Guard
from baton.datastores.host.runner import PATH, Processes, Program
from baton.datastores.host.trouble import Trouble
from support.mariadb import until


@pytest.fixture
def program(tmp_path):
    """A program that ignores SIGTERM once it has made a file, with a command line of its own."""
    script = f"trap '' TERM; : > {tmp_path}/ready; while :; do read -t 60 line < {tmp_path}/wait; done"
    os.mkfifo(tmp_path / "wait")
    program = Program("m1", ("/bin/bash", "-c", script), tmp_path, tmp_path / "log")
    yield program
    Processes().kill(program)


def test_a_program_is_found_by_another_life_and_killed_by_it(program, tmp_path):
    first = Processes()
    first.start(program)
    pid = first.pid(program)
    first.start(program)
    assert first.pid(program) == pid
    until((tmp_path / "ready").exists, "it is ready")
    other = Processes()
    assert other.pid(program) == pid
    assert not other.end(program, 0.2)
    other.kill(program)
    assert other.pid(program) is None and first.pid(program) is None


def test_a_program_that_ended_by_itself_is_gone_though_its_parent_lives(program, tmp_path):
    runner = Processes()
    runner.start(program)
    until((tmp_path / "ready").exists, "it is ready")
    os.kill(runner.pid(program), signal.SIGKILL)
    until(lambda: Processes().pid(program) is None, "a zombie is none")
    until(lambda: runner.pid(program) is None, "its parent knows it, too")
    assert runner.end(program, 1.0)


@pytest.fixture
def family(tmp_path):
    """A program with a child, and a child of that, in sessions of their own."""
    script = f"setsid /bin/bash -c 'setsid sleep 600 & echo $! > {tmp_path}/third; echo $$ > {tmp_path}/second; wait' & wait"
    program = Program("m2", ("/bin/bash", "-c", script), tmp_path, tmp_path / "log")
    Processes().start(program)
    until(lambda: all((tmp_path / name).exists() and (tmp_path / name).read_text().strip() for name in ("second", "third")), "they run")
    yield program, [int((tmp_path / name).read_text()) for name in ("second", "third")]
    Processes().kill(program)


def is_gone(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_program_is_killed_with_all_that_it_has_begun(family):
    program, others = family
    Processes().kill(program)
    assert all(is_gone(pid) for pid in others) and Processes().pid(program) is None


def test_the_guard_kills_all_that_a_server_has_begun(family):
    program, others = family
    one = Guard()
    one.tell(Processes().pid(program), 1.0)
    one.look(2.0)
    until(lambda: all(is_gone(pid) for pid in others) and Processes().pid(program) is None, "they are gone")


def test_a_child_that_has_no_name_of_its_own_yet_is_not_taken_for_the_program(tmp_path):
    script = "import os, time; os.fork(); time.sleep(600)"
    program = Program("m3", (sys.executable, "-c", script), tmp_path, tmp_path / "log")
    first = Processes()
    first.start(program)
    pid = first.pid(program)
    try:
        until(lambda: descendants(pid), "it has a child")
        assert Processes().pid(program) == pid
    finally:
        first.kill(program)


def test_another_program_is_not_taken_for_it(program):
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        try:
            assert Processes().pid(program._replace(argv=("/bin/sleep", "6"))) is None
            assert Processes().pid(program._replace(argv=("/bin/sleep", "60"), user="daemon")) is None
        finally:
            other.kill()


def test_what_can_not_be_started_is_said(program):
    with pytest.raises(Trouble, match="/no/such can't be started: "):
        Processes().start(program._replace(argv=("/no/such",)))
    with pytest.raises(Trouble, match="there is no user nobody-like-this"):
        Processes().start(program._replace(user="nobody-like-this"))


def test_a_program_finds_its_own_tools_first(program, tmp_path):
    tool = tmp_path / "tools" / "ls"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n: > found\n")
    tool.chmod(0o755)
    Processes().start(program._replace(name="m2", argv=("/bin/sh", "-c", "ls"), tools=tool.parent))
    until((tmp_path / "found").exists, "its own one has run")
    properties = systemd._properties(program._replace(user="root", tools=tool.parent))
    assert f"--property=Environment=PATH={tool.parent}:{PATH}" in properties
    assert not any("PATH" in each for each in systemd._properties(program._replace(user="root")) if "Environment" in each)
