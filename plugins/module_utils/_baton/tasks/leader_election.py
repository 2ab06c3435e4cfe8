# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elect one leader, or N, among hosts that may run at the same time under any number of controllers."""
from __future__ import annotations

import time
from typing import Any, Dict, List

from ..client_error import ClientError
from ..core.patch import MISSING
from ..core.problem import Problem
from ..core.seats import leaders, same
from ..seats import Seats
from .common import Context, Result, spec

SPEC = spec(
    profile={"type": "str", "required": True},
    param={"type": "str"},
    seats={"type": "int"},
    candidate={"type": "raw"},
    vacant={"type": "raw", "default": "none"},
    state={"type": "str", "choices": ["elected", "resigned"], "default": "elected"},
    eligible={"type": "bool", "default": True},
    ttl={"type": "str"},
    lease={"type": "str"},
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "float", "default": 300.0},
)
MUTUALLY_EXCLUSIVE = [("ttl", "lease")]
ONE, MANY = "my/leader", "cluster/leaders"


def run(context: Context) -> Result:
    params = context.params
    candidate = params["candidate"] or context.host
    if same(candidate, params["vacant"]):
        raise ClientError("usage", "candidate and vacant are the same value, so nobody could tell a leader from an empty seat")
    param = params["param"] or (ONE if params["seats"] is None else MANY)
    seats = Seats(context.client, params["profile"], param, params["seats"], params["vacant"])
    before = _sitting(seats) if context.check or context.diff or not params["eligible"] else None
    if before is not None and (context.check or (params["state"] == "elected" and not params["eligible"])):
        return _look(context, seats, candidate, before)
    if params["state"] == "resigned":
        answer = seats.resign(candidate)
    else:
        answer = seats.elect(candidate, params["ttl"], params["lease"])
    after: List[Any] = answer["Leaders"]
    return _result(seats, candidate, before or [], after, answer["Changed"], answer)


def _sitting(seats: Seats) -> List[Any]:
    """Return who leads now, in the order of winning."""
    try:
        value = seats.client.get_param("profiles", seats.profile, seats.param).body
    except ClientError as error:
        if error.kind != "not_found":
            raise
        value = MISSING
    try:
        return leaders(value, {"Seats": seats.seats, "Vacant": seats.vacant})
    except Problem as problem:
        raise ClientError("conflict", problem.detail, problem.status, problem.to_json()) from None


def _look(context: Context, seats: Seats, candidate: Any, before: List[Any]) -> Result:
    """Change nothing: say what would happen, or, for who can't be elected, wait until all seats are taken."""
    params = context.params
    has = any(same(seat, candidate) for seat in before)
    after = before
    if params["state"] == "resigned":
        after = [seat for seat in before if not same(seat, candidate)]
    elif params["eligible"] and not has and len(before) < (seats.seats or 1):
        after = [*before, candidate]
    elif not params["eligible"] and params["wait"] and not context.check:
        _wait_for_leaders(context, seats)
        before = after = _sitting(seats)
    return _result(seats, candidate, before, after, len(before) != len(after), {})


def _wait_for_leaders(context: Context, seats: Seats) -> None:
    timeout = context.params["wait_timeout"]
    end = time.monotonic() + timeout
    client, where = context.client, ("profiles", seats.profile, seats.param)
    if seats.seats is not None:
        client.wait(*where, "count", seats.seats, timeout=timeout, progress=context.say)
        return
    client.wait(*where, "exists", timeout=timeout, progress=context.say)
    client.wait(*where, "differs", seats.vacant, timeout=max(0.1, end - time.monotonic()), progress=context.say)


def _result(seats: Seats, candidate: Any, before: List[Any], after: List[Any], changed: bool, answer: Dict[str, Any]) -> Result:
    position = next((index for index, seat in enumerate(after) if same(seat, candidate)), None)
    return {
        "changed": changed,
        "leader": after[0] if after else None,
        "leaders": after,
        "is_leader": position is not None,
        "position": position,
        "candidate": candidate,
        "token": answer.get("Token"),
        "lease": answer.get("Lease"),
        "diff": {"before": {seats.param: _shown(seats, before)}, "after": {seats.param: _shown(seats, after)}},
    }


def _shown(seats: Seats, sitting: List[Any]) -> Any:
    return sitting if seats.seats is not None else sitting[0] if sitting else None
