# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role baton.ha.datastore in plays of any shape: one set or cluster comes of a group of hosts, and neither too soon nor too small."""

import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from test_modules import ansible

from support.cluster import ROOT, Cluster
from support.datastores_api import served
from support.long import takes_minutes
from support.pool import Memory

SECRET = "of-the-app-alone"
CONTENTS = {
    "baton_datastore_databases": [{"name": "shop"}],
    "baton_datastore_users": [{"name": "app", "password": SECRET, "databases": ["shop"]}],
}
THREE = ("h1", "h2", "h3")
HOSTS = ["h1", "h2", "h3", "h4", "h5"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("role"), 1, "local") as cluster:
        yield cluster


@pytest.fixture
def pool(cluster, tmp_path):
    """Serve the API over a pool in memory, whose hosts the cluster knows, too."""
    memory = Memory(hosts=5, datastores={"mariadb": ["10.11"], "galera": ["10.11"]})
    memory.tokens[cluster.token] = {"kind": "admin"}
    with served(memory) as api:
        pool = Pool(cluster, api, tmp_path)
        for name in HOSTS:
            pool.comes(name, region="north" if name in THREE else "south")
        yield pool
        for name in [each["Name"] for each in cluster.call(cluster.n1, "GET", "/pool").json()]:
            pool.goes(name)


class Pool:
    def __init__(self, cluster, api, folder):
        self.cluster, self.api, self.folder, self.memory = cluster, api, folder, api.pool

    def comes(self, name, heard=True, **meta):
        """Have a host in the pool whose guest is heard, or not."""
        self.goes(name)
        if name in self.memory.meta:
            self.memory.meta[name].update(meta)
            self.memory.say(name, alive=heard)
        described = {**self.memory.meta.get(name, {"address": "192.0.2.99", "region": "eu", "flavors": {}}), **meta}
        params = {"heartbeat": {"service_status": "running"}} if heard else {}
        document = {"Name": name, "Meta": described, "Params": params}
        self.cluster.call(self.cluster.n1, "POST", "/pool", json=document).raise_for_status()

    def goes(self, name):
        self.cluster.call(self.cluster.n1, "DELETE", f"/pool/{name}")

    def play(self, *options, hosts=THREE, said=None, check=0, after=(), way=None, path="", **values):
        """Play the role for a group of hosts; return what was said.

        ``said``: variables of hosts; ``way``: other members of the play; ``path``: where programs are found first.
        """
        values = {"baton_datastore_group": "db", **values}
        inventory, book = self.folder / "inventory.json", self.folder / "play.yml"
        inventory.write_text(json.dumps({"db": {"hosts": {name: (said or {}).get(name, {}) for name in hosts}}}))
        values.setdefault("baton_datastore_join", "never")
        values.setdefault("baton_datastore_looks", 1)
        role = {"ansible.builtin.import_role": {"name": "baton.ha.datastore"}, "vars": values}
        book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, **(way or {}), "tasks": [role, *after]}]))
        environ = {
            "BATON_URL": self.cluster.n1.url, "BATON_TOKEN_FILE": str(self.cluster.n1.data / "admin.token"),
            "BATON_DATASTORES_URL": self.api.address, "BATON_PROJECT": "demo",
            "PATH": f"{path}:{os.environ['PATH']}".lstrip(":"),
        }  # fmt: skip
        own = ["-c", "local", "-e", json.dumps({"ansible_python_interpreter": sys.executable})]
        done = ansible("ansible-playbook", "-i", inventory, "-f", 20, *own, book, *options, environ=environ)
        assert done.returncode == check, done.stdout[-5000:] + done.stderr[-2000:]
        assert SECRET not in done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())

    def cluster_of(self, *options, **more):
        return self.play(*options, baton_datastore_kind="cluster", **CONTENTS, **more)

    def members(self, name="db"):
        """Return the hosts of members of the cluster, by their type."""
        found = {}
        for each in next((one["instances"] for one in self.api.get("/clusters")["clusters"] if one["name"] == name), ()):
            found.setdefault(each["type"], []).append(each["hostname"])
        return {kind: sorted(names) for kind, names in found.items()}

    def instances(self):
        return {each["name"]: each for each in self.api.get("/instances")["instances"]}


def changes(said):
    return sum(map(int, re.findall(r"changed=([0-9]+)", said)))


# --- what comes of a group --------------------------------------------------------------------------------------------------


def test_a_group_is_a_cluster_and_stays_so(pool):
    after = [{"ansible.builtin.debug": {"msg": "{{ inventory_hostname }} finds {{ baton_datastore_addresses | length }}"}}]
    said = pool.cluster_of("-vvv", after=after)
    assert changes(said) == 1 and all(f"{name} finds 3" in said for name in THREE)
    assert pool.members() == {"data": [*THREE]}
    assert changes(pool.cluster_of()) == 0


def test_a_group_is_a_set_and_its_source_comes_first(pool):
    after = [{"ansible.builtin.debug": {"msg": "first is {{ baton_datastore_addresses[0] }} of {{ baton_datastore_addresses | length }}"}}]
    said = pool.play(after=after, **CONTENTS)
    there = pool.instances()
    assert sorted(there) == ["db", "db-1", "db-2"] and sorted(each["hostname"] for each in there.values()) == [*THREE]
    assert f"first is {there['db']['ip'][0]}:3306 of 3" in said and changes(said) == 1
    assert changes(pool.play(**CONTENTS)) == 0


@pytest.mark.parametrize("way", [{"serial": 1}, {"strategy": "ansible.builtin.free"}], ids=["serial", "free"])
def test_a_play_of_any_shape_makes_one(pool, way):
    pool.cluster_of(way=way)
    assert pool.members() == {"data": [*THREE]} and len(pool.api.get("/clusters")["clusters"]) == 1
    assert changes(pool.cluster_of(way=way)) == 0


@takes_minutes
def test_several_controllers_at_once_make_one(pool, tmp_path):
    def run(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        return Pool(pool.cluster, pool.api, folder).cluster_of()

    with ThreadPoolExecutor() as controllers:
        list(controllers.map(run, range(3)))
    assert pool.members() == {"data": [*THREE]} and len(pool.api.get("/clusters")["clusters"]) == 1


def test_arbiters_and_regions_are_as_the_hosts_say(pool):
    pool.comes("h5", region="west")
    assert changes(pool.cluster_of(hosts=HOSTS, said={"h5": {"baton_datastore_type": "arbiter"}})) == 1
    assert pool.members() == {"data": ["h1", "h2", "h3", "h4"], "arbiter": ["h5"]}
    assert changes(pool.cluster_of(hosts=HOSTS, said={"h5": {"baton_datastore_type": "arbiter"}})) == 0


def test_a_host_may_have_another_name_in_the_pool(pool):
    said = {f"web-{number}": {"baton_pool_name": f"h{number}"} for number in (1, 2, 3)}
    pool.cluster_of(hosts=[*said], said=said)
    assert pool.members() == {"data": [*THREE]}


def test_parameters_are_a_configuration_of_its_name(pool):
    assert changes(pool.play(baton_datastore_parameters={"max_connections": 77})) == 2
    (kept,) = pool.api.get("/configurations")["configurations"]
    assert kept["name"] == "db" and pool.instances()["db-1"]["configuration"]["id"] == kept["id"]
    assert changes(pool.play(baton_datastore_parameters={"max_connections": 77})) == 0
    assert changes(pool.play(baton_datastore_parameters={"max_connections": 78})) == 1


# --- neither too soon nor too small -----------------------------------------------------------------------------------------


def test_it_is_made_when_the_last_host_is_heard_whatever_the_limit(pool):
    pool.comes("h3", heard=False, region="north")
    said = pool.cluster_of("--limit", "h1,h2")
    assert "db is made as soon as all of the group db are heard; h3 is not yet: play this for them, too" in said and changes(said) == 0
    pool.comes("h3", region="north")
    assert changes(pool.cluster_of("--limit", "h3")) == 1 and pool.members() == {"data": [*THREE]}


def test_a_host_that_nobody_hears_stops_the_play(pool):
    pool.comes("h3", heard=False, region="north")
    said = pool.cluster_of(check=2)
    assert "h3: not heard, so nothing was made; `journalctl -u baton-guest` there says why" in said and pool.members() == {}


@takes_minutes
def test_a_member_whose_host_is_lost_is_not_taken_for_one_too_many(pool):
    pool.cluster_of()
    pool.comes("h2", heard=False, region="north")
    assert changes(pool.cluster_of("--limit", "h1,h3")) == 0 and pool.members() == {"data": [*THREE]}


@takes_minutes
def test_a_host_that_comes_to_the_group_gets_a_member_and_none_goes_with_one_that_leaves(pool):
    pool.cluster_of()
    pool.comes("h4", region="north")
    said = pool.cluster_of("--limit", "h4", hosts=[*THREE, "h4"])
    assert changes(said) == 1 and pool.members() == {"data": ["h1", "h2", "h3", "h4"]}
    said = pool.cluster_of()
    assert changes(said) == 0 and "db-4 is on h4, which is none of the group db, and stays there" in said
    assert pool.members() == {"data": ["h1", "h2", "h3", "h4"]}


def test_check_mode_makes_nothing(pool):
    for play in (pool.cluster_of, pool.play):
        assert changes(play("--check")) == 1
    assert pool.members() == {} and pool.instances() == {}


# --- bare hosts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said, region", [({}, "db"), ({"baton_datastore_type": "arbiter"}, "db_arbiters"), ({"baton_pool_region": "eu"}, "eu")]
)
def test_a_bare_host_is_to_come_to_the_pool_in_a_region_of_the_group(pool, tmp_path, said, region):
    """In check mode: what a host gets is installed by molecule, on hosts of their own."""
    systemctl = tmp_path / "bin/systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text("#!/bin/sh\n")
    systemctl.chmod(0o755)
    facts = {"service_mgr": "systemd", "memtotal_mb": 2048, "pkg_mgr": "apt", "default_ipv4": {"address": "192.0.2.98"}}
    before = [{"ansible.builtin.set_fact": {**facts, "cacheable": True}}]
    given = {"hosts": ["h1", "new"], "said": {"new": said, "h1": {"baton_pool_region": "north"}}, "way": {"pre_tasks": before}}
    told = pool.cluster_of(
        "--check", "--diff", baton_datastore_join="missing", baton_pool_dir=str(tmp_path / "guest"), baton_datastore_shared=True,
        baton_pki_dir=str(tmp_path / "pki"), path=str(systemctl.parent), **given,
    )  # fmt: skip
    assert f'"region": "{region}"' in told and '"address": "192.0.2.98"' in told
    assert told.count("would install") == 1 and "new is not yet" in told and pool.members() == {}


@pytest.mark.parametrize("own, said", [({}, True), ({"BATON_URL": "https://192.0.2.9:8092"}, False), ({"BATON_CONFIG": "/x"}, False)])
def test_the_playbooks_ask_at_the_vip_of_the_inventory_unless_the_controller_knows_better(tmp_path, own, said):
    inventory, book = tmp_path / "inventory.json", tmp_path / "play.yml"
    group = {"hosts": {"n1": {}}, "vars": {"baton_vip": ["192.0.2.10/24@eth1", "2001:db8::10/64"]}}
    inventory.write_text(json.dumps({"baton": group, "db": {"hosts": {"h1": {}}}}))
    given = {"baton_group": "baton", "baton_port": 8092, "baton_pki_dir": "/pki"}
    tasks = [{"ansible.builtin.debug": {"msg": "{{ baton_datastore_of_the_inventory | to_json }}"}}]
    files = [str(ROOT / "roles/datastore/vars/main/cluster.yml")]
    book.write_text(json.dumps([{"hosts": "db", "gather_facts": False, "vars_files": files, "vars": given, "tasks": tasks}]))
    done = ansible("ansible-playbook", "-i", inventory, "-c", "local", book, environ={"XDG_CONFIG_HOME": str(tmp_path), **own})
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("https://192.0.2.10:8092,https://[2001:db8::10]:8092" in done.stdout and "/pki/admin.token" in done.stdout) == said


# --- what is refused --------------------------------------------------------------------------------------------------------


def test_a_server_comes_to_no_host_of_others(pool):
    pool.comes("h4", region="north")
    refused = "h4: in the same region of the pool and none of the group db, so db might come to them; give the group a region of its own"
    assert refused in pool.cluster_of(check=2)
    pool.comes("h4", region="north", maintenance=True)
    assert changes(pool.cluster_of()) == 1 and pool.members() == {"data": [*THREE]}
    pool.comes("h4", region="north", maintenance=False)
    assert refused in pool.cluster_of(check=2)
    assert changes(pool.cluster_of(baton_datastore_shared=True)) == 0


@pytest.mark.parametrize(
    "values, text",
    [
        ({"baton_datastore_group": "nobody"}, "the inventory has no hosts in the group nobody: say with baton_datastore_group which hosts"),
        ({"said": {"h2": {"baton_datastore_type": "arbiter"}}}, "h2: only a cluster has arbiters; say baton_datastore_type data, or take"),
        ({"said": {"h2": {"baton_datastore_type": "voter"}}}, "baton_datastore_type is data or arbiter, not voter"),
        ({"hosts": HOSTS}, 'the group db is in the regions "north", "south"; a set is in one: say baton_pool_region of its hosts'),
        ({"baton_datastore_users": [{"name": "app"}]}, "missing required arguments: password found in baton_datastore_users"),
        ({"baton_datastore_flavor": "huge"}, "there is no flavor 'huge'; there are 1 (small), 2 (large)"),
    ],
)
def test_what_can_not_be_is_refused(pool, values, text):
    assert text in pool.play(check=2, **values) and pool.instances() == {}


def test_hosts_of_another_group_are_refused(pool):
    pool.folder.joinpath("others.json").write_text(json.dumps({"others": {"hosts": {"x": {}}}}))
    assert "x: none of the group db; play this for hosts of that group" in pool.play("-i", pool.folder / "others.json", check=2)


# --- the end ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pytest.param("set", marks=takes_minutes), "cluster"])
def test_it_goes_with_all_that_was_made_in_a_run_for_all_alone(pool, kind):
    given = {"baton_datastore_kind": kind, "baton_datastore_parameters": {"max_connections": 77}}
    pool.play(**given)
    said = pool.play("--limit", "h1", check=2, baton_datastore_state="absent", **given)
    assert "db would go with all its data, and this run leaves out h2, h3 of the group db: play it without a limit" in said
    assert changes(pool.play(baton_datastore_state="absent", **given)) == 2
    assert (pool.members(), pool.instances(), pool.api.get("/configurations")["configurations"]) == ({}, {}, [])
    assert changes(pool.play(baton_datastore_state="absent", **given)) == 0
