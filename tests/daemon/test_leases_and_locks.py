# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases, locks and fencing tokens over HTTP, with real daemons: fair, tied, kept over a change of active."""

import os
import threading

import pytest

from support.cluster import Cluster, until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("locks"), 2, dcs="local") as made:
        yield made


@pytest.fixture
def call(cluster):
    def ask(method, path, body=None, **headers):
        options = {} if body is None else {"json": body}
        return cluster.call(cluster.active(), method, path, headers=headers, allow_redirects=False, **options)

    return ask


def lease(call, name, ttl=60):
    answer = call("POST", "/leases", {"Id": name, "Ttl": ttl, "Owner": "test"})
    assert answer.status_code == 201, answer.text
    return answer.json()


def acquire(call, lock, owner, **more):
    return call("POST", f"/locks/{lock}/acquire", {"Owner": owner, **more})


def test_a_lease_from_grant_to_revocation(call):
    assert lease(call, "life", "1m") == lease(call, "life", 60) | {"Left": pytest.approx(60, abs=5)}
    assert call("POST", "/leases/life/keepalive").json() == {"Id": "life", "Ttl": 60.0}
    assert [item["Id"] for item in call("GET", "/leases").json() if item["Id"] == "life"] == ["life"]
    assert 50 < call("GET", "/leases/life").json()["Left"] <= 60
    assert call("DELETE", "/leases/life").status_code == 204
    for method, path in (("GET", "/leases/life"), ("POST", "/leases/life/keepalive"), ("DELETE", "/leases/life")):
        answer = call(method, path)
        assert answer.status_code == 404 and answer.json()["type"] == "urn:baton:no_lease", answer.text


def test_what_is_not_kept_alive_vanishes_and_the_next_in_line_is_let_in(call):
    lease(call, "short", 1)
    assert acquire(call, "gate", "first", Lease="short").json()["Held"]
    call("POST", "/profiles", {"Name": "tied"})
    tied = {"Baton-Lease": "short"}
    assert call("PUT", "/profiles/tied/params/mine", "here", **tied).status_code == 200
    assert call("PUT", "/profiles/tied/params/other", "stays").status_code == 200
    got = acquire(call, "gate", "second", Wait=20).json()
    assert got["Held"] and [entry["Owner"] for entry in got["Holders"]] == ["second"]
    assert call("GET", "/profiles/tied/params").json() == {"other": "stays"}
    assert call("POST", "/locks/gate/release", {"Owner": "second"}).status_code == 204


def test_everybody_gets_in_once_alone_and_in_order(call):
    call("POST", "/profiles", {"Name": "counter", "Params": {"n": 0}})
    order, inside = [], []

    def worker(number):
        lease(call, f"w{number}")
        got = acquire(call, "door", f"w{number}", Lease=f"w{number}", Wait=60)
        assert got.status_code == 200, got.text
        inside.append(number)
        assert len(inside) == 1
        now = call("GET", "/profiles/counter/params/n").json()
        guard = {"If-Lease": f"w{number};{got.json()['Token']}"}
        assert call("PUT", "/profiles/counter/params/n", now + 1, **guard).status_code == 200
        order.append(got.json()["Token"])
        inside.remove(number)
        assert call("DELETE", f"/leases/w{number}").status_code == 204

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert call("GET", "/profiles/counter/params/n").json() == 12 and len(order) == 12 and order == sorted(order)
    assert call("GET", "/locks/door").json() == {"Name": "door", "Slots": None, "Holders": [], "Queue": []}


def test_who_does_not_get_it_is_told_by_whom_it_is_held_and_where_he_stands(call):
    acquire(call, "shown", "a", Data={"why": "deploy"})
    refused = acquire(call, "shown", "b")
    assert refused.status_code == 409 and refused.json()["detail"] == "lock 'shown' is held by a"
    assert refused.json()["holders"][0]["Data"] == {"why": "deploy"}
    acquire(call, "shown", "c", Wait=0.05)
    refused = acquire(call, "shown", "d", Wait=0.05)
    assert refused.json()["detail"] == "lock 'shown' is held by a; 1 wait before 'd'" and refused.json()["ahead"] == 1
    assert [entry["Owner"] for entry in call("GET", "/locks/shown").json()["Queue"]] == ["c", "d"]
    assert call("POST", "/locks/shown/release", {"Owner": "b"}).json()["type"] == "urn:baton:not_held"
    assert call("DELETE", "/locks/shown").status_code == 204


def test_who_waits_and_loses_his_lease_is_out_of_the_line(call):
    acquire(call, "line", "a")
    lease(call, "gone")
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(acquire(call, "line", "b", Lease="gone", Wait=30)))
    waiter.start()
    until(lambda: call("GET", "/locks/line").json()["Queue"], "b waits")
    call("DELETE", "/leases/gone")
    waiter.join()
    assert answers[0].status_code == 409 and answers[0].json()["type"] == "urn:baton:out_of_line"
    call("DELETE", "/locks/line")


def test_a_change_of_active_takes_nothing_from_anybody(cluster, call):
    lease(call, "kept", 5)
    token = acquire(call, "kept/lock", "a", Lease="kept").json()["Token"]
    waiting = []
    old = cluster.active()
    waiter = threading.Thread(target=lambda: waiting.append(acquire(call, "kept/lock", "b", Wait=60)))
    waiter.start()
    until(lambda: call("GET", "/locks/kept/lock").json()["Queue"], "b waits")
    assert cluster.call(old, "POST", "/system/switch", json={}).status_code == 200
    waiter.join()
    assert waiting[0].status_code in (307, 503), "told to ask the new active"
    until(lambda: cluster.active() not in (None, old), "another is active")
    assert call("POST", "/leases/kept/keepalive").status_code == 200
    assert acquire(call, "kept/lock", "a", Lease="kept").json()["Token"] == token, "the same acquisition"
    call("POST", "/locks/kept/lock/release", {"Owner": "a"})
    got = acquire(call, "kept/lock", "b").json()
    assert got["Held"] and got["Token"] > token
    stale = call("PUT", "/profiles/tied/params/x", 1, **{"If-Lease": f"kept;{token}"})
    assert stale.status_code == 412 and stale.json()["type"] == "urn:baton:lease_lost"


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/leases", {"Ttl": 0}, 422, "is not a time from 1s to 24h"),
        ("/leases", {"Ttl": "never"}, 400, "not a time"),
        ("/leases", {}, 422, "is not a time from 1s to 24h"),
        ("/leases", {"Id": 7, "Ttl": 5}, 422, "Id is a string"),
        ("/leases", {"Id": "a b", "Ttl": 5}, 400, "can't name a lease"),
        ("/leases", [], 422, "must be a JSON object"),
        ("/locks/x/acquire", {}, 422, "Owner is a printable string"),
        ("/locks/x/acquire", {"Owner": ""}, 422, "Owner is a printable string"),
        ("/locks/x/acquire", {"Owner": "a\nb"}, 422, "Owner is a printable string"),
        ("/locks/x/acquire", {"Owner": "a", "Slots": 0}, 422, "Slots is a whole number"),
        ("/locks/x/acquire", {"Owner": "a", "Slots": True}, 422, "Slots is a whole number"),
        ("/locks/x/acquire", {"Owner": "a", "Wait": -1}, 422, "Wait is a number"),
        ("/locks/x/acquire", {"Owner": "a", "Wait": "long"}, 422, "Wait is a number"),
        ("/locks/x/acquire", {"Owner": "a", "Queue": 1}, 422, "Queue is true or false"),
        ("/locks/x/acquire", {"Owner": "a", "Lease": "none"}, 404, "there is no lease 'none'"),
        ("/locks/x/acquire", {"Owner": "a", "Data": "x" * 5000}, 413, "Data is at most"),
        ("/locks/%20/acquire", {"Owner": "a"}, 400, "can't name a lock"),
        ("/locks/x/release", {"Owner": "a", "Token": "1"}, 422, "Token is the number"),
        ("/locks/x/release", {"Owner": "a"}, 409, "nobody does"),
        ("/leases/a/b/c", {}, 404, "nothing at"),
    ],
)
def test_bad_input_changes_nothing(call, path, body, status, says):
    answer = call("POST", path, body)
    assert answer.status_code == status and says in answer.json()["detail"], answer.text
    assert call("GET", "/locks/x").json()["Holders"] == []


def test_bad_headers_change_nothing(call):
    call("POST", "/profiles", {"Name": "h"})
    for name, value, says in (("If-Lease", "x", "If-Lease is the lease's id"), ("Baton-Lease", "none", "there is no lease 'none'")):
        answer = call("PUT", "/profiles/h/params/x", 1, **{name: value})
        assert answer.status_code in (400, 404) and says in answer.json()["detail"], answer.text
    assert "has no meaning" in call("PATCH", "/profiles/h", [], **{"Baton-Lease": "none"}).json()["detail"]
    assert call("GET", "/profiles/h/params").json() == {}


# --- a fence is looked at before anything is changed, and for every kind of request ----------------------------------------


def term(call, name, param):
    """Be elected under a lease of this name; return the fence."""
    lease(call, name)
    call("PUT", "/profiles/fenced", {}) if call("GET", "/profiles/fenced").status_code == 404 else None
    answer = call("POST", "/profiles/fenced/elect", {"Param": param, "Candidate": "a", "Lease": name}).json()
    return {"If-Lease": f"{name};{answer['Token']}"}


FENCED = (
    ("PUT", "/profiles/fenced/params/x", 1),
    ("PUT", "/profiles/fenced", {}),
    ("PATCH", "/profiles/fenced", []),
    ("POST", "/profiles", {"Name": "another"}),
    ("POST", "/profiles/fenced/elect", {"Param": "c", "Candidate": "a"}),
    ("POST", "/profiles/fenced/resign", {"Param": "c", "Candidate": "a"}),
    ("POST", "/batch", {"Changes": [{"Kind": "profiles", "Key": "fenced", "Param": "x", "Action": "put", "Body": 1}]}),
    ("POST", "/locks/fenced/acquire", {"Owner": "a"}),
    ("POST", "/locks/fenced/release", {"Owner": "a"}),
    ("POST", "/locks/fenced/acquire", {"Owner": "b"}),
    ("DELETE", "/locks/fenced", None),
    ("POST", "/barriers/fenced/arrive", {"Owner": "a", "Count": 2}),
    ("POST", "/barriers/fenced/break", {"Owner": "a"}),
    ("POST", "/leases", {"Id": "fenced-new", "Ttl": 9}),
    ("DELETE", "/leases/fenced-new", None),
    ("PUT", "/files/fenced", {"x": 1}),
    ("DELETE", "/files/fenced", None),
    ("PUT", "/params/fenced/token", {}),
    ("PUT", "/files/fenced/keepalive", {"x": 1}),
)


@pytest.mark.parametrize(("method", "path", "body"), FENCED)
def test_every_change_can_be_fenced(call, method, path, body):
    fence = term(call, "term", "boss")
    number = fence["If-Lease"].partition(";")[2]
    before = call("GET", "/profiles/fenced").headers["ETag"]
    for lost in ("none;1", f"term;{int(number) + 1}", f"none;{number}"):
        answer = call(method, path, body, **{"If-Lease": lost})
        assert answer.status_code == 412 and answer.json()["type"] == "urn:baton:lease_lost", answer.text
    assert call("GET", "/profiles/fenced").headers["ETag"] == before
    assert call(method, path, body, **fence).status_code < 300
    call("DELETE", "/leases/term")


@pytest.mark.parametrize(("method", "path", "body"), FENCED)
def test_every_change_can_come_too_late(call, method, path, body):
    answer = call(method, path, body, **{"Baton-Deadline": "1"})
    assert answer.status_code == 503 and answer.json()["type"] == "urn:baton:deadline_passed", answer.text


@pytest.mark.parametrize(
    ("method", "path", "header"),
    [
        ("POST", "/tokens", "If-Lease"),
        ("POST", "/profiles/fenced/token", "If-Lease"),
        ("POST", "/leases/x/keepalive", "If-Lease"),
        ("GET", "/profiles/fenced", "If-Lease"),
        ("POST", "/profiles/fenced/elect", "Baton-Lease"),
        ("POST", "/locks/x/acquire", "Baton-Lease"),
        ("PUT", "/files/x", "Baton-Lease"),
        ("PUT", "/profiles/fenced", "Baton-Lease"),
    ],
)
def test_a_header_without_a_meaning_is_refused(call, method, path, header):
    answer = call(method, path, {}, **{header: "x;1"})
    assert answer.status_code == 400 and f"{header} has no meaning" in answer.json()["detail"]


def test_a_leader_that_was_put_out_writes_nothing_not_even_itself(call):
    fence = term(call, "old", "seat")
    assert call("PUT", "/profiles/fenced/params/seat", "b").status_code == 200
    for path, body in (("/profiles/fenced/params/data", 1), ("/profiles/fenced/params/seat", "a")):
        assert call("PUT", path, body, **fence).status_code == 412
    assert call("GET", "/profiles/fenced/params/seat").json() == "b"


def test_a_batch_ties_each_param_that_it_sets(call):
    lease(call, "batch")
    call("PUT", "/profiles/tied", {"Params": {"gone": 1}})
    item = {"Kind": "profiles", "Key": "tied"}
    changes = [
        {**item, "Param": "a", "Action": "put", "Body": 1},
        {**item, "Param": "b", "Body": [{"op": "add", "path": "", "value": 2}]},
        {**item, "Param": "gone", "Action": "delete"},
    ]
    assert call("POST", "/batch", {"Changes": changes}, **{"Baton-Lease": "batch"}).status_code == 200
    whole = {"Changes": [{**item, "Action": "put", "Body": {}}]}
    assert call("POST", "/batch", whole, **{"Baton-Lease": "batch"}).status_code == 400
    ties = call("GET", "/leases/batch").json()["Ties"]
    assert [tie["Path"] for tie in ties] == [["Params", "a"], ["Params", "b"]]
    call("DELETE", "/leases/batch")
    assert call("GET", "/profiles/tied/params").json() == {}


# --- a repeat gets the first answer --------------------------------------------------------------------------------------


MADE = {"Kind": "profiles", "Key": "again-b"}
REPEATED = (
    ("POST", "/profiles/again/elect", {"Param": "s", "Candidate": "A", "Lease": "again"}),
    ("POST", "/profiles/again/elect", {"Param": "s", "Candidate": "A", "Lease": "again"}),
    ("POST", "/profiles/again/elect", {"Param": "s", "Candidate": "B", "Lease": "again"}),
    ("POST", "/profiles/again/elect", {"Param": "h", "Candidate": "H", "Seats": 2}),
    ("POST", "/profiles/again/resign", {"Param": "s", "Candidate": "B"}),
    ("POST", "/locks/again/acquire", {"Owner": "a", "Lease": "again"}),
    ("POST", "/locks/again/acquire", {"Owner": "a", "Lease": "again"}),
    ("POST", "/barriers/again/arrive", {"Owner": "a", "Count": 1}),
    ("POST", "/barriers/again/arrive", {"Owner": "a", "Count": 2}),
    ("POST", "/barriers/again/break", {"Owner": "b", "Why": "no"}),
    ("PUT", "/profiles/again-new", {}),
    ("PUT", "/profiles/again-new", {"Description": "2"}),
    ("POST", "/profiles", {"Name": "again-post"}),
    ("PUT", "/params/again/new", {}),
    ("PATCH", "/profiles/again", []),
    ("PUT", "/files/again", {"x": 1}),
    ("PUT", "/files/again", {"x": 1}),
    ("POST", "/batch", {"Changes": [{"Kind": "profiles", "Key": "again", "Body": []}, {**MADE, "Action": "put", "Body": {}}]}),
    ("DELETE", "/profiles/again-new", None),
    ("POST", "/locks/again/release", {"Owner": "a"}),
)  # fmt: skip


def test_a_repeat_gets_the_first_answer_whatever_has_happened_since_and_at_any_active(cluster, call):
    lease(call, "again")
    call("PUT", "/profiles/again", {"Params": {"h": ["H"]}})
    first = [seen(call(*request, **{"Idempotency-Key": f"again-{number}"})) for number, request in enumerate(REPEATED)]
    call("DELETE", "/leases/again")
    call("DELETE", "/barriers/again")
    call("PUT", "/profiles/again/params/s", "somebody else")
    old = cluster.active()
    assert cluster.call(old, "POST", "/system/switch", json={}).status_code == 200
    until(lambda: cluster.active() not in (None, old), "another is active")
    for number, request in enumerate(REPEATED):
        again = seen(call(*request, **{"Idempotency-Key": f"again-{number}"}))
        assert again == first[number], request


def test_a_repeat_is_done_also_where_only_the_documents_of_now_are_known(tmp_path):
    """After a restart beyond a checkpoint; what stands there is of another kind, or another's."""
    with Cluster(tmp_path, 1, "local", ["--checkpoint-entries", "20", "--keep-entries", "20"]) as one:

        def call(method, path, body=None, **headers):
            return one.call(one.n1, method, path, headers=headers, **({} if body is None else {"json": body}))

        asked = (
            ("POST", "/profiles/p/elect", {"Param": "s", "Candidate": "x" * 3000, "Seats": 2}),
            ("DELETE", "/profiles/p/params/gone", None),
            ("DELETE", "/profiles/q", None),
        )
        for name in "pq":
            call("PUT", f"/profiles/{name}", {"Params": {"gone": 1}})
        first = [seen(call(*request, **{"Idempotency-Key": f"once-{number}"})) for number, request in enumerate(asked)]
        call("PUT", "/profiles/p/params/s", "one value")
        for name in "pq":
            call("PUT", f"/profiles/{name}/params/gone" if name == "p" else "/profiles/q", {})
        for number in range(40):
            assert call("PUT", "/profiles/p/params/n", number).ok
        one.n1.kill()
        one.n1.start().until("/active")
        again = [seen(call(*request, **{"Idempotency-Key": f"once-{number}"})) for number, request in enumerate(asked)]
        assert again[1:] == first[1:] and again[0][0] == 200 and again[0][1] == {**first[0][1], "Leaders": ["one value"]}


def seen(answer):
    """What a client sees of an answer."""
    return answer.status_code, answer.json() if answer.content else None


def test_a_lease_that_is_asked_for_again_at_its_very_end_is_there(call):
    for _time in range(30 if os.environ.get("BATON_LONG") else 8):  # a second each
        answer = call("POST", "/leases", {"Id": "brief", "Ttl": 1, "Owner": "test"})
        assert answer.status_code == 201 and answer.json()["Left"] == pytest.approx(1, abs=0.2), answer.text
        until(lambda: not (call("GET", "/leases/brief").json().get("Left") or 0) > 0.02, "it is about to end, or has ended")


def test_an_order_that_stands_is_never_called_not_applied(cluster, call):
    assert acquire(call, "stands", "holder").json()["Held"]
    old, answers = cluster.active(), []
    ask = {"json": {"Owner": "waiter", "Wait": 60}, "allow_redirects": False}
    waiter = threading.Thread(target=lambda: answers.append(cluster.call(old, "POST", "/locks/stands/acquire", **ask)))
    waiter.start()
    until(lambda: call("GET", "/locks/stands").json()["Queue"], "it waits in line")
    old.stop()
    waiter.join(30)
    assert answers and (answers[0].status_code == 307 or answers[0].json()["outcome"] == "unknown"), answers
    until(lambda: cluster.active() is not None, "another is active")
    assert [entry["Owner"] for entry in call("GET", "/locks/stands").json()["Queue"]] == ["waiter"]
    old.start().until("/in-sync")
