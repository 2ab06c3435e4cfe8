# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances over HTTP, in both dialects: their life, what is refused, and what is said of them meanwhile."""

import threading

import pytest

from baton.datastores.model.channel import Server
from support.datastores_api import message, served
from support.pool import Memory

# --- their life -----------------------------------------------------------------------------------------------------------


def test_an_instance_is_made_shown_and_found_by_name_and_id(api):
    users = [{"name": "joe", "password": "x", "databases": [{"name": "shop"}]}]
    made = api.make(volume={"size": "2"}, databases=[{"name": "shop"}], users=users)
    assert made["status"] == "ACTIVE" and made["operating_status"] == "HEALTHY" and made["volume"] == {"size": 2}
    assert made["datastore"] == {"type": "mariadb", "version": "11.8", "version_number": "11.8"}
    assert made["ip"] == ["192.0.2.1"] and made["port"] == 3306 and made["region"] == "eu" and made["hostname"] == "h1"
    assert made["flavor"]["id"] == "1" and "fault" not in made and "task" not in made and "slave" not in made
    assert api.show("db") == api.show(made["id"]) == made
    assert api.get("/instances") == api.get("/instances/detail") == {"instances": [made]}


def test_a_guest_is_told_all_that_a_server_is_made_of(slow):
    slow.make(volume={"size": 2}, databases=[{"name": "shop"}], datastore={"version": "10.11"})
    slow.pool.settle_once()
    (order,) = slow.pool.channels["h1"].orders.values()
    assert order.verb == "prepare" and order.args["flavor"] == {"id": "1", "name": "small", "ram": 512, "vcpus": 1, "disk": 10}
    assert (order.args["address"], order.args["port"], order.args["version"], order.args["volume"]) == ("192.0.2.1", 3306, "10.11", 2)
    assert order.args["databases"] == [{"name": "shop"}] and order.args["parameters"] == {} and order.args["server_id"] > 0
    assert sorted(order.args["secrets"]) == ["certificate", "key", "replication"]


def test_no_answer_has_a_secret(api):
    made = api.make(databases=[{"name": "shop"}], users=[{"name": "joe", "password": "sesame", "databases": [{"name": "shop"}]}])
    text = api.ask("GET", f"/instances/{made['id']}").text + api.ask("GET", f"/instances/{made['id']}/configuration").text
    (whole,) = api.pool.sets()
    assert "sesame" not in text and whole.secrets["key"].startswith("-----BEGIN PRIVATE KEY")
    assert not any(secret in text for secret in whole.secrets.values())


def test_replicas_are_made_of_a_source_and_numbered_when_they_are_several(api):
    source = api.make(volume={"size": 3})
    last = api.replicate(source["id"], many=2, name="copy")
    assert last["name"] == "copy-2" and last["replica_of"]["id"] == source["id"] and last["volume"] == {"size": 3}
    lag = {"lag_bytes": None, "lag_seconds": None}
    assert last["slave"] == {"of": source["id"], "read_only": True, "follows": True, "counts": True, **lag}
    shown = api.show("db")
    assert sorted(each["id"] for each in shown["replicas"]) == sorted(shown["slave"]["list"])
    names = {each["name"]: each["hostname"] for each in api.get("/instances")["instances"]}
    assert sorted(names) == ["copy-1", "copy-2", "db"] and len(set(names.values())) == 3


def test_the_draft_makes_a_replica_by_slave(api):
    source = api.make()
    made = api.ask("POST", "/instances", {"instance": {"name": "r", "slave": {"of": source["id"], "read_only": True}}}).json()["instance"]
    assert made["name"] == "r" and made["slave"]["of"] == source["id"]


def test_a_promotion_exchanges_source_and_replica(api):
    source = api.make()
    replica = api.replicate("db")
    assert api.act(replica["id"], "promote_to_replica_source").status_code == 202
    assert api.show(replica["id"])["slave"] == {"list": [source["id"]]} and api.show("db")["replica_of"]["id"] == replica["id"]


def test_replicas_go_before_their_source(api):
    api.make()
    api.replicate("db")
    assert "promote one of them, or delete them, first" in message(api.ask("DELETE", "/instances/db"), 403, "forbidden")
    assert api.ask("DELETE", "/instances/replica").status_code == 202
    response = api.ask("DELETE", "/instances/db")
    assert (response.status_code, response.content) == (202, b"")
    assert api.get("/instances") == {"instances": []} and api.pool.sets() == []


def test_an_instance_is_renamed(api):
    made = api.make()
    api.pool.now += 100
    assert api.ask("PUT", "/instances/db", {"instance": {"name": "Größe 7"}}).status_code == 202
    shown = api.show("Größe 7")
    assert shown["id"] == made["id"] and shown["updated"] > made["updated"] and shown["created"] == made["created"]
    message(api.ask("GET", "/instances/db"), 404, "itemNotFound")


def test_an_instance_is_restarted(slow):
    slow.make()
    slow.pool.settle()
    assert slow.act("db", "restart").status_code == 202
    assert slow.show("db")["status"] == "REBOOT" and slow.show("db")["task"]["name"] == "RESTART"
    slow.pool.settle()
    assert slow.show("db")["status"] == "ACTIVE" and "task" not in slow.show("db")


# --- statuses -----------------------------------------------------------------------------------------------------------------


def test_what_is_being_done_shows_in_the_status(slow):
    assert slow.make()["status"] == "BUILD" and slow.show("db")["operating_status"] == "NEW"
    assert slow.show("db")["task"] == {"name": "CREATE", "description": "the first server is made, in a moment"}
    slow.pool.settle()
    assert slow.replicate("db")["status"] == "BUILD" and slow.show("db")["status"] == "ACTIVE"
    slow.pool.settle()
    assert slow.act("replica", "promote_to_replica_source").status_code == 202
    assert slow.show("db")["status"] == slow.show("replica")["status"] == "PROMOTE"
    slow.pool.settle()
    assert slow.ask("DELETE", "/instances/db").status_code == 202
    assert slow.show("db")["status"] == "SHUTDOWN" and slow.show("replica")["status"] == "ACTIVE"


def test_a_creation_that_fails_says_why_and_can_be_deleted(api):
    api.pool.refuse["prepare"] = "port 3306 is taken; free it"
    shown = api.make()
    assert shown["status"] == "ERROR" and "port 3306 is taken; free it" in shown["fault"]["message"]
    assert f"db ({shown['id']})" in shown["fault"]["message"]
    assert api.ask("DELETE", "/instances/db").status_code == 202 and api.get("/instances") == {"instances": []}


def test_a_replica_that_fails_leaves_the_others_as_they_were(api):
    api.make()
    api.pool.refuse["receive"] = "the disk is full"
    assert api.replicate("db")["status"] == "ERROR" and api.show("db")["status"] == "ACTIVE"


def test_a_server_that_does_not_run_and_a_guest_that_is_silent_are_told_apart(api):
    api.make()
    api.replicate("db")
    host = api.show("replica")["hostname"]
    key = api.show("replica")["id"]
    api.pool.say(host, servers={key: Server(False, "killed by signal 9")})
    shown = api.show("replica")
    assert (shown["status"], shown["operating_status"], shown["fault"]["message"]) == ("SHUTDOWN", "SHUTDOWN", "killed by signal 9")
    api.pool.say(host, alive=False)
    shown = api.show("replica")
    assert (shown["status"], shown["operating_status"], shown["fault"]["message"]) == ("ERROR", "ERROR", "its guest is not heard")


def test_a_source_that_nobody_may_replace_says_what_it_needs(api):
    api.make()
    api.pool.dies("h1")
    api.pool.settle()
    assert "no other takes over" in api.show("db")["fault"]["message"] and api.show("db")["status"] == "ERROR"


def test_a_task_says_its_step_and_that_it_is_undone(slow):
    slow.make()
    pool = slow.pool
    pool.refuse["prepare"] = "no room"
    pool.settle_once()
    assert slow.show("db")["task"]["step"] == "prepare" and slow.show("db")["task"]["undoing"] is False
    pool.settle_once()
    task = slow.show("db")["task"]
    assert task["undoing"] is True and task["steps"] == ["prepare", "grant", "lead"] and "it is undone: prepare:" in task["description"]


def test_a_source_that_is_gone_is_ejected_when_nobody_takes_over_unasked(api):
    source = api.make()
    replica = api.replicate("db")
    (whole,) = api.pool.sets()
    assert api.show("db")["failover"] == {"automatic": True, "reason": None} and "failover" not in api.show("replica")
    whole.failovers = [api.pool.now] * 3
    api.pool.documents[whole.id] = whole.to_json()
    warned = api.show("db")
    assert warned["status"] == "ACTIVE" and not warned["failover"]["automatic"]
    assert "are the most that are begun unasked" in warned["failover"]["reason"]
    api.pool.dies(source["hostname"])
    api.pool.settle()
    shown = api.show("db")
    assert shown["status"] == "ERROR" and "are the most that are begun unasked" in shown["fault"]["message"]
    assert api.act("db", "eject_replica_source").status_code == 202
    api.pool.now += 10
    api.pool.settle()
    assert api.show("db")["replica_of"]["id"] == replica["id"] and api.show("replica")["status"] == "ACTIVE"


def test_the_history_says_what_was_done_and_why(api):
    api.make()
    api.pool.refuse["receive"] = "the disk is full"
    api.replicate("db")
    history = api.get("/instances/db/history")["history"]
    assert [each["what"] for each in history] == ["create begins", "create is done", "replicate begins", "replicate has failed"]
    assert "the disk is full" in history[-1]["why"] and "replica (" in history[-1]["why"] and history[0]["at"].startswith("2027-")


@pytest.mark.parametrize("old_words", [True, False])
def test_a_replica_that_is_detached_is_an_instance_of_its_own_that_may_have_replicas(api, old_words):
    api.make()
    key = api.replicate("db")["id"]
    response = api.ask("PUT", f"/instances/{key}", {"instance": {"replica_of": None}}) if old_words else api.act(key, "detach")
    assert response.status_code == 202
    shown = api.show(key)
    assert shown["status"] == "ACTIVE" and "replica_of" not in shown and "replicas" not in api.show("db")
    old, new = sorted(api.pool.sets(), key=lambda whole: key in whole.members)
    assert shown["set"] == new.id != old.id and new.source == key and (new.project, new.version) == (old.project, old.version)
    assert not set(new.secrets.values()) & set(old.secrets.values())
    assert api.replicate(key, name="other")["replica_of"]["id"] == key
    assert api.ask("DELETE", "/instances/db").status_code == 202


def test_it_is_explained_what_is_done_and_what_that_waits_for(slow):
    slow.make()
    slow.pool.settle()
    assert slow.get("/instances/db/explain") == {"explain": {"next": None, "needs": ""}}
    slow.act("db", "restart")
    assert slow.get("/instances/db/explain")["explain"]["next"] == "restart"
    slow.pool.settle_once()
    found = slow.get("/instances/db/explain")["explain"]
    assert (found["program"], found["step"], found["undoing"]) == ("restart", "restart", False)
    assert found["undo"] == "nothing has to be undone" and found["since"].startswith("2027-")


# --- actions that are refused -----------------------------------------------------------------------------------------------


def test_a_replica_has_no_replicas(api):
    api.make()
    api.replicate("db")
    response = api.ask("POST", "/instances", {"instance": {"name": "x", "replica_of": "replica"}})
    assert "make replicas of its source, instance db" in message(response, 403, "forbidden")


@pytest.mark.parametrize("action", ["promote_to_replica_source", "detach"])
def test_who_is_no_replica_is_not_promoted_and_not_detached(api, action):
    api.make()
    assert "is no replica" in message(api.act("db", action), 400, "badRequest")


def test_a_source_that_serves_is_not_ejected(api):
    api.make()
    assert "has no replicas" in message(api.act("db", "eject_replica_source"), 400, "badRequest")
    api.replicate("db")
    assert "is heard and serves" in message(api.act("db", "eject_replica_source"), 400, "badRequest")
    assert "is no source" in message(api.act("replica", "eject_replica_source"), 400, "badRequest")


def test_a_replica_that_does_not_run_is_not_promoted(api):
    api.make()
    key = api.replicate("db")["id"]
    api.pool.say(api.show(key)["hostname"], servers={key: Server(False, "killed")})
    assert "can't be promoted now: killed" in message(api.act(key, "promote_to_replica_source"), 422, "unprocessableEntity")


def test_a_busy_set_takes_nothing_else_and_names_its_task(slow):
    slow.make()
    for method, path, body in (
        ("DELETE", "/instances/db", None), ("POST", "/instances", {"instance": {"name": "r", "replica_of": "db"}}),
        ("POST", "/instances/db/action", {"restart": {}}),
    ):  # fmt: skip
        text = message(slow.ask(method, path, body), 422, "unprocessableEntity")
        assert "not ready" in text or "busy with create" in text
    slow.pool.settle()
    assert slow.act("db", "restart").status_code == 202
    assert "busy with restart" in message(slow.ask("DELETE", "/instances/db"), 422, "unprocessableEntity")
    assert slow.show("db")["status"] == "REBOOT"


def test_a_force_delete_is_a_reset_and_a_delete_at_any_moment(slow):
    slow.make()
    assert slow.act("db", "reset_status").status_code == 202
    assert slow.show("db")["status"] == "ERROR" and "cancelled" in slow.show("db")["fault"]["message"]
    assert slow.ask("DELETE", "/instances/db").status_code == 202
    slow.pool.settle()
    assert slow.get("/instances") == {"instances": []}


def test_a_force_delete_does_not_wait_for_a_host_that_is_not_heard(api):
    api.make()
    key = api.replicate("db")["id"]
    api.pool.dies(api.show(key)["hostname"])
    api.pool.settle()
    assert api.ask("DELETE", f"/instances/{key}").status_code == 202
    api.pool.now += 6
    api.pool.settle()
    assert api.show(key)["status"] == "ERROR"
    assert api.act(key, "reset_status").status_code == 202 and api.ask("DELETE", f"/instances/{key}").status_code == 202
    message(api.ask("GET", f"/instances/{key}"), 404, "itemNotFound")
    assert api.show("db")["status"] == "ACTIVE"


# --- requests that come twice, and at once ----------------------------------------------------------------------------------


def test_a_repeat_with_the_same_key_makes_nothing_new(api):
    body = {"instance": {"name": "db", "flavorRef": "1"}}
    first, again = (api.ask("POST", "/instances", body, headers={"Idempotency-Key": "k1"}).json() for _twice in range(2))
    assert first == again and len(api.get("/instances")["instances"]) == 1
    other = api.ask("POST", "/instances", {"instance": {"name": "other", "flavorRef": "1"}}, headers={"Idempotency-Key": "k1"})
    assert "take a new one" in message(other, 422, "unprocessableEntity")
    api.pool.now += 601
    assert api.ask("POST", "/instances", body, headers={"Idempotency-Key": "k1"}).json() != first


def test_a_key_is_of_its_project(api):
    body = {"instance": {"name": "db", "flavorRef": "1"}}
    first = api.ask("POST", "/instances", body, headers={"Idempotency-Key": "k1"}).json()
    other = api.ask("POST", "/instances", body, token="other-token", project="other", headers={"Idempotency-Key": "k1"}).json()
    assert first["instance"]["id"] != other["instance"]["id"]


def test_a_repeat_of_replicas_answers_the_last_one(api):
    api.make()
    body = {"instance": {"name": "r", "replica_of": "db", "replica_count": 2}}
    first, again = (api.ask("POST", "/instances", body, headers={"Idempotency-Key": "k"}).json()["instance"]["id"] for _twice in range(2))
    assert first == again == api.show("r-2")["id"] and len(api.get("/instances")["instances"]) == 3


def test_those_who_ask_at_once_get_places_of_their_own(api):
    answers = []
    threads = [threading.Thread(target=lambda name=f"db{n}": answers.append(api.make(name))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(each["hostname"], each["port"]) for each in answers}) == 8


def test_no_host_left_says_of_each_why():
    pool = Memory(hosts=4)
    pool.dies("h1")
    pool.meta["h2"]["maintenance"] = True
    pool.meta["h3"]["datastores"] = {}
    pool.meta["h4"]["flavors"] = {"2": {"ram": 1}}
    pool.meta["h5"], pool.channels["h5"] = dict(pool.meta["h4"], region="us", flavors=pool.meta["h3"]["flavors"]), pool.channels["h4"]
    with served(pool) as api:
        body = {"instance": {"name": "db", "flavorRef": "1", "region_name": "eu", "datastore": {"type": "mariadb", "version": "10.11"}}}
        text = message(api.ask("POST", "/instances", body), 422, "unprocessableEntity")
        assert text == (
            "a host is needed in region eu, and none can be had: h1 its guest is not heard; h2 is in maintenance; "
            "h3 does not offer mariadb 10.11; h4 can't carry flavor 1"
        )
        assert api.get("/instances") == {"instances": []}


# --- pages --------------------------------------------------------------------------------------------------------------------


def test_a_long_list_comes_in_pages(api):
    keys = sorted(api.make(f"db{number}")["id"] for number in range(5))
    seen, path = [], "/instances?limit=2&include_clustered=False"
    while path:
        page = api.get(path)
        seen.append([each["id"] for each in page["instances"]])
        href = page.get("links", [{"href": ""}])[0]["href"]
        assert not href or href.startswith(f"{api.endpoint}/instances?")
        path = href[len(api.endpoint) :]
    assert seen == [keys[:2], keys[2:4], keys[4:]]


def test_a_marker_that_is_gone_keeps_its_place(api):
    keys = sorted(api.make(f"db{number}")["id"] for number in range(3))
    api.ask("DELETE", f"/instances/{keys[1]}")
    assert [each["id"] for each in api.get(f"/instances?marker={keys[1]}")["instances"]] == keys[2:]


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "٣", "9" * 20])
def test_a_limit_that_is_none_is_refused(api, limit):
    assert "limit is a whole number" in message(api.ask("GET", f"/instances?limit={limit}"), 400, "badRequest")


def test_no_host_is_given_more_than_it_has_room_for(api):
    api.pool.meta["h1"]["ram"] = api.pool.meta["h2"]["ram"] = 1023
    api.pool.meta["h3"]["volume"], api.pool.meta["h4"]["volume"] = 19, 9
    for name in ("a", "b", "c"):
        api.make(name)
    assert {api.show(name)["hostname"] for name in ("a", "b", "c")} == {"h1", "h2", "h3"}
    refused = message(api.ask("POST", "/instances", {"instance": {"name": "d", "flavorRef": "1"}}), 422, "unprocessableEntity")
    assert "h1 has 511 of its 1023 MiB of ram left" in refused and "h3 has 9 of its 19 GiB of volume left" in refused
    asked = {"instance": {"name": "r", "replica_of": api.show("a")["id"], "volume": {"size": 5}}}
    assert "volume.size of a replica is" in message(api.ask("POST", "/instances", asked), 400, "badRequest")
    refused = message(api.ask("POST", "/instances", {"instance": {"name": "r", "replica_of": "a"}}), 422, "unprocessableEntity")
    assert "h4 has 9 of its 9 GiB" in refused
