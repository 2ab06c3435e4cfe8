# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drivers of docs/examples do what docs/reference/driver-protocol.md asks for."""

import os
import signal
import sys
from pathlib import Path

import pytest
from fake_batond import SECRET, boottime, wait_for

from baton.drivers.process import alive

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"


def test_the_one_in_python(batond, launch, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "systemctl").write_text('#!/bin/sh\necho "$@" >> asked\ntest ! -e broken\n')
    (tmp_path / "bin" / "systemctl").chmod(0o755)
    environment = {**batond.environment, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    process = launch(None, environment, command=[sys.executable, str(EXAMPLES / "driver.py")])
    connection = batond.connected()
    assert connection.hello["id"] == "nginx"
    assert connection.stop()["ok"]
    assert connection.start()["ok"]
    assert connection.stop()["ok"]
    (tmp_path / "broken").touch()
    assert connection.start()["message"] == "systemctl start nginx failed; see journalctl -u nginx"
    (tmp_path / "broken").unlink()
    assert process.terminate() == 0
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split()[0] for line in asked] == ["stop", "start", "stop", "start", "stop"]


# --- Node.js ----------------------------------------------------------------------------------------------------------------

SERVICE = 'echo $$ > "up.$BATON_EPOCH"; trap "" TERM; sleep 600 & sleep 600'


@pytest.fixture
def script(batond, launch):
    """Returns a function that starts driver.js: (process, connection), after the first order."""

    def start(command=SERVICE):
        process = launch(None, batond.environment, command=["node", str(EXAMPLES / "driver.js"), "js", "sh", "-c", command])
        connection = batond.connected()
        assert connection.hello == {"type": "hello", "id": "js", "options": {}, "own_marker": True}
        assert connection.stop()["ok"]
        return process, connection

    return start


def running(folder, epoch=1):
    """Return whether a process of the service's group lives."""
    path = folder / f"up.{epoch}"
    group = wait_for(lambda: path.exists() and path.read_text().strip(), "the service")
    return alive(int(group))


def test_node_starts_and_stops(script, tmp_path):
    _process, connection = script()
    assert connection.start()["ok"]
    assert running(tmp_path)
    for _turn in range(20):
        connection.lease(seconds=30)
    assert connection.stop()["ok"]
    assert not running(tmp_path)
    assert connection.start(epoch=2)["ok"]
    assert running(tmp_path, 2)


def test_node_makes_its_marker_and_removes_it(batond, script):
    _process, connection = script()
    assert connection.start()["ok"] and connection.marked.get(timeout=20)["ok"] and batond.marker("js").exists()
    assert connection.stop()["ok"] and not batond.marker("js").exists()
    batond.marker("js").mkdir()
    os.chown(batond.marker("js"), 12345, 12345)
    connection.order(True, epoch=2)
    assert not connection.marked.get(timeout=20)["ok"]


def test_node_every_order_is_answered_once(script):
    _process, connection = script("sleep 600")
    numbers = [connection.order(bool(turn % 2), epoch=turn) for turn in range(1, 20)]
    assert [connection.next()["number"] for _number in numbers] == numbers


def test_node_stops_at_the_end_of_its_lease(script, tmp_path):
    _process, connection = script()
    connection.start()
    assert running(tmp_path)
    connection.lease(seconds=0.2)
    assert connection.next() == {"type": "stopped", "message": "its lease ended"}
    assert not running(tmp_path)


def test_node_stops_when_the_connection_is_lost_and_comes_back(batond, script, tmp_path):
    process, connection = script()
    connection.start()
    assert batond.marker("js").exists()
    assert running(tmp_path)
    batond.down()
    wait_for(lambda: not batond.marker("js").exists(), "the end of the marker")
    assert not running(tmp_path)
    batond.up()
    again = batond.connected()
    assert again.stop()["ok"]
    assert again.start(epoch=2)["ok"]
    assert running(tmp_path, 2)
    assert batond.marker("js").exists()
    assert process.terminate() == 0
    assert not running(tmp_path, 2)
    assert not batond.marker("js").exists()


def test_node_frozen_past_its_lease_it_does_not_go_on(script, tmp_path):
    process, connection = script()
    connection.start(seconds=0.5)
    assert running(tmp_path)
    process.send(signal.SIGSTOP)
    end = boottime() + 0.6
    connection.lease(seconds=600)
    number = connection.order(True, seconds=0)
    wait_for(lambda: boottime() > end)
    process.send(signal.SIGCONT)
    frames = [connection.next(), connection.next()]
    assert {"type": "stopped", "message": "its lease ended"} in frames
    assert [frame["ok"] for frame in frames if frame.get("number") == number] == [False]
    assert not running(tmp_path)


def test_node_a_command_that_ends_or_can_not_be_started(script, batond, launch):
    process, connection = script("exit 1")
    connection.order(True)
    frames = [connection.next(), connection.next()]
    assert {"type": "stopped", "message": "the command has ended"} in frames
    process.terminate()
    process = launch(None, batond.environment, command=["node", str(EXAMPLES / "driver.js"), "js", "/nosuch"])
    connection = batond.connected()
    connection.stop()
    assert "ENOENT" in connection.start()["message"]


def test_node_a_wrong_secret_or_a_refusal(script, batond, launch):
    (batond.run_dir / "driver.secret").write_text("wrong")
    batond.refuse = "the id is taken"
    process = launch(None, batond.environment, command=["node", str(EXAMPLES / "driver.js"), "js", "true"])
    process.says("batond answered 403")
    (batond.run_dir / "driver.secret").write_text(SECRET)
    process.says("batond refused this driver: the id is taken")
    batond.refuse = ""
    assert batond.connected().stop()["ok"]
