# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tasks say of wrong options, of waiting, and in check mode of what they would do."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from baton.client.api import Client
from baton.client.connection import Connection
from support.cluster import ROOT, Cluster
from support.plays import COMMANDS, Runs

MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("messages"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(Connection((cluster.n1.url,), cluster.token, None)) as client:
        yield client


@pytest.fixture
def runs(cluster, tmp_path):
    with Runs(cluster, tmp_path) as runs:
        yield runs


# --- what node_info returns -----------------------------------------------------------------------------------------------

TYPES = {"string": "str", "boolean": "bool", "integer": "int", "number": "float", "array": "list", "object": "dict"}


def test_node_info_tells_of_every_member_that_the_api_has():
    schema = json.loads((ROOT / "plugins/module_utils/_baton/adapters/http/schemas.json").read_text())["Status"]["properties"]
    text = (ROOT / "plugins/modules/node_info.py").read_text()
    told = yaml.safe_load(re.search(r'RETURN = r"""(.*?)"""', text, re.DOTALL)[1])["node"]["contains"]
    for members, listed in ((schema, told), (schema["nodes"]["items"]["properties"], told["nodes"]["contains"])):
        missing = set(members) - set(listed)
        assert not missing, missing
        assert {name: TYPES[member["type"]] for name, member in members.items()} == {name: listed[name]["type"] for name in members}
        for name, member in members.items():
            assert all(f"V({value})" in listed[name]["description"] for value in member.get("enum", ())), name
    assert set(told["nodes"]["contains"]) == set(schema["nodes"]["items"]["properties"])


# --- unknown options ------------------------------------------------------------------------------------------------------

KNOWN = {"compare_and_patch": {"name": "x", "patch": [], "only_under": {"lease": "l", "tokem": 1}}}


def asked(module):
    """Yield tasks with an option that there is not, beside a required one that is missing, or a wrong one."""
    yield {"tokem": "x"}
    yield {"tokem": "x", "timeout": "soon"} if module != "vip_info" else {"tokem": "x", "interface": ["a"]}
    yield {"tokem": "x", "state": "nonsense"}
    if module in KNOWN:
        yield KNOWN[module]


def names_the_unknown_one_first(message):
    return re.match(r"Unsupported parameters for \(\S+\) module: (only_under\.)?(state, )?tokem\. Supported", message)


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["run", "check"])
def test_action_plugins_name_an_unknown_option_before_a_missing_one(runs, options):
    tasks = [
        {f"baton.ha.{module}": arguments, "register": f"r{number}_{index}", "ignore_errors": True}
        for number, module in enumerate(MODULES)
        for index, arguments in enumerate(asked(module))
    ]
    said = [f"r{number}_{index}" for number, module in enumerate(MODULES) for index, _arguments in enumerate(asked(module))]
    show = {
        "ansible.builtin.copy": {
            "content": f"{{{{ [{', '.join(f'{name}.msg' for name in said)}] | to_json }}}}",
            "dest": f"{runs.folder}/said",
        }
    }
    runs.run([*tasks, {**show, "check_mode": False}], options=options)
    messages = json.loads((runs.folder / "said").read_text())
    assert len(messages) == len(tasks) and all(names_the_unknown_one_first(message) for message in messages), messages
    assert f"Unsupported parameters for (baton.ha.{MODULES[0]}) module:" in messages[0]


@pytest.mark.parametrize("module", [module for module in MODULES if module != "once"])
def test_modules_on_a_host_do_so_too(module):
    for arguments in asked(module):
        given = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": True}})
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "build/collections")}
        done = subprocess.run(
            [sys.executable, "-m", f"ansible_collections.baton.ha.plugins.modules.{module}"],
            input=given, capture_output=True, text=True, env=environ, check=False,
        )  # fmt: skip
        assert names_the_unknown_one_first(json.loads(done.stdout)["msg"]), done.stdout


def test_the_lookup_and_the_inventory_do_so_too(runs, cluster):
    task = {"ansible.builtin.debug": {"msg": "{{ lookup('baton.ha.param', 'x', profil='web') }}"}}
    assert "Unsupported options for (baton.ha.param) lookup: profil. There are: ca, " in " ".join(runs.run([task], check=2).split())
    listing = Path(runs.folder) / "my.baton.yml"
    listing.write_text(yaml.safe_dump({"plugin": "baton.ha.machines", "url": [cluster.n1.url], "tokem": "x"}))
    environ = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true"}
    command = [COMMANDS / "ansible-inventory", "-i", listing, "--list"]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=ROOT, check=False)
    assert "Unsupported options for (baton.ha.machines) inventory: tokem. There are: " in " ".join(done.stderr.split())


# --- waiting --------------------------------------------------------------------------------------------------------------


def test_a_wait_in_vain_says_how_long_it_was_and_nothing_else(cluster, client):
    from baton.client.barriers import Barriers
    from baton.client.error import ClientError
    from baton.client.locks import Locks

    said = []
    with pytest.raises(ClientError, match=r"waited 0\.3 s in vain"):
        Barriers(client).arrive("b", "us", count=2, ttl=60, timeout=0.3, progress=said.append)
    Locks(client).acquire("held", "them", "60s")
    with pytest.raises(ClientError, match=r"\(waited 0\.3 s\)"):
        Locks(client).acquire("held", "us", "1s", timeout=0.3, progress=said.append)
    with pytest.raises(ClientError, match=r"waited 0\.3 s in vain"):
        client.wait("profiles", "never", timeout=0.3, progress=said.append)
    Locks(client).break_lock("held")
    assert said == [], "lines of progress are for longer waits: test_progress"


# --- check mode -----------------------------------------------------------------------------------------------------------

HOSTS = ",".join(f"h{number}" for number in range(10)) + ","


def count_of(expression):
    """A task that fails unless so many hosts have it, and only so many; runs once, after all."""
    found = "ansible_play_hosts | map('extract', hostvars) | list"
    return {"ansible.builtin.assert": {"that": [expression.replace("ALL", found)]}, "run_once": True, "check_mode": False}


def test_in_check_mode_three_seats_have_three_leaders(runs, cluster, client):
    client.create("profiles", {"Name": "seats", "Params": {"cluster/leaders": ["h0"]}})
    elect = {"profile": "seats", "seats": 3}
    tasks = [
        {"baton.ha.leader_election": elect, "register": "won"},
        count_of("(ALL | map(attribute='won') | selectattr('is_leader') | list | length) == 3"),
        count_of("(ALL | map(attribute='won') | selectattr('changed') | list | length) == 2"),
        {"baton.ha.leader_election": elect, "register": "again"},
        count_of("(ALL | map(attribute='again') | selectattr('is_leader') | list | length) == 3"),
        count_of("ALL | map(attribute='again') | selectattr('changed') | list == []"),
        {"baton.ha.leader_election": {**elect, "state": "resigned"}, "when": "won.is_leader"},
        {"baton.ha.leader_election": elect, "register": "next"},
        count_of("(ALL | map(attribute='next') | selectattr('is_leader') | list | length) == 3"),
    ]
    runs.run(tasks, inventory=HOSTS, options=["--check"])
    assert client.get_param("profiles", "seats", "cluster/leaders").body == ["h0"], "nothing was changed"
    runs.run(tasks[:3], inventory=HOSTS, options=["--check"])  # another run foresees for itself


def test_in_check_mode_one_of_all_patches_one_does_it_and_two_hold_the_lock(runs, cluster, client):
    client.create("profiles", {"Name": "raced", "Params": {"n": 1}})
    swap = {"name": "raced", "param": "n", "expect": 1, "value": "{{ inventory_hostname }}"}
    tasks = [
        {"baton.ha.compare_and_patch": swap, "register": "swap"},
        count_of("(ALL | map(attribute='swap') | selectattr('won') | list | length) == 1"),
        {"baton.ha.once": {"name": "foreseen", "module": "ansible.builtin.command", "args": {"cmd": "true"}}, "register": "once"},
        count_of("(ALL | map(attribute='once') | selectattr('mine') | list | length) == 1"),
        {"baton.ha.once": {"name": "several", "state": "begun"}, "register": "begun"},
        count_of("(ALL | map(attribute='begun') | selectattr('mine') | list | length) == 1"),
        {"baton.ha.lock": {"name": "two", "slots": 2, "wait": False}, "register": "lock"},
        count_of("(ALL | map(attribute='lock') | selectattr('held') | list | length) == 2"),
    ]
    runs.run(tasks, inventory=HOSTS, options=["--check"])
    assert client.get_param("profiles", "raced", "n").body == 1 and cluster.call(cluster.n1, "GET", "/locks").json() == []


# --- tokens ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["run", "check"])
def test_there_is_no_token_for_a_profile_that_does_not_exist(runs, cluster, options):
    before = cluster.call(cluster.n1, "GET", "/tokens").json()
    assert "there is no profile 'nope'" in runs.run([{"baton.ha.token": {"profile": "nope"}}], options=options, check=2)
    made = cluster.call(cluster.n1, "POST", "/tokens", json={"Scope": {"kind": "profile", "name": "nope"}})
    assert made.status_code == 404 and made.json()["detail"].startswith("there is no profile 'nope': make it")
    assert cluster.call(cluster.n1, "GET", "/tokens").json() == before
