# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""MariaDB: a source and its replicas, semi-synchronous. Programs of steps, and what is due unasked. Pure.

Every server is read-only at rest; only the one whose guest has claimed the set's term takes writes. A commit returns when one of those
that count has received it, so that all of them are sealed before anybody is promoted: an old source that wakes up finds nobody who
would acknowledge to it, and what it has returned is with one of those that we look at.
"""
from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ..engine.case import Case
from ..engine.program import DONE, Due, Outcome, Plan, Program, Step, all_of, fail, nothing, wait
from ..model import positions
from ..model.channel import Report
from ..model.replica_set import Member
from . import asked
from .asked import concerned, given_up, is_ahead

MADE_OF = ("server_id", "flavor", "volume", "databases", "users", "parameters")  # of a member's own, for its guest
FOLLOWS_WITHIN = 10.0  # seconds after which a source waits no longer for a replica that was there when its term began

# --- questions ----------------------------------------------------------------------------------------------------------


def _is_up(case: Case, member: Member) -> bool:
    return case.server(member).up


def _is_whole(case: Case, member: Member) -> bool:
    server = case.server(member)
    return server.up and server.whole


def _candidate(case: Case) -> Member:
    return case.member(case.task.data["candidate"])


def _counted(case: Case) -> List[Member]:
    return [case.member(key) for key in case.whole.counted if key in case.whole.members]


def is_lost(case: Case) -> str:
    """Return why the source takes no writes, "" while it does."""
    source = case.source
    if source is None:
        return ""
    if not case.reigns(source):
        return f"{source.id} has {f'not claimed term {case.whole.term}' if case.channel(source).alive else 'lost its claim'}"
    server = case.server(source)
    return "" if server.up else f"{source.id} does not run: {server.trouble}"


def what_keeps_a_failover(case: Case) -> str:
    """Return why no replica may be promoted unasked now, "" if one may be."""
    if is_ahead(case, case.whole.not_before):
        return _what_stands_against_one(case) or "the last attempt failed, and the next one comes in a moment"
    return _what_stands_against_one(case)


def unguarded(case: Case) -> str:
    """Return why nobody would take the source's place unasked if it were lost now."""
    return _what_stands_against_one(case) if case.source is not None and case.whole.replicas else ""


def _recent_failovers(case: Case) -> List[float]:
    """Clocks of managers may differ: what seems to come yet was just now."""
    return [at for at in case.whole.failovers if abs(case.now - at) < case.times.failover_window]


def _what_stands_against_one(case: Case) -> str:
    counted = _counted(case)
    recent, most = _recent_failovers(case), case.times.most_failovers
    if not case.whole.confirmed:
        return "no replica counts, so that each may lack what was acknowledged"
    silent = [member.id for member in counted if not _is_up(case, member)]
    if silent:
        return f"{', '.join(silent)} may have acknowledged what the others lack, and {case.server(case.member(silent[0])).trouble}"
    if most == 0:
        return "no failover is begun unasked here"
    if len(recent) >= most:
        return f"{len(recent)} failovers in {case.times.failover_window:g} s are the most that are begun unasked"
    return "it is paused" if case.whole.paused else ""


def _remedy(case: Case) -> str:
    """Return what people can do where a source is lost and no other may take over."""
    if case.whole.confirmed and not all(_is_up(case, member) for member in _counted(case)):
        return "; bring one of both back, or delete the replica by force if both are gone for good"
    if not _counted(case):  # nobody can say who has most of it
        return "; bring it back, or detach a replica, which goes on with what it has"
    return "; bring it back, or eject it" if _what_stands_against_one(case) else ""


# --- who counts: beside any task ------------------------------------------------------------------------------------------


def keep(case: Case) -> None:
    """Have the source ask those for acknowledgements that follow it and are there, so that it waits for nobody who is gone, nor for one
    that could not be promoted since nobody knows what it once had.

    At the beginning of a term who counts is about to follow.
    """
    granted, whole = case.granted, case.whole
    if granted is None or case.source is None or not case.reigns(case.source):
        return
    if case.opened == granted:
        whole.confirmed, whole.counted = list(granted.counted), list(granted.counted)
    coming = granted.counted if case.now - whole.since < FOLLOWS_WITHIN else ()
    should = tuple(
        member.id for member in whole.replicas if _is_whole(case, member) and (member.follows == whole.term or member.id in coming)
    )
    if should != granted.counted:
        case.count(should)


# --- steps ----------------------------------------------------------------------------------------------------------------


def _where(case: Case, member: Member) -> Dict[str, Any]:
    """Return how a guest reaches the server of another."""
    return {"address": member.own.get("address"), "port": member.own.get("port"), "secrets": case.whole.secrets}


def _server(case: Case, member: Member) -> Dict[str, Any]:
    """Return all that a guest must know to make a server."""
    asked = {name: member.own[name] for name in MADE_OF if name in member.own}
    return {**_where(case, member), "datastore": case.whole.datastore, "version": case.whole.version, **asked}


def _ask_to_follow(case: Case, member: Member) -> Optional[Report]:
    whole = case.whole
    return case.ask(member, "follow", source=whole.source, **_where(case, case.member(whole.source)))


def _prepare(case: Case) -> Outcome:
    return all_of((member.id, case.ask(member, "prepare", **_server(case, member))) for member in concerned(case))


def _copy(case: Case) -> Outcome:
    return _copied(case, concerned(case))


def _copied(case: Case, members: List[Member]) -> Outcome:
    source = case.source
    if source is None or not case.reigns(source):
        return wait("a source to copy from")
    reports: List[Tuple[str, Optional[Report]]] = []
    for member in members:
        reports.append((member.id, case.ask(member, "receive", **_server(case, member))))
        reports.append((source.id, case.ask(source, "send", member.id, to=member.id, **_where(case, member))))
    return all_of(reports)


def _try_to_follow(case: Case) -> Outcome:
    """Whoever has been here before may just follow; one that has what the source has not says so, and is copied anew."""
    reports = [(member.id, _ask_to_follow(case, member)) for member in concerned(case)]
    outcome = all_of(reports)
    case.task.data["apart"] = [name for name, report in reports if report is not None and report.found.get("apart")]
    return _followed(case) if outcome.done and not case.task.data["apart"] else outcome


def _rebuild(case: Case) -> Outcome:
    return _copied(case, [member for member in concerned(case) if member.id in case.task.data["apart"]])


def _follow(case: Case) -> Outcome:
    """Those who were copied follow, and have the data."""
    asked = [member for member in concerned(case) if member.follows < case.whole.term]
    reports = [(member.id, _ask_to_follow(case, member)) for member in asked]
    apart = [name for name, report in reports if report is not None and report.found.get("apart")]
    outcome = fail(f"{apart[0]} has what {case.whole.source} has not") if apart else all_of(reports)
    return _followed(case) if outcome.done else outcome


def _followed(case: Case) -> Outcome:
    for member in concerned(case):
        member.joined, member.follows, member.status, member.fault = True, case.whole.term, "ACTIVE", ""
    return DONE


def _wipe(case: Case) -> Outcome:
    return all_of((member.id, case.ask(member, "wipe")) for member in concerned(case))


def _fence_and_seal(case: Case) -> Outcome:
    """Whoever was the source is over, and no replica that counts listens to it any more; find out who has all."""
    case.take_back()
    over = case.is_over()
    reports = [(member.id, case.ask(member, "seal")) for member in _counted(case)]
    sealed = all_of(reports)
    if sealed.problem or not over:
        return sealed if sealed.problem else wait(f"{case.whole.source}, which may take writes still")
    return _choose(case, reports) if sealed.done else sealed


def _choose(case: Case, reports: List[Tuple[str, Optional[Report]]]) -> Outcome:
    """Take who has received all that any of them has ever acknowledged. ``had``: how far it once was; null where nobody knows."""
    received: Dict[str, positions.Position] = {}
    had: Dict[str, positions.Position] = {}
    for name, report in reports:
        if report is None:
            continue
        if report.found["had"] is None:
            return fail(f"{name} was started anew and may lack what it has acknowledged; bring {case.whole.source} back")
        received[name], had[name] = positions.parse(report.found["received"]), positions.parse(report.found["had"])
    able = {name: at for name, at in received.items() if all(positions.contains(at, other) for other in had.values())}
    if not received:
        return fail(f"no replica counts; bring {case.whole.source} back, or detach one, which goes on with what it has")
    if not able:
        return fail(f"none of {', '.join(sorted(received))} has all that each of them once had; bring {case.whole.source} back")
    candidate = positions.furthest(able)
    position = next(report.found["received"] for name, report in reports if name == candidate and report is not None)
    case.task.data.update(candidate=candidate, position=position)
    return DONE


def _drain(case: Case) -> Outcome:
    return _by_the_candidate(case, "drain")


def _look(case: Case) -> Outcome:
    """Whoever asked for it, things may have changed since."""
    name = case.task.data["candidate"]
    candidate = case.whole.members.get(name)
    if candidate is None or candidate is case.source or candidate.follows != case.whole.term or not _is_up(case, candidate):
        return fail(f"{name} does not follow {case.whole.source}, so that it can't take its place")
    return DONE


def _quiesce(case: Case) -> Outcome:
    source = case.source
    if source is None:
        return fail("there is no source")
    report = case.ask(source, "quiesce")
    if report is not None and not report.problem:
        case.task.data["position"] = report.found["position"]
    return all_of([(source.id, report)])


def _resume(case: Case) -> Outcome:
    source = case.source
    return DONE if source is None or not case.reigns(source) else all_of([(source.id, case.ask(source, "resume"))])


def _reach(case: Case) -> Outcome:
    return _by_the_candidate(case, "reach")


def _by_the_candidate(case: Case, verb: str) -> Outcome:
    """Have the candidate apply all up to the position."""
    return all_of([(_candidate(case).id, case.ask(_candidate(case), verb, position=case.task.data["position"]))])


def _retire(case: Case) -> Outcome:
    """The source is told to end, and says how far it came: that is what counts, whatever it said before."""
    case.take_back()
    if not case.is_over():
        return wait(f"{case.whole.source}, which may take writes still")
    end = case.end()
    if end is None or not end.position:
        return fail(f"{case.whole.source} did not say how far it came")
    case.task.data["position"] = end.position
    return DONE


def _grant(case: Case) -> Outcome:
    """From here on there is no way back. The new source asks none but those who are there."""
    old, new = case.source, _candidate(case)
    case.take_back()
    if not case.is_over():  # a manager who has just begun waits its own time
        return wait(f"{case.whole.source}, which may take writes still")
    case.grant(new, [member.id for member in _counted(case) if member not in (old, new) and _is_whole(case, member)])
    new.follows = case.whole.term
    if case.task.program == "failover":
        case.whole.failovers = [*_recent_failovers(case), case.now]
    return DONE


def _lead(case: Case) -> Outcome:
    """The new source takes writes, once one of those that it asks has acknowledged something: so they follow it at the same time.

    Who is not there, or has what the source has not, comes back by itself later.
    """
    left: List[str] = []
    for member in case.whole.replicas:
        if member.follows < case.whole.term and _is_up(case, member):
            report = _ask_to_follow(case, member)
            if report is None:
                left.append(member.id)
            elif not report.problem and not report.found.get("apart"):
                member.follows = case.whole.term
    source = case.source
    if source is None or case.opened is None:
        silent = source is not None and not case.channel(source).alive
        return fail(f"{case.whole.source}: its guest is not heard") if silent else wait(case.whole.source)
    source.joined, source.status, source.fault = True, "ACTIVE", ""
    return wait(", ".join(left)) if left else DONE


def _adopt(case: Case) -> Outcome:
    """Its guest knows of which set it is, and nobody of the other set can speak to its server."""
    return all_of((member.id, case.ask(member, "adopt", **_where(case, member))) for member in concerned(case))


def _call_back(case: Case) -> Outcome:
    """Whoever was granted this term has not claimed it: it is as if it had never been."""
    if case.was_claimed:
        return fail(f"{case.whole.source} has claimed its term after all")
    return DONE if case.call_back() else wait(f"the grant of {case.whole.source}")


# --- programs ---------------------------------------------------------------------------------------------------------------

_TAKE_OVER = (Step("grant", _grant, final=True), Step("lead", _lead))
PROGRAMS = {
    program.name: program
    for program in (
        Program("create", (Step("prepare", _prepare, _wipe, 900), *_TAKE_OVER)),
        Program(
            "replicate",
            (Step("prepare", _prepare, _wipe, 900), Step("copy", _copy, nothing, 7200), Step("follow", _follow)),
            gives_way=True,
        ),
        Program(
            "rejoin",
            (Step("follow", _try_to_follow), Step("copy", _rebuild, nothing, 7200), Step("follow", _follow)),
            gives_way=True,
        ),
        Program(
            "failover",
            (Step("fence and seal", _fence_and_seal), Step("drain", _drain, seconds=600), *_TAKE_OVER),
            urgent=True,
        ),
        Program("eject", (Step("fence and seal", _fence_and_seal), Step("drain", _drain, seconds=600), *_TAKE_OVER)),
        Program("restart", (Step("restart", asked.restart, seconds=300),)),
        Program("configure", (Step("configure", asked.configure, seconds=120),), gives_way=True),
        Program(
            "delete",
            (
                Step("release", asked.release, asked.keep), Step("wipe", asked.clear, asked.is_spoilt, 600, final=True),
                Step("forget", asked.forget),
            ),
            gives_way=True,
            joins=True,
        ),
        Program(
            "detach",
            (
                Step("look", asked.look), Step("release", asked.release, asked.keep), Step("seal", asked.seal, asked.unseal),
                Step("drain", asked.drain, seconds=600), Step("part", asked.part, final=True),
            ),
            gives_way=True,
        ),
        Program("adopt", (Step("adopt", _adopt), *_TAKE_OVER), gives_way=True),
        Program("restore", _TAKE_OVER, urgent=True),
        Program("call back", (Step("call back", _call_back),), urgent=True),
        Program(
            "promote",
            (
                Step("look", _look), Step("quiesce", _quiesce, _resume, 10), Step("catch up", _reach, nothing, 10),
                Step("retire", _retire), Step("catch up with its end", _reach, nothing, 10), *_TAKE_OVER,
            ),
        ),
    )
}


TAKES_OVER = ["call back", *(name for name, program in PROGRAMS.items() if program.steps[-len(_TAKE_OVER) :] == _TAKE_OVER)]

# --- what is due unasked ------------------------------------------------------------------------------------------------------


def due(case: Case) -> Optional[Due]:
    """Another source when this one is lost, or in ``needs`` why there is none; a replica that is back follows it."""
    whole = case.whole
    lost = is_lost(case)
    taking_over = whole.task is not None and (whole.task.program in TAKES_OVER or asked.ends_the_source(case))
    whole.needs = ""
    source = case.source
    if not whole.source:
        return _first(case)
    if lost and not taking_over and source is not None and case.granted is None and _is_up(case, source):
        return Due("restore", f"{source.id} is there, and nobody is granted to be the source", {"candidate": source.id})
    if lost and not taking_over and source is not None and whole.before and not case.was_claimed and not case.channel(source).alive:
        return Due("call back", f"{source.id} is gone, and never claimed its term")
    if lost and not taking_over:
        keeps = what_keeps_a_failover(case)
        if not keeps:
            return Due("failover", lost)
        whole.needs = f"{lost}; no other takes over: {keeps}{_remedy(case)}"
        return None
    if whole.task is not None or whole.paused or is_ahead(case, whole.not_before):
        return None
    away = [member for member in whole.replicas if member.follows < whole.term and not is_ahead(case, member.again_at)]
    back = [member.id for member in away if _is_up(case, member)]
    return Due("rejoin", f"{back[0]} is back", {"members": back[:1]}) if back else None


def _first(case: Case) -> Optional[Due]:
    """Who has data, and was never of a set that had a source, is to be the source."""
    alone = [member.id for member in case.whole.members.values() if member.joined and _is_up(case, member)]
    if not alone or case.whole.task is not None or is_ahead(case, case.whole.not_before):
        return None
    return Due("adopt", f"{alone[0]} is a set of its own", {"members": alone[:1], "candidate": alone[0]})


PLAN = Plan(PROGRAMS, keep, due, given_up, unguarded, "no other would take its source's place unasked")
