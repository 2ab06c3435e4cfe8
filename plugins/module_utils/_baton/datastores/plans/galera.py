# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Galera: members that all take writes, and arbiters that only vote. Programs of steps, and what is due unasked. Pure.

Who may write is decided by the members' own quorum. What is decided here is who forms the group, and that nobody starts unless told: a
group is formed once in each term, on the member that is furthest, when all that may be further were asked. Its name holds the term, so
that a server of an older one can't come into it; who returns from there, and was ahead of where it was formed, is emptied first.
"""
from __future__ import annotations

from typing import Any, Dict, List, Optional

from ..engine.case import Case
from ..engine.program import DONE, Due, Outcome, Plan, Program, Step, all_of, fail, nothing, wait
from ..model.replica_set import Member
from . import asked, copies, forgotten, revival
from .asked import concerned, is_ahead
from .group import (
    data_members,
    forget_loss,
    forms,
    goes_on_without,
    group_of,
    has_come,
    is_arbiter,
    is_gone,
    is_told,
    last_common,
    may_have_data,
    runs,
    said_of,
    serves,
    serving,
    unwell,
    voting,
)

MADE_OF = ("name", "type", "segment", "server_id", "flavor", "volume", "databases", "users", "parameters")  # of a member's own
COPIES_WITHIN, STARTS_WITHIN = 7200.0, 900.0  # seconds
WELL_WITHIN = 30.0  # seconds in which the others must be well before one more is taken out
ALONE = 60.0  # seconds in which somebody must serve whom others are to join

# --- members come -----------------------------------------------------------------------------------------------------------


def _prepare(case: Case) -> Outcome:
    """The first of a new cluster gets data of its own, all others get theirs from it."""
    case.whole.term = max(case.whole.term, 1)
    founder = None if case.whole.formed else _founder(case)
    return all_of((member.id, case.ask(member, "prepare", **_server(case, member, member is founder))) for member in concerned(case))


def _founder(case: Case) -> Optional[Member]:
    return next((member for member in concerned(case) if not is_arbiter(member)), None)


def _server(case: Case, member: Member, founds: bool = False) -> Dict[str, Any]:
    """Return all that a guest must know to make a server."""
    own = {name: member.own[name] for name in MADE_OF if name in member.own}
    return {**_where(case, member), **own, "version": case.whole.version, "found": founds, **group_of(case, *concerned(case))}


def _where(case: Case, member: Member) -> Dict[str, Any]:
    return {"address": member.own.get("address"), "port": member.own.get("port"), "secrets": case.whole.secrets}


def _wipe(case: Case) -> Outcome:
    return all_of((member.id, case.ask(member, "wipe")) for member in concerned(case) if not may_have_data(member))


def _found(case: Case) -> Outcome:
    """A new cluster is formed by its first member."""
    founder = _founder(case)
    if founder is None:
        return fail("a cluster needs a member that has data")
    outcome = forms(case, founder, None)
    case.task.data["in"] = [founder.id] if outcome.done else []
    return outcome


def _unfound(case: Case) -> Outcome:
    """What was formed is ended in good order before it is wiped. Whoever is not heard then, there is no cluster."""
    case.whole.formed = {}
    return _part(case)


def _add(case: Case) -> Outcome:
    """One after the other: a member that has no data gets a copy, and catches up with the rest from there. ``in``: who has come."""
    data = case.task.data
    if not case.whole.formed:
        return fail("there is no group to come into: the cluster was not made")
    if serving(case):
        data.pop("alone", None)
    elif case.now - data.setdefault("alone", case.now) > ALONE:
        return fail("no member serves any more")
    for member in concerned(case):
        if member.id in data.get("in", ()):
            continue
        outcome = _brought(case, member)
        if not outcome.done:
            return outcome
        data["in"], case.task.since = [*data.get("in", ()), member.id], case.now  # each has its own time
    return DONE


def _brought(case: Case, member: Member) -> Outcome:
    """A member starts; one whose data is of no use says so, and gets a copy first."""
    data, whole = case.task.data, case.whole
    if member.id in data.get("bare", ()):
        outcome = _copied(case, member)
        if not outcome.done:
            return outcome
        data["bare"] = [key for key in data["bare"] if key != member.id]
        data["copied"] = [*data.get("copied", ()), member.id]
    is_copied = member.id in data.get("copied", ())
    is_of_now = is_copied or member.follows == whole.term
    came_from = None if is_of_now else {"uuid": whole.formed["uuid"], "seqno": last_common(case, member.follows)}
    member.own["enters"] = True  # from here on it may take writes, whoever hears of it
    report = case.ask(member, "join", "copied" if is_copied else "", formed=came_from, **group_of(case, member))
    if report is None or report.problem:
        return all_of([(member.id, report)])
    if not report.found.get("apart"):
        has_come(case, member)
        return DONE
    if is_copied:
        return fail(f"{member.id} does not come in with what was copied: {report.found['apart']}")
    data["bare"], member.follows = [*data.get("bare", ()), member.id], 0  # what it has counts no more
    return wait(f"a copy for {member.id}")


def _copied(case: Case, member: Member) -> Outcome:
    outcome = copies.copied(case, member, serving(case), _server(case, member), _where(case, member))
    if copies.is_there(case, member):
        member.follows = case.whole.term  # what it has now is of this term, whether it comes in or not
    return outcome


def _part(case: Case) -> Outcome:
    """Who was about to come in leaves in good order; all of them, where there was no cluster before. One that may have what nobody else
    has, since it was in when the others died, stays.
    """
    if case.task.program == "create":
        for member in concerned(case):
            member.joined, member.follows = False, 0
            member.own.pop("enters", None)
    leaving = [member for member in concerned(case) if not member.joined]
    outcomes = [(member.id, _parted(case, member)) for member in leaving]
    failed = [outcome for _name, outcome in outcomes if outcome.problem]
    missing = [name for name, outcome in outcomes if not outcome.done]
    return failed[0] if failed else wait(", ".join(missing)) if missing else DONE


def _parted(case: Case, member: Member) -> Outcome:
    report = case.ask(member, "halt")
    outcome = all_of([(member.id, report)])
    if report is None or not outcome.done or not member.own.get("enters"):
        return outcome
    was_in = report.found.get("seqno", -1) >= 0 and report.found.get("group") in (None, group_of(case)["cluster"])
    if was_in and not goes_on_without(case, member):
        if serving(case):
            return wait(member.id)
        has_come(case, member)
    member.own.pop("enters", None)
    return DONE


def _announce(case: Case) -> Outcome:
    """Those who serve know where all are, for when they start again, and who must not come in. Who does not is told when it is started."""
    reports = [(member, case.ask(member, "announce", **group_of(case))) for member in serving(case)]
    for member, report in reports:
        if report is not None and not report.problem:
            is_told(case, member)
    return all_of((member.id, report) for member, report in reports)


# --- members go -------------------------------------------------------------------------------------------------------------


def _leaving(case: Case) -> List[Member]:
    """Return who is to go; nobody, where members come or are restarted."""
    data = case.task.data
    keys = data["members"] if case.task.program == "shrink" else data.get("leaves", ())
    return [case.member(key) for key in keys if key in case.whole.members]


def _leave(case: Case) -> Outcome:
    """One after the other, in good order: whoever stays counts one less at once. Nothing is asked of one that is gone."""
    left = case.task.data.setdefault("left", [])
    for member in _leaving(case):
        if member.id in left:
            continue
        if is_gone(case, member):
            forgotten.note(case, member)
        else:
            outcome = _taken_out(case, member, lambda one: _halted(case, one))
            if not outcome.done:
                return outcome
        member.joined = False
        case.task.data["left"] = left = [*left, member.id]
        case.task.since = case.now
    return DONE


def _halted(case: Case, member: Member) -> Outcome:
    """It has left, and others go on without it: so they have all that it had. Before that nobody may empty it."""
    outcome = all_of([(member.id, case.ask(member, "halt"))])
    if not outcome.done or goes_on_without(case, member):
        return outcome
    others = [other for other in serving(case) if other is not member]
    return wait("the others to go on without it") if others else fail(f"no other member serves, and {member.id} may have what they lack")


def _taken_out(case: Case, member: Member, act: Any) -> Outcome:
    """Have something done that takes one member out, for a while or for ever, once all others are well."""
    data, out = case.task.data, [member, *_leaving(case)]
    if not [other for other in data_members(case) if other.joined and other not in out]:
        return fail(f"{member.id} is the only one that has the data; add another one first")
    why = unwell(case, out) if data.get("out") != member.id else ""
    if why:
        since = data.setdefault("unwell", case.now)
        return fail(f"{why}; mend that first") if case.now - since > WELL_WITHIN else wait(why)
    data.pop("unwell", None)
    data["out"] = member.id  # from here on it may be out, and the others see that
    outcome: Outcome = act(member)
    if outcome.done:
        data.pop("out", None)
    return outcome


def _clear(case: Case) -> Outcome:
    """Whoever left is wiped; who is not heard is when it is."""
    wiped = case.task.data.get("wiped", [])
    reports = [(member, case.ask(member, "wipe")) for member in _leaving(case) if case.channel(member).alive and member.id not in wiped]
    done = [member for member, report in reports if report is not None and not report.problem]
    for member in done:
        forgotten.is_wiped(case, member)
    case.task.data["wiped"] = [*wiped, *(member.id for member in done)]
    return all_of((member.id, report) for member, report in reports)


def _forget(case: Case) -> Outcome:
    """Who left and was not wiped is a member no more, but does not go out of our sight."""
    leaving = _leaving(case)
    for member in leaving:
        if member.id not in case.task.data.get("wiped", ()) and member.id not in case.whole.own.get("gone", {}):
            forgotten.note(case, member)
    names = {member.id for member in leaving}
    case.whole.members = {key: member for key, member in case.whole.members.items() if key not in names}
    return DONE


def _clear_all(case: Case) -> Outcome:
    """All members are wiped, and who was forgotten, as far as it is heard."""
    outcome = asked.clear(case)
    return outcome if not outcome.done else forgotten.wipe_all(case)


def _may_leave(case: Case) -> Outcome:
    """Whoever asked for it, things may have changed since."""
    leaving = _leaving(case)
    stay = [member for member in case.whole.members.values() if member.joined and member not in leaving]
    if not [member for member in stay if not is_arbiter(member)]:
        return fail("nobody that has data would be left; delete the cluster")
    if not serving(case):
        return fail("no member serves, so that none can leave")
    return DONE


# --- one after the other ----------------------------------------------------------------------------------------------------


def _roll(case: Case) -> Outcome:
    """Restart members one after the other, each once all others are well. ``done``: who was."""
    data = case.task.data
    for member in concerned(case):
        if member.id in data.get("done", ()):
            continue
        outcome = _taken_out(case, member, lambda one: _restarted(case, one))
        if not outcome.done:
            return outcome
        data["done"], case.task.since = [*data.get("done", ()), member.id], case.now
    if data.get("version"):
        case.whole.version = data["version"]
    return DONE


def _restarted(case: Case, member: Member) -> Outcome:
    if member.follows != case.whole.term:
        return fail(f"{member.id} has not come back into the group yet; wait until it is well")
    parameters = member.own.get("parameters", {})
    args = group_of(case, member)
    report = case.ask(member, "restart", parameters=parameters, version=case.task.data.get("version"), **args)
    if report is not None and not report.problem:
        asked.applied(member, False)
        has_come(case, member)
    return all_of([(member.id, report)])


# --- programs ---------------------------------------------------------------------------------------------------------------


def _release(case: Case) -> Outcome:
    """From here on nobody brings it back."""
    for member in concerned(case):
        member.joined = False
    case.whole.formed = {}
    return DONE


_PREPARE = Step("prepare", _prepare, _wipe, STARTS_WITHIN)
_ADD = Step("add", _add, _part, COPIES_WITHIN)
_ANNOUNCE = Step("announce", _announce)
_GO = (Step("leave", _leave, seconds=300, final=True), _ANNOUNCE, Step("wipe", _clear, seconds=600), Step("forget", _forget))
PROGRAMS = {
    program.name: program
    for program in (
        Program("create", (_PREPARE, Step("form", _found, _unfound, STARTS_WITHIN), _ADD)),
        Program("grow", (_PREPARE, _ADD, _ANNOUNCE), gives_way=True),
        Program("shrink", (Step("look", _may_leave), *_GO)),
        Program("replace", (Step("look", _may_leave), _PREPARE, _ADD, *_GO)),
        Program("rejoin", (Step("add", _add, nothing, COPIES_WITHIN),), gives_way=True),
        Program("restart", (Step("restart", _roll, seconds=STARTS_WITHIN),), gives_way=True),
        Program("upgrade", (Step("restart", _roll, seconds=STARTS_WITHIN),), gives_way=True),
        Program("configure", (Step("configure", asked.configure, seconds=120),), gives_way=True),
        Program("stop", (Step("stop", revival.stop, revival.go_on, 300),)),
        Program(
            "revive",
            (
                Step("halt", revival.halt_all, nothing, STARTS_WITHIN), Step("choose", revival.choose),
                Step("form", revival.form, revival.unform, STARTS_WITHIN, final=True),
            ),
            urgent=True,
        ),
        Program(
            "delete",
            (
                Step("release", _release), Step("wipe", _clear_all, asked.is_spoilt, 600, final=True),
                Step("forget", asked.forget),
            ),
            gives_way=True,
        ),
        Program("clear", (Step("wipe", forgotten.wipe, seconds=600), _ANNOUNCE), gives_way=True),
    )
}  # fmt: skip

# --- what is due unasked ----------------------------------------------------------------------------------------------------


def keep(_case: Case) -> None:
    """Nothing is seen to beside tasks: members keep each other."""


def due(case: Case) -> Optional[Due]:
    """All are formed anew when nobody serves any more, or in ``needs`` stands why not; one that is back is started, or wiped, if it was
    forgotten.
    """
    whole = case.whole
    whole.needs = ""
    if not whole.formed or whole.own.get("stopped"):
        return None
    if not serving(case):
        return revival.due(case)
    forget_loss(case)
    if whole.task is not None or whole.paused or is_ahead(case, whole.not_before):
        return None
    kept_out = forgotten.due(case)
    if kept_out is not None:
        return kept_out
    away = [member.id for _key, member in sorted(whole.members.items()) if _may_return(case, member)]
    return Due("rejoin", f"{away[0]} does not run", {"members": away[:1]}) if away else None


def _may_return(case: Case, member: Member) -> bool:
    """Whether a member is to be started: one that runs, and has lost the others, finds them again by itself, unless they put it out."""
    if not member.joined or serves(case, member) or not case.channel(member).alive or is_ahead(case, member.again_at):
        return False
    return member.follows != case.whole.term or not runs(case, member)


def given_up(case: Case) -> None:
    """As everywhere; and why all were not formed anew is said until they are, whatever else is begun meanwhile."""
    asked.given_up(case)
    if case.task.program == "clear":
        forgotten.given_up(case)
    if case.task.program == "revive":
        case.whole.own["unrevived"] = {"at": case.now, "why": case.task.fault}


def unguarded(case: Case) -> str:
    """Return why the loss of one more member would stop the rest, "" if it would not."""
    there = voting(case)
    if not case.whole.formed or case.whole.own.get("stopped") or len(there) > 2 or not there:
        return ""
    away = sorted(key for key, member in case.whole.members.items() if member.joined and member not in there)
    return f"{away[0]} is away: {said_of(case, case.member(away[0])).trouble}" if away else f"it has {len(there)} members"


PLAN = Plan(PROGRAMS, keep, due, given_up, unguarded, "the loss of one more member would stop the others")
