# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens, projects, bodies and paths: what is refused before anything is looked at, in the words of Trove's clients."""

import pytest

from support.datastores_api import message

# --- tokens and projects ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "no-such-token", "notused"])
def test_who_has_no_valid_token_is_told_nothing(api, token):
    for path in ("/instances", "/nothing", "/instances/x/action"):
        response = api.ask("GET", path, token=token)
        assert "send a token of Baton as X-Auth-Token" in message(response, 401, "unauthorized")
        assert response.headers["WWW-Authenticate"].startswith("Keystone uri=")


def test_a_token_may_be_a_bearer(api):
    assert api.ask("GET", "/instances", token=None, headers={"Authorization": "Bearer demo-token"}).status_code == 200


def test_another_projects_address_is_forbidden_and_its_instances_are_not_there(api):
    made = api.make()
    assert "not for project demo" in message(api.ask("GET", "/instances", token="other-token"), 403, "forbidden")
    message(api.ask("GET", f"/instances/{made['id']}", token="other-token", project="other"), 404, "itemNotFound")
    message(api.ask("DELETE", f"/instances/{made['id']}", token="other-token", project="other"), 404, "itemNotFound")
    body = {"instance": {"name": "r", "replica_of": made["id"]}}
    message(api.ask("POST", "/instances", body, token="other-token", project="other"), 404, "itemNotFound")
    assert api.get("/instances", token="other-token", project="other") == {"instances": []}


def test_an_admin_has_each_project_that_can_be_called_so(api):
    made = api.make()
    assert api.get("/instances", token="admin-token")["instances"][0]["id"] == made["id"]
    assert api.get("/instances", token="admin-token", project="new") == {"instances": []}
    message(api.ask("GET", "/instances", token="admin-token", project="a%20b"), 403, "forbidden")


def test_a_viewer_sees_and_changes_nothing(api):
    api.make()
    assert len(api.get("/instances", token="viewer-token")["instances"]) == 1
    for method, path in (("DELETE", "/instances/db"), ("POST", "/instances"), ("PUT", "/instances/db")):
        assert "a viewer's token" in message(api.ask(method, path, token="viewer-token"), 403, "forbidden")
    message(api.ask("GET", "/instances", token="profile-token"), 403, "forbidden")


# --- paths ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nothing", "/instances/x/y", "/instances//", "/%00", "/%ff", "/instances/x/action/z", ""])
def test_a_path_that_leads_nowhere_says_so(api, path):
    response = api.ask("GET", path)
    assert response.status_code in (400, 404) and len(response.json()) == 1


def test_a_method_that_is_not_for_a_path_names_those_that_are(api):
    response = api.ask("DELETE", "/instances")
    assert "GET, POST" in message(response, 405, "badMethod") and response.headers["Allow"] == "GET, POST"


def test_a_head_is_a_get_without_a_body(api):
    api.make()
    response = api.ask("HEAD", "/instances")
    assert (response.status_code, response.content) == (200, b"")


def test_a_slash_at_the_end_is_no_part_of_a_name(api):
    assert api.get("/instances/") == {"instances": []}


def test_a_name_may_have_characters_that_paths_have(api):
    api.make("a/b?c%20d")
    assert api.show("a%2Fb%3Fc%2520d")["name"] == "a/b?c%20d"


def test_what_is_inside_a_server_is_not_offered(api):
    assert "connect to it" in message(api.ask("GET", "/instances/x/databases"), 501, "notImplemented")


# --- bodies ---------------------------------------------------------------------------------------------------------------------

BAD_BODIES = {
    "empty": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "null": b"null",
    "no UTF-8": b'{"instance": "\xff"}',
    "half a surrogate pair": b'{"instance": {"name": "\\ud800", "flavorRef": "1"}}',
    "NaN": b'{"instance": NaN}',
    "deep": b'{"instance": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    "deep enough": b'{"instance": ' + b"[" * 150 + b"]" * 150 + b"}",
    "two members": b'{"instance": {}, "cluster": {}}',
    "another member": b'{"shard": {}}',
    "no object inside": b'{"instance": []}',
    "digits": b'{"instance": {"name": "x", "flavorRef": "1", "volume": {"size": ' + b"9" * 5000 + b"}}}",
    "unknown": b'{"instance": {"name": "x", "flavorRef": "1", "colour": "red"}}',
}


@pytest.mark.parametrize(
    "path", ["/instances", "/configurations", "/instances/db/action", "/clusters", "/clusters/c", "/clusters/c/action", "/clusters/c/nodes"]
)
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_says_nothing_useful_is_refused_and_nothing_is_made(api, path, body):
    api.pool.lively = False
    message(api.ask("POST", path, data=body), 400, "badRequest")
    assert api.pool.documents == {} and api.pool.kept == {}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused(api, chunked):
    data = b'{"instance": {"name": "' + b"x" * (4 << 20) + b'"}}'
    response = api.ask("POST", "/instances", data=iter([data[: 1 << 20], data[1 << 20 :]]) if chunked else data)
    assert "larger than 64 KiB" in message(response, 413, "overLimit")


def test_a_body_of_many_values_is_refused(api):
    data = b'{"instance": {"databases": [' + b"1," * 30_000 + b"1]}}"
    assert message(api.ask("POST", "/instances", data=data), 400, "badRequest")


def test_an_encoded_body_is_refused(api):
    message(api.ask("POST", "/instances", data=b"x", headers={"Content-Encoding": "gzip"}), 415, "badMediaType")


def test_a_bug_is_no_traceback(api):
    api.pool.hosts = lambda: 1 / 0
    text = message(api.ask("GET", "/instances"), 500, "instanceFault")
    assert "journal" in text and "division" not in text


# --- what needs no token: versions and Keystone -------------------------------------------------------------------------------


def at(api, method, path, body=None):
    return api.session.request(method, f"{api.address}{path}", json=body, timeout=20)


def test_versions_say_where_all_is(api):
    versions = {each["id"]: each for each in at(api, "GET", "/").json()["versions"]}
    assert versions["v1.0"]["links"][0]["href"] == f"{api.address}/v1.0/"
    assert at(api, "GET", "/v1.0").json()["version"] == versions["v1.0"]
    assert at(api, "GET", "/v3").json()["version"] == versions["v3.14"]
    message(at(api, "GET", "/v2"), 404, "itemNotFound")
    message(at(api, "POST", "/"), 405, "badMethod")


def password(token, project=None):
    scope = {"scope": {"project": {"name": project, "domain": {"id": "default"}}}} if project else {}
    user = {"name": "joe", "domain": {"id": "default"}, "password": token}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, **scope}}


def test_keystone_answers_the_token_that_is_the_password_and_where_the_service_is(api):
    response = at(api, "POST", "/v3/auth/tokens", password("demo-token", "demo"))
    assert response.status_code == 201 and response.headers["X-Subject-Token"] == "demo-token"
    token = response.json()["token"]
    assert token["catalog"][0]["type"] == "database" and token["catalog"][0]["endpoints"][0]["url"] == api.endpoint
    assert token["project"]["name"] == "demo" and token["methods"] == ["password"] and token["user"]["name"] == "joe"
    assert token["issued_at"] < token["expires_at"]


def test_a_project_s_token_needs_no_project_and_an_admin_s_may_have_none(api):
    assert at(api, "POST", "/v3/auth/tokens", password("demo-token")).json()["token"]["project"]["name"] == "demo"
    assert "catalog" not in at(api, "POST", "/v3/auth/tokens", password("admin-token")).json()["token"]
    assert at(api, "POST", "/v3/auth/tokens", password("admin-token", "x")).json()["token"]["roles"][0]["name"] == "admin"


def test_keystone_takes_a_token_for_a_token(api):
    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": "demo-token"}}}}
    assert at(api, "POST", "/v3/auth/tokens", body).headers["X-Subject-Token"] == "demo-token"


@pytest.mark.parametrize("body", [password("wrong"), password("demo-token", "other"), password("profile-token", "demo")])
def test_keystone_refuses_who_is_not_known(api, body):
    response = at(api, "POST", "/v3/auth/tokens", body)
    assert response.status_code == 401 and response.json()["error"]["code"] == 401 and "X-Subject-Token" not in response.headers


@pytest.mark.parametrize(
    "body", [{}, {"auth": 1}, {"auth": {"identity": {}}}, {"auth": {"identity": {"methods": ["totp"]}}}, password(7), password("")]
)
def test_keystone_says_what_it_expects(api, body):
    response = at(api, "POST", "/v3/auth/tokens", body)
    assert response.status_code == 400 and response.json()["error"]["message"]
    assert at(api, "GET", "/v3/users").status_code == 404 and at(api, "GET", "/v3/auth/tokens").status_code == 405
