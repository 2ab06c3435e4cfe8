# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory datastores through the real commands of ansible-core, over a pool in memory."""

import json
import os
import subprocess

import pytest
import yaml

from support.cluster import ROOT
from support.datastores_api import served
from support.plays import COMMANDS
from support.pool import Memory

EVIL = "{{ 6 * 7 }}"


@pytest.fixture
def api():
    with served(Memory(hosts=8, regions=("eu", "us-1"), datastores={"mariadb": ["10.11", "11.8"], "galera": ["11.8"]})) as api:
        yield api


def ansible(api, command, *arguments, **environ):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "RS_", "ANSIBLE_"))}
    own = {"BATON_DATASTORES_URL": api.address, "BATON_PROJECT": "demo", "BATON_TOKEN": "demo-token", "COLUMNS": "1000"}
    ansible = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"}
    line = [str(each) for each in (COMMANDS / command, *arguments)]
    return subprocess.run(
        line, cwd=ROOT, env={**inherited, **ansible, **own, **environ}, capture_output=True, text=True, timeout=120, check=False
    )


def inventory_of(api, path, **environ):
    """Return variables by host, hosts by group, and what was said besides."""
    done = ansible(api, "ansible-inventory", "-i", path, "--list", **environ)
    assert done.returncode == 0 and "[ERROR]" not in done.stderr, done.stderr
    found = json.loads(done.stdout, object_hook=lambda value: value.get("__ansible_unsafe", value))
    groups = {name: set(group.get("hosts", [])) for name, group in found.items() if name not in ("_meta", "all")}
    return found["_meta"]["hostvars"], groups, done.stderr


def source(tmp_path, **options):
    path = tmp_path / "databases.baton.yml"
    path.write_text(yaml.safe_dump({"plugin": "baton.ha.datastores", **options}))
    return path


def replicas(api, of, **members):
    api.pool.now += 2  # the source is older, by the seconds that the API shows
    response = api.ask("POST", "/instances", {"instance": {"replica_of": of["id"], **members}})
    assert response.status_code == 200, response.text


def test_instances_are_hosts(api, tmp_path):
    shop = api.make("shop", datastore={"type": "mariadb", "version": "10.11"}, region_name="eu")
    replicas(api, shop, name="shop-x", replica_count=2)
    alone = api.make("alone", region_name="us-1")
    path = source(
        tmp_path, strict=True, compose={"at": "baton_instance.address ~ ':' ~ baton_instance.port"},
        groups={"unwell": "baton_instance.status != 'ACTIVE'"}, keyed_groups=[{"prefix": "on", "key": "baton_instance.host"}],
    )  # fmt: skip
    variables, groups, _said = inventory_of(api, path)
    assert set(variables) == {"shop", "shop-x-1", "shop-x-2", "alone"}
    of_shop = variables["shop"]["baton_instance"]
    expected = {"id": shop["id"], "role": "source", "status": "ACTIVE", "datastore": "mariadb", "version": "10.11", "region": "eu"}
    assert {name: of_shop[name] for name in expected} == expected
    assert variables["shop"]["ansible_host"] == of_shop["address"] and variables["shop"]["at"] == f"{of_shop['address']}:3306"
    of_set = {"shop", "shop-x-1", "shop-x-2"}
    assert groups["datastore_set_shop"] == of_set and groups["datastore_set_alone"] == {"alone"}
    assert groups["datastore_role_source"] == {"shop", "alone"} and groups["datastore_role_replica"] == of_set - {"shop"}
    assert groups["datastore_mariadb"] == set(variables) and groups["datastore_region_us_1"] >= {"alone"}
    assert groups[f"on_{of_shop['host']}"] >= {"shop"} and "unwell" not in groups
    api.pool.dies(api.show(alone["id"])["hostname"])
    assert "alone" in inventory_of(api, path)[1]["unwell"]


def test_who_has_become_the_source_is_in_its_group_and_the_set_keeps_its_name(api, tmp_path):
    shop = api.make("shop")
    replicas(api, shop, name="copy")
    (copy,) = [each for each in api.get("/instances")["instances"] if each["name"] == "copy"]
    assert api.ask("POST", f"/instances/{copy['id']}/action", {"promote_to_replica_source": {}}).status_code == 202
    _variables, groups, _said = inventory_of(api, source(tmp_path))
    assert groups["datastore_role_source"] == {"copy"} and groups["datastore_set_shop"] == {"shop", "copy"}


def test_members_of_clusters_are_hosts(api, tmp_path):
    members = [{"flavorRef": "1", "region": "eu"}, {"flavorRef": "1", "region": "us-1"}, {"region": "us-1", "type": "arbiter"}]
    made = api.make_cluster("shop", instances=members)
    api.make("alone")
    variables, groups, _said = inventory_of(api, source(tmp_path))
    assert set(variables) == {"shop-1", "shop-2", "shop-3", "alone"}
    first = variables["shop-1"]["baton_instance"]
    expected = {"role": "data", "type": "data", "status": "ACTIVE", "cluster": made["id"], "datastore": "galera", "region": "eu"}
    assert {name: first[name] for name in expected} == expected and variables["shop-1"]["ansible_host"] == first["address"]
    assert groups["datastore_cluster_shop"] == {"shop-1", "shop-2", "shop-3"} == groups["datastore_galera"]
    assert groups["datastore_role_data"] == {"shop-1", "shop-2"} and groups["datastore_role_arbiter"] == {"shop-3"}
    assert groups["datastore_set_alone"] == {"alone"} == groups["datastore_role_source"]
    twin = api.make_cluster("shop", instances=[{**each, "name": f"x-{number}"} for number, each in enumerate(members)])
    groups = inventory_of(api, source(tmp_path))[1]
    assert groups[f"datastore_cluster_{twin['id'].replace('-', '_')}"] == {"x-0", "x-1", "x-2"} and "datastore_cluster_shop" not in groups


def test_names_that_are_none_or_not_alone_are_ids(api, tmp_path):
    twins = [api.make("twin"), api.make("twin")]
    others = [api.make(EVIL), api.make("a-b"), api.make("a_b"), api.make("9lives")]
    variables, groups, said = inventory_of(api, source(tmp_path))
    assert set(variables) == {"a-b", "a_b", "9lives", *(each["id"] for each in (*twins, others[0]))}
    assert "2 instances are named 'twin'" in said
    assert groups["datastore_set_9lives"] == {"9lives"}
    for each in (*twins, *others[1:3]):
        name = each["name"] if each["name"] != "twin" else each["id"]
        assert groups[f"datastore_set_{each['set'].replace('-', '_')}"] == {name}
    path = source(tmp_path)
    done = ansible(api, "ansible", "-i", path, others[0]["id"], "-c", "local", "-m", "debug", "-a", "msg={{ baton_instance.name }}")
    assert EVIL in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "all", "ungrouped", "web-1", "web", "datastore_role_source"])
def test_an_instance_takes_over_no_host_of_others(api, tmp_path, name):
    made = api.make(name)
    (tmp_path / "1.yml").write_text("web: {hosts: {web-1: {}}}")
    source(tmp_path)
    variables, groups, said = inventory_of(api, tmp_path)
    assert {each for each, known in variables.items() if "baton_instance" in known} == {made["id"]}
    assert groups["web"] == {"web-1"} and f"the name '{name}', which is taken" in said


def test_an_empty_project_has_its_groups_and_no_host(api, tmp_path):
    variables, groups, _said = inventory_of(api, source(tmp_path))
    assert variables == {}
    done = ansible(api, "ansible", "-i", source(tmp_path), "datastore_role_source", "--list-hosts")
    assert "hosts (0)" in done.stdout and "Could not match" not in done.stderr


def test_the_options_win_and_may_be_templates(api, tmp_path):
    api.make("shop")
    (tmp_path / "token").write_text("demo-token\n")
    path = source(tmp_path, datastores_url=api.address, project="{{ 'de' ~ 'mo' }}", token_file=str(tmp_path / "token"))
    nothing = {"BATON_DATASTORES_URL": "http://127.0.0.1:1", "BATON_PROJECT": "other", "BATON_TOKEN": "wrong"}
    assert set(inventory_of(api, path, **nothing)[0]) == {"shop"}


def test_a_cache_spares_the_api(api, tmp_path):
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    path = source(tmp_path, **cache)
    assert set(inventory_of(api, path)[0]) == set()
    api.make("shop")
    assert set(inventory_of(api, path)[0]) == set()
    (tmp_path / "play.yml").write_text("[{hosts: all}]")
    ansible(api, "ansible-playbook", "-i", path, tmp_path / "play.yml", "--list-hosts", "--flush-cache")
    assert set(inventory_of(api, path, BATON_DATASTORES_URL="http://127.0.0.1:1")[0]) == {"shop"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"token": "wrong"}, "check BATON_TOKEN or the token file"),
        ({"datastores_url": "http://127.0.0.1:1", "timeout": 0.1}, "no connection within 0.1 s"),
        ({"projekt": "demo"}, "Unsupported options for (baton.ha.datastores) inventory: projekt"),
    ],
)
def test_it_says_in_one_line_what_is_wrong(api, tmp_path, options, says):
    path = source(tmp_path, **options)
    done = ansible(api, "ansible-inventory", "-i", path, "--list", ANSIBLE_INVENTORY_UNPARSED_FAILED="1")
    assert done.returncode != 0 and says in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_the_inventory_of_the_documentation(api, tmp_path):
    api.make("shop")
    page = (ROOT / "docs/guides/databases.md").read_text()
    (block,) = [each for each in page.split("```yaml\n") if "plugin: baton.ha.datastores" in each]
    text = block.partition("```")[0].replace("https://192.0.2.10:8779", api.address).replace("ca: .baton/ca.pem\n", "")
    (tmp_path / "databases.baton.yml").write_text(text)
    variables, groups, _said = inventory_of(api, tmp_path / "databases.baton.yml")
    assert groups[f"pool_host_{variables['shop']['baton_instance']['host']}"] == {"shop"}
