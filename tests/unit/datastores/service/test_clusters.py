# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters over HTTP, as Trove has them: their life, and what is said of them meanwhile."""

import pytest

from baton.datastores.model.channel import Server
from support.clusters_api import ARBITER, members, pool
from support.datastores_api import message, served


@pytest.fixture
def api():
    with served(pool()) as found:
        yield found


@pytest.fixture
def slow():
    with served(pool(lively=False)) as found:
        yield found


# --- their life -----------------------------------------------------------------------------------------------------------


def test_a_cluster_is_made_shown_and_found_by_name_and_id(api):
    made = api.make_cluster(instances=[{"flavorRef": "1", "volume": {"size": "2"}}] * 3)
    assert made["status"] == "ACTIVE" and made["task"] == {"id": None, "name": "NONE", "description": "No tasks for the cluster."}
    assert made["datastore"] == {"type": "galera", "version": "11.8", "version_number": "11.8"} and made["locality"] == "anti-affinity"
    assert [each["name"] for each in made["instances"]] == ["c-1", "c-2", "c-3"] and made["size"] == made["serving"] == 3
    assert made["flavor"]["id"] == "1" and made["volume"] == {"size": 2} and made["ip"] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert api.cluster("c") == api.cluster(made["id"]) == made and api.get("/clusters") == {"clusters": [made]}
    assert api.get("/clusters", token="other-token", project="other") == {"clusters": []}
    assert len(api.pool.groups.formed) == 1


def test_a_member_is_an_instance_that_says_of_which_cluster_it_is(api):
    made = api.make_cluster()
    member = made["instances"][0]
    assert (member["cluster_id"], member["shard_id"], member["type"], member["state"]) == (made["id"], None, "data", "Synced")
    assert (member["status"], member["operating_status"]) == ("ACTIVE", "HEALTHY")
    assert not {"slave", "replicas", "replica_of", "failover"} & {*member}
    assert api.show("c-1") == api.show(member["id"]) == member == api.get(f"/clusters/c/instances/{member['id']}")["instance"]
    assert [each["name"] for each in sorted(api.get("/clusters/c/instances")["instances"], key=lambda each: each["name"])] == [
        "c-1", "c-2", "c-3",
    ]  # fmt: skip


def test_members_are_listed_among_instances_only_where_somebody_asks_for_them(api):
    api.make_cluster()
    alone = api.make(datastore={"type": "mariadb"})
    for path in ("/instances", "/instances/detail", "/instances?include_clustered=False", "/instances?include_clustered=x"):
        assert [each["id"] for each in api.get(path)["instances"]] == [alone["id"]]
    assert len(api.get("/instances?include_clustered=True")["instances"]) == 4
    page = api.get("/instances?include_clustered=true&limit=3")
    assert len(page["instances"]) == 3 and "include_clustered=true" in page["links"][0]["href"]


def test_no_answer_has_a_secret(api):
    made = api.make_cluster(
        databases=[{"name": "shop"}], users=[{"name": "joe", "password": "sesame", "databases": [{"name": "shop"}]}]
    )
    member = made["instances"][0]["id"]
    paths = ("/clusters/c", "/clusters/c/explain", f"/instances/{member}/configuration", "/configurations")
    text = "".join(api.ask("GET", path).text for path in paths)
    (whole,) = api.pool.sets()
    assert "sesame" not in text and whole.secrets["key"].startswith("-----BEGIN PRIVATE KEY")
    assert not any(secret in text for secret in whole.secrets.values())


def test_guests_are_told_all_that_members_are_made_of(slow):
    slow.make_cluster(
        databases=[{"name": "shop"}], instances=[{"flavorRef": "1", "volume": {"size": 2}}] * 2 + [{"flavorRef": "1", **ARBITER}]
    )
    slow.pool.settle_once()
    orders = [order.args for channel in slow.pool.channels.values() for order in channel.orders.values()]
    assert [each["found"] for each in orders] == [True, False, False] and [each["type"] for each in orders] == ["data", "data", "arbiter"]
    assert [each["volume"] for each in orders] == [2, 2, None] and len({each["server_id"] for each in orders}) == 3
    assert [each["databases"] for each in orders] == [[{"name": "shop"}], [{"name": "shop"}], []]


def test_a_cluster_grows_and_shrinks(api):
    made = api.make_cluster()
    grown = api.act_on_cluster("grow", [{"flavorRef": "2", "volume": {"size": "10"}, "name": "extra", "related_to": None}], path="")
    assert grown.status_code == 202 and grown.json()["cluster"]["size"] == 4
    assert members(api)["extra"]["flavor"]["id"] == "2" and api.cluster()["volume"] == {"size": 10} and "flavor" not in api.cluster()
    gone = [{"id": made["instances"][0]["id"]}]
    shrunk = api.act_on_cluster("shrink", gone, path="")
    assert shrunk.status_code == 202 and [each["name"] for each in shrunk.json()["cluster"]["instances"]] == ["c-2", "c-3", "extra"]
    api.act_on_cluster("grow", [{}])
    assert [*members(api)] == ["c-2", "c-3", "extra", "c-4"]  # numbers never come again
    assert len({each["hostname"] for each in members(api).values()}) == 4


def test_the_command_line_names_types_as_lists_and_sizes_as_texts(api):
    api.make_cluster()
    body = [{"flavorRef": "1", "volume": {"size": "1"}, "type": ["arbiter"], "related_to": None}]
    assert api.act_on_cluster("grow", body, path="").status_code == 202
    member = members(api)["c-4"]
    assert (member["type"], member["status"]) == ("arbiter", "ACTIVE") and "volume" not in member
    assert api.cluster()["ip"] == [each["ip"][0] for each in api.cluster()["instances"][:3]]


def test_a_region_that_trove_s_clients_name_is_kept_to():
    with served(pool(regions=("eu", "us"))) as api:
        api.make_cluster(instances=[{"flavorRef": "1", "region": "us"}] * 2 + [{"flavorRef": "1", "region_name": "eu"}])
        assert [each["region"] for each in api.cluster()["instances"]] == ["us", "us", "eu"]
        assert [each["segment"] for each in api.cluster()["instances"]] == [0, 0, 1] and api.cluster()["regions"] == ["eu", "us"]
        api.act_on_cluster("grow", [{"region": "us"}])
        api.act_on_cluster("shrink", [{"id": members(api)["c-3"]["id"]}])
        (whole,) = api.pool.sets()
        assert whole.own["segments"] == {"us": 0, "eu": 1}  # for ever


def test_all_members_are_restarted_or_one(api):
    api.make_cluster()
    assert api.act_on_cluster("restart").status_code == 202 and api.act("c-2", "restart").status_code == 202
    what = [each["what"] for each in api.get("/clusters/c/history")["history"]]
    assert what == ["create begins", "create is done", "restart begins", "restart is done", "restart begins", "restart is done"]
    assert api.cluster()["serving"] == 3


def test_a_cluster_is_given_a_newer_version(api):
    api.make_cluster(datastore={"type": "galera", "version": "10.11"})
    assert "is no newer one" in message(api.act_on_cluster("upgrade", {"datastore_version": "10.11"}), 400, "badRequest")
    message(api.act_on_cluster("upgrade", {"datastore_version": "12.0"}), 404, "itemNotFound")
    api.pool.meta["h2"] = {**api.pool.meta["h2"], "datastores": {"galera": ["10.11"]}}
    assert "h2 can't have galera 11.8" in message(api.act_on_cluster("upgrade", {"datastore_version": "11.8"}), 422, "unprocessableEntity")
    api.pool.meta["h2"] = api.pool.meta["h1"]
    assert api.act_on_cluster("upgrade", {"datastore_version": "11.8"}, path="").status_code == 202
    assert api.cluster()["datastore"]["version"] == "11.8"


def test_a_cluster_is_stopped_and_started(api):
    api.make_cluster()
    assert api.act_on_cluster("stop").status_code == 202
    shown = api.cluster()
    assert shown["status"] == "SHUTDOWN" and "fault" not in shown and not any("fault" in each for each in shown["instances"])
    assert {each["status"] for each in shown["instances"]} == {"SHUTDOWN"} and shown["serving"] == 0
    for action, value in (("stop", None), ("restart", None), ("grow", [{}]), ("shrink", [{"id": shown["instances"][0]["id"]}])):
        assert "stopped" in message(api.act_on_cluster(action, value), 422, "unprocessableEntity")
    assert api.act_on_cluster("start").status_code == 202
    api.pool.now += 10
    api.pool.settle()
    assert api.cluster()["status"] == "ACTIVE" and api.cluster()["serving"] == 3
    assert "there is nothing to start" in message(api.act_on_cluster("start"), 422, "unprocessableEntity")


def test_what_never_runs_again_is_left_out_of_a_start_by_force_alone(api):
    api.make_cluster()
    api.act_on_cluster("stop")
    lost = members(api)["c-1"]
    api.pool.dies(lost["hostname"])
    assert "c-1" in message(api.act_on_cluster("start"), 422, "unprocessableEntity")
    assert "never run again" in message(api.act_on_cluster("start", {"without": [lost["id"]]}), 400, "badRequest")
    assert api.act_on_cluster("start", {"without": ["c-1"], "force": True}).status_code == 202
    assert api.cluster()["status"] == "ACTIVE"
    everybody = {"without": [each["id"] for each in members(api).values()], "force": True}
    message(api.act_on_cluster("start", everybody), 422, "unprocessableEntity")


def test_a_cluster_goes_with_all_its_members(api):
    api.make_cluster()
    response = api.ask("DELETE", "/clusters/c")
    assert (response.status_code, response.content) == (202, b"") and api.get("/clusters") == {"clusters": []} and api.pool.sets() == []


def test_a_force_delete_is_a_reset_and_a_delete_at_any_moment(slow):
    slow.make_cluster()
    assert slow.act_on_cluster("reset-status", path="").status_code == 202
    assert {each["status"] for each in slow.cluster()["instances"]} == {"ERROR"}
    assert slow.cluster()["status"] == "ERROR" and "cancelled" in slow.cluster()["fault"]["message"]
    assert slow.ask("DELETE", "/clusters/c").status_code == 202
    slow.pool.settle()
    assert slow.get("/clusters") == {"clusters": []}


def test_a_force_delete_does_not_wait_for_a_host_that_is_not_heard(api):
    made = api.make_cluster()
    api.pool.dies(made["instances"][0]["hostname"])
    api.pool.settle()
    assert api.act_on_cluster("reset_status").status_code == 202 and api.ask("DELETE", "/clusters/c").status_code == 202
    assert api.get("/clusters") == {"clusters": []}


def test_a_reset_cancels_what_is_being_done(slow):
    slow.make_cluster()
    slow.pool.settle()
    slow.act_on_cluster("grow", [{}])
    slow.pool.settle_once()
    assert slow.cluster()["task"]["name"] == "GROWING_CLUSTER"
    slow.act_on_cluster("reset-status")
    assert slow.cluster()["task"]["undoing"] is True
    slow.pool.settle()
    assert slow.cluster()["status"] == "ACTIVE" and members(slow)["c-4"]["status"] == "ERROR"
    assert slow.ask("DELETE", "/clusters/c/nodes/c-4").status_code == 202
    slow.pool.settle()
    assert [*members(slow)] == ["c-1", "c-2", "c-3"]


# --- what is said meanwhile -------------------------------------------------------------------------------------------------

NAMES = {
    "grow": ([{}], "GROWING_CLUSTER", "BUILD"),
    "restart": (None, "RESTARTING_CLUSTER", "REBOOT"),
    "upgrade": ({"datastore_version": "11.8"}, "UPGRADING_CLUSTER", "UPGRADE"),
    "stop": (None, "STOPPING_CLUSTER", "SHUTDOWN"),
}


@pytest.mark.parametrize("action", NAMES)
def test_tasks_have_trove_s_names_and_say_how_far_they_are(slow, action):
    made = slow.make_cluster(datastore={"type": "galera", "version": "10.11"})
    assert (made["status"], made["task"]["name"], made["task"]["description"]) == ("BUILD", "BUILDING", "Building the initial cluster.")
    slow.pool.settle()
    value, name, status = NAMES[action]
    assert slow.act_on_cluster(action, value).status_code == 202
    assert slow.cluster()["task"]["name"] == name and status in {each["status"] for each in slow.cluster()["instances"]}
    slow.pool.settle_once()
    task = slow.cluster()["task"]
    assert task["name"] == name and task["step"] in task["steps"] and task["why"] == "it was asked for" and task["undoing"] is False
    assert slow.get("/clusters/c/explain")["explain"]["program"] == action


def test_members_that_leave_or_are_replaced_show_it(slow):
    slow.make_cluster(size=4)
    slow.pool.settle()
    assert slow.act_on_cluster("shrink", [{"id": members(slow)["c-4"]["id"]}]).status_code == 202
    assert members(slow)["c-4"]["status"] == "SHUTDOWN" and slow.cluster()["task"]["name"] == "SHRINKING_CLUSTER"
    slow.pool.settle()
    assert slow.act_on_cluster("replace_node", {"id": members(slow)["c-3"]["id"]}).status_code == 202
    assert {name: each["status"] for name, each in members(slow).items()} == {
        "c-1": "ACTIVE", "c-2": "ACTIVE", "c-3": "SHUTDOWN", "c-5": "BUILD",
    }  # fmt: skip
    assert slow.cluster()["task"]["name"] == "REPLACING_NODE"
    slow.pool.settle()
    assert slow.ask("DELETE", "/clusters/c").status_code == 202
    assert slow.cluster()["task"]["name"] == "DELETING" and slow.cluster()["status"] == "SHUTDOWN"


def test_a_creation_that_fails_says_why_and_can_be_deleted(api):
    api.pool.refuse["form"] = "port 3306 is taken; free it"
    made = api.make_cluster()
    assert made["status"] == "ERROR" and "port 3306 is taken; free it" in made["fault"]["message"]
    assert {each["status"] for each in made["instances"]} == {"ERROR"}
    for action, value in (("grow", [{}]), ("restart", None), ("stop", None), ("start", None)):
        message(api.act_on_cluster(action, value), 422, "unprocessableEntity")
    assert api.ask("DELETE", "/clusters/c").status_code == 202 and api.get("/clusters") == {"clusters": []}


def test_a_grow_that_fails_leaves_the_others_as_they_were(api):
    api.make_cluster()
    api.pool.refuse["receive"] = "the disk is full"
    api.act_on_cluster("grow", [{}])
    assert {name: each["status"] for name, each in members(api).items()} == {
        "c-1": "ACTIVE", "c-2": "ACTIVE", "c-3": "ACTIVE", "c-4": "ERROR",
    }  # fmt: skip
    assert "the disk is full" in members(api)["c-4"]["fault"]["message"] and api.cluster()["status"] == "ACTIVE"
    refused = message(api.act_on_cluster("replace_node", {"id": members(api)["c-4"]["id"]}), 422, "unprocessableEntity")
    assert "has not joined" in refused
    assert api.act_on_cluster("shrink", [{"id": members(api)["c-4"]["id"]}]).status_code == 202
    assert [*members(api)] == ["c-1", "c-2", "c-3"]


def test_a_member_that_runs_and_takes_no_writes_is_told_from_one_that_does_not_run(slow):
    slow.make_cluster()
    slow.pool.settle()
    first, second = (members(slow)[name] for name in ("c-1", "c-2"))
    apart = {"primary": False, "size": 1, "state": "Initialized", "uuid": ""}
    slow.pool.say(first["hostname"], servers={first["id"]: Server(False, "it runs, and is not in the primary component", view=apart)})
    slow.pool.say(second["hostname"], servers={second["id"]: Server(False, "killed by signal 9")})
    shown = members(slow)
    assert (shown["c-1"]["status"], shown["c-1"]["operating_status"]) == ("BLOCKED", "BLOCKED")
    assert shown["c-1"]["fault"]["message"] == "it runs, and is not in the primary component"
    assert (shown["c-2"]["status"], shown["c-2"]["fault"]["message"]) == ("SHUTDOWN", "killed by signal 9")
    assert slow.cluster()["status"] == "ACTIVE" and slow.cluster()["serving"] == 1


def test_a_cluster_that_needs_help_says_which(slow):
    slow.make_cluster()
    slow.pool.settle()
    for name, member in members(slow).items():
        slow.pool.groups.ends(member["id"])
        if name == "c-1":
            slow.pool.dies(member["hostname"])
        else:
            slow.pool.say(member["hostname"], servers={member["id"]: Server(False, "killed by signal 9")})
    slow.pool.settle_once()
    shown = slow.cluster()
    assert shown["status"] == "ERROR" and "no member serves, and c-1 (" in shown["fault"]["message"]
    assert "c-1 (" in slow.get("/clusters/c/explain")["explain"]["needs"]


# --- requests that come twice ------------------------------------------------------------------------------------------------


def test_a_repeat_with_the_same_key_makes_nothing_new(api):
    body = {"cluster": {"name": "c", "flavorRef": "1", "size": 3}}
    first, again = (api.ask("POST", "/clusters", body, headers={"Idempotency-Key": "k"}).json() for _twice in range(2))
    assert first == again and len(api.get("/clusters")["clusters"]) == 1
    other = api.ask("POST", "/clusters", {"cluster": {**body["cluster"], "name": "d"}}, headers={"Idempotency-Key": "k"})
    assert "take a new one" in message(other, 422, "unprocessableEntity")
    assert len(api.make_cluster()["instances"]) == 3
    assert "2 clusters are called 'c'" in message(api.ask("GET", "/clusters/c"), 404, "itemNotFound")
