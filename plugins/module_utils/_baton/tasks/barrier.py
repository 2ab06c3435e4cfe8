# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts wait for each other at a barrier, under any number of controllers; one that fails releases the others."""
from __future__ import annotations

from typing import Optional

from ..client.barriers import Barriers
from .common import Context, Result, spec

SPEC = spec(
    name={"type": "str", "required": True},
    state={"type": "str", "choices": ["arrived", "broken", "reset"], "default": "arrived"},
    owner={"type": "str"},
    count={"type": "int"},
    members={"type": "list", "elements": "str"},
    why={"type": "str", "default": ""},
    escape={"type": "str", "choices": ["fail", "continue"], "default": "fail"},
    ttl={"type": "str", "default": "60s"},
    wait_timeout={"type": "float", "default": 300.0},
)
MUTUALLY_EXCLUSIVE = [("count", "members")]
REQUIRED_IF = [("state", "arrived", ("count", "members"), True)]


def run(context: Context) -> Result:
    params = context.params
    owner, barriers = params["owner"] or context.host, Barriers(context.client)
    result: Result = {"changed": False, "outcome": None, "generation": None, "arrived": None, "by": None, "why": None}
    if params["state"] != "arrived":
        return {**result, "changed": True if context.check else _end(context, barriers, owner)}
    if context.check:
        return result
    where = barriers.arrive(
        params["name"], owner, params["count"], params["members"], params["ttl"], params["wait_timeout"], context.say, _age(context)
    )
    shown = {name.lower(): where.get(name) for name in ("Outcome", "Generation", "Arrived", "By", "Why")}
    return {**result, **shown}


def _end(context: Context, barriers: Barriers, owner: str) -> bool:
    params = context.params
    if params["state"] == "reset":
        return barriers.reset(params["name"], owner)
    size = (params["count"], params["members"])
    return barriers.break_barrier(params["name"], owner, params["why"], params["escape"], *size, _age(context))


def _age(context: Context) -> Optional[float]:
    """Return for how long the run has been going on; None where nobody knows it."""
    return context.play.age() if context.play is not None else None
