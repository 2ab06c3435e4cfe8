# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies for those who have no data, or data of no use: who gives one, how fast, and what is done when it breaks off. Pure.

The nearest gives it: of the same region if there is one, and not the source while a replica can. What broke off begins anew by itself, from
another one if there is one. A guest says of a report with ``broke`` that the copy did; any other problem is one that it would meet again.
"""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from ..engine.case import Case
from ..engine.program import DONE, Outcome, all_of, fail, wait
from ..model.channel import Report
from ..model.replica_set import Member, copy_limit

PAUSES = (0.0, 3.0, 10.0, 30.0)  # seconds before one that broke off begins anew; with one more break it has failed
GOES_ON = 300.0  # seconds after which one that goes on is given its time anew


def copied(case: Case, member: Member, able: List[Member], receive: Mapping[str, Any], send: Mapping[str, Any]) -> Outcome:
    """Have a member get a copy. ``able``: who can give one now; ``receive``, ``send``: what both are told of the one who gets it."""
    copy = _copy_of(case, member)
    if case.now < copy.get("at", 0.0):
        return wait(f"{member.id}, whose copy broke off and begins anew in a moment: {copy['why']}")
    donor = _donor(case, member, able)
    if "donor" not in copy:
        if donor is None:
            return wait("one to copy from")
        _note(case, member, donor=donor.id)
    return _carried(case, member, donor, receive, send)


def is_there(case: Case, member: Member) -> bool:
    """Return whether it has its copy, though whoever gave it may not have said so."""
    return bool(_copy_of(case, member).get("there"))


def _carried(case: Case, member: Member, donor: Optional[Member], receive: Mapping[str, Any], send: Mapping[str, Any]) -> Outcome:
    """Go on with it, for as long as whoever has begun to give it can."""
    copy = _copy_of(case, member)
    number, giver = len(copy.get("broke", ())), copy["donor"]
    receives = case.ask(member, "receive", f"{number}.{giver}", **receive)
    if receives is not None and not receives.problem:
        _note(case, member, there=True)
    if donor is None or donor.id != giver:
        return DONE if is_there(case, member) else _broken(case, member, f"{giver} can't give it any more")
    sends = case.ask(donor, "send", f"{number}.{member.id}", to=member.id, limit=copy_limit(case.whole), **send)
    if is_there(case, member):
        return DONE if sends is not None else wait(giver)
    for name, report in ((member.id, receives), (giver, sends)):
        if report is not None and report.problem and _broke(report):
            return _broken(case, member, f"{name}: {report.problem}")
    _give_time(case, member, donor)
    return all_of([(member.id, receives), (giver, sends)])


def _broke(report: Report) -> bool:
    return bool(report.found.get("broke"))


def _broken(case: Case, member: Member, why: str) -> Outcome:
    """It begins anew after a while. Whoever gave it is asked last from here on."""
    copy = _copy_of(case, member)
    broke = [*copy.get("broke", ()), copy["donor"]]
    if len(broke) > len(PAUSES):
        return fail(f"the copy for {member.id} broke off {len(broke)} times, the last time since {why}")
    copies = {**case.task.data["copies"], member.id: {"broke": broke, "why": why, "at": case.now + PAUSES[len(broke) - 1]}}
    case.task.data["copies"], case.task.since = copies, case.now
    return wait(f"{member.id}, whose copy broke off and begins anew in a moment: {why}")


# --- who gives it -----------------------------------------------------------------------------------------------------------


def _donor(case: Case, member: Member, able: List[Member]) -> Optional[Member]:
    """Return who gives a copy: the same one for as long as it can."""
    copy = _copy_of(case, member)
    broke, region = copy.get("broke", []), member.own.get("region")
    gives = [each.get("donor") for key, each in case.task.data.get("copies", {}).items() if key != member.id]

    def order(other: Member) -> Any:
        is_same, is_near = other.id == copy.get("donor"), other.own.get("region") == region
        return not is_same, broke.count(other.id), not is_near, other is case.source, gives.count(other.id), other.id

    return min((other for other in able if other is not member), key=order, default=None)


# --- what is known of it ----------------------------------------------------------------------------------------------------


def _copy_of(case: Case, member: Member) -> Dict[str, Any]:
    """``donor``; ``broke``: from whom copies broke off; ``why`` the last one did; ``at``: when it begins anew; ``bytes``: were sent;
    ``there``: it is.
    """
    found: Dict[str, Any] = case.task.data.get("copies", {}).get(member.id, {})
    return found


def _note(case: Case, member: Member, **values: Any) -> None:
    known = _copy_of(case, member)
    if {**known, **values} != known:
        case.task.data["copies"] = {**case.task.data.get("copies", {}), member.id: {**known, **values}}


def _give_time(case: Case, member: Member, donor: Member) -> None:
    """However long a copy takes: while more and more was sent it does not fail for that."""
    sent = case.server(donor).sent(member.id)[0]
    if case.now - case.task.since > GOES_ON and sent != _copy_of(case, member).get("bytes", 0):
        _note(case, member, bytes=sent)
        case.task.since = case.now
