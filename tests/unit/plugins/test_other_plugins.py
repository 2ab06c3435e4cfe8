# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup, inventory and callback through the real commands of ansible-core, with a real daemon of one node."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baton.client.api import connect
from support.cluster import ROOT, Cluster, free_port
from support.plays import COMMANDS

HERE = Path(__file__).resolve().parent
# Another ansible-core than the project's, for those who want to try one: the folder with its commands.
PROGRESS = {"ANSIBLE_CALLBACKS_ENABLED": "baton.ha.progress"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("plugins"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    """A client of an empty cluster."""
    with connect({"url": cluster.n1.url, "token": cluster.token}, {}) as client:
        for kind, identity in (("profiles", "Name"), ("machines", "Uuid"), ("params", "Name")):
            for document in client.list(kind):
                client.delete(kind, document[identity])
        yield client


def environ_of(cluster, **more):
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_", "ANSIBLE_"))}
    environ.update(ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1", ANSIBLE_LOCALHOST_WARNING="0", COLUMNS="1000")
    environ.update(BATON_URL=cluster.n1.url, BATON_TOKEN_FILE=str(cluster.n1.data / "admin.token"))
    environ.update(more)
    return {name: value for name, value in environ.items() if value is not None}


def start(cluster, command, *arguments, **environ):
    program = [str(COMMANDS / command), *map(str, arguments)]
    return subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ_of(cluster, **environ), cwd=ROOT
    )


def ansible(cluster, command, *arguments, **environ):
    """Run a command to its end; return it with ``stdout`` as text, and ``stderr`` in one line since some versions fold it."""
    process = start(cluster, command, *arguments, **environ)
    process.stdout, said = process.communicate(timeout=300)
    process.stderr = " ".join(said.split())
    return process


def played(cluster, folder, hosts, *tasks, options=(), inventory="", environ=None, **play):
    """Run a play of ``tasks`` on ``hosts``, with the callback unless ``environ`` is given; ``inventory``: lines of an INI file."""
    environ = PROGRESS if environ is None else environ
    return ansible(cluster, "ansible-playbook", *written(folder, hosts, tasks, inventory, play), *options, **environ)


def written(folder, hosts, tasks, inventory="", play=None):
    """Write playbook and inventory, and return the arguments that name them."""
    plays = [{"name": "The play", "hosts": "all", "gather_facts": False, "tasks": list(tasks), **(play or {})}]
    (folder / "play.yml").write_text(json.dumps(plays))
    (folder / "hosts.ini").write_text(f"{inventory or chr(10).join(hosts)}\n[all:vars]\nansible_connection=local\n")
    return ["-i", folder / "hosts.ini", folder / "play.yml", "-e", f"ansible_python_interpreter={sys.executable}"]


def machine(client, name, **more):
    return client.create("machines", {"Name": name, **more}).body["Uuid"]


def state_of(client, uuid):
    """Return what the callback writes: icon, color and the state."""
    body = client.get("machines", uuid).body
    return body["Meta"].get("icon"), body["Meta"].get("color"), body["Params"].get("baton/progress", {}).get("state")


def blocks_of(kind):
    """Return the code blocks of docs/guides/plugins.md in one language."""
    return re.findall(rf"```{kind}\n(.*?)```", (ROOT / "docs/guides/plugins.md").read_text(), re.S)


# --- the lookup -----------------------------------------------------------------------------------------------------------


def test_the_lookup_returns_what_stands_there(cluster, client, tmp_path):
    client.create("profiles", {"Name": "web", "Params": {"app/version": "2.1", "list": [1, {"a": None}], "zero": 0, "evil": "{{ 6 * 7 }}"}})
    client.create("params", {"Name": "with/default", "Schema": {"default": 5}})
    uuid = machine(client, "web-1", Params={"rack": "r1"})
    address = {"baton_url": "{{ 'http://127' }}.0.0.1:" + str(cluster.n1.port), "baton_token_file": str(cluster.n1.data / "admin.token")}
    checks = [
        "lookup('baton.ha.param', 'app/version', profile='web') == '2.1'",
        "query('baton.ha.param', 'list', 'zero', profile='web') == [[1, {'a': none}], 0]",
        "lookup('baton.ha.param', 'evil', profile='web') == '{' ~ '{ 6 * 7 }' ~ '}'",
        "lookup('baton.ha.param', 'with/default', profile='web', default=6) == 5",
        "lookup('baton.ha.param', 'absent', profile='web', default=6) == 6",
        "lookup('baton.ha.param', 'absent', profile='web', default=none) is none",
        f"lookup('baton.ha.param', 'rack', machine='{uuid}') == 'r1'",
        "lookup('baton.ha.param', 'rack', machine='Name:' ~ inventory_hostname) == 'r1'",
    ]
    check = {"ansible.builtin.assert": {"that": checks}}
    for variables, environ in (({}, {}), (address, {"BATON_URL": None, "BATON_TOKEN_FILE": None, "BATON_TOKEN": "not-this-one"})):
        done = played(cluster, tmp_path, ["web-1"], check, environ=environ, vars=variables)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_token_file_at_hand_overrides_tokens_from_elsewhere(cluster, client, tmp_path):
    client.create("profiles", {"Name": "web", "Params": {"a": 1}})
    (tmp_path / "token").write_text(cluster.token)
    found = f"lookup('baton.ha.param', 'a', profile='web', token_file='{tmp_path}/token') == 1"
    check = {"ansible.builtin.assert": {"that": [found]}}
    done = played(cluster, tmp_path, ["web-1"], check, environ={"BATON_TOKEN": "wrong"}, vars={"baton_token": "wrong"})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'absent', profile='web'", "param 'absent' is not set on profile 'web'"),
        ("'a', profile='wep', default=1", "there is no profile 'wep'"),
        ("'a', machine='Name:nobody'", "no machine is named 'nobody'"),
        ("'a', machine='Name:twin'", "2 machines are named 'twin'; give a Uuid"),
        ("'a'", "either profile or machine is needed"),
        ("'a', profile='web', machine='web'", "either profile or machine is needed"),
        ("'a', profile='web', token='no'", "check BATON_TOKEN or the token file"),
        ("'a', profile='web', url='http://127.0.0.1:1', timeout=0.1", "no connection within 0.1 s"),
    ],
)
def test_the_lookup_fails_in_one_line(cluster, client, arguments, message):
    client.create("profiles", {"Name": "web"})
    machine(client, "twin"), machine(client, "twin")
    expression = "{{ lookup('baton.ha.param', " + arguments + ") }}"
    done = ansible(cluster, "ansible", "localhost", "-m", "ansible.builtin.debug", "-a", json.dumps({"msg": expression}))
    assert done.returncode == 2
    assert message in done.stdout + done.stderr and "Traceback" not in done.stdout + done.stderr


def test_the_play_of_the_documentation(cluster, client, tmp_path):
    client.create("profiles", {"Name": "web", "Params": {"app/version": "2.1"}})
    machine(client, "web-1", Params={"rack": "r1"})
    machine(client, "web-2")
    (tmp_path / "play.yml").write_text(blocks_of("yaml")[0])
    done = ansible(cluster, "ansible-playbook", "-i", "web-1,web-2,", tmp_path / "play.yml")
    assert done.returncode == 0 and "2.1 in r1" in done.stdout and "2.1 in no rack" in done.stdout, done.stdout + done.stderr


# --- the inventory --------------------------------------------------------------------------------------------------------


def inventory_of(cluster, path, **environ):
    done = ansible(cluster, "ansible-inventory", "-i", path, "--list", **environ)
    assert done.returncode == 0 and "[ERROR]" not in done.stderr, done.stderr
    found = json.loads(done.stdout, object_hook=lambda value: value.get("__ansible_unsafe", value))
    groups = {name: set(group.get("hosts", [])) for name, group in found.items() if name not in ("_meta", "all")}
    return found["_meta"]["hostvars"], groups, done.stderr


def test_machines_are_hosts(cluster, client, tmp_path):
    web = {
        "Address": "192.0.2.1",
        "Profiles": ["web", "db.main"],
        "Meta": {"role": "edge", "icon": "spinner", "color": "blue"},
        "Params": {"role": ["front", "back"], "rack": "r1", "memory": 128, "evil": "{{ 6 * 7 }}"},
    }
    uuid = machine(client, "web-1", **web)
    machine(client, "n1", Address="-oProxyCommand=evil", Meta=None, Params={"memory": 1})
    by_uuid = {machine(client, "twin"), machine(client, "twin"), machine(client, "{{ 6 * 7 }}"), machine(client, "")}
    (tmp_path / "baton.yml").write_text("""
        plugin: baton.ha.machines
        token_file: "{{ lookup('env', 'THE_FOLDER') }}/admin.token"
        strict: true
        compose: {place: baton_params.rack | default('') ~ '-a'}
        groups: {large: baton_params.memory | default(0) > 64}
        keyed_groups: [{prefix: rack, key: baton_params.rack | default('none')}]
    """)
    environ = {"THE_FOLDER": str(cluster.n1.data), "BATON_TOKEN_FILE": None, "BATON_TOKEN": "not-this-one"}
    variables, groups, said = inventory_of(cluster, tmp_path / "baton.yml", **environ)
    assert set(variables) == {"web-1", "n1", *by_uuid}
    assert variables["web-1"] == {
        "baton_uuid": uuid, "baton_meta": web["Meta"], "baton_params": web["Params"], "baton_profiles": web["Profiles"],
        "ansible_host": "192.0.2.1", "place": "r1-a",
    }  # fmt: skip
    assert variables["n1"] == {**variables["n1"], "baton_meta": {}, "baton_profiles": []} and "ansible_host" not in variables["n1"]
    of_web = {"profile_web", "profile_db_main", "role_edge", "role_front", "role_back", "meta_icon_spinner", "meta_color_blue", "large"}
    assert {name for name, hosts in groups.items() if hosts == {"web-1"}} == {*of_web, "rack_r1"}
    assert groups["baton_active"] == {"n1"} == groups["baton_in_sync"] and not groups.get("baton_passive")
    assert groups["rack_none"] == {"n1", *by_uuid}
    assert "2 machines are named 'twin'" in said
    done = ansible(cluster, "ansible", "-i", tmp_path / "baton.yml", "web-1", "-m", "debug", "-a", "msg={{ baton_params.evil }}", **environ)
    assert "{{ 6 * 7 }}" in done.stdout, done.stdout + done.stderr


def test_a_cache_spares_the_machines_but_not_the_state(cluster, client, tmp_path):
    machine(client, "n1")
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    (tmp_path / "baton.yaml").write_text(json.dumps({"plugin": "baton.ha.machines", **cache}))
    hosts, groups, _said = inventory_of(cluster, tmp_path / "baton.yaml")
    assert set(hosts) == {"n1"}
    machine(client, "web-1")
    hosts, groups, _said = inventory_of(cluster, tmp_path / "baton.yaml")
    assert set(hosts) == {"n1"} and groups["baton_active"] == {"n1"}
    (tmp_path / "play.yml").write_text("[{hosts: all}]")
    ansible(cluster, "ansible-playbook", "-i", tmp_path / "baton.yaml", tmp_path / "play.yml", "--list-hosts", "--flush-cache")
    hosts, groups, _said = inventory_of(cluster, tmp_path / "baton.yaml")
    assert set(hosts) == {"n1", "web-1"}


def test_the_inventory_says_in_one_line_what_is_wrong(cluster, client, tmp_path):
    (tmp_path / "baton.yml").write_text("plugin: baton.ha.machines\ntoken: wrong\n")
    done = ansible(cluster, "ansible-inventory", "-i", tmp_path / "baton.yml", "--list", ANSIBLE_INVENTORY_UNPARSED_FAILED="1")
    assert done.returncode != 0 and "check BATON_TOKEN or the token file" in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "other.yml").write_text("plugin: baton.ha.machines\n")
    done = ansible(cluster, "ansible-inventory", "-i", tmp_path / "other.yml", "--list", ANSIBLE_INVENTORY_UNPARSED_FAILED="1")
    assert done.returncode != 0


def test_the_inventory_of_the_documentation(cluster, client, tmp_path):
    machine(client, "web-1", Params={"rack": "r1"})
    text = blocks_of("yaml")[1].replace("https://192.0.2.10:8092", cluster.n1.url).replace("ca: .baton/ca.pem\n", "")
    (tmp_path / "baton.yml").write_text(text)
    _hosts, groups, _said = inventory_of(cluster, tmp_path / "baton.yml")
    assert groups["rack_r1"] == {"web-1"}


# --- the callback ---------------------------------------------------------------------------------------------------------


def test_hosts_show_how_they_ended(cluster, client, tmp_path):
    names = ["fine", "failing", "rescued", "ignoring", "gone"]
    uuids = {name: machine(client, name, Meta={"icon": "old", "mine": 1}, Params={"mine": 2}) for name in names}
    inventory = "fine\nfailing\nrescued\nignoring\nnobody\ngone ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh\n"
    fail = {"ansible.builtin.fail": {}}
    done = played(
        cluster, tmp_path, (),
        {"name": "Reach {{ inventory_hostname }}", "ansible.builtin.raw": "true"},
        {"block": [{**fail, "when": "inventory_hostname == 'rescued'"}], "rescue": [{"ansible.builtin.debug": {}}]},
        {**fail, "when": "inventory_hostname == 'ignoring'", "ignore_errors": True},
        {"block": [{"name": "Break", **fail, "when": "inventory_hostname == 'failing'"}], "always": [{"ansible.builtin.debug": {}}]},
        inventory=inventory,
    )  # fmt: skip
    assert done.returncode in (2, 4, 6), done.stdout + done.stderr
    assert "baton.ha.progress" not in done.stderr
    assert {name: state_of(client, uuid) for name, uuid in uuids.items()} == {
        "fine": ("check", "green", "ok"),
        "failing": ("x", "red", "failed"),
        "rescued": ("check", "green", "ok"),
        "ignoring": ("check", "green", "ok"),
        "gone": ("plug", "orange", "unreachable"),
    }
    body = client.get("machines", uuids["fine"]).body
    assert body["Meta"]["mine"] == 1 and body["Params"]["mine"] == 2
    for name, uuid in uuids.items():
        progress = client.get("machines", uuid).body["Params"]["baton/progress"]
        recap = "ok={ok} +changed={changed} .* failed={failed} ".format(**progress)
        assert re.search(rf"^{name} .*{recap}", done.stdout, re.M) and progress["play"] == "The play", done.stdout


class Gate:
    """A task that runs until the test lets it go on: it reads from a named pipe."""

    def __init__(self, folder, name):
        self.path = folder / name
        os.mkfifo(self.path)
        self.task = {"name": f"Wait at {name}", "ansible.builtin.raw": f"cat {self.path}"}

    def open(self):
        self.path.write_text("")


def until(client, uuid, **wanted):
    """Wait, without polling, until the progress of a machine has these members; return the document."""
    while True:
        body = client.get("machines", uuid).body
        now = body["Params"].get("baton/progress")
        if now and {**now, **wanted} == now:
            return body
        client.wait("machines", uuid, "baton/progress", "differs" if now else "exists", now, timeout=60)


def test_watchers_see_it_run_and_other_writers_are_left_alone(cluster, client, tmp_path):
    uuid = machine(client, "web-1")
    first, second = Gate(tmp_path, "one"), Gate(tmp_path, "two")
    (tmp_path / "ansible.cfg").write_text(blocks_of("ini")[0])
    environ = {"ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build/collections")}
    process = start(cluster, "ansible-playbook", *written(tmp_path, ["web-1"], [first.task, second.task]), **environ)
    try:
        body = until(client, uuid, task="Wait at one")
        assert body["Meta"] == {"icon": "hourglass", "color": "yellow"}
        running = {"play": "The play", "task": "Wait at one", "state": "running", "ok": 0, "changed": 0, "failed": 0}
        assert body["Params"]["baton/progress"] == running
        client.patch("machines", uuid, [{"op": "add", "path": "/Meta/icon", "value": "mine"}])
        first.open()
        body = until(client, uuid, task="Wait at two")
        assert body["Meta"]["icon"] == "mine"
        assert body["Params"]["baton/progress"] == {**running, "task": "Wait at two", "ok": 1, "changed": 1}
        second.open()
        said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert state_of(client, uuid) == ("check", "green", "ok")


def test_an_interrupted_run_leaves_nobody_running(cluster, client, tmp_path):
    uuid = machine(client, "web-1")
    gate = Gate(tmp_path, "gate")
    process = start(cluster, "ansible-playbook", *written(tmp_path, ["web-1"], [gate.task]), **PROGRESS)
    try:
        until(client, uuid, task="Wait at gate")
        with gate.path.open("w"):  # which waits for the task: a signal while ansible forks would be lost
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert state_of(client, uuid) == ("x", "red", "failed"), said


def test_many_tasks_are_few_writes(cluster, client, tmp_path):
    machine(client, "web-1")
    before, began = cluster.n1.status()["seq"], time.monotonic()
    done = played(cluster, tmp_path, ["web-1"], *({"ansible.builtin.debug": {"msg": str(number)}} for number in range(100)))
    assert done.returncode == 0, done.stderr
    writes, rounds = cluster.n1.status()["seq"] - before, time.monotonic() - began
    assert 1 < writes <= rounds + 2  # one at the start and one at the end, and one a second between


def test_check_mode_and_later_plays(cluster, client, tmp_path):
    """Nothing is written in check mode; a host whose play is over is done while others play."""
    one, two = machine(client, "one"), machine(client, "two")
    done = played(cluster, tmp_path, ["one", "two"], {"ansible.builtin.debug": {}}, options=["--check"])
    assert done.returncode == 0 and state_of(client, one) == (None, None, None)
    gate = Gate(tmp_path, "gate")
    arguments = written(tmp_path, ["one", "two"], [{**gate.task, "when": "inventory_hostname == 'two'"}], play={"serial": 1})
    process = start(cluster, "ansible-playbook", *arguments, **PROGRESS)
    try:
        until(client, two, task="Wait at gate")
        until(client, one, state="ok")
        gate.open()
        said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert state_of(client, one) == state_of(client, two) == ("check", "green", "ok")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"BATON_URL": f"http://127.0.0.1:{free_port()}"}, "within 5 s: http://127.0.0.1"),
        ({"BATON_TOKEN": "wrong"}, "check BATON_TOKEN or the token file"),
        ({"BATON_URL": None}, "is off: no address"),
        ({"BATON_PROGRESS_OK": "check"}, "is off: ok is an icon and a color"),
    ],
)
def test_what_does_not_work_is_one_warning(cluster, client, tmp_path, environ, said):
    machine(client, "web-1")
    began = time.monotonic()
    done = played(cluster, tmp_path, ["web-1"], *([{"ansible.builtin.debug": {}}] * 5), environ={**PROGRESS, **environ})
    assert done.returncode == 0 and done.stderr.count("baton.ha.progress") == 1 and said in done.stderr, done.stderr
    assert time.monotonic() - began < 30


def test_machines_that_cannot_be_written_do_not_keep_others(cluster, client, tmp_path):
    """One has no Meta to write to, one vanishes while the play runs."""
    odd, gone, fine = machine(client, "odd", Meta=None), machine(client, "gone"), machine(client, "fine")
    gate = Gate(tmp_path, "gate")
    tasks = [{**gate.task, "when": "inventory_hostname == 'fine'"}, {"ansible.builtin.debug": {}}]
    process = start(cluster, "ansible-playbook", *written(tmp_path, ["odd", "gone", "fine"], tasks), **PROGRESS)
    try:
        until(client, gone, state="running")
        client.delete("machines", gone)
        until(client, fine, task="Wait at gate")
        gate.open()
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 0 and said.count("baton.ha.progress") == 1, said
    assert state_of(client, fine) == ("check", "green", "ok") and client.get("machines", odd).body["Meta"] is None
