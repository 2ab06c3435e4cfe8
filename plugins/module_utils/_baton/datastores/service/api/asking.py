# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking for programs of plans, and judging whether a set is free for them. Pure."""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

from ....ground.problem import Problem
from ...engine.case import Case
from ...engine.engine import request
from ...engine.program import Plan
from ...model.replica_set import Member, ReplicaSet
from ...plans import galera, mariadb
from .errors import not_offered, unprocessable

PLANS: Mapping[str, Plan] = {
    "mariadb": mariadb.PLAN,
    "galera": galera.PLAN,
    # A set of these is led as one of those: what differs is up to their hands
    "postgresql": mariadb.PLAN,
    "valkey": mariadb.PLAN,
    "redis": mariadb.PLAN,
}
ASKED = "it was asked for"


def called(member: Member) -> str:
    """Return an instance for people."""
    return f"instance {member.own.get('name', '')} ({member.id})"


def is_cluster(whole: ReplicaSet) -> bool:
    """Return whether a set is a cluster: people know it by a name of its own, and its members have no source."""
    return "name" in whole.own


def called_cluster(whole: ReplicaSet) -> str:
    """Return a cluster for people."""
    return f"cluster {whole.own.get('name', '')} ({whole.id})"


def ask(case: Case, program: str, **data: Any) -> None:
    """Ask for a program; Problem 501 where the plan has none of that name, 422 while the set is busy."""
    plan = PLANS[case.whole.datastore]
    if program not in plan.programs:
        raise not_offered(f"{program} is not offered for {case.whole.datastore} yet")
    request(case, plan, program, ASKED, **data)


def busy_with(case: Case) -> str:
    """Return what somebody has asked for that has not ended, "" if nothing."""
    if case.whole.asked is not None:
        return str(case.whole.asked["program"])
    return case.whole.task.program if case.whole.task is not None and case.whole.task.asked else ""


def configure(case: Case, members: Sequence[Member], news: Dict[str, Any]) -> None:
    """Give instances other parameters: each says itself what of them it takes while it runs, and what with its next start.

    Until it has, its next start is what brings them.
    """
    doing = busy_with(case)
    if doing:
        raise Problem(422, "busy", f"set {case.whole.id} is busy with {doing}; try again when that has ended")
    changed: List[str] = []
    for member in members:
        if not member.joined:
            raise unprocessable(f"{called(member)} is not ready: wait until it is ACTIVE")
        changed += [member.id] if (member.own.get("parameters") or {}) != news["parameters"] else []
        member.own = {**member.own, **news}
    for key in changed:
        case.member(key).own["restart_required"] = True
    if changed:
        ask(case, "configure", members=changed)
