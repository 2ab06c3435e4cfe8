# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking for programs of plans, and judging whether a set is free for them. Pure."""
from __future__ import annotations

from typing import Any, Dict, Mapping

from ....ground.problem import Problem
from ...engine.case import Case
from ...engine.engine import request
from ...engine.program import Plan
from ...model.replica_set import Member
from ...plans import mariadb
from .errors import not_offered, unprocessable
from .parameters import is_restart_needed

PLANS: Mapping[str, Plan] = {"mariadb": mariadb.PLAN}
ASKED = "it was asked for"


def called(member: Member) -> str:
    """Return an instance for people."""
    return f"instance {member.own.get('name', '')} ({member.id})"


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


def configure(case: Case, member: Member, news: Dict[str, Any]) -> None:
    """Give an instance other parameters: at once where the plan can, else with its next restart."""
    doing = busy_with(case)
    if doing:
        raise Problem(422, "busy", f"set {case.whole.id} is busy with {doing}; try again when that has ended")
    if not member.joined:
        raise unprocessable(f"{called(member)} is not ready: wait until it is ACTIVE")
    old = member.own.get("parameters") or {}
    member.own = {**member.own, **news}
    if old == news["parameters"]:
        return
    applies = "configure" in PLANS[case.whole.datastore].programs
    if not applies or is_restart_needed(case.whole.datastore, old, news["parameters"]):
        member.own = {**member.own, "restart_required": True}
    if applies:
        ask(case, "configure", members=[member.id])
