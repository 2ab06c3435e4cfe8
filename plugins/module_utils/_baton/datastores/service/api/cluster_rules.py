# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be done with a cluster as it stands: each request is judged, then a program is asked for, or nothing is changed. Pure.

A cluster keeps a majority of members that serve, and never fewer than it may be made of.
"""
from __future__ import annotations

from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence

from ....ground.problem import Problem
from ...engine.case import Case
from ...engine.engine import cancel
from ...model.documents import PoolHost
from ...model.replica_set import Member, ReplicaSet
from ...plans.group import said_of, serves, unwell
from .asking import PLANS, ask, busy_with, called, called_cluster, configure
from .catalogue import numbers
from .errors import bad, not_found, unprocessable
from .settings_made import type_of
from .wanted_clusters import DATA, check_counts

FORCED = 600.0  # seconds after a reset in which a delete is by force: it does not wait for a host that is not heard
NAMED = 5  # members that a refusal names


# --- looking ----------------------------------------------------------------------------------------------------------------


def member_of(whole: ReplicaSet, wanted: str) -> Member:
    """Return a member by id, or by name where one alone has it; Problem 404 for who is none."""
    if wanted in whole.members:
        return whole.members[wanted]
    found = [member for member in whole.members.values() if member.own.get("name") == wanted]
    if len(found) != 1:
        why = f"{len(found)} are called {wanted[:60]!r}" if found else f"{wanted[:60]!r} is none of its members"
        raise not_found(f"{called_cluster(whole)}: {why}; name members by their ids, which GET /clusters/{whole.id} has")
    return found[0]


def members_of(whole: ReplicaSet, wanted: Sequence[str]) -> List[Member]:
    """Return members as ``member_of``; Problem 400 where one is named twice."""
    found: List[Member] = []
    for name in wanted:
        member = member_of(whole, name)
        if member in found:
            raise bad(f"{called(member)} is named twice; name each once")
        found.append(member)
    return found


def joined(whole: ReplicaSet) -> List[Member]:
    """Return those that the cluster consists of, in the order of their ids; others are being made, or could not be."""
    return [member for _key, member in sorted(whole.members.items()) if member.joined]


def serving(case: Case, members: Sequence[Member]) -> List[Member]:
    return [member for member in members if serves(case, member)]


def must_serve(case: Case) -> None:
    """Raise Problem 422 where what is asked for needs a cluster that serves."""
    whole = case.whole
    must_be_free(case)
    of = joined(whole)
    if not of:
        raise unprocessable(f"{called_cluster(whole)} is not ready: wait until it is ACTIVE, or delete it if it could not be made")
    must_not_be_stopped(case)
    up = serving(case, of)
    if not any(type_of(member) == DATA for member in up) or 2 * len(up) <= len(of):
        raise unprocessable(f"of {called_cluster(whole)} {_few(len(up), len(of))} serve{_not_serving(case, of)}; mend that first")


def must_be_free(case: Case) -> None:
    """Raise Problem 422, which names what is being done, before anything else is said of the cluster."""
    task = case.whole.task
    if case.whole.asked is not None or task is not None and task.asked and not task.undoing:
        raise Problem(422, "busy", f"{called_cluster(case.whole)} is busy with {busy_with(case)}; try again when that has ended")


def must_not_be_stopped(case: Case) -> None:
    if case.whole.own.get("stopped"):
        raise unprocessable(f"{called_cluster(case.whole)} is stopped; start it first")


def others_must_be_well(case: Case, out: Collection[Member]) -> None:
    """Raise Problem 422 where the plan would not take these out, since another one is not well."""
    why = unwell(case, out)
    if why:
        raise unprocessable(f"in {called_cluster(case.whole)} {why}; mend that first, or let it leave or be replaced")


def _few(up: int, of: int) -> str:
    return f"{up or 'none'} of {of} members"


def _not_serving(case: Case, of: Sequence[Member]) -> str:
    """Return who does not, and why."""
    down = [f"{called(member)}: {said_of(case, member).trouble or 'it is not of this group'}" for member in of if not serves(case, member)]
    more = f"; and {len(down) - NAMED} more" if len(down) > NAMED else ""
    return f" ({'; '.join(down[:NAMED])}{more})" if down else ""


# --- who belongs to it ------------------------------------------------------------------------------------------------------


def may_grow(case: Case, types: Sequence[str]) -> None:
    """Raise Problem where members of these types can't be added."""
    must_serve(case)
    check_counts([*(type_of(member) for member in case.whole.members.values()), *types])


def where_all_are(whole: ReplicaSet) -> str:
    """Return the region of all members; Problem 400 where they are in several."""
    regions = sorted({str(member.own.get("region") or "") for member in whole.members.values()})
    if len(regions) > 1:
        said = ", ".join(regions)
        raise bad(f"members of {called_cluster(whole)} are in several regions, {said}: say of each new one where it is to be")
    return regions[0]


def shrink(case: Case, wanted: Sequence[str]) -> None:
    leaving = members_of(case.whole, wanted)
    may_leave(case, leaving)
    ask(case, "shrink", members=[member.id for member in leaving])


def may_leave(case: Case, leaving: Sequence[Member]) -> None:
    """Raise Problem where a cluster can't do without these. Who could not be made may always go."""
    whole = case.whole
    if not any(member.joined for member in leaving):
        if len(leaving) == len(whole.members):
            raise bad(f"{called_cluster(whole)} would have no member left: delete the cluster")
        return
    must_serve(case)
    staying = [member for member in joined(whole) if member not in leaving]
    check_counts([type_of(member) for member in staying])
    up = serving(case, staying)
    if 2 * len(up) <= len(staying) or not any(type_of(member) == DATA for member in up):
        raise unprocessable(
            f"of those that stay in {called_cluster(whole)} {_few(len(up), len(staying))} serve{_not_serving(case, staying)}; "
            "a majority is to: mend these first, or let them leave"
        )
    others_must_be_well(case, leaving)


def may_be_replaced(case: Case, member: Member) -> None:
    if not member.joined:
        raise unprocessable(f"{called(member)} has not joined, and takes no place: shrink takes it away, grow adds another")
    must_serve(case)
    others = [each for each in joined(case.whole) if each is not member]
    up = serving(case, others)
    if not any(type_of(each) == DATA for each in up):
        raise unprocessable(f"no member with data serves besides {called(member)}{_not_serving(case, others)}; mend that first")
    others_must_be_well(case, [member])


# --- all of it --------------------------------------------------------------------------------------------------------------


def restart(case: Case, members: Sequence[Member]) -> None:
    for member in members:
        if not member.joined:
            raise unprocessable(f"{called(member)} is not ready: there is nothing to restart")
    must_serve(case)
    others_must_be_well(case, members if len(members) == 1 else ())
    ask(case, "restart", members=[member.id for member in members])


def upgrade(case: Case, version: str, hosts: Mapping[str, PoolHost]) -> None:
    whole = case.whole
    if numbers(version) <= numbers(whole.version):
        raise bad(f"{called_cluster(whole)} has version {whole.version}, and {version} is no newer one")
    must_serve(case)
    at = sorted({member.host for member in joined(whole)})
    lacking = ", ".join([name for name in at if name not in hosts or not hosts[name].offers(whole.datastore, version)][:NAMED])
    if lacking:
        raise unprocessable(f"{lacking} can't have {whole.datastore} {version}; put it there, or replace the members there first")
    others_must_be_well(case, ())
    ask(case, "upgrade", members=[member.id for member in joined(whole)], version=version)


def attach(case: Case, news: Dict[str, Any]) -> None:
    """Give all members with data other parameters, or take theirs off. ``news``: what each has then."""
    must_be_free(case)
    must_not_be_stopped(case)
    having = [member for member in joined(case.whole) if type_of(member) == DATA]
    if not having:
        raise unprocessable(f"{called_cluster(case.whole)} is not ready: wait until it is ACTIVE")
    configure(case, having, news)
    for member in case.whole.members.values():
        if type_of(member) == DATA:
            member.own = {**member.own, **news}
    case.whole.own = {**case.whole.own, "configuration": news["configuration"]}


def stop(case: Case) -> None:
    must_be_free(case)
    if not joined(case.whole):
        raise unprocessable(f"{called_cluster(case.whole)} is not ready: there is nothing to stop")
    if case.whole.own.get("stopped"):
        raise unprocessable(f"{called_cluster(case.whole)} is stopped already")
    ask(case, "stop", members=[member.id for member in joined(case.whole)])


def start(case: Case, without: Sequence[str]) -> None:
    """Have a cluster formed again that has stopped. ``without``: who never runs again, as a person says."""
    whole = case.whole
    must_be_free(case)
    left = members_of(whole, without)
    of = [member for member in joined(whole) if type_of(member) == DATA]
    if not of:
        raise unprocessable(f"{called_cluster(whole)} has never been formed: delete it, and make another")
    up = serving(case, of)
    if up:
        raise unprocessable(f"{called_cluster(whole)} is formed, and {called(up[0])} serves: there is nothing to start")
    needed = [member for member in of if member not in left]
    if not needed:
        raise bad(f"without {', '.join(called(member) for member in left)} nobody is left who has the data")
    silent = [member for member in needed if not case.channel(member).alive]
    if silent:
        named = ", ".join(called(member) for member in silent[:NAMED])
        raise unprocessable(
            f"{named} may have what the others lack, and its guest is not heard: bring it back, or name it in without (with force), if it "
            "never runs again"
        )
    ask(case, "revive", members=[], without=[member.id for member in left])


def reset(case: Case) -> None:
    """Cancel what somebody has asked for. New members of what has not begun stay as they are: not made.

    A delete soon after it is by force: Trove's clients have no other word for that.
    """
    waiting = case.whole.asked
    case.whole.own = {**case.whole.own, "reset": case.now}
    cancel(case, PLANS[case.whole.datastore], "it was cancelled")
    for key in waiting["data"].get("members", ()) if waiting else ():
        new = case.whole.members.get(key)
        if new is not None and not new.joined and new.status == "BUILD":
            new.status, new.fault = "ERROR", "it was cancelled before it began; let it leave, or delete the cluster"


def delete(case: Case) -> None:
    is_forced = case.now - case.whole.own.get("reset", -FORCED) < FORCED
    ask(case, "delete", members=sorted(case.whole.members), **({"force": True} if is_forced else {}))


# --- one of its members, asked as an instance -------------------------------------------------------------------------------

INSTEAD = {
    "change": "it keeps its name; configuration_attach and configuration_detach of the cluster are for all members",
    "delete": "let it leave by DELETE /clusters/{cluster}/nodes/{id}, or delete the cluster",
    "promote_to_replica_source": "all members take writes, and none is a source",
    "eject_replica_source": "all members take writes, and none is a source; replace_node of the cluster takes one out that is gone",
    "detach": "it follows nobody; let it leave by DELETE /clusters/{cluster}/nodes/{id}",
    "reset_status": "what is done with it is done with the cluster, whose reset-status cancels it",
    "replicas": "members have no replicas; POST /clusters/{cluster}/nodes adds members",
}


def not_of_a_member(whole: ReplicaSet, member: Member, what: str) -> None:
    """Raise Problem 422, which says how to have it done instead."""
    instead = INSTEAD[what].format(cluster=whole.id, id=member.id)
    raise unprocessable(f"{called(member)} is a member of {called_cluster(whole)}: {instead}")


def new_number(whole: ReplicaSet, names: Collection[Optional[str]]) -> int:
    """Return a number for the name of a new member; none comes twice. ``names``: that others get."""
    number = int(whole.own.get("numbered", 0)) + 1
    taken = {*names, *(member.own.get("name") for member in whole.members.values())}
    while f"{whole.own['name']}-{number}" in taken:
        number += 1
    whole.own = {**whole.own, "numbered": number}
    return number


def segment_of(whole: ReplicaSet, region: str) -> int:
    """Return the number of a region in a cluster; it keeps it for ever, whoever leaves."""
    segments = dict(whole.own.get("segments") or {})
    number = segments.setdefault(region, len(segments))
    whole.own = {**whole.own, "segments": segments}
    return int(number)
