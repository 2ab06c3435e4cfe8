# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task of datastore_instance, against the API of datastores over a pool in memory, whose guests do what the manager says."""

import threading

import pytest

from baton.client.datastores import Datastores
from baton.datastores.model.passwords import hashed
from baton.tasks import datastore_instance, datastore_work
from support.cluster import until
from support.datastores_api import served
from support.pool import Memory
from support.tasks import run_on_datastores


@pytest.fixture
def api():
    with served(Memory(hosts=5)) as api:
        yield api


@pytest.fixture
def slow(monkeypatch):
    """Guests do nothing until the test says ``slow.pool.settle()``."""
    monkeypatch.setattr(datastore_work, "LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(datastore_work, "FIRST_PAUSE", 0.01)
    with served(Memory(hosts=5, lively=False)) as api:
        yield api


MADE = {"name": "db", "flavor": "1"}


def run(api, check=False, **options):
    return run_on_datastores(api, "datastore_instance", check, **{**MADE, **options})


def done(api, **options):
    """Run a task that succeeds, and foretells in check mode what it does."""
    before = run(api, check=True, **options)
    result = run(api, **options)
    assert not result.get("failed"), result
    same = ("changed", "steps", "diff", "source", "restart_required")
    assert {name: before[name] for name in same} == {name: result[name] for name in same}
    again = run(api, **options)
    assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"], again
    return result


def refused(api, **options):
    """Run a task that fails, in check mode, too; return its message."""
    before, result = run(api, check=True, **options), run(api, **options)
    assert before["failed"] and result["failed"] and before["msg"] == result["msg"], (before, result)
    assert "\n" not in result["msg"] and not result["changed"]
    return result["msg"]


def configuration(api, name, **values):
    response = api.ask("POST", "/configurations", {"configuration": {"name": name, "values": values}})
    assert response.status_code == 200, response.text


def names(api):
    return sorted(each["name"] for each in api.get("/instances")["instances"])


# --- what it brings about -------------------------------------------------------------------------------------------------


def test_a_source_with_two_replicas_is_made_by_one_task(api):
    result = done(api, replicas=2, volume=5, version="10.11", region="eu")
    assert result["steps"] == ["make instance db", "make db-1, db-2 of db"] and result["diff"]["before"] == ""
    assert [(each["name"], each["role"], each["status"]) for each in result["instances"]] == [
        ("db", "source", "ACTIVE"), ("db-1", "replica", "ACTIVE"), ("db-2", "replica", "ACTIVE"),
    ]  # fmt: skip
    source = result["instances"][0]
    assert source["id"] == result["id"] and source["address"].startswith("192.0.2.") and source["port"] == 3306
    assert (source["datastore"], source["version"], source["flavor"], source["volume"]) == ("mariadb", "10.11", "1", 5)


def test_replicas_come_and_go_by_their_number(api):
    done(api, replicas=1)
    assert done(api, replicas=3)["steps"] == ["make db-2 of db", "make db-3 of db"]
    assert done(api, replicas=1)["steps"] == ["take db-3 away", "take db-2 away"]
    assert done(api, replicas=0)["steps"] == ["take db-1 away"] and names(api) == ["db"]


def test_another_becomes_the_source_and_the_set_is_the_same_by_each_name(api):
    done(api, replicas=2)
    result = done(api, source="db-2")
    assert result["source"] == "db-2" and result["steps"] == ["make db-2 the source"]
    assert result["diff"]["after"]["db"]["role"] == "replica" and not run(api, replicas=2)["changed"]
    assert done(api, source="db", replicas=0)["steps"] == ["make db the source", "take db-2 away", "take db-1 away"]


def test_databases_and_users_are_made_with_it_and_passwords_stay_secret(api):
    users = [{"name": "app", "password": "very-secret", "databases": ["shop"]}]
    result = done(api, databases=[{"name": "shop", "character_set": "utf8mb4"}], users=users)
    assert "very-secret" not in str(result)
    (whole,) = api.pool.sets()
    own = whole.members[result["id"]].own
    assert own["users"] == [{"name": "app", "hash": hashed("very-secret"), "databases": [{"name": "shop"}]}]
    assert "very-secret" not in str(whole.to_json())
    assert own["databases"] == [{"name": "shop", "character_set": "utf8mb4"}]


def test_a_configuration_comes_to_all_and_is_taken_off(api):
    configuration(api, "c", wait_timeout=60)
    done(api, replicas=1, configuration="c")
    assert {each["configuration"] for each in run(api)["instances"]} == {"c"}
    assert run(api, configuration="")["steps"] == ["take its configuration off db-1", "take its configuration off db"]
    result = run(api, configuration="c", replicas=2)
    assert {each["configuration"] for each in result["instances"]} == {"c"} and len(result["steps"]) == 3


def test_what_needs_a_restart_is_restarted_if_it_is_asked_for(api):
    configuration(api, "c", performance_schema=True)
    done(api)
    result = done(api, configuration="c")
    assert result["restart_required"] == ["db"] and result["diff"]["after"]["db"]["restart_required"]
    assert result["instances"][0]["status"] == "RESTART_REQUIRED"
    assert done(api, restart="required")["steps"] == ["restart db"]
    assert done(api, configuration="", restart="required")["steps"] == ["take its configuration off db", "restart db"]


def test_a_restart_that_is_asked_for_is_done_each_time_the_source_last(api):
    done(api, replicas=1)
    for _twice in range(2):
        result = run(api, restart="always")
        assert result["changed"] and result["steps"] == ["restart db-1", "restart db"]
    assert run(api, check=True, restart="always")["steps"] == ["restart db-1", "restart db"]
    assert not run(api, restart="required")["changed"]


def test_an_instance_is_renamed_by_its_id(api):
    made = done(api, replicas=1)
    assert done(api, name="shop", id=made["id"])["steps"] == ["rename db to shop"] and names(api) == ["db-1", "shop"]


def test_one_goes_or_all(api):
    done(api, replicas=2)
    gone = {"state": "absent", "flavor": None}
    assert done(api, name="db-2", **gone)["steps"] == ["take db-2 away"]
    done(api, source="db-1")
    assert done(api, whole_set=True, **gone)["steps"] == ["take db away", "take db-1 away"] and names(api) == []


def test_a_set_that_another_task_takes_away_is_waited_for(api, monkeypatch):
    """Its source goes last, which is not the one that it is known by."""
    done(api, replicas=1)
    done(api, source="db-1")
    done(api, name="db", state="absent")
    look, looks = Datastores.instances, []

    def late(client):
        found = look(client)
        looks.append(sorted(each["name"] for each in found))
        if len(looks) == 1:
            assert api.ask("DELETE", f"/instances/{found[0]['id']}").status_code == 202
        return found

    monkeypatch.setattr(Datastores, "instances", late)
    gone = run(api, state="absent", whole_set=True)
    assert not gone.get("failed") and not gone["changed"] and looks[0] == ["db-1"] and looks[-1] == [], (gone, looks)


def test_one_goes_by_force_though_its_host_is_not_heard(api):
    done(api, replicas=1)
    api.pool.dies(next(each["host"] for each in run(api)["instances"] if each["name"] == "db-1"))
    assert run(api, name="db-1", state="absent", force=True)["changed"] and names(api) == ["db"]


# --- what it refuses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"flavor": None}, "flavor is missing: say what the instance needs; baton.ha.datastore_info has what there is"),
        ({"flavor": "9"}, "there is no flavor '9'; there are 1 (small), 2 (large)"),
        ({"datastore": "oracle"}, "there is no datastore 'oracle'; there are mariadb"),
        ({"version": "5.5"}, "mariadb has no version '5.5'; it has 10.11, 11.8"),
        ({"configuration": "none"}, "there is no configuration 'none'; there are none"),
        ({"replicas": 15}, "replicas is a number from 0 to 14, not 15"),
        ({"replicas": -1}, "replicas is a number from 0 to 14, not -1"),
        ({"source": "db-1"}, "source db-1 is not in the set of db, which has db"),
        ({"id": "nobody"}, "there is no instance with the id nobody"),
        ({"wait_timeout": -1}, "wait_timeout is a number of seconds from 0, not -1"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_is_begun(api, options, says):
    assert says in refused(api, **options) and names(api) == []


def test_what_an_instance_keeps_is_not_changed_silently(api):
    done(api, volume=5, version="10.11")
    for options, says in (
        ({"flavor": "2"}, "flavor of db is 1, and stays so: leave it out, or make another instance with flavor 2 and move the data"),
        ({"volume": 6}, "volume of db is 5, and stays so"),
        ({"version": "11.8"}, "version of db is 10.11, and stays so"),
    ):
        assert says in refused(api, **options)
    assert not run(api, flavor="small", volume=5, version="10.11", datastore="mariadb")["changed"]


def test_no_second_set_is_made_where_one_of_its_name_may_be_left(api, monkeypatch):
    monkeypatch.setattr(datastore_instance, "GOING", 0.3)
    done(api, replicas=2)
    done(api, source="db-1")
    done(api, name="db", state="absent")
    says = "no instance is called db, but db-1, db-2 may be what is left of its set: name one of them with id, which renames it"
    assert says in refused(api) and says in refused(api, state="absent", whole_set=True)
    left = next(each["id"] for each in api.get("/instances")["instances"] if each["name"] == "db-1")
    assert done(api, id=left, replicas=2)["steps"] == ["rename db-1 to db", "make db-1 of db"]


def test_a_refusal_of_the_api_is_said_and_what_was_done_before_it(api):
    result = run(api, replicas=5)
    assert result["failed"] and result["changed"] and result["steps"] == ["make instance db"]
    assert "5 hosts are needed in region eu, and 4 can be had: h1 has one of the set" in result["msg"]


def test_an_instance_that_can_not_be_made_is_an_error_with_its_reason(api):
    api.pool.refuse["prepare"] = "the disk is full"
    result = run(api)
    assert result["failed"] and "make instance db: db is ERROR: prepare: " in result["msg"] and "the disk is full" in result["msg"]
    api.pool.refuse.clear()
    again = run(api)
    assert not again["changed"] and any("db is ERROR" in text and "the disk is full" in text for text in again["warnings"])


def test_a_step_that_was_undone_is_an_error_with_its_reason(api):
    done(api, replicas=1)
    api.pool.refuse["quiesce"] = "a statement does not end"
    result = run(api, source="db-1")
    assert result["failed"] and "make db-1 the source: promote has failed: " in result["msg"] and "does not end" in result["msg"]
    assert run(api)["source"] == "db"


# --- waiting --------------------------------------------------------------------------------------------------------------


def in_thread(api, **options):
    """Begin a task; return what gives its result."""
    found = []
    thread = threading.Thread(target=lambda: found.append(run(api, **options)))
    thread.start()

    def result():
        thread.join(20)
        return found[0]

    return thread, result


def settle(api, thread):
    until(lambda: bool(api.pool.settle()) and not thread.is_alive(), "the task ends")


def test_it_waits_until_all_is_done(slow):
    thread, result = in_thread(slow, replicas=1)
    settle(slow, thread)
    assert result()["steps"] == ["make instance db", "make db-1 of db"] and result()["pending"] == []


def test_without_waiting_it_begins_one_thing_and_says_what_is_left(slow):
    result = run(slow, replicas=1, wait=False)
    assert result["changed"] and result["steps"] == ["make instance db"] and result["pending"] == ["make db-1 of db"]
    result = run(slow, replicas=1, wait=False)
    assert not result["changed"] and result["pending"] == ["make db-1 of db"]
    slow.pool.settle()
    assert run(slow, replicas=1, wait=False)["steps"] == ["make db-1 of db"]
    slow.pool.settle()
    assert not run(slow, replicas=1, wait=False)["changed"]


def test_a_time_that_is_up_says_what_is_being_done(slow):
    result = run(slow, wait_timeout=0.1)
    assert result["failed"] and result["changed"]
    assert "make instance db: CREATE" in result["msg"] and "still after 0.1 s; it goes on by itself" in result["msg"]


def test_a_set_that_is_busy_is_waited_for(slow):
    run(slow, wait=False)
    slow.pool.settle()
    assert slow.act("db", "restart").status_code == 202
    thread, result = in_thread(slow, replicas=1)
    settle(slow, thread)
    assert result()["steps"] == ["make db-1 of db"]


def test_what_another_has_begun_to_make_is_waited_for(slow):
    run(slow, wait=False)
    thread, result = in_thread(slow)
    settle(slow, thread)
    assert not result()["changed"] and result()["instances"][0]["status"] == "ACTIVE"


def test_twenty_hosts_make_one_set_together(api):
    threads = [in_thread(api, replicas=2) for _host in range(20)]
    assert all(not result().get("failed") for _thread, result in threads) and names(api) == ["db", "db-1", "db-2"]


def test_progress_is_said(slow, monkeypatch):
    monkeypatch.setattr("baton.client.progress.EVERY", 0.03)
    monkeypatch.setattr("baton.client.progress.SLACK", 0.0)
    lines = []
    run_on_datastores(slow, "datastore_instance", say=lines.append, **MADE, wait_timeout=0.2)
    assert lines and all(line.startswith("make instance db: CREATE") and "; waited " in line for line in lines), lines
