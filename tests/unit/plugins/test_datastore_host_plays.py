# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for hosts of the pool through real ansible-playbook, as action plugins and as modules, against a real node."""

import json
import os
import subprocess
import sys

import pytest
from test_datastore_plays import OF_ALL_TASKS, documented, told

from support.cluster import ROOT, Cluster
from support.plays import Runs, said

ADD = {"name": "{{ inventory_hostname }}", "address": "192.0.2.1"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("plays"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def runs(cluster, tmp_path):
    with Runs(cluster, tmp_path) as runs:
        yield runs
    for each in pool(cluster):
        cluster.call(cluster.n1, "DELETE", f"/pool/{each}")


def pool(cluster):
    return [each["Name"] for each in cluster.call(cluster.n1, "GET", "/pool").json()]


def test_check_mode_tells_what_a_run_does_and_makes_nothing(cluster, runs, tmp_path):
    tasks = [{"baton.ha.datastore_host": {**ADD, "path": f"{tmp_path}/token"}}]
    foretold = runs.run(tasks, options=["--check", "--diff"])
    assert '"address": "192.0.2.1"' in foretold
    assert f"{tmp_path}/token" in foretold and "changed=1" in foretold and pool(cluster) == [] and not (tmp_path / "token").exists()
    assert "changed=1" in runs.run(tasks, options=["--diff"]) and "changed=0" in runs.run(tasks, options=["--check", "--diff"])


@pytest.mark.parametrize("more", [{}, {"run_on": "host"}], ids=["controller", "host"])
def test_the_secret_is_in_the_file_alone(runs, tmp_path, more):
    path = tmp_path / "token"
    given = {**ADD, **more, "path": str(path)}
    out = runs.run([{"baton.ha.datastore_host": given}], options=["-vvv", "--diff"])
    assert path.read_text().strip() and path.read_text().strip() not in out
    out = runs.run([{"baton.ha.datastore_host": {**given, "state": "absent"}}], options=["-vvv", "--diff"])
    assert not path.exists() and "changed=1" in out


def test_two_controllers_and_many_hosts_join_at_once(cluster, runs, tmp_path):
    hosts = ",".join(f"db-{number}" for number in range(6)) + ","
    tasks = [{"baton.ha.datastore_host": {**ADD, "path": f"{tmp_path}/{{{{ inventory_hostname }}}}.token"}}]
    for process in [runs.begin(tasks, inventory=hosts) for _controller in range(2)]:
        said(process)
    assert pool(cluster) == [f"db-{number}" for number in range(6)]
    of_guests = [each["Scope"]["name"] for each in cluster.call(cluster.n1, "GET", "/tokens").json() if each["Scope"]["kind"] == "guest"]
    assert sorted(of_guests) == pool(cluster)  # one for each: both controllers are on this machine
    for name in pool(cluster):
        assert cluster.n1.call("GET", f"/pool/{name}", (tmp_path / f"{name}.token").read_text().strip()).status_code == 200


def test_hosts_that_share_a_path_are_told(runs, tmp_path):
    out = runs.run([{"baton.ha.datastore_host": {**ADD, "path": f"{tmp_path}/token"}}], inventory="db-1,db-2,", check=2)
    assert "give each host a path of its own" in out and out.count("failed=1") == 1


@pytest.mark.parametrize(
    ("module", "options", "expected"),
    [
        ("datastore_host", {"name": "direct", "address": "192.0.2.1"}, {"changed": True, "token_id": None}),
        ("datastore_host_info", {"name": "nobody"}, {"changed": False, "hosts": []}),
    ],
)
def test_the_module_itself_does_the_same(cluster, runs, module, options, expected):
    given = {**options, "url": [cluster.n1.url], "token": cluster.token}
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.baton.ha.plugins.modules.{module}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": given}), capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "build/collections")},
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert {name: result.get(name) for name in expected} == expected, done.stdout + done.stderr


def test_all_that_is_returned_is_documented(runs, tmp_path):
    tasks = [
        {"baton.ha.datastore_host": {**ADD, "path": f"{tmp_path}/token"}, "register": "datastore_host"},
        {"baton.ha.datastore_host_info": {}, "register": "datastore_host_info"},
    ]
    names = [task["register"] for task in tasks]
    shown = f"{{{{ [{', '.join(names)}] | to_json }}}}"
    runs.run([*tasks, {"ansible.builtin.copy": {"content": shown, "dest": f"{tmp_path}/said"}}])
    for name, result in zip(names, json.loads((tmp_path / "said").read_text())):
        told({key: value for key, value in result.items() if key not in OF_ALL_TASKS}, documented(name)["return"], name)
