# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All members of a cluster stop, and are formed anew: by whoever is furthest, once all that may be further were asked. Pure."""
from __future__ import annotations

from typing import Any, Dict, List, Optional

from ..engine.case import Case
from ..engine.program import DONE, Due, Outcome, all_of, fail
from ..model.replica_set import Member
from .group import data_members, forms, is_arbiter, last_common, may_have_data, runs, serving, term_of

LOST, PARTED = 3.0, 30.0  # seconds without a member that serves until all are formed anew; the latter while all run and may meet
REVIVED_AGAIN = 60.0  # seconds after that has failed


def stop(case: Case) -> Outcome:
    """One after the other, so that the last one has all."""
    case.whole.own["stopped"] = True
    done = case.task.data.get("done", [])
    for member in sorted(case.whole.members.values(), key=lambda each: (not is_arbiter(each), each.id)):
        if not member.joined or member.id in done:
            continue
        outcome = all_of([(member.id, case.ask(member, "halt"))])
        if not outcome.done:
            return outcome
        case.task.data["done"] = done = [*done, member.id]
        case.task.since = case.now
    return DONE


def go_on(case: Case) -> Outcome:
    """It is not stopped after all: who was ended comes back unasked."""
    case.whole.own.pop("stopped", None)
    return DONE


def _asked_ones(case: Case) -> List[Member]:
    """Those that may have something that the others lack: all with data, but for who will never run again, as a person says."""
    without = case.task.data.get("without", ())
    return [member for member in data_members(case) if may_have_data(member) and member.id not in without]


def halt_all(case: Case) -> Outcome:
    """Nobody runs, and each says how far it came. One that serves says that instead, and all is left as it is; but one that formed a
    group of which nobody has heard is ended.
    """
    case.whole.own.pop("stopped", None)
    if serving(case):
        return fail(f"{serving(case)[0].id} serves")
    members = _asked_ones(case)
    reports = [(member.id, case.ask(member, "halt", idle=member.follows == case.whole.term)) for member in members]
    outcome = all_of(reports)
    if outcome.done:
        case.task.data["positions"] = {key: dict(report.found) for key, report in reports if report is not None}
    return outcome


def choose(case: Case) -> Outcome:
    """Take who is furthest of those who were in the latest group, or have nothing that it had not; nobody that may be further is passed
    over. A guest knows in which group a server was last: it may have come into one, and taken writes there, and nobody heard of it.
    """
    positions = case.task.data["positions"]
    terms = {key: term_of(at["group"]) if at.get("group") else case.member(key).follows for key, at in positions.items()}
    latest = max(terms.values(), default=0)
    known = {key: at for key, at in positions.items() if latest and terms[key] == latest}
    unknown = sorted(key for key, at in known.items() if at.get("seqno", -1) < 0)
    histories = sorted({at["uuid"] for key, at in known.items() if key not in unknown})
    if not known:
        return fail("no member has the data of the last time that it was formed")
    if unknown:
        return fail(f"{unknown[0]} can't say how far it came; start without it if what it has is lost")
    if len(histories) > 1:
        return fail(f"members have different histories ({', '.join(histories)}): start without those whose data is to go")
    able = {key: at for key, at in positions.items() if key in known or at.get("uuid") in histories and _is_of_ours(case, at, terms[key])}
    case.task.data["by"] = max(sorted(able), key=lambda key: able[key]["seqno"])
    case.whole.term += 1
    return DONE


def _is_of_ours(case: Case, at: Dict[str, Any], term: int) -> bool:
    """Whether what one has who was in the group of an older term last is the beginning of what the others have."""
    return term > 0 and 0 <= at["seqno"] <= last_common(case, term)


def form(case: Case) -> Outcome:
    by = case.member(case.task.data["by"])
    at = case.task.data["positions"][by.id]
    return forms(case, by, {"uuid": at["uuid"], "seqno": at["seqno"]})


def unform(case: Case) -> Outcome:
    """Whoever was to form it does not, nor will."""
    by = case.member(case.task.data["by"])
    return all_of([(by.id, case.ask(by, "halt"))])


# --- unasked ---------------------------------------------------------------------------------------------------------------


def due(case: Case) -> Optional[Due]:
    """Some time passes first: a guest that has just begun has not looked at its server yet, and those who are parted may meet again."""
    whole = case.whole
    if whole.task is not None and whole.task.program in ("revive", "stop", "delete"):
        return None
    since = whole.own.setdefault("lost", case.now)
    members = [member for member in data_members(case) if may_have_data(member)]
    silent = [member.id for member in members if not case.channel(member).alive]
    if silent:
        remedy = "bring it back, or start the cluster without it if it never runs again"
        whole.needs = f"no member serves, and {silent[0]}, whose guest is not heard, may have what others lack; {remedy}"
        return None
    failed = whole.own.get("unrevived")
    if failed is not None:
        whole.needs = f"no member serves: {failed['why']}"
        since = max(since, failed["at"] + REVIVED_AGAIN - LOST)
    is_time = case.now - since > (PARTED if _may_meet(case) else LOST) or since > case.now + REVIVED_AGAIN  # by another's clock
    return Due("revive", "no member serves", {"members": [], "without": []}) if is_time and not whole.paused else None


def _may_meet(case: Case) -> bool:
    """Whether they could be a group again by themselves: that takes all who were of it, however many the majority is."""
    return all(runs(case, member) for member in case.whole.members.values() if member.joined)
