# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard: whoever may take writes no more is killed, whatever became of the guest; nobody else is."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from baton.datastores.host import guard
from baton.datastores.host.guarded import Guarded
from baton.datastores.host.journal import Journal
from baton.datastores.host.runner import Processes, Program
from baton.datastores.host.trouble import Trouble
from baton.datastores.model.channel import Report
from support.cluster import until
from support.programs import program


def guarded_at(folder, *command):
    path = folder / "guard.sock"
    argv = command or (sys.executable, str(program("baton-guest")), "guard", str(path))
    return Guarded(path, partial(Processes().start, Program("guard", argv, folder)))


@pytest.fixture
def server():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def guarded(tmp_path):
    before = set(of_guards(tmp_path))
    yield guarded_at(tmp_path)
    for pid in set(of_guards(tmp_path)) - before:
        os.kill(pid, signal.SIGKILL)


def of_guards(folder):
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(folder / "guard.sock").encode() in words:
                yield int(entry.name)

    def __init__(self):
        self.guard = guard.Guard()


def test_who_is_late_is_killed(server):
    one = guard.Guard()
    assert one.tell(server.pid, 10.0) == ""
    assert one.look(9.9) == pytest.approx(0.1) and server.poll() is None
    one.look(10.0)
    assert server.wait(10) == -signal.SIGKILL


def test_who_is_told_more_time_or_takes_no_writes_lives(server):
    one = guard.Guard()
    one.tell(server.pid, 10.0)
    one.tell(server.pid, 20.0)
    one.look(19.0)
    one.tell(server.pid, None)
    assert one.look(30.0) == guard.IDLE and server.poll() is None


def test_another_process_of_the_same_number_is_not_meant(server):
    one = guard.Guard()
    one.tell(server.pid, 10.0)
    server.kill()
    server.wait()
    assert one.look(5.0) == guard.IDLE  # it is gone, and forgotten
    assert "can't be held" in one.tell(server.pid, 20.0)


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b'{"pid": 1, "until": 3}', b'{"pid": true, "until": 3}', b'{"pid": 5, "until": "x"}', b"\xff"]
)
def test_what_is_no_line_is_refused(line):
    assert not guard.answer(guard.Guard(), line)["ok"]


def test_a_guard_is_started_and_outlives_who_spoke_to_it(guarded, server, tmp_path):
    guarded.tell(server.pid, guard.boottime() + 600)
    (pid,) = of_guards(tmp_path)
    guarded_at(tmp_path).tell(server.pid, guard.boottime() + 600)
    assert list(of_guards(tmp_path)) == [pid]
    guarded.tell(server.pid, guard.boottime() + 0.05)
    assert server.wait(10) == -signal.SIGKILL


def test_a_guard_that_was_killed_is_replaced(guarded, server, tmp_path):
    guarded.tell(server.pid, guard.boottime() + 600)
    (pid,) = of_guards(tmp_path)
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid not in of_guards(tmp_path), "the guard is gone")
    guarded.tell(server.pid, guard.boottime() + 600)
    assert len(list(of_guards(tmp_path))) == 1 and list(of_guards(tmp_path)) != [pid]


def test_a_guard_that_is_ended_sees_to_those_whose_time_runs(guarded, server, tmp_path):
    """Who stops guest and guard must not leave a server that takes writes for ever."""
    guarded.tell(server.pid, guard.boottime() + 1.0)
    (pid,) = of_guards(tmp_path)
    os.kill(pid, signal.SIGTERM)
    assert server.wait(10) == -signal.SIGKILL
    until(lambda: not list(of_guards(tmp_path)), "the guard has ended")


def test_a_guard_that_is_ended_goes_on_while_it_is_told_and_then_ends(guarded, server, tmp_path):
    guarded.tell(server.pid, guard.boottime() + 600)
    (pid,) = of_guards(tmp_path)
    os.kill(pid, signal.SIGTERM)
    guarded.tell(server.pid, guard.boottime() + 700)
    assert list(of_guards(tmp_path)) == [pid]
    guarded.tell(server.pid, None)
    until(lambda: not list(of_guards(tmp_path)), "the guard has ended")
    assert server.poll() is None


def test_a_guard_that_can_not_be_there_is_trouble(tmp_path, server):
    with pytest.raises(Trouble, match="does not answer"):
        guarded_at(tmp_path, sys.executable, "-c", "").tell(server.pid, 1.0)


def test_a_host_keeps_its_name_while_it_carries_something(tmp_path):
    journal = Journal(tmp_path)
    journal.be("db1")
    Journal(tmp_path).be("db2")  # it carries nothing
    journal = Journal(tmp_path)
    journal.instances["m1"] = {"set": "s", "memory": {}}
    journal.be("db2")
    with pytest.raises(Trouble, match="this host is db2 in the pool, and carries instances"):
        Journal(tmp_path).be("db1")
    Journal(tmp_path).be("db2")


def test_the_journal_knows_what_was_kept(tmp_path):
    journal = Journal(tmp_path)
    journal.instances["m1"] = {"set": "s", "memory": {"had": "1-1-5"}}
    journal.keep({"o1": Report("no room", {"a": 1})}, {"s": 4})
    again = Journal(tmp_path)
    assert (again.reports, again.terms, again.instances) == (journal.reports, {"s": 4}, journal.instances)
    assert (tmp_path / "journal.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"reports": {}}', json.dumps({"reports": {"o": 3}, "terms": {}, "instances": {}})])
def test_a_journal_that_can_not_be_read_is_not_forgotten(tmp_path, text):
    (tmp_path / "journal.json").write_text(text)
    with pytest.raises(Trouble, match="can't be read"):
        Journal(tmp_path)
    assert (tmp_path / "journal.json").read_text() == text
