# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of clusters: a configuration for all members, and one that Baton makes for each of them."""

import re
import subprocess

import pytest

from baton.datastores.host.mariadb.config import OURS
from baton.datastores.service.api.parameters import PARAMETERS
from support.datastores_api import message, served
from support.pool import Memory

FOR = {"type": "galera", "version": "11.8"}


@pytest.fixture
def api():
    with served(Memory(6, datastores={"galera": ["10.11", "11.8"], "mariadb": ["11.8"]})) as found:
        yield found


def configuration(api, name="mine", datastore=None, **values):
    body = {"configuration": {"name": name, "values": values or {"wait_timeout": 60}, "datastore": datastore or FOR}}
    response = api.ask("POST", "/configurations", body)
    assert response.status_code == 200, response.text
    return response.json()["configuration"]


def parameters_of(api, key):
    return api.get(f"/instances/{key}/configuration")["instance"]["configuration"]


def own_of(api, key):
    return api.show(key)["own_configuration"]["id"]


# --- one for all ------------------------------------------------------------------------------------------------------------


def test_a_cluster_is_made_with_one_and_new_members_have_it_too(api):
    kept = configuration(api)
    made = api.make_cluster(configuration=kept["id"])
    assert made["configuration"]["id"] == kept["id"] and made["configuration"]["name"] == "mine"
    api.act_on_cluster("grow", [{}, {"type": "arbiter"}])
    assert [parameters_of(api, f"c-{n}").get("wait_timeout") for n in range(1, 6)] == [60, 60, 60, 60, None]
    assert sorted(each["name"] for each in api.get("/configurations/mine/instances")["instances"]) == ["c-1", "c-2", "c-3", "c-4"]
    assert "detach it there first" in message(api.ask("DELETE", "/configurations/mine"), 400, "badRequest")


def test_it_is_attached_and_taken_off_and_takes_effect_at_once_where_servers_can(api):
    kept = configuration(api)
    api.make_cluster()
    assert api.act_on_cluster("configuration_attach", {"configuration_id": kept["id"]}).status_code == 202
    assert api.cluster()["configuration"]["id"] == kept["id"] and parameters_of(api, "c-2")["wait_timeout"] == 60
    api.ask("PATCH", "/configurations/mine", {"configuration": {"values": {"wait_timeout": 70}}})
    assert parameters_of(api, "c-2")["wait_timeout"] == 70 and {each["status"] for each in api.cluster()["instances"]} == {"ACTIVE"}
    assert api.act_on_cluster("configuration_detach").status_code == 202
    assert "configuration" not in api.cluster() and "wait_timeout" not in parameters_of(api, "c-2")
    assert api.ask("DELETE", "/configurations/mine").status_code == 202


def test_what_servers_do_not_take_while_they_run_comes_with_a_restart(api):
    configuration(api, thread_stack=400_000)
    api.make_cluster()
    api.act_on_cluster("configuration_attach", {"configuration_id": "mine"})
    assert {each["status"] for each in api.cluster()["instances"]} == {"RESTART_REQUIRED"} and api.cluster()["status"] == "ACTIVE"
    assert api.act_on_cluster("restart").status_code == 202
    assert {each["status"] for each in api.cluster()["instances"]} == {"ACTIVE"}


def test_a_configuration_is_for_one_version_of_one_datastore(api):
    configuration(api, "old", {"type": "galera", "version": "10.11"})
    configuration(api, "other", {"type": "mariadb"})
    api.make_cluster()
    for name in ("old", "other"):
        assert "not for galera 11.8" in message(api.act_on_cluster("configuration_attach", {"configuration_id": name}), 400, "badRequest")
    message(api.act_on_cluster("configuration_attach", {"configuration_id": "nobody"}), 404, "itemNotFound")
    assert "configuration" not in api.cluster()


def test_a_cluster_that_is_stopped_or_busy_keeps_its_parameters():
    with served(Memory(6, lively=False, datastores={"galera": ["11.8"]})) as api:
        configuration(api)
        api.make_cluster()
        refused = message(api.act_on_cluster("configuration_attach", {"configuration_id": "mine"}), 422, "unprocessableEntity")
        assert "busy with create" in refused
        api.pool.settle()
        api.act_on_cluster("stop")
        refused = message(api.act_on_cluster("configuration_attach", {"configuration_id": "mine"}), 422, "unprocessableEntity")
        assert "busy with stop" in refused or "is stopped" in refused
        api.pool.settle()
        assert "is stopped" in message(api.act_on_cluster("configuration_detach"), 422, "unprocessableEntity")
        assert "configuration" not in api.cluster()


def test_what_changes_while_a_cluster_is_stopped_comes_with_a_restart(api):
    configuration(api)
    api.make_cluster(configuration="mine")
    api.act_on_cluster("stop")
    assert api.ask("PATCH", "/configurations/mine", {"configuration": {"values": {"wait_timeout": 70}}}).status_code == 200
    api.act_on_cluster("start")
    api.pool.now += 10
    api.pool.settle()
    assert {each["status"] for each in api.cluster()["instances"]} == {"RESTART_REQUIRED"} and api.cluster()["serving"] == 3
    assert api.act_on_cluster("restart").status_code == 202
    assert {each["status"] for each in api.cluster()["instances"]} == {"ACTIVE"} and parameters_of(api, "c-1")["wait_timeout"] == 70


# --- one for each, which Baton makes ----------------------------------------------------------------------------------------


def test_each_member_has_one_of_its_own_which_is_listed_and_shown(api):
    mine = configuration(api)
    made = api.make_cluster(instances=[{"flavorRef": "1"}] * 2 + [{"flavorRef": "1", "type": "arbiter"}], configuration="mine")
    listed = {each["id"]: each for each in api.get("/configurations")["configurations"]}
    assert [*listed] == sorted(listed) and len(listed) == 4 and listed[mine["id"]]["read_only"] is False
    keys = [own_of(api, each["id"]) for each in made["instances"]]
    assert {*keys, mine["id"]} == {*listed} and all(listed[key]["read_only"] and listed[key]["instance_count"] == 1 for key in keys)
    shown = api.get(f"/configurations/{keys[0]}")["configuration"]
    (whole,) = api.pool.sets()
    first, last = made["instances"][0]["id"], made["instances"][2]["id"]
    assert shown["values"] == {
        "server_id": whole.members[first].own["server_id"], "port": 3306, "bind_address": "192.0.2.1",
        "wsrep_cluster_name": f"{made['id'].replace('-', '')[:24]}-1", "wsrep_node_name": first, "wsrep_node_address": "192.0.2.1:13306",
        "wsrep_provider_options": "gmcast.segment=0",
    }  # fmt: skip
    assert {**shown["values"], "wait_timeout": 60} == parameters_of(api, first)
    assert "server_id" not in parameters_of(api, last) and "wait_timeout" not in parameters_of(api, last)
    assert api.get(f"/configurations/{keys[0]}/instances")["instances"] == [{"id": first, "name": "c-1"}]
    assert {name for key in keys for name in api.get(f"/configurations/{key}")["configuration"]["values"]} <= {
        name for name, known in PARAMETERS["galera"].items() if known.read_only and not known.hidden
    }


def test_nobody_changes_takes_away_or_attaches_what_baton_made(api):
    api.make_cluster()
    api.make(datastore={"type": "mariadb"})
    key = own_of(api, "c-1")
    for method, path, body in (
        ("PATCH", f"/configurations/{key}", {"configuration": {"values": {"port": 1}}}),
        ("PUT", f"/configurations/{key}", {"configuration": {"values": {}}}),
        ("DELETE", f"/configurations/{key}", None),
        ("POST", "/clusters/c/action", {"configuration_attach": {"configuration_id": key}}),
        ("PUT", "/instances/db", {"instance": {"configuration": key}}),
    ):
        assert "it is read-only, stays with it" in message(api.ask(method, path, body), 403, "forbidden")
    assert own_of(api, "c-1") == key and api.pool.kept == {}


def test_it_goes_with_its_member_and_no_other_project_sees_it(api):
    api.make_cluster(size=4)
    key = own_of(api, "c-1")
    message(api.ask("GET", f"/configurations/{key}", token="other-token", project="other"), 404, "itemNotFound")
    assert api.get("/configurations", token="other-token", project="other") == {"configurations": []}
    api.ask("DELETE", "/clusters/c/nodes/c-1")
    message(api.ask("GET", f"/configurations/{key}"), 404, "itemNotFound")


# --- which parameters there are ---------------------------------------------------------------------------------------------


def test_no_parameter_that_can_be_set_weakens_what_baton_promises():
    settable = {name for name, known in PARAMETERS["galera"].items() if not known.read_only}
    for word in ("gtid", "semi_sync", "read_only", "sync_binlog", "log_bin", "ssl", "datadir", "plugin", "init_", "super", "autoinc"):
        assert {name for name in settable if word in name} <= {"log_bin_trust_function_creators"}, word
    assert {name for name in settable if name.startswith("wsrep")} == {
        "wsrep_log_conflicts", "wsrep_max_ws_rows", "wsrep_max_ws_size", "wsrep_retry_autocommit", "wsrep_slave_threads", "wsrep_sync_wait",
    }  # fmt: skip


def test_the_server_knows_each_parameter():
    try:
        done = subprocess.run(["mariadbd", "--no-defaults", "--verbose", "--help"], capture_output=True, text=True, timeout=60, check=True)
    except FileNotFoundError:
        pytest.fail("there is no mariadbd: run `make system`")
    known = set(re.findall(r"^([a-z0-9-]+) ", done.stdout[done.stdout.index("Variables (--variable-name=value)") :], re.MULTILINE))
    settable = {name.replace("_", "-") for name, parameter in PARAMETERS["galera"].items() if not parameter.read_only}
    assert settable - known == set() and not settable & OURS


def test_parameters_say_what_they_take_and_who_sets_them(api):
    listed = {each["name"]: each for each in api.get("/datastores/galera/versions/11.8/parameters")["configuration-parameters"]}
    assert (listed["wsrep_sync_wait"]["max"], listed["wsrep_sync_wait"]["read_only"], listed["wsrep_on"]["read_only"]) == (15, False, True)
    assert not {"wsrep_sst_auth", "wsrep_provider", "auto_increment_offset", "gtid_domain_id", "ssl_key"} & {*listed}


@pytest.mark.parametrize("values", [{"wsrep_on": False}, {"innodb_autoinc_lock_mode": 1}, {"wsrep_provider": "x"}, {"wsrep_sync_wait": 16}])
def test_values_that_can_not_be_are_refused(api, values):
    body = {"configuration": {"name": "c", "values": values, "datastore": FOR}}
    message(api.ask("POST", "/configurations", body), 422, "unprocessableEntity")


def test_a_list_is_one_look_at_the_cluster_however_long_it_is(api, monkeypatch):
    """The cluster sends all that it has of a kind each time."""
    for number in range(2):
        api.make_cluster(f"c{number}")
    asked = []
    for name in ("sets", "hosts", "configurations"):
        monkeypatch.setattr(api.pool, name, lambda name=name, real=getattr(api.pool, name): asked.append(name) or real())
    for path in ("/clusters", "/configurations"):
        asked.clear()
        assert api.get(path)[path[1:]] and sorted(asked) == ["configurations", "hosts", "sets"]
