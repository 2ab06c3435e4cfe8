# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for databases through real ansible-playbook, as action plugins and as modules, over a pool in memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_modules import ansible

from baton.tasks import datastore_info
from support.cluster import ROOT
from support.datastores_api import served
from support.plays import COMMANDS
from support.pool import Memory

OF_ALL_TASKS = ("changed", "failed", "diff", "warnings", "deprecations")
SECRET = "of-the-app-alone"
CONTENTS = {"databases": [{"name": "shop"}], "users": [{"name": "app", "password": SECRET, "databases": ["shop"]}]}
MAKE = {"name": "db", "flavor": "small", "replicas": 1, **CONTENTS}
CLUSTER = {"name": "c", "flavor": "small", "size": 3, **CONTENTS}


@pytest.fixture
def api():
    with served(Memory(hosts=6, datastores={"mariadb": ["10.11", "11.8"], "galera": ["11.8"]})) as api:
        yield api


def environ_of(api):
    return {"BATON_DATASTORES_URL": api.address, "BATON_PROJECT": "demo", "BATON_TOKEN": "demo-token"}


def play(api, folder, tasks, *options, hosts="web-1,", status=0):
    book = Path(folder) / "play.yml"
    book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    values = json.dumps({"ansible_python_interpreter": sys.executable})
    done = ansible("ansible-playbook", "-i", hosts, "-f", 20, book, "-e", values, *options, environ=environ_of(api))
    assert done.returncode == status, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def instances(api):
    return sorted(each["name"] for each in api.get("/instances")["instances"])


def test_check_mode_tells_what_a_run_does_and_makes_nothing(api, tmp_path):
    tasks = [{"baton.ha.datastore_instance": MAKE, "register": "made"}, {"ansible.builtin.debug": {"msg": "{{ made.steps | to_json }}"}}]
    told = play(api, tmp_path, tasks, "--check", "--diff")
    assert "make db-1 of db" in told and '+    "db-1": {' in told.replace("'", '"') and instances(api) == []
    assert "make db-1 of db" in play(api, tmp_path, tasks, "--diff") and instances(api) == ["db", "db-1"]
    assert "changed=0" in play(api, tmp_path, tasks, "--diff")


def test_check_mode_tells_what_comes_of_a_cluster_and_makes_nothing(api, tmp_path):
    tasks = [{"baton.ha.datastore_cluster": CLUSTER, "register": "made"}, {"ansible.builtin.debug": {"msg": "{{ made.steps | to_json }}"}}]
    made = "make cluster c: c-1 (data), c-2 (data), c-3 (data)"
    told = play(api, tmp_path, tasks, "--check", "--diff")
    assert made in told and '+        "c-3": {' in told.replace("'", '"') and api.get("/clusters")["clusters"] == []
    assert made in play(api, tmp_path, tasks, "--diff") and api.cluster()["size"] == 3
    assert "changed=0" in play(api, tmp_path, tasks, "--diff")


@pytest.mark.parametrize("options", [{}, {"run_on": "host"}, {"name": "x" * 300}], ids=["controller", "host", "failed"])
@pytest.mark.parametrize(("module", "made"), [("datastore_instance", MAKE), ("datastore_cluster", CLUSTER)])
def test_a_password_is_shown_nowhere(api, tmp_path, module, made, options):
    task = {f"baton.ha.{module}": {**made, **options}}
    assert SECRET not in play(api, tmp_path, [task], "-vvv", "--diff", status=2 if "name" in options else 0)


def test_hosts_of_a_play_make_one_set_and_one_configuration_together(api, tmp_path):
    tasks = [
        {"baton.ha.datastore_configuration": {"name": "c", "values": {"wait_timeout": 60}}},
        {"baton.ha.datastore_instance": {**MAKE, "configuration": "c"}},
        {"baton.ha.datastore_cluster": {**CLUSTER}},
        {"baton.ha.datastore_cluster": {**CLUSTER, "size": 4, "arbiters": 1}},
    ]
    play(api, tmp_path, tasks, hosts=",".join(f"web-{number}" for number in range(8)) + ",")
    assert instances(api) == ["db", "db-1"] and sum(not each["read_only"] for each in api.get("/configurations")["configurations"]) == 1
    assert sorted(each["name"] for each in api.cluster()["instances"]) == ["c-1", "c-2", "c-3", "c-4", "c-5"]


def test_a_number_of_a_template_is_one_under_each_ansible_core(api, tmp_path):
    task = {"baton.ha.datastore_configuration": {"name": "c", "values": {"wait_timeout": "{{ seconds }}"}}, "vars": {"seconds": 60}}
    play(api, tmp_path, [task])
    assert api.get("/configurations/c")["configuration"]["values"] == {"wait_timeout": 60}


@pytest.mark.parametrize(
    ("module", "options", "expected"),
    [
        ("datastore_instance", {"name": "direct", "flavor": "1"}, {"changed": True, "source": "direct"}),
        ("datastore_cluster", {"name": "direct", "flavor": "1", "size": 3}, {"changed": True, "serving": 3}),
        ("datastore_configuration", {"name": "direct", "values": {"wait_timeout": 60}}, {"changed": True}),
        ("datastore_info", {}, {"changed": False, "instances": []}),
    ],
)
def test_the_module_itself_does_the_same(api, module, options, expected):
    given = {**options, "datastores_url": [api.address], "project": "demo", "token": "demo-token"}
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.baton.ha.plugins.modules.{module}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": given}), capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "build/collections")},
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert {name: result.get(name) for name in expected} == expected, done.stdout + done.stderr


# --- what is returned is documented ---------------------------------------------------------------------------------------


def documented(module):
    done = subprocess.run(
        [COMMANDS / "ansible-doc", "-j", f"baton.ha.{module}"], capture_output=True, text=True, check=True, cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
    )  # fmt: skip
    return json.loads(done.stdout)[f"baton.ha.{module}"]


def told(value, described, where):
    """Every member of a result is in RETURN, and the other way round, with its type."""
    types = {"str": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict}
    assert set(value) == set(described), where
    for name, member in value.items():
        if member is not None:
            assert isinstance(member, types[described[name]["type"]]), (where, name, member)
        if "contains" in described[name] and member:
            told(member[0] if isinstance(member, list) else member, described[name]["contains"], f"{where}.{name}")


def test_all_that_is_returned_is_documented(api, tmp_path):
    tasks = [
        {"baton.ha.datastore_configuration": {"name": "c", "values": {"wait_timeout": 60}}, "register": "datastore_configuration"},
        {"baton.ha.datastore_instance": {**MAKE, "configuration": "c"}, "register": "datastore_instance"},
        {"baton.ha.datastore_cluster": CLUSTER, "register": "datastore_cluster"},
        {"baton.ha.datastore_info": {"gather": [*datastore_info.GATHER]}, "register": "datastore_info"},
    ]
    names = [task["register"] for task in tasks]
    shown = f"{{{{ [{', '.join(names)}] | to_json }}}}"
    play(api, tmp_path, [*tasks, {"ansible.builtin.copy": {"content": shown, "dest": f"{tmp_path}/said"}}])
    for name, result in zip(names, json.loads((tmp_path / "said").read_text())):
        own = {key: value for key, value in result.items() if key not in OF_ALL_TASKS}
        told(own, documented(name)["return"], name)
