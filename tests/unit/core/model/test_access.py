# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each kind of token allows."""

import pytest

from baton.client.api import scope_of
from baton.client.error import ClientError
from baton.core.model.access import allows, check_scope, holder, sees
from baton.ground.problem import Problem

ADMIN, VIEWER = {"kind": "admin"}, {"kind": "viewer"}
PROFILE = {"kind": "profile", "name": "web"}
PROJECT, LOOKS = {"kind": "project", "name": "web"}, {"kind": "viewer", "project": "web"}
ALL = (ADMIN, VIEWER, PROFILE, PROJECT, LOOKS)
GUEST = {"kind": "guest", "name": "web"}


@pytest.mark.parametrize(
    ("method", "path", "who"),
    [
        ("GET", "profiles", (ADMIN, VIEWER, PROJECT, LOOKS)),
        ("GET", "profiles/web", ALL),
        ("GET", "profiles/web:db", (ADMIN, VIEWER, PROJECT, LOOKS)),
        ("GET", "profiles/webs", (ADMIN, VIEWER)),
        ("PATCH", "profiles/web", (ADMIN, PROFILE, PROJECT)),
        ("PUT", "profiles/web:db", (ADMIN, PROJECT)),
        ("DELETE", "profiles/web", (ADMIN, PROJECT)),
        ("DELETE", "profiles/web/params", (ADMIN, PROFILE, PROJECT)),
        ("POST", "profiles", (ADMIN,)),
        ("POST", "profiles/web/token", (ADMIN,)),
        ("POST", "profiles/web/elect", (ADMIN, PROFILE, PROJECT)),
        ("PUT", "profiles/webs", (ADMIN,)),
        ("GET", "machines", (ADMIN, VIEWER)),
        ("PATCH", "machines/web", (ADMIN,)),
        ("GET", "params/x", (ADMIN, VIEWER)),
        ("GET", "locks", (ADMIN, VIEWER, PROJECT, LOOKS)),
        ("POST", "locks/web", (ADMIN, PROFILE, PROJECT)),
        ("POST", "locks/web:db", (ADMIN, PROJECT)),
        ("POST", "locks/web:x/../y", (ADMIN,)),
        ("DELETE", "locks/web", (ADMIN,)),
        ("POST", "barriers/web", (ADMIN, PROFILE, PROJECT)),
        ("GET", "files", (ADMIN, VIEWER, PROJECT, LOOKS)),
        ("PUT", "files/web", (ADMIN, PROJECT)),
        ("PUT", "files/webs", (ADMIN,)),
        ("GET", "tokens", (ADMIN,)),
        ("POST", "tokens", (ADMIN,)),
        ("DELETE", "tokens/self", (ADMIN,)),
        ("GET", "tokens/self", ALL),
        ("GET", "info", ALL),
        ("GET", "system/ha", (ADMIN, VIEWER)),
        ("POST", "system/active", (ADMIN,)),
        ("POST", "leases", (ADMIN, PROFILE, PROJECT)),
        ("GET", "leases", ALL),
        ("POST", "batch", (ADMIN, PROFILE, PROJECT)),
        ("GET", "events", ALL),
        ("GET", "something/new", (ADMIN,)),
    ],
)
def test_what_each_allows(method, path, who):
    kind, _slash, rest = path.partition("/")
    inside = rest.rpartition("/")[::2] if rest.endswith(("/params", "/token", "/elect")) else (rest, "")
    assert [scope for scope in ALL if allows(scope, method, kind, *inside)] == list(who)


@pytest.mark.parametrize("scope", [{"kind": "of a later version"}, {}, {"kind": "project"}, {"kind": "profile"}])
def test_a_scope_that_is_not_known_allows_nothing_of_documents(scope):
    assert not any(allows(scope, method, "profiles", key) for method in ("GET", "PUT") for key in ("", "web", "None"))


def test_who_sees_what():
    seen = {("profiles", "web"): ALL, ("profiles", "web:a"): (ADMIN, VIEWER, PROJECT, LOOKS), ("profiles", "other"): (ADMIN, VIEWER)}
    seen.update(
        {("locks", "web/a"): (ADMIN, VIEWER, PROJECT, LOOKS), ("files", "webs/a"): (ADMIN, VIEWER), ("leases", "a"): (ADMIN, VIEWER)}
    )
    for document, who in seen.items():
        assert [scope for scope in ALL if sees(scope, *document)] == list(who)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "pool/web"), ("PATCH", "pool/web"), ("DELETE", "pool/web/params"), ("POST", "leases"), ("POST", "batch"),
        ("GET", "tokens/self"),
    ],
)  # fmt: skip
def test_a_guest_has_what_is_of_its_host(method, path):
    kind, _slash, rest = path.partition("/")
    assert allows(GUEST, method, kind, *(rest.partition("/")[::2] if rest else ("", "")))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "pool"), ("GET", "pool/other"), ("DELETE", "pool/web"), ("GET", "sets/web"), ("GET", "profiles/web"), ("GET", "tokens"),
        ("POST", "locks/web"), ("GET", "events"), ("GET", "configurations/web"), ("POST", "tokens"),
    ],
)  # fmt: skip
def test_a_guest_has_nothing_else(method, path):
    assert not allows(GUEST, method, *path.partition("/")[::2])


def test_what_datastores_are_made_of_is_for_admins_as_it_holds_secrets():
    for kind in ("sets", "configurations", "pool"):
        assert [scope for scope in ALL if allows(scope, "GET", kind, "web") or sees(scope, kind, "web")] == [ADMIN]
    assert sees(GUEST, "pool", "web") and not sees(GUEST, "pool", "other") and holder(GUEST) not in (None, "web", "web/")


def test_leases_of_a_project_are_not_those_of_a_profile_of_its_name():
    assert [holder(scope) for scope in ALL] == [None, None, "web", "web/", "web/"]


@pytest.mark.parametrize("scope", [*ALL, GUEST])
def test_scopes_are_what_they_say(scope):
    assert check_scope(scope) == scope


@pytest.mark.parametrize(
    "scope",
    [
        None, [], "admin", {}, {"kind": "root"}, {"kind": ["admin"]}, {"kind": "admin", "name": "x"}, {"kind": "profile"},
        {"kind": "profile", "name": 3}, {"kind": "project"}, {"kind": "project", "name": ""}, {"kind": "project", "name": "a:b"},
        {"kind": "project", "name": "a/b"}, {"kind": "project", "name": "web\n"}, {"kind": "viewer", "project": None},
        {"kind": "viewer", "name": "x"},
        {"kind": "project", "name": "a", "project": "a"},
    ],
)  # fmt: skip
def test_what_is_no_scope_is_refused(scope):
    with pytest.raises(Problem) as refused:
        check_scope(scope)
    assert refused.value.status == 422


def test_the_words_of_a_person_make_a_scope():
    words = [{}, {"viewer": True}, {"profile": "web"}, {"project": "web"}, {"project": "web", "viewer": True}, {"guest": "web"}]
    assert [scope_of(**given) for given in words] == [ADMIN, VIEWER, PROFILE, PROJECT, LOOKS, GUEST]
    of_guests = [{**each, "guest": "h"} for each in words[1:4]]
    for given in ({"profile": "web", "viewer": True}, {"profile": "web", "project": "web"}, *of_guests):
        with pytest.raises(ClientError):
            scope_of(**given)
