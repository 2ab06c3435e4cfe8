# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks of datastore_configuration and datastore_info, against the API of datastores over a pool in memory."""

import threading

import pytest

from baton.client.datastores import Datastores
from baton.tasks import datastore_work
from support.cluster import until
from support.datastores_api import served
from support.pool import Memory
from support.tasks import run_on_datastores


@pytest.fixture
def api():
    with served() as api:
        api.make("db")
        api.replicate("db", name="db-1")
        yield api


def run(api, check=False, **options):
    return run_on_datastores(api, "datastore_configuration", check, **{"name": "c", **options})


def info(api, **options):
    return run_on_datastores(api, "datastore_info", **options)


def done(api, **options):
    """Run a task that succeeds, and foretells in check mode what it does; return its configuration and whether it changed."""
    before, result = run(api, check=True, **options), run(api, **options)
    assert not result.get("failed"), result
    assert (before["changed"], before["diff"]) == (result["changed"], result["diff"])
    again = run(api, **options)
    assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"] == result["diff"]["after"], again
    return result["configuration"], result["changed"]


def refused(api, **options):
    before, result = run(api, check=True, **options), run(api, **options)
    assert before["failed"] and result["failed"] and "\n" not in result["msg"] and not result["changed"]
    return before["msg"], result["msg"]


def test_values_are_merged_or_replaced():
    with served() as api:
        made, changed = done(api, values={"wait_timeout": 60}, description="mine", version="10.11")
        assert changed and made["values"] == {"wait_timeout": 60} and (made["datastore"], made["version"]) == ("mariadb", "10.11")
        assert done(api, values={"max_connections": 20})[0]["values"] == {"wait_timeout": 60, "max_connections": 20}
        assert done(api, values={"max_connections": 30}, replace=True)[0]["values"] == {"max_connections": 30}
        assert done(api, description="")[0] == {**made, "values": {"max_connections": 30}, "description": ""}
        assert done(api, replace=True)[1] is False  # no values are said, so none are replaced
        assert done(api, values={}, replace=True)[0]["values"] == {}
        assert done(api, id=made["id"], name="d")[0]["name"] == "d"
        assert done(api, name="d", state="absent") == (None, True)


def test_a_boolean_is_no_number():
    with served() as api:
        done(api, values={"innodb_purge_threads": 1})
        assert "innodb_purge_threads is a whole number" in run(api, values={"innodb_purge_threads": True})["msg"]


def test_it_is_attached_to_those_that_are_named_and_to_no_others(api):
    assert done(api, values={"performance_schema": True}, attached_to=["db", "db-1"])[0]["attached_to"] == ["db", "db-1"]
    assert run(api)["restart_required"] == ["db", "db-1"]
    assert done(api, attached_to=["db-1"])[0]["attached_to"] == ["db-1"] and "configuration" not in api.show("db")
    assert done(api, values={"performance_schema": False})[0]["attached_to"] == ["db-1"]
    assert done(api, attached_to=[])[0]["attached_to"] == []


def test_one_that_is_attached_goes_only_if_that_is_said(api):
    done(api, values={}, attached_to=["db"])
    for says in refused(api, state="absent"):
        assert says == "c is attached to db: say attached_to [], which takes it off them before"
    assert done(api, state="absent", attached_to=[]) == (None, True) and "configuration" not in api.show("db")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"values": {"port": 1}}, "port is read-only: Baton sets it for each instance; leave it out"),
        ({"values": {"nonsense": 1}}, "mariadb has no parameter 'nonsense' that can be set; "),
        ({"values": {"datadir": "/"}}, "mariadb has no parameter 'datadir' that can be set; "),
        ({"version": "5.5"}, "mariadb has no version '5.5'; it has 10.11, 11.8"),
        ({"attached_to": ["nobody"]}, "attached_to: there is no instance 'nobody'"),
        ({"id": "nobody"}, "there is no configuration with the id nobody"),
    ],
)
def test_what_can_not_be_is_refused_in_check_mode_too(api, options, says):
    assert all(said.startswith(says) for said in refused(api, **options)) and api.get("/configurations") == {"configurations": []}


def test_what_it_keeps_is_not_changed_silently(api):
    done(api, version="11.8")
    assert refused(api, version="10.11")[0] == "version of c is 11.8, and stays so: make another configuration"


def test_twenty_hosts_make_one(api):
    results = []
    threads = [threading.Thread(target=lambda: results.append(run(api, values={"wait_timeout": 60}))) for _host in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result["configuration"]["id"] for result in results}) == 1 == len(api.get("/configurations")["configurations"])


def test_numbers_that_templates_made_text_of_are_numbers():
    with served() as api:
        values = {"wait_timeout": "60", "long_query_time": "0.5", "autocommit": "True", "sql_mode": "1"}
        result = run(api, text_for_numbers=True, values=values)
        assert result["configuration"]["values"] == {"wait_timeout": 60, "long_query_time": 0.5, "autocommit": True, "sql_mode": "1"}
        assert "wait_timeout is a whole number" in run(api, values={"wait_timeout": "60"})["msg"]
        assert "wait_timeout is a whole number" in run(api, text_for_numbers=True, values={"wait_timeout": "soon"})["msg"]


def test_a_busy_set_is_waited_for(monkeypatch):
    monkeypatch.setattr(datastore_work, "LONGEST_PAUSE", 0.02)
    with served(Memory(lively=False)) as slow:
        slow.make("db")
        results = []
        thread = threading.Thread(target=lambda: results.append(run(slow, values={"wait_timeout": 60}, attached_to=["db"])))
        thread.start()
        until(lambda: bool(slow.pool.settle()) and not thread.is_alive(), "the task ends")
        assert results[0]["configuration"]["attached_to"] == ["db"], results


# --- datastore_info -------------------------------------------------------------------------------------------------------


def test_all_there_is_is_told(api):
    run(api, values={"wait_timeout": 60}, attached_to=["db"], version="11.8")
    found = info(api)
    assert [(each["name"], each["role"], each["configuration"]) for each in found["instances"]] == [
        ("db", "source", "c"), ("db-1", "replica", None),
    ]  # fmt: skip
    assert found["datastores"] == [{"name": "mariadb", "versions": ["10.11", "11.8"], "default_version": "11.8"}]
    assert found["flavors"][0] == {"id": "1", "name": "small", "ram": 512, "vcpus": 1, "disk": 10}
    (kept,) = found["configurations"]
    assert kept["values"] == {"wait_timeout": 60} and kept["attached_to"] == ["db"]
    assert found["parameters"] == found["history"] == [] and not found["changed"]


def test_one_set_and_what_was_done_with_it(api):
    api.make("other")
    found = info(api, name="db-1", gather=["instances", "history"])
    assert [each["name"] for each in found["instances"]] == ["db", "db-1"] and found["flavors"] == []
    assert found["history"][-1]["what"] == "replicate is done"
    assert {each["set"] for each in found["history"]} == {found["instances"][0]["set"]}
    assert info(api, name="nobody")["instances"] == []


def test_parameters_of_a_version(api):
    known = {each["name"]: each for each in info(api, gather=["parameters"], version="10.11")["parameters"]}
    assert known["performance_schema"]["restart_required"] and known["server_id"]["read_only"] and known["wait_timeout"]["min"] == 1


def test_one_that_another_task_has_just_removed_is_gone(api, monkeypatch):
    """Between the list and the look at it."""
    look = Datastores.configuration

    def late(client, key):
        api.ask("DELETE", f"/configurations/{key}")
        return look(client, key)

    run(api, values={"wait_timeout": 60})
    monkeypatch.setattr(Datastores, "configuration", late)
    gone = run(api, state="absent")
    assert not gone.get("failed") and not gone["changed"] and gone["configuration"] is None
