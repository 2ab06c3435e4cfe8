# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real daemons and real drivers: a service on two nodes, of which never both run it, whatever is killed or frozen."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from support.certificates import Authority
from support.cluster import Cluster, free_port, until
from support.programs import program

STOP = "2"  # seconds: D
START = 'echo "start $NODE" >> "$LOG"; sleep 600 &'
END = 'sleep 0.1; echo "stop $NODE" >> "$LOG"'


class Driver:
    """One script driver beside one daemon."""

    def __init__(self, node, folder, name="web", start=START, stop=END, **more):
        self.node, self.name = node, name
        self.log = folder / "service.log"
        self.journal = folder / f"{node.name}-{name}.log"
        self.file = folder / node.name / f"{name}.json"
        self.file.parent.mkdir(exist_ok=True)
        env = {"NODE": node.name, "LOG": str(self.log)}
        self.file.write_text(json.dumps({"type": "script", "start": start, "stop": stop, "env": env, **more}))
        self.process = None

    def start(self):
        environ = {**os.environ, "BATON_RUN_DIR": str(self.node.data / "run")}
        with open(self.journal, "ab") as log:
            command = [sys.executable, str(program("batond")), "driver", str(self.file)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
        return self

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(20)

    def state(self):
        found = self.node.call("GET", "/system/drivers").json()
        return next((driver["state"] for driver in found if driver["id"] == self.name), None)


def running(log):
    """Return where the service runs; fails when it ever ran on two nodes at once, or twice on one."""
    found = []
    for line in log.read_text().splitlines() if log.exists() else ():
        word, node = line.split()
        if word == "start":
            assert found == [], f"started on {node} while it ran on {found}:\n{log.read_text()}"
            found.append(node)
        elif node in found:
            found.remove(node)
    return found


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path, 2, dcs="local", options=["--driver-stop", STOP]) as cluster:
        yield cluster


@pytest.fixture
def drivers(cluster, tmp_path):
    made = {}

    def make(**more):
        for node in cluster.nodes.values():
            driver = Driver(node, tmp_path, **more)
            made[(node.name, driver.name)] = driver.start()
        return {name: driver for (name, _id), driver in made.items()}

    yield make
    for driver in made.values():
        driver.stop()


def runs_on(log, node):
    until(lambda: running(log) == [node], f"the service runs on {node}; {log.read_text() if log.exists() else 'it never ran'}")


def other(cluster, node):
    return next(item for item in cluster.nodes.values() if item is not node)


def test_it_runs_on_the_active_and_follows_a_switch(cluster, drivers, tmp_path):
    first = cluster.active()
    both = drivers()
    log = tmp_path / "service.log"
    runs_on(log, first.name)
    assert (first.data / "run/running/web").exists()
    cluster.call(first, "POST", "/system/switch", json={})
    second = other(cluster, first)
    runs_on(log, second.name)
    assert not (first.data / "run/running/web").exists()
    until(lambda: both[second.name].state() == "active" and both[first.name].state() == "stopped", "batond knows it")


def test_a_daemon_that_is_killed_takes_its_drivers_along_and_the_notice_says_when_they_have_stopped(cluster, drivers, tmp_path):
    first = cluster.active()
    drivers()
    log = tmp_path / "service.log"
    runs_on(log, first.name)
    first.kill()
    environ = {**os.environ, "BATON_DATA_DIR": str(first.data)}
    done = subprocess.run(
        [sys.executable, str(program("batond")), "stop-post"], env=environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert "its drivers have stopped" in done.stderr, done.stderr
    second = other(cluster, first)
    runs_on(log, second.name)
    reason = cluster.call(second, "GET", "/system/history").json()[-1]["Reason"]
    assert reason == f"{first.name} ended", reason


def test_a_frozen_daemons_driver_stops_by_itself_and_the_other_node_takes_the_service(cluster, drivers, tmp_path):
    first = cluster.active()
    drivers()
    log = tmp_path / "service.log"
    runs_on(log, first.name)
    first.process.send_signal(signal.SIGSTOP)
    second = other(cluster, first)
    until(lambda: second.probe("/active"), "the other is active")
    assert running(log) in ([], [first.name])
    runs_on(log, second.name)
    first.process.send_signal(signal.SIGCONT)
    until(lambda: first.probe("/in-sync"), "the first is back")
    assert running(log) == [second.name]


def test_the_api_waits_for_a_pre_active_driver(cluster, drivers, tmp_path):
    first = cluster.active()
    gate = tmp_path / "gate"
    drivers(name="db", start=f"test -e {gate} || exit 1; {START}", pre_active=True)
    runs = tmp_path / "service.log"
    until(lambda: any(d["failures"] for d in cluster.call(first, "GET", "/system/drivers").json()), "the start fails")
    second = other(cluster, first)
    cluster.call(first, "POST", "/system/switch", json={})
    until(lambda: second.status()["role"] == "active", "the other leads")
    answer = until(lambda: _refused(second, cluster), "but does not serve")
    assert "waits for its drivers (db)" in answer
    assert not second.probe("/active")
    gate.touch()
    until(lambda: second.probe("/active"), "serves")
    assert running(runs) == [second.name]


@pytest.fixture
def watched(tmp_path):
    """Two nodes that are told which drivers to expect by the files in a directory; none is there yet."""
    folder = tmp_path / "drivers"
    folder.mkdir()
    with Cluster(tmp_path, 2, dcs="local", options=["--driver-stop", STOP, "--drivers-dir", str(folder)]) as cluster:
        yield cluster, folder / "db.json"


def error_of(node):
    return node.status()["error"] or ""


def test_a_pre_active_driver_that_is_not_there_is_said_before_it_is_needed_until_a_person_has_it_forgotten(watched):
    cluster, file = watched
    first = cluster.active()
    second = other(cluster, first)
    file.write_text(json.dumps({"type": "program", "pre_active": True}))
    until(lambda: "if this node becomes active, the VIP and the API wait for it" in error_of(second), "the passive says it")
    until(lambda: "driver db is not connected" in error_of(first), "and the active")
    assert not second.probe("/health") and "baton_trouble 1" in requests.get(second.url + "/metrics", timeout=10).text
    file.unlink()
    until(lambda: "db.json is gone: driver db is still expected" in error_of(second), "a file that is gone is not one that was removed")
    second.kill()
    second.start()
    assert "db.json is gone: driver db is still expected" in error_of(second), "also after a restart"
    file.write_text('{"type": "prog')
    until(lambda: "what it said before of driver db counts" in error_of(second), "nor is half of one")
    file.unlink()
    second.process.send_signal(signal.SIGHUP)
    until(lambda: second.call("GET", "/system/drivers").json() == [], "now it was removed")
    until(lambda: not error_of(second), "and nothing is said of it")
    assert "driver db" in error_of(first)


def test_the_api_waits_for_a_pre_active_driver_whose_file_is_away_for_a_moment(watched, tmp_path):
    cluster, file = watched
    first = cluster.active()
    second = other(cluster, first)
    file.write_text(json.dumps({"type": "program", "pre_active": True}))
    until(lambda: second.call("GET", "/system/drivers").json(), "it is expected")
    file.parent.rename(file.parent.with_name("elsewhere"))
    until(lambda: "still expected: db" in error_of(second), "the directory is missed")
    cluster.call(first, "POST", "/system/switch", json={})
    until(lambda: _refused(second, cluster), "it leads, but does not serve")
    it = Driver(second, tmp_path, name="db", pre_active=True).start()
    try:
        until(lambda: second.probe("/active"), "serves")
        assert running(tmp_path / "service.log") == [second.name]
    finally:
        it.stop()


def test_drivers_whose_order_is_a_circle_run_and_it_is_said(watched, tmp_path):
    cluster, file = watched
    first = cluster.active()
    made = []
    for name, after in (("a", "b"), ("b", "a"), ("web", "b")):
        options = {"type": "script", "start": "true", "stop": "true", "after": [after]}
        file.with_name(f"{name}.json").write_text(json.dumps(options))
    circle = "the order of the drivers a, b is a circle, and disregarded among them"
    until(lambda: circle in error_of(first), "it is said")
    try:
        for name, after in (("web", "b"), ("b", "a"), ("a", "b")):
            made.append(Driver(first, tmp_path, name=name, start="true", stop="true", after=[after]).start())
        until(lambda: all(driver.state() == "active" for driver in made), "all run")
        assert circle in error_of(first) and first.log.read_text().count(circle) == 1
    finally:
        for driver in made:
            driver.stop()


def _refused(node, cluster):
    answer = cluster.call(node, "POST", "/profiles", json={"Name": "p"})
    return answer.json()["detail"] if answer.status_code == 503 and "drivers" in answer.text else None


def test_a_service_that_can_not_run_fails_over_but_not_for_ever(cluster, drivers, tmp_path):
    cluster.active()
    drivers(start="exit 3", on_failure="fail_over", retries=0, most_failovers=2)
    journals = [node.log for node in cluster.nodes.values()]
    until(lambda: any("no failover: 2 in 3600 s already" in log.read_text() for log in journals), "it stays", 60)
    reasons = [reign["Reason"] for reign in cluster.call(cluster.active(), "GET", "/system/history").json()]
    assert len([reason for reason in reasons if "driver web did not start" in reason]) == 2, reasons


def test_a_service_that_can_not_be_stopped_is_not_started_elsewhere(cluster, drivers, tmp_path):
    first = cluster.active()
    gate = tmp_path / "gate"
    drivers(stop=f"test -e {gate} && {{ {END}; }}")
    until(lambda: all("did not stop: " in node.log.read_text() for node in cluster.nodes.values()), "their first stop fails")
    refused = cluster.call(first, "POST", "/system/switch", json={})
    assert refused.status_code == 409 and "driver web does not stop" in refused.json()["detail"]
    until((first.data / "run/running/web").exists, "the guard would not say that nothing runs")
    gate.touch()
    runs_on(tmp_path / "service.log", first.name)
    cluster.call(first, "POST", "/system/switch", json={})
    runs_on(tmp_path / "service.log", other(cluster, first).name)


def test_an_unhealthy_service_fails_over(cluster, drivers, tmp_path):
    first = cluster.active()
    sick = tmp_path / f"sick-{first.name}"
    check = {"command": f"test ! -e {tmp_path}/sick-$NODE", "every": 0.1, "timeout": 5}
    drivers(on_failure="fail_over", retries=0, unhealthy_after=2, check=check)
    runs_on(tmp_path / "service.log", first.name)
    sick.touch()
    runs_on(tmp_path / "service.log", other(cluster, first).name)


def test_order_between_drivers_holds_on_start_and_stop(cluster, tmp_path):
    first = cluster.active()
    second, log = other(cluster, first), tmp_path / "order.log"
    made = [
        Driver(second, tmp_path, name, start=f"echo start-{name} >> {log}", stop=f"echo stop-{name} >> {log}", after=after).start()
        for name, after in (("web", ["app"]), ("app", ["db"]), ("db", []))
    ]
    try:
        until(lambda: all(driver.state() == "stopped" for driver in made), "all are there")
        log.write_text("")
        cluster.call(first, "POST", "/system/switch", json={})
        until(lambda: all(driver.state() == "active" for driver in made), "all are active")
        assert log.read_text().split() == ["start-db", "start-app", "start-web"]
        log.write_text("")
        until(lambda: first.probe("/in-sync"), "the first is back")
        cluster.call(second, "POST", "/system/switch", json={})
        until(lambda: len(log.read_text().split()) == 3, "all have stopped")
        assert log.read_text().split() == ["stop-web", "stop-app", "stop-db"]
    finally:
        for driver in made:
            driver.stop()


def test_metrics_have_the_drivers(cluster, drivers, tmp_path):
    first = cluster.active()
    drivers()
    runs_on(tmp_path / "service.log", first.name)
    until(lambda: 'baton_driver_active{driver="web"} 1' in requests.get(first.url + "/metrics", timeout=10).text, "the metric")
    for name in ("connected", "healthy", "failures_total", "last_change_timestamp_seconds", "last_order_seconds"):
        assert f'baton_driver_{name}{{driver="web"}}' in requests.get(first.url + "/metrics", timeout=10).text


def test_over_tls(tmp_path):
    Authority(tmp_path).issue("n1", "127.0.0.1")
    listen, data, log = f"127.0.0.1:{free_port()}", tmp_path / "n1", tmp_path / "service.log"
    tls = [f"--tls-{name}={tmp_path / file}" for name, file in (("cert", "n1.pem"), ("key", "n1.key"), ("ca", "ca.pem"))]
    options = ["--node-id", "n1", "--data-dir", str(data), "--listen", listen, "--dcs", f"local:{tmp_path}/dcs.db", *tls]
    file = tmp_path / "web.json"
    file.write_text(json.dumps({"type": "script", "start": f"echo start n1 >> {log}", "stop": f"echo stop n1 >> {log}"}))
    secret = {"BATON_DRIVER_SECRET_FILE": str(data / "run/driver.secret")}
    where = {**os.environ, **secret, "BATON_DRIVER_URL": f"https://{listen}", "BATON_CA": str(tmp_path / "ca.pem")}
    batond = [sys.executable, str(program("batond"))]
    with open(tmp_path / "journal", "wb") as journal:
        daemon = subprocess.Popen([*batond, *options], stdout=journal, stderr=journal)
        driver = subprocess.Popen([*batond, "driver", str(file)], stdout=journal, stderr=journal, env=where)
    try:
        until(lambda: running(log) == ["n1"], f"it runs; {(tmp_path / 'journal').read_text()}")
        driver.terminate()
        assert driver.wait(20) == 0 and running(log) == []
    finally:
        for process in (driver, daemon):
            process.kill()
            process.wait()


def test_a_wrong_secret_and_bad_frames_are_refused(cluster, tmp_path):
    first = cluster.active()
    run = first.data / "run"
    assert (run / "driver.secret").stat().st_mode & 0o777 == 0o640
    script = Path(__file__).with_name("driver_frames.py")
    done = subprocess.run([sys.executable, str(script), str(run)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "wrong secret": 403,
        "not json": "a frame is a JSON object",
        "no hello": "the first frame is hello",
        "bad id": "id is 1 to 63 letters, digits, '_', '.' and '-', not 'a/b'",
        "bad option": "on_failure is one of ignore, retry, fail_over",
        "circle": "the order of drivers is a circle: x after x",
        "bad frame": "there is no frame 'dance' with these members; see docs/reference/driver-protocol.md",
        "ids": 3,
    }
