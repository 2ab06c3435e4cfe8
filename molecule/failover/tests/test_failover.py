# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes and a witness under systemd: the active's daemon is killed, then its whole host; another takes over each time."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import testinfra

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
NODES = ("f1", "f2")
SETTINGS = "BATON_URL=https://127.0.0.1:8092 BATON_CA=/etc/baton/ca.pem BATON_TOKEN_FILE=/etc/baton/ha.token"
ETCDCTL = (
    "ETCDCTL_API=3 ETCDCTL_CACERT=/etc/etcd/baton/ca.pem ETCDCTL_CERT=/etc/etcd/baton/node.pem ETCDCTL_KEY=/etc/etcd/baton/node.key "
    "ETCDCTL_ENDPOINTS=https://127.0.0.1:2379 etcdctl -w json"
)
VIP = (PROJECT / "build/failover/vip").read_text().partition("/")[0]


def host_of(name):
    return testinfra.get_host(f"podman://baton-failover-{name}")


def batonctl(name, arguments):
    done = host_of(name).run(f"{SETTINGS} batonctl -o json {arguments}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            journals = "\n".join(host_of(name).run("journalctl -u batond -n 25 --no-pager").stdout for name in NODES)
            raise AssertionError(f"in vain for {seconds} s: {what}\n{journals}")
        time.sleep(0.1)


def holds(name):
    return f" {VIP}/" in host_of(name).run("ip -o address show").stdout


def settled():
    """Return the active, once it serves, has the VIP alone, and both are in sync."""
    status = next((found for found in (batonctl(name, "ha status") for name in NODES) if found.get("serving")), {})
    if sorted(status.get("in_sync", [])) != list(NODES) or [name for name in NODES if holds(name)] != [status.get("active")]:
        return None
    return status["active"]


@pytest.fixture
def active():
    return until(settled, "one serves and both are in sync")


def other_than(name):
    return next(node for node in NODES if node != name)


def test_etcd_has_a_witness_and_is_not_written_to(active):
    members = json.loads(host_of("w1").check_output(f"{ETCDCTL} member list"))["members"]
    assert sorted(member["name"] for member in members) == ["f1", "f2", "w1"]
    revision = json.loads(host_of("w1").check_output(f"{ETCDCTL} get /x"))["header"]["revision"]
    committed = batonctl(active, "ha status")["commit"]
    token = (PROJECT / "build/failover/admin.token").read_text().strip()
    made = host_of(active).run(f"{SETTINGS} BATON_TOKEN_FILE= BATON_TOKEN={token} batonctl profiles create idle")
    assert made.rc == 0, made.stderr
    until(lambda: batonctl(active, "ha status")["commit"] > committed, "a write commits")
    assert json.loads(host_of("w1").check_output(f"{ETCDCTL} get /x"))["header"]["revision"] == revision


@pytest.mark.parametrize("whom", ["main", "all"])  # all: its guard, too, so that ExecStopPost has to clean up
def test_the_active_daemon_is_killed(active, whom):
    other = other_than(active)
    host_of(active).check_output(f"systemctl kill -s KILL --kill-whom={whom} batond")
    until(lambda: batonctl(other, "ha status").get("serving") or settled(), "somebody serves")
    taken = until(settled, "both are back and in sync")
    reasons = [reign["Reason"] for reign in batonctl(taken, "ha history")]
    assert reasons[-1] in (f"{active} ended", "restarted"), reasons


def test_a_frozen_daemon_is_followed_and_systemd_starts_it_anew(active):
    other = other_than(active)
    host_of(active).check_output("systemctl kill -s STOP --kill-whom=main batond")
    until(lambda: batonctl(other, "ha status").get("serving") and holds(other), f"{other} serves")
    assert until(settled, f"{active} is back and in sync", 120) == other
    assert "Watchdog timeout" in host_of(active).check_output("journalctl -u batond --no-pager")


def test_the_active_host_goes_down_and_comes_back(active):
    other = other_than(active)
    subprocess.run(["podman", "kill", "--signal", "KILL", f"baton-failover-{active}"], check=True, capture_output=True)
    until(lambda: batonctl(other, "ha status").get("serving") and holds(other), f"{other} serves")
    assert batonctl(other, "ha history")[-1]["Reason"].startswith(f"{active} was silent")
    subprocess.run(["podman", "start", f"baton-failover-{active}"], check=True, capture_output=True)
    assert until(settled, f"{active} is back and in sync", 120) == other


def test_a_stop_hands_over_first(active):
    host_of(active).check_output("systemctl stop batond")
    other = other_than(active)
    until(lambda: batonctl(other, "ha status").get("serving") and holds(other), f"{other} serves")
    assert batonctl(other, "ha history")[-1]["Reason"] == f"handed over by {active}: batond was stopped"
    host_of(active).check_output("systemctl start batond")
    assert until(settled, "both in sync") == other


def playbook(name, *options):
    """Run one of the collection's playbooks against the scenario's hosts; return what it printed."""
    environ = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "build/collections"), "ANSIBLE_FORCE_COLOR": "0"}
    line = [Path(sys.executable).parent / "ansible-playbook", "-i", PROJECT / "molecule/failover/inventory.yml", *options]
    done = subprocess.run([*line, PROJECT / f"playbooks/{name}.yml"], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_revoked_certificate_is_refused_by_nodes_and_etcd(active):
    other = other_than(active)
    status = batonctl(active, "ha status")
    address = status["active_url"].rpartition(":")[0]
    host_of(other).check_output("mkdir -m 0700 /root/stolen && cp /etc/baton/*.pem /etc/baton/node.key /root/stolen/")
    with_stolen = (
        "curl -sS -o /dev/null -w %{http_code} --cacert /etc/baton/ca.pem --cert /root/stolen/node.pem --key /root/stolen/node.key"
    )
    targets = [f"{address}:{port}/health" for port in (8092, 2379)]
    for url in targets:
        allowed = host_of(other).run(f"{with_stolen} {url}")
        assert allowed.stdout == "200", allowed.stderr
    playbook("revoke", "-e", f"baton_revoke={other}")
    until(settled, "both in sync, with a new certificate")
    for url in targets:
        refused = host_of(other).run(f"{with_stolen} {url}")
        assert refused.rc != 0 and refused.stdout == "000", "no answer at all, however curl calls that"
        allowed = host_of(other).run(f"{with_stolen.replace('/root/stolen', '/etc/baton')} {url}")
        assert allowed.stdout == "200", allowed.stderr
    assert batonctl(active, "ha status")["epoch"] == status["epoch"], "nobody had to take over for it"


def test_the_tokens_are_renewed_and_the_old_ones_are_worthless(active):
    pids = {name: host_of(name).check_output("systemctl show -P MainPID batond") for name in NODES}
    old = {name: (PROJECT / f"build/failover/{name}.token").read_text().strip() for name in ("ha", "admin")}
    said = playbook("renew_tokens")
    new = {name: (PROJECT / f"build/failover/{name}.token").read_text().strip() for name in ("ha", "admin")}
    assert not any(secret in said for secret in (*old.values(), *new.values()))
    ask = {"ha": "ha status", "admin": "profiles list"}
    for name, verb in ask.items():
        assert host_of(active).run(f"{SETTINGS} BATON_TOKEN_FILE= BATON_TOKEN={new[name]} batonctl {verb}").rc == 0
        refused = host_of(active).run(f"{SETTINGS} BATON_TOKEN_FILE= BATON_TOKEN={old[name]} batonctl {verb}")
        assert refused.rc == {"ha": 4, "admin": 1}[name] and "unknown, expired or revoked" in refused.stderr
    assert {name: host_of(name).check_output("systemctl show -P MainPID batond") for name in NODES} == pids, "nothing was restarted"
    assert until(settled, "both in sync") == active


def test_the_playbooks_change_nothing_afterwards(active):
    for name in ("etcd", "bootstrap"):
        said = playbook(name)
        assert said.count("changed=0") == said.count("changed="), said
