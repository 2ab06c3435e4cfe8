# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a driver says of itself: its order among others and what follows from a failure, read and checked. Pure."""
from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Dict, Tuple

from ...ground.problem import Problem

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}\Z")
POLICIES = ("ignore", "retry", "fail_over")
MOST_NAMES = 64


@dataclass(frozen=True)
class Options:
    """See docs/reference/driver-protocol.md; ``start_seconds`` and ``failover_window`` are seconds."""

    after: Tuple[str, ...] = ()
    before: Tuple[str, ...] = ()
    pre_active: bool = False
    start_seconds: float = 30.0
    on_failure: str = "retry"
    retries: int = 2
    most_failovers: int = 3
    failover_window: float = 3600.0
    unhealthy_after: int = 3
    healthy_after: int = 2

    def to_json(self) -> Dict[str, Any]:
        return {**asdict(self), "after": list(self.after), "before": list(self.before)}


NAMES = tuple(field.name for field in fields(Options))


def read_name(value: Any) -> str:
    """Return a driver's id; Problem when it is none."""
    if not isinstance(value, str) or not NAME.match(value):
        raise _wrong(f"id is 1 to 63 letters, digits, '_', '.' and '-', not {str(value)[:80]!r}")
    return value


def read_options(given: Any) -> Options:
    """Return the options in a JSON object, the rest at their defaults; Problem that names the one that is wrong."""
    if not isinstance(given, dict):
        raise _wrong("options is an object")
    unknown = sorted(set(given) - set(NAMES))
    if unknown:
        raise _wrong(f"there is no option {unknown[0][:60]!r}; there are {', '.join(NAMES)}")
    values: Dict[str, Any] = dict(given)
    for name in ("after", "before"):
        if name in values:
            values[name] = _names(name, values[name])
    if not isinstance(values.get("pre_active", False), bool):
        raise _wrong("pre_active is true or false")
    if values.get("on_failure", "retry") not in POLICIES:
        raise _wrong(f"on_failure is one of {', '.join(POLICIES)}")
    for name, least, most in (("start_seconds", 0.1, 3600.0), ("failover_window", 1.0, 86400.0 * 30)):
        if name in values:
            values[name] = float(_number(name, values[name], (int, float), least, most))
    for name, least in (("retries", 0), ("most_failovers", 0), ("unhealthy_after", 1), ("healthy_after", 1)):
        if name in values:
            values[name] = _number(name, values[name], (int,), least, 1000)
    return Options(**values)


def _names(name: str, value: Any) -> Tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_NAMES:
        raise _wrong(f"{name} is a list of at most {MOST_NAMES} driver ids")
    return tuple(read_name(item) for item in value)


def _number(name: str, value: Any, types: Tuple[type, ...], least: float, most: float) -> Any:
    right = isinstance(value, types) and not isinstance(value, bool)
    if not right or not least <= value <= most:
        raise _wrong(f"{name} is a {'whole number' if types == (int,) else 'number'} from {least:g} to {most:g}")
    return value


def _wrong(detail: str) -> Problem:
    return Problem(422, "bad_driver", detail)
