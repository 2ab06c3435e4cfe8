# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx and a script's process run on exactly one of two nodes, whatever is killed, frozen or broken, and the page stays behind the VIP.

All hosts share this machine's processes and its clock, so that one look tells what runs where: watch.py looks all the time.
"""

import base64
import email
import email.policy
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import testinfra
from watch import Watch, boottime

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
NODES = ("d1", "d2")
SERVICES = ("nginx", "singleton-work")
DRIVERS = ("hook", "mail", "name", "nginx", "singleton")
SETTINGS = "BATON_URL=https://127.0.0.1:8092 BATON_CA=/etc/baton/ca.pem BATON_TOKEN_FILE=/etc/baton/ha.token"
W1 = subprocess.check_output(
    ["podman", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "baton-drivers-w1"], text=True
).strip()
VIP = (PROJECT / "build/drivers/vip").read_text().partition("/")[0]
reigns = {}  # epoch: active, as the tests met them


def host_of(name):
    return testinfra.get_host(f"podman://baton-drivers-{name}")


def other_than(name):
    return next(node for node in NODES if node != name)


def batonctl(name, arguments):
    done = host_of(name).run(f"{SETTINGS} batonctl -o json {arguments}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def journal(name, unit, lines=25):
    return host_of(name).run(f"journalctl -u '{unit}' -n {lines} --no-pager -o short-monotonic").stdout


def until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            journals = "\n".join(journal(name, unit) for name in NODES for unit in ("batond", "baton-driver@*"))
            raise AssertionError(f"in vain for {seconds} s: {what}\n{journals}")
        time.sleep(0.1)


def script_log():
    """Return what the script noted on both nodes, in order of time: (seconds since boot, node, start or stop)."""
    lines = []
    for name in NODES:
        for line in host_of(name).run("cat /var/log/singleton.log").stdout.splitlines():
            what, at = line.split()
            lines.append((float(at), name, what))
    return sorted(lines)


def mails():
    """Return (epoch, node) of every mail that has come."""
    texts = host_of("w1").check_output("for file in /var/lib/mailsink/*.eml; do base64 -w0 $file; echo; done").split()
    found = []
    for text in texts:
        mail = email.message_from_string(base64.b64decode(text).decode(), policy=email.policy.default)
        said = dict(word.split("=") for word in mail.get_body(("plain",)).get_content().split())
        assert said["id"] == "mail" and said["active"] == "active" and mail["Subject"] == f"{said['node']} is active"
        found.append((int(said["epoch"]), said["node"]))
    return found


@pytest.fixture(scope="session")
def watch():
    ids = {
        name: subprocess.check_output(["podman", "inspect", "-f", "{{.Id}}", f"baton-drivers-{name}"], text=True).strip() for name in NODES
    }
    watching = Watch(ids, SERVICES, f"http://{VIP}/")
    yield watching
    watching.stop()


@pytest.fixture(autouse=True)
def never_two(watch):
    """Hold after every test: no look has found a service on both nodes."""
    yield
    assert not watch.twice and not watch.broken


@pytest.fixture
def settled(watch):
    """Return a function that waits until one node is active and runs everything, and the other follows; it returns the active."""

    def look():
        status = next((found for found in (batonctl(name, "ha status") for name in NODES) if found.get("serving")), {})
        node = status.get("active")
        if sorted(status.get("in_sync", [])) != list(NODES) or watch.running() != {(service, node) for service in SERVICES}:
            return None
        if watch.answers[-1][1] != node:
            return None
        epoch = status["epoch"]["number"]
        if (epoch, node) not in mails():
            return None
        reigns[epoch] = node
        return node

    return lambda seconds=60: until(look, "one node runs everything, both are in sync, and people were told", seconds)


@pytest.fixture
def active(settled):
    return settled()


def starts_after(moment):
    return [(at, name) for at, name, what in script_log() if what == "start" and at >= moment]


def test_at_rest_everything_runs_on_the_active_and_nowhere_else(active, watch):
    other = other_than(active)
    assert watch.running() == {("nginx", active), ("singleton-work", active)}
    assert subprocess.check_output(["curl", "-sS", "-m", "5", f"http://{VIP}/"], text=True).strip() == active
    for name in NODES:
        assert host_of(name).run("systemctl is-enabled nginx").stdout.strip() == "disabled"
        assert all(host_of(name).service(f"baton-driver@{driver}").is_enabled for driver in DRIVERS)
    markers = {name: host_of(name).check_output("ls /run/baton/running").split() for name in NODES}
    assert markers == {active: list(DRIVERS), other: []}


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize(("driver", "most"), [("hook", 1.5), ("mail", 1.5), ("name", 1.5), ("nginx", 1.8)])
def test_drivers_may_do_no_more_than_they_need(name, driver, most):
    host, unit = host_of(name), f"baton-driver@{driver}.service"
    done = host.run(f"systemd-analyze security --no-pager --threshold={most * 10:.0f} {unit}")
    assert done.rc == 0, done.stdout
    shown = host.check_output(f"systemctl show {unit} -p MemoryMax -p TasksMax").splitlines()
    assert "MemoryMax=infinity" not in shown and "TasksMax=infinity" not in shown


def test_each_driver_that_only_sends_has_a_user_and_a_marker_of_its_own(active):
    owners = dict(line.split() for line in host_of(active).check_output("stat -c '%n %u' /run/baton/running/*").splitlines())
    owners = {Path(path).name: int(user) for path, user in owners.items()}
    batond = int(host_of(active).check_output("id -u baton"))
    assert owners["nginx"] == owners["singleton"] == 0
    others = {owners[name] for name in ("hook", "mail", "name")}
    assert len(others) == 3 and not others & {0, batond}
    node = host_of(active)
    own = owners["hook"]
    stolen = node.run(f"setpriv --reuid={own} --clear-groups --regid=baton-drivers rm -f /run/baton/running/nginx")
    assert stolen.rc != 0 and "Operation not permitted" in stolen.stderr, "of its group, and yet it takes nobody's marker away"
    assert node.file("/run/baton/running/nginx").exists


def test_the_hook_and_the_name_follow_the_active_with_secrets_that_only_root_can_read(active):
    host = host_of("w1")
    hooks = [json.loads(line) for line in host.check_output("cat /var/lib/hooksink/hooks").splitlines()]
    assert {hook["authorization"] for hook in hooks} == {"Bearer secret-of-the-hook"}
    assert [hook["node"] for hook in hooks if hook["active"]][-1] == active
    address = host_of(active).check_output("hostname -I").split()
    until(lambda: host_of(active).check_output(f"dig +short @{W1} db.example.test A").strip() in address, "the name points to the active")


def test_secrets_and_sockets_are_for_the_group_alone(active):
    node = host_of(active)
    for path, owner, group, mode in (
        ("/run/baton", "baton", "baton-drivers", 0o2750),
        ("/run/baton/running", "baton", "baton-drivers", 0o3770),
        ("/run/baton/driver.sock", "baton", "baton-drivers", 0o660),
        ("/run/baton/driver.secret", "baton", "baton-drivers", 0o640),
        ("/etc/baton", "baton", "baton-drivers", 0o711),
        ("/etc/baton/node.key", "baton", "baton", 0o600),
        ("/etc/baton/drivers", "root", "baton-drivers", 0o750),
        ("/etc/baton/drivers/mail.json", "root", "baton-drivers", 0o640),
    ):
        file = node.file(path)
        assert (file.user, file.group, file.mode) == (owner, group, mode), path


def test_a_killed_daemon_stops_its_drivers_before_others_start(active, settled):
    began = boottime()
    host_of(active).check_output("systemctl kill -s KILL --kill-whom=main batond")
    until(lambda: starts_after(began), "it runs again")
    settled()
    (stopped, first, what), (started, _second, again) = [line for line in script_log() if line[0] >= began][:2]
    assert (first, what, again) == (active, "stop", "start") and stopped <= started


def test_what_is_frozen_is_killed_by_systemd_before_others_start(active, settled, watch):
    other, began = other_than(active), boottime()
    node = host_of(active)
    units = "baton-driver@nginx baton-driver@singleton batond"
    node.check_output(f"systemctl kill -s STOP --kill-whom=all {units}")
    until(lambda: watch.running() == {(service, other) for service in SERVICES}, f"{other} runs everything")
    assert not [line for line in script_log() if line[0] >= began and line[1] == active], "nothing frozen stopped by itself"
    for unit in ("baton-driver@nginx", "baton-driver@singleton"):
        assert "Watchdog timeout" in journal(active, unit)
    gone = watch.last_seen("singleton-work", active), watch.last_seen("nginx", active)
    (started, where), *_more = starts_after(began)
    assert where == other and max(gone) < started
    node.check_output("systemctl kill -s KILL --kill-whom=all batond")  # instead of waiting for its watchdog
    assert settled(120) == other


def test_the_active_host_goes_down_and_comes_back(active, settled, watch):
    other = other_than(active)
    subprocess.run(["podman", "kill", "--signal", "KILL", f"baton-drivers-{active}"], check=True, capture_output=True)
    until(lambda: watch.running() == {(service, other) for service in SERVICES}, f"{other} runs everything")
    subprocess.run(["podman", "start", f"baton-drivers-{active}"], check=True, capture_output=True)
    assert settled(120) == other


def test_a_planned_switch_stops_here_and_then_starts_there(active, settled, watch):
    other, began = other_than(active), boottime()
    playbook("switch")
    assert settled() == other
    lines = [line for line in script_log() if line[0] >= began]
    assert [(name, what) for _at, name, what in lines] == [(active, "stop"), (other, "start")]
    # The script's driver comes after nginx's, and its stop before.
    assert lines[0][0] <= nginx_stopped(active) and lines[1][0] + 0.01 >= nginx_started(other)
    answers = [who for at, who in watch.answers if at >= began and who]
    assert answers == sorted(answers, key=[active, other].index), "once the new one answers, the old one does no more"


def nginx_started(name):
    micros = int(host_of(name).check_output("systemctl show -P ActiveEnterTimestampMonotonic nginx"))
    return micros / 1e6 + time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


def nginx_stopped(name):
    """Return when systemd said so; of a unit that has stopped it keeps nothing else."""
    entries = host_of(name).check_output("journalctl -u nginx -o json --no-pager").splitlines()
    said = [entry for entry in map(json.loads, entries) if entry["MESSAGE"].startswith("Stopped nginx.service")]
    return int(said[-1]["__MONOTONIC_TIMESTAMP"]) / 1e6 + time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


def test_a_killed_driver_takes_its_service_with_it_and_starts_it_again(active, settled):
    began, epoch = boottime(), batonctl(active, "ha status")["epoch"]
    for unit in ("singleton", "nginx"):
        host_of(active).check_output(f"systemctl kill -s KILL --kill-whom=main baton-driver@{unit}")
    until(lambda: starts_after(began), "the script starts again")
    assert settled() == active
    assert batonctl(active, "ha status")["epoch"] == epoch, "nobody had to take over for it"


def test_a_killed_driver_whose_service_ignores_sigterm_is_no_reason_to_run_it_twice(active, settled, watch):
    other, began = other_than(active), boottime()
    kill = "systemctl kill -s KILL --kill-whom=main baton-driver@singleton"
    host_of(active).check_output(f"{kill} && {SETTINGS} batonctl ha switch --to {other}")
    assert settled() == other
    assert not [line for line in script_log() if line[0] >= began and line[1] == active], "nobody ran its stop: systemd killed it"
    (started, where), *_more = starts_after(began)
    assert where == other and watch.last_seen("singleton-work", active) < started


def test_a_driver_that_is_killed_while_it_stops_leaves_nothing_behind(active, settled):
    node = host_of(active)
    pid = node.check_output("pgrep -x singleton-work")
    # A stop that hangs, so that there is a moment in which to kill it.
    node.check_output("cp /usr/local/bin/singleton /root/singleton && printf '#!/bin/sh\\nsleep 60\\n' >/usr/local/bin/singleton")
    try:
        stop = "systemctl stop --no-block baton-driver@singleton; until pgrep -fx 'sleep 60' >/dev/null; do :; done"
        kill = "systemctl kill -s KILL --kill-whom=main baton-driver@singleton"
        # In the very moment in which the marker goes nothing of it may run.
        node.check_output(f"{stop}; {kill} && while test -e /run/baton/running/singleton; do :; done; ! test -e /proc/{pid}/exe")
    finally:
        node.check_output("cp /root/singleton /usr/local/bin/singleton && systemctl start baton-driver@singleton")
    assert settled() == active


@pytest.fixture
def break_nginx():
    """Return a function that makes nginx end on a node and not start again; all is well after the test."""
    broken = "/etc/nginx/conf.d/broken.conf"

    def do(name):
        host_of(name).check_output(f"echo broken >{broken} && systemctl kill -s KILL nginx")

    yield do
    for name in NODES:
        host_of(name).check_output(f"rm -f {broken}")


def test_what_fails_here_is_run_there_but_not_to_and_fro_for_ever(active, settled, break_nginx):
    other = other_than(active)
    break_nginx(active)
    assert settled() == other
    last = batonctl(other, "ha history")[-1]
    assert "driver nginx" in last["Reason"], last
    break_nginx(other)
    until(lambda: "no failover: 1 in 3600 s already" in journal(other, "batond"), "it gives up handing over")
    assert batonctl(other, "ha history")[-1] == last
    host_of(other).check_output("rm /etc/nginx/conf.d/broken.conf")
    assert settled(90) == other


def test_people_are_told_once_of_each_reign(active):
    told = mails()
    assert len(told) == len({epoch for epoch, _node in told}), told
    assert reigns.items() <= dict(told).items()
    history = {reign["Epoch"]: reign["Node"] for reign in batonctl(active, "ha history")}
    assert dict(told).items() <= history.items()


def test_every_service_was_seen_on_both_nodes(watch):
    assert watch.ever == {(service, name) for service in SERVICES for name in NODES}
    assert {who for _at, who in watch.answers} >= set(NODES)


def playbook(name, *options):
    """Run a playbook against the scenario's hosts; return what it printed."""
    environ = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "build/collections"), "ANSIBLE_FORCE_COLOR": "0"}
    line = [Path(sys.executable).parent / "ansible-playbook", "-i", PROJECT / "molecule/drivers/inventory.yml", *options]
    path = PROJECT / (f"{name}.yml" if "/" in name else f"playbooks/{name}.yml")
    done = subprocess.run([*line, path], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_playbook_changes_nothing_afterwards(active):
    said = playbook("molecule/drivers/drivers")
    assert said.count("changed=0") == said.count("changed="), said


def test_absent_removes_everything_and_nobody_takes_over_for_it(active, watch):
    epoch = batonctl(active, "ha status")["epoch"]
    playbook("molecule/drivers/remove")
    until(lambda: not watch.running(), "nothing runs")
    places = "/etc/systemd/system/{,*/}baton-driver* /etc/baton/drivers/* /run/baton/running/* /var/lib/{,private/}baton-driver*"
    for name in NODES:
        assert not host_of(name).run(f"bash -c 'ls -d {places} 2>/dev/null'").stdout
        assert not host_of(name).check_output("systemctl list-units --all --no-legend 'baton-driver@*'")
    said = playbook("molecule/drivers/remove", "-e", '{"drivers": ["nginx"]}')
    assert said.count("changed=0") == said.count("changed="), said
    assert batonctl(active, "drivers") == [] and batonctl(active, "ha status")["epoch"] == epoch
