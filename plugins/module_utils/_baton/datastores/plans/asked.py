# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs share, whatever the datastore: other parameters, a restart, the two ways out, and what a failure leaves. Pure.

Whoever leaves counts no more before anything else is done: nothing that was acknowledged is with it alone.
"""
from __future__ import annotations

from typing import List

from ..engine.case import Case
from ..engine.program import DONE, Outcome, all_of, fail, wait
from ..model.replica_set import Member

AGAIN_AFTER = 3.0  # seconds until what failed is begun anew, unasked


def concerned(case: Case) -> List[Member]:
    return [case.member(key) for key in case.task.data["members"] if key in case.whole.members]


# --- what failed ------------------------------------------------------------------------------------------------------------


def is_ahead(case: Case, at: float) -> bool:
    """Return whether something is tried again later only. What is further ahead than that ever is was written by another's clock."""
    return case.now < at <= case.now + AGAIN_AFTER


def given_up(case: Case) -> None:
    """New members that did not come to be say why; those who have the data stay what they are. Nothing is tried again at once."""
    if case.task.gave_way:
        return
    if case.task.program != "rejoin" and not case.task.asked:
        case.whole.not_before = case.now + AGAIN_AFTER
    for member in concerned(case) if "members" in case.task.data else ():
        member.again_at, member.fault = case.now + AGAIN_AFTER, case.task.fault
        member.status = member.status if member.joined else "ERROR"


# --- parameters -------------------------------------------------------------------------------------------------------------


def restart(case: Case) -> Outcome:
    """A server has the parameters of its member's own from here on."""
    members = concerned(case)
    outcome = all_of((member.id, case.ask(member, "restart", parameters=member.own.get("parameters", {}))) for member in members)
    for member in members if outcome.done else ():
        applied(member, False)
    return outcome


def configure(case: Case) -> Outcome:
    """Servers take what they can take while they run. Until one has said so, its parameters come with its next start."""
    reports = [(member, case.ask(member, "configure", parameters=member.own.get("parameters", {}))) for member in concerned(case)]
    for member, report in reports:
        if report is not None and not report.problem:
            applied(member, bool(report.found.get("restart")))
    return all_of((member.id, report) for member, report in reports)


def applied(member: Member, is_restart_needed: bool) -> None:
    member.own = {name: value for name, value in member.own.items() if name != "restart_required"}
    member.own.update({"restart_required": True} if is_restart_needed else {})
    member.fault = ""


# --- the way out ------------------------------------------------------------------------------------------------------------


def ends_the_source(case: Case) -> bool:
    """Return whether what is done takes the source away with the set: then no other one is looked for."""
    task = case.task
    return task.program == "delete" and case.whole.source in task.data["members"] and not _others(case) and not task.undoing


def _others(case: Case) -> int:
    return len(case.whole.members) - len(concerned(case))


def look(case: Case) -> Outcome:
    """Only who has the set's data, and is not its source, can go on alone with it."""
    for key in case.task.data["members"]:
        member = case.whole.members.get(key)
        if member is None or not member.joined or member is case.source:
            return fail(f"{key} is no replica that has the data, so that it can't be detached")
    return DONE


def release(case: Case) -> Outcome:
    """Whoever leaves does not count any more, nor takes writes: then nothing is lost with it."""
    leaving = concerned(case)
    if case.source in leaving and _others(case):
        return fail(f"{case.whole.source} is the source of {_others(case)} more; promote another, or delete them first")
    case.task.data.setdefault("joined", [member.id for member in leaving if member.joined])
    if case.source in leaving:
        case.take_back()
        if not case.is_over():
            return wait(f"{case.whole.source}, which may take writes still")
    elif not case.was_claimed:
        return wait(f"{case.whole.source} to claim its term, or the last one to be called back: who counts is not sure")
    for member in leaving:
        member.joined = False
    counts = [member.id for member in leaving if member.id in case.whole.counted and member is not case.source]
    if not counts:
        return DONE
    is_lost = not case.reigns(case.member(case.whole.source)) and not any(case.server(member).up for member in leaving)
    if is_lost and case.task.data.get("force"):
        return _given_up(case, leaving)
    return wait(f"{case.whole.source} to do without {counts[0]} (by force, where both are gone for good)")


def _given_up(case: Case, leaving: List[Member]) -> Outcome:
    """Somebody says of one that counts that it is gone for good, and so is the source, or it is not there to do without. From here on the
    source alone is sure to have all: nobody takes its place unasked. By its grant it could count on who is given up.
    """
    case.take_back()
    if not case.is_over():
        return wait(f"{case.whole.source}, which may take writes still")
    case.whole.counted = [name for name in case.whole.counted if name not in {member.id for member in leaving}]
    case.whole.confirmed = []
    return DONE


def keep(case: Case) -> Outcome:
    data = case.task.data
    for member in concerned(case) if "joined" in data else ():
        member.joined = member.id in data["joined"]
    return DONE


def clear(case: Case) -> Outcome:
    """``force``: somebody says that what is on a host that is not heard will never run again, or is not worth to wait for."""
    forced = case.task.data.get("force")
    return all_of((member.id, case.ask(member, "wipe")) for member in concerned(case) if case.channel(member).alive or not forced)


def is_spoilt(case: Case) -> Outcome:
    """Whoever was to be wiped may be still, however late its guest is heard: it has the data no more. It can be deleted again."""
    case.task.data["joined"] = []
    return DONE


def forget(case: Case) -> Outcome:
    case.whole.members = {key: member for key, member in case.whole.members.items() if key not in case.task.data["members"]}
    return DONE


def seal(case: Case) -> Outcome:
    """Whoever is detached receives nothing any more, and says what it has."""
    member = concerned(case)[0]
    report = case.ask(member, "seal")
    if report is not None and not report.problem:
        case.task.data["position"] = report.found["received"]
    return all_of([(member.id, report)])


def unseal(case: Case) -> Outcome:
    """It comes back as one who was away does."""
    for member in concerned(case):
        member.follows = 0
    return DONE


def drain(case: Case) -> Outcome:
    member = concerned(case)[0]
    return all_of([(member.id, case.ask(member, "drain", position=case.task.data["position"]))])


def part(case: Case) -> Outcome:
    """Both sets are written at once: it is never of two, nor of none. ``set``: its new set's id; ``secrets``: what that has of its own."""
    data = case.task.data
    case.part(concerned(case)[0], data["set"], data.get("secrets") or case.whole.secrets)
    return DONE
