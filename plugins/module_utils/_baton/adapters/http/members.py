# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of a request's body: how the description has them, and beside it what checks them. Each check returns the value or raises
Problem 422, which says what belongs there.
"""
from __future__ import annotations

import math
from typing import Any, Dict, Iterable, List, Optional

from ...core.coordination.barriers import MOST_OWNERS
from ...core.coordination.leases import LEAST_TTL, MOST_TTL
from ...core.model import access
from ...core.model.documents import check_name, valid_name
from ...ground.problem import Problem
from ...ground.values import is_small
from .operations import Schema
from .waiting import MOST_TIMEOUT

MOST_OWNER = 200
MOST_DATA = 4096
PRINTABLE = (
    r"^[^\u0000-\u001f\u007f-\u00a0\u00ad\u0600-\u0605\u061c\u06dd\u070f\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    r"\u3000\ue000-\uf8ff\ufeff\ufff0-\uffff]*$"
)
PRINTED: Schema = {"type": "string", "maxLength": MOST_OWNER, "pattern": PRINTABLE}


def check(body: Dict[str, Any], known: Iterable[str]) -> Dict[str, Any]:
    """Return a body that has no other members than ``known``: one that is misspelt would be left out in silence."""
    for name in body:
        if name not in known:
            raise Problem(422, "bad_member", f"there is no member {name[:40]!r} here; known are {', '.join(known)}")
    return body


TTL: Schema = {
    "description": "Seconds, or a text such as 10m; 1s to 24h",
    "oneOf": [
        {"type": "number", "minimum": int(LEAST_TTL), "maximum": int(MOST_TTL)},
        {"type": "string", "pattern": "^[0-9]{1,12}[smhd]?$"},
    ],
    "example": "30s",
}


def ttl(value: Any) -> float:
    """Return the seconds of a lease."""
    status = 422
    try:
        seconds = access.parse_ttl(value) if isinstance(value, str) else value
    except Problem as problem:  # its own words are about tokens, which last for longer
        seconds, status = None, problem.status
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not LEAST_TTL <= seconds <= MOST_TTL:
        shown, most = "null" if value is None else repr(value)[:40], f"{MOST_TTL / 3600:g}h"
        raise Problem(status, "bad_ttl", f"ttl {shown} is not a time from {LEAST_TTL:g}s to {most}, such as 30, 90s, 10m or 2h")
    return float(seconds)


WAIT: Schema = {"type": "number", "minimum": 0, "maximum": int(MOST_TIMEOUT), "default": 0, "description": "Seconds"}


def wait(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MOST_TIMEOUT or math.isnan(value):
        raise Problem(422, "bad_member", f"Wait is a number of seconds from 0 to {MOST_TIMEOUT:g}")
    return float(value)


def number_of(most: int, text: str) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": most, "nullable": True, "description": text}


def number(body: Dict[str, Any], name: str, most: int) -> Optional[int]:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise Problem(422, "bad_member", f"{name} is a whole number from 1 to {most}")
    return value


OWNER: Schema = {
    "type": "string", "minLength": 1, "maxLength": MOST_OWNER, "pattern": PRINTABLE, "description": "Who asks: a machine, a run",
    "example": "web-1",
}  # fmt: skip


def owner(body: Dict[str, Any], default: Optional[str] = None) -> str:
    value = body.get("Owner", default)
    if value == "" == default:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= MOST_OWNER or not value.isprintable():
        raise Problem(422, "bad_owner", f"Owner is a printable string of 1 to {MOST_OWNER} characters that names who asks")
    return value


def text(body: Dict[str, Any], name: str) -> str:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise Problem(422, "bad_member", f"{name} is a string")
    return value or ""


LEASE: Schema = {
    "type": "string", "nullable": True, "pattern": "^([A-Za-z0-9_][A-Za-z0-9_.:@-]{0,126})?$",
    "description": "The lease it goes with; without one it stays until it is given up",
}  # fmt: skip


def lease(body: Dict[str, Any]) -> Optional[str]:
    """Return the id of a lease, or None."""
    name = text(body, "Lease")
    if name and not valid_name(name):
        raise Problem(422, "bad_member", f"Lease is the id of a lease, such as deploy-1, not {name[:40]!r}")
    return name or None


def label_of(description: str) -> Schema:
    return {**PRINTED, "nullable": True, "description": description}


def label(body: Dict[str, Any], name: str) -> Optional[str]:
    """Return a short text that names something to people, or None."""
    value = text(body, name) or None
    if value is not None and (len(value) > MOST_OWNER or not value.isprintable()):
        raise Problem(422, "bad_member", f"{name} is a printable string of at most {MOST_OWNER} characters")
    return value


AGE: Schema = {
    "type": "number", "minimum": 0, "maximum": 999999999, "nullable": True,
    "description": "Seconds since the caller's run began: one that began after a break means another meeting",
}  # fmt: skip


def age(body: Dict[str, Any]) -> Optional[float]:
    """Return for how many seconds the caller's run has been going on, or None."""
    value = body.get("Age")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise Problem(422, "bad_member", "Age is the number of seconds since the run began")
    return float(value)


def flag(body: Dict[str, Any], name: str, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise Problem(422, "bad_member", f"{name} is true or false")
    return value


OWNERS: Schema = {
    "type": "array", "items": {"type": "string", "minLength": 1, "maxLength": MOST_OWNER, "pattern": PRINTABLE}, "minItems": 1,
    "maxItems": MOST_OWNERS, "uniqueItems": True, "nullable": True, "description": "For whom it waits; or give Count",
}  # fmt: skip


def owners(body: Dict[str, Any], name: str) -> Optional[List[str]]:
    """Return a list of different owners, or None."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not 0 < len(value) <= MOST_OWNERS or len(set(map(str, value))) != len(value):
        raise Problem(422, "bad_member", f"{name} is a list of 1 to {MOST_OWNERS} different owners")
    return [owner({"Owner": item}) for item in value]


def param_name(body: Dict[str, Any]) -> str:
    name = text(body, "Param")
    if not name:
        raise Problem(422, "bad_member", "Param is the name of a param, a string")
    check_name("params", name)
    return name


def small(body: Dict[str, Any], name: str) -> Any:
    """Return a member of any type that is not large."""
    if not is_small(body.get(name), MOST_DATA):
        raise Problem(413, "data_too_large", f"{name} is at most {MOST_DATA} bytes; keep more in a profile")
    return body.get(name)
