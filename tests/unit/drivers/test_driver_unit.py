# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit that drivers run in: its times and those of the contract are one calculation, and nothing in it outlives its marker."""

import re
import signal
import subprocess
from pathlib import Path

import jinja2
import pytest

from baton.core.drivers.drivers import LATE
from baton.drivers import leftovers
from baton.drivers.contract import Contract

ROOT = Path(__file__).resolve().parents[3]
TIMER = 0.4  # seconds that a timer of systemd may be late: measured, see docs/reference/driver-protocol.md


def unit(stop):
    folder = ROOT / "roles/driver/templates"
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), trim_blocks=True)
    environment.filters["comment"] = lambda text, decoration: text
    text = environment.get_template("baton-driver@.service.j2").render(baton_driver_stop=stop, ansible_managed="managed")
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("stop", [1, 1.2, 2, "3", 20, 600])
def test_systemd_kills_before_the_time_to_stop_is_over(stop):
    seconds = float(stop)
    reserve = Contract(stop_seconds=seconds).reserve
    assert float(unit(stop)["TimeoutStopSec"]) == pytest.approx(seconds - reserve, abs=0.001)
    assert TIMER < reserve < seconds and TIMER < LATE
    assert unit(stop)["KillMode"] == "mixed", "or what a driver leaves would have that time once more when it dies"


@pytest.mark.parametrize("stop", [1.0, 2.0, 3.0, 600.0])
def test_a_stop_has_time_before_it_is_killed_and_the_kill_before_the_process_ends(stop):
    driver = Contract()
    driver.welcome(stop)
    driver.lost(100.0)
    driver._begin_stop([], 100.0 + stop, "", 100.0)
    assert 100.0 + 0.3 * stop < driver._kill_at < driver._exit_at - 0.05


@pytest.fixture
def processes(tmp_path):
    """A function that starts a process and lists it, as in /proc, with a control group."""
    started = []

    def start(group, name=None):
        process = subprocess.Popen(["sleep", "600"])
        started.append(process)
        folder = tmp_path / (name or str(process.pid))
        folder.mkdir()
        (folder / "cgroup").write_text(f"1:name=systemd:{group}\n0::/\n")
        (folder / "stat").symlink_to(f"/proc/{process.pid}/stat")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


OURS = "/system.slice/system-baton\\x2ddriver.slice/baton-driver@db.service"


def test_what_is_left_of_the_unit_is_killed_and_nothing_else(processes, tmp_path):
    processes(OURS, "self")
    ours = [processes(OURS), processes(f"{OURS}/of-its-own")]
    others = [processes(OURS.replace("db", "web")), processes("/system.slice/ssh.service"), processes("/")]
    assert leftovers.end(tmp_path) == ""
    assert [process.wait() for process in ours] == [-signal.SIGKILL] * 2
    assert [process.poll() for process in others] == [None] * 3


@pytest.mark.parametrize("group", ["/", "/user.slice/user-0.slice/session-1.scope", "/system.slice/ssh.service"])
def test_a_driver_that_no_unit_runs_has_nothing_of_others_killed(group, processes, tmp_path):
    processes(group, "self")
    other = processes(group)
    assert leftovers.end(tmp_path) == "" and other.poll() is None
