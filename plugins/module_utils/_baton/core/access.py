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

from .problem import Problem

_TTL = re.compile(r"([0-9]{1,12})([smhdwy]?)\Z", re.ASCII)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
MOST_TTL = 100 * 31536000
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
    if isinstance(scope, dict) and scope.get("kind") == "profile" and isinstance(scope.get("name"), str) and len(scope) == 2:
        return {"kind": "profile", "name": scope["name"]}
    raise Problem(422, "bad_scope", 'a scope is {"kind": "admin"} or {"kind": "profile", "name": NAME}')


def allows(scope: Scope, method: str, kind: str, key: str = "", sub: str = "") -> bool:
    """Return whether a token of ``scope`` may use ``method`` on kind/key[/sub].

    A profile token reads and writes its own profile, with its params; it can't delete it, list others or make tokens. It may use locks
    and barriers named like the profile (NAME or NAME/…), leases that such tokens made, and see its profile's events; who handles
    leases, batches and events looks closer.
    """
    if scope.get("kind") == "admin":
        return True
    if scope.get("kind") != "profile":
        return False
    if kind == "info":
        return method in ("GET", "HEAD")
    if kind in ("locks", "barriers"):
        return key == scope.get("name") and method != "DELETE"
    if kind in ("leases", "batch", "events"):
        return True
    if kind != "profiles" or not key or key != scope.get("name") or sub == "token":
        return False
    return method != "DELETE" or bool(sub)
