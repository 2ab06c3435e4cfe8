# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations, and how instances have them."""

import re
import subprocess

import pytest

from baton.datastores.host.mariadb.config import OURS
from baton.datastores.service.api.parameters import PARAMETERS
from support.datastores_api import message


def make(api, name="c", values=None, **members):
    body = {"configuration": {"name": name, "values": {"wait_timeout": 60} if values is None else values, **members}}
    response = api.ask("POST", "/configurations", body)
    assert response.status_code == 200, response.text
    return response.json()["configuration"]


def show(api, key="c"):
    return api.get(f"/configurations/{key}")["configuration"]


def edit(api, method="PATCH", key="c", **members):
    return api.ask(method, f"/configurations/{key}", {"configuration": members})


def parameters_of(api, key="db"):
    return api.get(f"/instances/{key}/configuration")["instance"]["configuration"]


def test_a_configuration_is_made_shown_changed_replaced_and_deleted(api):
    made = make(api, description="mine", datastore={"type": "mariadb", "version": "10.11"})
    assert made["values"] == {"wait_timeout": 60} and made["datastore_version_name"] == "10.11" and made["instance_count"] == 0
    assert show(api) == show(api, made["id"]) == made
    (listed,) = api.get("/configurations")["configurations"]
    assert listed == {name: value for name, value in made.items() if name != "values"}
    assert edit(api, values={"max_connections": 20}).status_code == 200
    assert show(api)["values"] == {"wait_timeout": 60, "max_connections": 20}
    assert edit(api, "PUT", values={"autocommit": True}, name="d").status_code == 202
    assert show(api, "d")["values"] == {"autocommit": True} and show(api, "d")["description"] == "mine"
    assert api.ask("DELETE", "/configurations/d").status_code == 202 and api.get("/configurations") == {"configurations": []}


def test_a_repeat_with_its_key_makes_no_second_one(api):
    def ask(name):
        return api.ask("POST", "/configurations", {"configuration": {"name": name, "values": {}}}, headers={"Idempotency-Key": "k"})

    assert ask("c").json() == ask("c").json() and len(api.get("/configurations")["configurations"]) == 1
    assert "take a new one" in message(ask("d"), 422, "unprocessableEntity")
    api.pool.now += 601
    assert ask("c").status_code == 200 and len(api.get("/configurations")["configurations"]) == 2


def test_no_other_project_sees_it(api):
    made = make(api)
    message(api.ask("GET", f"/configurations/{made['id']}", token="other-token", project="other"), 404, "itemNotFound")
    assert api.get("/configurations", token="other-token", project="other") == {"configurations": []}


def test_an_instance_is_made_with_one_and_its_replicas_have_it_too(api):
    made = make(api)
    api.make(configuration="c")
    api.replicate("db")
    assert api.show("db")["configuration"]["id"] == api.show("replica")["configuration"]["id"] == made["id"]
    assert parameters_of(api)["wait_timeout"] == 60
    assert parameters_of(api)["server_id"] != parameters_of(api, "replica")["server_id"]
    assert sorted(each["name"] for each in api.get("/configurations/c/instances")["instances"]) == ["db", "replica"]
    assert "is attached to instance" in message(api.ask("DELETE", "/configurations/c"), 400, "badRequest")


def test_attached_to_an_instance_that_runs_it_takes_effect_at_once_where_the_server_can(api):
    made = make(api)
    api.make()
    assert api.ask("PUT", "/instances/db", {"instance": {"configuration": made["id"]}}).status_code == 202
    assert api.show("db")["status"] == "ACTIVE" and parameters_of(api)["wait_timeout"] == 60
    assert edit(api, values={"wait_timeout": 70}).status_code == 200
    assert api.show("db")["status"] == "ACTIVE" and parameters_of(api)["wait_timeout"] == 70
    assert api.ask("PUT", "/instances/db", {"instance": {"configuration": None}}).status_code == 202
    assert "configuration" not in api.show("db") and "wait_timeout" not in parameters_of(api)
    assert api.ask("DELETE", "/configurations/c").status_code == 202


def test_what_a_server_does_not_take_while_it_runs_needs_a_restart(api):
    make(api)
    api.make(configuration="c")
    api.pool.found["configure"] = {"restart": ["thread_stack"]}
    assert edit(api, values={"thread_stack": 400_000}).status_code == 200
    assert api.show("db")["status"] == "RESTART_REQUIRED"
    assert api.act("db", "restart").status_code == 202 and api.show("db")["status"] == "ACTIVE"


def test_what_a_server_refuses_is_said_until_a_restart_has_brought_it(api):
    make(api)
    api.make(configuration="c")
    api.pool.refuse["configure"] = "sql_mode can't be ODD"
    edit(api, values={"sql_mode": "ODD"})
    shown = api.show("db")
    assert shown["status"] == "RESTART_REQUIRED" and shown["fault"]["message"].endswith("sql_mode can't be ODD")
    api.act("db", "restart")
    assert api.show("db")["status"] == "ACTIVE" and "fault" not in api.show("db")


def test_all_instances_of_a_set_get_what_their_configuration_has_now(slow):
    make(slow)
    slow.make(configuration="c")
    slow.pool.settle()
    slow.replicate("db", many=2)
    slow.pool.settle()
    edit(slow, values={"wait_timeout": 70})
    assert {each["status"] for each in slow.get("/instances")["instances"]} == {"ACTIVE"}
    slow.pool.settle_once()
    orders = [order for channel in slow.pool.channels.values() for order in channel.orders.values()]
    assert [order.verb for order in orders] == ["configure"] * 3 and {order.args["parameters"]["wait_timeout"] for order in orders} == {70}
    slow.pool.settle()
    assert {each["status"] for each in slow.get("/instances")["instances"]} == {"ACTIVE"}


def test_a_busy_set_keeps_its_configuration_and_the_configuration_its_values(slow):
    make(slow)
    slow.make(configuration="c")
    assert "busy with create" in message(edit(slow, values={"wait_timeout": 1}), 422, "unprocessableEntity")
    assert show(slow)["values"] == {"wait_timeout": 60}
    response = slow.ask("PUT", "/instances/db", {"instance": {"configuration": None}})
    assert "busy with create" in message(response, 422, "unprocessableEntity")


def test_a_configuration_is_for_one_version(api):
    make(api, datastore={"type": "mariadb", "version": "10.11"})
    api.make()
    response = api.ask("PUT", "/instances/db", {"instance": {"configuration": "c"}})
    assert "is for mariadb 10.11, not for mariadb 11.8" in message(response, 400, "badRequest")
    assert "stays for mariadb 10.11" in message(edit(api, datastore={"version": "11.8"}, values={}), 400, "badRequest")


BAD_VALUES = {
    "max_connections is a whole number from 10 to 100000, not true": {"max_connections": True},
    "max_connections is a whole number from 10 to 100000, not '100'": {"max_connections": "100"},
    "max_connections is a whole number from 10 to 100000, not 9": {"max_connections": 9},
    "max_connections is a whole number from 10 to 100000, not 10.5": {"max_connections": 10.5},
    "max_connections is a whole number from 10 to 100000, not null": {"max_connections": None},
    "autocommit is true or false, not 1": {"autocommit": 1},
    "autocommit is true or false, not 'ON'": {"autocommit": "ON"},
    "long_query_time is a number from 0 to 31536000, not true": {"long_query_time": True},
    "binlog_row_image is one of MINIMAL, NOBLOB, FULL, not 'full'": {"binlog_row_image": "full"},
    "sql_mode is a string without spaces and quotes": {"sql_mode": "ANSI\n[client]"},
    "mariadb has no parameter 'colour' that can be set": {"colour": 1},
    "mariadb has no parameter 'datadir' that can be set": {"datadir": "/tmp"},
    "server_id is read-only: Baton sets it": {"server_id": 7},
    "sync_binlog is read-only": {"sync_binlog": 0},
    "read_only is read-only": {"read_only": False},
    "rpl_semi_sync_master_enabled is read-only": {"rpl_semi_sync_master_enabled": False},
}


@pytest.mark.parametrize(("why", "values"), BAD_VALUES.items(), ids=BAD_VALUES)
def test_values_that_can_not_be_are_refused_and_nothing_is_kept(api, why, values):
    response = api.ask("POST", "/configurations", {"configuration": {"name": "c", "values": {"wait_timeout": 5, **values}}})
    assert why in message(response, 422, "unprocessableEntity") and api.pool.kept == {}


@pytest.mark.parametrize(
    "members",
    [{"name": "c"}, {"values": {}}, {"name": "c", "values": []}, {"name": "", "values": {}}, {"name": "c", "values": {}, "colour": 1}],
)
def test_a_body_that_lacks_something_is_refused(api, members):
    message(api.ask("POST", "/configurations", {"configuration": members}), 400, "badRequest")


def test_an_edit_that_says_nothing_is_refused(api):
    make(api)
    assert "says nothing to change" in message(edit(api), 400, "badRequest")
    assert "values is missing" in message(edit(api, "PUT", name="x"), 400, "badRequest")


def test_no_parameter_that_can_be_set_weakens_what_baton_promises():
    settable = {name for name, known in PARAMETERS["mariadb"].items() if not known.read_only}
    for word in ("gtid", "semi_sync", "read_only", "sync_", "log_bin", "ssl", "datadir", "slave", "plugin", "init_", "super"):
        assert {name for name in settable if word in name} <= {"log_bin_trust_function_creators"}, word


def test_the_server_knows_each_parameter_and_does_not_refuse_to_start():
    try:
        done = subprocess.run(["mariadbd", "--no-defaults", "--verbose", "--help"], capture_output=True, text=True, timeout=60, check=True)
    except FileNotFoundError:
        pytest.fail("there is no mariadbd: run `make system`")
    known = set(re.findall(r"^([a-z0-9-]+) ", done.stdout[done.stdout.index("Variables (--variable-name=value)") :], re.MULTILINE))
    settable = {name.replace("_", "-") for name, parameter in PARAMETERS["mariadb"].items() if not parameter.read_only}
    assert settable - known == set() and not settable & OURS


@pytest.mark.parametrize(("path", "reads"), [("/configurations", 3), ("/instances", 3)])
def test_a_list_is_one_look_at_the_cluster_however_long_it_is(api, monkeypatch, path, reads):
    """The cluster sends all that it has of a kind each time."""
    for number in range(4):
        made = make(api, name=f"c{number}")
        api.make(f"db-{number}", configuration=made["id"])
    asked = []
    for name in ("sets", "hosts", "configurations"):
        monkeypatch.setattr(api.pool, name, lambda name=name, real=getattr(api.pool, name): asked.append(name) or real())
    found = api.get(path)[path[1:]]
    assert len(found) == 4 and len(asked) == reads == len(set(asked))
    assert path == "/instances" or [each["instance_count"] for each in found] == [1, 1, 1, 1]
