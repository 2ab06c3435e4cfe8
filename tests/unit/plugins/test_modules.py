# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules through real ansible-playbook: as action plugins on the controller, and as modules on a host."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from baton.client.error import ClientError
from baton.tasks import vip_info
from support.cluster import ROOT, Cluster, until
from support.plays import COMMANDS

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("modules"), 1, "local") as cluster:
        yield cluster


def ansible(command, *arguments, environ=None):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_"))}
    environ = {**inherited, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **(environ or {})}
    program = [str(COMMANDS / command), "-c", "local", *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, env=environ, cwd=ROOT, timeout=120, check=False)


@pytest.mark.parametrize("play", ["modules.yml", "coordination.yml"])
def test_what_the_modules_promise(cluster, play):
    inventory = ",".join(f"host-{number}" for number in range(20)) + ","
    values = {"url": cluster.n1.url, "token_file": str(cluster.n1.data / "admin.token"), "ansible_python_interpreter": sys.executable}
    done = ansible("ansible-playbook", "-i", inventory, "-f", 20, HERE / play, "-e", json.dumps(values))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_a_lock_under_two_controllers_at_once(cluster, tmp_path):
    room = tmp_path / "room"
    room.mkdir()
    values = {"url": cluster.n1.url, "token_file": str(cluster.n1.data / "admin.token"), "ansible_python_interpreter": sys.executable}
    done = []

    def play(name):
        inventory = ",".join(f"{name}-{number}" for number in range(5)) + ","
        options = json.dumps({**values, "room": str(room)})
        done.append(ansible("ansible-playbook", "-i", inventory, "-f", 5, HERE / "locks.yml", "-e", options))

    controllers = [threading.Thread(target=play, args=(name,)) for name in ("one", "two")]
    for controller in controllers:
        controller.start()
    for controller in controllers:
        controller.join()
    for result in done:
        assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    seen = [int(line) for line in (tmp_path / "room.seen").read_text().split()]
    assert len(seen) == 10 and set(seen) <= {1, 2}
    assert cluster.call(cluster.n1, "GET", "/locks").json() == []
    until(lambda: cluster.call(cluster.n1, "GET", "/leases").json() == [], "the leases of the two runs end with them")


def test_fifty_hosts_two_at_a_time_under_two_controllers(cluster, tmp_path):
    """The playbook baton.ha.throttled around tasks that count who is inside; more hosts wait than there are forks."""
    room = tmp_path / "room"
    room.mkdir()
    inside, seen = f"{room}/{{{{ inventory_hostname }}}}", f"{tmp_path}/seen"
    count = f"ls {room} | wc -l >> {seen}"
    tasks = [
        {"name": "In", "ansible.builtin.raw": f"touch {inside}; {count}; {count}", "changed_when": False},
        {"name": "Out", "ansible.builtin.raw": f"rm {inside}", "changed_when": False},
    ]
    (tmp_path / "update.yml").write_text(json.dumps(tasks))
    connection = {"BATON_URL": cluster.n1.url, "BATON_TOKEN_FILE": str(cluster.n1.data / "admin.token")}
    done = []

    def play(name):
        inventory = ",".join(f"{name}-{number}" for number in range(25)) + ","
        values = json.dumps({"baton_tasks": str(tmp_path / "update.yml"), "ansible_python_interpreter": sys.executable})
        book = ROOT / "playbooks/throttled.yml"
        done.append(ansible("ansible-playbook", "-i", inventory, "-f", 5, book, "-e", values, environ=connection))

    controllers = [threading.Thread(target=play, args=(name,)) for name in ("one", "two")]
    for controller in controllers:
        controller.start()
    for controller in controllers:
        controller.join()
    for result in done:
        assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    counts = [int(line) for line in (tmp_path / "seen").read_text().split()]
    assert len(counts) == 100 and set(counts) == {1, 2}, counts
    assert cluster.call(cluster.n1, "GET", "/locks").json() == []


@pytest.mark.parametrize(
    ("module", "arguments", "expected"),
    [
        ("profile", "name=direct", {"changed": True}),
        ("profile_info", "name=direct", {"changed": False}),
        ("leader_election", "profile=direct candidate=me", {"is_leader": True}),
        ("compare_and_patch", "name=direct param=my/leader expect=me value=you", {"won": True}),
        ("lock", "name=direct owner=me", {"held": True}),
        ("node_info", "", {"changed": False}),
        ("lease", "id=direct ttl=1h", {"changed": True}),
        ("machine", "name=direct icon=ship", {"changed": True}),
        ("barrier", "name=direct count=1", {"outcome": "opened"}),
        ("wait_for", "name=direct", {"changed": False, "escaped": None}),
        ("token", "profile=direct ttl=1h", {"changed": True}),
    ],
)
def test_the_module_itself_does_the_same(cluster, module, arguments, expected):
    """Without its action plugin, as a fallback would run it: the file is run with its arguments as JSON on standard input."""
    options = dict(item.split("=") for item in arguments.split())
    options.update(url=[cluster.n1.url], token_file=str(cluster.n1.data / "admin.token"))
    path = ROOT / "build/collections"
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.baton.ha.plugins.modules.{module}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": options}), capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(path)},
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert {name: result.get(name) for name in expected} == expected, done.stdout + done.stderr


def show(*interfaces):
    return json.dumps([{"ifname": name, "addr_info": list(addresses)} for name, *addresses in interfaces])


def test_vip_info_sees_what_others_miss():
    """Secondary addresses, IPv6, names with dashes and VLAN parents, and whether the address is a host's own."""
    output = show(
        ("br-lan.10@eth0", {"local": "192.0.2.1", "prefixlen": 24}, {"local": "192.0.2.10", "prefixlen": 24, "secondary": True}),
        ("eth0-x", {"local": "2001:db8::10", "prefixlen": 128, "valid_life_time": 2}),
    )
    held = vip_info.evaluate({"vip": ["192.0.2.10/24"], "interface": None}, output)
    assert (held["held"], held["interface"], held["mode"]) == (True, "br-lan.10", "floating")
    assert vip_info.evaluate({"vip": ["192.0.2.1"], "interface": None}, output)["mode"] == "fixed"
    assert vip_info.evaluate({"vip": ["2001:0DB8:0::10"], "interface": None}, output)["interface"] == "eth0-x"
    assert not vip_info.evaluate({"vip": ["192.0.2.10"], "interface": "eth0-x"}, output)["held"]
    both = vip_info.evaluate({"vip": ["192.0.2.10/24", "2001:db8::10/64@eth0-x"], "interface": None}, output)
    assert (both["held"], both["vip"], both["interface"]) == (True, "192.0.2.10, 2001:db8::10", "br-lan.10")
    assert not vip_info.evaluate({"vip": ["192.0.2.10", "192.0.2.11"], "interface": None}, output)["held"]
    with pytest.raises(ClientError):
        vip_info.evaluate({"vip": ["192.0.2.10"], "interface": None}, "not json")
