# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of requests: each reader returns the value or raises Problem 400, which names the member and says what it is to be. Pure.

Nothing is taken for what it is not: true is no number. A size may be a text of digits, since Trove's command line sends it so.
"""
from __future__ import annotations

import re
from typing import Any, Collection, Dict, List, Optional
from urllib.parse import unquote

from ....ground.problem import Problem
from ....ground.values import parse
from ...model.replica_set import LEAST_COPY_LIMIT
from .errors import bad

MOST_BODY = 64 << 10
MOST_NAME = 255
MOST_COPY_LIMIT = 10**12  # bytes a second
_DIGITS = re.compile(r"[0-9]{1,9}\Z", re.ASCII)


def body(data: bytes, member: str) -> Dict[str, Any]:
    """Return the object that a body has under ``member``, and nothing beside it."""
    whole = anything(data)
    if set(whole) != {member}:
        raise bad(f'the body is an object with one member, "{member}"')
    return record(whole[member], member)


def anything(data: bytes) -> Dict[str, Any]:
    """Return a body that is an object."""
    if not data.strip():
        raise bad("the body is empty; a JSON object was expected")
    try:
        whole = parse(data)
    except Problem as problem:
        raise bad(problem.detail) if problem.status == 422 else problem from None
    return record(whole, "the body")


def record(raw: Any, what: str) -> Dict[str, Any]:
    if not isinstance(raw, dict):
        raise bad(f"{what} is an object, not {shown(raw)}")
    return raw


def only(raw: Dict[str, Any], what: str, known: Collection[str]) -> None:
    """Refuse members that nobody would look at: to drop one silently would be to do something else than what was asked for."""
    unknown = sorted(set(raw) - set(known))
    if unknown:
        raise bad(f"{what} has no member {unknown[0][:60]!r}; it has {', '.join(sorted(known))}")


def items(raw: Any, what: str, most: int) -> List[Any]:
    if not isinstance(raw, list):
        raise bad(f"{what} is a list, not {shown(raw)}")
    if len(raw) > most:
        raise bad(f"{what} has {len(raw)} items; at most {most} are taken")
    return raw


def line(raw: Any, what: str, most: int = MOST_NAME, least: int = 1) -> str:
    """Return one line that can be shown to people."""
    if not isinstance(raw, str):
        raise bad(f"{what} is a string, not {shown(raw)}")
    if not least <= len(raw) <= most:
        raise bad(f"{what} has {least} to {most} characters, not {len(raw)}")
    if not raw.isprintable():
        raise bad(f"{what} has characters that can't be shown; leave line breaks, tabs and the like out")
    return raw


def name(raw: Any, what: str) -> str:
    """Return what a person calls something."""
    found = line(raw, what)
    if found != found.strip():
        raise bad(f"{what} begins or ends with a space; leave that out")
    return found


def number(raw: Any, what: str, least: int, most: int) -> int:
    """Return a whole number, which may be given as a text of digits."""
    found: Optional[int] = None
    if isinstance(raw, int) and not isinstance(raw, bool):
        found = raw
    elif isinstance(raw, str) and _DIGITS.match(raw):
        found = int(raw)
    if found is None or not least <= found <= most:
        raise bad(f"{what} is a whole number from {least} to {most}, not {shown(raw)}")
    return found


def copy_limit(raw: Any) -> Optional[int]:
    """Return how many bytes a second a copy may take, 0 for any; None where nobody says."""
    found = None if raw is None else number(raw, "copy_limit", 0, MOST_COPY_LIMIT)
    if found and found < LEAST_COPY_LIMIT:
        raise bad(f"copy_limit is in bytes a second, 0 for no limit or {LEAST_COPY_LIMIT} at least, not {found}")
    return found


def flag(raw: Any, what: str) -> bool:
    if not isinstance(raw, bool):
        raise bad(f"{what} is true or false, not {shown(raw)}")
    return raw


def word(raw: Any, what: str) -> str:
    """Return an id or a name that is looked up; a number may be one, since flavors have such."""
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw < 1 << 53:
        return str(raw)
    return line(raw, what)


def shown(raw: Any) -> str:
    """Return a value as it may stand in a line."""
    if raw is None or isinstance(raw, bool):
        return {None: "null", True: "true", False: "false"}[raw]
    if isinstance(raw, (dict, list)):
        return "an object" if isinstance(raw, dict) else "a list"
    if isinstance(raw, int) and abs(raw) >= 1 << 53:
        return "a number of many digits"
    text = repr(raw) if isinstance(raw, float) else str(raw) if isinstance(raw, int) else ascii(raw)
    return text if len(text) <= 60 else f"{text[:60]}…"


def segment(raw: str) -> str:
    """Return a segment of a path, decoded."""
    try:
        text = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        raise bad("the path is not percent-encoded UTF-8") from None
    if not text.isprintable():
        raise bad("the path has characters that can't be shown")
    return text
