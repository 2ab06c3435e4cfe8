# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver ``script`` and how commands are run: environment, failures, and nothing left behind."""

import os
import signal
from pathlib import Path

import pytest
from fake_batond import boottime, wait_for


def script(start, stop="true", **members):
    return {"type": "script", "start": start, "stop": stop, **members}


def alive(file):
    """Return whether the process whose id stands in ``file`` lives."""
    try:
        stat = Path(f"/proc/{int(Path(file).read_text())}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_the_environment_is_added_to(begin, tmp_path):
    show = "env | sort > seen; pwd >> seen"
    _process, connection = begin(
        script(show, env={"MINE": "a b", "BATON_TEST_GIVEN": "changed"}, cwd=str(tmp_path)),
        BATON_TEST_GIVEN="given", BATON_TEST_KEPT="kept", NOTIFY_SOCKET="/nowhere",
    )  # fmt: skip
    assert connection.start(epoch=7)["ok"]
    lines = (tmp_path / "seen").read_text().splitlines()
    for line in ("MINE=a b", "BATON_TEST_GIVEN=changed", "BATON_TEST_KEPT=kept", f"PATH={os.environ['PATH']}"):
        assert line in lines
    for line in ("BATON_ID=it", "BATON_NODE=n1", "BATON_EPOCH=7", "BATON_ACTIVE=1"):
        assert line in lines
    assert lines[-1] == str(tmp_path)
    assert not any(line.startswith("NOTIFY_SOCKET") for line in lines)


def test_it_is_awaited_and_a_failure_is_reported(begin, tmp_path):
    process, connection = begin(script("echo said; echo wrong >&2; test -e allowed", cwd=str(tmp_path)))
    assert connection.start() == {"type": "done", "number": 2, "ok": False, "message": "start: exit status 1"}
    process.says("said\nwrong\n")  # in the journal
    (tmp_path / "allowed").touch()
    connection.stop()
    assert connection.start()["ok"]


def test_a_shell_that_is_not_there(batond, launch):
    launch(script("true", shell="/bin/nosuch"), batond.environment)
    assert batond.connected().stop()["message"] == "/bin/nosuch can't be run: No such file or directory"


def test_the_first_order_to_stop_reports_its_failure_and_the_driver_lives(batond, launch):
    process = launch(script("true", "exit 3"), batond.environment)
    connection = batond.connected()
    assert connection.stop()["message"] == "stop: exit status 3"
    assert connection.stop()["ok"] is False
    assert process.process.poll() is None


def test_a_stop_that_fails_although_it_was_started_ends_the_process(begin, tmp_path):
    """systemd kills the cgroup then: whatever runs, it ends."""
    process, connection = begin(script("touch up", "test ! -e up", cwd=str(tmp_path)))
    connection.start()
    connection.order(False)
    assert process.wait() == 70


def test_a_cancelled_start_is_killed_with_its_grandchildren(begin, tmp_path):
    deaf = "trap '' TERM; echo $$ > {}; {} while :; do sleep 600; done"
    start = deaf.format("up", f"sh -c '{deaf.format('deep', '')}' &".replace("trap ''", 'trap ""'))
    _process, connection = begin(script(start, "echo stopped > down", cwd=str(tmp_path)))
    number = connection.order(True)
    wait_for(lambda: all((tmp_path / name).exists() and (tmp_path / name).read_text() for name in ("up", "deep")))
    assert alive(tmp_path / "deep")
    assert connection.order(False, seconds=10) == number + 1
    assert not connection.answered(number)["ok"]
    assert not alive(tmp_path / "deep") and not alive(tmp_path / "up")  # before the stop was run
    assert connection.answered(number + 1)["ok"]


def test_what_a_start_leaves_in_the_background_runs_until_the_stop(begin, tmp_path):
    _process, connection = begin(script("sleep 600 & echo $! > pid", cwd=str(tmp_path)))
    assert connection.start()["ok"]
    assert alive(tmp_path / "pid")
    assert connection.stop()["ok"]
    assert not alive(tmp_path / "pid")


@pytest.mark.parametrize("end", ["lease", "connection", "sigterm"])
def test_the_service_ends_unasked(end, begin, tmp_path):
    process, connection = begin(script("sleep 600 & echo $! > pid", cwd=str(tmp_path)))
    connection.start()
    if end == "lease":
        connection.lease(seconds=0.2)
    elif end == "connection":
        connection.close()
    else:
        assert process.terminate() == 0
    wait_for(lambda: not alive(tmp_path / "pid"), "the end of the service")


def test_a_stop_that_hangs_is_killed_and_the_process_ends(begin, tmp_path):
    process, connection = begin(script("true", 'test "$BATON_EPOCH" = 0 || { echo $$ > pid; sleep 600; }', cwd=str(tmp_path)), BATON_X="y")
    connection.start()
    connection.order(False, seconds=1.5)
    assert process.wait() == 70
    assert not alive(tmp_path / "pid")


def test_frozen_past_its_lease_nothing_of_it_goes_on(begin, tmp_path):
    """The whole unit is frozen, as by the freezer of a hypervisor; only the driver goes on first."""
    process, connection = begin(script("sleep 600 & echo $! > pid", "echo stop >> stops", cwd=str(tmp_path)))
    connection.start(seconds=1)
    process.send(signal.SIGSTOP)
    end = boottime() + 1.1
    connection.lease(seconds=600)
    wait_for(lambda: boottime() > end)
    assert alive(tmp_path / "pid")
    process.send(signal.SIGCONT)
    assert connection.next() == {"type": "stopped", "message": "its lease ended"}
    assert not alive(tmp_path / "pid")
    assert len((tmp_path / "stops").read_text().splitlines()) == 2
