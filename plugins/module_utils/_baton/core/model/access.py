# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens: what they are, how long they last, and what they allow. Pure: random bytes and the time are passed in.

A token is an opaque random string; only its SHA-256 is stored. Its public id is the first 16 hex digits of that hash.
"""
from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any, Dict, Optional

from ...ground.problem import Problem
from .kinds import BY_ORDERS, KINDS, open_to

_TTL = re.compile(r"([0-9]{1,12})([smhdwy]?)\Z", re.ASCII)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
MOST_TTL = 100 * 31536000
_PROJECT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}\Z", re.ASCII)
READS = ("GET", "HEAD", "OPTIONS")
SEEN = (*open_to("viewer"), "events", "system")
OF_GUESTS = open_to("guest")
OF_ONE = {"profile": "profiles", "guest": "pool"}  # scopes of tokens that are for one document, and end with it: of which kind
OF_PROJECTS, OF_PROFILES = open_to("project"), open_to("profile")
Scope = Dict[str, Any]


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def token_id(token: str) -> str:
    """Return the public id of a token: the key of its document."""
    return token_hash(token)[:16]


def token_document(token: str, scope: Scope, now: int, ttl: Optional[int], description: str = "") -> Dict[str, Any]:
    """Return the document of a token; ``now`` in seconds of the log's time, ``ttl`` in seconds (None: for ever)."""
    return {
        "Hash": token_hash(token),
        "Scope": scope,
        "Created": now,
        "Expires": None if ttl is None else now + ttl,
        "Description": description,
    }


def parse_ttl(text: str) -> int:
    """Return seconds for "7200", "90s", "15m", "2h", "7d", "3y"; Problem 400 for anything else."""
    found = _TTL.match(text)
    seconds = int(found.group(1)) * _UNITS[found.group(2)] if found else 0
    if not 0 < seconds <= MOST_TTL:
        raise Problem(400, "bad_ttl", f"ttl {text[:40]!r} is not a time such as 7200, 90s, 15m, 2h, 7d or 3y (at most 100y)")
    return seconds


def valid(document: Dict[str, Any], token: str, now: float) -> bool:
    """Return whether ``token`` is the one of this document and has not expired."""
    same = hmac.compare_digest(str(document.get("Hash", "")), token_hash(token))
    expires = document.get("Expires")
    return same and (expires is None or now < expires)


def check_scope(scope: Any) -> Scope:
    """Return a well-formed scope; Problem 422 says which there are."""
    if scope == {"kind": "admin"}:
        return {"kind": "admin"}
    if scope == {"kind": "viewer"}:
        return {"kind": "viewer"}
    kind = scope.get("kind") if isinstance(scope, dict) else None
    if kind in ("profile", "guest") and isinstance(scope.get("name"), str) and len(scope) == 2:
        return {"kind": kind, "name": scope["name"]}
    member = {"project": "name", "viewer": "project"}.get(kind) if isinstance(kind, str) else None
    if member is not None and set(scope) == {"kind", member}:
        name = scope[member]
        if not isinstance(name, str) or not _PROJECT.match(name):
            raise Problem(422, "bad_scope", "a project is named by letters, digits and _ . - (not first: . -), at most 63")
        return {"kind": kind, member: name}
    shapes = '"kind" admin, viewer, viewer with "project", or project, profile or guest with "name"'
    raise Problem(422, "bad_scope", f"a scope is an object with {shapes}")


def allows(scope: Scope, method: str, kind: str, key: str = "", sub: str = "") -> bool:
    """Return whether a token of ``scope`` may use ``method`` on kind/key[/sub].

    A profile token reads and writes its own profile, with its params; it can't delete it, list others or make tokens. It may use locks
    and barriers named like the profile (NAME or NAME/…), leases that such tokens made, and see its profile's events. A project's token
    may do so with all that is named NAME or NAME:…, makes and deletes such profiles, and has the files below such a name. A viewer
    reads what is not secret, all of it or a project's. A guest's token is for the document of its pool host, and leases that such tokens
    made. Who handles leases, batches, events and lists looks closer.
    """
    what, reads = scope.get("kind"), method in READS
    if what == "admin":
        return True
    if kind == "tokens" and key == "self" or kind == "info":
        return reads
    if what == "viewer" and (not reads or "project" not in scope):
        return reads and kind in SEEN
    if what == "profile":
        return _allows_profile(scope, method, kind, key, sub)
    if what == "guest":
        return _allows_guest(scope, method, kind, key, sub)
    return bool(project_of(scope)) and _allows_project(scope, method, kind, key, sub)


def _allows_profile(scope: Scope, method: str, kind: str, key: str, sub: str) -> bool:
    if kind in ("leases", "batch", "events"):
        return True
    if kind not in OF_PROFILES or not key or key != scope.get("name"):
        return False
    if kind in BY_ORDERS:
        return method != "DELETE"
    return sub != "token" and (method != "DELETE" or bool(sub))


def _allows_guest(scope: Scope, method: str, kind: str, key: str, sub: str) -> bool:
    if kind in ("leases", "batch"):
        return True
    return kind in OF_GUESTS and bool(key) and key == scope.get("name") and (method != "DELETE" or bool(sub))


def _allows_project(scope: Scope, method: str, kind: str, key: str, sub: str) -> bool:
    if kind in ("leases", "batch", "events"):
        return True
    if kind in OF_PROJECTS and not key:
        return method in READS  # of all, those that it sees are shown
    if kind not in OF_PROJECTS or not _is_of(project_of(scope), key):
        return False
    return method != "DELETE" if kind in BY_ORDERS else sub != "token"


def project_of(scope: Scope) -> str:
    """Return the project that a token is for, "" if for none."""
    return scope.get({"project": "name", "viewer": "project"}.get(str(scope.get("kind")), "")) or ""


def _is_of(project: str, key: str) -> bool:
    return bool(project) and (key == project or key.startswith(f"{project}:") and "/" not in key)


def sees(scope: Scope, kind: str, key: str) -> bool:
    """Return whether a token of ``scope`` may see the document, which has its whole key here, and its events."""
    project = project_of(scope)
    if scope.get("kind") == "profile":
        return (kind, key) == ("profiles", scope.get("name"))
    if scope.get("kind") == "guest":
        return (kind, key) == ("pool", scope.get("name"))
    if project:
        return kind in OF_PROJECTS and _is_of(project, key.partition("/")[0])
    return scope.get("kind") == "admin" or scope.get("kind") == "viewer" and not KINDS[kind].of_service


def shown(scope: Scope) -> str:
    """Return for people what a token is for."""
    project = project_of(scope)
    if scope.get("kind") in ("profile", "guest"):
        return f"{scope['kind']} {scope.get('name')!r}"
    return f"{'a viewer of ' if scope.get('kind') == 'viewer' else ''}project {project!r}" if project else str(scope.get("kind"))


def holder(scope: Scope) -> Optional[str]:
    """Return what marks the leases that tokens of ``scope`` make, and may use; None: they may use all."""
    project = project_of(scope)
    if project:
        return f"{project}/"  # which names no profile
    if scope.get("kind") == "guest":
        return f"{scope['name']}/guest"
    return scope["name"] if scope.get("kind") == "profile" else None
