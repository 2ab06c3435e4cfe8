# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is being done with a set, for people: its step, what that waits for, and what undoing it would do. Pure; nothing changes."""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict

from ..model.replica_set import ReplicaSet
from .case import Case, Silences
from .program import Plan, nothing


def explain(case: Case, plan: Plan) -> Dict[str, Any]:
    """Return {"program", "why", "step", "steps", "since", "undoing", "waits_for", "undo", "next", "needs"}; nothing but the last two
    while nothing is being done.
    """
    whole = ReplicaSet.from_json(case.whole.to_json())  # looking at a step changes the set that it looks at
    next_one = None if whole.asked is None else str(whole.asked["program"])
    found: Dict[str, Any] = {"next": next_one, "needs": whole.needs}
    task = whole.task
    if task is None:
        return found
    program = plan.programs[task.program]
    step = program.steps[task.step]
    look = step.undo if task.undoing else step.do
    outcome = look(replace(case, whole=whole, silences=Silences(), silent=[], parted=[], _asked={}, _grants={}))
    passed = any(each.final for each in program.steps[: task.step])
    undone = [each.name for each in program.steps[: task.step + 1][::-1] if each.undo is not nothing]
    undo = "it is being undone" if task.undoing else "it can't be undone any more, and goes on" if passed else ""
    began = next((entry for entry in reversed(whole.history) if entry["what"] == f"{task.program} begins"), {"why": ""})
    return {
        "program": task.program, "why": task.fault or began["why"], "step": step.name, "steps": [each.name for each in program.steps],
        "since": task.since, "undoing": task.undoing, "waits_for": outcome.problem or outcome.on,
        "undo": undo or (f"undoes {', then '.join(undone)}" if undone else "nothing has to be undone"), **found,
    }  # fmt: skip
