# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP API of a real batond: the public patch suite, races, and what bad input gets."""

import json
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from baton.ground.values import equal
from json_patch_suite import cases
from support.cluster import HA_TOKEN, Cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("api"), 1, "local") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def api(cluster):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {cluster.token}"

    def call(method, path, body=None, **more):
        if body is not None:
            more["data"] = json.dumps(body)
        return session.request(method, f"{cluster.n1.url}/api/v3{path}", timeout=30, **more)

    return call


@pytest.fixture
def profile(api):
    name = f"p-{uuid.uuid4().hex[:8]}"
    assert api("POST", "/profiles", {"Name": name}).status_code == 201
    return name


@pytest.mark.parametrize("case", [case for _name, case in cases()], ids=[name for name, _case in cases()])
def test_public_patch_suite(api, profile, case):
    """The document of each case is the value of a param, so that any JSON value can be its root."""
    path = f"/profiles/{profile}/params/suite/doc"
    assert api("PUT", path, case["doc"]).status_code == 200
    answer = api("PATCH", path, case["patch"])
    after = api("GET", path).json()
    if "error" in case:
        assert answer.status_code in (400, 409), answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert equal(after, case["doc"])
    else:
        assert answer.status_code == 200, answer.text
        if "expected" in case:
            assert equal(after, case["expected"])


def test_64_racers_one_winner(cluster, api, profile):
    api("PUT", f"/profiles/{profile}/params/my/leader", "none")
    start = threading.Barrier(64)

    def race(number):
        start.wait()
        body = [{"op": "test", "path": "", "value": "none"}, {"op": "replace", "path": "", "value": f"racer-{number}"}]
        return cluster.call(cluster.n1, "PATCH", f"/profiles/{profile}/params/my/leader", json=body)

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(race, range(64)))
    winners = [answer for answer in answers if answer.status_code == 200]
    losers = [answer for answer in answers if answer.status_code == 409]
    assert len(winners) == 1 and len(losers) == 63
    assert {answer.json()["found"] for answer in losers} == {winners[0].json()}
    assert api("GET", f"/profiles/{profile}/params/my/leader").json() == winners[0].json()


def test_unrelated_writers_do_not_conflict(api, profile):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: api("PUT", f"/profiles/{profile}/params/key/{n}", n), range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(api("GET", f"/profiles/{profile}/params").json()) == 100


def test_a_list_that_is_as_it_was(api, profile):
    path = f"/profiles/{profile}"
    seen = api("GET", "/profiles").headers["ETag"]
    for query in ("", "?limit=1", f"?Name={profile}"):
        same = api("GET", f"/profiles{query}", headers={"If-None-Match": seen})
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", seen)
    assert api("HEAD", "/profiles?limit=1").headers["ETag"] == seen
    api("PUT", "/params/of-another-kind", {})
    assert api("GET", "/profiles", headers={"If-None-Match": seen}).status_code == 304
    for change in (("PATCH", path, [{"op": "add", "path": "/Meta/icon", "value": "anchor"}]), ("DELETE", path)):
        api(*change)
        now = api("GET", "/profiles", headers={"If-None-Match": seen})
        assert now.status_code == 200 and now.headers["ETag"] != seen
        seen = now.headers["ETag"]


def test_documents_and_etags(api, profile):
    path = f"/profiles/{profile}"
    first = api("GET", path)
    assert api("GET", path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    changed = api("PATCH", path, [{"op": "add", "path": "/Meta/icon", "value": "anchor"}])
    assert changed.json()["Meta"] == {"icon": "anchor"}
    stale = api("PUT", path, {"Description": "x"}, headers={"If-Match": first.headers["ETag"]})
    assert stale.status_code == 412 and stale.json()["found"] == changed.headers["ETag"].strip('"')
    assert api("PUT", path, {"Description": "x"}, headers={"If-Match": changed.headers["ETag"]}).status_code == 200
    assert api("HEAD", path).status_code == 200 and api("HEAD", path).content == b""
    assert api("PUT", path, {}, headers={"If-None-Match": "*"}).status_code == 409
    assert api("DELETE", path).status_code == 204
    assert api("GET", path).status_code == 404


def test_param_names_with_slashes_and_defaults(api, profile):
    name = f"my/{uuid.uuid4().hex[:6]}/leader"
    assert api("POST", "/params", {"Name": name, "Schema": {"default": "none"}}).status_code == 201
    assert api("GET", f"/params/{name}").json()["Schema"] == {"default": "none"}
    for shown in (name, name.replace("/", "%2F")):
        assert api("GET", f"/profiles/{profile}/params/{shown}").json() == "none"
    assert api("GET", f"/profiles/{profile}/params/{name}?default=no").status_code == 404
    assert api("GET", f"/profiles/{profile}/params").json() == {}
    loop = [{"op": "test", "path": "", "value": "none"}, {"op": "replace", "path": "", "value": "n1"}]
    assert api("PATCH", f"/profiles/{profile}/params/{name}", loop).json() == "n1"
    assert api("PUT", f"/profiles/{profile}/params/{name}", 1, headers={"If-None-Match": "*"}).status_code == 412


def test_machines_get_a_uuid(api):
    made = api("POST", "/machines", {"Name": "host-1"}).json()
    assert uuid.UUID(made["Uuid"]) and made["Name"] == "host-1"
    assert [m["Uuid"] for m in api("GET", "/machines?Name=host-1").json()] == [made["Uuid"]]


def test_large_documents_are_not_repeated_in_answers(api, profile):
    path = f"/profiles/{profile}"
    add = [{"op": "add", "path": f"/Params/big{n}", "value": "x" * 1000} for n in range(200)]
    answer = api("PATCH", path, add)
    assert answer.status_code == 204 and answer.headers["ETag"]
    small = [{"op": "add", "path": "/Meta/a", "value": 1}]
    assert api("PATCH", path, small, headers={"Prefer": "return=representation"}).status_code == 200
    tiny = api("PATCH", f"{path}/params/tiny", [{"op": "add", "path": "", "value": 1}], headers={"Prefer": "return=minimal"})
    assert tiny.status_code == 204


def test_idempotency_key(api, profile):
    """A lost reply never looks like a lost race: the same key gets the first answer."""
    path = f"/profiles/{profile}/params/seat"
    api("PUT", path, "none")
    body = [{"op": "test", "path": "", "value": "none"}, {"op": "replace", "path": "", "value": "me"}]
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first, again = api("PATCH", path, body, headers=key), api("PATCH", path, body, headers=key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["Idempotency-Replayed"] == "true" and again.headers["ETag"] == first.headers["ETag"]
    assert api("PATCH", path, body).status_code == 409
    other = api("PATCH", path, [{"op": "replace", "path": "", "value": "you"}], headers=key)
    assert other.status_code == 422 and api("GET", path).json() == "me"


class TestAKeyStandsForOneRequest:
    """Of two requests with one key the second is refused and changes nothing, unless it is the first one again."""

    def reused(self, answer):
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:baton:key_reused"), answer.text

    def test_another_path_of_a_file(self, api):
        one, other = (f"/files/{uuid.uuid4().hex}" for _file in range(2))
        key = {"Idempotency-Key": uuid.uuid4().hex}
        assert api("PUT", one, data=b"x", headers=key).status_code == 201
        self.reused(api("PUT", other, data=b"x", headers=key))
        assert api("GET", other).status_code == 404
        again = api("PUT", one, data=b"x", headers=key)
        assert again.status_code == 201 and again.headers["Idempotency-Replayed"] == "true"
        self.reused(api("PUT", one, data=b"y", headers=key))
        self.reused(api("DELETE", one, headers=key))
        assert api("GET", one).content == b"x"

    @pytest.mark.parametrize("header", ["If-Match", "If-None-Match", "Baton-Lease", "If-Lease"])
    def test_other_conditions(self, api, profile, header):
        path, key = f"/profiles/{profile}/params/seat", {"Idempotency-Key": uuid.uuid4().hex}
        lease = uuid.uuid4().hex
        token = api("POST", f"/locks/{lease}/acquire", {"Owner": "x", "Lease": self.lease(api, lease)}).json()["Token"]
        first = {"If-Match": "*", "If-None-Match": "*", "Baton-Lease": lease, "If-Lease": f"{lease};{token}"}[header]
        assert api("PUT", path, 1, headers={**key, header: first}).status_code == 200
        other = {"If-Match": '"9.9"', "Baton-Lease": "other", "If-Lease": "other;1"}  # If-None-Match is * or nothing
        if header in other:
            self.reused(api("PUT", path, 1, headers={**key, header: other[header]}))
        self.reused(api("PUT", path, 1, headers=key))
        assert api("PUT", path, 1, headers={**key, header: first}).headers["Idempotency-Replayed"] == "true"

    def lease(self, api, name):
        assert api("POST", "/leases", {"Id": name, "Ttl": "60s", "Owner": "x"}).status_code in (200, 201)
        return name

    def test_another_token(self, cluster, api, profile):
        mine, theirs = (api("POST", f"/profiles/{profile}/token?ttl=2h").json()["Token"] for _token in range(2))
        asked = {"json": {"Param": "boss", "Candidate": "x"}, "headers": {"Idempotency-Key": uuid.uuid4().hex}}
        path = f"/profiles/{profile}/elect"
        assert cluster.n1.call("POST", path, mine, **asked).status_code == 200
        self.reused(cluster.n1.call("POST", path, theirs, **asked))
        assert cluster.n1.call("POST", path, mine, **asked).headers["Idempotency-Replayed"] == "true"


def test_deadline(api, profile):
    late = api("PUT", f"/profiles/{profile}/params/x", 1, headers={"Baton-Deadline": "1000"})
    assert late.status_code == 503 and late.json()["outcome"] == "not_applied"
    assert api("GET", f"/profiles/{profile}/params/x").status_code == 404


def test_waits_are_woken(api, profile):
    path = f"/profiles/{profile}/params/gate"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api, "GET", path + '?wait=equals&value="open"&timeout=30')
        api("PUT", path, "closed")
        api("PUT", path, "open")
        assert waiting.result().json() == "open"
    timed_out = api("GET", path + '?wait=equals&value="never"&timeout=0.1')
    assert timed_out.status_code == 408 and timed_out.json()["found"] == "open"


def test_tokens(cluster, api, profile):
    made = api("POST", f"/profiles/{profile}/token?ttl=2h").json()
    mine = made["Token"]
    assert cluster.n1.call("PUT", f"/profiles/{profile}/params/a", mine, json=1).status_code == 200
    for method, path in (
        ("GET", "/profiles"), ("GET", "/tokens"), ("POST", "/profiles"), ("DELETE", f"/profiles/{profile}"),
        ("POST", f"/profiles/{profile}/token"), ("GET", "/system/ha"), ("PUT", "/files/x"), ("GET", "/profiles/other"),
    ):  # fmt: skip
        assert cluster.n1.call(method, path, mine, json={}).status_code == 403, path
    listed = api("GET", "/tokens")
    assert made["Id"] in listed.text and mine not in listed.text and "Hash" not in listed.text
    assert api("DELETE", f"/tokens/{made['Id']}").status_code == 204
    assert cluster.n1.call("GET", f"/profiles/{profile}", mine).status_code == 401
    assert cluster.n1.call("GET", "/profiles", HA_TOKEN).status_code == 403
    assert requests.get(f"{cluster.n1.url}/api/v3/profiles", timeout=5).status_code == 401
    assert mine not in cluster.n1.log.read_text() and cluster.token not in cluster.n1.log.read_text()


def test_expired_token(cluster, api, profile):
    token = api("POST", f"/profiles/{profile}/token?ttl=1").json()["Token"]
    from support.cluster import until

    until(lambda: cluster.n1.call("GET", f"/profiles/{profile}", token).status_code == 401, "the token expires")


def test_files(api):
    path, content = f"/files/iso/{uuid.uuid4().hex}.img", b"0123456789" * 100_000
    made = api("PUT", path, data=content)
    assert made.status_code == 201 and made.json()["Size"] == len(content)
    assert api("GET", path).content == content
    part = api("GET", path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"0123456789", f"bytes 10-19/{len(content)}")
    assert api("GET", path, headers={"Range": "bytes=-3"}).content == b"789"
    assert api("GET", path, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    wrong = api("PUT", path, data=b"other", headers={"X-Baton-Sha256": "0" * 64})
    assert wrong.status_code == 422 and api("GET", path).content == content
    assert [f["Path"] for f in api("GET", f"/files?prefix={path[7:]}").json()] == [path[7:]]
    assert api("DELETE", path).status_code == 204 and api("GET", path).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [{"X-Baton-Sha256": ""}, {"Content-Digest": "sha-256=:AAAA:"}, {"Content-Digest": "sha-512=:AAAA:"}, {"If-None-Match": '"x"'}],
)
def test_what_a_file_is_to_be_is_verified_or_refused_and_never_left_out(api, headers):
    path = f"/files/{uuid.uuid4().hex}"
    assert api("PUT", path, data=b"x", headers=headers).status_code == 400
    assert api("GET", path).status_code == 404


def test_a_file_is_replaced_on_condition_and_a_repeat_gets_the_first_answer(api):
    path = f"/files/{uuid.uuid4().hex}"
    first = api("PUT", path, data=b"1", headers={"If-None-Match": "*"})
    assert first.status_code == 201
    again = api("PUT", path, data=b"2", headers={"If-None-Match": "*"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:baton:exists")
    known = {"If-Match": first.headers["ETag"], "Idempotency-Key": uuid.uuid4().hex}
    assert [api("PUT", path, data=b"2", headers=known).status_code for _time in range(2)] == [200, 200]
    late = api("PUT", path, data=b"3", headers={"If-Match": first.headers["ETag"]})
    assert (late.status_code, late.json()["found"]) == (412, api("GET", path).headers["ETag"].strip('"'))
    assert api("PUT", f"{path}-absent", data=b"3", headers={"If-Match": "*"}).status_code == 412
    assert api("DELETE", path, headers={"If-Match": first.headers["ETag"]}).status_code == 412
    assert api("GET", path).content == b"2"
    last = {"If-Match": api("GET", path).headers["ETag"], "Idempotency-Key": uuid.uuid4().hex}
    assert [api("DELETE", path, headers=last).status_code for _time in range(2)] == [204, 204]


BAD = [
    ("POST", "/profiles", "{", 400, "malformed_json"),
    ("POST", "/profiles", "[]", 422, "not_an_object"),
    ("POST", "/profiles", "{}", 422, "no_name"),
    ("POST", "/profiles", '{"Name": "a/b"}', 400, "bad_name"),
    ("POST", "/profiles", '{"Name": 3}', 422, "no_name"),
    ("POST", "/profiles", '{"Name": "x", "Params": []}', 422, "bad_params"),
    ("PUT", "/profiles/x", '{"Name": "y"}', 422, "identity"),
    ("PATCH", "/profiles/bad", '{"op": "add"}', 400, "malformed_patch"),
    ("PATCH", "/profiles/bad", "[1]", 400, "malformed_patch"),
    ("PATCH", "/profiles/bad", '[{"op": "test", "path": "x", "value": 1}]', 400, "malformed_patch"),
    ("PATCH", "/profiles/absent", "[]", 404, "not_found"),
    ("PATCH", "/profiles/bad", "NaN", 400, "malformed_json"),
    ("PATCH", "/profiles/bad", "[" * 5000, 400, "too_deep"),
    ("PATCH", "/profiles/bad", '[{"op": "add", "path": "/Params/" , "value": 1}]', 400, "bad_name"),
    ("PUT", "/profiles/bad/params/a//b", "1", 400, "bad_path"),
    ("DELETE", "/tokens/x/y", "", 404, "no_such_path"),
    ("GET", "/info/x", "", 404, "no_such_path"),
    ("GET", "/profiles/%FF", "", 400, "bad_path"),
    ("GET", "/profiles/a%00b", "", 400, "bad_path"),
    ("GET", "/profiles?limit=x", "", 400, "bad_query"),
    ("GET", "/profiles/bad?wait=forever", "", 400, "bad_wait"),
    ("GET", "/profiles/bad?wait=equals", "", 400, "bad_wait"),
    ("GET", "/profiles/bad?wait=exists&timeout=-1", "", 400, "bad_wait"),
    ("GET", "/profiles/bad?wait=exists&timeout=nan", "", 400, "bad_wait"),
    ("POST", "/profiles/bad/token?ttl=soon", "", 400, "bad_ttl"),
    ("POST", "/tokens", '{"Scope": {"kind": "root"}}', 422, "bad_scope"),
    ("DELETE", "/profiles", "", 405, "method_not_allowed"),
    ("TRACE", "/profiles/bad", "", 405, "method_not_allowed"),
    ("POST", "/info", "", 405, "method_not_allowed"),
    ("GET", "/profiles/a%0Ab", "", 400, "bad_path"),
    ("GET", "/profiles?limit=%C2%B2", "", 400, "bad_query"),
    ("GET", "/profiles?offset=" + "9" * 5000, "", 400, "bad_query"),
    ("GET", "/profiles/bad?wait=count&value=" + "9" * 5000, "", 400, "malformed_json"),
    ("GET", "/profiles/bad?wait=exists&settled=1e400", "", 400, "bad_wait"),
    ("GET", "/events?since=1.x.%C2%B2.0", "", 400, "bad_cursor"),
    ("GET", "/events?since=1.x.2." + "9" * 5000, "", 400, "bad_cursor"),
    ("POST", "/batch", '{"Changes": [{"Kind": ["profiles"], "Key": "bad"}]}', 422, "bad_member"),
    ("POST", "/batch", '{"Changes": [{"Kind": "profiles", "Key": "bad", "Action": {}}]}', 422, "bad_member"),
    ("POST", "/batch", '{"Changes": [{"Kind": "profiles", "Key": "bad", "Action": "delete", "Tied": 1}]}', 422, "bad_member"),
    ("PUT", "/profiles/bad/params/x", '"\\ud800"', 400, "malformed_json"),
    ("GET", "/nothing", "", 404, "no_such_path"),
    ("PUT", "/files/a/../b", "x", 400, "bad_path"),
    ("POST", "/system/active", '{"force": "yes"}', 422, "bad_member"),
    ("POST", "/system/switch", '{"to": "n9"}', 409, "not_in_sync"),
    ("POST", "/system/create", '{"cluster_id": "x"}', 409, "cluster_exists"),
    ("DELETE", "/system/nodes/n1", "", 409, "is_active"),
    ("DELETE", "/system/nodes/-n1", "", 400, "bad_name"),
    ("PUT", "/system/nodes/a%20b", "", 400, "bad_name"),
    ("POST", "/system/pause", '{"pause": true}', 422, "bad_member"),
    ("POST", "/system/active", '{"Force": true}', 422, "bad_member"),
    ("POST", "/system/switch", '{"To": "n2"}', 422, "bad_member"),
    ("POST", "/tokens", '{"Scope": {"kind": "viewer"}, "ttl": "1h"}', 422, "bad_member"),
    ("POST", "/tokens", '{"Scope": {"kind": "viewer"}, "Ttl": null}', 422, "bad_ttl"),
    ("POST", "/tokens", '{"Scope": {"kind": "viewer"}, "Ttl": true}', 422, "bad_ttl"),
    ("POST", "/tokens", '{"Scope": {"kind": "viewer"}, "Description": 5}', 422, "bad_member"),
    ("POST", "/leases", '{"Ttl": 30, "Name": "x"}', 422, "bad_member"),
    ("POST", "/leases", '{"Ttl": 30, "Id": 0}', 422, "bad_member"),
    ("POST", "/leases", '{"Ttl": 30, "Id": ""}', 400, "bad_name"),
    ("POST", "/locks/bad/acquire", '{"Owner": "x", "Slot": 2}', 422, "bad_member"),
    ("POST", "/locks/bad/acquire", '{"Owner": "x", "Lease": "a b"}', 422, "bad_member"),
    ("POST", "/locks/bad/release", '{"Owner": "x", "token": 1}', 422, "bad_member"),
    ("GET", "/locks/-bad", "", 400, "bad_name"),
    ("POST", "/barriers/-bad/reset", '{"Owner": "x"}', 400, "bad_name"),
    ("POST", "/barriers/bad/reset", '{"Owner": "x", "Why": "y"}', 422, "bad_member"),
    ("POST", "/barriers/bad/break", '{"Owner": "x", "Escape": null}', 422, "bad_member"),
    ("POST", "/barriers/bad/arrive", '{"Owner": "x", "Counts": 2}', 422, "bad_member"),
    ("POST", "/profiles/bad/elect", '{"Param": "a", "Candidate": "x", "Seat": 2}', 422, "bad_member"),
    ("POST", "/profiles/bad/elect", '{"Param": "a", "Candidate": "x", "Lease": "/"}', 422, "bad_member"),
    ("POST", "/batch", '{"Changes": [{"Kind": "profiles", "Key": "bad", "Action": "delete"}], "changes": []}', 422, "bad_member"),
    ("POST", "/batch", '{"Changes": [{"Kind": "profiles", "Key": "bad", "Param": "a", "Action": "put"}]}', 422, "bad_member"),
    ("POST", "/machines", '{"Uuid": 0}', 422, "no_name"),
    ("GET", "/profiles/bad?wiat=exists", "", 400, "bad_query"),
    ("GET", "/profiles/bad?stale=yes", "", 400, "bad_query"),
    ("GET", "/profiles/bad/params/a?default=none", "", 400, "bad_query"),
    ("GET", "/profiles?limit=1&limit=2", "", 400, "bad_query"),
    ("GET", "/profiles/bad?wait=exists&wait=absent", "", 400, "bad_query"),
    ("GET", "/profiles?timeout=5", "", 400, "bad_wait"),
    ("GET", "/profiles/bad?timeout=5", "", 400, "bad_wait"),
    ("GET", "/profiles/bad?wait=exists&timeout=1_0", "", 400, "bad_wait"),
    ("GET", "/profiles/bad?wait=exists&escape=a%20b", "", 400, "bad_wait"),
    ("GET", "/profiles/bad?wait=exists&escape_profile=a/b", "", 400, "bad_wait"),
    ("GET", "/events?documents=no", "", 400, "bad_query"),
    ("GET", "/events?kind=profiles", "", 400, "bad_query"),
    ("GET", "/info?stale=ok", "", 400, "bad_query"),
    ("PUT", "/profiles/bad?stale=ok", "{}", 400, "bad_query"),
    ("POST", "/profiles/bad/token?Ttl=1h", "", 400, "bad_query"),
    ("GET", "/openapi.json?x=1", "", 400, "bad_query"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), BAD)
def test_bad_input_is_one_helpful_line_and_changes_nothing(cluster, api, method, path, body, status, code):
    api("PUT", "/profiles/bad", {"Description": "untouched"})
    before = api("GET", "/profiles").json()
    # requests would tidy the path; a raw connection sends what a careless client sends
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", cluster.n1.port, timeout=10)
    connection.request(method, "/api/v3" + path, body, {"Authorization": f"Bearer {cluster.token}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == status, text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(text)
    assert problem["type"] == f"urn:baton:{code}" and problem["detail"] and "\n" not in problem["detail"]
    assert api("GET", "/profiles").json() == before


def test_oversize_body(api, profile):
    answer = api("PUT", f"/profiles/{profile}/params/big", data=b'"' + b"x" * (5 << 20) + b'"')
    assert answer.status_code == 413 and answer.headers["Content-Type"] == "application/problem+json"


def test_a_batch_under_a_lease_ties_what_it_does_not_keep_from_it(api, profile):
    assert api("POST", "/leases", {"Id": f"tie-{profile}", "Ttl": "60s"}).status_code == 201
    change = {"Kind": "profiles", "Key": profile, "Action": "put", "Body": 1}
    changes = [{**change, "Param": "goes"}, {**change, "Param": "stays", "Tied": False}]
    assert api("POST", "/batch", {"Changes": changes}, headers={"Baton-Lease": f"tie-{profile}"}).status_code == 200
    assert api("DELETE", f"/leases/tie-{profile}").status_code == 204
    assert api("GET", f"/profiles/{profile}/params").json() == {"stays": 1}


def test_the_token_of_a_guest_ends_with_its_host(cluster, api):
    scope = {"kind": "guest", "name": "db-1"}
    assert api("POST", "/tokens", {"Scope": scope}).status_code == 404
    assert api("POST", "/pool", {"Name": "db-1"}).status_code == 201
    token = api("POST", "/tokens", {"Scope": scope}).json()["Token"]
    assert [cluster.n1.call("GET", path, token).status_code for path in ("/pool/db-1", "/pool")] == [200, 403]
    assert api("DELETE", "/pool/db-1").status_code == 204
    assert cluster.n1.call("GET", "/tokens/self", token).status_code == 401


def test_bad_headers(api, profile):
    path = f"/profiles/{profile}/params/x"
    for headers, code in (
        ({"If-Match": "3"}, "bad_if_match"),
        ({"Idempotency-Key": ""}, "bad_key"),
        ({"Idempotency-Key": "k" * 200}, "bad_key"),
        ({"Baton-Deadline": "soon"}, "bad_deadline"),
        ({"Baton-Deadline": "1_000_000_000_000"}, "bad_deadline"),
        ({"If-None-Match": '"3.4"'}, "bad_if_none_match"),
        ({"Baton-Lease": "a b"}, "bad_lease"),
        ({"If-Lease": "a b;1"}, "bad_if_lease"),
        ({"If-Lease": "a;\u00b2".encode()}, "bad_if_lease"),
        ({"If-Lease": "a;" + "9" * 5000}, "bad_if_lease"),
    ):
        answer = api("PUT", path, 1, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (400, f"urn:baton:{code}")
    assert api("GET", path).status_code == 404


METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "TRACE")


def test_allow_says_what_a_path_takes(cluster, api):
    """OPTIONS answers with the methods of a path, and so does 405 to each of the others."""
    values = {"name": "taken", "uuid": "taken", "param": "a/b", "id": "0" * 16, "path": "taken", "node": "n9"}
    described = api("GET", "/openapi.json").json()["paths"]
    paths = [template.format(**values) for template, item in described.items() if "servers" not in item]  # those below /api/v3
    for path in (*paths, "/openapi.json", "/locks/acquire", "/locks/a/b/release"):
        said = api("OPTIONS", path)
        assert said.status_code == 204 and said.content == b"", f"{path}: {said.status_code}"
        allowed = said.headers["Allow"].split(", ")
        for method in METHODS:
            query = "?since=x" if path == "/events" else ""
            answer = api(method, path + query, data="this is no JSON")
            assert (answer.status_code != 405) == (method in allowed), f"{method} {path}: {answer.status_code}, Allow: {allowed}"
            assert answer.status_code != 405 or answer.headers["Allow"].split(", ") == allowed


@pytest.mark.parametrize("path", ["/active", "/health", "/metrics"])
def test_probes_say_what_they_take(cluster, path):
    refused = requests.post(cluster.n1.url + path, timeout=5)
    assert refused.status_code == 405 and "GET" in refused.headers["Allow"]


@pytest.mark.parametrize("path", ["/active", "/health", "/metrics"])
def test_probes_tell_how_the_node_is_whatever_is_added(cluster, path):
    """Load balancers and scrapers add parameters of their own, which say nothing of the node."""
    assert requests.get(f"{cluster.n1.url}{path}?format=text&x=1&x=2", headers={"If-Lease": "x"}, timeout=5).status_code == 200


def test_probes_need_no_token(cluster):
    for path, status in (("/active", 200), ("/passive", 503), ("/in-sync", 200), ("/health", 200), ("/metrics", 200)):
        assert requests.get(cluster.n1.url + path, timeout=5).status_code == status
    assert "baton_active 1\n" in requests.get(cluster.n1.url + "/metrics", timeout=5).text


def test_the_description_is_that_of_the_server(cluster, api):
    """Every path and method that openapi.json names is served: none is an unknown path or a method that is not allowed."""
    description = api("GET", "/openapi.json").json()
    assert description["openapi"].startswith("3.0")
    values = {"name": "described", "uuid": "described", "param": "a/b", "id": "0" * 16, "path": "described", "node": "n9"}
    api("PUT", "/profiles/described", {})
    for template, item in description["paths"].items():
        if "servers" in item:
            continue  # of the probes, which need no token
        path = template.format(**values)
        for method in sorted(set(item) & {"get", "put", "post", "patch", "delete"}, reverse=True):
            if path.startswith("/system/") and method != "get":
                continue  # orders would be obeyed; see BAD above
            endless = "?since=x" if path == "/events" else ""  # a stream, which tests/daemon/test_events.py reads
            answer = api(method.upper(), path + endless, [] if method == "patch" else {})
            problem = answer.json() if answer.headers.get("Content-Type") == "application/problem+json" else {}
            assert answer.status_code < 500 and problem.get("type") not in ("urn:baton:no_such_path", "urn:baton:method_not_allowed"), (
                f"{method} {path}: {answer.text}"
            )
            if not problem:
                assert str(answer.status_code) in item[method]["responses"], f"{method} {path}: {answer.status_code}"


class TestWhatIsNoRequest:
    """What never reaches a handler is answered like everything else, and none of it gets into the journal."""

    def say(self, cluster, data):
        with socket.create_connection(("127.0.0.1", cluster.n1.port), 10) as client:
            client.sendall(data)
            found = b""
            while chunk := client.recv(65536):
                found += chunk
        head, _line, body = found.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode().lower(), body

    @pytest.mark.parametrize(
        "data",
        [
            b"this is not HTTP\r\n\r\n",
            b"G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /api/v3/profiles HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret-to\x00ken\r\n\r\n",
            b"GET /" + b"x" * 20000 + b"?s3cret HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: s3cret" + b"x" * 20000 + b"\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: s3cret\r\n\r\n",
            b"GET /api/v3/profiles HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: \xff\r\n\r\n",
            b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"CONNECT /api/v3/profiles HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"CONNECT [::1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        ],
    )
    def test_it_is_a_problem_document(self, cluster, data):
        status, head, body = self.say(cluster, data)
        assert 400 <= status < 500 and "application/problem+json" in head, (head, body)
        assert json.loads(body)["status"] == status
        assert not cluster.n1.said("s3cret") and not cluster.n1.said("Traceback")

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x"])
    def test_an_encoded_body_is_refused_before_it_is_expanded(self, cluster, api, profile, encoding):
        headers = {"Content-Encoding": encoding}
        answer = api("PATCH", f"/profiles/{profile}", [], headers=headers)
        assert answer.status_code == 415 and answer.headers["Content-Type"] == "application/problem+json"

    def test_a_bad_chunk_changes_nothing(self, cluster, profile):
        head = f"PUT /api/v3/profiles/{profile}/params/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {cluster.token}\r\n"
        head += "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        status, head, _body = self.say(cluster, head.encode() + b"zz\r\n1\r\n0\r\n\r\n")
        assert 400 <= status < 500 and "application/problem+json" in head
        assert not cluster.n1.said(cluster.token)
