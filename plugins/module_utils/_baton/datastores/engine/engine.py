# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries the task of a set on, from what the documents say alone. Pure.

Whoever reads the same documents does the same, so that a manager may die between any two lines. What it changes is written all at once,
if nothing of what was read has changed meanwhile.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from ...ground.problem import Problem
from .case import Case
from .program import Due, Outcome, Plan, Program, Step

MOST_STEPS = 32  # at once
SILENCE = 5.0  # seconds for which a guest may be silent that is waited for: a host under load misses its lease and has it anew


def advance(case: Case, plan: Plan) -> None:
    """Go as far as it goes without waiting for anybody."""
    plan.keep(case)
    for _step in range(MOST_STEPS):
        due = plan.due(case) if not case.is_giving else None
        if case.whole.task is None and not _begin(case, plan, due):
            return
        program = plan.programs[case.task.program]
        if due is not None and plan.programs[due.program].urgent and program.gives_way and _can_go_back(case, plan):
            _give_way(case, due.why)
        if not (_back(case, plan, program) if case.task.undoing else _on(case, plan, program)):
            return


def _begin(case: Case, plan: Plan, due: Optional[Due]) -> bool:
    """Begin what comes next, if anything does: what can't wait, what somebody has asked for, what is due."""
    asked = case.whole.asked
    if due is not None and (plan.programs[due.program].urgent or asked is None):
        case.begin(due.program, due.why, **due.data)
    elif asked is not None:
        case.whole.asked = None
        case.begin(asked["program"], asked["why"], asked=True, **asked["data"])
    return case.whole.task is not None


def request(case: Case, plan: Plan, program: str, why: str, **data: Any) -> None:
    """Have something done that somebody asks for: at once, or as soon as what nobody asked for has given way, or is undone.

    Raises Problem 422 while something else is done with the set, and names it.
    """
    task, asked = case.whole.task, case.whole.asked
    if plan.programs[program].joins and _joined(case, program, why, data):
        return
    makes_room = task is None or task.undoing or not task.asked and plan.programs[task.program].gives_way and _can_go_back(case, plan)
    if asked is not None or not makes_room:
        busy = asked["program"] if asked is not None else task.program if task is not None else ""
        raise Problem(422, "busy", f"set {case.whole.id} is busy with {busy}; try again when that has ended")
    case.whole.asked = {"program": program, "why": why, "data": data}
    if task is not None and not task.undoing:
        task.gave_way = True
        _turn_back(case, f"it gave way to {program}")


def _joined(case: Case, program: str, why: str, data: Dict[str, Any]) -> bool:
    """Have something done with the next members that is being done with others; return whether it will be."""
    task, asked = case.whole.task, case.whole.asked
    runs = task is not None and task.program == program and task.asked and not task.undoing
    if task is not None and runs and set(data["members"]) <= set(task.data["members"]):
        return True
    if asked is not None and asked["program"] == program and {**asked["data"], "members": []} == {**data, "members": []}:
        members = [*asked["data"]["members"], *(name for name in data["members"] if name not in asked["data"]["members"])]
        case.whole.asked = {**asked, "data": {**asked["data"], "members": members}}
        return True
    if asked is None and runs:
        case.whole.asked = {"program": program, "why": why, "data": data}
        return True
    return False


def cancel(case: Case, plan: Plan, why: str) -> None:
    """Have what somebody has asked for undone, and what comes next forgotten. What nobody asked for goes on.

    Raises Problem 422 where the task is past its point of no return, or may be: then it ends by itself, and nothing has changed.
    """
    task = case.whole.task
    if task is not None and task.asked and not task.undoing:
        if not _can_go_back(case, plan):
            raise Problem(422, "busy", f"{task.program} of set {case.whole.id} can't be undone any more; it ends by itself")
        _turn_back(case, why)
    case.whole.asked = None


def _can_go_back(case: Case, plan: Plan) -> bool:
    """Return whether the task is on its way, and neither past its point of no return nor perhaps at it."""
    task = case.task
    return not task.undoing and not any(step.final for step in plan.programs[task.program].steps[: task.step + 1])


def _on(case: Case, plan: Plan, program: Program) -> bool:
    """Look at the step; return whether to look at the next one at once."""
    task = case.task
    step = program.steps[task.step]
    outcome = _answered(case, program, step, step.do)
    if outcome.problem:
        _fail(case, plan, program, f"{step.name}: {outcome.problem}")
    elif outcome.done and task.step + 1 == len(program.steps):
        case.whole.note(case.now, f"{program.name} is done", task.fault)
        case.whole.task = None
    elif outcome.done:
        task.step, task.since = task.step + 1, case.now
    return outcome.done or bool(outcome.problem)


def _answered(case: Case, program: Program, step: Step, look: Callable[[Case], Outcome]) -> Outcome:
    """Look at a step; it has failed where it waits for somebody who can't answer, or for too long."""
    case.silent.clear()
    outcome = look(case)
    if outcome.done or outcome.problem:
        return outcome
    task = case.task
    task.silent = (task.silent or case.now) if case.silent else 0.0
    if case.silent and (program.urgent or case.now - task.silent >= SILENCE):
        return Outcome(problem=f"{case.silent[0]}: its guest is not heard")
    late = case.now - case.task.since > step.seconds
    return Outcome(problem=f"{outcome.on or step.name} did not answer within {step.seconds:g} s") if late else outcome


def _fail(case: Case, plan: Plan, program: Program, problem: str) -> None:
    if any(step.final for step in program.steps[: case.task.step]):  # what is left undone is due again, unasked
        case.task.fault = problem
        _end(case, plan, program)
    else:
        _turn_back(case, problem)


def _give_way(case: Case, why: str) -> None:
    """What people asked for comes next again."""
    task, whole = case.task, case.whole
    task.gave_way = True
    if task.asked and whole.asked is None:
        whole.asked = {"program": task.program, "why": f"it gave way: {why}", "data": dict(task.wanted)}
    _turn_back(case, f"it gave way: {why}")


def _turn_back(case: Case, problem: str) -> None:
    case.task.undoing, case.task.fault, case.task.since = True, problem, case.now


def _back(case: Case, plan: Plan, program: Program) -> bool:
    """Undo the step; what can't be undone in its time is left, and said."""
    task = case.task
    step = program.steps[task.step]
    outcome = _answered(case, program, step, step.undo)
    if outcome.problem:
        task.fault += f"; {step.name} was not undone: {outcome.problem}"
    elif not outcome.done:
        return False
    if task.step == 0:
        _end(case, plan, program)
    else:
        task.step, task.since = task.step - 1, case.now
    return True


def _end(case: Case, plan: Plan, program: Program) -> None:
    plan.given_up(case)
    case.whole.note(case.now, f"{program.name} has failed", case.task.fault)
    case.whole.task = None
