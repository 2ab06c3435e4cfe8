# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task of datastore_cluster, against the API of datastores over a pool in memory, whose guests do what the manager says."""

import threading

import pytest

from baton.datastores.model.passwords import hashed
from baton.tasks import datastore_work
from support.cluster import until
from support.datastores_api import served
from support.pool import Memory
from support.tasks import run_on_datastores

OFFERED = {"galera": ["10.11", "11.8"], "mariadb": ["10.11"]}


def pool(hosts=6, **more):
    return Memory(hosts=hosts, datastores=OFFERED, **more)


@pytest.fixture
def api():
    with served(pool()) as api:
        yield api


@pytest.fixture
def spread():
    """A pool in two regions, four hosts in each."""
    with served(pool(hosts=8, regions=("eu", "us"))) as api:
        yield api


@pytest.fixture
def slow(monkeypatch):
    """Guests do nothing until the test says ``slow.pool.settle()``."""
    monkeypatch.setattr(datastore_work, "LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(datastore_work, "FIRST_PAUSE", 0.01)
    with served(pool(lively=False)) as api:
        yield api


MADE = {"name": "db", "flavor": "1"}
SAME = ("changed", "steps", "diff", "version", "configuration", "restart_required")


def run(api, check=False, **options):
    return run_on_datastores(api, "datastore_cluster", check, **{**MADE, **options})


def done(api, **options):
    """Run a task that succeeds, foretells in check mode what it does, and does nothing the second time."""
    before = run(api, check=True, **options)
    result = run(api, **options)
    assert not result.get("failed"), result
    assert {name: before.get(name) for name in SAME} == {name: result[name] for name in SAME}
    again = run(api, **options)
    assert not again["changed"] and again["diff"]["before"] == again["diff"]["after"], again
    return result


def refused(api, **options):
    """Run a task that fails, in check mode, too; return its message."""
    before, result = run(api, check=True, **options), run(api, **options)
    assert before["failed"] and result["failed"] and before["msg"] == result["msg"], (before, result)
    assert "\n" not in result["msg"] and not result["changed"]
    return result["msg"]


def configuration(api, name, version="11.8", **values):
    wanted = {"name": name, "values": values, "datastore": {"type": "galera", "version": version}}
    response = api.ask("POST", "/configurations", {"configuration": wanted})
    assert response.status_code == 200, response.text


def members(result):
    return [(each["name"], each["type"], each["region"], each["status"]) for each in result["members"]]


def names(api):
    return sorted(each["name"] for cluster in api.get("/clusters")["clusters"] for each in cluster["instances"])


def host_of(result, name):
    return next(each["host"] for each in result["members"] if each["name"] == name)


# --- what it brings about -------------------------------------------------------------------------------------------------


def test_a_cluster_is_made_by_one_task(api):
    result = done(api, size=3, volume=5, version="10.11")
    assert result["steps"] == ["make cluster db: db-1 (data), db-2 (data), db-3 (data)"] and result["diff"]["before"] == ""
    assert members(result) == [(f"db-{number}", "data", "eu", "ACTIVE") for number in (1, 2, 3)]
    told = {"name": "db", "status": "ACTIVE", "datastore": "galera", "version": "10.11", "serving": 3, "task": None, "fault": None}
    assert {name: result[name] for name in told} == told
    first = result["members"][0]
    assert result["addresses"][0] == f"{first['address']}:3306" and len(set(result["addresses"])) == 3
    assert (first["flavor"], first["volume"], first["cluster"]) == ("1", 5, result["id"])


def test_members_come_and_go_by_their_number(api):
    done(api, size=2, arbiters=1)
    assert done(api, size=4)["steps"] == ["add db-4 (data, eu), db-5 (data, eu)"]
    result = done(api, size=3, arbiters=0)
    assert result["steps"] == ["take db-3, db-5 away"]
    assert names(api) == ["db-1", "db-2", "db-4"]


def test_members_come_and_go_by_region_and_type(spread):
    three = [{"region": "eu", "count": 2}, {"region": "us", "type": "arbiter"}]
    made = done(spread, members=three)
    assert [each[1:3] for each in members(made)] == [("data", "eu"), ("data", "eu"), ("arbiter", "us")]
    assert made["diff"]["after"]["members"]["db-3"] == {"type": "arbiter", "region": "us", "restart_required": False}
    moved = done(spread, members=[{"region": "eu"}, {"region": "us"}, {"region": "us", "type": "arbiter"}])
    assert moved["steps"] == ["add db-4 (data, us)", "take db-2 away"] and names(spread) == ["db-1", "db-3", "db-4"]
    assert "members of db are in eu, us: say with members" in refused(spread, size=3)


def test_databases_and_users_are_made_with_it_and_passwords_stay_secret(api):
    users = [{"name": "app", "password": "very-secret", "databases": ["shop"]}]
    result = done(api, size=3, databases=[{"name": "shop", "character_set": "utf8mb4"}], users=users)
    assert "very-secret" not in str(result)
    (whole,) = api.pool.sets()
    own = whole.members[result["members"][0]["id"]].own
    assert own["users"] == [{"name": "app", "hash": hashed("very-secret"), "databases": [{"name": "shop"}]}]
    assert own["databases"] == [{"name": "shop", "character_set": "utf8mb4"}]


def test_a_configuration_comes_to_all_and_is_taken_off(api):
    configuration(api, "c", wait_timeout=60)
    assert done(api, size=2, arbiters=1, configuration="c")["configuration"] == "c"
    assert [each["configuration"] for each in done(api, size=3)["members"]] == ["c", "c", None, "c"]
    assert done(api, configuration="")["steps"] == ["take its configuration off db"]
    assert done(api, configuration="c")["steps"] == ["change the configuration of db"]


def test_what_needs_a_restart_is_restarted_if_it_is_asked_for(api):
    configuration(api, "c", performance_schema=True)
    done(api, size=3)
    assert done(api, configuration="c")["restart_required"] == ["db-1", "db-2", "db-3"]
    assert done(api, restart="required")["steps"] == ["restart db, one member after the other"]
    assert done(api, configuration="", restart="required")["restart_required"] == []
    for _twice in range(2):
        assert run(api, restart="always")["steps"] == ["restart db, one member after the other"]


def test_a_newer_version_comes_if_that_is_said(api):
    done(api, size=3, version="10.11")
    says = "version of db is 10.11, and not 11.8: say rolling to have its members upgraded one after the other"
    assert says in refused(api, version="11.8")
    result = done(api, version="11.8", rolling=True)
    assert result["steps"] == ["upgrade db to 11.8, one member after the other"] and result["version"] == "11.8"
    assert "there is no way back to 10.11" in refused(api, version="10.11", rolling=True)


def test_who_is_lost_is_replaced(api):
    made = done(api, size=3)
    assert run(api, replace=["lost"])["changed"] is False
    api.pool.dies(host_of(made, "db-2"))
    result = run(api, replace=["lost"])
    assert result["steps"] == ["replace db-2"] and names(api) == ["db-1", "db-3", "db-4"] and result["serving"] == 3
    again = run(api, replace=["lost", "db-2"])
    assert not again["changed"] and "replace: db-2 is none of the members of db" in again["warnings"][0]
    told = run(api, check=True, replace=["db-1"])
    assert told["steps"] == ["replace db-1"] and "in place of db-1" in told["diff"]["after"]["members"]
    assert run(api, replace=["db-1"])["steps"] == ["replace db-1"] and "db-1" not in names(api)


def test_who_could_not_be_made_is_told_of_and_made_anew(api):
    done(api, size=3)
    api.pool.refuse["prepare"] = "the disk is full"
    failed = run(api, size=4)
    assert failed["failed"] and "add db-4 (data, eu): db-4 is ERROR" in failed["msg"] and "the disk is full" in failed["msg"]
    api.pool.refuse.clear()
    again = run(api, size=4)
    assert not again["changed"] and again["serving"] == 3 and "the disk is full" in again["warnings"][0]
    result = run(api, replace=["db-4"])
    assert result["steps"] == ["take db-4 away", "add db-5 (data, eu)"] and result["serving"] == 4, result
    assert not run(api, replace=["db-4"])["changed"]


def test_one_goes(api):
    done(api, size=3)
    gone = done(api, state="absent", flavor=None)
    assert gone["steps"] == ["take db away"] and gone["id"] is None and gone["diff"]["after"] == "" and names(api) == []


def test_one_goes_by_force_though_a_host_is_not_heard(api):
    api.pool.dies(host_of(done(api, size=3), "db-2"))
    assert run(api, state="absent", force=True)["changed"] and names(api) == []


# --- what it refuses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "size is missing: say how many members with data there shall be, or list all with members"),
        ({"size": 3, "flavor": None}, "flavor is missing: say what its members need; baton.ha.datastore_info has what there is"),
        ({"size": 3, "flavor": "9"}, "there is no flavor '9'; there are 1 (small), 2 (large)"),
        ({"size": 3, "version": "5.5"}, "galera has no version '5.5'; it has 10.11, 11.8"),
        ({"size": 3, "datastore": "oracle"}, "there is no datastore 'oracle'; there are galera, mariadb"),
        ({"size": 3, "configuration": "none"}, "there is no configuration 'none'; there are none"),
        ({"size": 2}, "3 in all is the least, since of fewer none can be lost: ask for more"),
        ({"size": 3, "arbiters": -1}, "arbiters is a number from 0, not -1"),
        ({"members": [{"region": "eu", "count": -1}]}, "count of members is a number from 0, not -1"),
        ({"size": 3, "members": [{"region": "eu"}]}, "parameters are mutually exclusive: size|members"),
        ({"size": 3, "id": "nobody"}, "there is no cluster with the id nobody"),
        ({"size": 3, "datastore": "mariadb"}, "clusters of mariadb are not offered"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_is_made(api, options, says):
    result = run(api, **options)
    assert result["failed"] and says in result["msg"] and names(api) == [], result
    assert options.get("datastore") == "mariadb" or run(api, check=True, **options).get("msg") == result["msg"]


def test_what_a_cluster_keeps_is_not_changed_silently(api):
    made = done(api, size=3, volume=5)
    for options, says in (
        ({"flavor": "2"}, "flavor of db-1 is 1, and stays so: leave it out, or make another cluster with flavor 2 and move the data"),
        ({"volume": 6}, "volume of db-1 is 5, and stays so"),
        ({"datastore": "mariadb"}, "datastore of db is galera, and stays so"),
        ({"id": made["id"], "name": "shop"}, f"cluster {made['id']} is called db, and keeps its name: say name db"),
        ({"size": 2}, "db would have 2 members with data and 0 arbiters; 3 in all is the least"),
    ):
        assert says in refused(api, **options)
    assert not run(api, flavor="small", volume=5, version="11.8", datastore="galera", id=made["id"])["changed"]


def test_a_configuration_is_for_the_version_that_the_cluster_will_have(api):
    configuration(api, "old", "10.11", wait_timeout=60)
    configuration(api, "new", "11.8", wait_timeout=60)
    done(api, size=3, version="10.11", configuration="old")
    says = "configuration new is for galera 11.8, and not for galera 10.11: make one for that"
    assert says in refused(api, configuration="new")
    upgraded = done(api, configuration="new", version="11.8", rolling=True)
    assert upgraded["steps"][1] == "change the configuration of db" and upgraded["configuration"] == "new"


def test_nobody_leaves_with_the_majority(api):
    made = done(api, size=6)
    for name in ("db-1", "db-2", "db-3", "db-4"):
        api.pool.dies(host_of(made, name))
    says = "db-4 can't leave, since of those that stay 2 of 5 serve (db-1 is ERROR: its guest is not heard, "
    assert says in refused(api, size=5) and len(names(api)) == 6


def test_a_cluster_that_could_not_be_made_is_an_error_with_its_reason(api):
    api.pool.refuse["form"] = "the port is taken"
    result = run(api, size=3)
    assert result["failed"] and "make cluster db: db-1 (data), db-2 (data), db-3 (data): db-1 is ERROR" in result["msg"]
    api.pool.refuse.clear()
    says = refused(api, size=3)
    assert "db could not be made (" in says and "the port is taken" in says and "take it away with state absent, and make it again" in says
    assert run(api, state="absent")["changed"] and done(api, size=3)["serving"] == 3


def test_a_step_that_failed_is_an_error_with_its_reason(api):
    done(api, size=3)
    api.pool.refuse["restart"] = "it does not start with that"
    result = run(api, restart="always")
    assert result["failed"] and "restart has failed: restart: " in result["msg"] and "it does not start with that" in result["msg"], result


def test_a_cluster_that_does_not_serve_is_told_of_and_left_as_it_is(api):
    made = done(api, size=3)
    for name in ("db-1", "db-2"):
        api.pool.dies(host_of(made, name))
    result = run(api, size=3)
    assert not result["changed"] and result["serving"] == 1 and len(result["addresses"]) == 1
    assert result["warnings"][:2] == ["db-1 is ERROR: its guest is not heard", "db-2 is ERROR: its guest is not heard"]
    for options in ({"size": 4}, {"replace": ["lost"]}, {"restart": "always"}):
        refusal = run(api, wait_timeout=5, **options)
        assert refusal["failed"] and not refusal["changed"] and "1 of 3 members serve" in refusal["msg"], refusal


def test_a_cluster_that_people_have_stopped_is_not_started_unasked(api):
    done(api, size=3)
    assert api.ask("POST", "/clusters/db", {"stop": {}}).status_code == 202
    assert run(api, size=3)["status"] == "SHUTDOWN"
    stopped = run(api, size=4, wait_timeout=5)
    assert stopped["failed"] and "is stopped; start it first" in stopped["msg"], stopped


def test_a_refusal_of_the_api_is_said(api):
    done(api, size=3)
    result = run(api, size=7)
    assert result["failed"] and not result["changed"] and "4 hosts are needed" in result["msg"], result


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
    thread, result = in_thread(slow, size=3)
    settle(slow, thread)
    assert result()["serving"] == 3 and result()["pending"] == []


def test_without_waiting_it_begins_one_thing_and_says_what_is_left(slow):
    configuration(slow, "c", wait_timeout=60)
    result = run(slow, size=3, wait=False)
    assert result["changed"] and result["status"] == "BUILD" and result["pending"] == []
    slow.pool.settle()
    result = run(slow, size=4, configuration="c", wait=False)
    assert result["steps"] == ["change the configuration of db"] and result["pending"] == ["add db-4 (data, eu)"]
    busy = run(slow, size=4, configuration="c", wait=False)
    assert not busy["changed"] and busy["pending"] == ["add db-4 (data, eu)"]
    slow.pool.settle()
    assert run(slow, size=4, configuration="c", wait=False)["steps"] == ["add db-4 (data, eu)"]


def test_what_has_been_begun_is_not_left_to_do(slow):
    run(slow, size=4, wait=False)
    slow.pool.settle()
    result = run(slow, size=3, wait=False)
    assert result["steps"] == ["take db-4 away"] and result["pending"] == []
    assert not run(slow, size=3, wait=False)["changed"]
    slow.pool.settle()
    result = run(slow, size=3, replace=["db-2"], wait=False)
    assert result["steps"] == ["replace db-2"] and result["pending"] == []


def test_what_another_has_begun_is_waited_for(slow):
    run(slow, size=4, wait=False)
    for size in (4, 3):
        run(slow, size=size, wait=False)
        thread, result = in_thread(slow, size=size)
        settle(slow, thread)
        assert not result()["changed"] and result()["serving"] == size == len(result()["members"])


def test_a_time_that_is_up_says_what_is_being_done(slow):
    result = run(slow, size=3, wait_timeout=0.1)
    assert result["failed"] and result["changed"]
    assert ": BUILDING" in result["msg"] and "still after 0.1 s; it goes on by itself" in result["msg"]


def test_a_cluster_that_is_busy_is_waited_for(slow):
    run(slow, size=3, wait=False)
    slow.pool.settle()
    assert slow.ask("POST", "/clusters/db", {"restart": {}}).status_code == 202
    thread, result = in_thread(slow, size=4)
    settle(slow, thread)
    assert result()["steps"] == ["add db-4 (data, eu)"]


def test_twenty_hosts_make_one_cluster_and_no_member_too_many(api):
    for size in (3, 5):
        threads = [in_thread(api, size=size) for _host in range(20)]
        results = [result() for _thread, result in threads]
        assert not [result for result in results if result.get("failed")], results
        assert names(api) == [f"db-{number}" for number in range(1, size + 1)]


def test_progress_is_said(slow, monkeypatch):
    monkeypatch.setattr("baton.client.progress.EVERY", 0.03)
    monkeypatch.setattr("baton.client.progress.SLACK", 0.0)
    lines = []
    run_on_datastores(slow, "datastore_cluster", say=lines.append, **MADE, size=3, wait_timeout=0.2)
    assert lines and all(": BUILDING" in line and "; waited " in line for line in lines), lines


# --- what is told of it beside --------------------------------------------------------------------------------------------


def info(api, **options):
    return run_on_datastores(api, "datastore_info", **options)


def test_clusters_are_told_of_beside_instances(api):
    configuration(api, "c", wait_timeout=60)
    made = done(api, size=2, arbiters=1, configuration="c")
    api.make("alone")
    done(api, name="a", size=3)
    found = info(api, gather=["instances", "clusters", "configurations"])
    assert [each["name"] for each in found["clusters"]] == ["a", "db"] and [each["name"] for each in found["instances"]] == ["alone"]
    same = ("id", "name", "status", "version", "configuration", "serving", "addresses", "members")
    assert {name: found["clusters"][1][name] for name in same} == {name: made[name] for name in same}
    assert [(each["name"], each["attached_to"]) for each in found["configurations"]] == [("c", ["db"])]


def test_one_cluster_and_what_was_done_with_it(api):
    made = done(api, size=3)
    done(api, name="other", size=3)
    for chosen in ({"name": "db"}, {"name": "db-2"}, {"id": made["id"]}, {"id": made["members"][0]["id"]}):
        found = info(api, gather=["instances", "clusters", "history"], **chosen)
        assert [each["name"] for each in found["clusters"]] == ["db"] and found["instances"] == []
        assert found["history"][-1]["what"] == "create is done" and {each["set"] for each in found["history"]} == {made["id"]}
    assert info(api, name="nobody")["clusters"] == []


def configured(api, check=False, **options):
    return run_on_datastores(api, "datastore_configuration", check, name="c", datastore="galera", **options)


def test_values_of_a_configuration_come_to_the_cluster_that_has_it(api):
    configured(api, values={"wait_timeout": 60})
    done(api, size=3, configuration="c")
    changed = configured(api, values={"performance_schema": True})
    assert changed["restart_required"] == ["db-1", "db-2", "db-3"]
    assert done(api, restart="required")["restart_required"] == []
    says = "c is attached to db: have baton.ha.datastore_cluster take it off there before"
    assert says in configured(api, state="absent")["msg"] and says in configured(api, check=True, state="absent")["msg"]
    done(api, configuration="")
    assert configured(api, state="absent")["changed"]


def test_a_configuration_is_taken_up_before_its_task_ends(slow):
    configured(slow, values={"wait_timeout": 60})
    run(slow, size=3, configuration="c", wait=False)
    slow.pool.settle()
    found = []
    thread = threading.Thread(target=lambda: found.append(configured(slow, values={"wait_timeout": 61})))
    thread.start()
    settle(slow, thread)
    thread.join(20)
    assert found[0]["changed"] and run(slow)["task"] is None
