# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends with a token, and with what a token ends: on the active, and on a passive as soon as it knows."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from support.cluster import Cluster, until


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("tokens"), 2, "local") as cluster:
        yield cluster


@pytest.fixture
def admin(pair):
    return lambda method, path, **more: pair.call(pair.n1, method, path, **more)


@pytest.fixture
def profile(admin, request):
    name = f"p{abs(hash(request.node.name))}"
    admin("PUT", f"/profiles/{name}", json={})
    return name


class Stream(threading.Thread):
    """Reads events until they end; ``end`` is then the problem that they ended with."""

    def __init__(self, node, token):
        super().__init__(daemon=True)
        headers = {"Authorization": f"Bearer {token}"}
        self._answer = requests.get(f"{node.url}/api/v3/events?stale=ok", headers=headers, stream=True, timeout=60)
        assert self._answer.status_code == 200
        self._lines = self._answer.iter_lines(chunk_size=1)
        assert next(self._lines).startswith(b"id:")
        self.end = None
        self.start()

    def run(self):
        for line in self._lines:
            if line == b"event: end":
                self.end = json.loads(next(self._lines)[6:])


WAITS = [
    ("GET", "/profiles/{}/params/x?wait=exists&timeout=60&stale=ok", None),
    ("POST", "/locks/{}/acquire", {"Owner": "late", "Wait": 60}),
    ("POST", "/barriers/{}/arrive", {"Owner": "a", "Count": 9, "Wait": 60}),
]


def ends(pair, admin, profile, token, node, end):
    """Wait and listen with a token, end it; return the statuses of all that waited."""
    admin("POST", f"/locks/{profile}/acquire", json={"Owner": "first"})
    waits = WAITS if node is pair.n1 else WAITS[:1]
    with ThreadPoolExecutor(len(waits)) as pool:
        stream = Stream(node, token)
        asked = [pool.submit(node.call, method, path.format(profile), token, json=body) for method, path, body in waits]
        if node is pair.n1:
            until(lambda: "late" in json.dumps(admin("GET", f"/locks/{profile}").json()), "it is in line")
            until(lambda: admin("GET", f"/barriers/{profile}").status_code == 200, "it is there")
        end()
        stream.join(20)
        return [item.result(20).status_code for item in asked], stream.end


@pytest.mark.parametrize("name", ["n1", "n2"])
def test_all_that_stays_ends_at_once_with_a_token_that_is_revoked(pair, admin, profile, name):
    made = admin("POST", f"/profiles/{profile}/token?ttl=1h").json()
    statuses, end = ends(pair, admin, profile, made["Token"], pair.nodes[name], lambda: admin("DELETE", f"/tokens/{made['Id']}"))
    assert set(statuses) == {401} and end["status"] == 401


@pytest.mark.parametrize("name", ["n1", "n2"])
def test_all_that_stays_ends_with_the_time_of_a_token_which_leaves_the_documents(pair, admin, profile, name):
    made = admin("POST", f"/profiles/{profile}/token?ttl=2").json()
    statuses, end = ends(pair, admin, profile, made["Token"], pair.nodes[name], lambda: None)
    assert set(statuses) == {401} and end["status"] == 401
    until(lambda: made["Id"] not in admin("GET", "/tokens").text, "it is no document any more")


@pytest.mark.parametrize("name", ["n1", "n2"])
def test_a_token_of_a_profile_ends_with_it_and_does_not_come_back(pair, admin, profile, name):
    made = admin("POST", f"/profiles/{profile}/token?ttl=1h").json()
    other = admin("POST", "/tokens", json={"Scope": {"kind": "admin"}, "Ttl": "1h"}).json()
    statuses, end = ends(pair, admin, profile, made["Token"], pair.nodes[name], lambda: admin("DELETE", f"/profiles/{profile}"))
    assert 401 in statuses and end["status"] == 401
    assert admin("PUT", f"/profiles/{profile}", json={}).status_code == 201
    assert pair.n1.call("GET", f"/profiles/{profile}", made["Token"]).status_code == 401
    assert made["Id"] not in admin("GET", "/tokens").text and other["Id"] in admin("GET", "/tokens").text


def test_a_batch_that_makes_a_profile_anew_ends_its_tokens_too(admin, pair, profile):
    made = admin("POST", f"/profiles/{profile}/token?ttl=1h").json()
    changes = [
        {"Kind": "profiles", "Key": profile, "Action": "delete"},
        {"Kind": "profiles", "Key": profile, "Action": "create", "Body": {}},
    ]
    assert admin("POST", "/batch", json={"Changes": changes}).status_code == 200
    assert pair.n1.call("GET", f"/profiles/{profile}", made["Token"]).status_code == 401


def test_viewers_read_and_change_nothing(admin, pair, profile):
    token = admin("POST", "/tokens", json={"Scope": {"kind": "viewer"}}).json()["Token"]
    for path in ("/profiles", f"/profiles/{profile}", "/machines", "/locks", "/leases", "/system/ha", "/files", "/tokens/self"):
        assert pair.n1.call("GET", path, token).status_code == 200, path
    change = {"Changes": [{"Kind": "profiles", "Key": profile, "Action": "delete"}]}
    for method, path in (
        ("GET", "/tokens"), ("POST", "/tokens"), ("PUT", f"/profiles/{profile}"), ("POST", "/leases"), ("POST", "/batch"),
        ("POST", f"/locks/{profile}/acquire"), ("POST", "/system/passive"), ("DELETE", "/tokens/self"), ("PUT", "/files/x"),
    ):  # fmt: skip
        assert pair.n1.call(method, path, token, json=change).status_code == 403, path


def test_a_projects_token_has_what_is_named_like_it(admin, pair, profile):
    token = admin("POST", "/tokens", json={"Scope": {"kind": "project", "name": "acme"}}).json()["Token"]
    looks = admin("POST", "/tokens", json={"Scope": {"kind": "viewer", "project": "acme"}}).json()["Token"]

    def mine(method, path, whose=token, **more):
        return pair.n1.call(method, path, whose, **more)

    assert mine("PUT", "/profiles/acme:db", json={}).status_code == 201
    assert mine("PUT", "/profiles/acmes", json={}).status_code == 403
    assert mine("PUT", "/files/acme/a", data=b"a").status_code == 201
    admin("PUT", "/files/other/a", data=b"a")
    admin("POST", "/locks/other/acquire", json={"Owner": "x"})
    assert mine("POST", "/locks/acme/x/acquire", json={"Owner": "me"}).status_code == 200
    for whose in (token, looks):
        assert [item["Name"] for item in mine("GET", "/profiles", whose).json()] == ["acme:db"]
        assert [item["Path"] for item in mine("GET", "/files", whose).json()] == ["acme/a"]
        assert [item["Name"] for item in mine("GET", "/locks", whose).json()] == ["acme/x"]
        assert mine("GET", "/profiles?wait=count&value=1", whose).status_code == 403
        assert mine("GET", "/tokens/self", whose).json()["Scope"] in (
            {"kind": "project", "name": "acme"},
            {"kind": "viewer", "project": "acme"},
        )
    assert mine("PUT", "/profiles/acme:db", looks, json={}).status_code == 403
    batch = {"Changes": [{"Kind": "profiles", "Key": name, "Action": "put", "Body": {}} for name in ("acme:db", profile)]}
    assert mine("POST", "/batch", json=batch).status_code == 403
    assert mine("POST", "/leases", json={"Id": "acme-1", "Ttl": "30s"}).status_code == 201
    assert [item["Id"] for item in mine("GET", "/leases", looks).json()] == ["acme-1"]
    other = admin("POST", "/tokens", json={"Scope": {"kind": "project", "name": "other"}}).json()["Token"]
    assert mine("POST", "/leases/acme-1/keepalive", other).status_code == 403
