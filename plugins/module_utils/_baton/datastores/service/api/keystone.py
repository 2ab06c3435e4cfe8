# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of Keystone as its clients need to find the service: the password, or the token, is a token of Baton. Pure.

It makes no tokens: the one that is given is the one that is answered.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional

from ....core.model import access
from ....ground.problem import Problem
from . import reading
from .catalogue import derived
from .errors import bad
from .views import stamp

KEPT = 3600.0  # seconds after which clients ask again; a token is looked at with each request anyway
DOMAIN = {"id": "default", "name": "Default"}
Scope = Dict[str, Any]


class Login(NamedTuple):
    token: str
    method: str
    user: str
    project: Optional[str]


def login(data: bytes) -> Login:
    """Read the body of a POST to /v3/auth/tokens."""
    auth = reading.record(reading.anything(data).get("auth"), "auth")
    identity = reading.record(auth.get("identity"), "auth.identity")
    methods = reading.items(identity.get("methods"), "auth.identity.methods", 4)
    user, token = "", None
    if methods == ["password"]:
        found = reading.record(reading.record(identity.get("password"), "password").get("user"), "password.user")
        user = str(found.get("name") or found.get("id") or "")[: reading.MOST_NAME]
        token = found.get("password")
    elif methods == ["token"]:
        token = reading.record(identity.get("token"), "token").get("id")
    else:
        raise bad("auth.identity.methods is [\"password\"], whose password is a token of Baton, or [\"token\"]")
    if not isinstance(token, str) or not token:
        raise bad("the token is missing: it is the user's password, or the token's id")
    return Login(token, methods[0], user or "baton", _project(auth.get("scope")))


def _project(raw: Any) -> Optional[str]:
    if raw is None or raw == "unscoped":
        return None
    project = reading.record(raw, "auth.scope").get("project")
    if project is None:
        return None
    found = reading.record(project, "auth.scope.project")
    named = found.get("name") if found.get("name") is not None else found.get("id")
    return reading.line(named, "auth.scope.project.name")


def answer(asked: Login, scope: Optional[Scope], now: float, address: Callable[[str], str]) -> Dict[str, Any]:
    """Return the token's document; ``address`` gives that of a project. Problem 401 for a token that is not valid for what is asked."""
    if scope is None:
        raise Problem(401, "unauthorized", "this token is not valid: the password is to be a token of Baton")
    project = asked.project if asked.project is not None else access.project_of(scope) or None
    if project is not None and not reaches(scope, project):
        raise Problem(401, "unauthorized", f"this token is not for project {project[:60]}")
    document: Dict[str, Any] = {
        "methods": [asked.method],
        "issued_at": f"{stamp(now)}.000000Z",
        "expires_at": f"{stamp(now + KEPT)}.000000Z",
        "audit_ids": [derived("audit", asked.user)],
        "user": {"id": derived("user", asked.user), "name": asked.user, "domain": DOMAIN, "password_expires_at": None},
    }
    if project is None:
        return {"token": document}
    role = "admin" if scope.get("kind") == "admin" else "reader" if scope.get("kind") == "viewer" else "member"
    document["project"] = {"id": project, "name": project, "domain": DOMAIN}
    document["roles"] = [{"id": derived("role", role), "name": role}]
    document["is_domain"] = False
    document["catalog"] = _catalogue(address(project))
    return {"token": document}


def _catalogue(address: str) -> List[Dict[str, Any]]:
    endpoints = [
        {"id": derived(interface, address), "interface": interface, "region": None, "region_id": None, "url": address}
        for interface in ("public", "internal", "admin")
    ]
    return [{"id": derived("service"), "type": "database", "name": "trove", "endpoints": endpoints}]


def reaches(scope: Scope, project: str) -> bool:
    """Return whether a token is for a project: an admin's, and a viewer's of all, is for each."""
    own = access.project_of(scope)
    return own == project if own else scope.get("kind") in ("admin", "viewer")


def version(address: str) -> Dict[str, Any]:
    """Return Keystone's own version, for those who look before they ask."""
    media = [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]
    links = [{"rel": "self", "href": f"{address}/v3/"}]
    return {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z", "links": links, "media-types": media}
