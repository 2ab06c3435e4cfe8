# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seats, barriers, batches and waits over HTTP, with real daemons: many at once, and over a change of active."""

import threading
import time

import pytest

from support.cluster import Cluster, until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("agreeing"), 2, dcs="local") as made:
        yield made


@pytest.fixture
def call(cluster):
    def ask(method, path, body=None, token=None, **headers):
        options = {} if body is None else {"json": body}
        return cluster.active().call(method, path, token or cluster.token, headers=headers, allow_redirects=False, **options)

    return ask


def at_once(number, work):
    """Call ``work(index)`` in as many threads; return the answers in order."""
    answers = [None] * number

    def run(index):
        answers[index] = work(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


# --- seats --------------------------------------------------------------------------------------------------------------


def test_of_many_who_ask_at_once_each_is_told_the_same(call):
    def elect(index):
        return call("POST", "/profiles/crowd/elect", {"Param": "cluster/leaders", "Candidate": f"c{index}", "Seats": 3}).json()

    answers = at_once(40, elect)
    winners = sorted((answer for answer in answers if answer["Elected"]), key=lambda answer: answer["Position"])
    assert [answer["Position"] for answer in winners] == [0, 1, 2] and len({answer["Token"] for answer in winners}) == 3
    sitting = call("GET", "/profiles/crowd/params/cluster/leaders").json()
    assert winners[-1]["Leaders"] == sitting and all(answer["Leaders"] == sitting for answer in answers if not answer["Elected"])
    first = int(sitting[0][1:])
    assert elect(first) == {**answers[first], "Leaders": sitting, "Changed": False}, "asking again changes nothing"
    assert (
        call("POST", "/profiles/crowd/resign", {"Param": "cluster/leaders", "Candidate": sitting[0], "Seats": 3}).json()["Leaders"]
        == sitting[1:]
    )


def test_a_seat_and_its_token_survive_a_change_of_active(cluster, call):
    call("POST", "/leases", {"Id": "seat", "Ttl": 60})
    won = call("POST", "/profiles/kept/elect", {"Param": "my/leader", "Candidate": "a", "Lease": "seat"}).json()
    old = cluster.active()
    assert cluster.call(old, "POST", "/system/switch", json={}).status_code == 200
    until(lambda: cluster.active() not in (None, old), "another is active")
    again = call("POST", "/profiles/kept/elect", {"Param": "my/leader", "Candidate": "a", "Lease": "seat"}).json()
    assert again == {**won, "Changed": False}
    assert call("PUT", "/profiles/kept/params/x", 1, **{"If-Lease": f"seat;{won['Token']}"}).status_code == 200
    call("DELETE", "/leases/seat")
    assert call("GET", "/profiles/kept/params/my/leader").json() == "none"
    assert call("PUT", "/profiles/kept/params/x", 2, **{"If-Lease": f"seat;{won['Token']}"}).status_code == 412
    assert call("POST", "/profiles/kept/elect", {"Param": "my/leader", "Candidate": "b"}).json()["Token"] > won["Token"]


# --- barriers -----------------------------------------------------------------------------------------------------------


def test_all_are_released_at_once_and_again(call):
    for generation in (1, 2):
        answers = at_once(20, lambda index: call("POST", "/barriers/all/in/arrive", {"Owner": f"o{index}", "Count": 20, "Wait": 30}).json())
        assert {(answer["Outcome"], answer["Generation"]) for answer in answers} == {("opened", generation)}
    assert call("GET", "/barriers/all/in").json()["Generation"] == 3
    assert call("DELETE", "/barriers/all/in").status_code == 204 and call("GET", "/barriers/all/in").status_code == 404


def test_one_that_fails_releases_the_others_at_once(call):
    answers = []
    waiter = threading.Thread(
        target=lambda: answers.append(call("POST", "/barriers/b/arrive", {"Owner": "a", "Count": 3, "Wait": 60}).json())
    )
    waiter.start()
    until(lambda: call("GET", "/barriers/b").status_code == 200, "a waits")
    assert call("POST", "/barriers/b/break", {"Owner": "c", "Why": "the disk is full", "Escape": "continue"}).status_code == 200
    waiter.join()
    late = call("POST", "/barriers/b/arrive", {"Owner": "b", "Count": 3, "Wait": 60}).json()
    for answer in (*answers, late):
        assert (answer["Outcome"], answer["By"], answer["Why"], answer["Escape"]) == ("broken", "c", "the disk is full", "continue")


def test_a_waiter_is_told_where_to_ask_again_when_the_active_changes(cluster, call):
    answers, old = [], cluster.active()
    ask = {"Owner": "a", "Members": ["a", "b"], "Wait": 60}
    waiter = threading.Thread(target=lambda: answers.append(call("POST", "/barriers/moved/arrive", ask)))
    waiter.start()
    until(lambda: call("GET", "/barriers/moved").status_code == 200, "a waits")
    cluster.call(old, "POST", "/system/switch", json={})
    waiter.join()
    assert answers[0].status_code in (307, 503)
    until(lambda: cluster.active() not in (None, old), "another is active")
    assert call("POST", "/barriers/moved/arrive", {"Owner": "b", "Members": ["a", "b"]}).json()["Outcome"] == "opened"
    assert call("POST", "/barriers/moved/arrive", {**ask, "Generation": 1}).json()["Outcome"] == "opened"


# --- batches ------------------------------------------------------------------------------------------------------------


def test_a_batch_is_all_or_nothing(call):
    for name in ("one", "two"):
        call("POST", "/profiles", {"Name": name, "Params": {"n": 1}})
    swap = [{"op": "test", "path": "", "value": 1}, {"op": "replace", "path": "", "value": 2}]
    changes = [{"Kind": "profiles", "Key": name, "Param": "n", "Body": swap} for name in ("one", "two")]
    done = call("POST", "/batch", {"Changes": [*changes, {"Kind": "machines", "Key": "m1", "Action": "create", "Body": {"Name": "m"}}]})
    assert done.status_code == 200 and len({item["Revision"] for item in done.json()["Documents"]}) == 1
    fresh = {"Kind": "profiles", "Key": "one", "Param": "n", "Action": "put", "Body": 7}
    refused = call("POST", "/batch", {"Changes": [fresh, changes[1]]})
    assert refused.status_code == 409 and refused.json()["change"] == 1 and refused.json()["found"] == 2, refused.text
    assert call("GET", "/profiles/one/params/n").json() == 2


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        (None, 422, "list of 1 to"),
        ([], 422, "list of 1 to"),
        ([7], 422, "a change is an object"),
        ([{"Kind": "tokens", "Key": "x", "Body": []}], 422, "Kind is one of"),
        ([{"Kind": ["profiles"], "Key": "x", "Body": []}], 422, "Kind is one of"),
        ([{"Kind": "profiles", "Key": "a b", "Action": "delete"}], 400, "can't name a profile"),
        ([{"Kind": "profiles", "Key": "one", "Action": "grant"}], 422, "Action one of"),
        ([{"Kind": "profiles", "Key": "one", "Extra": 1}], 422, "a change is an object"),
        ([{"Kind": "params", "Key": "one", "Param": "x", "Action": "put", "Body": 1}], 422, "Param is a string"),
        ([{"Kind": "profiles", "Key": "one", "IfUnset": True, "Body": []}], 422, "IfUnset goes with Param"),
        ([{"Kind": "profiles", "Key": "one", "Body": "x"}], 400, ""),
        ([{"Kind": "profiles", "Key": "absent", "Body": []}], 404, "there is no profile"),
    ],
)
def test_a_bad_batch_is_refused_in_one_line(call, changes, status, says):
    answer = call("POST", "/batch", {"Changes": changes})
    assert answer.status_code == status and says in answer.json()["detail"], answer.text


# --- waiting ------------------------------------------------------------------------------------------------------------


def waiting(call, path):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call("GET", path)))
    thread.start()
    return thread, answers


def test_conditions(call):
    call("PUT", "/profiles/w", {"Name": "w", "Params": {"state": "new", "hosts": ["a"], "deep": {"x/y": {"n": 1}}}})
    for query, there in (
        ('w/params/state?wait=in&value=["ready","new"]', 200),
        ("w/params/state?wait=in&value=[]&timeout=0", 408),
        ("w/params/hosts?wait=count&value=1", 200),
        ("w/params/hosts?wait=count&value=2&timeout=0", 408),
        ("w?wait=equals&path=/Params/deep/x~1y/n&value=1", 200),
        ("w/params/deep?wait=exists&path=/x~1y/m&timeout=0", 408),
        ("w/params/deep?wait=absent&path=/x~1y/m", 200),
    ):
        assert call("GET", f"/profiles/{query}").status_code == there, query
    thread, answers = waiting(call, "/profiles/w/params/hosts?wait=count&value=3&timeout=30")
    for host in "bc":
        call("PATCH", "/profiles/w/params/hosts", [{"op": "add", "path": "/-", "value": host}])
    thread.join()
    assert answers[0].json() == ["a", "b", "c"]


def test_waiting_for_a_number_of_machines(call):
    thread, answers = waiting(call, "/machines?wait=count&value=3&Group=g&timeout=30")
    for number in range(3):
        call("POST", "/machines", {"Name": f"g{number}", "Group": "g"})
    thread.join()
    assert [machine["Name"] for machine in answers[0].json()] in (
        [f"g{n}" for n in order] for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    )
    assert "wait=count" in call("GET", "/machines?wait=exists").json()["detail"]


def test_settled_means_that_it_stood_unchanged_for_that_long(call):
    call("PUT", "/profiles/s", {"Name": "s", "Params": {"n": 1}})
    began = time.monotonic()
    thread, answers = waiting(call, "/profiles/s/params/n?wait=exists&settled=1&timeout=30")
    changed = []
    for value in (2, 3):
        call("PUT", "/profiles/s/params/n", value)
        changed.append(time.monotonic())
    thread.join()
    assert answers[0].json() == 3 and time.monotonic() - began >= 1, "not before the time that it must stand"
    assert call("GET", "/profiles/s/params/n?wait=exists&settled=1&timeout=0.2").status_code == 408


def test_an_escape_ends_the_wait_of_all(call):
    call("PUT", "/profiles/e", {"Name": "e"})
    call("PUT", "/machines/e1", {"Uuid": "e1"})
    paths = ("/profiles/e/params/x?escape=cluster/escape", "/machines/e1/params/x?escape=cluster/escape&escape_profile=e")
    waits = [waiting(call, f"{path}&wait=exists&timeout=30") for path in paths]
    call("PUT", "/profiles/e/params/cluster/escape", 1)
    for thread, answers in waits:
        thread.join()
        assert answers[0].status_code == 409 and answers[0].json()["escape"] == 1, answers[0].text


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("wait=in&value=1", "a JSON list"),
        ("wait=count&value=-1", "the least number"),
        ("wait=count", "needs value"),
        ("wait=exists&path=x", "JSON pointer"),
        ("wait=exists&settled=x", "settled is a number"),
        ("wait=sometimes", "wait is one of"),
    ],
)
def test_bad_waits(call, query, says):
    answer = call("GET", f"/profiles/w?{query}")
    assert answer.status_code == 400 and says in answer.json()["detail"]


# --- tokens of one profile ----------------------------------------------------------------------------------------------


def test_a_profile_token_agrees_within_its_profile_and_nowhere_else(call):
    call("PUT", "/profiles/own", {"Name": "own"})
    call("PUT", "/profiles/other", {"Name": "other"})
    call("POST", "/leases", {"Id": "admins", "Ttl": 60})
    token = call("POST", "/profiles/own/token").json()["Token"]
    allowed = [
        ("POST", "/leases", {"Id": "mine", "Ttl": 60}),
        ("POST", "/leases/mine/keepalive", {}),
        ("POST", "/locks/own/door/acquire", {"Owner": "a", "Lease": "mine"}),
        ("POST", "/profiles/own/elect", {"Param": "my/leader", "Candidate": "a", "Lease": "mine"}),
        ("POST", "/barriers/own/arrive", {"Owner": "a", "Count": 1}),
        ("POST", "/batch", {"Changes": [{"Kind": "profiles", "Key": "own", "Param": "x", "Action": "put", "Body": 1}]}),
        ("GET", "/leases", None),
        ("DELETE", "/leases/mine", None),
    ]
    refused = [
        ("POST", "/leases/admins/keepalive", {}),
        ("DELETE", "/leases/admins", None),
        ("POST", "/locks/door/acquire", {"Owner": "a"}),
        ("GET", "/locks", None),
        ("DELETE", "/locks/own/door", None),
        ("POST", "/locks/own/door/acquire", {"Owner": "a", "Lease": "admins"}),
        ("POST", "/profiles/other/elect", {"Param": "my/leader", "Candidate": "a"}),
        ("POST", "/barriers/other/arrive", {"Owner": "a", "Count": 1}),
        ("POST", "/batch", {"Changes": [{"Kind": "profiles", "Key": "other", "Param": "x", "Action": "put", "Body": 1}]}),
        ("POST", "/batch", {"Changes": [{"Kind": "profiles", "Key": "own", "Action": "delete"}]}),
        ("GET", "/profiles/own?wait=exists&escape=x&escape_profile=other", None),
    ]
    for method, path, body in allowed:
        answer = call(method, path, body, token)
        assert answer.status_code < 300, (path, answer.text)
    for method, path, body in refused:
        answer = call(method, path, body, token)
        assert answer.status_code == 403, (path, answer.text)
    assert call("PUT", "/profiles/own/params/x", 1, token, **{"Baton-Lease": "admins"}).status_code == 403
    assert call("GET", "/profiles/other/params").json() == {}
