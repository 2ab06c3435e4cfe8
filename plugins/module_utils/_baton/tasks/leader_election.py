# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elect one leader, or N, among hosts that may run at the same time under any number of controllers."""
from __future__ import annotations

import time
from typing import Any, Dict, List, Optional, Sequence

from ..client.contender import since
from ..client.error import ClientError, one_line
from ..client.locks import MOST_NAMED
from ..client.seats import Seats
from ..core.coordination.seats import leaders, same
from ..ground.patch import MISSING
from ..ground.problem import Problem
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
NOBODY_HERE = (
    "{leader} leads{since}, and is none of the hosts of this play: what only the leader does is done by nobody here. For work that is "
    "to be done once use baton.ha.once. For a leader among these hosts let {leader} resign (candidate, state: resigned), or give a ttl"
)
A_LIST = "param {param!r} holds a list of leaders, as an election with seats leaves it: give seats here, too, or another param"
ONE, MANY = "my/leader", "cluster/leaders"


def run(context: Context) -> Result:
    params = context.params
    candidate = params["candidate"] or context.host
    if same(candidate, params["vacant"]):
        raise ClientError("usage", "candidate and vacant are the same value, so nobody could tell a leader from an empty seat")
    param = params["param"] or (ONE if params["seats"] is None else MANY)
    label = context.play.label if context.play is not None else None
    seats = Seats(context.client, params["profile"], param, params["seats"], params["vacant"], label)
    before = _sitting(seats) if context.check or context.diff or not params["eligible"] else None
    if before is not None and context.check:
        return _foresee(context, seats, candidate, before)
    if before is not None and params["state"] == "elected" and not params["eligible"]:
        return _look(context, seats, candidate, before)
    if params["state"] == "resigned":
        answer = seats.resign(candidate)
    else:
        answer = seats.elect(candidate, params["ttl"], params["lease"])
    after: List[Any] = answer["Leaders"]
    result = _result(seats, candidate, before or [], after, answer["Changed"], answer)
    ours = answer.get("Run") == label if label is not None else answer["Changed"]
    return {**result, "won": result["is_leader"] and bool(ours)}


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
    """Who can't be elected changes nothing, and waits until all seats are taken."""
    if context.params["wait"]:
        _wait_for_leaders(context, seats)
        before = _sitting(seats)
    return {**_result(seats, candidate, before, before, False, {}), "won": False}


def _foresee(context: Context, seats: Seats, candidate: Any, stands: List[Any]) -> Result:
    """Check mode: say what would happen after all that the hosts of this run would have done before."""
    params = context.params
    with context.foreseen.of(f"seats {seats.profile} {seats.param}") as seen:
        won, gone = seen.setdefault("won", []), seen.setdefault("gone", [])
        stay = [seat for seat in stands if not _among(gone, seat)]
        before = after = stay + [seat for seat in won if not _among(stay, seat)]
        if params["state"] == "resigned":
            after = [seat for seat in before if not same(seat, candidate)]
            seen["won"] = [seat for seat in won if not same(seat, candidate)]
            gone.append(candidate)
        elif params["eligible"] and not _among(before, candidate) and len(before) < (seats.seats or 1):
            after = [*before, candidate]
            won.append(candidate)
            seen["gone"] = [seat for seat in gone if not same(seat, candidate)]
    return {**_result(seats, candidate, before, after, len(before) != len(after), {}), "won": len(before) < len(after)}


def _among(sitting: Sequence[Any], candidate: Any) -> bool:
    return any(same(seat, candidate) for seat in sitting)


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
    # Of those who sit beyond the seats that there are now nobody leads.
    position = next((index for index, seat in enumerate(after[: seats.seats or 1]) if same(seat, candidate)), None)
    return {
        "changed": changed,
        "leader": after[0] if after else None,
        "leaders": after,
        "is_leader": position is not None,
        "position": position,
        "candidate": candidate,
        "token": answer.get("Token"),
        "lease": answer.get("Lease"),
        "since": answer.get("Since"),
        "diff": {"before": {seats.param: _shown(seats, before)}, "after": {seats.param: _shown(seats, after)}},
    }


def _shown(seats: Seats, sitting: List[Any]) -> Any:
    return sitting if seats.seats is not None else sitting[0] if sitting else None


def nobody_here(context: Context, result: Result, hosts: Sequence[str]) -> Optional[str]:
    """Return a warning if all who lead are certainly none of ``hosts``, the machines of the play. Of some candidates nobody can know."""
    candidate, sitting = result["candidate"], result["leaders"]
    if context.params["seats"] is None and sitting and isinstance(sitting[0], list) and not isinstance(candidate, list):
        return A_LIST.format(param=context.params["param"] or ONE)
    if context.params["state"] != "elected" or result["is_leader"] or not sitting:
        return None
    name = next((k for k, v in candidate.items() if v in hosts), None) if isinstance(candidate, dict) else None
    found = [seat.get(name) if isinstance(seat, dict) else None for seat in sitting] if name is not None else sitting
    known = name is not None or (isinstance(candidate, str) and candidate in hosts)
    if not known or None in found or any(seat in hosts for seat in found):
        return None
    leader = ", ".join(str(seat) for seat in found[:MOST_NAMED])
    at = "" if result["since"] is None else f" since {since(result['since'], time.time())}"
    return NOBODY_HERE.format(leader=one_line(leader)[:200], since=at)
