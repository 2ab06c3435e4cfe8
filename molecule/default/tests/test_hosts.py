# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bootstrap.yml left on each host, and what the three do together."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
import testinfra

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
HOSTS = ("m1", "m2", "m3")
SETTINGS = "BATON_URL=https://127.0.0.1:8092 BATON_CA=/etc/baton/ca.pem BATON_TOKEN_FILE="
VIP = (PROJECT / "build/molecule/vip").read_text().partition("/")[0]


def host_of(name):
    return testinfra.get_host(f"podman://baton-molecule-{name}")


@pytest.fixture(params=HOSTS)
def node(request):
    return host_of(request.param)


def batonctl(host, arguments, token="/etc/baton/ha.token"):
    done = host.run(f"{SETTINGS}{token} batonctl -o json {arguments}")
    assert done.rc == 0 or (arguments == "ha status" and done.stdout), done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def until(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"in vain for {seconds} s: {what}"
        time.sleep(0.1)


def holders():
    return [name for name in HOSTS if f" {VIP}/" in host_of(name).check_output("ip -o address show")]


def test_service(node):
    service = node.service("batond")
    assert service.is_running and service.is_enabled
    names = ("Type", "User", "NoNewPrivileges", "ProtectSystem", "WatchdogUSec", "CapabilityBoundingSet")
    shown = node.check_output("systemctl show batond " + " ".join(f"-p {name}" for name in names))
    for line in ("Type=notify", "User=baton", "NoNewPrivileges=yes", "ProtectSystem=strict", "WatchdogUSec=20s"):
        assert line in shown.splitlines()
    assert "cap_net_admin cap_net_raw" in shown and "cap_sys_admin" not in shown


@pytest.mark.parametrize("unit, most", [("batond", 1.8), ("baton-agent", 1.2)])
def test_units_may_do_no_more_than_they_need(unit, most):
    host = host_of("m3")
    done = host.run(f"systemd-analyze security --no-pager --threshold={most * 10:.0f} {unit}.service")
    assert done.rc == 0, done.stdout
    shown = host.check_output(f"systemctl show {unit} -p MemoryMax -p TasksMax").splitlines()
    assert "MemoryMax=infinity" not in shown and "TasksMax=infinity" not in shown


@pytest.mark.parametrize("name", ["m1", "m3"])
def test_what_keeps_the_daemon_from_starting_may_last(name):
    """A certificate that is none, for more starts than systemd's limit allows; Debian 13 and 12."""
    host = host_of(name)
    host.check_output("cd /etc/baton && cp -p node.pem node.kept && echo none > node.pem && systemctl kill -s KILL batond")
    until(lambda: int(host.check_output("systemctl show batond -p NRestarts --value")) > 6, "more starts than systemd's limit", 90)
    host.check_output("mv /etc/baton/node.kept /etc/baton/node.pem")
    until(lambda: host.service("batond").is_running, "it is tried again")
    until(lambda: name in batonctl(host, "ha status")["in_sync"], "it has its place again")


def test_nobody_else_reads_secrets(node):
    for path, mode in (("/etc/baton", 0o711), ("/var/lib/baton", 0o700), ("/etc/baton/ha.token", 0o600), ("/etc/baton/node.key", 0o600)):
        file = node.file(path)
        assert (file.user, file.mode) == ("baton", mode), path
    token = node.file("/etc/baton/ha.token").content_string.strip()
    assert token not in node.check_output("ps axww -o args")
    assert token not in node.check_output("journalctl -u batond --no-pager")
    assert token not in node.file("/etc/systemd/system/batond.service.d/20-ha.conf").content_string


def test_batonctl_needs_no_options_for_root_and_the_group_of_the_daemon(node):
    node.run("useradd --groups baton alice; useradd stranger")
    for user in ("root", "alice"):
        for verb in ("ha status", "profiles list"):
            done = node.run(f"env -i PATH=/usr/bin:/bin HOME=/tmp setpriv --reuid={user} --regid={user} --init-groups batonctl {verb}")
            assert done.rc == 0, (user, verb, done.stderr)
    done = node.run("env -i PATH=/usr/bin:/bin HOME=/tmp setpriv --reuid=stranger --regid=stranger --init-groups batonctl ha status")
    assert done.rc != 0 and "be root or in the group that may read it" in done.stderr
    for path in ("ha.token", "node.key", "admin.token", "config.ini"):
        assert node.run(f"setpriv --reuid=stranger --regid=stranger --init-groups cat /etc/baton/{path}").rc != 0, path


def test_plain_http_and_strangers_are_refused(node):
    assert node.run("curl -s -m 5 http://127.0.0.1:8092/active").rc != 0
    answer = node.run("curl -s -m 5 --cacert /etc/baton/ca.pem https://127.0.0.1:8092/api/v3/profiles")
    assert json.loads(answer.stdout)["status"] == 401


def test_one_cluster_all_in_sync():
    seen = [batonctl(host_of(name), "ha status") for name in HOSTS]
    assert {tuple(sorted(status["in_sync"])) for status in seen} == {HOSTS}
    assert len({status["cluster_id"] for status in seen}) == 1
    assert len({status["active"] for status in seen}) == 1


def test_the_vip_is_on_the_active_alone():
    active = batonctl(host_of("m1"), "ha status")["active"]
    until(lambda: holders() == [active], "one holder")
    address = host_of(active).check_output(f"ip -o address show to {VIP}")
    assert "valid_lft forever" not in address


def test_a_switch_moves_role_vip_and_data():
    first = batonctl(host_of("m1"), "ha status")["active"]
    token = "/var/lib/baton/admin.token"
    creator = next(name for name in HOSTS if host_of(name).file(token).exists)
    batonctl(host_of(creator), "profiles create scenario", token)
    batonctl(host_of(creator), "profiles add scenario param written/before switch", token)
    target = next(name for name in HOSTS if name != first)
    inventory, playbook = PROJECT / "molecule/default/inventory.yml", PROJECT / "playbooks/switch.yml"
    command = ["ansible-playbook", "-i", str(inventory), str(playbook), "-e", f"baton_to={target}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stdout[-2000:]
    until(lambda: holders() == [target], f"{target} holds the VIP alone")
    assert batonctl(host_of(creator), "profiles get scenario param written/before", token) == "switch"
    for name in HOSTS:
        entries = host_of(name).check_output("journalctl -u batond --no-pager")
        assert "Stream switch to realtime streaming" in entries or name == first


def test_what_is_tied_to_a_machine_goes_when_its_agent_falls_silent():
    """An election bound to the lease that a machine's agent keeps alive; the agent is killed and does not come back."""
    node, token = host_of("m1"), "/var/lib/baton/admin.token"
    creator = host_of(next(name for name in HOSTS if host_of(name).file(token).exists))
    assert host_of("m3").check_output("systemctl show baton-agent -p User") == "User=baton-agent"
    until(lambda: "machine:m3" in {lease["Id"] for lease in batonctl(creator, "leases list", token)}, "the agent keeps its lease")
    ask = json.dumps({"Param": "my/leader", "Candidate": "m3", "Lease": "machine:m3"})
    url = "https://127.0.0.1:8092/api/v3/profiles/agents/elect"
    curl = f"curl -s -m 20 --location-trusted --cacert /etc/baton/ca.pem -H \"Authorization: Bearer $(cat {token})\" {url} -d '{ask}'"
    assert json.loads(creator.check_output(curl))["Elected"], "m3 leads"
    host_of("m3").check_output("systemctl kill -s KILL baton-agent && systemctl stop baton-agent")
    assert batonctl(creator, "profiles wait agents param my/leader equals none --wait-timeout 30", token) == "none"
    secret = host_of("m3").file("/etc/baton-agent/token")
    assert (secret.user, secret.mode) == ("baton-agent", 0o400)
    assert secret.content_string.strip() not in node.check_output("ps axww -o args")
