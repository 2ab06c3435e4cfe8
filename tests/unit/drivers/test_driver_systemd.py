# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver ``systemd`` and ExecStopPost, with a systemctl that plays systemd and writes down what it was asked."""

import json
import os
import subprocess
import sys

import pytest
from fake_batond import wait_for

# Units are files in $UNITS whose content is their state; one whose name begins with slow takes long.
SYSTEMCTL = r"""#!/bin/bash
echo "$*" >> "$UNITS/../asked"
verb=$1; shift
arguments=()
for word; do case $word in --*) options+=" $word";; *) arguments+=("$word");; esac; done
status=0
for unit in "${arguments[@]}"; do
  file=$UNITS/$unit
  if [ ! -e "$file" ]; then
    if [ "$verb" = is-active ]; then echo inactive; else echo "Failed to $verb $unit: Unit $unit not loaded." >&2; status=5; fi
    continue
  fi
  case $verb in
    start) echo activating > "$file"
      case $unit in slow*) sleep 600 ;; broken*) echo "Job for $unit failed." >&2; echo failed > "$file"; exit 1 ;; esac
      echo active > "$file" ;;
    stop) case "$unit$options" in hangs*--no-block*) ;; hangs*) while [ "$(cat "$file")" = active ]; do sleep 0.02; done ;; esac
      echo inactive > "$file" ;;
    kill) echo killed > "$file" ;;
    is-active) cat "$file"; grep -qx active "$file" || status=3 ;;
  esac
done
exit $status
"""


class Units:
    def __init__(self, folder):
        self.folder = folder / "units"
        self.folder.mkdir()
        (folder / "bin").mkdir()
        (folder / "bin" / "systemctl").write_text(SYSTEMCTL)
        (folder / "bin" / "systemctl").chmod(0o755)
        self.environment = {"UNITS": str(self.folder), "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        self._asked = folder / "asked"

    def set(self, **states):
        for name, state in states.items():
            (self.folder / f"{name}.service").write_text(state + "\n")

    def state(self, name):
        return (self.folder / f"{name}.service").read_text().strip()

    def asked(self):
        """Return what systemctl was asked to do since the last time, without questions."""
        lines = self._asked.read_text().splitlines() if self._asked.exists() else []
        self._asked.write_text("")
        return [line for line in lines if not line.startswith("is-active")]


@pytest.fixture
def units(tmp_path):
    return Units(tmp_path)


def test_units_are_started_in_order_and_stopped_in_reverse(begin, units):
    units.set(a="inactive", b="inactive")
    process, connection = begin({"type": "systemd", "units": ["a.service", "b.service"]}, **units.environment)
    assert units.asked() == ["stop -- b.service", "stop -- a.service"]
    assert connection.start()["message"] == "a.service, b.service active"
    assert units.asked() == ["start -- a.service", "start -- b.service"]
    connection.close()
    wait_for(lambda: (units.state("a"), units.state("b")) == ("inactive", "inactive"), "the stop")
    assert process.terminate() == 0


def test_a_unit_that_does_not_exist(begin, units):
    units.set(b="inactive")
    process, connection = begin({"type": "systemd", "units": ["a.service", "b.service"]}, **units.environment)
    process.says("a.service, b.service stopped; there is no unit a.service")
    assert connection.start() == {"type": "done", "number": 2, "ok": False, "message": "there is no unit a.service"}


def test_a_unit_that_does_not_start(begin, units):
    units.set(broken="inactive")
    _process, connection = begin({"type": "systemd", "units": ["broken.service"]}, **units.environment)
    assert connection.start()["message"] == "broken.service: Job for broken.service failed."


def test_a_start_that_takes_long_can_be_stopped(begin, units):
    units.set(slow="inactive")
    _process, connection = begin({"type": "systemd", "units": ["slow.service"]}, **units.environment)
    number = connection.order(True)
    wait_for(lambda: units.state("slow") == "activating")
    connection.order(False)
    assert not connection.answered(number)["ok"]
    assert connection.answered(number + 1)["ok"]
    assert units.state("slow") == "inactive"


def test_a_unit_that_does_not_stop_is_killed(begin, units):
    units.set(hangs="inactive")
    _process, connection = begin({"type": "systemd", "units": ["hangs.service"]}, **units.environment)
    connection.start()
    assert connection.stop(seconds=2)["ok"]
    assert "kill --signal=KILL -- hangs.service" in units.asked()


def test_a_unit_that_died_is_unhealthy(begin, units):
    units.set(a="inactive", b="inactive")
    file = {"type": "systemd", "units": ["a.service", "b.service"], "check": {"command": "true", "every": 0.1}}
    _process, connection = begin(file, **units.environment)
    connection.start()
    assert connection.health()["ok"]
    units.set(b="failed")
    while (frame := connection.health())["ok"]:
        pass
    assert frame["message"] == "b.service is failed"


# --- ExecStopPost -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stop_post(zipapp, tmp_path, units):
    running = tmp_path / "run" / "running"
    running.mkdir(parents=True)

    def run(data, *markers, **more):
        path = tmp_path / "it.json"
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_text(data if isinstance(data, str) else json.dumps(data))
        for name in ("it", "another", *markers):
            (running / name).touch()
        environment = {**os.environ, **units.environment, "BATON_RUN_DIR": str(tmp_path / "run"), **more}
        command = [sys.executable, zipapp, "driver-stop-post", path]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr, sorted(path.name for path in running.iterdir())

    return run


def test_units_are_dead_before_the_marker_goes(stop_post, units):
    units.set(a="active", b="active")
    assert stop_post({"type": "systemd", "units": ["a.service", "b.service", "nosuch.service"]}) == (0, "", ["another"])
    names = "-- a.service b.service nosuch.service"
    assert units.asked() == [f"stop --no-block {names}", f"kill --signal=KILL {names}", f"stop {names}", f"reset-failed {names}"]
    assert units.state("a") == "inactive"


@pytest.mark.parametrize("data", [None, "{", "[]", {"type": "program"}, {"type": "script", "start": "a", "stop": "touch /nosuch"}])
def test_without_units_only_the_marker_goes(data, stop_post, units):
    assert stop_post(data) == (0, "", ["another"])
    assert units.asked() == []
    assert stop_post(data) == (0, "", ["another"])


def test_it_says_how_long_units_may_take(stop_post, units, systemd):
    units.set(a="active")
    assert stop_post({"type": "systemd", "units": ["a.service"]}, NOTIFY_SOCKET=systemd.path)[0] == 0
    assert systemd.until(lambda message: message.startswith("EXTEND_TIMEOUT_USEC="))


def test_what_was_started_is_stopped_whatever_the_file_says_now(stop_post, units, tmp_path):
    units.set(a="active", b="active", old="active")
    note = tmp_path / "run" / "it.units"
    note.write_text("old.service\n")
    for data in ({"type": "systemd", "units": ["a.service"]}, None):
        note.write_text("old.service\n")
        assert stop_post(data) == (0, "", ["another"])
        assert units.state("old") == "inactive" and not note.exists()
        units.set(old="active")


def test_the_marker_of_another_driver_is_left_alone(stop_post):
    assert stop_post({"type": "program", "id": "another"}) == (0, "", ["another"])


def test_a_marker_stays_if_a_unit_may_run(stop_post, units):
    (units.folder.parent / "bin" / "systemctl").write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    status, errors, markers = stop_post({"type": "systemd", "units": ["a.service"]})
    assert (status, markers) == (1, ["another", "it"])
    assert errors == "batond driver-stop-post: a.service may still run, so the marker stays: Failed to connect to bus\n"
